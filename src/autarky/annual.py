"""One reporter's trade by year and product: one level of codes, one whole (the world total or the sum of partners)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from autarky import engine
from autarky.errors import MeasureError, NoDataError, TableError, listed
from autarky.placement import basic, span
from autarky.references.checks import HS
from autarky.tables import FLOWS, FREQS, WORLD, Condition, Flows, Ledger, column

OPPOSITE = dict(zip(FLOWS, reversed(FLOWS), strict=True))
HS6 = "6"
# Two months of which customs published the sum: (the month without a figure, the month that holds both).
Combined = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Annual:
    """One reporter's values by year.

    Attributes
    ----------
    frame : year, flow, nomenclature, product, value_usd (nan = every row of it is without a value); complete years only
    years : a row a (year, flow): nomenclature, freq, source, valuation, partners (how many have rows), products,
        value_usd (null where the year is not complete), total_usd (all products, as the source prints it, where it
        does), flag (why value_usd is null)
    reporter, partner : ISO3; partner None: all
    mirror : whether these are the partner's own figures, read from the other side
    cautions : published headings whose parts do not add up to them
    ledger : what was chosen
    """

    frame: pd.DataFrame
    years: pd.DataFrame
    reporter: str
    partner: str | None
    mirror: bool
    cautions: tuple[str, ...]
    ledger: Ledger


def annual(
    flows: Flows,
    con: Any,
    reporter: str,
    *,
    flow: str | None = None,
    partner: str | None = None,
    freq: str | None = None,
    source: str | None = None,
    mirror: bool = False,
    prefer: str | None = None,
    combined: Combined = (),
) -> Annual:
    """Add up one reporter's trade by year and product.

    Parameters
    ----------
    flows : any flows; 6-digit HS rows, or rows of `prefer`, are taken from them
    reporter, partner : ISO3; default partner: the world total where it is reported, else the sum of the partners
    flow : "import" or "export"; default: both
    freq : "A": annual rows; "M": months, added up to years that have all twelve; default: annual rows where there are
        any, else months
    source : which of several
    mirror : take the partner's exports for the reporter's imports, and the reverse
    prefer : a nomenclature (BEC4, BEC5) whose own rows are taken in the years that have them
    combined : months that were published as one figure, as ("2020-01", "2020-02"): the first is not missing

    Raises
    ------
    NoDataError : no such rows; says what there is instead
    TableError : two sources, or two nomenclatures, for one year
    MeasureError : a mirror of all partners; no such flow or frequency
    """
    _checked(flow, freq, mirror, partner)
    chosen, part = selected(flows, reporter, flow, partner, freq, source, mirror)
    if chosen.coverage.empty:
        raise NoDataError(_nothing(flows, reporter, flow, partner, mirror))
    ledger, frames, years = Ledger(), [], []
    for own in sorted(set(chosen.coverage["flow"])):
        for held in _systems(chosen.where([Condition("flow", (own,))]), con, prefer):
            values = _by_product(held, con)
            printed = _printed(chosen, con, own)
            told = _by_year(held, con, combined).merge(printed, on=["year", "nomenclature"], how="left")
            said = OPPOSITE[own] if mirror else own
            frames.append(values.assign(flow=said))
            years.append(told.assign(flow=said))
    if not frames:
        systems = sorted(set(chosen.coverage["nomenclature"]))
        raise NoDataError(
            f"the rows of {reporter} that matched are in {listed(systems)}; end use needs 6-digit HS rows"
            f"{f', or rows in {prefer}' if prefer else ''}"
        )
    frame, cautions = basic(pd.concat(frames, ignore_index=True), prefer)
    frame, told = _complete(frame, _without_headings(pd.concat(years, ignore_index=True), frame))
    _account(frame, told, reporter, partner, mirror, ledger)
    told = _with_lost(told, part, mirror)
    order = ["year", "flow", "nomenclature", "product", "value_usd"]
    return Annual(frame[order], told, reporter, partner, mirror, cautions, ledger)


def _checked(flow: str | None, freq: str | None, mirror: bool, partner: str | None) -> None:
    if flow not in (None, *FLOWS):
        raise MeasureError(f"flow {flow!r}: expected {' or '.join(FLOWS)}")
    if freq not in (None, *FREQS):
        raise MeasureError(f"freq {freq!r}: expected {' or '.join(FREQS)}")
    if mirror and partner in (None, WORLD):
        raise MeasureError("a mirror is read from one partner's own figures; name the partner")


def selected(
    flows: Flows,
    reporter: str,
    flow: str | None,
    partner: str | None,
    freq: str | None,
    source: str | None,
    mirror: bool,
) -> tuple[Flows, pd.DataFrame]:
    """Narrow to one reporter's rows of one frequency, without adding a whole to its parts.

    Returns
    -------
    the flows, and the (flow, year) pairs that only partner rows hold where the world total was chosen for the others
    """
    own, other = (partner, reporter) if mirror else (reporter, partner)
    conditions = [Condition("reporter", (str(own),))]
    if flow:
        conditions.append(Condition("flow", (OPPOSITE[flow] if mirror else flow,)))
    if source:
        conditions.append(Condition("source", (source,)))
    if other:
        conditions.append(Condition("partner", (other,)))
    chosen = flows.where(conditions)
    held = set(chosen.coverage["freq"])
    chosen = chosen.where([Condition("freq", (freq or ("A" if "A" in held else "M"),))])
    if chosen.coverage["areas"].any() and not chosen.coverage["areas"].all():
        chosen = chosen.where([Condition("area", ("",))])
    before = _cells(chosen)
    world = chosen.coverage["world"]
    if not other and world.any() and not world.all():
        chosen = chosen.where([Condition("partner", (WORLD,))])
    after = _cells(chosen)
    lost = before.merge(after, how="left", indicator=True)
    return chosen, lost.loc[lost["_merge"] == "left_only", ["flow", "year"]]


def _cells(flows: Flows) -> pd.DataFrame:
    years = flows.coverage.assign(year=[p.year for p in flows.coverage["period"]])
    return years[["flow", "year"]].drop_duplicates().reset_index(drop=True)


def _systems(flows: Flows, con: Any, prefer: str | None) -> list[Flows]:
    """Return the rows of `prefer`, and 6-digit HS rows of the years without such; what has no row is left out."""
    found, there = [], []
    if prefer and prefer in set(flows.coverage["nomenclature"]):
        own = flows.where([Condition("nomenclature", (prefer,)), Condition("product", ("TOTAL",), negated=True)])
        years = own.table.select(year=column(own.table, "year")).distinct()
        there = sorted(str(y) for y in engine.rows(con, years)["year"].to_pylist())
        found = [own] if there else []
    hs = flows.where([Condition("nomenclature", HS), Condition("level", (HS6,))])
    if there:
        hs = hs.where([Condition("year", tuple(there), negated=True)])
    if not hs.coverage.empty and not engine.is_empty(con, hs.table):
        found.append(hs)
    for held in found:
        held.check_unmixed(["year", "product"], [])
    return found


def _by_product(flows: Flows, con: Any) -> pd.DataFrame:
    table = flows.table
    by = {"year": column(table, "year"), "nomenclature": table.nomenclature, "product": table["product"]}
    frame: pd.DataFrame = engine.rows(con, table.aggregate(by=by, value_usd=table.value_usd.sum())).to_pandas()
    frame = frame.astype({"year": "int64", "value_usd": "float64"})
    return frame.sort_values(list(by), ignore_index=True)


def _by_year(flows: Flows, con: Any, combined: Combined) -> pd.DataFrame:
    table = flows.table
    by = {c: column(table, c) for c in ("year", "nomenclature", "freq", "source", "valuation", "period")}
    counted = table.aggregate(by=by, value_usd=table.value_usd.sum())
    frame: pd.DataFrame = engine.rows(con, counted).to_pandas().astype({"year": "int64", "value_usd": "float64"})
    wholes = table.aggregate(by={"year": by["year"]}, partners=table.partner.nunique())
    counts = engine.rows(con, wholes).to_pandas().astype("int64")
    keys = ["year", "nomenclature", "freq"]
    groups = frame.sort_values([*keys, "source", "valuation"]).groupby(keys, as_index=False)
    told = groups.agg(
        source=("source", lambda v: " and ".join(dict.fromkeys(v))),
        valuation=("valuation", lambda v: " and ".join(dict.fromkeys(v))),
        value_usd=("value_usd", "sum"),
    )
    missing = {year: _missing(part["period"], year, combined) for year, part in frame.groupby("year")}
    flags = [
        f"{12 - len(missing[y])} of 12 months; absent: {listed(missing[y])}" if f == "M" and missing[y] else None
        for y, f in zip(told["year"], told["freq"], strict=True)
    ]
    return told.merge(counts, on="year").assign(flag=pd.array(flags, dtype="object"))


def _missing(periods: pd.Series[Any], year: Any, combined: Combined) -> list[str]:
    """Return the months of a year without a row; a month that was published with the next one is not missing."""
    held = {f"{p.year}-{p.month:02}" for p in periods}
    held |= {empty for empty, full in combined if full in held}
    return [m for m in (f"{year}-{n:02}" for n in range(1, 13)) if m not in held]


def _printed(chosen: Flows, con: Any, flow: str) -> pd.DataFrame:
    """Return the total of all products by year, as the source prints it, where it does."""
    totals = chosen.where([Condition("flow", (flow,)), Condition("product", ("TOTAL",))]).table
    by = {"year": column(totals, "year"), "nomenclature": totals.nomenclature}
    frame: pd.DataFrame = engine.rows(con, totals.aggregate(by=by, total_usd=totals.value_usd.sum())).to_pandas()
    return frame.astype({"year": "int64", "nomenclature": "object", "total_usd": "float64"})


def _without_headings(years: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Give each year the value and the number of its products; headings that stand above them are left out."""
    sums = frame.groupby(["year", "flow"])["value_usd"].agg(["sum", "size"]).reset_index()
    sums = sums.rename(columns={"sum": "value_usd", "size": "products"})
    return years.drop(columns="value_usd").merge(sums, on=["year", "flow"], how="left")


