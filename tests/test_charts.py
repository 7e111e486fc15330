import itertools
import json

import pandas as pd
import pytest
from examples import MATRIX, draw

from autarky import charts, theme

PERIODS = pd.date_range("2015-01-01", periods=24, freq="MS")


def _series(name: str, key: str, scale: float) -> pd.DataFrame:
    value = pd.Series([scale * (10 + i) for i in range(24)], dtype="float64")
    frame = pd.DataFrame({key: name, "period": PERIODS.date, "value_usd": value})
    return frame.assign(smoothed=value.rolling(12).mean(), index=value.rolling(12).mean() / value[:12].mean())


GROUPS = pd.concat([_series("A", "group", 1e6), _series("B", "group", 2e6)])
CATEGORIES = pd.concat(
    [_series("Other Capital", "category", 1e8), _series("Semiconductor Intermediate", "category", 1e9)]
)
DRIVERS = pd.DataFrame(
    [("A", "01", "first", 0.3), ("A", "02", "second", -0.4), ("B", "03", None, 0.1), ("C", "04", "fourth", None)],
    columns=["group", "code", "label", "contribution"],
)
ALL = {
    "matrix": lambda: charts.matrix(MATRIX),
    "small_multiples": lambda: charts.small_multiples(GROUPS),
    "categories": lambda: charts.categories(CATEGORIES),
    "monthly": lambda: charts.monthly(GROUPS[GROUPS["group"] == "A"], "A"),
    "drivers": lambda: charts.drivers(DRIVERS),
}


@pytest.mark.parametrize("name", ALL)
def test_draws_the_same_twice_and_fits_the_column(name):
    one, other = ALL[name](), ALL[name]()
    assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())
    svg = draw(one)
    assert svg == draw(other)
    width = float(svg.split('width="', 1)[1].split('"', 1)[0])
    assert width <= theme.WIDTH + 20


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Shanghai"])
def test_time_axis_does_not_move_with_the_time_zone(zone, monkeypatch):
    chart = charts.small_multiples(GROUPS)
    rows = next(iter(chart.to_dict()["datasets"].values()))
    monkeypatch.setenv("TZ", zone)
    assert rows[0]["period"] == "2015-01-01"
    assert '"type": "utc"' in json.dumps(chart.to_dict())


def test_labels_of_years_stand_under_their_ticks():
    for chart in (charts.small_multiples(GROUPS), charts.categories(CATEGORIES)):
        assert '"labelFlush": false' in json.dumps(chart.to_dict())


def test_missing_months_are_gaps():
    holed = GROUPS[~((GROUPS["group"] == "A") & (GROUPS["period"] == PERIODS[15].date()))]
    rows = next(iter(charts.small_multiples(holed).to_dict()["datasets"].values()))
    assert len(rows) == 48
    assert [r["index"] for r in rows if r["group"] == "A" and r["month"] == "2016-04"] == [None]


def test_small_multiples_names_groups_without_a_line():
    frame = GROUPS.assign(index=GROUPS["index"].where(GROUPS["group"] == "A"), pattern="Import Substitution")
    svg = draw(charts.small_multiples(frame))
    assert "undefined: B." in svg
    assert "Import Substitution" in svg


def test_a_value_between_two_gaps_is_a_dot():
    data = pd.DataFrame({"group": "A", "index": [None, 1.0, None, 2.0, 3.0]})
    assert list(charts._alone(data, "group", "index")) == [False, True, False, False, False]


@pytest.mark.parametrize(("own", "panels"), [("Semiconductor Intermediate", 2), ("Not there", 1)])
def test_categories_gives_one_category_a_panel_of_its_own(own, panels):
    chart = charts.categories(CATEGORIES, own)
    assert len(chart.to_dict()["vconcat"]) == panels
    svg = draw(chart)
    assert svg.count("billion USD a month</text>") == panels
    assert all(name in svg for name in CATEGORIES["category"].unique())


def test_categories_names_a_category_without_data():
    frame = CATEGORIES.assign(value_usd=CATEGORIES["value_usd"].where(CATEGORIES["category"] != "Other Capital"))
    frame["smoothed"] = frame["smoothed"].where(frame["category"] != "Other Capital")
    assert "no data: Other Capital." in draw(charts.categories(frame))


@pytest.mark.parametrize(("scale", "unit"), [(1e6, "million"), (1e9, "billion"), (None, "million")])
def test_monthly_chooses_its_unit(scale, unit):
    frame = _series("A", "group", scale or 1.0)
    frame = frame if scale else frame.assign(value_usd=None, smoothed=None)
    assert f"{unit} USD a month" in draw(charts.monthly(frame, ""))


def test_labels_are_spread_and_keep_their_order():
    places = charts.spread([100.0, 101.0, 99.0, 300.0], 16)
    assert sorted(range(4), key=places.__getitem__) == [2, 0, 1, 3]
    assert min(b - a for a, b in itertools.pairwise(sorted(places))) >= 16 - 1e-3
    assert places[3] == 300


def test_drivers_shows_the_largest_of_a_group_whatever_its_sign():
    svg = draw(charts.drivers(DRIVERS))
    assert "02 second" in svg
    assert "01 first" not in svg
    assert "−0.40" in svg
    assert "defined: C." in svg


def test_drivers_without_any_contribution():
    assert "defined: A, B, C." in draw(charts.drivers(DRIVERS.assign(contribution=None)))
