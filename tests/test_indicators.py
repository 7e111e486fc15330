"""Every indicator against published worked examples, closed forms and an independent implementation; properties."""

import math

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky import engine, registry
from autarky.errors import AutarkyError, MeasureError
from autarky.indicators import Indicator
from autarky.measure import aggregate

CON = engine.connect()


def compute(name: str, values, members=None):
    """Measure one group; returns (value, reason)."""
    members = list(members) if members is not None else [f"P{i:03}" for i in range(len(values))]
    kind = "int64" if members and isinstance(members[0], int) else "string"
    frame = pd.DataFrame({"_member": members, "_value": pd.array(values, dtype="Float64")})
    table = engine.lookup(CON, {c: list(frame[c].astype(object).where(frame[c].notna(), None)) for c in frame})
    table = table.cast({"_member": kind, "_value": "float64"}).mutate(group=ibis.literal("g"))
    found = registry.indicator(name)
    row = engine.rows(CON, aggregate(table, ["group"], [found])).to_pylist()[0]
    return row[found.name], row[f"{found.name} why"]


def value(name: str, values, members=None) -> float:
    return compute(name, values, members)[0]


# Published worked examples -----------------------------------------------------------------------------------------


def test_herfindahl_of_the_horizontal_merger_guidelines():
    """US Department of Justice & FTC (2010), Horizontal Merger Guidelines §5.3, note 9: 30, 30, 20, 20 → 2,600."""
    assert value("herfindahl", [30, 30, 20, 20]) * 10_000 == pytest.approx(2600)


def test_herfindahl_rises_by_twice_the_product_of_the_merging_shares():
    """Ibid., footnote 10: firms of 5 and 10 percent merge → +100 points."""
    before, after = value("herfindahl", [5, 10, 40, 45]), value("herfindahl", [15, 40, 45])
    assert (after - before) * 10_000 == pytest.approx(100)


def test_effective_number_is_the_inverse():
    """Of the Guidelines' 2,600: 1 / 0.26."""
    assert value("effective_number", [30, 30, 20, 20]) == pytest.approx(1 / 0.26, rel=1e-12)


def test_entropy_of_shannon_choice():
    """Shannon (1948), §6: probabilities 1/2, 1/3, 1/6 can be decided in two steps: H = H(1/2, 1/2) + ½·H(2/3, 1/3)."""
    two_steps = math.log(2) + 0.5 * (math.log(3) - 2 / 3 * math.log(2))
    assert value("entropy", [3, 2, 1]) == pytest.approx(two_steps, rel=1e-12)


def test_top_share_and_partner():
    assert value("top_share", [70, 20, 10]) == pytest.approx(0.7)
    assert value("top_partner", [70, 70, 10], ["USA", "DEU", "JPN"]) == "DEU"


# Closed forms (docs/method.md § volatility and growth) ---------------------------------------------------------------


@given(slope=st.floats(0.001, 2), periods=st.integers(3, 160))
@settings(max_examples=40, deadline=None)
def test_straight_line(slope, periods):
    """x_t = 1 + g(t−1): G = 2g(T−1)/3, population CV = g·sqrt((T²−1)/12)/(1+g(T−1)/2)."""
    series = [1 + slope * t for t in range(periods)]
    months = list(range(1, periods + 1))
    assert value("growth", series, months) == pytest.approx(2 * slope * (periods - 1) / 3, rel=1e-9)
    spread = slope * math.sqrt((periods**2 - 1) / 12) / (1 + slope * (periods - 1) / 2)
    assert value("volatility:ddof=0", series, months) == pytest.approx(spread, rel=1e-9)
    assert value("volatility", series, months) == pytest.approx(spread * math.sqrt(periods / (periods - 1)), rel=1e-9)


@pytest.mark.parametrize("members", [1, 2, 7, 100])
def test_equal_members(members):
    equal = [3.5] * members
    assert value("herfindahl", equal) == pytest.approx(1 / members)
    assert value("effective_number", equal) == pytest.approx(members)
    assert value("entropy", equal) == pytest.approx(math.log(members), abs=1e-12)
    assert value("count", equal) == members


def test_growth_weighs_only_the_months_that_are_there():
    """x = 2, –, 4: x' = 0, 1 with weights 1, 3: G = 3/4."""
    assert value("growth", [2, 4], [1, 3]) == pytest.approx(0.75)


def test_growth_against_the_first_year():
    months = list(range(1, 25))
    series = [1.0, 3.0] * 6 + [4.0] * 12
    expected = sum(t * x for t, x in zip(months, series, strict=True)) / sum(months) / 2 - 1
    assert value("growth:base=first-year", series, months) == pytest.approx(expected, rel=1e-12)


