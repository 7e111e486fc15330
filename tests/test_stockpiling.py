"""The counterfactual: closed forms, statsmodels, coverage of the intervals, what is refused, real exports."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from examples import draw
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson

import autarky
from autarky import stockpiling_charts, theme
from autarky.errors import MeasureError
from autarky.models import forecasts
from autarky.models.stockpiling import StockpilingModel

# An annual series that grows unevenly, as GDP does.
ANNUAL = np.array([11.1, 11.2, 12.3, 13.9, 14.3, 14.7, 17.8, 17.9, 17.8, 18.5])
EXACT = 1e-10


def made(seed: int = 0, months: int = 120, *, rho: float = 0.0, noise: float = 1.0, scale: float = 1.0) -> pd.DataFrame:
    """Return a synthetic frame that follows the model, in small numbers times `scale`."""
    random = np.random.default_rng(seed)
    index = pd.period_range("2015-01", periods=months, freq="M")
    equipment = 5 + 0.02 * np.arange(months) + random.standard_normal(months)
    shocks = random.standard_normal(months + 50)
    error = np.zeros(months + 50)
    for t in range(1, len(error)):
        error[t] = rho * error[t - 1] + np.sqrt(1 - rho**2) * shocks[t]
    gdp = np.repeat(ANNUAL, 12)[:months]
    value = 40 + 0.1 * np.arange(months) + 2 * gdp + 1.5 * equipment + noise * error[50:]
    return pd.DataFrame({"value_usd": scale * value, "gdp": scale * gdp, "equipment": scale * equipment}, index)


def regressors(frame: pd.DataFrame) -> np.ndarray:
    return np.column_stack([np.ones(len(frame)), np.arange(1.0, len(frame) + 1), frame["gdp"], frame["equipment"]])


FRAME = made(3, rho=0.4)
BASE = np.arange(120) < 60


def direct(**options):
    return sm.OLS(FRAME["value_usd"].to_numpy()[BASE], regressors(FRAME)[BASE]).fit(**options)


HAC = {"cov_type": "HAC", "cov_kwds": {"maxlags": 3, "use_correction": True}, "use_t": True}


@pytest.mark.parametrize(("cov", "options"), [("HAC", HAC), ("nonrobust", {})])
def test_coefficients_and_errors_are_those_of_statsmodels(cov, options):
    fit, want = StockpilingModel(cov=cov).fit(FRAME), direct(**options)
    np.testing.assert_allclose(fit.coefficients, want.params, rtol=EXACT)
    np.testing.assert_allclose(fit.covariance, want.cov_params(), rtol=1e-8, atol=EXACT)
    found = fit.diagnostics()
    table = found.coefficients
    assert list(table.index) == ["intercept", "time", "gdp", "equipment"]
    for column, values in (("estimate", want.params), ("se", want.bse), ("t", want.tvalues), ("p", want.pvalues)):
        np.testing.assert_allclose(table[column], values, rtol=EXACT, atol=1e-14)
    np.testing.assert_allclose(table[["low", "high"]], want.conf_int(), rtol=EXACT)
    assert (found.n, found.dof, found.dropped) == (60, want.df_resid, 0)
    assert found.r_squared == pytest.approx(want.rsquared, rel=EXACT)
    assert found.lags == (3 if cov == "HAC" else None)


def test_collinearity_is_measured_as_statsmodels_does():
    found, x, want = StockpilingModel().fit(FRAME).diagnostics(), regressors(FRAME)[BASE], direct()
    for i, name in enumerate(("time", "gdp", "equipment"), 1):
        assert found.coefficients.loc[name, "vif"] == pytest.approx(variance_inflation_factor(x, i), rel=EXACT)
    assert pd.isna(found.coefficients.loc["intercept", "vif"])
    assert found.condition_number == pytest.approx(want.condition_number, rel=EXACT)
    centered = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
    centered[:, 0] = 1
    assert found.condition_number_standardized == pytest.approx(sm.OLS(want.resid, centered).fit().condition_number)
    assert found.durbin_watson == pytest.approx(durbin_watson(want.resid), rel=EXACT)
    lagged = want.resid[1:] @ want.resid[:-1] / (want.resid @ want.resid)
    assert found.autocorrelation == pytest.approx(lagged, rel=1e-8)
    assert list(found.coefficients["distinct"].dropna()) == [60, 5, 60]


@pytest.mark.parametrize(("cov", "options"), [("HAC", HAC), ("nonrobust", {})])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_without_autocorrelation_months_have_the_intervals_of_statsmodels(cov, options, level):
    path = StockpilingModel(errors="iid", cov=cov).fit(FRAME).path(level)
    want = direct(**options).get_prediction(regressors(FRAME)[~BASE]).summary_frame(1 - level)
    np.testing.assert_allclose(path["projection"][~BASE], want["mean"], rtol=EXACT)
    np.testing.assert_allclose(path["low"][~BASE], want["obs_ci_lower"], rtol=EXACT)
    np.testing.assert_allclose(path["high"][~BASE], want["obs_ci_upper"], rtol=EXACT)
    np.testing.assert_allclose(path["projection"][BASE], direct().fittedvalues, rtol=EXACT)


@pytest.mark.parametrize(("cov", "options"), [("HAC", HAC), ("nonrobust", {})])
def test_variance_of_a_sum_is_that_of_all_its_errors_together(cov, options):
    """Var = x'Cov(b)x + m·s² with x summed over the window: not the sum of the variances of its months."""
    found, want = StockpilingModel(errors="iid", cov=cov).fit(FRAME).excess("2020-07", "2022-06"), direct(**options)
    x, actual = regressors(FRAME)[66:90].sum(axis=0), FRAME["value_usd"].to_numpy()[66:90].sum()
    half = stats.t.ppf(0.975, 56) * np.sqrt(x @ want.cov_params() @ x + 24 * want.scale)
    assert found.estimate == pytest.approx(actual - x @ want.params, rel=1e-9)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=EXACT)
    assert found.share == pytest.approx(found.estimate / (x @ want.params), rel=EXACT)
    assert (found.actual, found.months, found.level, found.reason) == (pytest.approx(actual), 24, 0.95, None)
    monthly = direct(**options).get_prediction(regressors(FRAME)[66:90]).se_obs
    assert half > 1.5 * stats.t.ppf(0.975, 56) * np.sqrt((monthly**2).sum())


