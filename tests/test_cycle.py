"""From target to cycle: closed forms, the null enumerated by hand, its rejection rate, dates of the cards."""

import datetime
import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from examples import draw
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky import cycle, watchlists
from autarky.errors import CardError, MeasureError
from autarky.studies._self_reliance import cycle_part

DAY = datetime.date(2018, 7, 1)
CALENDAR = pd.period_range("2015-01", periods=120, freq="M")
AT = CALENDAR.get_loc(pd.Period("2018-07", "M"))
SEASON = 0.1 * np.sin(2 * np.pi * np.arange(120) / 12)


def frame(logs: np.ndarray) -> pd.DataFrame:
    logs = logs.reshape(120, -1)
    return pd.DataFrame(np.exp(logs), index=CALENDAR, columns=[f"g{i}" for i in range(logs.shape[1])])


def dated(series: pd.DataFrame, day: datetime.date = DAY) -> dict[str, datetime.date | None]:
    return dict.fromkeys(series.columns, day)


def noise(rng: np.random.Generator, rho: float, groups: int, common: float = 0.0) -> np.ndarray:
    """Autoregressive noise with a common part; rho = 1 is a random walk."""
    new = rng.normal(size=(220, groups)) + common * rng.normal(size=(220, 1))
    found = np.zeros_like(new)
    for month in range(1, 220):
        found[month] = rho * found[month - 1] + new[month]
    return 0.1 * found[100:]


def tent(rise: float, fall: float) -> np.ndarray:
    t = np.arange(120) - AT
    return np.where(t < 0, rise * t, -fall * t)


def test_a_tent_has_the_difference_of_its_slopes():
    found = cycle.test(frame(tent(0.02, 0.03)), {"g0": DAY}, window=36)
    assert found.statistic == pytest.approx(12 * 0.05, abs=1e-9)
    row = found.groups.iloc[0]
    assert (row["before"], row["after"]) == pytest.approx((0.24, -0.36), abs=1e-9)
    # The month of the peak lies on both lines, so a date one month later gives the same.
    assert found.p_value == pytest.approx(2 / 120)


def test_the_statistic_is_that_of_separate_least_squares_fits():
    rng = np.random.default_rng(0)
    logs = noise(rng, 0.5, 4) + SEASON[:, None]
    found = cycle.test(frame(logs), dated(frame(logs)), window=24)
    slopes = [[np.polyfit(np.arange(24), y[AT + start : AT + start + 24], 1)[0] for start in (-24, 0)] for y in logs.T]
    assert found.statistic == pytest.approx(12 * np.mean([a - b for a, b in slopes]), abs=1e-10)


@settings(deadline=None, max_examples=25)
@given(st.floats(-0.05, 0.05), st.lists(st.floats(-0.5, 0.5), min_size=12, max_size=12))
def test_trend_and_season_change_nothing(slope, effects):
    logs = noise(np.random.default_rng(1), 0.5, 3)
    plain, other = frame(logs), frame(logs + slope * np.arange(120)[:, None] + np.tile(effects, 10)[:, None])
    first, second = (cycle.test(s, dated(s), window=36) for s in (plain, other))
    assert second.null == pytest.approx(first.null, abs=1e-8)
    assert second.p_value == first.p_value


def test_the_null_is_every_turn_of_all_series_together():
    rng = np.random.default_rng(2)
    series = frame(noise(rng, 0.6, 3))
    named = {"g0": DAY, "g1": datetime.date(2019, 3, 1), "g2": DAY}
    found = cycle.test(series, named, window=24)
    logs = cycle._adjusted(np.log(series.to_numpy()), CALENDAR)
    expected = []
    for shift in range(120):
        turned = np.roll(logs, -shift, axis=0)
        parts = []
        for column, day in enumerate(named.values()):
            at = CALENDAR.get_loc(pd.Period(str(day), "M"))
            before, after = turned[at - 24 : at, column], turned[at : at + 24, column]
            parts.append(12 * (np.polyfit(range(24), before, 1)[0] - np.polyfit(range(24), after, 1)[0]))
        expected.append(np.mean(parts))
    assert found.null == pytest.approx(np.array(expected), abs=1e-10)
    assert found.shifts == 120
    assert found.events == 2
    assert found.p_value == np.mean(np.array(expected) >= expected[0] - 1e-9)
    # Both windows inside for both dates: the earlier one may move back by AT - 24, the later one on by 120 - 24 - 50.
    assert found.inside == (AT - 24) + (120 - 24 - 50) + 1


