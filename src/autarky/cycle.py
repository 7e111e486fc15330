"""From target to cycle: imports of groups around the month in which each was first named a bottleneck.

Naughton and Fang (2025, introduction) read a cycle in the series: imports rise before and after a technology is named
a target, and fall once it is replaced. `around` shows it, `spread` adds it up, `test` asks what chance would do.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from autarky.errors import MeasureError
from autarky.patterns import LEAST_MONTHS, SEASON

if TYPE_CHECKING:
    from numpy.typing import NDArray

BASES = ("year-before", "first-year")
# Of the months of a half window, the share that must have a positive value: 9 of 12, as for moving means.
LEAST = LEAST_MONTHS / SEASON

Named = Mapping[str, datetime.date | None]


@dataclass(frozen=True)
class CycleTest:
    """Whether imports rise before a group is named and fall after, more than they do elsewhere in the same series.

    Attributes
    ----------
    statistic : mean over groups of (trend before − trend after), log points a year; positive = rise, then fall
    p_value : share of all shifts, the observed one among them, whose statistic is at least as large
    p_inside : the same over the shifts that join no end of the series to its beginning
    shifts, inside : how many shifts there are, and how many of those
    critical : what the statistic has to exceed for a p-value of 5% or less; null with fewer than 20 shifts
    events : number of different months in which the tested groups were named
    window : months on either side
    groups : a row a group: named (month), before, after (trends of log imports as they are, log points a year; a season
        moves both alike), difference (as tested: before − after, up to what absent months do to the season)
    left_out : group → why it is not tested
    null : statistic of every shift, the observed first
    """

    statistic: float
    p_value: float
    p_inside: float
    shifts: int
    inside: int
    critical: float | None
    events: int
    window: int
    groups: pd.DataFrame
    left_out: Mapping[str, str]
    null: NDArray[np.float64]


def around(
    series: pd.DataFrame, named: Named, *, before: int = 36, after: int = 36, base: str = "year-before"
) -> pd.DataFrame:
    """Return each group's imports by months from naming, without season, over a base of its own.

    The season is taken away by a centered moving mean of 12 months (2 × 12: half a weight for the months at its ends;
    at least 9 months present in each half). It looks 6 months ahead: a change at month 0 shows from month −6 on.

    Parameters
    ----------
    series : PeriodIndex of months × group, USD; nan = absent
    named : group → when it was first named; None: not known
    before, after : months shown on either side
    base : what 1 is: the mean of the 12 months before naming ("year-before") or of the first 12 months shown
        ("first-year"); at least 9 of them present, else the group is null

    Returns
    -------
    group, offset (months; 0 = the month of naming), period, value_usd, smoothed (USD), index (1)

    Raises
    ------
    MeasureError : no group of the series has a date; an unknown base
    """
    if base not in BASES:
        raise MeasureError(f"base={base!r}: expected {' or '.join(BASES)}")
    months = _months(series, named)
    start = -SEASON if base == "year-before" else -before
    smooth = centered(series)
    parts = []
    for group, month in months.items():
        calendar = pd.period_range(month - before, month + after, freq="M")
        first = series[group].reindex(pd.period_range(month + start, periods=SEASON, freq="M"))
        level = first.mean() if first.notna().sum() >= LEAST_MONTHS and first.mean() > 0 else np.nan
        shown = pd.DataFrame(
            {
                "group": group,
                "offset": np.arange(-before, after + 1),
                "period": calendar,
                "value_usd": series[group].reindex(calendar).to_numpy(),
                "smoothed": smooth[group].reindex(calendar).to_numpy(),
            }
        )
        parts.append(shown.assign(index=shown["smoothed"] / level))
    return pd.concat(parts, ignore_index=True)


def spread(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what the groups of `around` have in common, by months from naming.

    Returns
    -------
    offset, groups (with an index there), mean, sd (ddof 1; null for one group), lower and upper quartile, median
    """
    by = frame.groupby("offset")["index"]
    quartiles = by.quantile([0.25, 0.5, 0.75]).unstack()
    found = pd.DataFrame({"groups": by.count(), "mean": by.mean(), "sd": by.std(ddof=1)})
    found = found.assign(lower=quartiles[0.25], median=quartiles[0.5], upper=quartiles[0.75])
    return found.reset_index()


