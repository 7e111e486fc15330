"""Change points of monthly series: months in which level or trend of imports break, and dated actions near them.

Model: log imports without season are straight lines, one a segment, plus noise of which each month depends on the
one before (autoregression of order 1). A steady trend is therefore no change. For every number of breaks the segments
with the smallest sum of squared residuals are found exactly (dynamic programming, `ruptures`); the number is the one
with the smallest BIC under the autoregressive likelihood, so that waves of the noise are not taken for segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import ruptures
from ruptures.base import BaseCost

from autarky.patterns import LEAST_MONTHS, SEASON

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 12
MOST = 5
PENALTY = 1.25
# What the tests hold that penalty to: series of 120 months without a break that show one, autocorrelation up to 0.9.
FALSE_ALARMS = 0.1
WINDOW_DAYS = 92
# A break costs three parameters: its month, a level and a slope.
PARAMETERS = 3
# Dependence of the noise on the month before, in steps finer than so few months can tell. Negative values would say
# that noise swings back, which a deferred shipment does; taking it for none errs on the side of fewer breaks.
DEPENDENCE = np.arange(0, 0.96, 0.05)
# Standard deviation, in log points, below which what is left over is rounding: a series without noise has exact lines.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Fit:
    """The straight lines of one series.

    Attributes
    ----------
    months : months with a value above zero, which are fitted
    absent : months of the window without one; they are neither filled nor counted
    breaks : first months of the segments after the first
    log_fitted : fitted log value of each fitted month, without season
    trends : slope of each segment, log points a month
    dependence : correlation of neighboring months' noise, 0 to 0.95
    noise : standard deviation of the noise, log points
    why : why no break was looked for; else null
    """

    months: pd.PeriodIndex
    absent: int
    breaks: tuple[pd.Period, ...]
    log_fitted: NDArray[np.float64]
    trends: tuple[float, ...]
    dependence: float
    noise: float
    why: str | None = None


class Lines(BaseCost):  # type: ignore[misc]
    """Squared residuals around a least-squares line, in constant time by sums (`ruptures` solves each one anew)."""

    model = "lines"
    min_size = 3

    def fit(self, signal: NDArray[np.float64]) -> Lines:
        """Add up a signal of two columns: month and value."""
        self.signal = signal
        t, y = signal.T
        moments = np.column_stack([t, y, t * t, t * y, y * y])
        self._sums = np.vstack([np.zeros(5), moments.cumsum(axis=0)])
        return self

    def error(self, start: int, end: int) -> float:
        """Return the sum of squared residuals of months `start` to `end` − 1."""
        n = end - start
        t, y, tt, ty, yy = (self._sums[end] - self._sums[start]).tolist()
        within, with_y = tt - t * t / n, ty - t * y / n
        return float(max(yy - y * y / n - with_y * with_y / within, 0.0))


def find(series: pd.DataFrame, *, least: int = LEAST, most: int = MOST, penalty: float = PENALTY) -> pd.DataFrame:
    """Return the change points of every group; see `fits` and `points`."""
    return points(fits(series, least=least, most=most, penalty=penalty))


def fits(series: pd.DataFrame, *, least: int = LEAST, most: int = MOST, penalty: float = PENALTY) -> dict[str, Fit]:
    """Fit straight lines to the log of every series.

    Parameters
    ----------
    series : PeriodIndex of months × group, USD; nan = absent
    least : months with a value that a segment has at least
    most : breaks of a series at most
    penalty : multiple of 3 · ln(n), BIC's price of a break's three parameters, with n the months with a value. At 1,
        BIC's own, about one series in eight without a break shows one when the noise's autocorrelation is 0.6 to 0.8;
        at 1.25 about one in twenty

    Returns
    -------
    group → its fit
    """
    return {str(g): fit(series[g], least=least, most=most, penalty=penalty) for g in series.columns}


def fit(values: pd.Series, *, least: int = LEAST, most: int = MOST, penalty: float = PENALTY) -> Fit:
    """Fit straight lines to the log of one monthly series; parameters as in `fits`."""
    held = values[values > 0]
    months, absent = pd.PeriodIndex(held.index), len(values) - len(held)
    if len(held) < 3 * least:
        why = f"{len(held)} months with a value; two segments and their noise take {3 * least}"
        return Fit(months, absent, (), np.empty(0), (), np.nan, np.nan, why)
    y = deseasoned(np.log(values.where(values > 0)))[held.index].to_numpy()
    t = months.asi8.astype(float)
    t -= t.mean()
    search = ruptures.Dynp(custom_cost=Lines(), min_size=least, jump=1).fit(np.column_stack([t, y]))
    found: list[tuple[float, list[int], tuple[float, float, float]]] = []
    for count in range(min(most, len(y) // least - 1) + 1):
        ends = search.predict(count) if count else [len(y)]
        likelihood = _likelihood(y, _design(t, ends), np.diff(t))
        found.append((penalty * PARAMETERS * count * np.log(len(y)) - 2 * likelihood[0], ends, likelihood))
    _, ends, (_, dependence, noise) = min(found)
    lines = [np.polyfit(t[a:b], y[a:b], 1) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    fitted = _design(t, ends) @ np.concatenate([line[::-1] for line in lines])
    trends = tuple(float(line[0]) for line in lines)
    return Fit(months, absent, tuple(months[e] for e in ends[:-1]), fitted, trends, dependence, noise)


def _design(t: NDArray[np.float64], ends: list[int]) -> NDArray[np.float64]:
    """Return a level and a slope for every segment."""
    design = np.zeros((len(t), 2 * len(ends)))
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        design[start:end, 2 * number] = 1
        design[start:end, 2 * number + 1] = t[start:end]
    return design


def _likelihood(
    y: NDArray[np.float64], design: NDArray[np.float64], gaps: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return the largest Gaussian log-likelihood of a regression with AR(1) noise, its ρ and the noise's SD.

    Exact for months that are absent: over a gap of d months the noise keeps ρᵈ (Prais and Winsten's transformation,
    month by month). Constants are left out; ρ is the best of `DEPENDENCE`.
    """
    n, best = len(y), (-np.inf, 0.0, 0.0)
    both = np.column_stack([y, design])
    for rho in DEPENDENCE:
        kept = rho**gaps
        # SDs of what is new in each month, in those of the noise.
        scale = np.concatenate([[1.0], np.sqrt(1 - kept**2)])
        white = np.vstack([both[:1], both[1:] - kept[:, None] * both[:-1]]) / scale[:, None]
        basis, _ = np.linalg.qr(white[:, 1:])
        left = white[:, 0] - basis @ (basis.T @ white[:, 0])
        variance = max(float(left @ left) / n, ROUNDING**2)
        value = float(-n / 2 * np.log(variance) - np.log(scale).sum())
        best = max(best, (value, float(rho), float(np.sqrt(variance))))
    return best


