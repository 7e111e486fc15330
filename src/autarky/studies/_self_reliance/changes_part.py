"""Change points of every group, and the dated control actions near them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from autarky import change_points, cycle_charts
from autarky.findings import Column, Figure, Part, Section, Table

if TYPE_CHECKING:
    from autarky.change_points import Fit
    from autarky.studies._self_reliance.scope import Given

HEADING = "Change points"


def part(
    given: Given,
    actions: pd.DataFrame | None = None,
    *,
    least: int = change_points.LEAST,
    penalty: float = change_points.PENALTY,
    window_days: int = change_points.WINDOW_DAYS,
) -> Part:
    """Return the part of the report on breaks of level and trend.

    Parameters
    ----------
    actions : dated control actions: id, effective, issuer, title; None: the registry is not at hand
    least, penalty : see `change_points.fits`
    window_days : see `change_points.beside`
    """
    fits = change_points.fits(given.series, least=least, penalty=penalty)
    points = change_points.points(fits)
    held = None if actions is None else _within(actions, given.series.index)
    near = None if held is None else change_points.beside(points, held, window_days=window_days)
    shown = points.assign(month=pd.PeriodIndex(points["month"], freq="M").to_timestamp())[[c.name for c in POINTS]]
    tables = [
        Table("change_points", "Change points of every group", shown, POINTS, given.source_line),
        Table("change_fits", "Straight lines and noise of every group", _fits(fits), FITS, in_report=False),
    ]
    if near is not None and len(near):
        beside = near.assign(month=pd.PeriodIndex(near["month"], freq="M").to_timestamp())
        beside = beside.assign(effective=beside["effective"].dt.strftime("%Y-%m-%d"))
        title = f"Control actions within {window_days} days of a change point"
        tables.append(Table("change_actions", title, beside[[c.name for c in NEAR]], NEAR, NEARNESS))
    chart = cycle_charts.changes(given.series, fits, points, held)
    figure = Figure("change-points", "Change points of every group", chart, given.source_line)
    items = (figure.name, *[t.name for t in tables if t.in_report and len(t.frame)])
    words = [_method(least, penalty), *_found(fits, points)]
    if held is None:
        words.append("No dated control actions were given to set beside them.")
    elif near is not None:
        words += _nearness(points, held, near, given.series.index, window_days)
    return Part((Section(HEADING, tuple(words), items),), tuple(tables), (figure,), (_sure(penalty),))


NEARNESS = "An action near a change point is near it in time, no more."


def _within(actions: pd.DataFrame, months: pd.PeriodIndex) -> pd.DataFrame:
    """Return the actions that took effect within a year of the window, each once."""
    dates = pd.to_datetime(actions["effective"])
    inside = dates.between((months[0] - 12).start_time, (months[-1] + 12).end_time)
    return actions.assign(effective=dates)[inside].drop_duplicates("id").reset_index(drop=True)


def _method(least: int, penalty: float) -> str:
    return (
        "The logarithm of each group's imports, without season, is split into straight lines of at least "
        f"{least} months. A steady trend is no change; a **step** is a jump of the level, a **turn** a bend of the trend. The number of lines "
        f"is chosen by BIC (times {penalty:g}) with noise that depends on the month before."
    )


def _found(fits: dict[str, Fit], points: pd.DataFrame) -> list[str]:
    tried = [g for g, f in fits.items() if not f.why]
    said = [
        f"{_many(len(points), 'change point')} in {points['group'].nunique()} of {len(tried)} groups"
        + (f": {_counted(points['kind'])}." if len(points) else ".")
    ]
    if len(points) > 1:
        years = pd.PeriodIndex(points["month"], freq="M").year.value_counts()
        year = int(years.index[0])
        largest = points.loc[points["change"].abs().idxmax()]
        said.append(
            f"The year with most of them is {year} ({int(years.iloc[0])}). The largest jump is {largest['group']}, {largest['month']}: "
            f"{largest['change']:+.0%}, from {largest['before_usd'] / 1e6:,.0f} to {largest['after_usd'] / 1e6:,.0f} million USD a month."
        )
    short = {g: f.why for g, f in fits.items() if f.why}
    if short:
        said.append("Not looked at: " + "; ".join(f"{g} ({why})" for g, why in short.items()) + ".")
    gaps = {g: f.absent for g, f in fits.items() if f.absent and not f.why}
    if gaps:
        said.append(
            f"{_many(len(gaps), 'group')} lack months, at most {max(gaps.values())} of them ({max(gaps, key=lambda g: gaps[g])}). These are not filled; lines "
            "and noise reach across them."
        )
    return said


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _counted(kinds: pd.Series) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in kinds.value_counts().items())


def _nearness(
    points: pd.DataFrame, actions: pd.DataFrame, near: pd.DataFrame, months: pd.PeriodIndex, window_days: int
) -> list[str]:
    if actions.empty:
        return ["No dated control action took effect in or near the window."]
    share = change_points.near_by_chance(months, actions, window_days=window_days)
    count = len(near[["group", "month"]].drop_duplicates())
    return [
        f"{_many(len(actions), 'control action')} took effect in the window or within a year of it. {count} of {len(points)} change points have one within "
        f"{window_days} days. By chance about {share * len(points):.1f} would: {share:.0%} of all months are that near to an action. Nearness "
        "is not cause; the groups' change points are not independent of one another either."
    ]


def _sure(penalty: float) -> str:
    return (
        f"**Change points.** The price of a break, BIC times {penalty:g}, decides how many there are. At {change_points.PENALTY:g} up to "
        f"{change_points.FALSE_ALARMS:.0%} of series without any break show one where the noise depends on its past (seeded replications, see the method). The "
        "month of a turn is much less certain than that of a step, and small steps are missed. Codes that begin or end in the window make steps of their own."
    )


def _fits(fits: dict[str, Fit]) -> pd.DataFrame:
    rows = [
        {
            "group": group,
            "months": len(f.months),
            "absent": f.absent,
            "breaks": None if f.why else len(f.breaks),
            "dependence": f.dependence,
            "noise": f.noise,
            "reason": f.why,
        }
        for group, f in fits.items()
    ]
    return pd.DataFrame(rows).astype({"breaks": "Int64"})


_GROUP = Column("group", "Group", "text", "technology group of the list")
_MONTH = Column("month", "Month", "month", "first month of the new line")
_KIND = Column(
    "kind", "Kind", "text", "step: the jump exceeds what the change of trend makes in half a year; else turn"
)
POINTS = (
    _GROUP,
    _MONTH,
    _KIND,
    Column("before_usd", "Level before", "usd", "end of the old line, a month, without season", "USD"),
    Column("after_usd", "Level after", "usd", "start of the new line, a month, without season", "USD"),
    Column("change", "Change", "share", "level after over level before, less 1", "1"),
    Column("trend_before", "Trend before", "share", "of the old line", "1/year"),
    Column("trend_after", "Trend after", "share", "of the new line", "1/year"),
)
FITS = (
    _GROUP,
    Column("months", "Months", "integer", "months with a value above zero"),
    Column("absent", "Absent", "integer", "months without one; not filled"),
    Column("breaks", "Change points", "integer", "number of change points"),
    Column("dependence", "Dependence", "number", "correlation of the noise of neighboring months", "1"),
    Column("noise", "Noise", "number", "standard deviation of the noise of log imports", "1"),
    Column("reason", "Why not", "text", "why no change point was looked for"),
)
NEAR = (
    _GROUP,
    _MONTH,
    _KIND,
    Column("days", "Days", "integer", "from the first day of the month; negative: the action came first", "days"),
    Column("effective", "In effect", "text", "date on which the action took effect"),
    Column("issuer", "Issuer", "text", "who acted"),
    Column("title", "Action", "text", "title of the action"),
    Column("id", "Id", "text", "id of the action's card"),
)
