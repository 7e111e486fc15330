"""Which codes of one nomenclature become which of another: sheets, correlations, end use, as one table of links.

::

    HS later → earlier   the UN's one-to-one sheet and `references.overrides()`; a choice where several codes correlate
    HS earlier → later   the correlation read backwards; only where one code correlates
    HS → BEC4, BEC5      to the HS edition of the nearest end-use table, as above, then its single category
    HS → SITC1…SITC4     the one-to-one sheet where there is one, else the cross-table; only where one code stands in it

Where no table joins two editions, the tables between them are joined (the path says which).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autarky import references
from autarky.correlations import (
    PAIR,
    Reference,
    as_links,
    correlated,
    cross,
    is_held,
    one_to_one,
    route,
    several,
    single,
    stacked,
    with_single,
)
from autarky.errors import CodeError
from autarky.references.checks import HS
from autarky.references.reading import cards, directory

if TYPE_CHECKING:
    import pandas as pd

END_USE = ("BEC4", "BEC5")
TARGETS = (*HS, *END_USE, "SITC1", "SITC2", "SITC3", "SITC4")
DUAL_USE = ("first", "split", "separate")
# UN Comtrade's code for goods not specified, outside the HS and the same in every edition.
UNSPECIFIED = "999999"


@dataclass(frozen=True)
class Mapping:
    """How the codes of one nomenclature become those of another.

    Attributes
    ----------
    links : from_code, to_code, weight, assumption: why there is a choice in it (`sheet`, `override`, `dual use`), or
        null.  The weights of a code sum to one
    candidates : from_code, to_code, weight (equal): every code that several others correlate with.  Those that are not
        in `links` have no single answer
    path : the editions that it goes through, first and last included
    """

    links: pd.DataFrame
    candidates: pd.DataFrame
    path: tuple[str, ...]

    @property
    def known(self) -> set[str]:
        """Every code that it maps, or would with weights."""
        return set(self.links["from_code"]) | set(self.candidates["from_code"])

    @property
    def targets(self) -> set[str]:
        """Every code that it maps to, or would with weights."""
        return set(self.links["to_code"]) | set(self.candidates["to_code"])


def check_target(name: str) -> str:
    """Return the name of a nomenclature that flows can be converted to.

    Raises
    ------
    CodeError : it is not one
    """
    if name not in TARGETS:
        raise CodeError(f"cannot convert to {name!r}; expected {', '.join(TARGETS)}")
    return name


def mapping(source: str, target: str, dual_use: str = "first", reference: Reference = None) -> Mapping:
    """Return how the codes of an HS edition become those of another edition, of BEC or of SITC.

    Parameters
    ----------
    source : HS1992 … HS2022
    target : one of `TARGETS`
    dual_use : BEC5 names two categories for a product of two uses: "first" takes the first, "split" half to each,
        "separate" keeps the pair as a code of its own (`513202+512020`)
    reference : directory of the reference tables

    Raises
    ------
    CodeError : no such edition or policy, or a table that is needed is not here
    """
    if source not in HS:
        raise CodeError(f"cannot convert from {source!r}; expected {', '.join(HS)}")
    if dual_use not in DUAL_USE:
        raise CodeError(f"dual use {dual_use!r}: expected {', '.join(DUAL_USE)}")
    check_target(target)
    if target in END_USE:
        return _end_use(source, target, dual_use, reference)
    if target in HS and HS.index(target) >= HS.index(source):
        path = route(target, source, "correlation", reference)[::-1]
        found = correlated(path, reference)
        return _with_unspecified(Mapping(single(found), several(found), path))
    if target in HS or is_held("conversion", source, target, reference):
        path = route(source, target, "conversion", reference)
        found = correlated(path, reference)
        mapped = Mapping(with_single(one_to_one(path, found, reference), found), several(found), path)
        return _with_unspecified(mapped) if target in HS else mapped
    found = cross(source, target, reference)
    return Mapping(single(found), several(found), (source, target))


def _with_unspecified(found: Mapping) -> Mapping:
    """Let goods that are not specified stay so: the older tables of the UN leave the code out, the newer print it."""
    if UNSPECIFIED in found.known:
        return found
    import pandas as pd

    same = as_links(pd.DataFrame({"from_code": [UNSPECIFIED], "to_code": [UNSPECIFIED]}), None)
    return replace(found, links=stacked([found.links, same]))


def categories(edition: str, target: str, reference: Reference = None) -> dict[str, str]:
    """Return HS6 → category of the UN's end-use table of an edition; two uses are joined as `513202+512020`."""
    frame = references.load("end_use", reference, nomenclature=edition).to_pandas()
    name = target.lower()
    joined = frame[name].astype("object")
    if target == "BEC5":
        second = frame["bec5_second"].astype("object")
        joined = (joined + "+" + second).where(second.notna(), joined)
    return {code: use for code, use in zip(frame["hs6"], joined, strict=True) if isinstance(use, str)}


