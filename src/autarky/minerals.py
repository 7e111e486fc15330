"""Lists of critical minerals, kept as cards in `data/minerals/`, and which mineral is in which of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from autarky import controls, registry
from autarky.errors import CardError, listed

if TYPE_CHECKING:
    import pandas as pd

_CARD = {"id", "title", "printed", "issuer", "source", "reviewed", "notes", "minerals"}
_MINERAL = {"mineral", "printed", "qualification", "fuel", "members"}


@dataclass(frozen=True)
class Mineral:
    """One line of a list; `members` are the elements that a name such as rare earth elements stands for."""

    mineral: str
    printed: str
    qualification: str | None
    fuel: bool
    members: tuple[str, ...]


@dataclass(frozen=True)
class MineralList:
    """A government's list of minerals."""

    id: str
    title: str
    issuer: str
    source: str
    notes: tuple[str, ...]
    minerals: tuple[Mineral, ...]

    def names(self, *, members: bool = False) -> dict[str, Mineral]:
        """Return name → line of the list; with `members` each element of a group under its own name."""
        pairs = [(n, m) for m in self.minerals for n in (m.members if members and m.members else (m.mineral,))]
        return dict(pairs)


def load(name: str) -> MineralList:
    """Return a list by id (CN, US), or from a YAML file of the user's.

    Raises
    ------
    CardError : no such card; a field too many or too few; a mineral twice
    """
    card = registry.card("minerals", name)
    _fields(f"minerals {name}", card, _CARD)
    held = tuple(_mineral(f"minerals {name}", row) for row in card["minerals"])
    names = [n for m in held for n in (m.mineral, *m.members)]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise CardError(f"minerals {name}: {listed(twice)} stands in it more than once")
    source = f"{card['source']['document']}, {card['source']['where']}"
    return MineralList(card["id"], card["title"], card["issuer"], source, tuple(card["notes"]), held)


def _mineral(where: str, row: Any) -> Mineral:
    _fields(f"{where}, {row!r}", row, _MINERAL)
    if not isinstance(row["mineral"], str) or not isinstance(row["members"], list):
        raise CardError(f"{where}, {row['mineral']!r}: expected a name, and a list of members ([] where there is none)")
    return Mineral(**{**row, "members": tuple(row["members"])})


def _fields(where: str, row: Any, wanted: set[str]) -> None:
    held = set(row) if isinstance(row, dict) else set()
    if held != wanted:
        said = [f"`{f}` is missing" for f in sorted(wanted - held)]
        said += [f"`{f}` is not a field" for f in sorted(map(str, held - wanted))]
        raise CardError(f"{where}: {listed(said)}; the fields are {', '.join(sorted(wanted))}")


@cache
def hosts() -> Mapping[str, tuple[str, ...]]:
    """Return mineral → the minerals in whose production it is recovered, as far as the source names them."""
    found: dict[str, tuple[str, ...]] = {}
    for name in registry.names("hosts"):
        card = registry.card("hosts", name)
        recovered_with = tuple(row["element"] if "element" in row else row["host"] for row in card["hosts"])
        found |= dict.fromkeys(card["members"] if "members" in card else [card["mineral"]], recovered_with)
    return found


@cache
def controlled() -> Mapping[str, tuple[str, ...]]:
    """Return mineral → the 6-digit codes of its items in the registry of export controls, exact and partial.

    The lists of minerals print no codes; these are those of Appendix A.  A control without any code gives ().
    """
    frame = controls.load().items()
    pairs = frame.assign(hs6=frame["hs10"].str[:6]).groupby("product")["hs6"]
    return {str(product): tuple(sorted(codes.dropna().unique())) for product, codes in pairs}


def frame(*names: str) -> pd.DataFrame:
    """Return lists as a table, all lists of the package by default; a row a (list, mineral).

    Returns
    -------
    list, mineral, printed, qualification, fuel, members, hosts (minerals it is recovered with; null = the source names
    none), controlled (whether the registry of export controls holds an item of it or of a member), controlled_hs6
    """
    import pandas as pd

    rows = [_record(listing, m) for listing in map(load, names or registry.names("minerals")) for m in listing.minerals]
    table = pd.DataFrame(rows)
    words = [c for c in table if c not in ("fuel", "controlled")]
    return table.astype(dict.fromkeys(words, "str"))


def _record(listing: MineralList, line: Mineral) -> dict[str, Any]:
    products = [n for n in (line.mineral, *line.members) if n in controlled()]
    codes = sorted({code for n in products for code in controlled()[n]})
    named = {h for n in (line.mineral, *line.members) if n in hosts() for h in hosts()[n]}
    return {
        "list": listing.id,
        "mineral": line.mineral,
        "printed": line.printed,
        "qualification": line.qualification,
        "fuel": line.fuel,
        "members": " ".join(line.members) or None,
        "hosts": " ".join(sorted(named)) or None,
        "controlled": bool(products),
        "controlled_hs6": " ".join(codes) or None,
    }


def compare(*names: str, members: bool = False) -> pd.DataFrame:
    """Return the union of lists, and for each mineral which of them hold it.

    Parameters
    ----------
    names : two lists or more
    members : compare the elements of a group (rare earths) one by one; else the group counts as one mineral

    Returns
    -------
    mineral, set ("both", "all" for more than two lists, else "only CN", or those that hold it), for each list whether
    it holds the mineral, and its qualification where it prints one

    Raises
    ------
    CardError : fewer than two lists, a list twice, a list that does not exist
    """
    import pandas as pd

    lists = [load(name) for name in names]
    ids = [listing.id for listing in lists]
    if len(set(ids)) < 2 or len(set(ids)) < len(ids):
        raise CardError(f"compare needs two different lists or more; it was given {', '.join(ids) or 'none'}")
    held = {listing.id: listing.names(members=members) for listing in lists}
    union = sorted({mineral for found in held.values() for mineral in found})
    rows = []
    for mineral in union:
        where = [i for i in ids if mineral in held[i]]
        said = {f"in_{i}": i in where for i in ids}
        qualified = {f"qualification_{i}": held[i][mineral].qualification if i in where else None for i in ids}
        rows.append({"mineral": mineral, "set": _set(where, ids), **said, **qualified})
    table = pd.DataFrame(rows)
    return table.astype({c: "str" for c in table if not c.startswith("in_")})


def _set(where: list[str], ids: list[str]) -> str:
    if len(where) == len(ids):
        return "both" if len(ids) == 2 else "all"
    return f"only {', '.join(where)}"