# Undefined is null with a reason --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["herfindahl", "effective_number", "entropy", "top_share"])
@pytest.mark.parametrize("values", [[0, 0], [None, None]])
def test_no_total_no_figure(name, values):
    assert compute(name, values) == (None, "the total is zero or not reported")


def test_top_partner_needs_a_positive_value():
    assert compute("top_partner", [0, None]) == (None, "no member has a positive value")


def test_count_of_zero_and_missing():
    assert compute("count", [5, 0, None, 7]) == (2, None)
    assert compute("count", [None]) == (0, None)


def test_growth_says_which_base_is_wrong():
    assert compute("growth", [1, 2], [2, 3]) == (None, "base missing: no value in the first period")
    assert compute("growth", [0, 2], [1, 2]) == (None, "base is zero: nothing in the first period")
    assert compute("growth:base=first-year", [1.0], [13]) == (None, "base missing: no value in the first year")


def test_volatility_says_why():
    assert compute("volatility", [1], [1]) == (None, "too few periods with a value")
    assert compute("volatility", [0, 0], [1, 2]) == (None, "the mean is zero")


def test_options_that_do_not_exist_are_refused():
    with pytest.raises(MeasureError, match="has no option 'bias'"):
        registry.indicator("volatility:bias=1")
    with pytest.raises(MeasureError, match="not of type int"):
        registry.indicator("volatility:ddof=one")
    with pytest.raises(MeasureError, match="expected first or first-year"):
        compute("growth:base=last", [1, 2], [1, 2])
    with pytest.raises(AutarkyError, match="there is no indicator 'gini'"):
        registry.indicator("gini")


# Properties ----------------------------------------------------------------------------------------------------------

FLOWS = st.lists(st.floats(0.01, 1e12), min_size=1, max_size=30)
CONCENTRATION = ["herfindahl", "effective_number", "entropy", "top_share"]


@given(values=FLOWS)
@settings(max_examples=40, deadline=None)
def test_bounds(values):
    for name in CONCENTRATION:
        low, high = registry.indicator(name).bounds
        found = value(name, values)
        assert low is None or found >= low - 1e-12
        assert high is None or found <= high + 1e-12
    assert value("effective_number", values) <= len(values) * (1 + 1e-12)
    assert value("entropy", values) <= math.log(len(values)) + 1e-9
    assert value("herfindahl", values) >= 1 / len(values) - 1e-12


@given(values=FLOWS, rate=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_invariant_to_order_and_currency(values, rate, seed):
    order = np.random.default_rng(seed).permutation(len(values))
    for name in CONCENTRATION:
        moved = value(name, [values[i] * rate for i in order])
        assert moved == pytest.approx(value(name, values), rel=1e-9, abs=1e-9)


@given(values=st.lists(st.floats(0.01, 1e12), min_size=2, max_size=30))
@settings(max_examples=40, deadline=None)
def test_merging_two_suppliers_never_lowers_concentration(values):
    merged = [values[0] + values[1], *values[2:]]
    for name in ("herfindahl", "top_share"):
        assert value(name, merged) >= value(name, values) * (1 - 1e-12)
    for name in ("effective_number", "entropy"):
        assert value(name, merged) <= value(name, values) * (1 + 1e-9) + 1e-12


@given(values=FLOWS)
@settings(max_examples=20, deadline=None)
def test_an_empty_partner_changes_nothing(values):
    for name in [*CONCENTRATION, "count"]:
        assert value(name, [*values, 0.0]) == pytest.approx(value(name, values), rel=1e-12)
        assert value(name, [*values, None]) == pytest.approx(value(name, values), rel=1e-12)


@given(values=st.lists(st.floats(0.1, 1e9), min_size=3, max_size=60), rate=st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_series_figures_agree_with_numpy_and_ignore_currency(values, rate):
    months = list(range(1, len(values) + 1))
    x, t = np.array(values), np.array(months)
    scaled = [v * rate for v in values]
    assert value("volatility", scaled, months) == pytest.approx(x.std(ddof=1) / x.mean(), rel=1e-9, abs=1e-12)
    expected = (t * (x - x[0]) / x[0]).sum() / t.sum()
    assert value("growth", scaled, months) == pytest.approx(expected, rel=1e-9, abs=1e-9)


# Every entry of the registry -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry.names("indicators"))
def test_card(name):
    found = registry.indicator(name)
    assert isinstance(found, Indicator)
    assert found.name == name
    doc = found.function.__doc__ or ""
    for heading in ("Returns", "Undefined when", "Examples"):
        assert heading in doc, f"{name}: the docstring lacks {heading}"
    assert found.unit
    assert found.over in ("partner", "period", "product")
