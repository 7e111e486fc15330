"""Flows × indicators × keys → Measures: one grouping, one pass."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

from autarky import compared, engine, registry
from autarky.errors import MeasureError, NoDataError, listed
from autarky.indicators import Indicator
from autarky.long import Long, Wide, together
from autarky.tables import FIELDS, KEY, Condition, Flows, column

if TYPE_CHECKING:
    import ibis.expr.types as ir

ABSENT = ("absent", "zero")


@dataclass(frozen=True)
class Measures:
    """Figures with their reasons.

    Attributes
    ----------
    by : the keys
    pieces : tables that can be computed one after another, oldest first: one a year where no group spans two years,
        else one in all
    """

    by: tuple[str, ...]
    indicators: tuple[Indicator, ...]
    pieces: tuple[Long, ...]

    @property
    def table(self) -> ir.Table:
        """All of it, long: the keys, then indicator, value, unit, flag (why the value is null).

        `value` is text when one of the indicators asked for is a code (top_partner), else float64.
        """
        return together(self.pieces).table


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
    # What looks along one dimension is one pass; so is what goes back by the same number of months.
    groups: dict[tuple[str, int | None], list[Indicator]] = {}
    for found in chosen:
        groups.setdefault((over or found.over, _months(found)), []).append(found)
    flows.check_unmixed(by, [dimension for dimension, _ in groups])
    for found in chosen:
        compared.check(flows, found, by, over or found.over)
    wides: dict[int, list[Wide]] = {}
    for (dimension, months), members in groups.items():
        for nth, year in enumerate(_years(flows, by) if _apart(dimension, absent) else [None]):
            table = _values(_of(flows, year), by, dimension, absent)
            if months:
                table = compared.with_before(table, _values(_before(flows, year, months), by, dimension), by, months)
            aggregates = [m for m in members if not m.per_member]
            wide = [_wide(table, by, aggregates)] if aggregates else []
            wide += [_members(table, by, dimension, m) for m in members if m.per_member]
            wides.setdefault(nth, []).extend(wide)
    pieces = [Long(tuple(wide), tuple(by)) for wide in wides.values()]
    apart = all(_apart(dimension, absent) for dimension, _ in groups)
    return Measures(tuple(by), tuple(chosen), tuple(pieces) if apart else (together(pieces),))


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


def _years(flows: Flows, by: Sequence[str]) -> Sequence[int | None]:
    """Return the years where no group spans two, so that what is grouped at once, and held in memory, stays a year."""
    years = sorted({p.year for p in flows.coverage["period"]})
    apart = {"period", "year"} & set(by) and "year" in flows.table.columns and len(years) > 1
    return years if apart and engine.splits(flows.table) else [None]


def _of(flows: Flows, *years: int | None) -> Flows:
    """Return the flows of some years; None stands for all of them."""
    return flows if None in years else flows.where([Condition("year", tuple(str(y) for y in years))])


def _before(flows: Flows, year: int | None, months: int) -> Flows:
    """Return the flows that those of a year are compared with."""
    return flows if year is None else _of(flows, *compared.years_before(year, months))


def _months(found: Indicator) -> int | None:
    return found.options["months"] if found.against == "before" else None


def _values(flows: Flows, by: Sequence[str], over: str, absent: str = "absent") -> ir.Table:
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
    return _wide(table, by, chosen).with_reasons()


def _wide(table: ir.Table, by: Sequence[str], chosen: Sequence[Indicator]) -> Wide:
    for key in dict.fromkeys(i.options["among"] for i in chosen if i.against == "others"):
        table = compared.with_others(table, by, key)
    figures: dict[str, Any] = {}
    for found in chosen:
        given = _given(table, found)
        figures[found.name] = found(*given)
        # A reason that is always the same is not part of the pass.
        if not isinstance(found.undefined, str):
            figures[f"{found.name} why"] = found.why(*given)
    if "_here" in table.columns:
        # A group that was only there before has no row now.
        figures["_here"] = table["_here"].any()
    wide = table.aggregate(by=list(by), **figures)
    wide = wide.filter(wide["_here"]).drop("_here") if "_here" in figures else wide
    return Wide(wide, tuple(by), tuple(chosen))


def _given(table: ir.Table, found: Indicator) -> list[ir.Value]:
    """Return what an aggregate gets."""
    given = [table["_value"], table["_member"]]
    if found.against == "others":
        return [*given, *compared.others(table, found.options["among"])]
    return [*given, table["_before"], table["_there"]] if found.against == "before" else given


def _members(table: ir.Table, by: Sequence[str], over: str, found: Indicator) -> Wide:
    named = table.select(*by, **{over: table["_member"]}, value=table["_value"])
    result = found(named, by, over)
    why = {} if isinstance(found.undefined, str) else {f"{found.name} why": found.why(result)}
    return Wide(result.select(*by, over, **{found.name: result.value}, **why), (*by, over), (found,))
