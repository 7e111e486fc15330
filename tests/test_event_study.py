"""The event study: windows by hand, statsmodels beside it, planted effects, placebo dates, what cannot be told."""

import datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky.errors import MeasureError
from autarky.models.event_study import LEAST_PLACEBOS, WINDOWS, Event, EventStudy

EVENT = Event(datetime.date(2023, 12, 1), datetime.date(2023, 10, 20))
MONTHS = pd.period_range("2017-01", "2024-12", freq="M")


def planted(effects=None, *, noise=1.0, rho=0.0, seed=1):
    """A trend, a season and disturbances of first-order autocorrelation; `effects` adds to single months."""
    random = np.random.default_rng(seed)
    shocks = random.normal(scale=noise * np.sqrt(1 - rho**2), size=len(MONTHS) + 200)
    errors = np.zeros(len(shocks))
    for i in range(1, len(shocks)):
        errors[i] = rho * errors[i - 1] + shocks[i]
    values = 100 + 0.5 * np.arange(len(MONTHS)) + 8 * np.sin(2 * np.pi * MONTHS.month / 12) + errors[-len(MONTHS) :]
    series = pd.Series(values, index=MONTHS)
    for month, effect in (effects or {}).items():
        series[month] += effect
    return series


def by_window(series, study=None):
    return (study or EventStudy(EVENT)).fit(series).windows().set_index("window")


def test_windows_of_the_graphite_control_by_hand():
    assert [str(m) for m in EVENT.window("baseline")] == ["2020-04", "2023-03"]
    assert [str(m) for m in EVENT.window("before")] == ["2023-04", "2023-09"]
    assert [str(m) for m in EVENT.window("announced")] == ["2023-10", "2023-11"]
    assert [str(m) for m in EVENT.window("after")] == ["2023-12", "2024-11"]


def test_a_month_that_is_only_partly_under_the_control_is_not_after():
    event = Event(datetime.date(2023, 12, 3), datetime.date(2023, 12, 3), after=3)
    assert [str(m) for m in event.window("announced")] == ["2023-12", "2023-12"]
    assert [str(m) for m in event.window("after")] == ["2024-01", "2024-03"]
    same = Event(datetime.date(2023, 12, 1))
    assert same.window("announced") is None
    row = by_window(planted(), EventStudy(same)).loc["announced"]
    assert pd.isna(row["difference"])
    assert "no whole month" in row["reason"]


@settings(deadline=None)
@given(
    st.dates(datetime.date(2000, 1, 1), datetime.date(2030, 12, 31)),
    st.integers(0, 400),
    st.integers(1, 60),
    st.integers(0, 24),
    st.integers(1, 36),
)
def test_windows_follow_one_another_without_gap_or_overlap(effective, lead, baseline, before, after):
    announced = effective - datetime.timedelta(days=lead)
    event = Event(effective, announced, baseline=baseline, before=before, after=after)
    spans = [s for n in ("baseline", *WINDOWS) if (s := event.window(n))]
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(spans))
    assert (event.window("baseline")[1] - event.window("baseline")[0]).n + 1 == baseline
    assert (event.window("after")[1] - event.window("after")[0]).n + 1 == after


def test_the_counterfactual_is_ordinary_least_squares():
    series = planted()
    found = by_window(series)
    months = pd.period_range("2020-04", "2024-11", freq="M")
    columns = [np.ones(len(months)), np.arange(len(months))] + [(months.month == m).astype(float) for m in range(2, 13)]
    design = np.column_stack(columns)
    inside = months <= pd.Period("2023-03", "M")
    fitted = sm.OLS(series[months[inside]].to_numpy(), design[inside]).fit()
    for name in WINDOWS:
        first, last = EVENT.window(name)
        held = (months >= first) & (months <= last)
        projection = fitted.predict(design[held]).sum()
        row = found.loc[name]
        assert row["projection"] == pytest.approx(projection, rel=1e-10)
        assert row["difference"] == pytest.approx(series[months[held]].sum() - projection, rel=1e-8)
        assert row["share"] == pytest.approx(row["difference"] / projection, rel=1e-10)
        assert row["low"] < row["difference"] < row["high"]


def test_planted_effects_are_found_where_they_are():
    effects = {"2023-10": 60, "2023-11": 60, **{str(m): -50 for m in pd.period_range("2023-12", "2024-11", freq="M")}}
    found = by_window(planted(effects))
    assert found.loc["announced", "low"] < 120 < found.loc["announced", "high"]
    assert found.loc["after", "low"] < -600 < found.loc["after", "high"]
    assert found.loc["announced", "low"] > 0
    assert found.loc["after", "high"] < 0
    assert found.loc["before", "low"] < 0 < found.loc["before", "high"]
    least = 1 / (1 + found.loc["after", "placebos"])
    assert found.loc["after", "placebo_p"] == pytest.approx(least)
    assert found.loc["announced", "placebo_p"] == pytest.approx(least)


def test_the_interval_covers_a_planted_effect_as_often_as_it_says():
    """Autocorrelated months, 200 seeded trials: a 95% interval, give or take two and a half standard errors."""
    study = EventStudy(Event(EVENT.effective, EVENT.announced, after=6), month_effects=False)
    held = 0
    for seed in range(200):
        series = planted({str(m): -30 for m in pd.period_range("2023-12", "2024-05", freq="M")}, rho=0.4, seed=seed)
        # The season is taken out as it is known here: what is tested is the interval.
        series -= 8 * np.sin(2 * np.pi * MONTHS.month / 12)
        model = study.fit(series).model
        found = model.excess("2023-12", "2024-05")
        held += found.low < -180 < found.high
    assert 0.91 <= held / 200 <= 0.99


