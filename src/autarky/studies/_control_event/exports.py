"""The issuer's monthly exports of the controlled lines, by partner."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from autarky import codes as areas
from autarky import engine
from autarky.errors import CodeError, MeasureError, NoDataError, listed
from autarky.tables import WORLD, Condition, Flows, Ledger, column

ABSENT = ("zero", "absent")
VALUE, WEIGHT, PRICE = MEASURES = ("value_usd", "weight_kg", "price_usd_kg")


@dataclass(frozen=True)
class Exports:
    """One product's exports.

    Attributes
    ----------
    product : code, as the data have it
    values, weights : months × partner, US dollars and kilograms; null = absent.  A weight of zero beside a value above zero
        is null: what weighs nothing has no price
    total : months × (value_usd, weight_kg, price_usd_kg) of all partners, or of the world total where it is reported; the
        price is that of the trade whose weight is known
    filled : partner → months without a row that count as zero
    unweighed : share of the value whose weight is not known
    """

    product: str
    values: pd.DataFrame
    weights: pd.DataFrame
    total: pd.DataFrame
    filled: pd.Series[int]
    unweighed: float

    def series(self, measure: str, partner: str) -> pd.Series[float]:
        """Return one monthly series, of a partner or of all (WLD)."""
        if partner == WORLD:
            return self.total[measure]
        value, weight = self.values[partner], self.weights[partner]
        if measure == PRICE:
            # Where nothing was traded there is no price.
            return (value / weight.where(weight > 0)).where(value > 0)
        return value if measure == VALUE else weight


@dataclass(frozen=True)
class Gathered:
    """What the study looks at: a product each, the codes asked for with their match, and the flows that were used."""

    products: dict[str, Exports]
    codes: pd.DataFrame
    flows: Flows
    nomenclatures: tuple[str, ...]


def gather(
    flows: Flows,
    con: Any,
    wanted: Sequence[str],
    issuer: str,
    source: str | None,
    absent: str,
    span: tuple[datetime.date | None, datetime.date | None],
    ledger: Ledger,
) -> Gathered:
    """Add up the issuer's monthly exports of some codes by product, partner and month.

    A code is looked for at the data's finest level that is not finer than the code, else at the coarsest that is.

    Raises
    ------
    CodeError : the issuer is no country, or a code is not made of digits
    NoDataError : no monthly exports of the issuer, or of none of the codes
    TableError : what the flows hold must not be added together
    """
    if issuer not in areas.area_names():
        raise CodeError(f"{issuer!r} is not a country code (ISO 3166-1 alpha-3)")
    odd = [c for c in wanted if not (c.isascii() and c.isdigit() and len(c) in (4, 6, 8, 10))]
    if odd:
        raise CodeError(f"codes of 4, 6, 8 or 10 digits are expected, as 811292,250410; found {listed(odd)}")
    chosen = _chosen(flows, issuer, source, span)
    levels = sorted(set(chosen.coverage["level"]))
    pairs = {c: (c[: max(n for n in levels if n <= len(c))] if levels[0] <= len(c) else c) for c in wanted}
    level = max(len(p) for p in pairs.values())
    level = level if level in levels else min(n for n in levels if n > level)
    held = chosen.where([Condition("level", (str(level),))])
    held.check_unmixed(["product", "partner", "period"], [])
    rows = _rows(held, con, sorted({p[:level] for p in pairs.values()}))
    _account(rows, held, con, ledger, len(wanted))
    products = {p: _exports(p, part, rows, absent, ledger) for p, part in rows.groupby("product")}
    if not products:
        raise NoDataError(f"the monthly exports of {issuer} hold none of the codes {listed(sorted(pairs))}")
    nomenclatures = tuple(sorted(set(held.coverage["nomenclature"])))
    return Gathered(products, _matched(pairs, set(products), level), held, nomenclatures)


def _chosen(
    flows: Flows, issuer: str, source: str | None, span: tuple[datetime.date | None, datetime.date | None]
) -> Flows:
    conditions = [Condition("flow", ("export",)), Condition("freq", ("M",)), Condition("reporter", (issuer,))]
    if source:
        conditions.append(Condition("source", (source,)))
    chosen = flows.where(conditions, *span)
    if chosen.coverage.empty:
        raise NoDataError(f"no monthly exports of {issuer} matched; `autarky coverage` shows what the store holds")
    if chosen.coverage["areas"].any() and not chosen.coverage["areas"].all():
        chosen = chosen.where([Condition("area", ("",))])
    return chosen


def _rows(held: Flows, con: Any, prefixes: Sequence[str]) -> pd.DataFrame:
    """Return product, partner, period, value_usd, weight_kg, weighed_usd; the product is the code asked for."""
    import ibis

    table = held.table
    digits = len(prefixes[0])
    code = column(table, "product").substr(0, digits)
    table = table.mutate(code=code).filter(code.isin(prefixes))
    weighed = (table.weight_kg > 0).fill_null(False)
    unknown = (table.weight_kg == 0) & (table.value_usd > 0)
    sums = table.aggregate(
        by=["code", "partner", "period"],
        value_usd=table.value_usd.sum(),
        weight_kg=ibis.cases((unknown, None), else_=table.weight_kg).sum(),
        weighed_usd=ibis.cases((weighed, table.value_usd)).sum(),
        unknown_weights=unknown.fill_null(False).sum(),
    )
    frame = engine.rows(con, sums.order_by("code", "partner", "period")).to_pandas()
    return frame.rename(columns={"code": "product"}).assign(
        period=pd.PeriodIndex(pd.to_datetime(frame["period"]), freq="M")
    )


def _account(rows: pd.DataFrame, held: Flows, con: Any, ledger: Ledger, wanted: int) -> None:
    table = held.table
    total = engine.rows(con, table.aggregate(n=table.count(), v=table.value_usd.sum())).to_pylist()[0]
    value = float(rows["value_usd"].sum())
    said = f"months by partner of the {wanted} codes asked for; the other products are not on the control"
    ledger.add("match", (total["n"], len(rows)), (total["v"] or 0.0, value), said)
    unknown = int((rows["unknown_weights"] > 0).sum())
    ledger.add(
        "weights of zero",
        (len(rows), len(rows)),
        (value, value),
        f"{unknown} months by partner have a value and weigh nothing: weight not known",
    )


def _exports(product: str, part: pd.DataFrame, rows: pd.DataFrame, absent: str, ledger: Ledger) -> Exports:
    calendar = pd.period_range(rows["period"].min(), rows["period"].max(), freq="M")
    wide = {
        m: part.pivot(index="period", columns="partner", values=m).reindex(calendar).astype("float64")
        for m in (VALUE, WEIGHT, "weighed_usd")
    }
    whole = {m: f[WORLD] if WORLD in f else f.sum(axis=1, min_count=1) for m, f in wide.items()}
    if WORLD in wide[VALUE] and len(wide[VALUE].columns) == 1:
        raise MeasureError(f"the exports of {product} have a world total only; the study needs partners")
    values, weights = (wide[m].drop(columns=WORLD, errors="ignore") for m in (VALUE, WEIGHT))
    # Where the month's trade was published, a partner without a row had none; where it was not, nothing is known.
    rowless = values.isna() & whole[VALUE].notna().to_numpy()[:, None]
    if absent == "zero":
        values, weights = values.where(~rowless, 0.0), weights.where(~rowless, 0.0)
    count, total = int(rowless.sum().sum()), float(whole[VALUE].sum())
    treated = "count as zero" if absent == "zero" else "stay absent"
    ledger.add(
        "absent partners", (int(values.size) - count, int(values.notna().sum().sum())), (total, total),
        f"{product}: {count} months by partner without a row, in months that have others, {treated}",
    )  # fmt: skip
    price = whole["weighed_usd"] / whole[WEIGHT].where(whole[WEIGHT] > 0)
    totals = pd.DataFrame({VALUE: whole[VALUE], WEIGHT: whole[WEIGHT], PRICE: price})
    unweighed = 1 - float(whole["weighed_usd"].sum()) / total if total > 0 else float("nan")
    filled = rowless.sum() if absent == "zero" else rowless.sum() * 0
    return Exports(product, values, weights, totals, filled, unweighed)


def _matched(pairs: dict[str, str], held: set[str], level: int) -> pd.DataFrame:
    told = []
    for code, product in sorted(pairs.items()):
        product = product[:level]
        match = "none" if product not in held else "exact" if len(product) == len(code) else "partial"
        told.append({"code": code, "product": product if product in held else None, "match": match})
    return pd.DataFrame(told, columns=["code", "product", "match"]).astype("str")
