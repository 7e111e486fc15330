"""Two classifications of one flow: what moves from one category to another, and how much."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import references, registry
from autarky.errors import CardError, SourceError, listed
from autarky.mapping import END_USE
from autarky.placement import CATEGORIES, links
from autarky.references.checks import HS

if TYPE_CHECKING:
    from autarky.correlations import Reference

# A product that an incomplete classification leaves out: its category is not known, and not taken to be the same.
UNKNOWN = "not known"
# As the World Bank's lists write the same categories.
_NAMES = {"raw materials": "raw", "consumer": "consumption", "intermediates": "intermediate"}


@dataclass(frozen=True)
class Classification:
    """Which product is of which category, as a card or a user's table says.

    Attributes
    ----------
    rows : product (6 digits), nomenclature (an HS edition; null = every edition), category, name, match (`partial`
        where the code holds more than the good that is meant), printed (what the source says)
    complete : whether it means to name every product
    """

    id: str
    title: str
    rows: pd.DataFrame
    complete: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moves:
    """What differs between two classifications.

    Attributes
    ----------
    left, right : their names
    moves : flow, from, to, product, name, nomenclature (the editions in which it moves), in_part (one of the two names
        the other's category as a further use), value_usd, share (of the flow), share_of_moves; largest first
    matrix : flow, from, to, products, value_usd, share: every pair of categories, `not known` included
    years : year, flow, value_usd (all), known_usd (of products whose category both give), moved_usd, moved_share
        (of known_usd)
    """

    left: str
    right: str
    moves: pd.DataFrame
    matrix: pd.DataFrame
    years: pd.DataFrame


def load(name: str) -> Classification:
    """Return a classification: the id of a card, a card of the user's (.yml), or a table (.csv).

    A table has columns product and category, and may have nomenclature (an HS edition) and name.

    Raises
    ------
    CardError : no such card, or one that is malformed
    SourceError : a table with codes that are not six digits, categories that are not known, or a product twice
    """
    if name.lower().endswith(".csv"):
        return Classification(Path(name).stem, Path(name).name, _table(Path(name)), complete=True)
    card = registry.card("classifications", name)
    for needed in ("title", "products", "complete"):
        if needed not in card:
            raise CardError(f"classification {name}: `{needed}` is missing")
    rows = [row for product in card["products"] for row in _card_rows(name, product)]
    problems = _problems(rows, [f"{r['name']} {r['product']}" for r in rows])
    if problems:
        raise CardError(f"classification {name}: {listed(problems)}")
    return Classification(card["id"], card["title"], _frame(rows), bool(card["complete"]), tuple(card.get("notes", ())))


def compare(
    values: pd.DataFrame,
    left: str | Classification,
    right: str | Classification,
    *,
    reference: Reference = None,
) -> Moves:
    """Set two classifications of the same flow beside each other.

    Parameters
    ----------
    values : year, flow, nomenclature (HS editions), product (6 digits), value_usd; as `annual.annual` gives them
    left, right : "BEC4", "BEC5", or a classification; BEC5 with the first of two uses
    reference : directory of the reference tables

    Returns
    -------
    Moves; products of which one category is not known are in `matrix` and not in `moves`

    Raises
    ------
    CardError : values that are not HS
    """
    other = sorted(set(values["nomenclature"]) - set(HS))
    if other:
        raise CardError(f"two classifications are compared product by product; {listed(other)} is not HS")
    held = values[["nomenclature", "product"]].drop_duplicates()
    sides = [_side(side, held, reference) for side in (left, right)]
    frame = values.merge(sides[0], on=["nomenclature", "product"], how="left")
    frame = frame.merge(sides[1], on=["nomenclature", "product"], how="left", suffixes=("_left", "_right"))
    total = frame.groupby("flow")["value_usd"].sum()
    known = (frame["category_left"] != UNKNOWN) & (frame["category_right"] != UNKNOWN)
    moved = known & (frame["category_left"] != frame["category_right"])
    pairs = ["flow", "category_left", "category_right"]
    matrix = frame.groupby(pairs, as_index=False).agg(products=("product", "nunique"), value_usd=("value_usd", "sum"))
    matrix = matrix.assign(share=matrix["value_usd"] / matrix["flow"].map(total)).rename(columns=_ENDS)
    names = [s if isinstance(s, str) else s.title for s in (left, right)]
    years = _years(frame, known, moved)
    return Moves(names[0], names[1], _moves(frame[moved], total, reference), matrix, years)


def share_of(moves: Moves, codes: Collection[str], flow: str) -> float | None:
    """Return the share of all value that moves, of some products; None when nothing moves."""
    own = moves.moves[moves.moves["flow"] == flow]
    total = float(own["value_usd"].sum())
    return float(own.loc[own["product"].isin(codes), "value_usd"].sum()) / total if total else None


_ENDS = {"category_left": "from", "category_right": "to"}


def _side(side: str | Classification, held: pd.DataFrame, reference: Reference) -> pd.DataFrame:
    """Return nomenclature, product, category, also (the further uses that the classification names)."""
    if isinstance(side, str):
        if side not in END_USE:
            raise CardError(f"classification {side!r}: expected {', '.join(END_USE)}, or one that is loaded")
        return links(held, side, "first", reference)[["nomenclature", "product", "category", "also"]]
    own = side.rows[side.rows["nomenclature"].notna()][["nomenclature", "product", "category"]]
    every = side.rows[side.rows["nomenclature"].isna()][["product", "category"]]
    found = held.merge(own, on=["nomenclature", "product"], how="left")
    found = found.merge(every, on="product", how="left", suffixes=("", "_every"))
    category = found["category"].fillna(found["category_every"]).fillna(UNKNOWN)
    return held.reset_index(drop=True).assign(category=category.to_numpy(), also="")


def _moves(frame: pd.DataFrame, total: pd.Series[float], reference: Reference) -> pd.DataFrame:
    in_part = [
        right in also_left.split("; ") or left in also_right.split("; ")
        for left, right, also_left, also_right in zip(
            frame["category_left"], frame["category_right"], frame["also_left"], frame["also_right"], strict=True
        )
    ]
    keys = ["flow", "category_left", "category_right", "product", "in_part"]
    moves = frame.assign(in_part=in_part).groupby(keys, as_index=False)
    moves = moves.agg(
        value_usd=("value_usd", "sum"), nomenclature=("nomenclature", lambda v: " ".join(sorted(v.unique())))
    )
    order = ["flow", "from", "to", "product", "name", "nomenclature", "in_part", "value_usd", "share", "share_of_moves"]
    if moves.empty:
        kinds = {"in_part": "bool", "value_usd": "float64", "share": "float64", "share_of_moves": "float64"}
        return pd.DataFrame({c: pd.Series(dtype=kinds.get(c, "str")) for c in order})
    names = _product_names(sorted(set(frame["nomenclature"])), reference)
    moves = moves.assign(
        name=[names.get(p) for p in moves["product"]],
        share=moves["value_usd"] / moves["flow"].map(total),
        share_of_moves=moves["value_usd"] / moves.groupby("flow")["value_usd"].transform("sum"),
    ).rename(columns=_ENDS)
    return moves[order].sort_values(["flow", "value_usd", "product"], ascending=[True, False, True], ignore_index=True)


def _years(frame: pd.DataFrame, known: pd.Series[bool], moved: pd.Series[bool]) -> pd.DataFrame:
    parts = frame.assign(known_usd=frame["value_usd"].where(known), moved_usd=frame["value_usd"].where(moved))
    years = parts.groupby(["year", "flow"], as_index=False)[["value_usd", "known_usd", "moved_usd"]].sum()
    return years.assign(moved_share=(years["moved_usd"] / years["known_usd"]).where(years["known_usd"] > 0))


def _product_names(editions: list[str], reference: Reference) -> Mapping[str, str]:
    """Return 6-digit code → name, the latest edition's first, from the lists that are here."""
    present = references.status(reference).set_index("id")["present"]
    names: dict[str, str] = {}
    for edition in editions:
        if present.get(references.identify("nomenclature", nomenclature=edition), False):
            table = references.load("nomenclature", reference, nomenclature=edition).to_pandas()
            six = table[table["level"] == 6]
            names |= dict(zip(six["code"], six["name_en"], strict=True))
    return names


# --- cards and tables


def _card_rows(card: str, product: Mapping[str, Any]) -> list[dict[str, Any]]:
    for needed in ("name", "category", "codes"):
        if needed not in product:
            raise CardError(f"classification {card}: a product without `{needed}`")
    shared = {"name": product["name"], "category": product["category"], "printed": product.get("printed", "")}
    return [
        {**shared, "product": code["code"], "nomenclature": edition, "match": code.get("match", "exact")}
        for code in product["codes"]
        for edition in code.get("editions", [None])
    ]


def _table(path: Path) -> pd.DataFrame:
    try:
        # As text: read as numbers, 010121 would lose its first digit.
        frame = pd.read_csv(path, dtype="string", keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SourceError(f"{path}: not a readable UTF-8 CSV table ({error})") from error
    frame.columns = frame.columns.str.strip().str.lower()
    missing = [c for c in ("product", "category") if c not in frame]
    if missing:
        raise SourceError(f"{path.name}: no column {listed(missing)}; expected product, category")
    rows = [
        {
            "product": str(r["product"]).strip(),
            "category": _category(str(r["category"])),
            "nomenclature": str(r.get("nomenclature", "")).strip() or None,
            "name": str(r.get("name", "")).strip() or None,
            "match": "exact",
            "printed": "",
        }
        for r in frame.to_dict("records")
    ]
    problems = _problems(rows, [f"row {n}" for n in range(2, len(rows) + 2)])
    if problems:
        raise SourceError(f"{path.name}: {len(problems)} problems: {listed(problems)}")
    return _frame(rows)


def _category(text: str) -> str:
    """Read `Capital goods`, `Raw materials` or `Consumer` as the category that is meant."""
    plain = re.sub(r"\s+goods$", "", " ".join(text.lower().split()))
    return _NAMES.get(plain, plain)


def _problems(rows: list[dict[str, Any]], places: list[str]) -> list[str]:
    said: list[str] = []
    seen: dict[tuple[str, str | None], str] = {}
    for row, place in zip(rows, places, strict=True):
        code = row["product"]
        if not isinstance(code, str) or not re.fullmatch(r"\d{6}", code):
            lost = isinstance(code, str) and re.fullmatch(r"\d{5}", code)
            hint = f"; a leading zero is lost, write {int(code):06}" if lost else ""
            said.append(f"{place}: product {code!r} is not a code of six digits in text{hint}")
            continue
        if row["category"] not in CATEGORIES:
            said.append(f"{place}: category {row['category']!r} is not one of {', '.join(CATEGORIES)}")
        if row["nomenclature"] not in (None, *HS):
            said.append(f"{place}: nomenclature {row['nomenclature']!r} is not an HS edition")
        key = (code, row["nomenclature"])
        if key in seen:
            said.append(f"{place}: {code} stands already in {seen[key]}")
        seen[key] = place
    return said


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = ["product", "nomenclature", "category", "name", "match", "printed"]
    return pd.DataFrame(rows, columns=columns, dtype="object")
