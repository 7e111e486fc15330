"""From target to cycle: imports around the month of naming (introduction of the source, its last section on the cycle)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from autarky import cycle, cycle_charts
from autarky.errors import MeasureError
from autarky.findings import Column, Figure, Part, Section, Table
from autarky.watchlists import MID_YEAR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autarky.cycle import CycleTest
    from autarky.studies._self_reliance.scope import Given
    from autarky.watchlists import Naming, WatchList

HEADING = "From target to cycle"
BASES = {"year-before": "mean of the year before", "first-year": "mean of the first year shown"}
WINDOWS = (36, 24, 12)


def part(
    given: Given,
    *,
    window: int = 36,
    base: str = "year-before",
    mid_year: int = MID_YEAR,
    second: tuple[WatchList, pd.DataFrame] | None = None,
) -> Part:
    """Return the part of the report on imports before and after naming, with its test.

    Parameters
    ----------
    window : months shown on either side; the test is made for it and for shorter ones
    base : see `cycle.around`
    mid_year : the month that a date which is only a year stands for
    second : a further list with its monthly series (PeriodIndex × group), shown and tested with the first
    """
    named, series = given.scope.listed.named_by(mid_year), given.series
    namings = dict(given.scope.listed.namings)
    if second is not None:
        named |= second[0].named_by(mid_year)
        namings |= second[0].namings
        series = series.join(second[1].reindex(series.index))
    dated = [g for g in series.columns if named.get(g) is not None]
    if not dated:
        why = (
            f"The list {given.scope.listed.id} says of no group when it was first named, so there is nothing to set the series "
            'against. A list says so with `named: "2018"` or `"2018-05"` on a group.'
        )
        return Part((Section(HEADING, (why,)),))
    frame = cycle.around(series, named, before=window, after=window, base=base)
    together = cycle.spread(frame)
    tested = _tests(series, named, window)
    tables = [
        Table("cycle_test", "Do imports rise before naming and fall after", _summary(tested), TEST, given.source_line),
        Table("cycle_groups", "Trends before and after naming", _groups(series, named, tested, namings), GROUPS),
        Table("cycle_spread", "Imports by months from naming", together, SPREAD, in_report=False),
        Table("cycle_series", "Imports of every group around naming", _dated(frame), SERIES, in_report=False),
    ]
    figures: tuple[Figure, ...] = ()
    if frame["index"].notna().any():
        meeting = ", and all lines meet there, as the base is the year around it" if base == "year-before" else ""
        chart = cycle_charts.cycle(frame, together, BASES[base])
        caption = (
            "Each group's imports over a base of its own, season taken out by a centered mean of 12 months. A bend at 0 shows from "
            f"month −6 on{meeting}. {given.source_line}"
        )
        figures = (Figure("cycle", "Imports around the month of naming", chart, caption),)
    items = (*[f.name for f in figures], "cycle_test", "cycle_groups")
    words = (_dates(named, dated, namings, mid_year), *_claim(frame, together, tested))
    return Part((Section(HEADING, words, items),), tuple(tables), figures, _sure(tested))


def _tests(series: pd.DataFrame, named: cycle.Named, window: int) -> dict[int, CycleTest | str]:
    """Test with the window asked for and with shorter ones; or say why not."""
    found: dict[int, CycleTest | str] = {}
    for months in (window, *[w for w in WINDOWS if w < window]):
        try:
            found[months] = cycle.test(series, named, window=months)
        except MeasureError as error:
            found[months] = str(error)
    return found


def _summary(tested: dict[int, CycleTest | str]) -> pd.DataFrame:
    rows = []
    for window, one in tested.items():
        if isinstance(one, str):
            rows.append({"window": window, "reason": one})
            continue
        rises, falls = (one.groups["before"] > 0), (one.groups["after"] < 0)
        rows.append(
            {
                "window": window,
                "groups": len(one.groups),
                "events": one.events,
                "rise": int(rises.sum()),
                "fall": int(falls.sum()),
                "both": int((rises & falls).sum()),
                "statistic": one.statistic,
                "critical": one.critical,
                "p_value": one.p_value,
                "shifts": one.shifts,
                "p_inside": one.p_inside,
                "inside": one.inside,
                "reason": None,
            }
        )
    frame = pd.DataFrame(rows).reindex(columns=[c.name for c in TEST])
    return frame.astype({c.name: "Int64" for c in TEST if c.form == "integer"})


def _groups(
    series: pd.DataFrame, named: cycle.Named, tested: dict[int, CycleTest | str], sources: Mapping[str, Naming]
) -> pd.DataFrame:
    """Return a row a group, from the widest window that could be tested."""
    one = _widest(tested)
    found = pd.DataFrame({"group": list(series.columns)})
    found = found.assign(
        named=pd.to_datetime(pd.Series([named.get(g) for g in found["group"]])),
        printed=[sources[g].printed if g in sources else None for g in found["group"]],
        source=[sources[g].source if g in sources else None for g in found["group"]],
    )
    if one is None:
        return found.assign(before=None, after=None, difference=None, reason="no window can be tested")[
            [c.name for c in GROUPS]
        ].astype({c: "float64" for c in ("before", "after", "difference")})
    found = found.merge(one.groups.drop(columns="named"), on="group", how="left")
    return found.assign(reason=[one.left_out.get(g) for g in found["group"]])[[c.name for c in GROUPS]]


def _widest(tested: dict[int, CycleTest | str]) -> CycleTest | None:
    return next((t for t in tested.values() if not isinstance(t, str)), None)


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(period=frame["period"].dt.to_timestamp())


def _dates(named: cycle.Named, dated: list[str], namings: Mapping[str, Naming], mid_year: int) -> str:
    counts = Counter(str(named[g])[:7] for g in dated)
    said = "; ".join(f"{month}: {n} group{'s' if n > 1 else ''}" for month, n in sorted(counts.items()))
    years = sum(len(namings[g].printed) == len("2018") for g in dated)
    note = f" Of {years} only the year is printed; it stands for month {mid_year} of it." if years else ""
    return f"When each group was first named a bottleneck, by its list: {said}.{note}"


def _claim(frame: pd.DataFrame, together: pd.DataFrame, tested: dict[int, CycleTest | str]) -> tuple[str, ...]:
    said = [
        "The source reads a cycle in such series: imports rise before a technology is targeted and for some time after, and fall once "
        "it is replaced. It asserts this; here it is tested."
    ]
    held = together.dropna(subset=["mean"]).set_index("offset")
    ends = [o for o in (int(held.index.min()), 0, int(held.index.max())) if o in held.index] if len(held) else []
    if ends:
        levels = "; ".join(f"{held.loc[o, 'mean']:.2f} at month {o:+d} ({held.loc[o, 'groups']} groups)" for o in ends)
        said.append(f"Mean of the groups: {levels}; it is highest at month {held['mean'].idxmax():+d}.")
    one = _widest(tested)
    if one is None:
        reasons = [t for t in tested.values() if isinstance(t, str)]
        return (*said, f"The test cannot be made: {reasons[-1]}.")
    rises, falls = one.groups["before"] > 0, one.groups["after"] < 0
    said.append(
        f"Over {one.window} months on either side, {int(rises.sum())} of {len(one.groups)} groups grow before naming, {int(falls.sum())} "
        f"shrink after, {int((rises & falls).sum())} do both. The trend before exceeds the trend after by {100 * one.statistic:.1f} log "
        f"points a year on average. Turned against the dates by every number of months, the same series give as much or more in "
        f"{one.p_value:.1%} of {one.shifts} cases (p = {one.p_value:.3f})."
    )
    return tuple(said)


def _sure(tested: dict[int, CycleTest | str]) -> tuple[str, ...]:
    one = _widest(tested)
    if one is None:
        return ()
    dates = "one date" if one.events == 1 else f"{one.events} dates"
    need = (
        f"at 5% it finds only a difference above {100 * one.critical:.1f} log points a year"
        if one.critical is not None
        else "no difference could reach 5%"
    )
    said = (
        f"**Naming and cycle.** {len(one.groups)} groups share {dates}: for the test that is {dates}, not {len(one.groups)} trials, and "
        f"whatever else happened then is in it. It has little power: {need}. Without shifts that join the end of the series to its "
        f"beginning, p = {one.p_inside:.3f} ({one.inside} shifts). A fall later than {one.window} months after naming is out of its sight."
    )
    others = [f"{w} months: p = {t.p_value:.3f}" for w, t in tested.items() if not isinstance(t, str) and t is not one]
    return (f"{said} With shorter windows: {'; '.join(others)}." if others else said,)


_GROUP = Column("group", "Group", "text", "technology group of the list")
TEST = (
    Column("window", "Window", "integer", "months on either side", "months"),
    Column("groups", "Groups", "integer", "groups with enough months on both sides"),
    Column("events", "Dates", "integer", "different months of naming among them"),
    Column("rise", "Grow before", "integer", "groups with a trend above zero before naming"),
    Column("fall", "Shrink after", "integer", "groups with a trend below zero from naming on"),
    Column("both", "Both", "integer", "groups that do both"),
    Column("statistic", "Difference", "number", "mean of trend before less trend after, of log imports", "1/year"),
    Column("critical", "Needed", "number", "what the difference has to exceed for a p of 5% or less", "1/year"),
    Column("p_value", "p", "share", "shifts with at least this difference, the observed among them", "1"),
    Column("shifts", "Shifts", "integer", "months by which the series can be turned, none among them"),
    Column("p_inside", "p, no seam", "share", "the same, of shifts that join no end to the beginning", "1"),
    Column("inside", "Shifts, no seam", "integer", "number of those"),
    Column("reason", "Why not", "text", "why there is no test"),
)
GROUPS = (
    _GROUP,
    Column("named", "Named", "month", "month that the date stands for"),
    Column("printed", "Printed", "text", "the date as the list has it"),
    Column("before", "Trend before", "number", "log imports over the window before naming", "1/year"),
    Column("after", "Trend after", "number", "log imports over the window from naming on", "1/year"),
    Column("difference", "Difference", "number", "before less after", "1/year"),
    Column("source", "Where the date stands", "text", "place in the document"),
    Column("reason", "Why not", "text", "why the group is not tested"),
)
SPREAD = (
    Column("offset", "Months from naming", "integer", "0 = the month of naming"),
    Column("groups", "Groups", "integer", "groups with an index there"),
    Column("mean", "Mean", "number", "of the groups' index", "1"),
    Column("sd", "Standard deviation", "number", "of the groups' index, ddof 1", "1"),
    Column("lower", "Lower quartile", "number", "of the groups' index", "1"),
    Column("median", "Median", "number", "of the groups' index", "1"),
    Column("upper", "Upper quartile", "number", "of the groups' index", "1"),
)
SERIES = (
    _GROUP,
    Column("offset", "Months from naming", "integer", "0 = the month of naming"),
    Column("period", "Month", "month", "month"),
    Column("value_usd", "Imports", "usd", "imports of the month; empty = absent", "USD"),
    Column("smoothed", "Centered mean", "usd", "2 × 12 months", "USD"),
    Column("index", "Index", "number", "centered mean over the base", "1"),
)
