"""What a group is compared with: the other members of one of its keys, or the same group some months before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autarky.errors import MeasureError, listed
from autarky.tables import Flows

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from autarky.indicators import Indicator

CALENDAR = ("period", "year")
CODES = ("product", "level", "hs2", "hs4", "hs6")
MONTHS_A_YEAR = 12


def check(flows: Flows, found: Indicator, by: Sequence[str], over: str) -> None:
    """Refuse comparisons that have no meaning.

    Raises
    ------
    MeasureError : `among` is no key of the group, or is the calendar; no key of the calendar to go back along, or a
        step that it does not have; what is compared is in two code systems
    TableError : the members of `among` hold things that must not be added together
    """
    if "among" in found.options:
        _check_among(flows, found, by, over)
    if found.against == "before":
        _check_before(flows, found, by, over)


def _check_among(flows: Flows, found: Indicator, by: Sequence[str], over: str) -> None:
    among = found.options["among"]
    stem = found.name.split(":")[0]
    usable = [k for k in by if k not in CALENDAR]
    if among not in usable:
        why = "is the calendar" if among in CALENDAR else "is not a key of --by"
        do = f"say {stem}:among={'|'.join(usable)}, or add a key to --by" if usable else "add reporter, say, to --by"
        raise MeasureError(f"{found.name} compares the members of a key with each other, and {among!r} {why}: {do}")
    rest = [k for k in by if k != among]
    flows.check_unmixed(rest, [over])
    names = ["flow", *(["nomenclature"] if {over, *by} & set(CODES) else []), *(["freq"] if "period" in by else [])]
    for name in names:
        held = flows.coverage.groupby("period")[name].nunique()
        if name not in rest and (held > 1).any():
            values = sorted(flows.coverage[name].unique())
            raise MeasureError(
                f"{found.name} compares the members of {among!r} with each other, but {name} is not the same of all "
                f"(found {listed(values, 8)}): add --where {name}={values[0]}, or --by {name}"
            )


def _check_before(flows: Flows, found: Indicator, by: Sequence[str], over: str) -> None:
    months, keys = found.options["months"], set(CALENDAR) & set(by)
    if over in CALENDAR:
        raise MeasureError(f"{found.name} compares two periods; --over {over} does not fit, --over product would")
    if not keys:
        raise MeasureError(f"{found.name} compares a period with an earlier one: add period or year to --by")
    yearly = "period" not in keys or "A" in set(flows.coverage["freq"])
    if months < 1 or (yearly and months % MONTHS_A_YEAR):
        steps = f"{MONTHS_A_YEAR}, {2 * MONTHS_A_YEAR}, … (the flows are compared by year)" if yearly else "1 or more"
        raise MeasureError(f"{found.name}: months={months}: expected {steps}")
    systems = sorted(flows.coverage["nomenclature"].unique())
    if {over, *by} & set(CODES) and len(systems) > 1 and "nomenclature" not in by:
        raise MeasureError(
            f"{found.name} compares the codes of two periods, but they are of {listed(systems, 8)}, so that a new code "
            f"would count as a new product: convert them to one (`autarky convert`), or add --by nomenclature"
        )


def beside(table: ir.Table, small: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Return a table with the columns of a small one that has a row for each value of `keys`; null equals null."""
    if not keys:
        return table.cross_join(small)
    # Equality as SQL has it would lose the groups whose area is null.
    there = small.rename({f"{k} there": k for k in keys})
    joined = table.inner_join(there, [table[k].identical_to(there[f"{k} there"]) for k in keys])
    return joined.drop(*(f"{k} there" for k in keys))


def with_others(table: ir.Table, by: Sequence[str], among: str) -> ir.Table:
    """Put beside every value what the other members of `among` trade; `others` reads it.

    Parameters
    ----------
    table : one row a (by, `_member`) with `_value` (US dollars, null = not reported)

    Returns
    -------
    the same rows with `_others AMONG`, the others' value of the same member, exactly 0 where no other trades it; and
    `_coarse AMONG` and `_fine AMONG`, which add up to the value of all groups and members together, and `_cells AMONG`,
    how many values are positive
    """
    import ibis

    rest = [k for k in by if k != among]
    coarse, fine, traded = _parts(table["_value"])
    world = table.aggregate(
        by=[*rest, "_member"], _coarse=coarse.sum(), _fine=fine.sum(), _traders=traded.sum().coalesce(0)
    )
    sums = {"_coarse": world["_coarse"].sum(), "_fine": world["_fine"].sum(), "_cells": world["_traders"].sum()}
    whole = world.aggregate(by=rest, **{f"{c} {among}": total for c, total in sums.items()})
    # The small tables are joined first, so that the large one is joined once.
    wide = beside(table, beside(world, whole, rest), [*rest, "_member"])
    coarse, fine, traded = _parts(wide["_value"])
    left = (wide["_coarse"] - coarse) + (wide["_fine"] - fine)
    left = ibis.cases((wide["_traders"] == traded, 0.0), else_=left)
    return wide.mutate(**{f"_others {among}": left}).drop("_coarse", "_fine", "_traders")


