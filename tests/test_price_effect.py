"""Price at constant elasticities: closed forms, limits, the market itself, cards."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from autarky import price_effect, registry
from autarky.errors import CardError, MeasureError
from autarky.price_effect import Elasticities, Range, log_price_change, log_quantity_change, price_range

SHARES = st.floats(0.001, 0.99)
ELASTIC = st.floats(0.05, 5)


def card(demand=(0.2, 0.8), supply=(0.2, 0.8)) -> Elasticities:
    return Elasticities("c", "t", Range(*demand, "assumed"), Range(*supply, "assumed"), (), ())


def test_half_of_supply_at_unit_sum_doubles_the_price():
    assert log_price_change(0.5, 0.5, 0.5) == pytest.approx(math.log(2))
    assert log_quantity_change(0.5, 0.5, 0.5) == pytest.approx(-0.5 * math.log(2))


@given(SHARES, ELASTIC, ELASTIC, st.floats(0.1, 10), st.floats(0.1, 10))
def test_it_is_the_price_that_clears_the_market(share, demand, supply, a, b):
    """The two curves as they stand, cut with a root finder."""

    def excess(log_price: float, left: float) -> float:
        return math.log(a) - demand * log_price - math.log(left * b) - supply * log_price

    before, after = (brentq(excess, -1000, 1000, args=(left,), xtol=1e-13) for left in (1.0, 1 - share))
    assert after - before == pytest.approx(log_price_change(share, demand, supply), rel=1e-7, abs=1e-9)
    # The quantity is that of the suppliers who are left.
    quantity = math.log(1 - share) + supply * (after - before)
    assert quantity == pytest.approx(log_quantity_change(share, demand, supply), rel=1e-7, abs=1e-9)


@given(ELASTIC, ELASTIC)
def test_a_small_share_moves_the_price_in_proportion(demand, supply):
    assert log_price_change(1e-9, demand, supply) == pytest.approx(1e-9 / (demand + supply), rel=1e-6)
    assert log_price_change(0.0, demand, supply) == 0
    assert log_price_change(0.0, 0.0, 0.0) == 0


@given(SHARES)
def test_with_endless_elasticities_the_price_stays(share):
    assert log_price_change(share, 1e12, 1.0) == pytest.approx(0, abs=1e-10)
    assert log_price_change(share, 1.0, 1e12) == pytest.approx(0, abs=1e-10)
    # All is borne by the quantity when only demand is elastic without end.
    assert log_quantity_change(share, 1e12, 1.0) == pytest.approx(math.log(1 - share), rel=1e-9)


@given(SHARES, SHARES, ELASTIC, ELASTIC)
def test_shares_removed_one_after_the_other_add_up(first, second, demand, supply):
    both = 1 - (1 - first) * (1 - second)
    parts = log_price_change(first, demand, supply) + log_price_change(second, demand, supply)
    assert log_price_change(both, demand, supply) == pytest.approx(parts, rel=1e-9)


def test_where_it_is_undefined():
    assert log_price_change(1.0, 0.5, 0.5) is None
    assert log_quantity_change(1.0, 0.5, 0.5) is None
    assert log_price_change(0.5, 0.0, 0.0) is None
    effect = price_range(1.0, card())
    assert (effect.price_low, effect.price_high, effect.relative) == (None, None, (None, None))
    assert "no price clears the market" in effect.why
    assert "not known" in price_range(None, card()).why
    open_end = price_range(0.5, card((0.0, 0.8), (0.0, 0.8)))
    assert open_end.price_low == pytest.approx(math.log(2) / 1.6)
    assert open_end.price_high is None
    assert "lowest elasticities are zero" in open_end.why


@given(st.floats(0, 0.99))
def test_the_range_holds_every_pair_of_elasticities(share):
    held = card((0.2, 0.8), (0.1, 1.5))
    effect = price_range(share, held)
    for demand, supply in ((0.2, 0.1), (0.2, 1.5), (0.8, 0.1), (0.8, 1.5), (0.5, 0.7)):
        assert effect.price_low <= log_price_change(share, demand, supply) <= effect.price_high
    low, high = effect.relative
    assert low == pytest.approx(math.exp(effect.price_low) - 1)
    assert high == pytest.approx(math.exp(effect.price_high) - 1)
    assert (effect.why is not None) == (high > 9)


@pytest.mark.parametrize("values", [(-0.1, 1, 1), (1.1, 1, 1), (math.nan, 1, 1), (0.5, -1, 1), (0.5, 1, math.nan)])
def test_values_that_make_no_sense(values):
    with pytest.raises(MeasureError, match="expected"):
        log_price_change(*values)


@pytest.mark.parametrize("name", registry.names("elasticities"))
def test_every_card_states_both_elasticities_and_where_they_are_from(name):
    found = price_effect.load(name)
    for side in (found.demand, found.supply):
        assert 0 <= side.low <= side.high
        assert side.source
    for said in found.published:
        assert said.low > 0
        assert said.source


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: t\ndemand: {low: 0.2, high: 0.8, source: s}\n", "`supply` missing"),
        (
            "title: t\ndemand: {low: 0.2, high: 0.8}\nsupply: {low: 1, high: 1, source: s}\n",
            "needs low, high and source",
        ),
        ("title: t\ndemand: {low: 0.8, high: 0.2, source: s}\nsupply: {low: 1, high: 1, source: s}\n", "smaller first"),
        ("title: t\ndemand: {low: -1, high: 0.2, source: s}\nsupply: {low: 1, high: 1, source: s}\n", "absolute"),
        ("title: t\ndemand: {low: a, high: b, source: s}\nsupply: {low: 1, high: 1, source: s}\n", "absolute"),
        ("title: t\ndemand: {low: yes, high: 2, source: s}\nsupply: {low: 1, high: 1, source: s}\n", "absolute"),
    ],
)
def test_bad_cards(tmp_path, text, said):
    path = tmp_path / "mine.yml"
    path.write_text(f"id: mine\n{text}", encoding="utf-8")
    with pytest.raises(CardError, match=said):
        price_effect.load(str(path))
