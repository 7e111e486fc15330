"""How far a sum of projected months may be off.

A projection x_m'b misses by x_m'(β − b) + ε_m.  Over the months of a window the first part is shared and the second
may be correlated, so a sum is judged by the covariance of all of them.  With b = β + Pε (ordinary least squares,
P = (X'X)⁻¹X') and disturbances of covariance σ²R(ρ), R_ij = ρ^|t_i − t_j|, the misses are W'ε over baseline and later
months, W' = [−X_f P, I], and their covariance is σ²W'R(ρ)W: parameters, disturbances and what ties them together.

ρ is not known, and 60 months say little about it.  The interval therefore averages over a grid of ρ, each weighted by
its restricted likelihood (flat prior):

    L(ρ) ∝ |R|^−½ |X'R⁻¹X|^−½ S(ρ)^−(n−k)/2,  S(ρ) = generalized least squares residual sum of squares,

with σ² = S(ρ)/(n − k) and Student's t of n − k degrees of freedom given ρ.  A single estimate of ρ, as of the lag
correlation of the residuals, is too small in short samples and gives intervals that are too narrow.

Trials (1,000 each; 60 months, trend, annual GDP, equipment): a nominal 95% held the truth of 1-, 12- and 24-month sums
in 95, 97, 96% at ρ = 0; 94, 97, 96% at 0.3; 95, 96, 95% at 0.5; 96, 95, 96% at 0.8; 92, 89, 88% at 0.95: too seldom.

Zellner, A. & Tiao, G. C. (1964), "Bayesian Analysis of the Regression Model with Autocorrelated Errors", Journal of the
American Statistical Association 59(307), 763–778.  Cheang, W.-K. & Reinsel, G. C. (2000), "Bias Reduction of
Autoregressive Estimates in Time Series Regression Model through Restricted Maximum Likelihood", the same 95(452),
1173–1184.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
GRID = np.round(np.arange(-0.90, 0.981, 0.02), 2)
# A ρ with less than this share of the weight moves no printed digit.
LEAST_WEIGHT = 1e-9
HALVINGS = 60


@dataclass(frozen=True, eq=False)
class Misses:
    """Joint distribution of the forecast errors of m later months: a mixture of Student's t.

    Attributes
    ----------
    rho : (g,) autocorrelations considered
    weights : (g,) their weights, which add up to 1
    covariance : (g, m, m) covariance given ρ, in squared units of the response
    dof : degrees of freedom given ρ
    """

    rho: Array
    weights: Array
    covariance: Array
    dof: int

    @property
    def mean_rho(self) -> float:
        """Weighted mean of the autocorrelation."""
        return float(self.weights @ self.rho)

    def half_widths(self, sums: Array, level: float) -> Array:
        """Half-width of the interval of each sum of months.

        Parameters
        ----------
        sums : (m, j) how often each month counts in each of j sums
        level : 0–1
        """
        scales = np.sqrt(np.einsum("mj,gmn,nj->gj", sums, self.covariance, sums, optimize=True))
        single: float = special.stdtrit(self.dof, (1 + level) / 2)
        low, high = single * scales.min(axis=0), single * scales.max(axis=0)
        if len(scales) == 1:
            return np.asarray(high)
        # The quantile of the mixture lies between those of its narrowest and widest parts.
        with np.errstate(divide="ignore", invalid="ignore"):
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                below = self.weights @ special.stdtr(self.dof, middle / scales) < (1 + level) / 2
                low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)

    def draws(self, number: int, seed: int) -> Array:
        """Draw (number, m) joint forecast errors; the same seed gives the same draws."""
        random = np.random.default_rng(seed)
        counts = random.multinomial(number, self.weights)
        months = self.covariance.shape[1]
        parts = []
        for i in np.flatnonzero(counts):
            spread = self.covariance[i]
            root = np.linalg.cholesky(spread) if spread.any() else spread
            stretch = np.sqrt(self.dof / random.chisquare(self.dof, (counts[i], 1)))
            parts.append(stretch * (random.standard_normal((counts[i], months)) @ root.T))
        return np.concatenate(parts)


def white(later: Array, coefficients: Array, variance: float, dof: int) -> Misses:
    """Misses under disturbances without autocorrelation: X_f Cov(b) X_f' + σ²I, as statsmodels' `get_prediction`.

    Parameters
    ----------
    later : (m, k) regressors of the later months
    coefficients : (k, k) covariance of b
    variance : σ²
    dof : residual degrees of freedom
    """
    covariance = later @ coefficients @ later.T + variance * np.eye(len(later))
    return Misses(np.zeros(1), np.ones(1), covariance[None], dof)


def autocorrelated(
    baseline: Array, residuals: Array, at: NDArray[np.intp], later: Array, to: NDArray[np.intp]
) -> Misses:
    """Misses under first-order autocorrelation of unknown size; see the head of this module.

    Parameters
    ----------
    baseline : (n, k) regressors of the baseline, of full rank
    residuals : (n,) of ordinary least squares on them
    at, to : positions in time, in months, of the rows of `baseline` (ascending, gaps allowed) and of `later`
    later : (m, k) regressors of the later months
    """
    dof = len(baseline) - baseline.shape[1]
    if not np.abs(residuals).max() > 0:
        return white(later, np.zeros((baseline.shape[1],) * 2), 0.0, dof)
    found = [_restricted(baseline, residuals, at, rho) for rho in GRID]
    likelihood, squares = np.array(found).T
    weights = np.exp(likelihood - likelihood.max())
    kept = weights > LEAST_WEIGHT * weights.sum()
    rho, weights = GRID[kept], weights[kept] / weights[kept].sum()
    solve = np.asarray(np.linalg.pinv(baseline), dtype="float64")
    unit = np.stack([_unit_covariance(solve, at, later, to, r) for r in rho])
    return Misses(rho, weights, unit * (squares[kept] / dof)[:, None, None], dof)


def _restricted(baseline: Array, residuals: Array, at: NDArray[np.intp], rho: float) -> tuple[float, float]:
    """Logarithm of the restricted likelihood at ρ, without its constant, and S(ρ).

    (u_i − ρ^d u_{i−1})/sqrt(1 − ρ^2d), d months apart, makes the disturbances independent, gaps or not.
    """
    tie = rho ** np.diff(at)
    left = 1 - tie**2
    columns = np.column_stack([baseline, residuals])
    columns[1:] = (columns[1:] - tie[:, None] * columns[:-1]) / np.sqrt(left)[:, None]
    x, u = columns[:, :-1], columns[:, -1]
    q, r = np.linalg.qr(x)
    squares = float(((u - q @ (q.T @ u)) ** 2).sum())
    dof = len(x) - x.shape[1]
    ends = np.log(left).sum() / 2 + np.log(np.abs(np.diag(r))).sum()
    return float(-ends - dof / 2 * np.log(squares)), squares


def _unit_covariance(solve: Array, at: NDArray[np.intp], later: Array, to: NDArray[np.intp], rho: float) -> Array:
    """W'R(ρ)W, (m, m), of the solver P, multiplied out so that P, which is short, makes every product small."""
    among, across, ahead = (_ties(rho, *pair) for pair in ((at, at), (at, to), (to, to)))
    shared = later @ (solve @ across)
    covariance: Array = later @ (solve @ among @ solve.T) @ later.T - shared - shared.T + ahead
    return covariance


def _ties(rho: float, one: NDArray[np.intp], other: NDArray[np.intp]) -> Array:
    """R_ij = ρ^|t_i − t_j|."""
    apart = np.abs(one[:, None] - other)
    ties: Array = (rho ** np.arange(int(apart.max(initial=0)) + 1))[apart]
    return ties
