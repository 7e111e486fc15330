"""Group flows by a watch list: which products belong to which group, and what each group's monthly series is."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import engine
from autarky.dated import within
from autarky.errors import MeasureError, NoDataError, listed
from autarky.tables import Condition, Flows, Ledger
from autarky.watchlists import WatchList

if TYPE_CHECKING:
    from collections.abc import Sequence

HS6 = 6


@dataclass(frozen=True)
class Grouped:
    """The flows of a watch list.

    Attributes
    ----------
    codes : a row a code of the list: group, category, code, label, since, until, product (as the data have it), match
        ("exact" = the line itself, "partial" = the data's product holds more than the line, "none" = not in the data),
        shared_with (other groups that the product also serves), value_usd over the window
    series : a row a (group, product, month) with a value: group, category, product, period, value_usd
    calendar : every month of the window
    partial : whether products are matched by prefix
    values : product, period, value_usd of the list's products, and of any others that were asked for
    split : the products of which a combined month was split
    """

    codes: pd.DataFrame
    series: pd.DataFrame
    calendar: pd.PeriodIndex
    partial: bool
    values: pd.DataFrame
    split: tuple[str, ...] = ()

    def groups(self) -> pd.DataFrame:
        """Return the monthly series of the groups: months down, groups across; null where nothing was reported."""
        wide = self.series.pivot_table(index="period", columns="group", values="value_usd", aggfunc="sum")
        return wide.reindex(index=self.calendar)

    def categories(self) -> pd.DataFrame:
        """Return the monthly series of the categories; a product that serves two groups of one counts once."""
        once = self.series.drop_duplicates(["category", "product", "period"])
        wide = once.pivot_table(index="period", columns="category", values="value_usd", aggfunc="sum")
        return wide.reindex(index=self.calendar)

    def shared(self) -> pd.DataFrame:
        """Return the products that several groups share: product and the groups."""
        pairs = self.codes[self.codes["shared_with"] != ""]
        groups = pairs.groupby("product")["group"].agg(lambda g: "; ".join(dict.fromkeys(g)))
        return groups.rename("groups").reset_index()


def group(
    flows: Flows,
    con: Any,
    watchlist: WatchList,
    since: datetime.date | None,
    until: datetime.date | None,
    windows: str,
    combined: Sequence[tuple[str, str]],
    ledger: Ledger,
    extra: Sequence[str] = (),
) -> Grouped:
    """Match a watch list to monthly flows and add up its products by month.

    Parameters
    ----------
    flows : one reporter's monthly flows in one direction
    since, until : the window; default: from the first to the last month of the flows
    windows : "ignored": a listed code counts in every month in which it was reported; "printed": only in the years that
        the list prints for it
    combined : (month without a figure, month that holds the figure of both) pairs, as "2020-01", to be split
    extra : products beyond the list whose values are wanted too (they are in no group)

    Raises
    ------
    NoDataError : no product of the list is in the flows
    MeasureError : the flows have neither the list's codes nor HS6
    """
    level, partial = _level(flows, watchlist)
    flows = flows.where([Condition("level", (str(level),))], since, until)
    if flows.coverage.empty:
        raise NoDataError("no data matched the window; `autarky coverage` shows what the store holds")
    flows.check_unmixed(["product", "period"], [])
    listed_codes = watchlist.frame()[["group", "category", "code", "label", "since", "until"]]
    listed_codes = listed_codes.assign(product=listed_codes["code"].str[:level])
    wanted = sorted(set(listed_codes["product"]))
    values = _values(flows, con, sorted({*wanted, *extra}))
    _account(flows, con, wanted, ledger, watchlist)
    first, last = since or flows.coverage["period"].min(), until or flows.coverage["period"].max()
    calendar = pd.period_range(str(first), str(last), freq="M")
    values, split = split_combined(values, combined, ledger)
    members = listed_codes.drop_duplicates(["group", "product"])[["group", "category", "product"]]
    series = members.merge(values, on="product")
    if series.empty:
        raise NoDataError(f"none of the {len(listed_codes)} codes of {watchlist.id} is in the data that matched")
    series = _in_their_years(series, listed_codes, windows, ledger)
    codes = _described(listed_codes, values, partial)
    return Grouped(codes, series.dropna(subset="value_usd"), calendar, partial, values, split)


def _level(flows: Flows, watchlist: WatchList) -> tuple[int, bool]:
    """Return the number of digits to match on, and whether that is less than the list has."""
    nomenclatures = sorted(set(flows.coverage["nomenclature"]))
    own = flows.coverage[flows.coverage["nomenclature"] == watchlist.nomenclature]
    digits = max(len(e.code) for e in watchlist.entries)
    if nomenclatures == [watchlist.nomenclature] and (own["level"] == digits).any():
        return digits, False
    if (flows.coverage["level"] == HS6).any():
        return HS6, True
    raise MeasureError(
        f"the list {watchlist.id} has {digits}-digit codes of {watchlist.nomenclature}; the data have "
        f"{listed(nomenclatures)} without 6-digit rows, so nothing can be matched"
    )


def _values(flows: Flows, con: Any, products: Sequence[str]) -> pd.DataFrame:
    table = flows.table.filter(flows.table["product"].isin(products))
    sums = table.aggregate(by=["product", "period"], value_usd=table.value_usd.sum())
    frame = engine.rows(con, sums.order_by("product", "period")).to_pandas()
    return frame.assign(period=pd.PeriodIndex(pd.to_datetime(frame["period"]), freq="M"))


def split_combined(
    values: pd.DataFrame, months: Sequence[tuple[str, str]], ledger: Ledger
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Split a month that was published together with the one before it, product by product.

    The sum is shared in proportion to the same two months of the year before; a product that lacks one of those keeps
    its figure where it was published.

    Parameters
    ----------
    values : product, period, value_usd
    months : (month without a figure, month that holds the figure of both) pairs, as "2020-01"

    Returns
    -------
    the values, and the products of which a month was split
    """
    wide = values.pivot(index="period", columns="product", values="value_usd")
    changed: list[str] = []
    for empty, full in months:
        first, second = pd.Period(empty, "M"), pd.Period(full, "M")
        # One product without trade in January is absent; that all are is how the office publishes.
        if first in wide.index or not {second, first - 12, second - 12} <= set(wide.index):
            continue
        before = wide.loc[first - 12] / (wide.loc[first - 12] + wide.loc[second - 12])
        both = wide.loc[second]
        held = (both.notna() & before.notna()).to_numpy()
        wide.loc[first] = (both * before).where(held)
        wide.loc[second] = (both * (1 - before)).where(held, both)
        changed += list(wide.columns[held])
        value = float(both[held].sum())
        ledger.add(
            "split combined months",
            (int(held.sum()), 2 * int(held.sum())),
            (value, value),
            f"{empty} and {full} were published as one figure; split as {first - 12} and {second - 12} were",
        )
    long = wide.sort_index().stack(future_stack=True).dropna().rename("value_usd").reset_index()
    return long[["product", "period", "value_usd"]], tuple(dict.fromkeys(changed))


def _in_their_years(series: pd.DataFrame, codes: pd.DataFrame, windows: str, ledger: Ledger) -> pd.DataFrame:
    """Keep or drop what a product reports outside the years printed for it; either way the ledger says how much."""
    keys = ["group", "product", "period"]
    spans = codes.merge(series[keys], on=["group", "product"])
    inside = spans[within(spans["period"].dt.year, spans["since"], spans["until"])]
    held = series.merge(inside[keys].drop_duplicates(), on=keys)
    rows, value = (len(series), len(held)), (float(series["value_usd"].sum()), float(held["value_usd"].sum()))
    outside = f"{rows[0] - rows[1]} group-product-months, {value[0] - value[1]:,.0f} USD, lie outside the printed years"
    if windows == "printed":
        ledger.add("printed years", rows, value, f"{outside}: dropped")
        return held
    ledger.add("printed years", (rows[0], rows[0]), (value[0], value[0]), f"{outside}: kept")
    return series


def _account(flows: Flows, con: Any, products: Sequence[str], ledger: Ledger, watchlist: WatchList) -> None:
    table = flows.table
    total = engine.rows(con, table.aggregate(n=table.count(), v=table.value_usd.sum())).to_pylist()[0]
    matched = table.filter(table["product"].isin(products))
    held = engine.rows(con, matched.aggregate(n=matched.count(), v=matched.value_usd.sum())).to_pylist()[0]
    ledger.add(
        "match",
        (total["n"], held["n"]),
        (total["v"] or 0.0, held["v"] or 0.0),
        f"rows of products on {watchlist.id}; the others are not on the list",
    )


def _described(codes: pd.DataFrame, values: pd.DataFrame, partial: bool) -> pd.DataFrame:
    totals = values.groupby("product")["value_usd"].sum()
    groups = codes.groupby("product")["group"].agg(lambda g: list(dict.fromkeys(g)))
    found = codes["product"].isin(totals.index)
    shared = [
        "; ".join(g for g in groups[product] if g != own) if known else ""
        for product, own, known in zip(codes["product"], codes["group"], found, strict=True)
    ]
    match = ["none" if not known else "partial" if partial else "exact" for known in found]
    return codes.assign(match=match, shared_with=shared, value_usd=codes["product"].map(totals))
