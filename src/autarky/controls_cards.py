"""Cards of export controls (`data/controls`): how an action and its items are written, and what is checked on load."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from autarky import registry
from autarky.codes import area_names
from autarky.errors import CardError, listed

KINDS = (
    "ban", "license", "prohibition of technology export", "tariff", "investigation", "warning", "law", "supply policy",
)  # fmt: skip
# The European Union acts as one and is no country of the table of areas.
UNION = {"EU": "European Union"}
DIGITS = 10
_ACTION = {
    "id", "title", "issuer", "kind", "announced", "effective", "ended", "ended_by", "instrument", "notice",
    "legal_basis", "responds_to", "destinations", "supersedes", "source", "reviewed", "assumed", "differences",
    "notes", "items",
}  # fmt: skip
_ITEM = {"id", "product", "text", "control", "exact", "partial", "where", "note"}
_SOURCE = {"document", "date", "where", "printed_date"}
_DIFFERENCE = {"about", "here", "elsewhere", "by"}
_LISTS = ("legal_basis", "responds_to", "destinations", "supersedes", "differences", "notes", "items")
_CONTROL = r"\d[A-E]\d{3}(\.[a-z0-9]+)*"


@dataclass(frozen=True)
class Item:
    """A controlled good or technology.

    Attributes
    ----------
    exact : 10-digit codes of lines that hold nothing but the item
    partial : 10-digit codes of lines that hold other goods too; an item without any code is `unlisted`
    """

    id: str
    product: str
    text: str
    control: str | None
    exact: tuple[str, ...]
    partial: tuple[str, ...]
    where: str
    note: str | None

    @property
    def lines(self) -> tuple[tuple[str | None, str], ...]:
        """Pairs of a code and its match; one pair without a code for an item that no line lists."""
        pairs = [*((c, "exact") for c in self.exact), *((c, "partial") for c in self.partial)]
        return tuple(sorted(pairs)) or ((None, "unlisted"),)


@dataclass(frozen=True)
class Difference:
    """What another document says of a field; the card follows its own source."""

    about: str
    here: str
    elsewhere: str
    by: str


@dataclass(frozen=True)
class Action:
    """One act of a government; null where the source does not say.

    Attributes
    ----------
    announced, effective, ended : days; an action without `effective` has not entered into force as far as is known
    notice : year and number of the ministry's notice, as 2024-33
    responds_to, legal_basis : ids of actions
    destinations : ISO3 codes of the countries it is aimed at; none = all
    supersedes : ids of actions or items whose controls it ends and goes on with under its own terms
    assumed : field → why it is set, where the source does not state it
    """

    id: str
    title: str
    issuer: str
    kind: str
    announced: datetime.date | None
    effective: datetime.date | None
    ended: datetime.date | None
    ended_by: str | None
    instrument: str | None
    notice: str | None
    legal_basis: tuple[str, ...]
    responds_to: tuple[str, ...]
    destinations: tuple[str, ...]
    supersedes: tuple[str, ...]
    document: str
    document_date: datetime.date | None
    where: str
    printed_date: str
    reviewed: datetime.date
    assumed: Mapping[str, str]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    items: tuple[Item, ...]

    @property
    def date(self) -> datetime.date | None:
        """The day by which it is ordered: announced, else effective."""
        return self.announced or self.effective


def issuer_name(issuer: str) -> str:
    """Return the name of an issuer: a country of the table of areas, or the European Union."""
    return {**area_names(), **UNION}[issuer]


def read_all(folder: str | Path | None = None) -> dict[str, Action]:
    """Return the actions of the package and, when given, those of a folder of the user's, by id; links are checked.

    Raises
    ------
    CardError : a card that breaks a rule of its form, an id in two cards, a link to nowhere
    """
    own = [str(files("autarky") / "data" / "controls" / f"{name}.yml") for name in registry.names("controls")]
    more = sorted(str(p) for p in Path(folder).glob("*.yml")) if folder is not None else []
    if folder is not None and not more:
        raise CardError(f"{folder}: no cards (*.yml) are in this folder")
    actions: dict[str, Action] = {}
    for path in [*own, *more]:
        action = read(path)
        if action.id in actions:
            raise CardError(f"{path}: there is an action {action.id} already; give yours an id of its own")
        actions[action.id] = action
    check_links(actions.values())
    return actions


def read(path: str | Path) -> Action:
    """Return the action of one card; links to other cards are not looked at.

    Raises
    ------
    CardError : a field too many or too few, a date that is none, a code that is no quoted string of ten digits, an
        unknown kind, issuer or destination, an item twice
    """
    try:
        card = registry.card("controls", str(path))
    except ValueError as error:
        # PyYAML reads an unquoted 2025-02-30 as a date and fails without saying where.
        raise CardError(f"{path}: {_impossible(Path(path)) or error}") from error
    where = f"control {card['id']}"
    _fields(where, card, _ACTION)
    _lists(where, card, *_LISTS)
    _fields(f"{where}, source", card["source"], _SOURCE)
    _assumed(where, card["assumed"])
    _one_of(where, "kind", card["kind"], KINDS)
    _one_of(where, "issuer", card["issuer"], {**area_names(), **UNION})
    for destination in card["destinations"] or ():
        _one_of(where, "destinations", destination, area_names())
    days = {name: _day(where, name, card[name]) for name in ("announced", "effective", "ended", "reviewed")}
    _order(where, days, card)
    links = {name: tuple(card[name] or ()) for name in ("legal_basis", "responds_to", "destinations", "supersedes")}
    words = {name: card[name] for name in ("id", "title", "issuer", "kind", "instrument", "notice", "ended_by")}
    source = {name: card["source"][name] for name in ("document", "where", "printed_date")}
    rest: dict[str, Any] = {**words, **source, **links, **days}
    return Action(
        **rest,
        document_date=_day(where, "source.date", card["source"]["date"]),
        assumed=card["assumed"],
        differences=tuple(_difference(where, row) for row in card["differences"]),
        notes=tuple(card["notes"]),
        items=tuple(_item(where, row) for row in card["items"]),
    )


def _impossible(path: Path) -> str | None:
    """Name the first date of a file that is in no calendar."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for text in re.findall(r"\d{4}-\d{2}-\d{2}", line):
            try:
                datetime.date.fromisoformat(text)
            except ValueError:
                return f"line {number}: {text} is not a day of the calendar; write a real one as YYYY-MM-DD"
    return None