def test_placebo_dates_are_over_before_the_event_begins():
    fit = EventStudy(EVENT).fit(planted())
    dates = fit.placebos
    # 2017-01 to 2023-03: a design of 56 months fits 20 times.
    assert dates.groupby("window").size().to_dict() == dict.fromkeys(WINDOWS, 20)
    after = {b: EVENT.window("after", b)[1] for b in dates["back"]}
    first = {b: EVENT.window("baseline", b)[0] for b in dates["back"]}
    assert max(after.values()) == EVENT.window("before")[0] - 1
    assert min(first.values()) == pd.Period("2017-01", "M")


def test_the_p_value_is_a_rank_among_placebo_dates():
    fit = EventStudy(EVENT).fit(planted({"2023-10": 5}))
    table = fit.windows().set_index("window")
    for name in WINDOWS:
        ratios = fit.placebos.loc[fit.placebos["window"] == name, "ratio"].abs()
        beyond = (ratios >= abs(fit.ratio(name))).sum()
        assert table.loc[name, "placebo_p"] == pytest.approx((1 + beyond) / (1 + len(ratios)))


def test_without_an_effect_p_values_are_spread_out():
    found = [by_window(planted(seed=s)).loc["announced", "placebo_p"] for s in range(60)]
    assert 0.35 < np.mean(found) < 0.65
    assert np.mean([p <= 0.25 for p in found]) < 0.45


def test_few_placebo_dates_give_no_p_value():
    table = by_window(planted()["2018-06":])
    assert (table["placebos"] < LEAST_PLACEBOS).all()
    assert table["placebo_p"].isna().all()
    assert table["difference"].notna().all()


def test_prices_are_compared_as_ratios():
    series = np.exp(planted(noise=0.5) / 50)
    doubled = series.copy()
    doubled["2023-12":"2024-11"] *= 2
    study = EventStudy(EVENT, log=True)
    one, two = by_window(series, study).loc["after"], by_window(doubled, study).loc["after"]
    assert two["projection"] == pytest.approx(one["projection"], rel=1e-12)
    assert 1 + two["share"] == pytest.approx(2 * (1 + one["share"]), rel=1e-9)
    for end in ("share_low", "share_high"):
        assert 1 + two[end] == pytest.approx(2 * (1 + one[end]), rel=1e-9)
    assert -1 < one["share_low"] < one["share"] < one["share_high"]


def test_changes_do_not_depend_on_the_unit():
    series = planted({"2024-01": -40})
    one, other = by_window(series), by_window(series * 1000)
    for column in ("share", "share_low", "share_high", "placebo_p"):
        np.testing.assert_allclose(one[column].astype(float), other[column].astype(float), rtol=1e-7)


def test_absent_months_do_not_count_and_are_said():
    series = planted()
    series["2024-01"] = np.nan
    row = by_window(series).loc["after"]
    assert row["months"] == 11
    full = by_window(planted()).loc["after"]
    assert row["actual"] == pytest.approx(full["actual"] - planted()["2024-01"])


def test_a_window_that_the_data_do_not_reach_is_null_with_a_reason():
    row = by_window(planted()[:"2024-05"]).loc["after"]
    assert pd.isna(row["difference"])
    assert "the series ends in 2024-05" in row["reason"]
    assert by_window(planted()[:"2024-05"]).loc["announced", "months"] == 2


def test_the_path_has_every_month_and_the_sums_of_its_windows():
    fit = EventStudy(EVENT).fit(planted())
    path, table = fit.path(), fit.windows().set_index("window")
    assert list(path.index) == list(pd.period_range("2020-04", "2024-11", freq="M"))
    sums = path.groupby("window")[["actual", "projection"]].sum()
    for name in WINDOWS:
        assert sums.loc[name, "actual"] == pytest.approx(table.loc[name, "actual"])
        assert sums.loc[name, "projection"] == pytest.approx(table.loc[name, "projection"])
    assert path.loc[path["window"] == "baseline", ["low", "high"]].isna().all(axis=None)
    assert (path["low"] < path["high"])[path["window"] != "baseline"].all()


def test_other_models_are_other_models():
    names = dict(EventStudy(EVENT).alternatives())
    assert len(set(names.values())) == len(names) == 5
    assert names["baseline of 48 months"].event.baseline == 48
    assert not names["no trend"].trend


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Event(datetime.date(2023, 1, 1), datetime.date(2023, 2, 1)), "is after effective"),
        (lambda: Event(datetime.date(2023, 1, 1), after=0), "after=0: expected 1"),
        (lambda: Event(datetime.date(2023, 1, 1), baseline=0), "baseline=0"),
        (lambda: EventStudy(EVENT).fit(planted()["2022-06":]), "usable months"),
        (lambda: EventStudy(EVENT).fit(planted()[:"2022-06"]), "ends before the baseline"),
        (lambda: EventStudy(EVENT).fit(planted()[:0]), "ends before the baseline|no rows|usable"),
    ],
)
def test_what_cannot_be_studied(make, said):
    with pytest.raises(MeasureError, match=said):
        make()