def points(found: dict[str, Fit]) -> pd.DataFrame:
    """Return the change points of fits.

    Returns
    -------
    group, month (first of the new segment), before_usd (end of the old line), after_usd (start of the new one), change
    (share), trend_before, trend_after (share a year), kind: "step up" or "step down" where the level moves by more
    between the two months than the change of trend moves it in half a year; else "turn up" or "turn down"
    """
    rows = []
    for group, one in found.items():
        for number, month in enumerate(one.breaks):
            at = one.months.get_loc(month)
            before, after = one.log_fitted[at - 1], one.log_fitted[at]
            old, new = (one.trends[number + i] * SEASON for i in (0, 1))
            # What the old line would have reached by then is not a step.
            jump = after - before - old / SEASON * (month.ordinal - one.months[at - 1].ordinal)
            kind = ("step", jump) if abs(jump) > abs(new - old) / 2 else ("turn", new - old)
            rows.append(
                {
                    "group": group,
                    "month": month,
                    "before_usd": float(np.exp(before)),
                    "after_usd": float(np.exp(after)),
                    "change": float(np.expm1(after - before)),
                    "trend_before": float(np.expm1(old)),
                    "trend_after": float(np.expm1(new)),
                    "kind": f"{kind[0]} {'up' if kind[1] > 0 else 'down'}",
                }
            )
    names = ["group", "month", "before_usd", "after_usd", "change", "trend_before", "trend_after", "kind"]
    return pd.DataFrame(rows, columns=names)


def deseasoned(logs: pd.Series) -> pd.Series:
    """Return logs less the effect of their calendar month: the median over years of the distance from a 2 × 12 mean.

    Medians, as a step puts a few months far from the mean around it. Effects average zero. Left as it is where a
    calendar month has fewer than three such distances.
    """
    mean = logs.rolling(SEASON, min_periods=LEAST_MONTHS).mean()
    center = (mean.shift(1 - SEASON // 2) + mean.shift(-SEASON // 2)) / 2
    month = pd.Series(logs.index.month, index=logs.index)
    by = (logs - center).groupby(month)
    effects = by.median()
    if (by.count() < 3).any() or len(effects) < SEASON:
        return logs
    return logs - month.map(effects - effects.mean())


def beside(found: pd.DataFrame, actions: pd.DataFrame, *, window_days: int = WINDOW_DAYS) -> pd.DataFrame:
    """Return the dated actions near each change point. Nearness is not cause; see `near_by_chance`.

    Parameters
    ----------
    found : change points, as `find` returns them
    actions : a row an action: id, effective (date; null = not known, then it is near nothing), issuer, title
    window_days : how far from the first day of the change point's month an action may take effect, either way

    Returns
    -------
    group, month, kind, id, effective, issuer, title, days (negative: the action came first), a row a pair
    """
    dated = actions.assign(effective=pd.to_datetime(actions["effective"])).dropna(subset="effective")
    pairs = found[["group", "month", "kind"]].merge(dated[["id", "effective", "issuer", "title"]], how="cross")
    starts = pd.PeriodIndex(pairs["month"], freq="M").to_timestamp()
    pairs = pairs.assign(days=(pairs["effective"] - starts).dt.days)
    near = pairs[pairs["days"].abs() <= window_days]
    return near.sort_values(["group", "month", "effective", "id"]).reset_index(drop=True)


def near_by_chance(months: pd.PeriodIndex, actions: pd.DataFrame, *, window_days: int = WINDOW_DAYS) -> float:
    """Return the share of months that have an action within the window: what nearness is worth."""
    dates = pd.to_datetime(actions["effective"]).dropna().to_numpy()
    days = (dates[None, :] - months.to_timestamp().to_numpy()[:, None]) / np.timedelta64(1, "D")
    return float((np.abs(days) <= window_days).any(axis=1).mean())
