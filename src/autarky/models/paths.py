"""The excess month by month and added up, and what became of it after its peak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from autarky.errors import MeasureError
from autarky.models.design import VALUE, Array, month

if TYPE_CHECKING:
    from autarky.models.stockpiling import Excess, StockpilingFit

RUN_DOWN, SUBSTITUTION, UNCLEAR = "run-down", "substitution or lost demand", "cannot tell"
SUMS = ["cumulative", "cumulative_low", "cumulative_high"]


@dataclass(frozen=True)
class Rundown:
    """What became of the excess after its peak.

    Attributes
    ----------
    verdict : "run-down", "substitution or lost demand" or "cannot tell"
    reason : what the verdict rests on, in words
    peak, at_peak : the month and the excess from the end of the baseline to it
    last, at_last : the last month, and the excess from the end of the baseline to it
    since_peak : excess from the month after the peak to the last
    returned_share : the part of the excess at the peak that was given back since; null where there was none
    """

    verdict: str
    reason: str
    peak: pd.Period | None = None
    at_peak: Excess | None = None
    last: pd.Period | None = None
    at_last: Excess | None = None
    since_peak: Excess | None = None
    returned_share: float | None = None


def path(fit: StockpilingFit, level: float) -> pd.DataFrame:
    """Month by month: what came, what was projected, and the excess added up since the end of the baseline.

    Returns
    -------
    on the PeriodIndex of the months, US dollars: actual; projection (in the baseline the fitted value); low, high (of
    the projection); excess; cumulative, cumulative_low, cumulative_high (over the months that have a value; the band
    is that of one sum, not of all at once); months (counted in the sum); in_baseline; reason (why a figure is null;
    the intervals and the sum are null up to the end of the baseline)
    """
    index, actual = fit.design.frame.index, fit.design.frame[VALUE]
    start, end = fit.design.baseline
    later = np.asarray(index > end)
    table = pd.DataFrame({"actual": actual, "projection": fit.projection}, index)
    table[["low", "high"]] = _placed(fit, *fit.bounds(np.eye(len(fit.ahead)), level))
    table["excess"] = table["actual"] - table["projection"]
    table[SUMS] = _placed(fit, *_sums(fit, level))
    table["months"] = np.cumsum(later & actual.notna() & fit.design.complete)
    # After a month that has a value and no projection, no sum is whole.
    blind = index[later & actual.notna() & ~fit.design.complete]
    cut = np.asarray(index >= blind[0]) if len(blind) else np.zeros(len(index), dtype=bool)
    table.loc[cut | (table["months"] == 0), SUMS] = np.nan
    table["in_baseline"] = np.asarray((index >= start) & ~later)
    table["reason"] = [_why(fit, i, blind[0] if cut[i] else None) for i in range(len(index))]
    return table


def _sums(fit: StockpilingFit, level: float) -> tuple[Array, Array, Array]:
    """Cumulative excess of the months ahead and its interval."""
    actual = fit.design.frame[VALUE].to_numpy()[fit.ahead]
    counted = ~np.isnan(actual)
    to_each = np.triu(np.ones((len(actual), len(actual)))) * counted[:, None]
    reached = np.where(counted, actual, 0.0) @ to_each
    low, high = fit.bounds(to_each, level)
    return reached - fit.projection.to_numpy()[fit.ahead] @ to_each, reached - high, reached - low


def _placed(fit: StockpilingFit, *values: Array) -> Array:
    """Put figures of the months ahead at their places among all months: (months, figures)."""
    rows = np.full((len(fit.design.frame), len(values)), np.nan)
    rows[fit.ahead] = np.column_stack(values)
    return rows


def _why(fit: StockpilingFit, at: int, cut: pd.Period | None) -> str | None:
    """Why a figure of the month at a position is null."""
    now = fit.design.frame.index[at]
    if now < fit.design.baseline[0]:
        return "before the baseline"
    missing = fit.missing(fit.design.frame.index[[at]]) if not fit.design.complete[at] else None
    said = [missing] if missing else []
    if np.isnan(fit.design.frame[VALUE].iloc[at]):
        said.append("no value")
    if cut is not None and now > cut:
        said.append(f"no sum, as {cut} has no projection")
    return "; ".join(said) or None


def rundown(fit: StockpilingFit, peak: str | None, level: float | None) -> Rundown:
    """Say what became of the excess after its peak.

    With C the excess added up since the end of the baseline:

    - "substitution or lost demand": the interval of C at the last month lies below zero. More was missing than had been
      laid up, so a run-down alone cannot account for it. Imports replaced and demand lost look alike here
    - "run-down": the interval of C at the peak lies above zero, that of the change since the peak below it. What was
      laid up is being given back; substitution that happens to be as large would look the same
    - "cannot tell": otherwise

    Parameters
    ----------
    peak : a month after the baseline; null = the month of the largest C.  A peak chosen by its size looks larger than
        it is: name one where the history does
    """
    path = fit.path(level)["cumulative"].dropna()
    if path.empty:
        return Rundown(UNCLEAR, "no month after the baseline has both a value and a projection")
    last = path.index[-1]
    top = path.idxmax() if peak is None else month(peak)
    begin = fit.design.baseline[1] + 1
    if top > last:
        raise MeasureError(f"the peak {top} is after {last}, the last month that can be added up")
    at_peak, at_last = (fit.excess(begin, to, level) for to in (top, last))
    since = fit.excess(top + 1, last, level) if top < last else None
    returned = None
    if since is not None and since.estimate is not None and at_peak.estimate is not None and at_peak.estimate > 0:
        returned = -since.estimate / at_peak.estimate
    verdict, reason = _verdict(at_peak, at_last, since)
    return Rundown(verdict, reason, top, at_peak, last, at_last, since, returned)


def _verdict(at_peak: Excess, at_last: Excess, since: Excess | None) -> tuple[str, str]:
    """Apply the rule of `rundown` to the three sums; no interval, no verdict."""
    if at_last.high is not None and at_last.high < 0:
        return SUBSTITUTION, "at the last month the cumulative excess is below zero, with all of its interval"
    if at_peak.low is None or at_peak.low <= 0:
        return (
            UNCLEAR,
            "at the peak the interval of the cumulative excess includes zero: no stock that is sure to exist",
        )
    if since is None:
        return UNCLEAR, "the cumulative excess is largest in the last month: nothing came after the peak"
    if since.high is None or since.high >= 0:
        return UNCLEAR, "the interval of the change since the peak includes zero"
    return (
        RUN_DOWN,
        "the cumulative excess was above zero at the peak and has fallen since, both with all of the interval",
    )
