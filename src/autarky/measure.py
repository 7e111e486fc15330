"""Flows × indicators × keys → Measures: one grouping, one pass."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

from autarky import engine, registry
from autarky.errors import MeasureError, NoDataError, listed
from autarky.indicators import Indicator
from autarky.tables import COLUMNS, FIELDS, KEY, Condition, Flows, column

if TYPE_CHECKING:
    import ibis.expr.types as ir

ABSENT = ("absent", "zero")


@dataclass(frozen=True)
class Measures:
    """Figures with their reasons.

    Attributes
    ----------
    by : the keys
    table : long: the keys, then indicator, value, unit, flag (why the value is null).  `value` is text when one of the
        indicators asked for is a code (top_partner), else float64
    pieces : the same rows in tables that can be computed one after another, oldest first: one a year where no group
        spans two years, else one in all
    """

    by: tuple[str, ...]
    indicators: tuple[Indicator, ...]
    table: ir.Table
    pieces: tuple[ir.Table, ...]


def measure(
    flows: Flows,
    indicators: Sequence[str | Indicator],
    by: Sequence[str],
    *,
    over: str | None = None,
    absent: str = "absent",
) -> Measures:
    """Measure indicators of each group of flows.

    Parameters
    ----------
    flows : what to measure; narrow it with `Flows.where`
    indicators : names (with options, as in "growth:base=first-year") or `Indicator`s
    by : the keys of a group: columns of flows, or year, level, hs2, hs4, hs6
    over : the dimension to look along; default: each indicator's own
    absent : "absent": a period or partner without a row is not there; "zero": it counts as 0

    Returns
    -------
    Measures : lazy; nothing is computed until it is read

    Raises
    ------
    TableError : the flows hold things that must not be added together
    MeasureError : unknown field or indicator, a key that is also looked along
    NoDataError : nothing matched
    """
    chosen = [registry.indicator(i) if isinstance(i, str) else i for i in indicators]
    _check(flows, chosen, by, over, absent)
    groups: dict[str, list[Indicator]] = {}
    for found in chosen:
        groups.setdefault(over or found.over, []).append(found)
    flows.check_unmixed(by, list(groups))
    longs: dict[int, list[ir.Table]] = {}
    for dimension, members in groups.items():
        for nth, piece in enumerate(_pieces(flows, by) if _apart(dimension, absent) else [flows]):
            table = _values(piece, by, dimension, absent)
            aggregates = [m for m in members if not m.per_member]
            long = [_long(aggregate(table, by, aggregates), by, aggregates)] if aggregates else []
            long += [_members(table, by, dimension, m) for m in members if m.per_member]
            longs.setdefault(nth, []).extend(long)
    whole = _stacked([table for long in longs.values() for table in long], by)
    apart = len(longs) > 1 and all(_apart(dimension, absent) for dimension in groups)
    pieces = tuple(_stacked(long, by) for long in longs.values()) if apart else (whole,)
    return Measures(tuple(by), tuple(chosen), whole, pieces)


def _check(flows: Flows, chosen: list[Indicator], by: Sequence[str], over: str | None, absent: str) -> None:
    if not chosen:
        raise MeasureError(f"name at least one indicator: {', '.join(registry.names('indicators'))}")
    repeated = [i.name for i in chosen if [o.name for o in chosen].count(i.name) > 1]
    if repeated:
        raise MeasureError(f"indicator {repeated[0]!r} is asked for twice")
    if doubled := [name for name in by if list(by).count(name) > 1]:
        raise MeasureError(f"key {doubled[0]!r} is asked for twice")
    dimensions = [over] if over else [i.over for i in chosen]
    for name in [*by, *dimensions]:
        if name not in FIELDS or name in ("value_usd", "weight_kg"):
            fields = [f for f in FIELDS if f not in ("value_usd", "weight_kg")]
            raise MeasureError(f"there is no key {name!r}; keys are {listed(fields, 30)}")
    both = [
        d for d in dimensions if d in by or (d == "period" and "year" in by and set(flows.coverage["freq"]) == {"A"})
    ]
    if both:
        raise MeasureError(
            f"{both[0]!r} cannot be a key and be looked along at once; leave it out of --by or name another --over"
        )
    for name in ("volatility", "growth"):
        if any(i.name.startswith(name) for i in chosen) and over not in (None, "period"):
            raise MeasureError(f"{name} looks along the period; --over {over} does not fit")
    if absent not in ABSENT:
        raise MeasureError(f"absent={absent!r}: expected {' or '.join(ABSENT)}")
    if flows.coverage.empty:
        raise NoDataError("no data matched; `autarky coverage` shows what the store holds")


def _apart(over: str, absent: str) -> bool:
    """Whether years can be measured apart: a place in the window, or a member that is missing, is of all years."""
    return absent == "absent" and over != "period"


def _pieces(flows: Flows, by: Sequence[str]) -> list[Flows]:
    """Split flows by year where no group spans two: what is grouped at once, and held in memory, stays a year."""
    years = sorted({p.year for p in flows.coverage["period"]})
    if not {"period", "year"} & set(by) or "year" not in flows.table.columns or len(years) < 2:
        return [flows]
    if not engine.splits(flows.table):
        return [flows]
    return [flows.where([Condition("year", (str(y),))]) for y in years]


def _values(flows: Flows, by: Sequence[str], over: str, absent: str) -> ir.Table:
    """Return one row a (group, member): the keys, `_member`, `_value`.  A sum of unreported values is unreported."""
    source = flows.table
    keys = {k: column(source, k) for k in by}
    member = column(source, over)
    if _unique(flows, [*by, over]):
        table = source.select(**keys, _member=member, _value=source.value_usd)
    else:
        table = source.aggregate(by={**keys, "_member": member}, _value=source.value_usd.sum())
    if absent == "zero":
        table = _completed(flows, table, by, over)
    return table.mutate(_member=_position(flows, table)) if over == "period" else table


def _unique(flows: Flows, kept: list[str]) -> bool:
    """Whether rows are already one a (group, member), so that adding them up first would be a pass for nothing."""
    derived = {"year": "period", "hs6": "product", "hs4": "product", "hs2": "product", "level": "product"}
    if any(k in derived for k in kept):
        annual = set(flows.coverage["freq"]) == {"A"}
        kept = ["period" if k == "year" and annual else k for k in kept]
    coverage = flows.coverage
    for name in (k for k in KEY if k not in kept):
        if name == "area":
            if coverage["areas"].any():
                return False
        elif name not in coverage.columns or coverage[name].nunique() > 1:
            return False
    return True


def _position(flows: Flows, table: ir.Table) -> ir.Value:
    """Return the number of a period in the window of the data, from 1."""
    first = flows.coverage["period"].min()
    years = table["_member"].year().cast("int64") - first.year
    if set(flows.coverage["freq"]) == {"A"}:
        return years + 1
    return years * 12 + table["_member"].month().cast("int64") - first.month + 1


def _completed(flows: Flows, table: ir.Table, by: Sequence[str], over: str) -> ir.Table:
    """Give every group a row for every member; the user said that a missing row is a zero."""
    if over == "period":
        members = ibis.array(_calendar(flows)).unnest().name("_member").as_table()
    else:
        members = table.select("_member").distinct()
    grid = table.select(*by).distinct().cross_join(members) if by else members
    missing = grid.anti_join(table, [*by, "_member"]).mutate(_value=ibis.literal(0.0))
    return ibis.union(table, missing.select(*table.columns))


def _calendar(flows: Flows) -> list[datetime.date]:
    first, last = flows.coverage["period"].min(), flows.coverage["period"].max()
    step = 12 if set(flows.coverage["freq"]) == {"A"} else 1
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month, step)
    return [datetime.date(m // 12, m % 12 + 1, 1) for m in months]


def aggregate(table: ir.Table, by: Sequence[str], chosen: Sequence[Indicator]) -> ir.Table:
    """Measure a table that already has one row a (group, member), in columns `_member` and `_value`.

    Returns
    -------
    a row a group: the keys, and for every indicator `NAME` (the figure) and `NAME why` (the reason for a null)
    """
    figures: dict[str, Any] = {}
    for found in chosen:
        figures[found.name] = found(table["_value"], table["_member"])
        if not isinstance(found.undefined, str):
            figures[f"{found.name} why"] = found.why(table["_value"], table["_member"])
    wide = table.aggregate(by=list(by), **figures)
    # A reason that is always the same is not part of the pass.
    said = {f"{i.name} why": ibis.literal(i.undefined) for i in chosen if isinstance(i.undefined, str)}
    wide = wide.mutate(**said)
    reasons = {f"{i.name} why": ibis.cases((wide[i.name].isnull(), wide[f"{i.name} why"])) for i in chosen}
    return wide.mutate(**reasons)


def _long(wide: ir.Table, by: Sequence[str], chosen: list[Indicator]) -> ir.Table:
    kind = "string" if any(i.text for i in chosen) else "float64"
    rows = [
        ibis.struct(
            {
                "indicator": ibis.literal(i.name),
                "value": wide[i.name].cast(kind),
                "unit": ibis.literal(i.unit),
                "flag": wide[f"{i.name} why"].cast("string"),
            }
        )
        for i in chosen
    ]
    if len(rows) == 1:
        name, found = chosen[0].name, chosen[0]
        return wide.select(
            *by,
            indicator=ibis.literal(name),
            value=wide[name].cast(kind),
            unit=ibis.literal(found.unit),
            flag=wide[f"{name} why"].cast("string"),
        )
    unnested = wide.select(*by, row=ibis.array(rows).unnest())
    return unnested.select(*by, **{c: unnested.row[c] for c in ("indicator", "value", "unit", "flag")})


def _members(table: ir.Table, by: Sequence[str], over: str, found: Indicator) -> ir.Table:
    named = table.select(*by, **{over: table["_member"]}, value=table["_value"])
    result = found(named, by, over)
    return result.select(
        *by,
        over,
        indicator=ibis.literal(found.name),
        value=result.value,
        unit=ibis.literal(found.unit),
        flag=ibis.cases((result.value.isnull(), found.why())),
    )


def _stacked(longs: list[ir.Table], by: Sequence[str]) -> ir.Table:
    """Return all long tables as one; a member column that some lack is null there."""
    names = [c for c in (*COLUMNS, "year", "level", "hs2", "hs4", "hs6") if any(c in t.columns for t in longs)]
    extra = [c for c in names if c not in by]
    text = any(str(t.value.type()) == "string" for t in longs)
    ordered = []
    for table in longs:
        missing = {
            c: ibis.null(str(next(t[c].type() for t in longs if c in t.columns)))
            for c in extra
            if c not in table.columns
        }
        table = table.mutate(**missing)
        value = table.value.cast("string") if text else table.value
        ordered.append(table.mutate(value=value).select(*by, *extra, "indicator", "value", "unit", "flag"))
    return ibis.union(*ordered) if len(ordered) > 1 else ordered[0]
