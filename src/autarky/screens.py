"""Screens: rules that turn figures into a label, kept as cards in `data/screens/`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autarky import registry
from autarky.errors import CardError

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Rule:
    """A label and the (figure, comparison, threshold) that must all hold for it."""

    label: str
    conditions: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class Screen:
    """An ordered list of rules; the first that holds gives the label."""

    id: str
    title: str
    source: str
    rules: tuple[Rule, ...]

    def thresholds(self) -> dict[str, float]:
        """Return figure → its threshold, for figures that have exactly one.

        Raises
        ------
        CardError : a figure with several thresholds
        """
        found: dict[str, set[float]] = {}
        for rule in self.rules:
            for name, _, threshold in rule.conditions:
                found.setdefault(name, set()).add(threshold)
        several = [name for name, values in found.items() if len(values) > 1]
        if several:
            raise CardError(f"screen {self.id}: {several[0]} has several thresholds")
        return {name: values.pop() for name, values in found.items()}

    def classify(self, figures: Mapping[str, Any], thresholds: Mapping[str, Any] | None = None) -> Any:
        """Return the number of the rule that holds for each row of figures, −1 where a figure is missing.

        Parameters
        ----------
        figures : name → array of values (NaN = undefined)
        thresholds : name → other thresholds (broadcast against the figures), to see what depends on them
        """
        moved = thresholds or {}
        shapes = [np.asarray(v, dtype=float) for v in (*figures.values(), *moved.values())]
        result = np.full(np.broadcast_shapes(*[s.shape for s in shapes]), -1)
        for number, rule in reversed(list(enumerate(self.rules))):
            holds: Any = True
            for name, sign, threshold in rule.conditions:
                value = np.asarray(figures[name], dtype=float)
                holds = holds & _OPERATORS[sign](value, moved.get(name, threshold)) & np.isfinite(value)
            result = np.where(holds, number, result)
        return result

    def label(self, **figures: float | None) -> str | None:
        """Return the label of one row of figures; null when one of them is undefined."""
        values = {n: np.nan if v is None else v for n, v in figures.items()}
        number = int(self.classify(values))
        return self.rules[number].label if number >= 0 else None


def load(name: str) -> Screen:
    """Return a screen by id (or from a YAML file).

    Raises
    ------
    CardError : no such card, or a rule that does not read as `FIGURE: "<=0.3"`
    """
    card = registry.card("screens", name)
    for needed in ("title", "source", "rules"):
        if needed not in card:
            raise CardError(f"screen {name}: `{needed}` is missing")
    return Screen(card["id"], card["title"], card["source"], tuple(_rule(name, r) for r in card["rules"]))


def _rule(name: str, said: Mapping[str, Any]) -> Rule:
    conditions = []
    for figure, text in said.items():
        if figure == "label":
            continue
        match = re.fullmatch(r"(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)", str(text))
        if not match:
            raise CardError(
                f"screen {name}: rule {said.get('label')!r}: {figure}: {text!r} is not a comparison such as '>0.3'"
            )
        conditions.append((figure, match[1], float(match[2])))
    if "label" not in said or not conditions:
        raise CardError(f"screen {name}: a rule needs a label and at least one comparison: {dict(said)}")
    return Rule(said["label"], tuple(conditions))
