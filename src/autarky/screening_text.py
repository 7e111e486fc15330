"""Texts of a bill of materials against texts of controlled items: how much of the item a line names, 0–100.

Names of substances decide what a material is, so words are not all alike (`data/screening_words.csv`): an element or a
substance weighs 3, a compound (oxide, arsenide) 2, any other word 1; numbers, units and fillers nothing.

    score = 100 · weight of the item's words that the line has / weight of the item's words

An item may be worded in several ways, and the best counts.  The score is multiplied by 0.6 when the line names a
finished article (pencil, transistor) or a compound that the item's text does not name, since a thing made of a
material is not the material; and by 0.5 when it lacks the item's principal substance.  An item of technology is found
only by a line that speaks of technology.  Misspelled words match when 88% of their letters agree (`rapidfuzz`) and so
do their last two: phosphite is not phosphide.  A known word is never taken for a misspelling of another: erbium is
not terbium.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from autarky import codes

THRESHOLD = 70.0
CHUNK = 5000
OTHER_THING, WITHOUT_SUBSTANCE = 0.6, 0.5
_WEIGHT = {"element": 3.0, "substance": 3.0, "compound": 2.0}
_ALIKE, _LEAST_LETTERS = 88.0, 6
_WORD = re.compile(r"[a-z][a-z0-9]+")
# What follows says how the item may look, not what it is.
_TAIL = re.compile(r"\s(in any form|such as|not controlled|doped with|among (it|them))\b.*")

Scores = NDArray[np.float64]


class Matcher:
    """Scores lines against items.

    Parameters
    ----------
    items : (text, principal substance or "") of each item
    """

    def __init__(self, items: Sequence[tuple[str, str]]) -> None:
        self._phrases = [(n, words) for n, (text, product) in enumerate(items) for words in _phrases(text, product)]
        full = [frozenset(tokens(text)) for text, _ in items]
        self._items = len(items)
        self._technical = [n for n, words in enumerate(full) if any(_kind(w) == "technology" for w in words)]
        self._vocabulary = sorted({w for _, words in self._phrases for w in words} | set(_others()))
        self._place = {w: i for i, w in enumerate(self._vocabulary)}
        self._weights = self._laid([words for _, words in self._phrases])
        self._things = self._places_of("article", "compound")
        self._foreign = np.array([[float(self._is_foreign(t, words)) for words in full] for t in self._things])
        principal = [_principal(product, words) for (_, product), words in zip(items, full, strict=True)]
        self._named = [n for n, word in enumerate(principal) if word in self._place]
        self._substances = [self._place[word] for word in principal if word in self._place]
        self._spelled: dict[str, str | None] = {}

    def _laid(self, phrases: list[list[str]]) -> Scores:
        """(words, phrases) share of a phrase's weight that each word has."""
        laid = np.zeros((len(self._vocabulary), len(phrases)))
        for column, words in enumerate(phrases):
            total = sum(_weight(w) for w in words)
            for word in words:
                laid[self._place[word], column] = _weight(word) / total
        return laid

    def scores(self, texts: Sequence[str], progress: Callable[[float], None] = lambda _done: None) -> Scores:
        """Return (texts, items) scores, 0–100."""
        lines = [tokens(t) for t in texts]
        self._spell({w for words in lines for w in words})
        result = np.zeros((len(texts), self._items))
        for start in range(0, len(texts), CHUNK):
            part = lines[start : start + CHUNK]
            result[start : start + CHUNK] = self._scored(part)
            progress(min(start + CHUNK, len(texts)) / len(texts))
        return result

    def _scored(self, lines: list[list[str]]) -> Scores:
        held = np.zeros((len(lines), len(self._vocabulary)))
        for row, words in enumerate(lines):
            for word in words:
                known = self._spelled[word]
                if known is not None:
                    held[row, self._place[known]] = 1.0
        self._any_compound(held)
        covered = 100.0 * (held @ self._weights)
        best = np.zeros((len(lines), self._items))
        for column, (item, _) in enumerate(self._phrases):
            np.maximum(best[:, item], covered[:, column], out=best[:, item])
        return best * self._factors(held)

    def _any_compound(self, held: Scores) -> None:
        """A line that names an oxide names a compound, if a little less clearly."""
        if "compound" in self._place:
            place = self._place["compound"]
            found = held[:, self._places_of("compound")].any(axis=1)
            held[:, place] = np.maximum(held[:, place], 0.8 * found)

    def _factors(self, held: Scores) -> Scores:
        """(lines, items) what a score is multiplied by."""
        factors = np.where(held[:, self._things] @ self._foreign > 0, OTHER_THING, 1.0)
        lacks = held[:, self._substances] == 0
        factors[:, self._named] *= np.where(lacks, WITHOUT_SUBSTANCE, 1.0)
        spoken = held[:, self._places_of("technology")].max(axis=1, keepdims=True)
        factors[:, self._technical] *= spoken
        return factors

    def _places_of(self, *kinds: str) -> list[int]:
        return [place for word, place in self._place.items() if _kind(word) in kinds]

    def _is_foreign(self, place: int, full: frozenset[str]) -> bool:
        """Whether a thing is other than what an item's text speaks of; an oxide is one of its compounds."""
        word = self._vocabulary[place]
        return word not in full and not ("compound" in full and _kind(word) == "compound")

    def _spell(self, words: set[str]) -> None:
        """Find the vocabulary's word for each word: itself, or the one that it misspells; null when neither."""
        from rapidfuzz import process
        from rapidfuzz.distance import Indel

        new = sorted(words - self._spelled.keys())
        self._spelled |= {w: w if w in self._place else None for w in new}
        odd = [w for w in new if w not in self._place and len(w) >= _LEAST_LETTERS and not _kind(w) and w.isalpha()]
        names = [w for w in self._vocabulary if len(w) >= _LEAST_LETTERS]
        for start in range(0, len(odd), CHUNK):
            part = odd[start : start + CHUNK]
            alike = process.cdist(part, names, scorer=Indel.normalized_similarity, score_cutoff=_ALIKE / 100)
            for row, word in enumerate(part):
                near = [(-alike[row, i], names[i]) for i in np.flatnonzero(alike[row]) if names[i][-2:] == word[-2:]]
                if near:
                    self._spelled[word] = min(near)[1]


