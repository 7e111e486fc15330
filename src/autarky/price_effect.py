"""What a market's price does when a share of its supply is taken away, at constant elasticities.

World demand is a·p^(−ε_d) and supply b·p^(ε_s), both elasticities as absolute values. A share s of supply is removed at
every price: (1 − s)·b·p^(ε_s). Where demand meets supply before and after,

    a·p₀^(−ε_d) = b·p₀^(ε_s)   and   a·p₁^(−ε_d) = (1 − s)·b·p₁^(ε_s),

so that (p₁/p₀)^(ε_d + ε_s) = 1/(1 − s), or

    Δln p = −ln(1 − s) / (ε_d + ε_s),   Δln q = −ε_d·Δln p,

and the suppliers that remain deliver ε_s·Δln p more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autarky import registry
from autarky.errors import CardError, MeasureError

# A price ten times the old one lies outside of what an elasticity, a figure of small changes, can tell.
FAR = math.log(10.0)


@dataclass(frozen=True)
class Range:
    """The least and greatest absolute value of an elasticity, with its source ("assumed" where there is none)."""

    low: float
    high: float
    source: str


@dataclass(frozen=True)
class Published:
    """What another study prints for a mineral: the relative change of the price, at least."""

    mineral: str
    low: float
    source: str
    note: str


@dataclass(frozen=True)
class Elasticities:
    """A card of elasticities."""

    id: str
    title: str
    demand: Range
    supply: Range
    notes: tuple[str, ...]
    published: tuple[Published, ...]


@dataclass(frozen=True)
class Effect:
    """Changes of the logarithm of price and quantity, from the most to the least elastic market; None with a reason.

    Attributes
    ----------
    price_low, price_high : Δln p at the largest and at the smallest elasticities
    why : why there is none, or a caution
    """

    price_low: float | None
    price_high: float | None
    why: str | None

    @property
    def relative(self) -> tuple[float | None, float | None]:
        """The relative change of the price, p₁/p₀ − 1: (low, high)."""
        low, high = (None if d is None else math.expm1(d) for d in (self.price_low, self.price_high))
        return low, high


def load(name: str) -> Elasticities:
    """Return a card of elasticities by id, or from a YAML file of the user's.

    Raises
    ------
    CardError : no such card, a field that is missing, a bound that is not a number or not in order
    """
    card = registry.card("elasticities", name)
    missing = [k for k in ("title", "demand", "supply") if k not in card]
    if missing:
        raise CardError(f"elasticities {name}: `{'`, `'.join(missing)}` missing")
    published = [Published(p["mineral"], float(p["low"]), p["source"], p["note"]) for p in card.get("published", ())]
    return Elasticities(
        card["id"],
        card["title"],
        _range(name, "demand", card["demand"]),
        _range(name, "supply", card["supply"]),
        tuple(card.get("notes", ())),
        tuple(published),
    )


def _range(name: str, side: str, said: Any) -> Range:
    if not isinstance(said, Mapping) or not {"low", "high", "source"} <= set(said):
        raise CardError(f"elasticities {name}: `{side}` needs low, high and source (or the word assumed)")
    low, high = said["low"], said["high"]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in (low, high))
    if not numbers or not 0 <= low <= high:
        raise CardError(
            f"elasticities {name}: `{side}` is {low!r} to {high!r}; expected two absolute values, the smaller first"
        )
    return Range(float(low), float(high), str(said["source"]))


def log_price_change(removed: float, demand: float, supply: float) -> float | None:
    """Return the change of the logarithm of the price when a share of supply is removed.

    Δln p = −ln(1 − s) / (ε_d + ε_s)

    Parameters
    ----------
    removed : s, share of world supply, 0 to 1
    demand, supply : absolute values of the elasticities

    Returns
    -------
    0 or more: 0 where nothing is removed

    Undefined when
    --------------
    all supply is removed (s = 1: no price clears the market), or neither side answers to the price (ε_d + ε_s = 0)
    while something is removed: None.

    Raises
    ------
    MeasureError : a share outside of 0 to 1, a negative elasticity, a value that is not a number

    Examples
    --------
    s = 0.5, ε_d = ε_s = 0.5: ln 2 / 1 = 0.693, the price doubles.
    """
    if not 0 <= removed <= 1:
        raise MeasureError(f"share of supply removed {removed}: expected 0 to 1")
    if not (demand >= 0 and supply >= 0):
        raise MeasureError(f"elasticities {demand} and {supply}: expected absolute values, 0 or more")
    if removed == 0:
        return 0.0
    if removed == 1 or demand + supply == 0:
        return None
    return -math.log1p(-removed) / (demand + supply)


def log_quantity_change(removed: float, demand: float, supply: float) -> float | None:
    """Return the change of the logarithm of the quantity traded: −ε_d·Δln p; None where the price has none."""
    price = log_price_change(removed, demand, supply)
    return None if price is None else -demand * price


def price_range(removed: float | None, card: Elasticities) -> Effect:
    """Return the range of the price's change over a card's elasticities, with the reason where there is none."""
    if removed is None:
        return Effect(None, None, "the share of world supply is not known")
    if removed == 1:
        return Effect(None, None, "all supply is removed: no price clears the market")
    low = log_price_change(removed, card.demand.high, card.supply.high)
    high = log_price_change(removed, card.demand.low, card.supply.low)
    if high is None:
        return Effect(low, None, "the lowest elasticities are zero: without any answer to the price there is no limit")
    far = high > FAR
    return Effect(
        low, high, "the upper end is more than ten times the price: beyond what elasticities tell" if far else None
    )
