"""World production by country, as World Mining Data and the USGS print it, and the hosts of by-products."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from autarky import codes, registry
from autarky.errors import CardError, SourceError, listed

COLUMNS = ("material", "stage", "area", "year", "quantity", "unit", "flag")
_WMD = {"Country", "Country_ISO", "unit", "year", "qty", "mineral"}
_USGS = {"Section", "Commodity", "Country", "Statistics", "Statistics_detail", "Unit", "Year", "Value"}
# What the USGS prints in place of a figure (notes of the tables of the Mineral Commodity Summaries).
_LETTERS = {"": "not reported", "W": "withheld by the source", "NA": "not available", "XX": "not applicable"}
_ZERO = "\N{EM DASH}"
# Names of the USGS that the table of areas writes otherwise.
_NAMES = {
    "burma": "MMR", "congo (kinshasa)": "COD", "congo (brazzaville)": "COG", "côte d’ivoire": "CIV",
    "korea, north": "PRK", "korea, republic of": "KOR", "turkey": "TUR",
}  # fmt: skip
WORLD = "World total"


@dataclass(frozen=True)
class Production:
    """World production.

    Attributes
    ----------
    table : material (small letters, without the formula), stage, area (ISO3; else the name as printed), year, quantity
        (null: see flag), unit, flag
    totals : material, stage, year, quantity: the world total, as printed or as the sum of the countries
    source : name of the file
    """

    table: pd.DataFrame
    totals: pd.DataFrame
    source: str


@dataclass(frozen=True)
class Host:
    """What a mineral is recovered from: `series` are the names to look for in a production file, best first."""

    mineral: str
    host: str
    series: tuple[str, ...]
    stage: str | None
    source: str
    note: str


def hosts() -> list[Host]:
    """Return the rows of all cards in `data/hosts`.

    Raises
    ------
    CardError : a field is missing
    """
    rows = []
    for name in registry.names("hosts"):
        card = registry.card("hosts", name)
        for row in card["hosts"]:
            missing = [k for k in ("host", "series", "source", "note") if k not in row]
            if missing:
                raise CardError(f"hosts {name}: a row lacks {listed(missing)}")
            stage = row.get("stage")
            rows.append(Host(card["mineral"], row["host"], tuple(row["series"]), stage, row["source"], row["note"]))
    return rows


def read(path: str | Path) -> Production:
    """Return world production from a table of World Mining Data or of the USGS Mineral Commodity Summaries.

    Raises
    ------
    SourceError : no such file, or neither table
    """
    where = Path(path)
    if not where.is_file():
        raise SourceError(f"{path}: there is no such file")
    try:
        text = where.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        # The USGS writes its dashes in the code page of Windows.
        text = where.read_bytes().decode("cp1252", errors="replace")
    try:
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except pd.errors.ParserError as error:
        raise SourceError(f"{where.name}: not a table: {error}") from error
    if set(frame.columns) >= _WMD:
        return _world_mining_data(frame, where.name)
    if set(frame.columns) >= _USGS:
        return _usgs(frame, where.name)
    raise SourceError(
        f"{where.name}: neither World Mining Data (columns {', '.join(sorted(_WMD))}) nor the USGS Mineral Commodity "
        f"Summaries ({', '.join(sorted(_USGS))}); it has {listed(list(frame.columns), 12)}"
    )


def quantity(text: str) -> tuple[float | None, str | None]:
    """Return a printed figure and why it is none: a bound or a range is not a figure."""
    plain = text.strip().replace(",", "")
    if plain == _ZERO:
        return 0.0, None
    if re.fullmatch(r"\d+(\.\d+)?([eE][+-]?\d+)?", plain):
        return float(plain), None
    return None, _LETTERS[plain] if plain in _LETTERS else f"printed {text.strip()}"


def material_of(name: str) -> str:
    """Return a material's name in small letters without its formula: `Tungsten (W)` is tungsten."""
    return re.sub(r"\s*\(.*?\)", "", name).strip().lower()


