"""Overlap of two watch lists: how much of the trade in the goods of one is trade in the goods of the other."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import engine
from autarky.dated import within
from autarky.errors import MeasureError, NoDataError
from autarky.tables import WORLD, Condition, Flows, column

if TYPE_CHECKING:
    from autarky.watchlists import WatchList

HS6 = 6
WINDOWS = ("ignored", "printed")


@dataclass(frozen=True)
class Overlap:
    """The overlap of two lists on a flow.

    Attributes
    ----------
    left, right : the lists
    summary : a row a match ("code": the listed line itself; "hs6": every line of its first six digits): codes_left,
        codes_right, codes_both (how many), left_usd, right_usd, both_usd (value of the goods of each, and of those of
        both), share_of_left (both / left), share_of_right (both / right), flag (why a figure is null)
    shared : a row a match and shared code: match, code, label_left, label_right, group_left, group_right, value_usd
        (null = not in the data), share_of_left, share_of_right
    since, until : first and last period with data of either list
    windows : as given
    """

    left: WatchList
    right: WatchList
    summary: pd.DataFrame
    shared: pd.DataFrame
    since: datetime.date
    until: datetime.date
    windows: str


def overlap(
    flows: Flows,
    con: Any,
    left: WatchList,
    right: WatchList,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    windows: str = "ignored",
) -> Overlap:
    """Measure what share of the value of each list's goods is in goods of both.

    share_of_left = Σ value of the codes on both lists / Σ value of the codes on the left one, over the window

    By code, both lists and the data must be of one nomenclature and as many digits. By HS6, codes are cut to six digits
    and stand for the whole of that HS6: the figures are those of wider goods, whether the data have 6 digits or more.
    A code of both lists counts once. An edition of the HS is not converted: cut codes of two editions are compared as
    they are.

    Parameters
    ----------
    flows : one reporter's flows in one direction
    since, until : the window, inclusive
    windows : "ignored": a listed code counts in every period; "printed": only in the years that its list prints

    Raises
    ------
    MeasureError : a list with codes of fewer than six digits; data without 6-digit rows or finer
    NoDataError : the data have no code of either list
    TableError : the flows hold what is not added together
    """
    if windows not in WINDOWS:
        raise MeasureError(f"windows={windows!r}: expected {' or '.join(WINDOWS)}")
    lists = {"left": _codes(left), "right": _codes(right)}
    flows = flows.where((), since, until)
    level = _level(flows)
    flows = flows.where([Condition("level", (str(level),))])
    flows.check_unmixed(["product", "period"], [])
    wanted = sorted({c for codes in lists.values() for c in codes["hs6"]})
    values = _values(flows, con, wanted)
    if values.empty:
        raise NoDataError(f"no good of {left.id} or {right.id} is in the data that matched")
    why = _refused(left, right, flows, level)
    rows, shared = [], []
    for match in ("code", "hs6"):
        parts = {side: _matched(values, codes, match, windows) for side, codes in lists.items()}
        names = {side: set(codes[match]) for side, codes in lists.items()}
        row = {"match": match, **{f"codes_{side}": len(held) for side, held in names.items()}}
        if match == "code" and why:
            rows.append({**row, "codes_both": None, "flag": why})
            continue
        rows.append({**row, "codes_both": len(names["left"] & names["right"]), **_shares(parts)})
        shared.append(_shared(parts, lists, match, rows[-1]))
    columns = [f"{what}_usd" for what in ("left", "right", "both")] + ["share_of_left", "share_of_right"]
    summary = pd.DataFrame(rows).reindex(columns=["match", "codes_left", "codes_right", "codes_both", *columns, "flag"])
    summary = summary.astype({"codes_both": "Int64", **dict.fromkeys(columns, "float64")})
    first, last = values["period"].min(), values["period"].max()
    return Overlap(left, right, summary, pd.concat(shared, ignore_index=True), first, last, windows)


def choose(flows: Flows, reporter: str, partner: str | None = None, flow: str = "import") -> Flows:
    """Narrow to one reporter's flows in one direction, told apart from world totals and areas.

    Without a partner it is the world total as reported, where there is one, else the sum of the partners.

    Raises
    ------
    NoDataError : nothing of that reporter and flow
    """
    conditions = [Condition("flow", (flow,)), Condition("reporter", (reporter,))]
    chosen = flows.where([*conditions, *([Condition("partner", (partner,))] if partner else [])])
    if chosen.coverage.empty:
        raise NoDataError(f"no {flow}s of {reporter} matched; `autarky coverage` shows what the store holds")
    if not partner and chosen.coverage["world"].any() and not chosen.coverage["world"].all():
        chosen = chosen.where([Condition("partner", (WORLD,))])
    if chosen.coverage["areas"].any() and not chosen.coverage["areas"].all():
        chosen = chosen.where([Condition("area", ("",))])
    return chosen


def _codes(listed: WatchList) -> pd.DataFrame:
    frame = listed.frame()[["group", "code", "label", "since", "until"]]
    short = frame.loc[frame["code"].str.len() < HS6, "code"]
    if len(short):
        raise MeasureError(f"{listed.id}: code {short.iloc[0]!r} has fewer than {HS6} digits; overlap takes 6 or more")
    return frame.assign(hs6=frame["code"].str[:HS6])


def _level(flows: Flows) -> int:
    """Return the digits of the finest rows: those are read, and added up to six."""
    levels = [int(v) for v in flows.coverage["level"].unique() if v >= HS6]
    if flows.coverage.empty:
        raise NoDataError("no data matched the window; `autarky coverage` shows what the store holds")
    if not levels:
        raise MeasureError("the data have no rows of 6 digits or more, so no list can be matched to them")
    return max(levels)


def _refused(left: WatchList, right: WatchList, flows: Flows, level: int) -> str | None:
    """Say why the lists cannot be compared by code; null when they can."""
    digits = sorted({len(e.code) for e in (*left.entries, *right.entries)})
    held = sorted(set(flows.coverage["nomenclature"]))
    if len(digits) > 1:
        return f"the codes have {' and '.join(map(str, digits))} digits"
    # Six digits are HS6 in every nomenclature built on it.
    if digits[0] > HS6 and left.nomenclature != right.nomenclature:
        return f"one list is of {left.nomenclature}, the other of {right.nomenclature}"
    if digits[0] != level:
        return f"the lists have {digits[0]} digits, the data {level}"
    if digits[0] > HS6 and held != [left.nomenclature]:
        return f"the lists are of {left.nomenclature}, the data of {', '.join(held)}"
    return None


def _values(flows: Flows, con: Any, wanted: list[str]) -> pd.DataFrame:
    """Return value by product and period of every line of the HS6 wanted; null where only nulls were reported."""
    table = flows.table.mutate(hs6=column(flows.table, "hs6"))
    table = table.filter(table["hs6"].isin(wanted))
    sums = table.aggregate(by=["hs6", "product", "period"], value_usd=table.value_usd.sum())
    found: pd.DataFrame = engine.rows(con, sums.order_by("product", "period")).to_pandas()
    return found.rename(columns={"product": "code"})


def _matched(values: pd.DataFrame, codes: pd.DataFrame, match: str, windows: str) -> pd.Series:
    """Return the value of a list's goods by code (or HS6) and period, one entry each."""
    held = values.dropna(subset="value_usd").groupby([match, "period"], as_index=False)["value_usd"].sum()
    if windows == "printed":
        spans = held[[match, "period"]].merge(codes[[match, "since", "until"]], on=match)
        inside = spans[within(pd.to_datetime(spans["period"]).dt.year, spans["since"], spans["until"])]
        held = held.merge(inside[[match, "period"]].drop_duplicates(), on=[match, "period"])
    held = held[held[match].isin(codes[match])]
    series: pd.Series = held.set_index([match, "period"])["value_usd"]
    return series


