"""Figures of groups, a column an indicator (wide), and the long table that people get: a row an indicator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import ibis

from autarky.indicators import Indicator
from autarky.tables import COLUMNS

if TYPE_CHECKING:
    import ibis.expr.types as ir

FIGURE = ("indicator", "value", "unit", "flag")


@dataclass(frozen=True)
class Wide:
    """Figures of groups, or of the members of groups.

    Attributes
    ----------
    table : the keys; for every indicator `NAME` (the figure) and, where the reason for a null is not always the same,
        `NAME why`
    keys : the keys of a row
    indicators : those in it
    """

    table: ir.Table
    keys: tuple[str, ...]
    indicators: tuple[Indicator, ...]

    @property
    def long(self) -> ir.Table:
        """The same figures, a row a (key, indicator)."""
        wide = self.with_reasons()
        kind = "string" if any(i.text for i in self.indicators) else "float64"
        rows = [
            {
                "indicator": ibis.literal(i.name),
                "value": wide[i.name].cast(kind),
                "unit": ibis.literal(i.unit),
                "flag": wide[f"{i.name} why"].cast("string"),
            }
            for i in self.indicators
        ]
        if len(rows) == 1:
            return wide.select(*self.keys, **rows[0])
        unnested = wide.select(*self.keys, row=ibis.array([ibis.struct(row) for row in rows]).unnest())
        return unnested.select(*self.keys, **{c: unnested.row[c] for c in FIGURE})

    def with_reasons(self) -> ir.Table:
        """Return the table with `NAME why` for every indicator, null where there is a figure."""
        said = {f"{i.name} why": ibis.literal(i.undefined) for i in self.indicators if isinstance(i.undefined, str)}
        wide = self.table.mutate(**said)
        reasons = {f"{i.name} why": ibis.cases((wide[i.name].isnull(), wide[f"{i.name} why"])) for i in self.indicators}
        return wide.mutate(**reasons)


@dataclass(frozen=True)
class Long:
    """A long table that can be written from its wide ones, which hold each key once and not once an indicator.

    Attributes
    ----------
    wides : what it is made of
    by : the keys of a group; a member column that some of the wide tables lack is null there
    """

    wides: tuple[Wide, ...]
    by: tuple[str, ...]

    @cached_property
    def table(self) -> ir.Table:
        """The keys, members if any, then indicator, value, unit, flag."""
        longs = [w.long for w in self.wides]
        names = [c for c in (*COLUMNS, "year", "level", "hs2", "hs4", "hs6") if any(c in t.columns for t in longs)]
        extra = [c for c in names if c not in self.by]
        text = any(i.text for w in self.wides for i in w.indicators)
        ordered = []
        for table in longs:
            missing = {
                c: ibis.null(str(next(t[c].type() for t in longs if c in t.columns)))
                for c in extra
                if c not in table.columns
            }
            table = table.mutate(**missing)
            value = table.value.cast("string") if text else table.value
            ordered.append(table.mutate(value=value).select(*self.by, *extra, *FIGURE))
        return ibis.union(*ordered) if len(ordered) > 1 else ordered[0]


def together(parts: Sequence[Long]) -> Long:
    """Return several long tables of the same columns as one."""
    return Long(tuple(w for part in parts for w in part.wides), parts[0].by)
