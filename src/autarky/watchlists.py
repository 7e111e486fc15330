"""Watch lists: codes in groups, each with its category, label and years, kept as cards in `data/watchlists/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autarky import registry
from autarky.codes import check_nomenclature
from autarky.errors import CardError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Entry:
    """One code of a list; `since` and `until` are years, inclusive, as the source prints them."""

    group: str
    category: str
    code: str
    nomenclature: str
    label: str
    since: int | None
    until: int | None
    printed: str
    note: str | None
    item: int | None = None


@dataclass(frozen=True)
class Published:
    """What the list's source prints about a group."""

    volatility: float
    growth: float
    label: str


@dataclass(frozen=True)
class WatchList:
    """A list of codes in groups."""

    id: str
    title: str
    source: str
    nomenclature: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    published: Mapping[str, Published]
    drivers: Mapping[str, tuple[str, ...]]

    @property
    def groups(self) -> dict[str, str]:
        """Group → category, in the order of the card."""
        return {e.group: e.category for e in self.entries}

    def frame(self) -> pd.DataFrame:
        """Return the list as a table, a row a code."""
        import pandas as pd

        frame = pd.DataFrame([e.__dict__ for e in self.entries])
        years = {c: frame[c].astype("Int64") for c in ("since", "until", "item")}
        frame = frame.assign(**years, watchlist=self.id)
        return frame[
            [
                "watchlist",
                "group",
                "category",
                "item",
                "code",
                "nomenclature",
                "label",
                "since",
                "until",
                "printed",
                "note",
            ]
        ]


def load(name: str) -> WatchList:
    """Return a watch list by id, or from a YAML file of the user's.

    Raises
    ------
    CardError : no such card; a code that is not a quoted string of digits; a code twice; years that do not follow
    """
    card = registry.card("watchlists", name)
    for needed in ("title", "source", "nomenclature", "groups"):
        if needed not in card:
            raise CardError(f"watch list {name}: `{needed}` is missing")
    entries = tuple(_entry(name, card, group, row) for group in card["groups"] for row in group["codes"])
    codes = [e.code for e in entries]
    repeated = sorted({c for c in codes if codes.count(c) > 1})
    if repeated:
        raise CardError(f"watch list {name}: code {repeated[0]} stands in it more than once")
    source = card["source"]
    cited = (
        f"{source['authors']}, {source['title']}, {source['date']}, {source['pages']}"
        if isinstance(source, dict)
        else source
    )
    return WatchList(
        id=card["id"],
        title=card["title"],
        source=cited,
        nomenclature=check_nomenclature(card["nomenclature"]),
        entries=entries,
        notes=tuple(card.get("notes", ())),
        published=_published(card),
        drivers={g["group"]: tuple(g.get("published_drivers", ())) for g in card["groups"]},
    )


def _published(card: Mapping[str, Any]) -> dict[str, Published]:
    said = {g["group"]: g.get("published") for g in card["groups"]}
    return {g: Published(p["volatility"], p["growth"], p["label"]) for g, p in said.items() if p}


def _entry(name: str, card: Mapping[str, Any], group: Mapping[str, Any], row: Mapping[str, Any]) -> Entry:
    where = f"watch list {name}, group {group.get('group')!r}"
    code = row.get("code")
    if not isinstance(code, str) or not re.fullmatch(r"\d{2,10}", code):
        raise CardError(f"{where}: code {code!r} is not a string of digits; put it in quotes, or YAML reads 0102 as 66")
    since, until = row.get("since"), row.get("until")
    for year in (since, until):
        if year is not None and not (isinstance(year, int) and 1900 < year < 2200):
            raise CardError(f"{where}: code {code}: {year!r} is not a year")
    if since and until and since > until:
        raise CardError(f"{where}: code {code}: since {since} is after until {until}")
    return Entry(
        group=group["group"],
        category=group["category"],
        code=code,
        nomenclature=card["nomenclature"],
        label=row["label"],
        since=since,
        until=until,
        printed=row.get("printed", code),
        note=row.get("note"),
        item=row.get("item"),
    )
