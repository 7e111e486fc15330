"""Which series are held against which baseline over which windows: cards in `data/counterfactuals/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from autarky import registry
from autarky.errors import CardError

PLACES = ("groups", "categories", "products")


@dataclass(frozen=True)
class Selection:
    """What a series adds up: groups or categories of the watch list, or products by the first digits of their code."""

    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    products: tuple[str, ...] = ()


@dataclass(frozen=True)
class Window:
    """Months, inclusive, and the excess that the source prints for them: USD, and as a share of the projection."""

    first: pd.Period
    last: pd.Period
    published_usd: float | None
    published_share: float | None


@dataclass(frozen=True)
class Watched:
    """One series whose excess is wanted."""

    id: str
    title: str
    selection: Selection
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class Counterfactual:
    """A card: the model's baseline and regressors, and the series to hold against it."""

    id: str
    title: str
    source: str
    baseline: tuple[str, str]
    regressors: tuple[str, ...]
    equipment: Selection | None
    series: tuple[Watched, ...]
    notes: tuple[str, ...]


def load(name: str) -> Counterfactual:
    """Return a counterfactual by id, or from a YAML file of the user's.

    Raises
    ------
    CardError : no such card; a field that is missing; a month that is none; a code that is not a quoted string
    """
    card = registry.card("counterfactuals", name)
    for needed in ("title", "source", "baseline", "regressors", "series"):
        if needed not in card:
            raise CardError(f"counterfactual {name}: `{needed}` is missing")
    baseline = card["baseline"]
    if not isinstance(baseline, list) or len(baseline) != 2:
        raise CardError(f"counterfactual {name}: `baseline` {baseline!r}: expected two months, first and last")
    first, last = (_month(name, month) for month in baseline)
    if "equipment" in card["regressors"] and "equipment" not in card:
        raise CardError(f"counterfactual {name}: `equipment` is a regressor, but no `equipment:` says what it adds up")
    source = card["source"]
    return Counterfactual(
        id=card["id"],
        title=card["title"],
        source=", ".join(str(v) for v in source.values()) if isinstance(source, dict) else source,
        baseline=(str(first), str(last)),
        regressors=tuple(card["regressors"]),
        equipment=_selection(f"{name}: equipment", card["equipment"]) if "equipment" in card else None,
        series=tuple(_watched(name, row) for row in card["series"]),
        notes=tuple(card.get("notes", ())),
    )


def _watched(name: str, row: Mapping[str, Any]) -> Watched:
    for needed in ("id", "title", "windows"):
        if needed not in row:
            raise CardError(f"counterfactual {name}: a series lacks `{needed}`")
    where = f"{name}: series {row['id']}"
    windows = []
    for window in row["windows"]:
        first, last = _month(where, window.get("first")), _month(where, window.get("last"))
        if last < first:
            raise CardError(f"counterfactual {where}: the window ends in {last}, before it begins in {first}")
        windows.append(Window(first, last, window.get("published_usd"), window.get("published_share")))
    return Watched(row["id"], row["title"], _selection(where, row), tuple(windows))


def _selection(where: str, row: Mapping[str, Any]) -> Selection:
    held = {place: tuple(row[place]) for place in PLACES if place in row}
    if len(held) != 1:
        raise CardError(f"counterfactual {where}: expected one of {', '.join(PLACES)}; found {len(held)}")
    for code in held.get("products", ()):
        if not isinstance(code, str) or not re.fullmatch(r"\d{2,10}", code):
            raise CardError(f"counterfactual {where}: product {code!r} is not a string of digits; put it in quotes")
    return Selection(**held)


def _month(where: str, text: object) -> pd.Period:
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        raise CardError(f"counterfactual {where}: {text!r} is not a month; expected one as '2015-01', in quotes")
    return pd.Period(text, "M")
