"""Which codes may continue another one: births and deaths of a nomenclature, the UN's correlations, names.

The similarity of two names is `2·M/T` (Ratcliff and Obershelp, `difflib`): M characters in matching blocks, T in both.
Names are compared without case, width, punctuation and a name printed twice in a row.  The similarity of two codes is
the mean of the English and the Chinese one, or the one that there is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from autarky import references
from autarky.tables import LEVELS

if TYPE_CHECKING:
    import pandas as pd

Name = tuple[str, ...]

SAME = 0.8  # names at least so similar are one name
HEADING = 0.6  # codes of the same heading are named from this similarity on, when there are nearer relatives
DIFFUSE = 20  # an HS6 that the UN relates to more than so many of the edition before says nothing of any of them
EDITIONS = tuple(int(name[2:]) for name in LEVELS if re.fullmatch(r"HS\d{4}", name))


@dataclass(frozen=True)
class Candidate:
    """A code that may have held what another one holds."""

    code: str
    relation: str
    similarity: float

    def __str__(self) -> str:
        return f"{self.code}:{self.relation}:{self.similarity:.2f}"


@cache
def plain(text: str) -> str:
    """Return a name as it is compared.

    >>> plain("RangefindersRangefinders"), plain("Lidar（Light）＜5")
    ('rangefinders', 'lidar light 5')
    """
    text = unicodedata.normalize("NFKC", text).lower()
    half = len(text) // 2
    if text[:half] == text[half:]:
        text = text[:half]
    return " ".join(re.findall(r"\w+", text))


def alike(a: str, b: str) -> float | None:
    """Return the similarity of two names, 0 to 1; None when one of them is empty."""
    first, second = plain(a), plain(b)
    return SequenceMatcher(None, first, second, autojunk=False).ratio() if first and second else None


def similarities(a: Name, b: Name) -> list[float | None]:
    """Return the similarity in each language."""
    return [alike(x, y) for x, y in zip(a, b, strict=False)]


def similarity(a: Name, b: Name) -> float:
    """Return the mean over the languages that both have; 0 without any."""
    known = [s for s in similarities(a, b) if s is not None]
    return sum(known) / len(known) if known else 0.0


@dataclass(frozen=True)
class Relatives:
    """The lists of a window.

    Attributes
    ----------
    years : of the lists, ascending
    held : code → the years that list it
    names : (code, year) → English and Chinese name
    """

    years: tuple[int, ...]
    held: dict[str, tuple[int, ...]]
    names: dict[tuple[str, int], Name]
    reference: str | Path | None

    @classmethod
    def of(cls, lists: pd.DataFrame, reference: str | Path | None) -> Relatives:
        """Take in yearly lists sorted by code and year: year, code, name_en, name_zh."""
        held: dict[str, list[int]] = defaultdict(list)
        names: dict[tuple[str, int], Name] = {}
        columns = [lists[c].tolist() for c in ("year", "code")] + [
            lists[c].fillna("").tolist() for c in ("name_en", "name_zh")
        ]
        for year, code, english, chinese in zip(*columns, strict=True):
            held[code].append(int(year))
            names[code, int(year)] = (" ".join(english.split()), " ".join(chinese.split()))
        years = tuple(sorted({int(y) for y in columns[0]}))
        return cls(years, {c: tuple(y) for c, y in held.items()}, names, reference)

    def before(self, year: int) -> int | None:
        """Return the year of the list before."""
        return max((y for y in self.years if y < year), default=None)

    def after(self, year: int) -> int | None:
        """Return the year of the next list."""
        return min((y for y in self.years if y > year), default=None)

    def births(self, code: str) -> list[int]:
        """Return the years in which a code enters the lists; the first list of the window is no birth."""
        years = self.held.get(code, ())
        return [y for y in years if (b := self.before(y)) is not None and b not in years]

    def deaths(self, code: str) -> list[int]:
        """Return the last years of a code; the last list of the window is no death."""
        years = self.held.get(code, ())
        return [y for y in years if (a := self.after(y)) is not None and a not in years]

    def candidates(self, code: str, year: int, *, born: bool) -> list[Candidate]:
        """Return the relatives of a code at its birth or death in `year`, best first.

        The codes that end as it begins, or begin as it ends: first those of the same HS6 or of a related one, by
        similarity; then those of the same heading, when they are at least 0.6 similar or there is no nearer one.
        """
        other = self.before(year) if born else self.after(year)
        assert other is not None
        turns = self.deaths if born else self.births
        partners = self._partners(code[:6], min(year, other), max(year, other), born=born)
        found = []
        for near, years in self.held.items():
            relation = _relation(code, near, partners)
            if relation and other in years and near != code and other in turns(near):
                found.append(Candidate(near, relation, similarity(self.names[code, year], self.names[near, other])))
        linked = any(c.relation != "same-heading" for c in found)
        kept = (c for c in found if not linked or c.relation != "same-heading" or c.similarity >= HEADING)
        return _ranked(kept)

    def labeled(self, code: str, label: str) -> list[Candidate]:
        """Return the codes of the last list that share HS6 (or else heading) with a code no list has, by its label."""
        last = self.years[-1]
        for relation, digits in (("same-hs6", 6), ("same-heading", 4)):
            near = [c for c, years in self.held.items() if c[:digits] == code[:digits] and last in years]
            if near:
                return _ranked(Candidate(c, relation, similarity((label,), self.names[c, last])) for c in near)
        return []

    def taken(self, successor: str, code: str) -> str | None:
        """Return the other code of the same heading that a successor continues by its name."""
        year = self.held[successor][0]
        last = self.before(year)
        if last is None:
            return None
        ended = (c for c in self.held if c != code and c[:4] == successor[:4] and last in self.deaths(c))
        same = (c for c in ended if similarity(self.names[c, last], self.names[successor, year]) >= SAME)
        return next(same, None)

    def _partners(self, hs6: str, last: int, first: int, *, born: bool) -> set[str]:
        """Return the HS6 that the UN relates to one, if an edition of the HS began after `last` and up to `first`."""
        found: set[str] = set()
        for old, new in pairwise(EDITIONS):
            if last < new <= first:
                pair = {"from_nomenclature": f"HS{new}", "to_nomenclature": f"HS{old}"}
                backward, forward = _correlated(str(references.path("correlation", self.reference, **pair)))
                found |= (backward if born else forward).get(hs6, frozenset())
        return found


def _relation(code: str, near: str, partners: set[str]) -> str | None:
    if near[:6] == code[:6]:
        return "same-hs6"
    if near[:6] in partners:
        return "correlated"
    return "same-heading" if near[:4] == code[:4] else None


def _ranked(found: Iterable[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda c: (c.relation == "same-heading", -round(c.similarity, 2), c.code))


Links = dict[str, frozenset[str]]


@lru_cache(maxsize=8)
def _correlated(table: str) -> tuple[Links, Links]:
    """Return HS6 of the new edition → of the old, and back, without the diffuse ones; a file's name changes with it."""
    import pyarrow.parquet as pq

    pairs = pq.ParquetFile(table).read(columns=["from_code", "to_code"])
    backward: dict[str, set[str]] = defaultdict(set)
    for a, b in zip(pairs["from_code"].to_pylist(), pairs["to_code"].to_pylist(), strict=True):
        backward[a].add(b)
    near = {a: olds for a, olds in backward.items() if len(olds) <= DIFFUSE}
    forward: dict[str, set[str]] = defaultdict(set)
    for a, olds in near.items():
        for b in olds:
            forward[b].add(a)
    return _frozen(near), _frozen(forward)


def _frozen(links: dict[str, set[str]]) -> Links:
    return {k: frozenset(v) for k, v in links.items()}
