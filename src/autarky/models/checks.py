"""How far a stockpiling model can be trusted: its fit, placebo baselines, and other forms of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from autarky.errors import MeasureError
from autarky.models.design import TIME, inflation, month

if TYPE_CHECKING:
    from autarky.models.stockpiling import StockpilingFit, StockpilingModel

HIGH_VIF, SEASON = 10, 12
# From the first a baseline of 60 months is worth 20; beyond the second intervals hold the truth too seldom.
HIGH_RHO, EXTREME_RHO = 0.5, 0.8


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """What a fit rests on.

    Attributes
    ----------
    n : months of the baseline that were used; `dropped` those that were not; `dof` n less the coefficients
    r_squared : null where the response does not vary
    coefficients : by term: estimate, se, t, p, low, high; and of regressors vif (variance inflation factor) and
        distinct (different values in the baseline)
    lags : of the HAC errors, in months; null with cov="nonrobust"
    condition_number : of the regressors in the units given, as statsmodels reports it: moves with the units
    condition_number_standardized : of the regressors centered and scaled: does not
    durbin_watson : 2 = no autocorrelation
    autocorrelation : of the residuals at one month, which is too small in short samples; `autocorrelation_12` at twelve
    rho : mean of what the intervals average over; see `forecasts`; 0 with errors="iid"
    cautions : in words
    """

    n: int
    dropped: int
    dof: int
    r_squared: float | None
    coefficients: pd.DataFrame
    lags: int | None
    condition_number: float
    condition_number_standardized: float
    durbin_watson: float | None
    autocorrelation: float | None
    autocorrelation_12: float | None
    rho: float
    cautions: tuple[str, ...]


def diagnostics(fit: StockpilingFit, level: float) -> Diagnostics:
    """Say how far a fit can be trusted; intervals of coefficients at `level`."""
    from statsmodels.stats.stattools import durbin_watson

    design, results = fit.design, fit.results
    used = design.matrix[design.used]
    moved = np.ptp(design.response[design.used]) > 0
    errors = results.resid if moved and np.abs(results.resid).max() > 0 else None
    start, end = design.baseline
    n, inside = int(design.used.sum()), (end - start).n + 1
    table = _coefficients(fit, level)
    at_one, at_twelve = (_autocorrelation(errors, np.flatnonzero(design.used), k) for k in (1, SEASON))
    found = Diagnostics(
        n=n,
        dropped=inside - n,
        dof=int(results.df_resid),
        r_squared=float(results.rsquared) if moved else None,
        coefficients=table,
        lags=fit.lags,
        condition_number=float(np.linalg.cond(design.raw[design.used])),
        condition_number_standardized=float(np.linalg.cond(used)),
        durbin_watson=None if errors is None else float(durbin_watson(errors)),
        autocorrelation=at_one,
        autocorrelation_12=at_twelve,
        rho=fit.misses.mean_rho,
        cautions=(),
    )
    return dataclasses.replace(found, cautions=tuple(_cautions(fit, found)))


def placebo(fit: StockpilingFit, ends: Sequence[str] | None, horizon: int | None) -> pd.DataFrame:
    """Fit on baselines that end earlier and measure the "excess" of the months held out, where none is expected.

    Parameters
    ----------
    ends : last months of the shorter baselines; null = 24 and 12 months before the baseline's end
    horizon : months held out after each, never past the baseline's end; null = to its end

    Returns
    -------
    a row an end: model, baseline_last, first, last, estimate, low, high, level, share, projection, actual, months,
    reason (why a figure is null, or why the shorter baseline cannot be fitted); covers_zero (null without an interval)

    Raises
    ------
    MeasureError : an end is not inside the baseline; the horizon is below 1
    """
    start, final = fit.design.baseline
    if horizon is not None and horizon < 1:
        raise MeasureError(f"horizon={horizon!r}: expected 1 month or more")
    rows = []
    for end in [final - 24, final - 12] if ends is None else [month(e) for e in ends]:
        if not start <= end < final:
            raise MeasureError(
                f"the placebo baseline ends in {end}, which is not inside the baseline {start} to {final}"
            )
        model = dataclasses.replace(fit.model, baseline=(str(start), str(end)))
        last = final if horizon is None else min(final, end + horizon)
        row = _variant(f"baseline to {end}", model, fit, end + 1, last)
        rows.append({"baseline_last": end, **row})
    table = pd.DataFrame(rows).set_index("model").reset_index()
    covers = (table["low"] <= 0) & (table["high"] >= 0)
    return table.assign(covers_zero=covers.astype("boolean").mask(table["low"].isna()))


def without_each(fit: StockpilingFit, first: str, last: str) -> pd.DataFrame:
    """Measure the excess of a window with each regressor left out in turn.

    Returns
    -------
    a row a model, the first as fitted: columns as `placebo`, without baseline_last and covers_zero
    """
    names = fit.design.regressors
    models = {"as fitted": fit.model}
    models |= {
        f"without {left}": dataclasses.replace(fit.model, regressors=tuple(n for n in names if n != left))
        for left in names
    }
    return _variants(models, fit, first, last)


def alternatives(fit: StockpilingFit, first: str, last: str) -> pd.DataFrame:
    """Measure the excess of a window under each other form of the model: one setting turned at a time.

    Returns
    -------
    a row a model, the first as fitted: columns as `placebo`, without baseline_last and covers_zero
    """
    model, names = fit.model, fit.design.regressors
    trend = ("no trend", tuple(n for n in names if n != TIME)) if TIME in names else ("with trend", (TIME, *names))
    models = {
        "as fitted": model,
        "levels" if model.log else "log": dataclasses.replace(model, log=not model.log),
        "no month effects" if model.month_effects else "month effects": dataclasses.replace(
            model, month_effects=not model.month_effects
        ),
        trend[0]: dataclasses.replace(model, regressors=trend[1]),
    }
    return _variants(models, fit, first, last)


def _coefficients(fit: StockpilingFit, level: float) -> pd.DataFrame:
    from scipy import stats

    design, dof = fit.design, int(fit.results.df_resid)
    table = pd.DataFrame({"estimate": fit.coefficients, "se": np.sqrt(np.diag(fit.covariance))}, list(design.terms))
    table["t"] = table["estimate"] / table["se"].where(table["se"] > 0)
    table["p"] = 2 * stats.t.sf(table["t"].abs(), dof)
    half = stats.t.ppf((1 + level) / 2, dof) * table["se"]
    table = table.assign(low=table["estimate"] - half, high=table["estimate"] + half)
    table["vif"] = pd.Series(inflation(design.matrix[design.used], design.regressors), dtype="float64")
    distinct = design.frame.loc[design.used, list(design.regressors)].nunique()
    return table.assign(distinct=distinct.reindex(table.index).astype("Int64"))


def _autocorrelation(errors: Any, at: Any, lag: int) -> float | None:
    """Correlation of residuals `lag` months apart, around zero; null without residuals or pairs."""
    if errors is None:
        return None
    by_month = pd.Series(errors, index=at)
    pairs = by_month.reindex(by_month.index - lag).to_numpy() * by_month.to_numpy()
    return float(np.nansum(pairs) / (errors**2).sum()) if np.isfinite(pairs).any() else None


def _cautions(fit: StockpilingFit, found: Diagnostics) -> list[str]:
    """Say in words what a reader of the figures should know."""
    design, said = fit.design, []
    if found.dropped:
        said.append(f"{found.dropped} months of the baseline are missing; the HAC errors take the others as adjacent.")
    for name, row in found.coefficients.loc[list(design.regressors)].iterrows():
        if row["vif"] > HIGH_VIF:
            factor = f"variance inflation factor {row['vif']:.0f}"
            said.append(f"{name} nearly repeats the others ({factor}): do not read its coefficient alone.")
        if row["distinct"] * SEASON <= found.n:
            few = f"{row['distinct']} distinct values in {found.n} months"
            said.append(f"{name} has {few}: it cannot tell the months of a year apart.")
    return said + _lasting(fit, found) + _outside(fit)


def _lasting(fit: StockpilingFit, found: Diagnostics) -> list[str]:
    """Cautions on residuals that are correlated beyond what independent ones would be in 95% of samples."""
    chance, said = 2 / np.sqrt(found.n), []
    one, twelve = found.autocorrelation, found.autocorrelation_12
    if twelve is not None and twelve > chance and not fit.model.month_effects:
        said.append(f"Residuals a year apart are correlated ({twelve:.2f}): try month_effects=True.")
    if fit.model.errors == "iid" and one is not None and one > chance:
        said.append(f"Residuals are correlated ({one:.2f}): intervals of sums are too narrow; use errors='ar1'.")
    if found.rho > HIGH_RHO:
        doubt = " Intervals hold the truth less often than they say." if found.rho > EXTREME_RHO else ""
        said.append(f"Disturbances last (ρ about {found.rho:.2f}): the baseline holds little evidence.{doubt}")
    return said


def _outside(fit: StockpilingFit) -> list[str]:
    """Cautions on regressors that leave the range they had in the baseline; time always does."""
    held, after = fit.design.frame.loc[fit.design.used], fit.design.frame.iloc[fit.ahead]
    said = []
    for name in (n for n in fit.design.regressors if n != TIME):
        out = int(((after[name] < held[name].min()) | (after[name] > held[name].max())).sum())
        if out:
            said.append(f"{name} is outside its range of the baseline in {out} of {len(after)} projected months.")
    return said


def _variants(models: Mapping[str, StockpilingModel], fit: StockpilingFit, first: str, last: str) -> pd.DataFrame:
    return pd.DataFrame([_variant(name, model, fit, first, last) for name, model in models.items()])


def _variant(name: str, model: StockpilingModel, fit: StockpilingFit, first: Any, last: Any) -> dict[str, Any]:
    """One row: the excess of a window under a model; a model that cannot be fitted is a row with the reason."""
    window = {"model": name, "first": month(first), "last": month(last)}
    try:
        fitted = model.fit(fit.design.frame.drop(columns=TIME, errors="ignore"))
    except MeasureError as error:
        nothing = dict.fromkeys(("estimate", "low", "high", "share", "projection", "actual"))
        return {**window, **nothing, "level": model.level, "months": 0, "reason": str(error)}
    return {"model": name, **dataclasses.asdict(fitted.excess(first, last))}
