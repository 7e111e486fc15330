"""Direct exposure to export controls: controlled items → lines of a store → an importer's suppliers.

A code match is a bound and not a measure. A controlled item is a part of its 10-digit line at most, and a 10-digit line
is a part of its 6-digit line, so the value of a line bounds the trade in the item from above, never from below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd

from autarky import codes, engine, measure, references, registry
from autarky.errors import CodeError, MeasureError, NoDataError, listed
from autarky.mapping import Mapping, mapping
from autarky.references.checks import HS
from autarky.tables import WORLD, Condition, Flows, column

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from autarky.correlations import Reference

EDITION = "HS2022"
LINES = (
    "mineral", "hs6", "product", "bound", "conversion", "named", "codes", "items", "label", "why",
)  # fmt: skip
# How the 6-digit line of a control is found in the edition of the data; those after the first three have no line.
ONE, NAMED, SEVERAL, ASIDE, NONE = "one code", "named", "one of several", "names another", "no code"
ALL, WITHOUT = "all", "without the issuer"
IMPORTER, WORLDWIDE = "importer", "world"


def lines(
    controlled: pd.DataFrame, nomenclature: str, *, edition: str = EDITION, reference: Reference = None
) -> pd.DataFrame:
    """Return in which 6-digit lines of an edition the controlled items are, by mineral.

    Where a line became several, those whose description names another element and not the mineral are set aside; if
    one is left that names the mineral, it is the line. Otherwise all that are left are upper bounds.

    Parameters
    ----------
    controlled : `Registry.as_of`: product (the mineral), item, hs10 (null: no line lists it), match
    nomenclature : HS edition of the data
    edition : HS edition of the first six digits of hs10

    Returns
    -------
    a row a (mineral, hs6, product): bound ("exact": an item of match exact is in it, and it is the one line; "all":
        else), conversion, named (whether the description of the line names the mineral), codes (the 10-digit codes),
        items, label (description of the line), why (in words, where there was a choice). `product` is null where no
        code follows

    Raises
    ------
    CodeError : not an HS edition, or a table of the reference is missing
    """
    if nomenclature not in HS:
        raise CodeError(
            f"controls are matched to 6-digit lines of the HS, and the data are in {nomenclature}: choose one of "
            f"{', '.join(HS)} with --nomenclature"
        )
    listed_items = controlled.dropna(subset="hs10")
    links = None if nomenclature == edition else mapping(edition, nomenclature, reference=reference)
    names = _labels(nomenclature, reference)
    records = []
    for (mineral, hs6), part in listed_items.assign(hs6=listed_items["hs10"].str[:6]).groupby(["product", "hs6"]):
        exact = bool((part["match"] == "exact").any())
        for product, how, why in _targets(str(mineral), str(hs6), links, names):
            records.append(
                {
                    "mineral": mineral,
                    "hs6": hs6,
                    "product": product,
                    "bound": "exact" if exact and how in (ONE, NAMED) else "all",
                    "conversion": how,
                    "named": product in names and names_it(str(mineral), names[product]),
                    "codes": " ".join(sorted(set(part["hs10"]))),
                    "items": part["item"].nunique(),
                    "label": names.get(product) if product else None,
                    "why": why,
                }
            )
    return pd.DataFrame(records, columns=list(LINES))


def _targets(
    mineral: str, hs6: str, links: Mapping | None, names: dict[str, str]
) -> list[tuple[str | None, str, str | None]]:
    """Return what a line became: (code, how it was found, why in words)."""
    if links is None:
        return [(hs6, ONE, None)]
    candidates = sorted(links.candidates.loc[links.candidates["from_code"] == hs6, "to_code"])
    if not candidates:
        found = list(links.links.loc[links.links["from_code"] == hs6, "to_code"])
        return [(c, ONE, None) for c in found] or [(None, NONE, f"{hs6} is not in the table of the two editions")]
    named = {c: elements(names.get(c, "")) for c in candidates}
    own = {c for c in candidates if names_it(mineral, names.get(c, ""))}
    other = {c for c in candidates if named[c] and c not in own}
    kept = [c for c in candidates if c not in other]
    how = NAMED if len(kept) == 1 and set(kept) == own else SEVERAL
    said = f"{hs6} became {', '.join(candidates)}"
    aside = [(c, ASIDE, f"{said}; {c} names {', '.join(sorted(named[c]))}") for c in candidates if c in other]
    return [*[(c, how, f"{said}; {c} names {mineral}" if how == NAMED else said) for c in kept], *aside]


def elements(text: str) -> set[str]:
    """Return the metals and semimetals that a description names, those that it excludes left out."""
    words = set(re.findall(r"[a-z]+", _positive(text)))
    found = {r["name"]: {r["name"], *r["spellings"].split()} for r in codes.rows_of("elements")}
    return {name for name, spellings in found.items() if words & spellings}


def names_it(mineral: str, text: str) -> bool:
    """Return whether a description names a mineral, or, for a rare earth, the rare earths."""
    said = _positive(text)
    rare = {r["name"] for r in codes.rows_of("elements") if r["group"] == "rare earth"}
    together = mineral in rare and re.search(r"rare[- ]earth|earth[- ]metals, rare", said) is not None
    return mineral in said or mineral in elements(text) or together


def _positive(text: str) -> str:
    """Return a description in small letters without what it excludes."""
    return re.sub(r"\b(excluding|other than|except|not of|not from)\b[^;)]*", "", text.lower())


def _labels(nomenclature: str, reference: Reference) -> dict[str, str]:
    """Return code → description, where the edition's list is in the reference."""
    present = references.status(reference).set_index("id")["present"]
    if not present.get(references.identify("nomenclature", nomenclature=nomenclature), False):
        return {}
    frame = references.load("nomenclature", reference, nomenclature=nomenclature).to_pandas()
    return dict(zip(frame["code"], frame["name_en"].fillna("").astype(str), strict=True))