def others(table: ir.Table, among: str) -> tuple[ir.Value, ir.Value]:
    """Return the others' value of the member (a column), and of all members together (one figure a group)."""
    import ibis

    coarse, fine, traded = _parts(table["_value"])
    left = (table[f"_coarse {among}"].max() - coarse.sum()) + (table[f"_fine {among}"].max() - fine.sum())
    alone = table[f"_cells {among}"].max() == traded.sum()
    return table[f"_others {among}"], ibis.cases((alone, 0.0), else_=left)


def _parts(value: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return a value's multiple of 1,024 dollars and what is over, and 1 if it is positive; not reported is none.

    What others trade is a sum less a part of it, of which few digits are left where the part is nearly all.  Multiples
    of a power of two add up exactly, and the little that is over loses little.  Only the count tells 0 from nearly 0,
    as engines add in any order.
    """
    known = value.coalesce(0.0)
    coarse = (known / 1024).floor().cast("float64") * 1024.0
    return coarse, known - coarse, (known > 0).cast("int64")


def with_before(now: ir.Table, earlier: ir.Table, by: Sequence[str], months: int) -> ir.Table:
    """Put beside every value that of the same group and member `months` before.

    Parameters
    ----------
    now, earlier : one row a (by, `_member`) with `_value` (US dollars, null = not reported); by holds period or year

    Returns
    -------
    one row a (by, `_member`) that has a row at either time, with `_value` and `_before`: 0 where there is no row, null
    where the row has no value; `_here` and `_there` say whether there is a row
    """
    import ibis

    keys = [*by, "_member"]
    now = now.mutate(_here=ibis.literal(True))
    moved = _moved(earlier, by, months).mutate(_there=ibis.literal(True))
    moved = moved.rename({f"{c} then": c for c in (*keys, "_value")})
    joined = now.outer_join(moved, [now[k].identical_to(moved[f"{k} then"]) for k in keys])
    return joined.select(
        **{k: ibis.coalesce(joined[k], joined[f"{k} then"]) for k in keys},
        _value=ibis.cases((joined["_here"].isnull(), 0.0), else_=joined["_value"]),
        _before=ibis.cases((joined["_there"].isnull(), 0.0), else_=joined["_value then"]),
        _here=joined["_here"].coalesce(False),
        _there=joined["_there"].coalesce(False),
    )


def _moved(table: ir.Table, by: Sequence[str], months: int) -> ir.Table:
    """Return a table whose rows stand `months` later."""
    import ibis

    if "period" not in by:
        later = table["year"].cast("int64") + months // MONTHS_A_YEAR
        return table.mutate(year=later.cast(table["year"].type()))
    # DuckDB gives a timestamp, which Ibis does not know.
    period = (table["period"] + ibis.interval(months=months)).cast("timestamp").cast("date")
    moved = table.mutate(period=period)
    return moved.mutate(year=moved["period"].year().cast(table["year"].type())) if "year" in by else moved


def years_before(year: int, months: int) -> list[int]:
    """Return the years in which the months of a year lie, moved back by `months`."""
    return sorted({(year * MONTHS_A_YEAR + month - months) // MONTHS_A_YEAR for month in range(MONTHS_A_YEAR)})


def change(value: Any, before: Any, there: Any, counted: Any) -> Any:
    """Return Σ (value − before) over the members of a group that count; null where the comparison is not known."""
    import ibis

    known = there.any() & value.notnull().all() & before.notnull().all()
    return ibis.cases((known, ibis.cases((counted, value - before), else_=0.0).sum()))


def why_no_change(value: Any, over: Any, before: Any, there: Any, months: int) -> Any:
    """Return the reason for a null of `change`."""
    import ibis

    return ibis.cases(
        (~there.any(), f"nothing to compare with: of the rows chosen, none is of the group {months} months before"),
        else_=f"a value is not reported, now or {months} months before; --where value_usd!= leaves such rows out, and "
        "they then count as not traded",
    )