def test_a_constant_baseline_mean_in_closed_form():
    """With an intercept alone: excess = Σ(y − ȳ), variance s²(m + m²/n)."""
    model = StockpilingModel(regressors=(), errors="iid", cov="nonrobust")
    found = model.fit(FRAME).excess("2020-01", "2020-12")
    y, n, m = FRAME["value_usd"].to_numpy(), 60, 12
    assert found.estimate == pytest.approx(y[60:72].sum() - m * y[:60].mean(), rel=EXACT)
    half = stats.t.ppf(0.975, n - 1) * y[:60].std(ddof=1) * np.sqrt(m + m**2 / n)
    assert found.high - found.estimate == pytest.approx(half, rel=EXACT)


def dense(rho: float, x: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[float, float]:
    """Restricted log likelihood and generalized residual sum of squares, with matrices written out."""
    r = rho ** np.abs(at[:, None] - at)
    inverse = np.linalg.inv(r)
    inner = x.T @ inverse @ x
    residual = y - x @ np.linalg.solve(inner, x.T @ inverse @ y)
    squares = residual @ inverse @ residual
    logs = [np.linalg.slogdet(m)[1] for m in (r, inner)]
    return -sum(logs) / 2 - (len(x) - x.shape[1]) / 2 * np.log(squares), squares


def test_forecast_errors_under_autocorrelation_agree_with_matrices_written_out():
    at = np.flatnonzero(BASE & ~np.isin(np.arange(120), [7, 8, 30]))
    to = np.arange(63, 70)
    x, y, later = regressors(FRAME)[at], FRAME["value_usd"].to_numpy()[at], regressors(FRAME)[to]
    residuals = sm.OLS(y, x).fit().resid
    found = forecasts.autocorrelated(x, residuals, at, later, to)
    want = np.array([dense(rho, x, y, at) for rho in forecasts.GRID])
    weights = np.exp(want[:, 0] - want[:, 0].max())
    kept = np.isin(forecasts.GRID, found.rho)
    assert weights[~kept].sum() < 1e-6
    np.testing.assert_allclose(found.weights, weights[kept] / weights[kept].sum(), rtol=1e-6)
    solve = np.linalg.solve(x.T @ x, x.T)
    w = np.vstack([-(later @ solve).T, np.eye(len(to))])
    months = np.concatenate([at, to])
    for i in (0, len(found.rho) // 2, len(found.rho) - 1):
        r = found.rho[i] ** np.abs(months[:, None] - months)
        s2 = want[kept][i, 1] / (len(x) - 4)
        np.testing.assert_allclose(found.covariance[i], s2 * w.T @ r @ w, rtol=1e-6)
    total = np.ones((7, 1))
    half = found.half_widths(total, 0.9)[0]
    scales = np.sqrt([float((total.T @ c @ total).item()) for c in found.covariance])
    assert found.weights @ stats.t.cdf(half / scales, found.dof) == pytest.approx(0.95, abs=1e-12)


def test_draws_have_the_covariance_that_they_are_drawn_from():
    fit = StockpilingModel().fit(made(5, 72, rho=0.5))
    drawn = fit.misses.draws(200_000, 1)
    spread = np.einsum("g,gmn->mn", fit.misses.weights, fit.misses.covariance) * fit.misses.dof / (fit.misses.dof - 2)
    np.testing.assert_allclose(np.cov(drawn.T), spread, rtol=0.01, atol=0.01)
    for level in (0.5, 0.95):
        assert np.quantile(drawn.sum(axis=1), (1 + level) / 2) == pytest.approx(
            fit.misses.half_widths(np.ones((12, 1)), level)[0], rel=0.02
        )


PLANTED = 5.0
WINDOWS = {1: ("2020-01", "2020-01"), 12: ("2020-01", "2020-12"), 24: ("2020-07", "2022-06")}


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_intervals_hold_a_planted_excess_as_often_as_they_say(rho):
    """500 replications of 60 baseline months: between 92% and 98% of the intervals at 95% hold what was planted."""
    held = dict.fromkeys(WINDOWS, 0)
    for seed in range(500):
        frame = made(1000 + seed, 90, rho=rho)
        frame.loc["2020-01":, "value_usd"] += PLANTED
        fit = StockpilingModel().fit(frame)
        assert fit.lags == 3
        for months, window in WINDOWS.items():
            found = fit.excess(*window)
            held[months] += found.low <= PLANTED * months <= found.high
    assert all(0.92 <= n / 500 <= 0.98 for n in held.values()), held


def test_taking_correlated_errors_for_independent_ones_holds_too_seldom():
    held = 0
    for seed in range(200):
        fit = StockpilingModel(errors="iid").fit(made(1000 + seed, 90, rho=0.5))
        found = fit.excess(*WINDOWS[24])
        held += found.low <= 0 <= found.high
    assert held / 200 < 0.85


def test_units_of_the_regressors_do_not_matter():
    """Dollars of GDP beside months are no trouble: 1e13 against 1e2."""
    small, large = made(3), made(3)
    large["gdp"] *= 1e13
    a, b = (StockpilingModel().fit(f) for f in (small, large))
    assert a.excess("2020-07", "2022-06").high == pytest.approx(b.excess("2020-07", "2022-06").high, rel=1e-9)
    assert b.coefficients["gdp"] * 1e13 == pytest.approx(a.coefficients["gdp"], rel=1e-9)


@given(st.floats(-20, 20), st.floats(1e-6, 1e12), st.integers(0, 23), st.integers(1, 24))
def test_what_is_planted_is_found_and_units_carry_over(planted, scale, start, months):
    frame = made(4, 90)
    first, last = (str(frame.index[66] + i) for i in (0, 23))
    plain = StockpilingModel().fit(frame).excess(first, last)
    chosen = frame.index[66 + start : min(66 + start + months, 90)]
    frame.loc[chosen, "value_usd"] += planted
    frame["value_usd"] *= scale
    moved = StockpilingModel().fit(frame).excess(first, last)
    want = scale * (plain.estimate + planted * len(chosen))
    assert moved.estimate == pytest.approx(want, rel=1e-7, abs=scale * 1e-8)
    assert moved.high - moved.low == pytest.approx(scale * (plain.high - plain.low), rel=1e-7)


def test_order_of_rows_does_not_matter_and_the_frame_is_left_alone():
    frame = made(3)
    before = frame.copy()
    mixed = StockpilingModel().fit(frame.sample(frac=1, random_state=1)).excess("2020-01", "2024-12")
    assert mixed == StockpilingModel().fit(frame).excess("2020-01", "2024-12")
    pd.testing.assert_frame_equal(frame, before)


def test_path_agrees_with_the_excess_of_its_windows():
    for model in (StockpilingModel(), StockpilingModel(log=True), StockpilingModel(month_effects=True)):
        fit = model.fit(FRAME)
        path = fit.path()
        one, all_ = fit.excess("2021-03", "2021-03"), fit.excess("2020-01", "2024-12")
        march, last = path.loc["2021-03"], path.iloc[-1]
        assert march["excess"] == pytest.approx(one.estimate)
        assert [march["actual"] - march["high"], march["actual"] - march["low"]] == pytest.approx([one.low, one.high])
        sums = last[["cumulative", "cumulative_low", "cumulative_high"]]
        assert list(sums) == pytest.approx([all_.estimate, all_.low, all_.high])
        assert last["months"] == 60
        assert list(path["in_baseline"]) == list(BASE)
        assert path["reason"].isna().all()
        assert path.loc["2019-12", ["low", "cumulative"]].isna().all()


def test_missing_values_are_counted_and_never_filled():
    frame = made(3)
    frame.loc[["2016-05", "2021-02"], "value_usd"] = np.nan
    fit = StockpilingModel().fit(frame.drop(frame.index[75]))
    found = fit.excess("2021-01", "2021-06")
    assert (found.months, found.reason) == (4, None)
    path = fit.path()
    present = ["2021-01", "2021-03", "2021-05", "2021-06"]
    assert found.estimate == pytest.approx(path.loc[present, "excess"].sum())
    assert found.projection == pytest.approx(path.loc[present, "projection"].sum())
    assert path.loc["2021-02", "reason"] == "no value"
    assert path.loc["2021-04", "reason"] == "no projection for 2021-04: gdp, equipment missing; no value"
    assert path.loc["2021-02", "cumulative"] == path.loc["2021-01", "cumulative"]
    report = fit.diagnostics()
    assert (report.n, report.dropped) == (59, 1)
    assert "1 months of the baseline are missing" in report.cautions[0]
    empty = fit.excess("2021-02", "2021-02")
    assert (empty.estimate, empty.low, empty.share, empty.months) == (None, None, None, 0)
    assert empty.reason == "no value in any month from 2021-02 to 2021-02"


def test_a_regressor_that_is_missing_later_leaves_no_projection():
    frame = made(3)
    frame.loc["2024-01":, "gdp"] = np.nan
    fit = StockpilingModel().fit(frame)
    found = fit.excess("2023-07", "2024-12")
    assert (found.estimate, found.high, found.projection, found.months) == (None, None, None, 18)
    assert found.actual == pytest.approx(frame.loc["2023-07":, "value_usd"].sum())
    assert found.reason == "no projection for 12 months, first 2024-01: gdp missing"
    assert fit.excess("2023-07", "2023-12").estimate is not None
    path = fit.path()
    assert path.loc["2024-01":, ["projection", "low", "excess", "cumulative"]].isna().all(axis=None)
    assert path.loc["2024-01", "reason"] == "no projection for 2024-01: gdp missing"
    assert path.loc["2024-02", "reason"].endswith("no sum, as 2024-01 has no projection")
    assert str(fit.rundown().last) == "2023-12"


def test_months_before_the_baseline_count_for_time_and_nothing_else():
    fit = StockpilingModel(baseline=("2016-01", "2020-12")).fit(FRAME)
    path = fit.path()
    assert path.loc["2015-12", "reason"] == "before the baseline"
    assert path.loc[:"2015-12", ["projection", "excess", "low"]].isna().all(axis=None)
    later = FRAME.loc["2016-01":]
    again = StockpilingModel(baseline=("2016-01", "2020-12")).fit(later)
    assert again.excess("2021-01", "2024-12").high == pytest.approx(fit.excess("2021-01", "2024-12").high)
    assert again.coefficients["time"] == pytest.approx(fit.coefficients["time"])
    with pytest.raises(MeasureError, match="before the baseline 2016-01 to 2020-12 is over"):
        fit.excess("2015-01", "2015-06")


def test_a_frame_that_ends_with_the_baseline_has_no_excess():
    fit = StockpilingModel().fit(FRAME.loc[:"2019-12"])
    assert fit.path()["cumulative"].isna().all()
    found = fit.rundown()
    assert found.verdict == "cannot tell"
    assert "no month after the baseline" in found.reason
    assert fit.diagnostics().n == 60


def test_a_perfect_fit_has_no_doubt():
    frame = made(3)
    frame["value_usd"] = 7.0
    fit = StockpilingModel().fit(frame)
    found = fit.excess("2020-01", "2020-12")
    assert [found.estimate, found.low, found.high] == pytest.approx([0, 0, 0], abs=1e-9)
    assert fit.diagnostics().r_squared is None


def test_logarithms_agree_with_statsmodels_and_are_smeared_back():
    fit = StockpilingModel(log=True, errors="iid", cov="nonrobust").fit(FRAME)
    x = regressors(FRAME)
    x[:, 2:] = np.log(x[:, 2:])
    want = sm.OLS(np.log(FRAME["value_usd"].to_numpy()[BASE]), x[BASE]).fit()
    np.testing.assert_allclose(fit.coefficients, want.params, rtol=1e-9)
    back = np.exp(x[~BASE] @ want.params) * np.exp(want.resid).mean()
    np.testing.assert_allclose(fit.path()["projection"][~BASE], back, rtol=EXACT)
    frame = want.get_prediction(x[~BASE]).summary_frame(0.05)
    # Quantiles of 4,000 draws stand for the exact ones.
    width = np.exp(frame["obs_ci_upper"]) - np.exp(frame["obs_ci_lower"])
    assert (np.abs(fit.path()["low"][~BASE].to_numpy() - np.exp(frame["obs_ci_lower"])) / width).max() < 0.06
    assert (np.abs(fit.path()["high"][~BASE].to_numpy() - np.exp(frame["obs_ci_upper"])) / width).max() < 0.06
    assert fit.excess("2020-01", "2021-12") == StockpilingModel(log=True, errors="iid", cov="nonrobust").fit(
        FRAME
    ).excess("2020-01", "2021-12")


def test_intervals_of_logarithms_hold_the_truth():
    held = 0
    for seed in range(200):
        frame = made(3000 + seed, 84, rho=0.3)
        random = np.random.default_rng(seed)
        frame["value_usd"] = np.exp(1 + 0.5 * np.log(frame["gdp"]) + 0.1 * random.standard_normal(84))
        found = StockpilingModel(log=True).fit(frame).excess("2020-01", "2020-12")
        held += found.low <= 0 <= found.high
    assert 0.91 <= held / 200 <= 0.99


def test_month_effects_take_out_the_season():
    frame = made(3, noise=0.1)
    frame["value_usd"] += 10 * np.sin(2 * np.pi * frame.index.month / 12)
    plain, seasonal = (StockpilingModel(month_effects=m).fit(frame) for m in (False, True))
    assert any("try month_effects=True" in c for c in plain.diagnostics().cautions)
    a, b = (f.excess("2021-01", "2021-03") for f in (plain, seasonal))
    assert b.high - b.low < (a.high - a.low) / 5
    assert len(seasonal.coefficients) == 15


def test_other_forms_are_the_models_that_they_name():
    fit = StockpilingModel().fit(FRAME)
    window = ("2020-07", "2022-06")
    table = fit.alternatives(*window).set_index("model")
    assert list(table.index) == ["as fitted", "log", "month effects", "no trend"]
    for name, model in {
        "as fitted": StockpilingModel(),
        "log": StockpilingModel(log=True),
        "month effects": StockpilingModel(month_effects=True),
        "no trend": StockpilingModel(regressors=("gdp", "equipment")),
    }.items():
        want = model.fit(FRAME).excess(*window)
        assert table.loc[name, ["estimate", "low", "high"]].tolist() == pytest.approx(
            [want.estimate, want.low, want.high]
        )
    without = fit.without_each(*window).set_index("model")
    assert list(without.index) == ["as fitted", "without time", "without gdp", "without equipment"]
    assert without.loc["without time", "high"] == pytest.approx(table.loc["no trend", "high"])
    turned = StockpilingModel(regressors=("gdp",), log=True, month_effects=True).fit(FRAME).alternatives(*window)
    assert list(turned["model"]) == ["as fitted", "levels", "no month effects", "with trend"]


def test_a_form_that_cannot_be_fitted_is_a_row_with_the_reason():
    frame = made(3)
    frame.loc["2017-03", "value_usd"] = 0
    table = StockpilingModel().fit(frame).alternatives("2020-07", "2022-06").set_index("model")
    assert table.loc["log", "reason"] == "log=True, but 'value_usd' is zero or less in 1 months: 2017-03"
    assert pd.isna(table.loc["log", "estimate"])
    assert pd.isna(table.loc["as fitted", "reason"])
    with pytest.raises(MeasureError, match="is not inside the frame"):
        StockpilingModel().fit(frame).alternatives("2020-07", "2032-06")


def test_placebo_baselines_are_models_that_end_earlier():
    fit = StockpilingModel().fit(FRAME)
    table = fit.placebo()
    assert [str(m) for m in table["baseline_last"]] == ["2017-12", "2018-12"]
    assert [str(m) for m in table["last"]] == ["2019-12", "2019-12"]
    for row, end, first in zip(table.to_dict("records"), ("2017-12", "2018-12"), ("2018-01", "2019-01"), strict=True):
        want = dataclasses.replace(fit.model, baseline=("2015-01", end)).fit(FRAME).excess(first, "2019-12")
        assert (row["estimate"], row["low"]) == pytest.approx((want.estimate, want.low))
        assert row["covers_zero"] == (want.low <= 0 <= want.high)
    short = fit.placebo(ends=("2016-03", "2017-06"), horizon=6)
    assert "has 15 usable months" in short.loc[0, "reason"]
    assert short["covers_zero"].isna().tolist() == [True, False]
    assert str(short.loc[1, "last"]) == "2017-12"
    for ends, horizon, said in ((("2019-12",), None, "not inside the baseline"), (None, 0, "1 month or more")):
        with pytest.raises(MeasureError, match=said):
            fit.placebo(ends, horizon)


def test_placebos_seldom_find_what_is_not_there():
    found = [StockpilingModel().fit(made(5000 + s, 60)).placebo(("2018-12",)) for s in range(60)]
    covers = pd.concat(found)["covers_zero"]
    assert covers.mean() >= 0.85


@pytest.mark.parametrize(
    ("up", "down", "verdict"),
    [
        (6.0, -6.0, "run-down"),
        (6.0, -20.0, "substitution or lost demand"),
        (0.0, 0.0, "cannot tell"),
        (6.0, 6.0, "cannot tell"),
        (0.0, -20.0, "substitution or lost demand"),
    ],
)
def test_what_came_after_the_peak(up, down, verdict):
    frame = made(3, noise=0.3)
    frame.loc["2020-07":"2021-12", "value_usd"] += up
    frame.loc["2022-01":"2023-06", "value_usd"] += down
    fit = StockpilingModel().fit(frame.loc[:"2023-06"])
    found = fit.rundown()
    assert found.verdict == verdict, found
    assert found.at_last.estimate == pytest.approx(fit.path()["cumulative"].iloc[-1])
    if verdict == "run-down":
        assert abs((found.peak - pd.Period("2021-12", "M")).n) <= 2
        assert found.returned_share == pytest.approx(1, abs=0.4)
        assert found.at_peak.estimate + found.since_peak.estimate == pytest.approx(found.at_last.estimate)
    named = fit.rundown(peak="2021-12")
    assert str(named.peak) == "2021-12"
    with pytest.raises(MeasureError, match="is after 2023-06"):
        fit.rundown(peak="2024-01")


def broken(**columns) -> pd.DataFrame:
    return made(3).assign(**columns)


TWICE = pd.concat([made(3), made(3).iloc[[4]]])
REFUSED = {
    "short": (
        {"baseline": ("2015-01", "2016-06")},
        made(3),
        "has 18 usable months of 18; 4 coefficients need at least 24",
    ),
    "short with month effects": (
        {"baseline": ("2015-01", "2017-01"), "month_effects": True},
        made(3),
        "25 usable months of 25; 15 coefficients need at least 27",
    ),
    "empty regressor": ({}, broken(gdp=np.nan), r"0 usable months of 60 \(gdp missing in 60\)"),
    "outside": (
        {"baseline": ("2014-01", "2019-12")},
        made(3),
        "is not inside the frame, which runs from 2015-01 to 2024",
    ),
    "backwards": ({"baseline": ("2019-12", "2015-01")}, made(3), "ends .* before it starts"),
    "not a month": ({"baseline": ("2015-01", "later")}, made(3), "'later' is not a month"),
    "one month": ({"baseline": "2015-01"}, made(3), "expected two months"),
    "absent": (
        {},
        made(3).drop(columns="gdp"),
        "regressor 'gdp' is not in the frame, which has the columns: value_usd",
    ),
    "absent value": ({}, made(3).drop(columns="value_usd"), "column 'value_usd' is not in the frame"),
    "constant": ({}, broken(gdp=5.0), r"regressor 'gdp' is constant in the baseline \(5 in all 60 months\)"),
    "repeats": ({}, broken(gdp=3 * made(3)["equipment"] - 2), "factor of gdp .*equipment .*above 1e.06"),
    "repeats time": ({}, broken(gdp=np.arange(120.0)), "factor of time .*gdp "),
    "infinite": (
        {},
        broken(gdp=made(3)["gdp"].where(np.arange(120) != 3, np.inf)),
        "'gdp' is infinite in 1 months: 2015-04",
    ),
    "text": ({}, broken(gdp="many"), "regressor 'gdp' holds .*, not numbers"),
    "boolean": ({}, broken(gdp=True), "regressor 'gdp' holds bool, not numbers"),
    "own time": ({}, broken(time=1.0), "has a column 'time'"),
    "two columns": ({}, pd.concat([made(3), made(3)[["gdp"]]], axis=1), "more than one column 'gdp'"),
    "twice": ({}, TWICE, "months given twice in the frame: 2015-05"),
    "no rows": ({}, made(3).iloc[:0], "no rows"),
    "quarterly": ({}, made(3).set_axis(pd.period_range("2000Q1", periods=120, freq="Q")), "frequency Q"),
    "dates": ({}, made(3).set_axis(pd.date_range("2015-01", periods=120, freq="MS")), "it has DatetimeIndex"),
    "log of zero": ({"log": True}, broken(value_usd=made(3)["value_usd"] - 1e3), "'value_usd' is zero or less in 60"),
    "log of a regressor": ({"log": True}, broken(gdp=-made(3)["gdp"]), "'gdp' is zero or less in 120 months"),
    "given twice": ({"regressors": ("gdp", "gdp")}, made(3), "given twice: gdp"),
    "not a sequence": ({"regressors": "gdp"}, made(3), "expected a sequence of names"),
    "explains itself": ({"regressors": ("value_usd",)}, made(3), "cannot be a regressor"),
    "lags": ({"lags": 60}, made(3), "lags=60, but the baseline has 60"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_and_says_which(name):
    options, frame, said = REFUSED[name]
    with pytest.raises(MeasureError, match=said):
        StockpilingModel(**options).fit(frame)


def test_a_season_that_the_baseline_never_saw_is_refused():
    frame = made(3)
    frame.loc[frame.index.month == 2, "value_usd"] = np.nan
    with pytest.raises(MeasureError, match="never holds month 2"):
        StockpilingModel(month_effects=True).fit(frame)


@pytest.mark.parametrize("options", [{"errors": "ma"}, {"cov": "HC3"}, {"lags": -1}, {"lags": 1.5}, {"level": 95}])
def test_refuses_settings_that_do_not_exist(options):
    with pytest.raises(MeasureError, match=f"{next(iter(options))}=.*expected"):
        StockpilingModel(**options)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2019-06", "2020-06", "before the baseline 2015-01 to 2019-12 is over"),
        ("2021-06", "2021-01", "ends .2021-01. before it starts"),
        ("2024-06", "2025-01", "is not inside the frame, which ends in 2024-12"),
        ("2021-13", "2022-01", "'2021-13' is not a month"),
    ],
)
def test_refuses_windows_that_are_not_after_the_baseline(first, last, said):
    with pytest.raises(MeasureError, match=said):
        StockpilingModel().fit(FRAME).excess(first, last)


def test_near_collinearity_works_with_a_caution():
    """GDP that follows the trend but for one part in a thousand: the sum is still sound, the coefficient is not."""
    frame = made(3)
    frame["gdp"] = np.arange(120.0) + 0.05 * np.random.default_rng(1).standard_normal(120)
    fit = StockpilingModel().fit(frame)
    assert fit.diagnostics().coefficients.loc["gdp", "vif"] > 1e4
    assert any(c.startswith("gdp nearly repeats the others") for c in fit.diagnostics().cautions)
    assert fit.excess("2020-07", "2022-06").estimate is not None


def test_disturbances_that_hardly_die_out_are_a_caution():
    fit = StockpilingModel().fit(made(11, rho=0.97))
    assert fit.misses.mean_rho > 0.8
    assert any("less often than they say" in c for c in fit.diagnostics().cautions)
    assert not any("Disturbances last" in c for c in StockpilingModel().fit(made(11)).diagnostics().cautions)


def test_named_at_the_top_of_the_package():
    assert autarky.StockpilingModel is StockpilingModel
    assert "StockpilingModel" in autarky.__all__


@pytest.mark.parametrize("scale", [1e4, 1e9])
def test_charts_draw_the_same_twice_with_gaps_and_units(scale):
    frame = made(3)
    frame.loc["2022-03", "value_usd"] = np.nan
    path = StockpilingModel().fit(frame.assign(value_usd=frame["value_usd"] * scale)).path()
    for chart in (stockpiling_charts.projection, stockpiling_charts.cumulative):
        one = chart(path, "Some goods")
        svg = draw(one)
        assert svg == draw(chart(path, "Some goods"))
        assert ("billion USD" if scale == 1e9 else "million USD") in svg
        assert "Some goods" in svg
        assert float(svg.split('width="', 1)[1].split('"', 1)[0]) <= theme.WIDTH + 20
        assert '"type": "utc"' in json.dumps(one.to_dict())
        assert "interval" in draw(chart(path, ""))


def test_real_exports_agree_with_a_direct_computation(shared):
    """US exports to China of integrated circuits (HS 8542), baseline 2013-2017, against plain statsmodels."""
    flows = pd.read_parquet(shared / "us-china" / "us-exports-to-china-monthly-hs6-2013-01_2021-02.parquet")
    gdp = pd.read_csv(shared / "macro" / "world-bank-gdp-usd.csv").query("`Country Code` == 'CHN'").set_index("Year")
    by_group = {
        name: flows[flows["hs6"].str.startswith(codes)].groupby("period")["value_usd"].sum()
        for name, codes in {"value_usd": ("8542",), "equipment": ("8419", "8514")}.items()
    }
    frame = pd.DataFrame(by_group)
    frame.index = pd.PeriodIndex(frame.index, freq="M")
    frame["gdp"] = gdp["Value"].reindex(frame.index.year).to_numpy()
    model = StockpilingModel(baseline=("2013-01", "2017-12"))
    fit = model.fit(frame)
    found = fit.excess("2018-07", "2021-01")
    assert str(frame.index[-1]) == "2021-01"
    # GDP in trillions, as the plain computation loses digits in dollars.
    x = regressors(frame.assign(gdp=frame["gdp"] / 1e12, equipment=frame["equipment"] / 1e9))
    y = frame["value_usd"].to_numpy()
    want = sm.OLS(y[:60], x[:60]).fit()
    assert found.estimate == pytest.approx(y[66:].sum() - (x[66:] @ want.params).sum(), rel=1e-9)
    assert found.months == 31
    assert found.low > 0
    assert len(fit.placebo()) == 2
    assert fit.diagnostics().coefficients.loc["gdp", "distinct"] == 5