def _shares(parts: dict[str, pd.Series]) -> dict[str, Any]:
    both = parts["left"][parts["left"].index.isin(parts["right"].index)]
    sums = {name: float(v.sum()) for name, v in {**parts, "both": both}.items()}
    row: dict[str, Any] = {f"{name}_usd": value for name, value in sums.items()}
    empty = []
    for side in ("left", "right"):
        row[f"share_of_{side}"] = sums["both"] / sums[side] if sums[side] > 0 else None
        if sums[side] <= 0:
            empty.append(f"no value in the goods of the {side} list")
    return {**row, "flag": "; ".join(empty) or None}


def _shared(
    parts: dict[str, pd.Series], lists: dict[str, pd.DataFrame], match: str, row: dict[str, Any]
) -> pd.DataFrame:
    """Return the codes of both lists, the largest value first."""
    both = parts["left"][parts["left"].index.isin(parts["right"].index)]
    value = both.groupby(level=0).sum()
    sides = {
        side: codes.groupby(match)[["label", "group"]]
        .agg(lambda v: " / ".join(dict.fromkeys(v)))
        .add_suffix(f"_{side}")
        for side, codes in lists.items()
    }
    frame = sides["left"].join(sides["right"], how="inner")
    frame = frame.assign(value_usd=value.reindex(frame.index)).rename_axis(index="code").reset_index()
    for side in ("left", "right"):
        total = row[f"{side}_usd"]
        frame[f"share_of_{side}"] = frame["value_usd"] / total if total > 0 else float("nan")
    columns = ["code", "label_left", "label_right", "group_left", "group_right", "value_usd"]
    frame = frame[[*columns, "share_of_left", "share_of_right"]].assign(match=match)
    frame = frame.sort_values(["value_usd", "code"], ascending=[False, True], na_position="last")
    return frame[["match", *columns, "share_of_left", "share_of_right"]]
