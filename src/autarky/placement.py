"""Which product is of which big category of end use, in words when it is of none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import references
from autarky.end_use import BIG, big_categories, big_category
from autarky.errors import CodeError, listed
from autarky.mapping import END_USE, UNSPECIFIED, mapping
from autarky.references.checks import HS

if TYPE_CHECKING:
    from autarky.correlations import Reference

UNCLASSIFIED = "unclassified"
CATEGORIES = (*BIG, UNCLASSIFIED)
POLICIES = ("first", "split")
# A sum of basic categories may differ from the printed heading by rounding, not by a thousandth.
TOLERANCE = 1e-3
_Told = list[tuple[str, str | None, str | None]]


def check(nomenclature: str, dual_use: str) -> None:
    """Refuse what is not a classification by end use, or a policy under which a product has no category."""
    if nomenclature not in END_USE:
        raise CodeError(f"nomenclature {nomenclature!r} has no end use; expected {' or '.join(END_USE)}")
    if dual_use not in POLICIES:
        raise CodeError(f"dual use {dual_use!r}: expected {' or '.join(POLICIES)}")


def links(held: pd.DataFrame, target: str, dual_use: str = "first", reference: Reference = None) -> pd.DataFrame:
    """Return the category of products by a classification of end use.

    Parameters
    ----------
    held : nomenclature (an HS edition, or `target`), product

    Returns
    -------
    nomenclature, product, code (BEC; two uses joined by +), category, also (the other categories that it may be of),
    weight (sums to one a product), assumption (null: none that matters for the category), why (it is unclassified)
    """
    parts = []
    for name, own in held.groupby("nomenclature", sort=True):
        system, products = str(name), list(own["product"])
        said = [(p, p, None) for p in products] if system == target else _told(system, products, target, reference)
        rows = [row for p, code, assumption in said for row in _placed(p, code, assumption, target, dual_use)]
        parts.append(pd.DataFrame(rows).assign(nomenclature=system))
    return pd.concat(parts, ignore_index=True)


def _told(system: str, products: list[str], target: str, reference: Reference) -> _Told:
    """Return (product, BEC code, assumption); several codes joined by | where the tables do not decide."""
    found = mapping(system, target, "separate", reference)
    candidates = found.candidates.groupby("from_code")["to_code"].agg(list).to_dict()
    chosen = {
        code: (to, None if pd.isna(why) else str(why))
        for code, to, why in found.links[["from_code", "to_code", "assumption"]].itertuples(index=False)
    }
    said: _Told = []
    for product in products:
        several = sorted(candidates.get(product, []))
        code, why = chosen.get(product, ("|".join(several) or None, None))
        # Whatever the sheet chose among: where all of them are of one category, the choice does not matter here.
        if why == "sheet" and len({big_category(c, target) for c in [*several, code] if c}) == 1:
            why = None
        said.append((product, code, why))
    return said


def _placed(product: str, code: str | None, why: str | None, target: str, dual_use: str) -> list[dict[str, Any]]:
    row = {"product": product, "code": code, "category": UNCLASSIFIED, "also": "", "weight": 1.0, "assumption": why}
    if code is None:
        said = "goods not specified" if product == UNSPECIFIED else "in no table of end use"
        return [row | {"assumption": None, "why": said}]
    try:
        every = [big_categories(c, target) for c in code.split("|")]
    except CodeError as error:
        return [row | {"assumption": None, "why": str(error)}]
    first = list(dict.fromkeys(e[0] if e else UNCLASSIFIED for e in every))
    if len(first) > 1:
        return [row | {"also": "; ".join(first), "why": f"leads to several categories: {listed(first)}"}]
    if not every[0]:
        return [row | {"why": f"{target} {code}: in none of the four categories"}]
    uses = list(dict.fromkeys(c for e in every for c in e))
    if len(uses) > 1 and why is None:
        row["assumption"] = "dual use" if "+" in code else "mixed category"
    if "+" in code and dual_use == "split":
        return [
            row | {"category": c, "also": "; ".join(u for u in uses if u != c), "weight": 1 / len(uses), "why": None}
            for c in uses
        ]
    return [row | {"category": first[0], "also": "; ".join(uses[1:]), "why": None}]


def basic(frame: pd.DataFrame, target: str | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave out published headings of `target` whose parts are there as well, and say where the parts do not add up.

    Parameters
    ----------
    frame : year, flow, nomenclature, product, value_usd
    """
    own = frame[frame["nomenclature"] == target]
    dropped, cautions = [], []
    for (year, flow), part in own.groupby(["year", "flow"]):
        codes = list(part["product"])
        parents = [c for c in codes if any(o != c and o.startswith(c) for o in codes)]
        dropped += list(part.index[part["product"].isin(parents)])
        value = part.set_index("product")["value_usd"]
        for parent in parents:
            below = value[[c for c in codes if c.startswith(parent) and c not in parents]].sum()
            if abs(below - value[parent]) > TOLERANCE * abs(value[parent]):
                cautions.append(
                    f"{target} {parent}, {flow} {year}: its parts add up to {below:,.0f} USD, the heading is "
                    f"{value[parent]:,.0f}; the parts are counted"
                )
    return frame.drop(index=dropped).reset_index(drop=True), tuple(cautions)


def misplaced(unmapped: pd.DataFrame, reference: Reference = None) -> list[str]:
    """Say which codes are in no list of their edition, but in another's: the store names a wrong edition.

    Parameters
    ----------
    unmapped : year, flow, nomenclature, product, code (BEC, where a table has it), value_usd of what has no end use
    """
    lost = unmapped[(unmapped["product"] != UNSPECIFIED) & unmapped["nomenclature"].isin(HS) & unmapped["code"].isna()]
    if lost.empty:
        return []
    present = references.status(reference).set_index("id")["present"]
    lists = {}
    for edition in HS:
        if present.get(references.identify("nomenclature", nomenclature=edition), False):
            lists[edition] = set(references.load("nomenclature", reference, nomenclature=edition)["code"].to_pylist())
    found: dict[tuple[str, str, str], list[pd.DataFrame]] = {}
    for (edition, flow, _), part in lost.groupby(["nomenclature", "flow", "year"]):
        strange = part[~part["product"].isin(lists.get(str(edition), set(part["product"])))]
        others = {e: strange["product"].isin(codes) for e, codes in lists.items() if e != edition}
        # Of editions that hold as many of them, the nearest.
        ranked = [(int(there.sum()), -abs(HS.index(e) - HS.index(str(edition))), e) for e, there in others.items()]
        held, _, best = max(ranked, default=(0, 0, ""))
        if held:
            found.setdefault((str(edition), str(flow), best), []).append(strange[others[best]])
    said = []
    for (edition, flow, best), parts in found.items():
        there = pd.concat(parts)
        codes = list(there.groupby("product")["value_usd"].sum().sort_values(ascending=False).index)
        said.append(
            f"{flow} {span(there['year'])} is stored as {edition}, but {len(codes)} of its codes "
            f"({there['value_usd'].sum():,.0f} USD; {listed(codes)}) are in {best} and not in {edition}: "
            "store each year in its own edition"
        )
    return said


def span(years: pd.Series[int]) -> str:
    """Return the first and last of some years in words."""
    return str(years.min()) if years.nunique() == 1 else f"{years.min()}–{years.max()}"