def tokens(text: str) -> list[str]:
    """Return the words of a text that carry meaning: formulas spelled out, plurals and spellings made one.

    Examples
    --------
    >>> tokens("GaAs wafers, 4 inch")
    ['gallium', 'arsenide', 'wafer']
    """
    found: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).lower()):
        found += [w for part in _read(word) if (w := part) and _kind(w) != "filler"]
    return list(dict.fromkeys(found))


@cache
def _read(word: str) -> tuple[str, ...]:
    kind, means = _words().get(word, ("", ""))
    if not kind and word.endswith("s") and not word.endswith("ss") and len(word) > 4:
        return _read("alloy" if word == "alloys" else word.removesuffix("es") if word[-4:] == "sses" else word[:-1])
    return tuple(means.split()) if means else (word,)


@cache
def _words() -> dict[str, tuple[str, str]]:
    """Return word → (kind, what it means) of the table of words."""
    return {row["word"]: (row["kind"], row["means"]) for row in codes.rows_of("screening_words")}


def _others() -> list[str]:
    """Return the words that tell an item from something else, whether or not an item has them."""
    return [w for w, (kind, _) in _words().items() if kind in ("article", "compound", "technology", "element")]


def _kind(word: str) -> str:
    return _words().get(word, ("", ""))[0]


def _weight(word: str) -> float:
    return _WEIGHT.get(_kind(word), 1.0)


def _phrases(text: str, product: str) -> list[list[str]]:
    """Return the ways in which an item is worded: its first words, and what else of its text names the substance."""
    parts = [p for part in re.split(r"[,;:()]", _TAIL.sub("", text)) for p in _distributed(part, product)]
    found = [_cut(part, product) for part in parts]
    head = re.split(r"\s(of|with)\s", parts[0])[0]
    # "Targets of a, b" are targets of b too.
    shared = [w for w in tokens(head) if not _kind(w)] if len(head) < len(parts[0]) else []
    kept = [found[0]]
    if product and " " not in product:
        kept += [[*shared, *words] for words in found[1:] if any(product in w for w in words)]
    return [list(dict.fromkeys(words)) for words in kept if words]


def _distributed(part: str, product: str) -> list[str]:
    """Split at "and"; in "spheroidized and expanded graphite" both are graphite."""
    *first, last = part.split(" and ")
    shared = f" {product}" if product and product in last.lower() else ""
    return [p if not shared or product in p.lower() else p + shared for p in first] + [last]


def _cut(part: str, product: str) -> list[str]:
    """Return the words of a part of an item's text, without what its substance is alloyed with."""
    before, *_ = part.partition(" with ")
    own = tokens(before)
    return own if product in own else tokens(part)


def _principal(product: str, full: frozenset[str]) -> str:
    """Return the substance that a line must name, where the item's own text does; else nothing."""
    return product if product in full and _kind(product) in ("element", "substance") else ""