def _fields(where: str, row: Any, wanted: set[str]) -> None:
    held = set(row) if isinstance(row, dict) else set()
    if held != wanted:
        said = [f"`{f}` is missing" for f in sorted(wanted - held)]
        said += [f"`{f}` is not a field" for f in sorted(map(str, held - wanted))]
        raise CardError(f"{where}: {listed(said)}; the fields are {', '.join(sorted(wanted))} (null where not known)")


def _lists(where: str, row: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(row[name], list) and not (row[name] is None and name in ("legal_basis", "destinations")):
            raise CardError(f"{where}: `{name}` is {row[name]!r}; expected a list, [] where there is none")


def _assumed(where: str, said: Any) -> None:
    held = said if isinstance(said, dict) else {"assumed": None}
    wrong = sorted(str(f) for f, why in held.items() if f not in {*_ACTION, "match"} or not why)
    if wrong:
        raise CardError(f"{where}, assumed: {listed(wrong)}; expected a reason for a field that no source states")


def _one_of(where: str, field: str, value: Any, known: Iterable[str]) -> None:
    if value not in list(known):
        raise CardError(f"{where}: {field} {value!r} is not known; expected {listed(list(known), 8)}")


def _day(where: str, field: str, value: Any) -> datetime.date | None:
    # A date with a time of day is a date too, for Python.
    if value is None or type(value) is datetime.date:
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise CardError(f"{where}: {field} {value} is not a day of the calendar; write a real one") from None
    raise CardError(f"{where}: {field} {value!r} is not a day; write it as YYYY-MM-DD, or null")


def _order(where: str, days: Mapping[str, datetime.date | None], card: Mapping[str, Any]) -> None:
    known = [(name, days[name]) for name in ("announced", "effective", "ended")]
    told = [(name, day) for name, day in known if day is not None]
    for (first, one), (second, other) in pairwise(told):
        if other < one:
            raise CardError(f"{where}: {second} {other} is before {first} {one}")
    if (card["ended"] is None) != (card["ended_by"] is None):
        raise CardError(f"{where}: `ended` and `ended_by` go together: the day, and the action that ended it")


def _difference(where: str, row: Any) -> Difference:
    _fields(f"{where}, differences", row, _DIFFERENCE)
    return Difference(**row)


def _item(where: str, row: Any) -> Item:
    _fields(f"{where}, items", row, _ITEM)
    here = f"{where}, item {row['id']}"
    _lists(here, row, "exact", "partial")
    codes = [*row["exact"], *row["partial"]]
    for code in codes:
        if not isinstance(code, str):
            raise CardError(f"{here}: code {code!r} is not a string; put it in quotes, or YAML reads 0102 as 66")
        if not re.fullmatch(rf"\d{{{DIGITS}}}", code):
            raise CardError(f"{here}: code {code!r} has {len(code)} characters; expected {DIGITS} digits")
    twice = sorted({c for c in codes if codes.count(c) > 1})
    if twice:
        raise CardError(f"{here}: {listed(twice)} stands in it more than once; a line is exact or partial, once")
    for control in (row["control"] or "").split("; "):
        if control and not re.fullmatch(_CONTROL, control):
            raise CardError(f"{here}: control code {control!r} does not read as 1C905.a")
    return Item(**{**row, "exact": tuple(row["exact"]), "partial": tuple(row["partial"])})


def check_links(actions: Iterable[Action]) -> None:
    """Check that every link of every card leads to a card (or, for `supersedes`, to an item) and not back in time.

    Raises
    ------
    CardError : a link to nowhere or to itself, an answer before its trigger, an item id in two cards
    """
    known = {a.id: a for a in actions}
    owners: dict[str, str] = {}
    for action in known.values():
        for item in action.items:
            if item.id in owners or item.id in known:
                raise CardError(f"control {action.id}: the id {item.id} is taken by {owners.get(item.id, 'an action')}")
            owners[item.id] = action.id
    for action in known.values():
        ended_by = () if action.ended_by is None else (action.ended_by,)
        links = {"responds_to": action.responds_to, "legal_basis": action.legal_basis, "ended_by": ended_by}
        for field, targets in {**links, "supersedes": action.supersedes}.items():
            for target in targets:
                _link(action, field, target, known, owners if field == "supersedes" else {})


def _link(action: Action, field: str, target: str, known: Mapping[str, Action], owners: Mapping[str, str]) -> None:
    where = f"control {action.id}: {field} {target!r}"
    if target not in known and target not in owners:
        near = get_close_matches(str(target), [*known, *owners], n=1)
        raise CardError(f"{where} leads nowhere; {f'is it {near[0]!r}?' if near else 'no card has this id'}")
    other = known[target] if target in known else known[owners[target]]
    if other is action:
        raise CardError(f"{where} leads to the card itself")
    if action.date and other.date and (other.date > action.date) != (field == "ended_by") and other.date != action.date:
        raise CardError(f"{where} is of {other.date}, this action of {action.date}; check the dates or the direction")
