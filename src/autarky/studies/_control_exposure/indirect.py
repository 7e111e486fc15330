"""The indirect part: what purchases of the importer owe to the issuer's industries, at face value and at all stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from autarky import look_through as io
from autarky import registry
from autarky.errors import CardError
from autarky.studies._control_exposure.scope import Scope, name_of

CARD = "wiod2013"
EVERY = "All industries"
DEMAND, MANUFACTURING = "Final demand", "Inputs of manufacturing"
_SHOWN = 3


@dataclass(frozen=True)
class Indirect:
    """What was found.

    Attributes
    ----------
    table : purchases, industry, minerals, purchases_usd, face_usd, face_share, value_added_usd, value_added_share,
        gross_share, ratio, direct_share, own_share, third_share (parts of value_added_share by who delivers), third
    output : output of each of the issuer's industries, US dollars
    proxies : mineral → names of the industries that stand for it; the figures of several industries add up
    notes : of the inter-country table
    source : name of the file
    """

    table: pd.DataFrame
    output: Mapping[str, float]
    proxies: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    source: str

    def of_mineral(self, mineral: str, purchases: str, column: str) -> float:
        """Return a share of purchases added up over the industries that stand for a mineral."""
        own = self.table["industry"].isin(self.proxies[mineral]) & (self.table["purchases"] == purchases)
        return float(self.table.loc[own, column].sum())


def found(scope: Scope, path: str) -> Indirect:
    """Look through an inter-country table.

    Raises
    ------
    AutarkyError : pymrio is not installed; SourceError, MeasureError : see `look_through`
    """
    card = registry.card("industries", CARD)
    table = io.renamed(io.read(path), card["economies"])
    solved = io.solved(table)
    names: Mapping[str, str] = card["industries"]
    kinds: dict[str, list[str] | None] = {DEMAND: None}
    made: dict[str, list[str]] = {}
    notes = list(table.notes)
    if set(table.industries) == set(names):
        kinds[MANUFACTURING] = list(card["manufacturing"])
        made = {m: _industries(scope, m, card) for m in scope.minerals}
    else:
        notes.append(f"its industries are not those of {card['title']}: no industry stands for a mineral")
    needed = [i for i in names if any(i in industries for industries in made.values())]
    rows = [
        _row(scope, solved, kind, users, names[code] if code else EVERY, code, [m for m in made if code in made[m]])
        for kind, users in kinds.items()
        for code in (*needed, None)
    ]
    output = {names[i]: float(table.x.loc[(scope.issuer, i)]) for i in needed}
    proxies = {m: tuple(names[i] for i in industries) for m, industries in made.items() if industries}
    return Indirect(pd.DataFrame(rows), output, proxies, tuple(notes), Path(path).name)


def _industries(scope: Scope, mineral: str, card: Mapping[str, Any]) -> list[str]:
    """Return the industries that make the chapters of a mineral's lines, in the order of the card."""
    chapters = sorted({h[:2] for h in scope.lines.loc[scope.lines["mineral"] == mineral, "hs6"]})
    unknown = [c for c in chapters if c not in card["chapters"]]
    if unknown:
        raise CardError(f"industries {CARD}: no industry for chapter {', '.join(unknown)} of the HS ({mineral})")
    made = {card["chapters"][c] for c in chapters}
    return [i for i in card["industries"] if i in made]


def _row(
    scope: Scope,
    solved: io.Solved,
    kind: str,
    users: list[str] | None,
    name: str,
    code: str | None,
    minerals: list[str],
) -> dict[str, Any]:
    bought = io.purchases(solved.table, scope.importer, users)
    found = io.reliance(solved, bought, scope.issuer, [code] if code else None)
    face, deep = found.face_share, found.value_added_share
    # Without purchases there are no shares.
    parts = found.via / found.purchases_usd if face is not None else found.via * float("nan")
    third = parts.drop([scope.importer, scope.issuer]).sort_values(ascending=False)
    return {
        "purchases": kind,
        "industry": name,
        "minerals": ", ".join(minerals) or None,
        "purchases_usd": found.purchases_usd,
        "face_usd": found.face_usd,
        "face_share": face,
        "value_added_usd": found.value_added_usd,
        "value_added_share": deep,
        "gross_share": found.gross_share,
        "ratio": deep / face if face and deep is not None else None,
        "direct_share": float(parts[scope.issuer]),
        "own_share": float(parts[scope.importer]),
        "third_share": float(third.sum()),
        "third": ", ".join(f"{name_of(str(e))} {s:.3%}" for e, s in third.head(_SHOWN).items()),
    }
