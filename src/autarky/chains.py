"""Chains: reviewed cards (`data/chains`) that say which codes continue which, and a list's series under them.

A one-to-one chain takes a code to the code that continues it.  Where a code was split or merged, no exact chain exists
and the card names a basket: codes whose sum means the same over the whole window.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from autarky import registry, watchlists
from autarky.codes import check_nomenclature
from autarky.errors import CardError, MeasureError, listed
from autarky.tables import LEVELS

if TYPE_CHECKING:
    import pandas as pd

    from autarky.watchlists import WatchList

BREAKS = ("as-is", "chained", "dropped")
_SERIES = ("group", "category", "product", "period", "value_usd")
_CARD = {"id", "title", "watchlist", "nomenclature", "reviewed", "notes", "chains"}
_KINDS = {
    "one-to-one": {"group", "from", "to", "year", "reason", "source"},
    "basket": {"group", "basket", "years", "reason", "source"},
}


@dataclass(frozen=True)
class Chain:
    """Codes that are one thing over time.

    Attributes
    ----------
    members : one-to-one: predecessor and successor; basket: all its codes
    years : the first years of the codes that begin
    unlisted : the members that are not on the watch list
    """

    group: str
    category: str
    kind: str
    members: tuple[str, ...]
    years: tuple[int, ...]
    unlisted: tuple[str, ...]
    reason: str
    source: str

    @property
    def covered(self) -> bool:
        """Whether the list holds all of it, so that the code change leaves its group whole."""
        return not self.unlisted

    @property
    def product(self) -> str:
        """The code under which a one-to-one chain goes on: the successor, or the one of the two that is listed."""
        return next(c for c in reversed(self.members) if c not in self.unlisted)


@dataclass(frozen=True)
class Chains:
    """The reviewed chains of a watch list."""

    id: str
    title: str
    watchlist: str
    nomenclature: str
    reviewed: str
    notes: tuple[str, ...]
    chains: tuple[Chain, ...]

    def frame(self) -> pd.DataFrame:
        """Return a row a chain: group, kind, codes, unlisted, years, covered, reason, source."""
        import pandas as pd

        rows = [
            {
                **{"group": c.group, "kind": c.kind, "codes": " ".join(c.members), "unlisted": " ".join(c.unlisted)},
                **{"years": " ".join(map(str, c.years)), "covered": c.covered, "reason": c.reason, "source": c.source},
            }
            for c in self.chains
        ]
        columns = ["group", "kind", "codes", "unlisted", "years", "covered", "reason", "source"]
        return pd.DataFrame(rows, columns=columns)


def names() -> list[str]:
    """Return the ids of the cards of the package, sorted."""
    folder = files("autarky") / "data" / "chains"
    return sorted(p.name.removesuffix(".yml") for p in folder.iterdir() if p.name.endswith(".yml"))


def load(name: str) -> Chains:
    """Return the chains by id, or from a YAML file of the user's.

    Raises
    ------
    CardError : no such card; a field too many or too few; a code that is not a quoted string of all its digits; a year
        that is none; a code in two chains; a chain that would move value between codes in another way than one to one;
        a watch list or group that does not exist, or that lists none of a chain's codes
    """
    own = not name.endswith((".yml", ".yaml"))
    if own and name not in names():
        raise CardError(f"there is no card {name!r} in chains; there are {', '.join(names())}")
    card = registry.card("chains", str(files("autarky") / "data" / "chains" / f"{name}.yml") if own else name)
    _fields(f"chains {name}", card, _CARD)
    nomenclature = check_nomenclature(card["nomenclature"])
    watchlist = watchlists.load(card["watchlist"])
    if watchlist.nomenclature != nomenclature:
        raise CardError(f"chains {name}: codes of {nomenclature}, but {watchlist.id} has {watchlist.nomenclature}")
    if not isinstance(card["chains"], list):
        raise CardError(f"chains {name}: `chains` is not a list")
    read = tuple(_chain(f"chains {name}, number {i}", row, watchlist) for i, row in enumerate(card["chains"], 1))
    codes = [code for chain in read for code in chain.members]
    twice = sorted({c for c in codes if codes.count(c) > 1})
    if twice:
        raise CardError(f"chains {name}: {listed(twice)} stands in two chains; its value would count twice")
    return Chains(
        id=card["id"],
        title=card["title"],
        watchlist=watchlist.id,
        nomenclature=nomenclature,
        reviewed=str(card["reviewed"]),
        notes=tuple(card["notes"]),
        chains=read,
    )


def _fields(where: str, row: Any, wanted: set[str]) -> None:
    held = set(row) if isinstance(row, dict) else set()
    if held != wanted:
        missing, unknown = sorted(wanted - held), sorted(map(str, held - wanted))
        said = [f"`{f}` is missing" for f in missing] + [f"`{f}` is not a field" for f in unknown]
        raise CardError(f"{where}: {listed(said)}; the fields are {', '.join(sorted(wanted))}")


def _chain(where: str, row: Any, watchlist: WatchList) -> Chain:
    kind = "basket" if isinstance(row, dict) and "basket" in row else "one-to-one"
    _fields(where, row, _KINDS[kind])
    members = _codes(where, kind, row, LEVELS[watchlist.nomenclature][-1])
    years = row["years"] if kind == "basket" else [row["year"]]
    if not isinstance(years, list) or not years or years != sorted(set(map(_year_of(where), years))):
        raise CardError(f"{where}: years {years!r} are not a list of years in order")
    for word in ("reason", "source"):
        if not isinstance(row[word], str) or not row[word].strip():
            raise CardError(f"{where}: `{word}` says nothing")
    group = row["group"]
    if group not in watchlist.groups:
        raise CardError(f"{where}: {watchlist.id} has no group {group!r}; it has {listed(list(watchlist.groups), 20)}")
    groups = {e.code: e.group for e in watchlist.entries}
    held = [c for c in members if c in groups]
    elsewhere = [c for c in held if groups[c] != group]
    if not held or elsewhere:
        said = f"{listed(elsewhere)} is listed in another group" if elsewhere else "none of its codes is listed"
        raise CardError(f"{where}: {said}; a chain continues codes of its own group, {group!r}")
    unlisted = tuple(c for c in members if c not in groups)
    category = watchlist.groups[group]
    return Chain(group, category, kind, members, tuple(years), unlisted, row["reason"].strip(), row["source"].strip())


def _codes(where: str, kind: str, row: Mapping[str, Any], digits: int) -> tuple[str, ...]:
    members = row["basket"] if kind == "basket" else [row["from"], row["to"]]
    if not isinstance(members, list) or any(isinstance(c, list) for c in members):
        raise CardError(f"{where}: a one-to-one chain takes one code to one code, a basket is a list of codes")
    for code in members:
        if not isinstance(code, str) or not re.fullmatch(rf"\d{{{digits}}}", code):
            raise CardError(f"{where}: code {code!r} is not a string of {digits} digits; put it in quotes")
    if len(set(members)) != len(members) or len(members) < 2:
        raise CardError(f"{where}: needs two codes or more, each once; it has {listed(members)}")
    return tuple(members)


def _year_of(where: str) -> Any:
    def check(year: Any) -> int:
        if isinstance(year, bool) or not isinstance(year, int) or not 1988 <= year <= 2100:
            raise CardError(f"{where}: {year!r} is not a year")
        return year

    return check


def products(chains: Chains) -> list[str]:
    """Return all codes of the chains, sorted: what must be read from the data."""
    return sorted(code for chain in chains.chains for code in chain.members)


def with_unlisted(series: pd.DataFrame, values: pd.DataFrame, chains: Chains) -> pd.DataFrame:
    """Add the values of the unlisted members to the series of a list, without group and category.

    Parameters
    ----------
    series : group, category, product, period, value_usd, as of `grouping.Grouped`
    values : product, period, value_usd of any products; those that are no unlisted members are left aside
    """
    import pandas as pd

    wanted = {code for chain in chains.chains for code in chain.unlisted}
    more = values.loc[values["product"].isin(wanted), ["product", "period", "value_usd"]]
    blank = pd.Series(pd.NA, index=more.index, dtype="str")
    more = more.assign(group=blank, category=blank)
    return pd.concat([series[list(_SERIES)], more[list(_SERIES)]], ignore_index=True) if len(more) else series


def apply(series: pd.DataFrame, chains: Chains, how: str) -> pd.DataFrame:
    """Return the series of a list with its code changes treated.

    Parameters
    ----------
    series : group, category, product, period, value_usd; rows of unlisted members have no group (`with_unlisted`)
    how : "as-is": the list as printed; "chained": one-to-one chains go on as one product, baskets are whole: every
        member counts in the group over the whole window; "dropped": the listed codes of chains that the list does not
        hold whole are left out

    Returns
    -------
    group, category, product, period, value_usd; under "chained" the sum of all values is that of `series`

    Raises
    ------
    MeasureError : an unknown `how`; products with other digits than the chains; a row without a group that is no
        unlisted member
    """
    if how not in BREAKS:
        raise MeasureError(f"breaks {how!r}: expected {', '.join(BREAKS)}")
    loose = series["group"].isna()
    if how == "as-is":
        return series[~loose].reset_index(drop=True)
    digits = LEVELS[chains.nomenclature][-1]
    short = sorted(set(series.loc[series["product"].str.len() != digits, "product"]))
    if short:
        raise MeasureError(
            f"the chains of {chains.id} are of {digits}-digit codes; the series has {listed(short)}: data by HS6 can "
            "only be taken as-is"
        )
    stray = sorted(set(series.loc[loose, "product"]) - {c for chain in chains.chains for c in chain.unlisted})
    if stray:
        raise MeasureError(f"{listed(stray)} has no group and is no unlisted member of {chains.id}")
    if how == "dropped":
        broken = {c for chain in chains.chains if not chain.covered for c in chain.members}
        return series[~loose & ~series["product"].isin(broken)].reset_index(drop=True)
    return _chained(series, chains.chains)


def _chained(series: pd.DataFrame, chains: Sequence[Chain]) -> pd.DataFrame:
    of = {code: chain for chain in chains for code in chain.members}
    chain = series["product"].map(of)
    member = chain.notna()
    held = series.copy()
    held.loc[member, "group"] = chain[member].map(lambda c: c.group)
    held.loc[member, "category"] = chain[member].map(lambda c: c.category)
    single = chain.map(lambda c: isinstance(c, Chain) and c.kind == "one-to-one")
    held.loc[single, "product"] = chain[single].map(lambda c: c.product)
    keys = ["group", "category", "product", "period"]
    return held.groupby(keys, as_index=False, sort=True)["value_usd"].sum(min_count=1)[list(_SERIES)]