def centered(series: pd.DataFrame) -> pd.DataFrame:
    """Return the 2 × 12 moving mean of each column: the mean of the 12-month means that end 5 and 6 months later."""
    mean = series.rolling(SEASON, min_periods=LEAST_MONTHS).mean()
    return (mean.shift(1 - SEASON // 2) + mean.shift(-SEASON // 2)) / 2


def test(series: pd.DataFrame, named: Named, *, window: int = 36) -> CycleTest:  # noqa: PT028
    """Test whether imports rise before a group is named and fall after.

    Statistic: mean over groups of b⁻ − b⁺, with b⁻ the least-squares slope of log imports over the `window` months
    before naming and b⁺ over the `window` months from naming on, in log points a year. Before that, a straight line and
    the twelve months' effects are taken from each group's logs: neither moves the difference of two slopes over whole
    years, and the ends of the series then join.

    Null: the dates have nothing to do with the series. Each series is closed to a ring and all are turned together, by
    every number of months there is; so groups keep their dependence on one another and on their own past, and dates
    that groups share stay shared. Nothing is drawn: p = (shifts with a statistic at least the observed one) / (all
    shifts), the observed one among both. A turned window may hold the seam between the last month and the first;
    `p_inside` leaves those shifts out, at the price of fewer of them.

    Parameters
    ----------
    series, named : as in `around`
    window : months on either side; whole years

    Raises
    ------
    MeasureError : a window that is not of whole years; no group can be tested (the message says why)

    References
    ----------
    Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses; on turning whole series, Theiler et al.
    (1992), Physica D 58.
    """
    if window < SEASON or window % SEASON:
        raise MeasureError(f"window={window}: expected whole years (12, 24, 36 … months), so that the season cancels")
    months = _months(series, named)
    calendar, size = series.index, len(series)
    logs = np.log(series[list(months)].where(series[list(months)] > 0)).to_numpy(dtype=float)
    plain, slopes = (ring_slopes(v, window) * SEASON for v in (logs, _adjusted(logs, calendar)))
    places, left_out = {}, _undated(series, named)
    for column, (group, month) in enumerate(months.items()):
        at = month.ordinal - calendar[0].ordinal
        if at < window or at + window > size:
            left_out[group] = f"named {month}: {calendar[0]} to {calendar[-1]} has not {window} months on either side"
        elif np.isnan(slopes[[at - window, at], column]).any():
            left_out[group] = f"fewer than {LEAST:.0%} of the {window} months on a side have a value above zero"
        else:
            places[group] = (column, at)
    if not places:
        reasons = {why: [g for g in left_out if left_out[g] == why] for why in left_out.values()}
        said = "; ".join(f"{why} ({len(held)} groups, first {held[0]})" for why, held in reasons.items())
        raise MeasureError(f"no group can be tested: {said}")
    columns, at = (np.array(v) for v in zip(*places.values(), strict=True))
    turned = np.arange(size)[:, None] + at
    differences = slopes[(turned - window) % size, columns] - slopes[turned % size, columns]
    null = _mean(differences)
    inside = ((turned % size >= window) & (turned % size + window <= size)).all(axis=1)
    groups = pd.DataFrame({"group": list(places), "named": [months[g] for g in places]})
    groups = groups.assign(before=plain[at - window, columns], after=plain[at, columns])
    return CycleTest(
        statistic=float(null[0]),
        p_value=_tail(null),
        p_inside=_tail(null[inside]),
        shifts=int((~np.isnan(null)).sum()),
        inside=int((~np.isnan(null[inside])).sum()),
        critical=_critical(null),
        events=len(set(at)),
        window=window,
        groups=groups.assign(difference=differences[0]),
        left_out=left_out,
        null=null,
    )


def ring_slopes(logs: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the least-squares slope a month of every window of a ring: row i is the window that starts at month i.

    Parameters
    ----------
    logs : months × groups; nan = absent. After the last month comes the first
    window : months; null where fewer than 9 in 12 of them have a value
    """
    size = len(logs)
    places = (np.arange(size)[:, None] + np.arange(window)) % size
    y = logs[places]
    held = ~np.isnan(y)
    count = held.sum(axis=1)
    t = np.where(held, np.arange(window)[None, :, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.where(held, t - (t.sum(axis=1) / count)[:, None, :], 0.0)
        slope = (off * np.where(held, y, 0.0)).sum(axis=1) / (off**2).sum(axis=1)
    found: NDArray[np.float64] = np.where(count >= LEAST * window, slope, np.nan)
    return found


def _adjusted(logs: NDArray[np.float64], calendar: pd.PeriodIndex) -> NDArray[np.float64]:
    """Return logs without straight line and month effects (least squares, group by group)."""
    t = np.arange(len(logs), dtype=float)
    effects = (calendar.month.to_numpy()[:, None] == np.arange(1, SEASON + 1)).astype(float)
    design = np.column_stack([t - t.mean(), effects])
    left = np.full(logs.shape, np.nan)
    for column, y in enumerate(logs.T):
        held = ~np.isnan(y)
        # With fewer months the effects and the line would take everything away.
        if held.sum() >= 2 * SEASON:
            fitted, *_ = np.linalg.lstsq(design[held], y[held], rcond=None)
            left[held, column] = y[held] - design[held] @ fitted
    return left


def _months(series: pd.DataFrame, named: Named) -> dict[str, pd.Period]:
    """Return the months of naming of the groups of the series that have one."""
    dated = {g: named[g] for g in series.columns if named.get(g) is not None}
    if not dated:
        raise MeasureError("no group has a date at which it was first named; add `named` to the groups of the list")
    return {g: pd.Period(str(d), "M") for g, d in dated.items()}


def _undated(series: pd.DataFrame, named: Named) -> dict[str, str]:
    return {g: "the list says not when it was named" for g in series.columns if named.get(g) is None}


def _mean(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the groups that have a difference; nan where none has."""
    held = ~np.isnan(differences)
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = np.where(held, differences, 0.0).sum(axis=1) / held.sum(axis=1)
    return found


def _tail(null: NDArray[np.float64]) -> float:
    """Share of the shifts with a statistic at least the first one's, itself among them."""
    held = null[~np.isnan(null)]
    # Equal windows add up in another order: what differs by rounding is equal.
    return float((held >= held[0] - 1e-9).mean())


def _critical(null: NDArray[np.float64]) -> float | None:
    held = null[~np.isnan(null)]
    most = int(0.05 * len(held))
    return float(np.sort(held[1:])[::-1][most - 1]) if most else None