def test_the_critical_value_is_where_five_percent_begins():
    rng = np.random.default_rng(3)
    found = cycle.test(frame(noise(rng, 0.6, 2)), {"g0": DAY, "g1": DAY}, window=24)
    others = np.sort(found.null[1:])[::-1]
    for value, below in ((others[5] + 1e-6, True), (others[5] - 1e-6, False)):
        share = (1 + (others >= value).sum()) / 120
        assert (share <= 0.05) == below
    assert found.critical == pytest.approx(others[5])


@pytest.mark.parametrize(
    ("rho", "trend", "common"), [(0.0, 0.0, 0.0), (0.6, 0.0, 0.0), (0.6, 0.0, 2.0), (1.0, 0.02, 0)]
)
def test_without_a_cycle_five_percent_are_found(rho, trend, common):
    """Noise, dependent noise, groups that move together, trending random walks: p is about uniform."""
    rng = np.random.default_rng(4)
    found = []
    for _ in range(300):
        series = frame(noise(rng, rho, 6, common) + trend * np.arange(120)[:, None] + SEASON[:, None])
        found.append(cycle.test(series, dated(series), window=36).p_value)
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.09
    assert 0.42 <= np.mean(found) <= 0.58


def test_a_planted_cycle_is_found():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(40):
        series = frame(tent(0.03, 0.02)[:, None] + noise(rng, 0.6, 8) + SEASON[:, None])
        found.append(cycle.test(series, dated(series), window=36).p_value)
    assert np.mean(np.array(found) <= 0.05) >= 0.9
    valley = frame(-tent(0.015, 0.01)[:, None] + noise(rng, 0.6, 8))
    assert cycle.test(valley, dated(valley), window=36).p_value > 0.9


def test_sixteen_copies_are_one_event():
    """Groups that share a date and a path say no more than one of them."""
    one = frame(noise(np.random.default_rng(6), 0.5, 1))
    many = pd.concat([one["g0"].rename(f"g{i}") for i in range(16)], axis=1)
    first, second = (cycle.test(s, dated(s), window=24) for s in (one, many))
    assert first.p_value == second.p_value
    assert second.events == 1


def test_groups_that_cannot_be_tested_are_named_with_the_reason():
    series = frame(noise(np.random.default_rng(7), 0.5, 4))
    series.iloc[AT - 36 : AT - 20, 1] = np.nan
    named = {"g0": DAY, "g1": DAY, "g2": datetime.date(2023, 7, 1), "g3": None}
    found = cycle.test(series, named, window=36)
    assert list(found.groups["group"]) == ["g0"]
    assert set(found.left_out) == {"g1", "g2", "g3"}
    assert "fewer than 75% of the 36 months" in found.left_out["g1"]
    assert "has not 36 months on either side" in found.left_out["g2"]
    with pytest.raises(MeasureError, match=r"no group can be tested: .*first g2"):
        cycle.test(series[["g2"]], named, window=36)
    with pytest.raises(MeasureError, match="no group has a date"):
        cycle.test(series[["g3"]], named, window=36)
    with pytest.raises(MeasureError, match="whole years"):
        cycle.test(series, named, window=30)


