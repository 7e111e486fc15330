"""Change points: cost, likelihood and segmentation against independent ones; false alarms; planted steps; actions."""

import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import ruptures
from examples import draw

from autarky import change_points as cp
from autarky.studies._self_reliance import changes_part

CALENDAR = pd.period_range("2015-01", periods=120, freq="M")
SEASON = 0.1 * np.sin(2 * np.pi * np.arange(120) / 12)


def noise(rng: np.random.Generator, rho: float, sd: float = 0.1) -> np.ndarray:
    found = np.zeros(220)
    for month, new in enumerate(rng.normal(size=219), 1):
        found[month] = rho * found[month - 1] + new
    return sd * found[100:] * np.sqrt(1 - rho**2)


def monthly(logs: np.ndarray) -> pd.Series:
    return pd.Series(1e6 * np.exp(logs), index=CALENDAR)


def test_the_cost_is_that_of_a_least_squares_line():
    rng = np.random.default_rng(0)
    t, y = np.arange(40.0), rng.normal(size=40)
    cost = cp.Lines().fit(np.column_stack([t, y]))
    oracle = ruptures.costs.CostLinear().fit(np.column_stack([y, t, np.ones(40)]))
    for start, end in ((0, 40), (3, 15), (10, 22)):
        residual = np.polyfit(t[start:end], y[start:end], 1, full=True)[1][0]
        assert cost.error(start, end) == pytest.approx(residual, rel=1e-9)
        assert cost.error(start, end) == pytest.approx(oracle.error(start, end), rel=1e-9)


def test_the_likelihood_is_the_dense_gaussian_one_also_over_gaps():
    """The same ρ and σ in a full covariance matrix, months absent: the log-likelihood at its maximum over β and σ."""
    rng = np.random.default_rng(1)
    held = np.array([i for i in range(60) if i not in (7, 8, 30)], dtype=float)
    y = noise(rng, 0.6)[: len(held)] + 0.01 * held
    design = cp._design(held, [25, len(held)])
    best = []
    for rho in cp.DEPENDENCE:
        cov = rho ** np.abs(held[:, None] - held[None, :])
        inverse = np.linalg.inv(cov)
        beta = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ y)
        left = y - design @ beta
        variance = left @ inverse @ left / len(y)
        best.append((-len(y) / 2 * np.log(variance) - np.linalg.slogdet(cov)[1] / 2, rho, np.sqrt(variance)))
    assert cp._likelihood(y, design, np.diff(held)) == pytest.approx(max(best), rel=1e-9)


def test_one_break_is_where_brute_force_puts_it():
    rng = np.random.default_rng(2)
    y = noise(rng, 0.3)
    y[70:] += 0.6
    y = cp.deseasoned(pd.Series(y, index=CALENDAR)).to_numpy()
    t = np.arange(120.0)
    sums = {
        at: sum(np.polyfit(t[a:b], y[a:b], 1, full=True)[1][0] for a, b in ((0, at), (at, 120)))
        for at in range(12, 109)
    }
    found = cp.fit(pd.Series(np.exp(y), index=CALENDAR))
    assert [CALENDAR.get_loc(m) for m in found.breaks] == [min(sums, key=sums.get)]


@pytest.mark.parametrize(("rho", "trend"), [(0.0, 0.01), (0.6, 0.02), (0.9, 0.0)])
def test_noise_and_trend_are_no_break(rho, trend):
    rng = np.random.default_rng(3)
    found = [bool(cp.fit(monthly(noise(rng, rho) + SEASON + trend * np.arange(120))).breaks) for _ in range(60)]
    assert np.mean(found) <= cp.FALSE_ALARMS


@pytest.mark.parametrize(("rho", "step", "share"), [(0.0, 0.3, 0.9), (0.6, 0.5, 0.9), (0.6, -0.5, 0.9)])
def test_a_planted_step_is_found_within_two_months(rho, step, share):
    rng = np.random.default_rng(4)
    hits = []
    for _ in range(30):
        logs = noise(rng, rho) + SEASON + 0.005 * np.arange(120)
        logs[60:] += step
        points = cp.points({"g": cp.fit(monthly(logs))})
        near = points[[abs((m - CALENDAR[60]).n) <= 2 for m in points["month"]]]
        hits.append(len(near) == 1 and near["kind"].iloc[0] == ("step up" if step > 0 else "step down"))
    assert np.mean(hits) >= share


def test_a_clean_step_and_a_clean_turn_are_measured_exactly():
    t = np.arange(120)
    step = cp.find(pd.DataFrame({"g": monthly(np.where(t < 50, 0.0, np.log(1.5)))})).iloc[0]
    assert step["month"] == CALENDAR[50]
    assert (step["before_usd"], step["after_usd"], step["change"]) == pytest.approx((1e6, 1.5e6, 0.5), rel=1e-6)
    assert step["kind"] == "step up"
    turn = cp.find(pd.DataFrame({"g": monthly(np.where(t < 50, 0.01 * t, 0.5 - 0.02 * (t - 50)))})).iloc[0]
    assert abs((turn["month"] - CALENDAR[50]).n) <= 1
    assert turn["trend_before"] == pytest.approx(np.expm1(0.12), rel=1e-6)
    assert turn["trend_after"] == pytest.approx(np.expm1(-0.24), rel=1e-6)
    assert turn["kind"] == "turn down"


