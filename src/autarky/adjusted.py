"""Aggregates without the semiconductor goods of a watch list (Naughton and Fang 2025, section 6).

A listed product is subtracted from the aggregate in which the UN's table counts it, not from the one that the list
names: else a part that counts as intermediate would be taken out of the capital goods that never held it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import registry
from autarky.aggregates import Aggregates
from autarky.errors import CardError, MeasureError, NoDataError, listed

if TYPE_CHECKING:
    from autarky.watchlists import WatchList

# Category of the list → the aggregate that it belongs to by the list.
SEMICONDUCTOR = {"Semiconductor Capital": "capital", "Semiconductor Intermediate": "intermediate"}
HS6 = 6


@dataclass(frozen=True)
class Adjusted:
    """Aggregates with and without the semiconductor goods of a list.

    Attributes
    ----------
    path : year, category (capital, intermediate), total_usd, semi_usd (listed products that the UN's table counts
        there), listed_usd (listed products that the list puts there, whatever the UN's table says), adjusted_usd
        = total − semi, semi_share, flag; and with GDP gdp_usd, total_gdp, semi_gdp, listed_gdp, adjusted_gdp (0–1)
    change : category, measure (value, share of GDP), since, until, first, last, change (relative), points
        (difference; of shares 0–1), flag
    codes : a row a (listed code, year): group, listed, code, label, product, un (category by the UN's table; null =
        not in the data), match, value_usd
    differing : product, listed, un, groups, codes, value_usd: where list and table differ, largest first
    partial : whether products are matched by the first six digits of a longer code
    """

    path: pd.DataFrame
    change: pd.DataFrame
    codes: pd.DataFrame
    differing: pd.DataFrame
    partial: bool


def adjusted(
    found: Aggregates,
    watchlist: WatchList,
    gdp: pd.Series[float] | None = None,
    *,
    flow: str = "import",
    since: int | None = None,
    until: int | None = None,
) -> Adjusted:
    """Subtract the semiconductor goods of a list from capital and intermediate goods.

    Parameters
    ----------
    found : aggregates from 6-digit HS rows
    watchlist : categories `Semiconductor Capital` and `Semiconductor Intermediate` are subtracted
    gdp : US dollars by year; default: no shares of GDP
    flow : which flow
    since, until : the window; default: the first and last year with a value

    Returns
    -------
    Adjusted.  A product that several groups share counts once

    Raises
    ------
    MeasureError : the list has no semiconductor category; the aggregates are of published BEC rows, without products
    NoDataError : none of the listed products is in the data
    """
    codes = _codes(watchlist)
    own = found.products[(found.products["flow"] == flow) & (found.products["nomenclature"] != found.nomenclature)]
    if own.empty:
        raise MeasureError(
            f"semiconductor goods can be subtracted only where the products are known: the {flow} values are "
            f"published {found.nomenclature} rows; ingest 6-digit HS rows"
        )
    matched = own.merge(codes[["product", "listed"]].drop_duplicates(), on="product")
    if matched.empty:
        raise NoDataError(f"none of the {len(codes)} semiconductor codes of {watchlist.id} is in the data")
    path = _path(found.frame[found.frame["flow"] == flow], matched)
    path = _of_gdp(path, gdp) if gdp is not None else path
    partial = bool((codes["code"].str.len() > HS6).any())
    described = _described(codes, own, partial)
    return Adjusted(path, _change(path, since, until), described, _differing(described), partial)


def _codes(watchlist: WatchList) -> pd.DataFrame:
    frame = watchlist.frame()
    frame = frame[frame["category"].isin(SEMICONDUCTOR)]
    if frame.empty:
        raise MeasureError(f"the list {watchlist.id} has no category {listed(list(SEMICONDUCTOR))}")
    kept = frame[["group", "category", "code", "label"]]
    return kept.assign(product=kept["code"].str[:HS6], listed=kept["category"].map(SEMICONDUCTOR))


def _path(frame: pd.DataFrame, matched: pd.DataFrame) -> pd.DataFrame:
    """Return both aggregates by year, and what is subtracted from them by the UN's table and by the list."""
    # A product on the list under two categories is one product for the UN's table.
    once = matched.drop_duplicates(["year", "product", "code", "category"])
    semi = once.groupby(["year", "category"])["value_usd"].sum().rename("semi_usd").reset_index()
    by_list = matched.groupby(["year", "listed"])["value_usd"].sum().rename("listed_usd").reset_index()
    path = frame[frame["category"].isin(SEMICONDUCTOR.values())][["year", "category", "value_usd", "flag"]]
    path = path.rename(columns={"value_usd": "total_usd"}).merge(semi, on=["year", "category"], how="left")
    path = path.merge(by_list.rename(columns={"listed": "category"}), on=["year", "category"], how="left")
    whole = path["total_usd"].notna()
    # Listed products that have no row in a year with data are not in that year's aggregate either.
    path[["semi_usd", "listed_usd"]] = path[["semi_usd", "listed_usd"]].fillna(0.0).where(whole)
    path = path.assign(
        adjusted_usd=path["total_usd"] - path["semi_usd"],
        semi_share=(path["semi_usd"] / path["total_usd"]).where(path["total_usd"] > 0),
    )
    order = ["year", "category", "total_usd", "semi_usd", "listed_usd", "adjusted_usd", "semi_share", "flag"]
    return path[order].sort_values(["category", "year"], ignore_index=True)


def _of_gdp(path: pd.DataFrame, gdp: pd.Series[float]) -> pd.DataFrame:
    own = gdp.reindex(path["year"]).to_numpy(dtype=float)
    shares = {f"{c}_gdp": path[f"{c}_usd"] / own for c in ("total", "semi", "listed", "adjusted")}
    missing = pd.isna(own) & path["flag"].isna().to_numpy()
    said = [f"no GDP of {y}" if m else f for y, m, f in zip(path["year"], missing, path["flag"], strict=True)]
    return path.assign(gdp_usd=own, **shares, flag=pd.array(said, dtype="object"))


def _change(path: pd.DataFrame, since: int | None, until: int | None) -> pd.DataFrame:
    measures = {"value": "adjusted_usd", "share of GDP": "adjusted_gdp"}
    rows: list[dict[str, Any]] = []
    for category, part in path.groupby("category"):
        for measure, column in measures.items():
            if column not in part:
                continue
            values = part.set_index("year")[column].astype("float64")
            held = values.dropna()
            first = since if since is not None else held.index.min() if len(held) else None
            last = until if until is not None else held.index.max() if len(held) else None
            ends = [float(values.get(y, float("nan"))) if y is not None else float("nan") for y in (first, last)]
            defined = ends[0] == ends[0] and ends[1] == ends[1] and ends[0] > 0
            row = {"category": category, "measure": measure, "since": first, "until": last}
            row |= {"first": ends[0], "last": ends[1]}
            row |= {"change": ends[1] / ends[0] - 1 if defined else None, "points": ends[1] - ends[0]}
            rows.append(row | {"flag": None if defined else f"no value in {first} or {last}"})
    return pd.DataFrame(rows).astype({"since": "Int64", "until": "Int64", "change": "float64"})


def _described(codes: pd.DataFrame, own: pd.DataFrame, partial: bool) -> pd.DataFrame:
    """Return each listed code with what the data have for its product, year by year."""
    found = own.groupby(["product", "year"]).agg(
        un=("category", lambda c: " and ".join(dict.fromkeys(c))), value_usd=("value_usd", "sum")
    )
    codes = codes.merge(found.reset_index(), on="product", how="left").astype({"year": "Int64"})
    match = ["none" if pd.isna(u) else "partial" if len(c) > HS6 else "exact" for u, c in
             zip(codes["un"], codes["code"], strict=True)]  # fmt: skip
    order = ["group", "listed", "code", "label", "product", "year", "un", "match", "value_usd"]
    return codes.assign(match=match)[order]


def _differing(codes: pd.DataFrame) -> pd.DataFrame:
    differ = codes[codes["un"].notna() & (codes["un"] != codes["listed"])]
    groups = differ.groupby(["product", "listed", "un"], as_index=False)
    named = groups.agg(
        groups=("group", lambda g: "; ".join(dict.fromkeys(g))), codes=("code", lambda c: " ".join(dict.fromkeys(c)))
    )
    once = differ.drop_duplicates(["product", "listed", "un", "year"])
    values = once.groupby(["product", "listed", "un"])["value_usd"].sum()
    named = named.merge(values.reset_index(), on=["product", "listed", "un"])
    return named.sort_values(["value_usd", "product"], ascending=[False, True], ignore_index=True)


# --- what the paper prints


@dataclass(frozen=True)
class Published:
    """What a source prints about the aggregates of one reporter."""

    title: str
    source: str
    notes: tuple[str, ...]
    reporter: str
    partner: str
    values: pd.DataFrame
    validation: Mapping[str, Any]
    bridge: Mapping[str, Any]
    moves: Mapping[str, Any]


def published(name: str = "naughton-fang-2025") -> Published:
    """Return the printed aggregates of a card of `data/published`.

    Raises
    ------
    CardError : no such card, or one in which something is missing
    """
    card = registry.card("published", name)
    needed = ("title", "source", "notes", "reporter", "partner", "values", "validation", "bridge", "moves")
    missing = [n for n in needed if n not in card]
    if missing:
        raise CardError(f"published {name}: {listed([f'`{m}`' for m in missing])} is missing")
    values = pd.DataFrame(card["values"])
    if values[["figure", "unit", "year", "value", "printed", "where"]].isna().any(axis=None):
        raise CardError(f"published {name}: a value without figure, unit, year, value, printed or where")
    values = values.astype({"year": "int64", "since": "Int64", "value": "float64"})
    return Published(
        title=card["title"],
        source=card["source"],
        notes=tuple(card["notes"]),
        reporter=card["reporter"],
        partner=card["partner"],
        values=values,
        validation=card["validation"],
        bridge=card["bridge"],
        moves=card["moves"],
    )


def beside(printed: pd.DataFrame, found: Adjusted, totals: pd.DataFrame) -> pd.DataFrame:
    """Set printed values beside computed ones.

    Parameters
    ----------
    printed : as in `Published.values`
    found : with shares of GDP, where there is GDP
    totals : year, category, share_of_gdp of the aggregates, category `all` included

    Returns
    -------
    figure, unit, year, since, printed, value, computed, difference, where; computed is null where it cannot be had
    """
    computed = [_computed(row, found, totals) for row in printed.to_dict("records")]
    frame = printed.assign(computed=pd.array(computed, dtype="Float64").astype("float64"))
    frame["difference"] = frame["computed"] - frame["value"]
    order = ["figure", "unit", "year", "since", "printed", "value", "computed", "difference", "where"]
    return frame[order]


def _computed(row: Mapping[Any, Any], found: Adjusted, totals: pd.DataFrame) -> float | None:
    figure, year = row["figure"], row["year"]
    words = str(figure).split()
    if words[0] != "semiconductor" and words[-1] != "semiconductors":
        held = totals[(totals["category"] == ("all" if figure == "total" else figure)) & (totals["year"] == year)]
        return float(held["share_of_gdp"].iloc[0]) if len(held) else None
    category = words[-1] if words[0] == "semiconductor" else words[0]
    part = found.path[found.path["category"] == category].set_index("year")
    kind = "semi" if words[0] == "semiconductor" else "adjusted"
    name = {"share of GDP": f"{kind}_gdp", "change": f"{kind}_gdp", "USD": f"{kind}_usd"}.get(row["unit"], "semi_share")
    if name not in part or year not in part.index:
        return None
    if row["unit"] != "change":
        return float(part.loc[year, name])
    if row["since"] not in part.index or not part.loc[row["since"], name] > 0:
        return None
    return float(part.loc[year, name] / part.loc[row["since"], name] - 1)
