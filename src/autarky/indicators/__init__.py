"""Indicators: one file each.  An indicator turns the values of one group, spread over one dimension, into one figure.

`@indicator` marks an aggregate: `f(value, over)` gets a column of values (one a member, US dollars; null = not
reported) and the column of members, and returns one Ibis aggregate.  For `over="period"` the members are whole
numbers: 1 is the first period of the window.  `@table_indicator` marks a function from a table to a table.

`against` says what else an aggregate is given, one column each, beside the group's own values (see `compared`):
"others" the rest of the members of the key `among`, "before" the same group `months` earlier.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autarky.errors import MeasureError

Why = str | Callable[..., Any]


@dataclass(frozen=True)
class Indicator:
    """An indicator with its card.

    Attributes
    ----------
    name : as written on the command line, options included
    function : the aggregate, or the table function when `per_member`
    unit : unit of the figure ("1" = a pure number)
    bounds : least and greatest possible value, null = none
    over : the dimension that it looks along, unless the user names another
    undefined : why the figure is null where it is: a sentence, or a function of what the indicator gets that returns
        one; of an indicator that is a row a member, a function of its result
    text : whether the figure is a code and not a number
    per_member : whether it gives a row a member instead of a row a group
    against : what the group is compared with: "others", "before", or null
    options : its keyword parameters with their defaults, or what the user gave
    """

    name: str
    function: Callable[..., Any]
    unit: str
    bounds: tuple[float | None, float | None]
    over: str
    undefined: Why
    text: bool = False
    per_member: bool = False
    against: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *args: Any) -> Any:
        """Apply the indicator to columns."""
        return self.function(*args, **self.options)

    def why(self, *args: Any) -> Any:
        """Return the reason for a null."""
        import ibis

        return (
            ibis.literal(self.undefined) if isinstance(self.undefined, str) else self.undefined(*args, **self.options)
        )

    def with_options(self, given: Mapping[str, str]) -> Indicator:
        """Return the indicator with options set, as in `growth:base=first-year`.

        Raises
        ------
        MeasureError : it has no such option, or the value is of the wrong kind
        """
        known = self.options
        options: dict[str, Any] = dict(known)
        for name, text in given.items():
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise MeasureError(f"indicator {self.name!r} has no option {name!r}; {has}")
            try:
                options[name] = type(known[name])(text)
            except ValueError:
                kind = type(known[name]).__name__
                raise MeasureError(f"indicator {self.name!r}: option {name}={text!r} is not of type {kind}") from None
        label = ":".join([self.name, *(f"{n}={v}" for n, v in given.items())])
        return dataclasses.replace(self, name=label, options=options)


def indicator(
    *,
    unit: str,
    bounds: tuple[float | None, float | None],
    over: str,
    undefined: Why,
    text: bool = False,
    against: str | None = None,
) -> Callable[[Callable[..., Any]], Indicator]:
    """Mark an aggregate function as an indicator; see `Indicator`."""
    return lambda function: Indicator(
        function.__name__,
        function,
        unit,
        bounds,
        over,
        undefined,
        text=text,
        against=against,
        options=_defaults(function),
    )


def table_indicator(
    *, unit: str, bounds: tuple[float | None, float | None], over: str, undefined: Why
) -> Callable[[Callable[..., Any]], Indicator]:
    """Mark a function `f(table, by, over)` → table with column `value`, a row a member, as an indicator."""
    return lambda function: Indicator(
        function.__name__, function, unit, bounds, over, undefined, per_member=True, options=_defaults(function)
    )


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}