def test_slopes_over_a_ring_leave_absent_months_out():
    logs = noise(np.random.default_rng(8), 0.3, 1)
    logs[5] = np.nan
    slopes = cycle.ring_slopes(logs, 12)
    held = np.array([i for i in range(12) if i != 5])
    assert slopes[0, 0] == pytest.approx(np.polyfit(held, logs[held, 0], 1)[0])
    seam = np.r_[logs[114:, 0], logs[:6, 0]]
    held = np.arange(11)
    assert slopes[114, 0] == pytest.approx(np.polyfit(held, seam[held], 1)[0])
    logs[4:8] = np.nan
    assert np.isnan(cycle.ring_slopes(logs, 12)[0, 0])


def test_around_takes_the_season_away_and_starts_from_one():
    level = np.where(np.arange(120) < AT, 100.0, 50.0)
    series = pd.DataFrame({"g": level * (1 + SEASON)}, index=CALENDAR)
    found = cycle.around(series, {"g": DAY}).set_index("offset")
    assert list(found.index) == list(range(-36, 37))
    assert found.loc[0, "period"] == pd.Period("2018-07", "M")
    assert found.loc[-36:-7, "index"].to_numpy() == pytest.approx(1, abs=1e-9)
    assert found.loc[6:, "index"].to_numpy() == pytest.approx(0.5, abs=1e-9)
    # Half of the step is seen in the middle month: 6.5 of 12 weights lie at or after it.
    plain = pd.DataFrame({"g": level}, index=CALENDAR)
    assert cycle.around(plain, {"g": DAY}).set_index("offset").loc[0, "index"] == pytest.approx((5.5 + 6.5 / 2) / 12)


def test_centered_is_the_two_by_twelve_mean():
    values = noise(np.random.default_rng(9), 0.3, 1)
    series = pd.DataFrame(values, index=CALENDAR, columns=["g"])
    weights = np.r_[0.5, np.ones(11), 0.5] / 12
    assert cycle.centered(series)["g"].iloc[50] == pytest.approx(float(weights @ values[44:57, 0]))
    assert cycle.centered(series)["g"].iloc[-6:].isna().all()


def test_a_group_without_a_base_has_no_index_and_a_gap_stays_a_gap():
    series = pd.DataFrame({"g": 100.0, "late": 100.0}, index=CALENDAR)
    series.loc[series.index < pd.Period("2018-01", "M"), "late"] = np.nan
    series.iloc[60:80, 0] = np.nan
    found = cycle.around(series, {"g": DAY, "late": DAY})
    assert found.loc[found["group"] == "late", "index"].isna().all()
    gap = found[(found["group"] == "g") & found["period"].isin(CALENDAR[66:75])]
    assert gap["index"].isna().all()
    late = cycle.around(series, {"late": datetime.date(2019, 7, 1)}, before=18, base="first-year")
    assert late["index"].iloc[18:].dropna().to_numpy() == pytest.approx(1)
    with pytest.raises(MeasureError, match="year-before or first-year"):
        cycle.around(series, {"g": DAY}, base="peak")


def test_spread_by_hand():
    rows = itertools.product(range(2), "abcd")
    held = pd.DataFrame(
        [(g, o, float("abcd".index(g) + 10 * o)) for o, g in rows], columns=["group", "offset", "index"]
    )
    held.loc[(held["group"] == "d") & (held["offset"] == 1), "index"] = np.nan
    found = cycle.spread(held).set_index("offset")
    assert tuple(found.loc[0]) == pytest.approx((4, 1.5, np.sqrt(5 / 3), 0.75, 1.5, 2.25))
    assert tuple(found.loc[1]) == pytest.approx((3, 11, 1, 10.5, 11, 11.5))


@pytest.mark.parametrize("name", ["naughton-fang-2025-batch1", "naughton-fang-2025-batch2"])
def test_every_group_of_the_cards_has_a_date_with_its_place(name):
    listed = watchlists.load(name)
    assert set(listed.namings) == set(listed.groups)
    assert all(n.source for n in listed.namings.values())
    assert {g: d for g, d in listed.named.items() if d != DAY} == {
        g: datetime.date(2023, 7, 1) for g in listed.groups if g in ("Medicines", "Advanced Manufacturing")
    }
    assert set(listed.named_by(1).values()) <= {datetime.date(2018, 1, 1), datetime.date(2023, 1, 1)}