def _complete(frame: pd.DataFrame, years: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the values of years that have all their months; an incomplete year keeps its row and its reason."""
    twice = years[years.duplicated(["year", "flow"], keep=False)]
    if len(twice):
        named = [f"{r.flow} {r.year} in {r.nomenclature}" for r in twice.itertuples()]
        raise TableError(f"a year stands in two nomenclatures: {listed(named)}; add --where nomenclature=…")
    flagged = years["flag"].notna()
    partial = set(zip(years.loc[flagged, "year"], years.loc[flagged, "flow"], strict=True))
    kept = [pair not in partial for pair in zip(frame["year"], frame["flow"], strict=True)]
    years = years.assign(in_usd=years["value_usd"], value_usd=years["value_usd"].mask(flagged))
    order = ["flow", "year"]
    return frame[kept].sort_values([*order, "product"], ignore_index=True), years.sort_values(order, ignore_index=True)


def _account(
    frame: pd.DataFrame, years: pd.DataFrame, reporter: str, partner: str | None, mirror: bool, ledger: Ledger
) -> None:
    whence = "all partners" if partner in (None, WORLD) else str(partner)
    who = f"{reporter} with {whence}"
    if mirror:
        who += f", read from the figures of {partner} (mirror: its exports stand for imports, and the reverse)"
    held = "; ".join(
        f"{source} {system} {freq} {valuation}: {', '.join(f'{f} {span(p)}' for f, p in part.groupby('flow')['year'])}"
        for (source, system, freq, valuation), part in years.groupby(["source", "nomenclature", "freq", "valuation"])
    )
    flagged = years.dropna(subset="flag")
    left = [f"{r.flow} {r.year}: {r.flag}" for r in flagged.itertuples()]
    note = f"{who}; {held}" + (f"; incomplete years left out: {listed(left)}" if left else "")
    rows = len(frame) + int(flagged["products"].sum()), len(frame)
    ledger.add("years by product", rows, (float(years["in_usd"].sum()), float(years["value_usd"].sum())), note)


def _with_lost(years: pd.DataFrame, lost: pd.DataFrame, mirror: bool) -> pd.DataFrame:
    """Add the years that have partners but not the world total, which the other years have."""
    years = years.drop(columns="in_usd")
    if lost.empty:
        return years
    if mirror:
        lost = lost.assign(flow=lost["flow"].map(OPPOSITE))
    reason = "the world total is not reported in this year; the partners are, and the two are not mixed"
    missing = lost.assign(flag=reason, year=lost["year"].astype("int64"))
    return pd.concat([years, missing], ignore_index=True).sort_values(["flow", "year"], ignore_index=True)


def _nothing(flows: Flows, reporter: str, flow: str | None, partner: str | None, mirror: bool) -> str:
    """Say what is missing, and where the same trade is reported from the other side."""
    what = f"{flow}s" if flow else "trade"
    whose = f"{partner}'s figures on {what} of {reporter}" if mirror else f"{what} of {reporter}"
    said = f"the store has no rows on {whose}{f' with {partner}' if partner and not mirror else ''}"
    if mirror or partner in (None, WORLD):
        return f"{said}; `autarky coverage` shows what it holds"
    other, _ = selected(flows, reporter, flow, partner, None, None, True)
    if other.coverage.empty:
        return f"{said}; `autarky coverage` shows what it holds"
    return f"{said}, but {partner} may report the same trade: ask for the mirror (mirror=True)"