def test_units_do_not_matter():
    logs = noise(np.random.default_rng(5), 0.5)
    logs[40:] += 0.7
    one, other = (cp.fit(monthly(logs) * k) for k in (1, 7.3))
    assert one.breaks == other.breaks
    assert one.dependence == other.dependence


def test_absent_months_are_not_filled_and_keep_their_place():
    logs = np.where(np.arange(120) < 60, 0.0, 0.5) + noise(np.random.default_rng(6), 0.2, sd=0.05)
    values = monthly(logs)
    values.iloc[[10, 30, 31, 58, 59, 60, 90]] = [np.nan, np.nan, 0.0, np.nan, np.nan, np.nan, np.nan]
    found = cp.fit(values)
    assert (len(found.months), found.absent) == (113, 7)
    # The step lies in the gap: the new line begins at the first month after it that has a value.
    assert found.breaks == (CALENDAR[61],)
    assert set(CALENDAR[[10, 30, 31, 58, 59, 60, 90]]).isdisjoint(found.months)


def test_a_season_is_taken_away_and_a_short_series_says_why_it_is_not_looked_at():
    season = np.tile(np.linspace(-0.3, 0.3, 12), 10)
    left = cp.deseasoned(pd.Series(0.01 * np.arange(120) + season, index=CALENDAR))
    assert np.diff(left.to_numpy()) == pytest.approx(0.01, abs=1e-9)
    short = cp.fit(monthly(np.zeros(120)).iloc[:35])
    assert short.breaks == ()
    assert short.why == "35 months with a value; two segments and their noise take 36"
    assert cp.find(pd.DataFrame({"g": monthly(np.zeros(120)).iloc[:35]})).empty


ACTIONS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "effective": [datetime.date(2018, 7, 6), datetime.date(2018, 1, 22), None, datetime.date(2021, 1, 1)],
        "issuer": ["USA", "USA", "CHN", "CHN"],
        "title": ["first", "second", "undated", "far"],
    }
)


def test_actions_near_a_point_are_listed_with_their_distance():
    points = pd.DataFrame({"group": ["g", "h"], "month": CALENDAR[[39, 100]], "kind": ["step up", "turn down"]})
    near = cp.beside(points, ACTIONS)
    assert near[["group", "id", "days"]].to_numpy().tolist() == [["g", "b", -69]]
    wide = cp.beside(points, ACTIONS, window_days=96)
    assert wide[["id", "days"]].to_numpy().tolist() == [["b", -69], ["a", 96]]
    assert cp.beside(points.iloc[:0], ACTIONS).empty
    assert cp.beside(points, ACTIONS.iloc[:0]).empty


def test_chance_is_the_share_of_months_near_an_action():
    # 2018-01-22 is within 31 days of the firsts of January and February 2018 (21 and 10 days); 2018-07-06 of those of
    # July and August (5 and 26); 2021-01-01 of December, January, February (31, 0, 31).
    assert cp.near_by_chance(CALENDAR, ACTIONS, window_days=31) == pytest.approx(7 / 120)
    assert cp.near_by_chance(CALENDAR, ACTIONS.iloc[:0]) == 0


def test_the_part_sets_actions_beside_points_and_says_what_chance_would_do():
    rng = np.random.default_rng(7)
    logs = np.column_stack([noise(rng, 0.3) + np.where(np.arange(120) < 42, 0, 0.8), noise(rng, 0.3)])
    series = pd.DataFrame(1e6 * np.exp(logs), index=CALENDAR, columns=["stepped", "plain"]).assign(empty=np.nan)
    given = SimpleNamespace(series=series, source_line="Data: none.")
    found = changes_part.part(given, pd.concat([ACTIONS, ACTIONS]))
    (section,) = found.sections
    for table in found.tables:
        assert list(table.frame.columns) == [c.name for c in table.columns]
    tables = {t.name: t.frame for t in found.tables}
    assert tables["change_points"]["group"].tolist() == ["stepped"]
    assert tables["change_actions"]["id"].tolist() == ["a"]
    share = cp.near_by_chance(CALENDAR, ACTIONS)
    assert "1 change point in 1 of 2 groups: 1 step up." in section.paragraphs[1]
    assert "Not looked at: empty (0 months with a value" in " ".join(section.paragraphs)
    assert f"By chance about {share:.1f} would: {share:.0%} of all months" in section.paragraphs[-1]
    svg = draw(found.figures[0].chart)
    assert "stepped" in svg
    assert "Green ticks" in svg
    without = changes_part.part(given)
    assert "No dated control actions were given" in without.sections[0].paragraphs[-1]
    assert "Green ticks" not in draw(without.figures[0].chart)
    none = changes_part.part(SimpleNamespace(series=series[["plain"]], source_line=""), ACTIONS)
    assert "change_points" not in none.sections[0].items
