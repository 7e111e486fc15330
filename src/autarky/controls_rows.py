"""Rows of the registry of export controls: an item under an action, for some countries, from one day to another."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from autarky.controls_cards import Action, Item

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Scope:
    """Countries: those named, or (`excluded`) all but those named."""

    excluded: bool
    areas: frozenset[str]

    def __and__(self, other: Scope) -> Scope:
        """Return the countries of both."""
        if self.excluded and other.excluded:
            return Scope(True, self.areas | other.areas)
        if self.excluded:
            return Scope(False, other.areas - self.areas)
        return Scope(False, self.areas - other.areas if other.excluded else self.areas & other.areas)

    def __sub__(self, other: Scope) -> Scope:
        """Return the countries of this scope and not of the other."""
        return self & replace(other, excluded=not other.excluded)

    def __contains__(self, area: str) -> bool:
        """Return whether a country is of the scope."""
        return (area in self.areas) != self.excluded

    def __bool__(self) -> bool:
        """Return whether any country is of the scope."""
        return self.excluded or bool(self.areas)

    def __str__(self) -> str:
        """Return `all`, `USA`, `all but USA`."""
        names = ", ".join(sorted(self.areas))
        return (f"all but {names}" if names else "all") if self.excluded else names


@dataclass(frozen=True)
class Row:
    """An item under one action for some countries; `until` is the last day, `known` the first day it was public."""

    item: Item
    action: Action
    scope: Scope
    known: datetime.date | None
    since: datetime.date | None
    until: datetime.date | None = None
    ended_by: str | None = None

    def status(self, date: datetime.date) -> str | None:
        """Return announced, in force or ended at a date; none when the row was not public yet, or has no date."""
        known = self.known or self.since
        if known is None or date < known:
            return None
        if self.until is not None and date > self.until:
            return "ended"
        return "announced" if self.since is None or date < self.since else "in force"


def follow(actions: Iterable[Action]) -> tuple[Row, ...]:
    """Let the actions follow one another: each opens its rows, after it has ended those that it supersedes."""
    rows: list[Row] = []
    # On one day, what supersedes comes after what may be superseded.
    order = sorted(actions, key=lambda a: (a.date or datetime.date.max, bool(a.supersedes), a.id))
    for action in order:
        scope = Scope(not action.destinations, frozenset(action.destinations))
        for row in [r for r in rows if r.action.id in action.supersedes or r.item.id in action.supersedes]:
            if row.until is None and row.scope & scope:
                rows += _superseded(row, action, scope)
                if action.effective is not None:
                    rows[rows.index(row)] = replace(row, until=action.effective - _DAY, ended_by=action.id)
        rows += [Row(item, action, scope, action.announced, action.effective) for item in action.items]
    return tuple(_ended(row) for row in rows)


def _superseded(row: Row, action: Action, scope: Scope) -> Iterator[Row]:
    """Yield the rows that come after a superseded one: under the new terms, and under the old ones elsewhere."""
    yield Row(row.item, action, row.scope & scope, action.announced, action.effective)
    if row.scope - scope and action.effective is not None:
        yield replace(row, scope=row.scope - scope, known=action.effective, since=action.effective)


def _ended(row: Row) -> Row:
    """End a row with its action."""
    last = row.action.ended
    if last is None or (row.until is not None and row.until < last):
        return row
    return replace(row, until=last - _DAY, ended_by=row.action.ended_by)


def records(row: Row) -> Iterator[dict[str, Any]]:
    """Yield the row as it is printed, a record a code."""
    item, action = row.item, row.action
    for code, match in item.lines:
        yield {
            "item": item.id, "product": item.product, "text": item.text, "control": item.control, "hs10": code,
            "match": match, "action": action.id, "issuer": action.issuer, "kind": action.kind,
            "destination": str(row.scope), "announced": action.announced, "since": row.since, "until": row.until,
            "ended_by": row.ended_by,
        }  # fmt: skip