def _end_use(source: str, target: str, dual_use: str, reference: Reference) -> Mapping:
    """Return how an edition's codes become categories: by the end-use table of the nearest edition."""
    import pandas as pd

    hub = _hub(source, reference)
    category = categories(hub, target, reference)
    if hub == source:
        pairs = pd.DataFrame({"from_code": list(category), "to_code": list(category.values())}, dtype="object")
        return _by_policy(Mapping(as_links(pairs, pd.NA), several(pairs), (source, target)), dual_use)
    there = mapping(source, hub, reference=reference)
    plain = there.links[~there.links["from_code"].isin(there.candidates["from_code"])]
    every = _placed(stacked([there.candidates, plain]), category)
    kinds = every.groupby("from_code")["to_code"].nunique()
    agreed = set(kinds[kinds == 1].index)
    if HS.index(hub) < HS.index(source):
        chosen = _placed(there.links, category)
    else:
        chosen = _told_by_sheet(source, hub, category, reference)
    # Whatever the choice of a code, where all of them are of one category it does not matter.
    settled = chosen["from_code"].isin(agreed) & ~chosen["assumption"].isin(["override"])
    chosen = chosen.assign(assumption=chosen["assumption"].mask(settled, pd.NA))
    one = every[every["from_code"].isin(agreed - set(chosen["from_code"]))].drop_duplicates(PAIR)
    links = stacked([chosen, as_links(one, pd.NA)])
    unsure = every[~every["from_code"].isin(agreed)]
    shares = unsure.groupby(PAIR, as_index=False)["weight"].sum()
    shares["weight"] /= shares.groupby("from_code")["weight"].transform("sum")
    return _by_policy(Mapping(links, shares, (*there.path, target)), dual_use)


def _hub(source: str, reference: Reference) -> str:
    """Return the edition, of those with an end-use table here, that is nearest to `source`."""
    held = [str(c["edition"]["nomenclature"]) for c in cards(directory(reference)) if c["kind"] == "end_use"]
    if not held:
        references.card("end_use", reference, nomenclature="HS2012" if source < "HS2017" else "HS2017")  # raises
    return min(held, key=lambda n: abs(HS.index(n) - HS.index(source)))


def _placed(links: pd.DataFrame, category: dict[str, str]) -> pd.DataFrame:
    return links.assign(to_code=links["to_code"].map(category)).dropna(subset="to_code")


def _told_by_sheet(source: str, hub: str, category: dict[str, str], reference: Reference) -> pd.DataFrame:
    """Return the category of those of the hub's codes that the sheet sends back to a code, where it is one."""
    back = mapping(hub, source, reference=reference).links
    back = back.assign(from_code=back["to_code"], to_code=back["from_code"].map(category), assumption="sheet")
    return single(back.dropna(subset="to_code").drop_duplicates(PAIR)).assign(assumption="sheet")


def _by_policy(found: Mapping, dual_use: str) -> Mapping:
    """Write the categories of products of two uses as the policy says."""
    links, candidates = (_written(f, dual_use) for f in (found.links, found.candidates))
    return Mapping(links, candidates, found.path)


def _written(links: pd.DataFrame, dual_use: str) -> pd.DataFrame:
    dual = links["to_code"].astype("object").str.contains("+", regex=False).fillna(False).astype(bool)
    if dual_use == "separate" or not dual.any():
        return links
    both = links[dual]
    uses = both["to_code"].str.split("+", regex=False)
    if "assumption" in both:
        both = both.assign(assumption=both["assumption"].fillna("dual use"))
    if dual_use == "first":
        halves = [both.assign(to_code=uses.str[0])]
    else:
        halves = [both.assign(to_code=uses.str[i], weight=both["weight"] / 2) for i in (0, 1)]
    written = stacked([links[~dual], *halves])
    rest = [c for c in written.columns if c != "weight"]
    return written.groupby(rest, as_index=False, dropna=False)["weight"].sum()[list(links.columns)]