@dataclass(frozen=True)
class Direct:
    """An importer's suppliers of controlled lines, and those of the world.

    Attributes
    ----------
    held : the products that the store holds in any year
    measures : unit, year, market, suppliers → total_usd, herfindahl, members. `unit` is `mineral/bound` or a product;
        `market` is importer or world (the imports of all reporters); `suppliers` all or without the issuer
    suppliers : unit, year, market, partner → value_usd, share, of `year`; and the issuer's rows of every year
    year : the year of the suppliers
    flows : the flows that were measured
    """

    held: frozenset[str]
    measures: pd.DataFrame
    suppliers: pd.DataFrame
    year: int
    flows: Flows


def chosen(flows: Flows, nomenclature: str, source: str | None = None) -> Flows:
    """Narrow a store to what a direct exposure is measured of: 6-digit imports by partner in one edition.

    Raises
    ------
    NoDataError : nothing is left
    """
    conditions = [
        Condition("flow", ("import",)),
        Condition("nomenclature", (nomenclature,)),
        Condition("level", ("6",)),
        Condition("partner", (WORLD,), negated=True),
        Condition("area", ("",)),
    ]
    if source:
        conditions.append(Condition("source", (source,)))
    found = flows.where(conditions)
    if found.coverage.empty:
        raise NoDataError(
            f"no 6-digit imports by partner in {nomenclature} matched; `autarky coverage` shows what the store holds"
        )
    found.check_unmixed(["year", "product", "partner"], ["reporter"])
    return found


def edition_of(flows: Flows, nomenclature: str | None = None) -> str:
    """Return the HS edition of a store's 6-digit imports, or the one asked for.

    Raises
    ------
    NoDataError : it has none; MeasureError : it has several, and none was named
    """
    coverage = flows.coverage
    six = coverage[(coverage["flow"] == "import") & (coverage["level"] == 6) & ~coverage["world"]]
    held = sorted(set(six["nomenclature"]) & set(HS))
    if nomenclature:
        return codes.check_nomenclature(nomenclature)
    if not held:
        raise NoDataError("the store holds no 6-digit imports by partner in an edition of the HS")
    if len(held) > 1:
        raise MeasureError(f"the store holds imports in {listed(held)}: name one with --nomenclature")
    return str(held[0])


def direct(con: Any, flows: Flows, found: pd.DataFrame, importer: str, issuer: str, year: int | None = None) -> Direct:
    """Measure an importer's suppliers of controlled lines, and the world's, in one pass over the flows.

    Parameters
    ----------
    con : the engine
    flows : `chosen`
    found : `lines`
    importer, issuer : ISO3
    year : of the suppliers; default: the last that the importer has

    Raises
    ------
    NoDataError : the importer has no row in the year
    """
    years = sorted({p.year for p in flows.coverage.loc[flows.coverage["reporter"] == importer, "period"]})
    if not years or (year is not None and year not in years):
        span = f"it has {years[0]} to {years[-1]}" if years else "it has none"
        raise NoDataError(f"the store holds no imports of {importer}{f' in {year}' if year else ''}; {span}")
    at = year or years[-1]
    units = _units(found)
    held = _held(con, flows, units)
    values = _values(con, flows, units, importer, issuer)
    chosen_indicators = [registry.indicator(n) for n in ("herfindahl", "count")]
    by = ["unit", "year", "market", "suppliers"]
    figures = engine.rows(con, measure.aggregate(values, by, chosen_indicators)).to_pandas()
    totals = engine.rows(con, values.aggregate(by=by, total_usd=values["_value"].sum())).to_pandas()
    measures = totals.merge(figures.rename(columns={"count": "members"}), on=by)
    return Direct(held, measures, _suppliers(con, values, issuer, at), at, flows)