def _world_mining_data(frame: pd.DataFrame, name: str) -> Production:
    """Take the countries; the printed totals would count them twice."""
    rows = frame[frame["Country"] != "Total"]
    figures = [quantity(v) for v in rows["qty"]]
    table = pd.DataFrame(
        {
            "material": rows["mineral"].map(material_of),
            "stage": "",
            "area": rows["Country_ISO"],
            "year": rows["year"].astype(int),
            "quantity": [f[0] for f in figures],
            "unit": rows["unit"],
            "flag": [f[1] for f in figures],
        }
    )
    keys = ["material", "stage", "year"]
    totals = table.groupby(keys, as_index=False)["quantity"].sum(min_count=1)
    return Production(table.reset_index(drop=True), totals, name)


def _usgs(frame: pd.DataFrame, name: str) -> Production:
    """Take world production by country, and the world total as printed (it is rounded)."""
    rows = frame[frame["Section"].str.startswith("World") & (frame["Statistics"] == "Production")]
    rows = rows[rows["Year"].str.fullmatch(r"\d{4}")]
    areas = {n.lower(): code for code, n in codes.area_names().items()} | _NAMES
    figures = [quantity(v) for v in rows["Value"]]
    table = pd.DataFrame(
        {
            "material": rows["Commodity"].map(material_of),
            "stage": rows["Statistics_detail"].str.replace(r"(:|,) rounded$", "", regex=True),
            "area": [areas.get(c.strip().lower(), c.strip()) for c in rows["Country"]],
            "year": rows["Year"].astype(int),
            "quantity": [f[0] for f in figures],
            "unit": rows["Unit"].str.strip(),
            "flag": [f[1] for f in figures],
        }
    ).drop_duplicates(ignore_index=True)
    world = table["area"] == WORLD
    totals = table[world][["material", "stage", "year", "quantity"]].reset_index(drop=True)
    return Production(table[~world].reset_index(drop=True), totals, name)


def series(found: Production, names: Sequence[str], stage: str | None = None) -> tuple[pd.DataFrame, str | None]:
    """Return the rows of the first material that the file has, with shares, and what is to be said of it.

    Returns
    -------
    (rows with column `share` of the world's total of the year, caution or reason); no rows where the file has none
    """
    held = [n for n in names if (found.table["material"] == n).any()]
    if not held:
        return found.table.head(0).assign(
            share=pd.Series(dtype="float64")
        ), f"{found.source} has no {' or '.join(names)}"
    rows = found.table[found.table["material"] == held[0]]
    stages = sorted(set(rows["stage"]))
    if stage not in stages and all(s.startswith(stages[0]) for s in stages):
        stage = stages[0]
    if len(stages) > 1 and stage not in stages:
        return rows.head(0).assign(share=pd.Series(dtype="float64")), f"{held[0]} has several stages: {listed(stages)}"
    if len(stages) > 1:
        rows = rows[rows["stage"] == stage]
    units = set(rows["unit"])
    if len(units) > 1:
        return rows.head(0).assign(
            share=pd.Series(dtype="float64")
        ), f"{held[0]} is in several units: {listed(sorted(units))}"
    totals = found.totals.rename(columns={"quantity": "total"})
    rows = rows.merge(totals, on=["material", "stage", "year"], how="left")
    share = (rows["quantity"] / rows["total"]).where(rows["total"] > 0)
    said = None if held[0] == names[0] else f"{held[0]} stands in for {names[0]}"
    return rows.assign(share=share), said


def share_of(rows: pd.DataFrame, area: str, year: int) -> tuple[float | None, int | None, str | None]:
    """Return an area's share of world production in a year, or in the nearest one that the file has."""
    own = rows[rows["area"] == area]
    if own.empty:
        return None, None, f"no row of {area}" if len(rows) else None
    nearest = min(sorted(set(rows["year"])), key=lambda y: (abs(y - year), -y))
    at = own[own["year"] == nearest]
    if at.empty or pd.isna(at["share"].iloc[0]):
        flag = at["flag"].iloc[0] if len(at) else None
        return None, nearest, f"{area} {nearest}: {flag or 'no figure or no world total'}"
    return float(at["share"].sum()), nearest, None
