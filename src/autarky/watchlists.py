"""Watch lists: codes in groups, each with its category, label and years, kept as cards in `data/watchlists/`."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky import registry
from autarky.codes import check_nomenclature
from autarky.errors import CardError
from autarky.tables import LEVELS

if TYPE_CHECKING:
    import pandas as pd

# A year stands for its July: half of it lies before, half after.
MID_YEAR = 7


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
class Naming:
    """When a group was first named: a month ("2018-05") or, where the source says no more, a year ("2018")."""

    printed: str
    source: str | None

    def date(self, month: int = MID_YEAR) -> datetime.date:
        """Return the first day of the month; of a year, that of `month`."""
        year, _, said = self.printed.partition("-")
        return datetime.date(int(year), int(said or month), 1)


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
    namings: Mapping[str, Naming]

    @property
    def named(self) -> dict[str, datetime.date | None]:
        """Group → when it was first named, a year as its July; None where the list does not say."""
        return self.named_by(MID_YEAR)

    def named_by(self, month: int) -> dict[str, datetime.date | None]:
        """As `named`, with another month for a date that is only a year."""
        return {g: self.namings[g].date(month) if g in self.namings else None for g in self.groups}

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


def load(name: str, nomenclature: str | None = None) -> WatchList:
    """Return a watch list by id, or from a YAML or CSV file of the user's.

    A CSV file has a column `code`, and may have `label`, `group` and `category`; without groups all its codes are one.

    Parameters
    ----------
    nomenclature : that of the codes of a CSV file, which cannot say so itself; a card prints its own

    Raises
    ------
    CardError : no such card; a code that is not a quoted string of digits; a code twice; years that do not follow; a
        date of naming that is none; a CSV file without codes or without a nomenclature
    """
    card = _csv_card(name, nomenclature) if name.endswith(".csv") else registry.card("watchlists", name)
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
        namings={g["group"]: _naming(name, g) for g in card["groups"] if g.get("named") is not None},
    )


def _csv_card(name: str, nomenclature: str | None) -> dict[str, Any]:
    """Return a plain list of codes in the shape of a card."""
    path = Path(name)
    if not path.is_file():
        raise CardError(f"{name}: there is no such file")
    if nomenclature is None:
        raise CardError(f"{name}: a CSV list does not say what its codes are codes of; name the nomenclature")
    digits = LEVELS[check_nomenclature(nomenclature)]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CardError(f"{name}: not UTF-8 at byte {error.start}; save the list as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text))
    if "code" not in (reader.fieldnames or ()):
        raise CardError(f"{name}: expected a column `code`, found {', '.join(reader.fieldnames or ['none'])}")
    rows = [{k: (v or "").strip() for k, v in row.items() if isinstance(k, str)} for row in reader]
    if not rows:
        raise CardError(f"{name}: no codes below the header")
    groups: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 2):
        if not re.fullmatch("[0-9]+", row["code"]) or len(row["code"]) not in digits:
            raise CardError(
                f"{name}, row {number}: code {row['code']!r} is not one of {nomenclature} (digits only, "
                f"{', '.join(map(str, digits))} of them); a spreadsheet may have dropped a leading zero"
            )
        title = row.get("group") or path.stem
        group = groups.setdefault(title, {"group": title, "category": row.get("category") or "", "codes": []})
        group["codes"].append({"code": row["code"], "label": row.get("label") or ""})
    return {
        "id": path.stem,
        "title": path.stem,
        "source": path.name,
        "nomenclature": nomenclature,
        "groups": list(groups.values()),
    }


def _naming(name: str, group: Mapping[str, Any]) -> Naming:
    said = group["named"]
    if not isinstance(said, str) or not re.fullmatch(r"(19|20|21)\d{2}(-(0[1-9]|1[0-2]))?", said):
        raise CardError(
            f"watch list {name}, group {group['group']!r}: named {said!r} is not a quoted year or month "
            'such as "2018" or "2018-05"'
        )
    return Naming(said, group.get("named_source"))


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
