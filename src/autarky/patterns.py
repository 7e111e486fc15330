"""Monthly series → volatility, growth, and how sure their pattern is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from autarky import engine, registry
from autarky.measure import aggregate
from autarky.screens import Screen

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEASON = 12
SMOOTHING = 12
# How far the grid moves each threshold, as a share of it, in how many steps.
WIDTH, POINTS = 0.2, 9
# A moving mean over fewer months than this says more about the gaps than about the trend.
LEAST_MONTHS = 9


def indices(con: Any, series: pd.DataFrame) -> pd.DataFrame:
    """Measure each column of a monthly table with the package's own indicators.

    Parameters
    ----------
    series : months down (every month of the window), groups across; null = absent

    Returns
    -------
    a row a group: months, volatility, growth, growth_first_year, and for each figure `… why`
    """
    long = series.reset_index(drop=True).melt(ignore_index=False, var_name="group", value_name="value").reset_index()
    long = long.dropna(subset="value")
    table = engine.lookup(
        con, {"group": list(long["group"]), "_member": list(long["index"] + 1), "_value": list(long["value"])}
    )
    chosen = [registry.indicator(n) for n in ("volatility", "growth", "growth:base=first-year")]
    found = engine.rows(con, aggregate(table, ["group"], chosen)).to_pandas().set_index("group")
    found.columns = [c.replace("growth:base=first-year", "growth_first_year") for c in found.columns]
    counts = series.notna().sum().rename("months")
    return found.reindex(series.columns).join(counts)


def contributions(series: pd.DataFrame, totals: pd.DataFrame) -> pd.DataFrame:
    """Split each group's growth index among its products; the parts add up to it exactly.

    c_i = Σ_t t·(x_it − x_i1) / (x_1 · Σ_t t), over the months in which the group has a value; a product without a row
    in such a month adds nothing to the group's total, so it counts as 0 there

    Parameters
    ----------
    series : group, product, period, value_usd
    totals : months down (every month of the window), groups across

    Returns
    -------
    group, product, contribution (null when the group's base is missing or zero)
    """
    positions = pd.Series(np.arange(1.0, len(totals) + 1), index=totals.index)
    weights = totals.notna().mul(positions, axis=0).sum()
    base = totals.iloc[0]
    frame = series.assign(t=series["period"].map(positions))
    frame = frame.assign(weighted=frame["t"] * frame["value_usd"], first=frame["value_usd"].where(frame["t"] == 1))
    # `sum` of no first month is 0: the product was not in the group's base.
    parts = frame.groupby(["group", "product"])[["weighted", "first"]].sum().reset_index()
    change = parts["weighted"] / parts["group"].map(weights) - parts["first"]
    first = parts["group"].map(base)
    return parts[["group", "product"]].assign(contribution=(change / first).where(first > 0))


def smoothed(series: pd.DataFrame) -> pd.DataFrame:
    """Return 12-month moving means (trailing; at least 9 months present) of each column."""
    return series.rolling(SMOOTHING, min_periods=LEAST_MONTHS).mean()


def normalized(series: pd.DataFrame) -> pd.DataFrame:
    """Return smoothed series with the mean of the window's first 12 months = 1; null where that is missing or zero."""
    first = series.iloc[:SEASON].mean()
    return smoothed(series) / first.where(first > 0)


def detrended_volatility(values: NDArray[np.float64]) -> float | None:
    """SD of the residuals around a least-squares straight line (ddof 1), over the mean; null under 3 months."""
    t, x = _present(values)
    if len(x) < 3 or x.mean() == 0:
        return None
    residual = x - np.polynomial.Polynomial.fit(t, x, 1)(t)
    return float(residual.std(ddof=1) / x.mean())


def stl_volatility(values: NDArray[np.float64]) -> float | None:
    """SD of the STL remainder (period 12, robust; ddof 1), over the mean; null with a gap, or under 25 months.

    Cleveland, R. B. et al. (1990), "STL: A Seasonal-Trend Decomposition", Journal of Official Statistics 6(1), 3–73.
    """
    remainder = _remainder(values)
    if remainder is None or np.mean(values) == 0:
        return None
    return float(remainder.std(ddof=1) / np.mean(values))


def _remainder(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    from statsmodels.tsa.seasonal import STL

    if np.isnan(values).any() or len(values) < 2 * SEASON + 1:
        return None
    found: NDArray[np.float64] = STL(values, period=SEASON, robust=True).fit().resid
    return found


@dataclass(frozen=True)
class Stability:
    """Shares (0–1) of the alternatives that keep a label."""

    overall: float
    bootstrap: float
    thresholds: float


def stability(
    values: NDArray[np.float64],
    screen: Screen,
    *,
    replicates: int = 1000,
    seed: int = 2025,
    width: float = WIDTH,
    points: int = POINTS,
) -> Stability | None:
    """Say how often a group keeps its label when months and thresholds could have been a little different.

    Replicates keep trend and season (STL; a straight line where months are missing) and draw the remainder in moving
    blocks of 12 months; below zero they are set to zero, as trade cannot be negative.  The grid moves each threshold of
    the screen over ±`width` of itself.  `bootstrap`: replicates under the screen's thresholds; `thresholds`: the series
    itself over the grid; `overall`: every replicate under every pair of thresholds.

    Künsch, H. R. (1989), "The Jackknife and the Bootstrap for General Stationary Observations", Annals of Statistics
    17(3), 1217–1241.

    Returns
    -------
    Stability, or null: under 25 months, or the base month missing or zero
    """
    t, x = _present(values)
    if len(x) <= 2 * SEASON or t[0] != 1 or x[0] == 0:
        return None
    remainder = _remainder(values)
    if remainder is None:
        remainder = x - np.polynomial.Polynomial.fit(t, x, 1)(t)
    draws = np.maximum(x - remainder + _blocks(remainder, replicates, seed), 0.0)
    grid = _grid(screen, width, points)
    own = int(screen.classify(_figures(x[None, :], t))[0])
    kept = screen.classify(_figures(draws, t)) == own
    moved = screen.classify({n: v[:, None, None] for n, v in _figures(draws, t).items()}, grid) == own
    still = screen.classify({n: v[:, None, None] for n, v in _figures(x[None, :], t).items()}, grid) == own
    return Stability(float(moved.mean()), float(kept.mean()), float(still.mean()))


def _grid(screen: Screen, width: float, points: int) -> dict[str, NDArray[np.float64]]:
    steps = 1 + np.linspace(-width, width, points)
    thresholds = screen.thresholds()
    return {
        "volatility": (thresholds["volatility"] * steps)[None, :, None],
        "growth": (thresholds["growth"] * steps)[None, None, :],
    }


def _blocks(remainder: NDArray[np.float64], replicates: int, seed: int) -> NDArray[np.float64]:
    n = len(remainder)
    count = -(-n // SEASON)
    starts = np.random.default_rng(seed).integers(0, n - SEASON + 1, size=(replicates, count))
    places = (starts[:, :, None] + np.arange(SEASON)).reshape(replicates, -1)[:, :n]
    drawn: NDArray[np.float64] = remainder[places]
    return drawn


def _figures(x: NDArray[np.float64], t: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Volatility and growth of many series at once (rows); the same formulas as the indicators, which tests hold to."""
    with np.errstate(divide="ignore", invalid="ignore"):
        volatility = x.std(axis=1, ddof=1) / x.mean(axis=1)
        growth = (x * t).sum(axis=1) / t.sum() / x[:, 0] - 1
    return {"volatility": volatility, "growth": np.where(np.isfinite(growth), growth, np.nan)}


def _present(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    held = ~np.isnan(values)
    return np.arange(1, len(values) + 1, dtype=float)[held], values[held]
