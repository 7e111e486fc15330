"""Screen a bill of materials against the controls of a date: which lines are controlled, how surely, and by what.

Verdicts, from the surest:

- ``exact``: the code is a controlled line that holds nothing but the item;
- ``possible``: the code is a controlled line that holds other goods too, or stands above one (fewer digits), or
  shares its first 6 digits with one in another country's digits;
- ``text``: no code speaks for it, and the words do (items without a line of their own; lines without a code or with a
  code elsewhere), with a score, see `screening_text`;
- ``not``: neither; ``bad line``: it could not be read, and was not screened.

A verdict is a reason to look, not a finding of law.  A 10-digit code whose system is not stated is taken for the
issuer's own, and `why` says so.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from autarky.errors import CodeError, MeasureError, TableError, listed
from autarky.screening_codes import SYSTEMS, UNKNOWN, Hit, Lines, read
from autarky.screening_text import THRESHOLD, Matcher

if TYPE_CHECKING:
    from autarky.screening_text import Scores

EXACT, POSSIBLE, TEXT, NOT, BAD = VERDICTS = ("exact", "possible", "text", "not", "bad line")
COLUMNS = (
    "row", "code", "text", "nomenclature", "verdict", "basis", "score", "item", "item_text", "control", "hs10",
    "action", "kind", "destination", "status", "since", "items", "others", "why",
)  # fmt: skip
_STEP = 5000
# What of the work is done when the texts are scored.
_SCORED = 0.7


class Registry(Protocol):
    """What is asked of a registry of controls: see `controls.Registry.as_of`."""

    def as_of(self, date: Any, destination: str | None = None) -> pd.DataFrame:
        """Return the rows announced or in force at a date."""


@dataclass(frozen=True)
class _Items:
    """The controlled items of a date: a record an item, and the lines that hold them."""

    records: list[dict[str, Any]]
    lines: Lines
    matcher: Matcher


def screen(
    frame: pd.DataFrame,
    registry: Registry,
    as_of: str | datetime.date,
    *,
    nomenclature: str = UNKNOWN,
    destination: str | None = None,
    threshold: float = THRESHOLD,
    progress: Callable[[str, float], None] = lambda _what, _done: None,
) -> pd.DataFrame:
    """Screen every line of a bill of materials.

    Parameters
    ----------
    frame : columns code and text, of which one may be absent; nomenclature (null: that of the parameter), row (number
        in the file; default 1…) and problem (why the line could not be read) where there are any
    registry : of controls
    as_of : the day, as a date or YYYY-MM-DD
    nomenclature : system of the codes: HS6, CN8, GACC8, HTS10, GACC10 or unknown
    destination : ISO3; only controls on exports to it
    threshold : least score of a verdict by text, 0–100
    progress : hears (what is being done, share done)

    Returns
    -------
    a row a line, in order: row, code, text and nomenclature as given; verdict; basis (line, 8 digits, 6 digits, 4
    digits, text); score of the words against the item's, 0–100, null without text; the item that fits best, its text,
    control code, lines; its actions with kind, destination, status, first day in force (a list where several hold);
    items, the number that fit equally by code, and others, their ids; why

    Raises
    ------
    TableError : neither a code nor a text column
    CodeError : a nomenclature that is not known
    MeasureError : `as_of` is not a day, or the threshold no score
    """
    lines = _lines(frame, nomenclature)
    if not 0 < threshold <= 100:
        raise MeasureError(f"threshold {threshold!r}: expected a score above 0 and up to 100")
    items = _items(registry.as_of(as_of, destination))
    texts = list(dict.fromkeys(t for t in lines["text"] if t))
    scores = items.matcher.scores(texts, lambda done: progress("texts", _SCORED * done))
    places = {text: n for n, text in enumerate(texts)}
    known: dict[tuple[str, str], tuple[str | None, str | None, list[Hit]]] = {}
    told = []
    for n, record in enumerate(lines.itertuples(index=False)):
        told.append(_judged(record, items, known, scores, places, threshold))
        if n % _STEP == 0:
            progress("lines", _SCORED + (1 - _SCORED) * n / len(lines))
    progress("lines", 1.0)
    found = pd.DataFrame(told, columns=list(COLUMNS[4:]), dtype=object)
    result = pd.concat([lines[list(COLUMNS[:4])], found], axis=1)
    text = [c for c in COLUMNS[1:] if c not in ("score", "items")]
    return result.astype({"score": "float64", "items": "Int64", **dict.fromkeys(text, "str")})


def summary(result: pd.DataFrame) -> dict[str, int]:
    """Return how many lines have each verdict."""
    counts = result["verdict"].value_counts()
    return {verdict: int(counts[verdict]) if verdict in counts else 0 for verdict in VERDICTS}


def _lines(frame: pd.DataFrame, nomenclature: str) -> pd.DataFrame:
    """Return row, code, text, nomenclature, problem of every line, texts stripped, "" for nothing."""
    if not {"code", "text"} & set(frame.columns):
        raise TableError(
            f"a bill of materials needs a column `code` or `text`; there are "
            f"{listed([str(c) for c in frame.columns], 12)}"
        )
    _check_systems([nomenclature])
    rows = frame["row"] if "row" in frame else pd.Series(range(1, len(frame) + 1))
    told: dict[str, Any] = {"row": rows.to_numpy()}
    for name in ("code", "text", "nomenclature", "problem"):
        given = frame[name] if name in frame else pd.Series([None] * len(frame), dtype=object)
        told[name] = ["" if v is None or v is pd.NA or v != v else str(v).strip() for v in given.tolist()]
    lines = pd.DataFrame(told)
    lines["nomenclature"] = lines["nomenclature"].where(lines["nomenclature"] != "", nomenclature)
    return lines


def _check_systems(names: list[str]) -> None:
    odd = [n for n in names if n not in SYSTEMS]
    if odd:
        raise CodeError(f"nomenclature {odd[0]!r} is not known; known are {', '.join(SYSTEMS)}")


def _items(held: pd.DataFrame) -> _Items:
    """Put the rows of a registry together: an item once, with all its lines and all actions that control it."""
    # What is in force goes before what is only announced.
    ordered = held.assign(later=held["status"] != "in force").sort_values("later", kind="stable")
    records: list[dict[str, Any]] = []
    lines: dict[str, list[tuple[int, str, str]]] = {}
    for number, (name, rows) in enumerate(ordered.groupby("item", sort=False)):
        first = rows.iloc[0]
        actions = rows.drop_duplicates(["action", "destination"])
        coded = rows.dropna(subset=["hs10"]).drop_duplicates("hs10")
        for code, match in coded[["hs10", "match"]].itertuples(index=False):
            lines.setdefault(code, []).append((number, first["issuer"], match))
        joined = {
            c: "; ".join(_said(v) for v in actions[c]) for c in ("action", "kind", "destination", "status", "since")
        }
        control = None if pd.isna(first["control"]) else first["control"]
        records.append(
            {"item": name, "item_text": first["text"], "control": control, "unlisted": coded.empty, **joined}
        )
    products = ordered.drop_duplicates("item")["product"].fillna("")
    matcher = Matcher([(r["item_text"], product) for r, product in zip(records, products, strict=True)])
    return _Items(records, Lines(lines), matcher)


_ACTION = ("action", "kind", "destination", "status", "since")


def _said(value: Any) -> str:
    return "–" if pd.isna(value) else str(value.date()) if isinstance(value, datetime.datetime) else str(value)


def _judged(
    line: Any,
    items: _Items,
    known: dict[tuple[str, str], tuple[str | None, str | None, list[Hit]]],
    scores: Scores,
    places: Mapping[str, int],
    threshold: float,
) -> tuple[Any, ...]:
    """Return the columns from `verdict` on."""
    problem = line.problem or _unreadable(line)
    digits: str | None = None
    hits: list[Hit] = []
    if not problem and line.code:
        key = (line.code, line.nomenclature)
        if key not in known:
            read_as, wrong = read(*key)
            known[key] = (read_as, wrong, items.lines.hits(read_as, line.nomenclature) if read_as else [])
        digits, problem, hits = known[key]
    if problem:
        return (BAD, *[None] * (len(COLUMNS) - 6), problem)
    own = scores[places[line.text]] if line.text and items.records else None
    if hits:
        return _by_code(line, digits, hits, own, items)
    best = int(np.argmax(own)) if own is not None else None
    if own is not None and best is not None and own[best] >= threshold:
        return _by_text(digits, best, float(own[best]), items, own >= threshold)
    nearest = (
        "no text to compare"
        if own is None or best is None
        else f"no item's words score {threshold:g} (best {own[best]:.0f})"
    )
    code = f"no controlled line begins with {digits[:6]}" if digits else "no code"
    return (NOT, None, None if own is None else float(own.max()), *[None] * (len(COLUMNS) - 8), f"{code}; {nearest}")


def _unreadable(line: Any) -> str | None:
    if not line.code and not line.text:
        return "neither a code nor a text"
    if line.nomenclature not in SYSTEMS:
        return f"nomenclature {line.nomenclature!r} is not known; known are {', '.join(SYSTEMS)}"
    return None


def _by_code(line: Any, digits: str | None, hits: list[Hit], own: Any, items: _Items) -> tuple[Any, ...]:
    ranked = sorted(hits, key=lambda h: (not h.exact, 0.0 if own is None else -float(own[h.item]), h.item))
    lead = ranked[0]
    score = None if own is None else float(own[lead.item])
    others = [items.records[h.item]["item"] for h in ranked[1:]]
    verdict = EXACT if lead.exact else POSSIBLE
    return (
        verdict,
        lead.basis,
        score,
        *_item(items, lead.item, lead.lines),
        len(hits),
        "; ".join(others) or None,
        _why(line, str(digits), lead, len(hits)),
    )


def _why(line: Any, digits: str, hit: Hit, count: int) -> str:
    unstated = (
        "; the code's system is not stated: true if its digits are the issuer's own"
        if line.nomenclature == UNKNOWN
        else ""
    )
    if hit.exact:
        return f"line {digits} is the item{unstated}"
    if hit.basis == "line":
        shared = f", {count} controlled items among them" if count > 1 else ""
        return f"line {digits} holds more than the item{shared}{unstated}"
    number = int(hit.basis.split()[0])
    below = f"controlled below {digits[:number]}: {listed(list(hit.lines), 3)}"
    if len(digits) > number:
        return f"only the first {number} digits can agree, as those after are each country's own; {below}"
    return f"the code has {number} digits; {below}{unstated if number > 6 else ''}"


def _by_text(digits: str | None, best: int, score: float, items: _Items, enough: Any) -> tuple[Any, ...]:
    others = [items.records[i]["item"] for i in np.flatnonzero(enough) if i != best]
    if items.records[best]["unlisted"]:
        why = "no line lists the item; the words fit"
    elif digits:
        why = f"the words fit, though {digits} is not one of the item's lines"
    else:
        why = "the words fit; there is no code"
    return (TEXT, "text", score, *_item(items, best, ()), len(others) + 1, "; ".join(others) or None, why)


def _item(items: _Items, number: int, lines: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the columns from `item` to `since`."""
    row = items.records[number]
    return (row["item"], row["item_text"], row["control"], " ".join(lines) or None, *(row[c] for c in _ACTION))