def _units(found: pd.DataFrame) -> pd.DataFrame:
    """Return unit and product: exact, named and all lines of every mineral, and every line by itself."""
    usable = found.dropna(subset="product")
    usable = usable[usable["conversion"] != ASIDE]
    every = usable.assign(unit=usable["mineral"] + "/all")
    exact = usable[usable["bound"] == "exact"]
    named = usable[usable["named"]]
    parts = [every, exact.assign(unit=exact["mineral"] + "/exact"), named.assign(unit=named["mineral"] + "/named")]
    parts.append(usable.assign(unit=usable["product"]))
    return pd.concat(parts)[["unit", "product"]].drop_duplicates(ignore_index=True)


def _held(con: Any, flows: Flows, units: pd.DataFrame) -> frozenset[str]:
    products = sorted(set(units["product"]))
    table = flows.table.filter(flows.table["product"].isin(products)).select("product").distinct()
    return frozenset(engine.rows(con, table)["product"].to_pylist())


def _values(con: Any, flows: Flows, units: pd.DataFrame, importer: str, issuer: str) -> ir.Table:
    """Return one row a (unit, year, market, suppliers, partner): the keys, `_member`, `_value`; null = not reported."""
    source = flows.table
    lookup = engine.lookup(con, {c: units[c].astype("object").tolist() for c in ("unit", "product")})
    joined = source.inner_join(lookup, "product")
    by = {"unit": joined.unit, "year": column(joined, "year").cast("int64"), "_member": joined.partner}
    markets = joined.aggregate(
        by=by,
        own=joined.value_usd.sum(where=joined.reporter == importer),
        world=joined.value_usd.sum(),
    )
    markets = engine.once(con, markets)
    keys = ["unit", "year", "_member"]
    long = engine.union(
        markets.filter(markets[c].notnull()).select(*keys, market=ibis.literal(name), _value=markets[c])
        for c, name in (("own", IMPORTER), ("world", WORLDWIDE))
    )
    every = long.mutate(suppliers=ibis.literal(ALL))
    rest = long.filter(long["_member"] != issuer).mutate(suppliers=ibis.literal(WITHOUT))
    return engine.union([every, rest.select(*every.columns)])


def _suppliers(con: Any, values: ir.Table, issuer: str, year: int) -> pd.DataFrame:
    every = values.filter(values.suppliers == ALL)
    named = every.select("unit", "year", "market", partner=every["_member"], value=every["_value"])
    shares = registry.indicator("share")(named.mutate(value_usd=named.value), ["unit", "year", "market"], "partner")
    shown = shares.filter((shares.year == year) | (shares.partner == issuer))
    frame: pd.DataFrame = engine.rows(con, shown).to_pandas().rename(columns={"value": "share"})
    order = ["unit", "year", "market", "value_usd", "partner"]
    return frame.sort_values(order, ascending=[True, True, True, False, True], ignore_index=True)


def next_suppliers(found: Direct, unit: str, issuer: str, most: int = 5, market: str = IMPORTER) -> pd.DataFrame:
    """Return the largest suppliers but the issuer: partner, value_usd, share of all imports (the issuer's included)."""
    frame = found.suppliers
    own = frame[(frame["unit"] == unit) & (frame["market"] == market) & (frame["year"] == found.year)]
    rest = own[(own["partner"] != issuer) & (own["value_usd"] > 0)]
    return rest.head(most)[["partner", "value_usd", "share"]].reset_index(drop=True)


def figure(frame: pd.DataFrame, name: str, **keys: Any) -> float | None:
    """Return one figure of `measures` or `suppliers`; None where there is no such row or it is null."""
    held = np.logical_and.reduce([frame[key].to_numpy() == value for key, value in keys.items()])
    found = frame[name].to_numpy()[held]
    return None if not len(found) or pd.isna(found[0]) else float(found[0])