CARD = """id: mine
title: t
source: s
nomenclature: GACC8
groups:
- group: A
  category: c
  named: {}
  codes: [{{code: "84861010", label: x}}]
- group: B
  category: c
  codes: [{{code: "84861020", label: x}}]
"""


def test_a_list_of_the_users_may_date_a_month_or_say_nothing(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(CARD.format('"2021-03"'), encoding="utf-8")
    assert watchlists.load(str(path)).named == {"A": datetime.date(2021, 3, 1), "B": None}
    path.write_text(CARD.format("null"), encoding="utf-8")
    assert watchlists.load(str(path)).named == {"A": None, "B": None}


@pytest.mark.parametrize("said", ["2018", '"2018-13"', '"2018-00"', '"18"', "2018-05-01", '"2018-5"', '"soon"'])
def test_what_is_not_a_date_is_refused(tmp_path, said):
    path = tmp_path / "mine.yml"
    path.write_text(CARD.format(said), encoding="utf-8")
    with pytest.raises(CardError, match=r"group 'A': named .* is not a quoted year or month"):
        watchlists.load(str(path))


def asked(series: pd.DataFrame, listed: object) -> SimpleNamespace:
    return SimpleNamespace(series=series, scope=SimpleNamespace(listed=listed), source_line="Data: none.")


def test_the_part_shows_tests_and_dates(tmp_path):
    listed = watchlists.load("naughton-fang-2025-batch1")
    rng = np.random.default_rng(10)
    series = frame(tent(0.03, 0.02)[:, None] + noise(rng, 0.5, 17)).set_axis(list(listed.groups), axis=1)
    second = watchlists.load("naughton-fang-2025-batch2")
    more = frame(noise(rng, 0.5, 1)).set_axis(list(second.groups), axis=1)
    found = cycle_part.part(asked(series, listed), second=(second, more))
    (section,) = found.sections
    for table in found.tables:
        assert list(table.frame.columns) == [c.name for c in table.columns]
    tables = {t.name: t.frame for t in found.tables}
    assert set(section.items) <= {*tables, "cycle"}
    assert "2018-07: 16 groups; 2023-07: 2 groups. Of 18 only the year is printed" in section.paragraphs[0]
    expected = cycle.test(series, listed.named, window=36)
    first = tables["cycle_test"].iloc[0]
    assert (first["window"], first["groups"], first["events"]) == (36, 16, 1)
    assert first["p_value"] == expected.p_value
    assert f"p = {expected.p_value:.3f}" in section.paragraphs[-1]
    # A window of 12 months takes in the groups that were named in 2023.
    assert tables["cycle_test"]["groups"].tolist() == [16, 16, 18]
    assert tables["cycle_groups"].set_index("group")["reason"].notna().sum() == 2
    assert "share one date: for the test that is one date, not 16 trials" in found.sure[0]
    assert "Months from naming" in draw(found.figures[0].chart)


def test_the_part_of_an_undated_list_or_a_short_panel_says_why_there_is_none(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(CARD.format("null"), encoding="utf-8")
    series = frame(noise(np.random.default_rng(11), 0.5, 2)).set_axis(["A", "B"], axis=1)
    found = cycle_part.part(asked(series, watchlists.load(str(path))))
    assert "says of no group when it was first named" in found.sections[0].paragraphs[0]
    assert not found.tables + found.figures
    path.write_text(CARD.format('"2019"'), encoding="utf-8")
    short = cycle_part.part(asked(series.iloc[:57], watchlists.load(str(path))))
    assert "The test cannot be made: no group can be tested: " in short.sections[0].paragraphs[-1]
    assert short.sure == ()
    assert short.tables[0].frame["p_value"].isna().all()
