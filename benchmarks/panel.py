"""A panel with the size, layout and skew of CEPII's BACI, for timing: invented, seeded, and the same for every seed.

    python benchmarks/panel.py DIR --years 5 --rows 11000000 --seed 1
    python benchmarks/panel.py DIR --edition HS2017      # the codes of an edition, from the reference tables

Files, columns and order are CEPII's: `BACI_HS92_Y2020_V202601.csv`, columns t,i,j,k,v,q, rows in the order t,i,j,k,
v in thousand USD and q in tonnes with three decimals, an unknown q as a padded `NA`.  No figure in it is real; codes
are real only with `--edition`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from autarky import codes, references
from autarky.errors import CodeError

FIRST_YEAR = 2020
ROWS = 11_000_000
COUNTRIES = 230
PRODUCTS = 5_000
UNKNOWN_QUANTITY = 0.05
# How far a large exporter, importer or product is ahead of the next (zipf exponents of their ranks).
EXPORTERS, IMPORTERS, GOODS = 0.9, 0.45, 0.35
VALUES = 1.1

Floats = npt.NDArray[np.float64]


def name_of(year: int, edition: str = "HS1992") -> str:
    """Return CEPII's name of one year's file."""
    return f"BACI_HS{edition[-2:]}_Y{year}_V202601.csv"


def write(
    directory: Path,
    *,
    years: int = 5,
    rows: int = ROWS,
    seed: int = 1,
    countries: int = COUNTRIES,
    products: int = PRODUCTS,
    first: int = FIRST_YEAR,
    edition: str | None = None,
) -> list[Path]:
    """Write `years` files of exactly `rows` rows each and return their paths.

    A year draws its rows without replacement from all (exporter, importer, product) with two different countries; the
    chance of a cell grows with the weights of the three, so that few goods come from everywhere and many from few.
    With `edition` the products are all HS6 of it, else `products` invented ones.
    """
    goods = edition_codes(edition) if edition else product_codes(products)
    if rows > countries * (countries - 1) * len(goods) // 2:
        raise SystemExit(f"{rows:,} rows are more than half of the cells: {countries} countries, {len(goods)} products")
    directory.mkdir(parents=True, exist_ok=True)
    numbers = country_codes(countries)
    draw = np.random.default_rng(seed)
    exporter, importer = (_zipf(draw, countries, exponent) for exponent in (EXPORTERS, IMPORTERS))
    good = _zipf(draw, len(goods), GOODS)
    scale = _scale(exporter, importer, good, rows)
    con = duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(directory / "spill")})
    paths = []
    for year in range(first, first + years):
        i, j, k = _cells(exporter * scale, importer, good, rows, (seed, year))
        weight = exporter[i] * importer[j] * good[k]
        draw = np.random.default_rng((seed, year, countries))
        value = np.minimum(0.001 + 40 * np.sqrt(weight) * (1 - draw.random(rows)) ** -VALUES, 9e7)
        quantity = np.maximum(value * draw.random(rows) ** 2, 0.001)
        quantity[draw.random(rows) < UNKNOWN_QUANTITY] = np.nan
        table = pa.table({"i": numbers[i], "j": numbers[j], "k": goods[k], "v": value, "q": quantity})
        paths.append(directory / name_of(year, edition or "HS1992"))
        _write_year(con, table, paths[-1], year)
    con.close()
    return paths


def country_codes(count: int) -> npt.NDArray[np.int32]:
    """Return the first `count` numbers that BACI uses for countries, ascending."""
    rows = [row for row in codes.rows_of("countries") if row["comtrade"] and row["iso2"]]
    # Where the table lists several numbers, the first is the one that BACI uses (842, 251, 757, …).
    numbers = sorted(int(row["comtrade"].split()[0]) for row in rows)
    if len(numbers) < count:
        raise SystemExit(f"the table of countries has {len(numbers)} codes, {count} were asked for")
    return np.array(numbers[:count], dtype=np.int32)


def product_codes(count: int) -> npt.NDArray[np.int32]:
    """Return `count` numbers that look like HS6 codes, ascending: chapters 01 to 97 without 77, evenly filled."""
    chapters = [c for c in range(1, 98) if c != 77]
    found = [c * 10_000 + (1 + nth // 4) * 100 + (1 + nth % 4) * 10 for nth in range(360) for c in chapters][:count]
    return np.array(sorted(found), dtype=np.int32)


def edition_codes(edition: str) -> npt.NDArray[np.int32]:
    """Return all HS6 of an edition, ascending, from the reference tables; goods not specified (99) are left out."""
    try:
        held = references.load("nomenclature", nomenclature=edition).to_pandas()
    except CodeError as error:
        raise SystemExit(str(error)) from error
    own = held.loc[(held["level"] == 6) & ~held["code"].str.startswith("99"), "code"]
    return np.sort(own.astype("int32").to_numpy())


def _zipf(draw: np.random.Generator, count: int, exponent: float) -> Floats:
    """Return the weights of `count` members, ranked at random."""
    return (draw.permutation(count) + 1.0) ** -exponent


def _scale(exporter: Floats, importer: Floats, good: Floats, rows: int) -> float:
    """Return c such that Σ min(1, c · weight) over all cells is a little more than `rows`."""
    pairs = np.log(np.outer(exporter, importer)[~np.eye(len(exporter), dtype=bool)])
    many, edges = np.histogram(pairs, bins=400)
    cells = (edges[1:, None] + np.log(good)[None, :]).ravel()
    many = np.repeat(many, len(good))
    low, high = -40.0, 40.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        expected = (many * np.minimum(1, np.exp(cells + middle))).sum()
        low, high = (low, middle) if expected > 1.03 * rows else (middle, high)
    return float(np.exp(high))


def _cells(
    exporter: Floats, importer: Floats, good: Floats, rows: int, seed: tuple[int, int]
) -> tuple[npt.NDArray[Any], ...]:
    """Draw exactly `rows` cells, ordered by exporter, importer, product: those with the smallest uniform / weight."""
    weight = np.outer(importer, good).ravel()
    found: list[npt.NDArray[np.int64]] = []
    scores: list[Floats] = []
    for i, size in enumerate(exporter):
        score = np.random.default_rng((*seed, i)).random(weight.size) / (weight * size)
        score[i * good.size : (i + 1) * good.size] = np.inf  # no country exports to itself
        near = np.flatnonzero(score < 1)
        found.append(near + i * weight.size)
        scores.append(score[near])
    cells, score = np.concatenate(found), np.concatenate(scores)
    if len(cells) < rows:
        raise SystemExit(f"{len(cells):,} cells were drawn, {rows:,} were asked for; try another seed")
    cells = np.sort(cells[np.argpartition(score, rows - 1)[:rows]])
    return cells // weight.size, cells // good.size % importer.size, cells % good.size


def _write_year(con: Any, table: pa.Table, path: Path, year: int) -> None:
    con.register("drawn", table)
    con.execute(f"""COPY (
        SELECT {year} AS t, i, j, printf('%06d', k) AS k, v::DECIMAL(18, 3) AS v,
            CASE WHEN isnan(q) THEN '           NA' ELSE q::DECIMAL(18, 3)::VARCHAR END AS q FROM drawn
        ) TO '{str(path).replace("'", "''")}' (FORMAT csv, HEADER, QUOTE '')""")
    con.unregister("drawn")


def main(argv: list[str] | None = None) -> int:
    """Write a panel and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--first", type=int, default=FIRST_YEAR, help="the first year")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows a year")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--countries", type=int, default=COUNTRIES)
    parser.add_argument("--products", type=int, default=PRODUCTS)
    parser.add_argument("--edition", metavar="HS2017", help="the codes of this edition in place of invented ones")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    options = {name: value for name, value in vars(args).items() if name != "directory"}
    paths = write(args.directory, **options)
    size, seconds = sum(p.stat().st_size for p in paths), time.perf_counter() - start
    print(f"{len(paths)} files, {args.rows:,} rows each, {size / 1e6:,.0f} MB, {seconds:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
