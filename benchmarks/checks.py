"""Whether a contender's result is right: a fast wrong answer is not a time.

    python benchmarks/checks.py figures REFERENCE FOUND KEY,KEY ONE-IN
    python benchmarks/checks.py ingest  REFERENCE-DIRECTORY FOUND-DIRECTORY
    python benchmarks/checks.py convert REFERENCE FOUND ONE-IN

Exits 1 and says what differs.  Figures agree when they differ by at most 1e-9 · max(1, |a|).
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

TOLERANCE = 1e-9


def figures(reference: str, found: str, keys: str, one_in: str) -> str | None:
    """Compare a sample of figures (of one key in `one_in`), and the number of rows of all.

    A table without a column `indicator` is wide: its other columns are indicators.
    """
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    asked = keys.split(",")
    for name, path in (("a", reference), ("b", found)):
        path = f"{path}/*.parquet" if Path(path).is_dir() else path
        columns = [row[0] for row in con.execute(f"DESCRIBE FROM '{path}'").fetchall()]
        long = f"FROM '{path}'"
        if "indicator" not in columns:
            wide = ", ".join(c for c in columns if c not in asked)
            long = f"FROM (UNPIVOT (FROM '{path}') ON {wide} INTO NAME indicator VALUE value)"
        own = ", ".join("period::DATE AS period" if k == "period" else k for k in asked)
        # What was asked of an indicator is part of its name (`:among=partner`).
        con.execute(f"CREATE VIEW {name} AS SELECT {own}, split_part(indicator, ':', 1) AS indicator, value {long}")
    rows = [con.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in "ab"]
    if rows[0] != rows[1] or not rows[0]:
        return f"{rows[1]:,} rows, expected {rows[0]:,}"
    sampled = f"hash({keys}) % {int(one_in)} = 0"
    bad, compared, example = con.execute(f"""
        SELECT count(*) FILTER (wrong), count(*),
            any_value([{", ".join(f"{k}::VARCHAR" for k in asked)}, indicator, a.value::VARCHAR, b.value::VARCHAR])
                FILTER (wrong)
        FROM (FROM a WHERE {sampled}) a FULL JOIN (FROM b WHERE {sampled}) b USING ({keys}, indicator),
            LATERAL (SELECT coalesce(abs(a.value - b.value) > {TOLERANCE} * greatest(1, abs(a.value)), true)) t(wrong)
        """).fetchone()
    if bad or not compared:
        return f"{bad:,} of {compared:,} sampled figures differ, as {example}"
    return None


def convert(reference: str, found: str, one_in: str) -> str | None:
    """Compare rows and totals of all, and value and weight of a sample of keys (one in `one_in`)."""
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    totals = "count(*), count(weight_kg), sum(value_usd), sum(weight_kg)"
    all_of = [con.execute(f"SELECT {totals} FROM '{path}'").fetchone() for path in (reference, found)]
    for name, a, b in zip(("rows", "known weights", "value", "weight"), *all_of, strict=True):
        if a is None or b is None or abs(a - b) > TOLERANCE * max(1, abs(a)):
            return f"{name}: {b}, expected {a}"
    keys = "period, reporter, partner, area, nomenclature, product"
    for name, path in (("a", reference), ("b", found)):
        con.execute(f"""CREATE VIEW {name} AS SELECT {keys}, value_usd AS v, weight_kg AS w FROM '{path}'
            WHERE hash(reporter, product) % {int(one_in)} = 0""")
    same = " AND ".join(f"a.{key.strip()} IS NOT DISTINCT FROM b.{key.strip()}" for key in keys.split(","))
    near = " AND ".join(
        f"(a.{c} IS NOT DISTINCT FROM b.{c} OR coalesce(abs(a.{c} - b.{c}) <= {TOLERANCE} * greatest(1, abs(a.{c})), "
        "false))"
        for c in "vw"
    )
    bad, compared, example = con.execute(f"""
        SELECT count(*) FILTER (NOT right_), count(*),
            any_value([reporter, partner, product, v_a::VARCHAR, v_b::VARCHAR]) FILTER (NOT right_)
        FROM (SELECT coalesce(a.reporter, b.reporter) AS reporter, coalesce(a.partner, b.partner) AS partner,
            coalesce(a.product, b.product) AS product, a.v AS v_a, b.v AS v_b,
            a.reporter IS NOT NULL AND b.reporter IS NOT NULL AND {near} AS right_ FROM a FULL JOIN b ON {same})
        """).fetchone()
    if bad or not compared:
        return f"{bad:,} of {compared:,} sampled keys differ, as {example}"
    return None


def ingest(reference: str, found: str) -> str | None:
    """Compare rows, products, value and quantity of two directories of Parquet files, ours or CEPII's columns."""
    one, other = (_totals(Path(path)) for path in (reference, found))
    for name, a, b in zip(("rows", "known quantities", "products", "value", "quantity"), one, other, strict=True):
        if abs(a - b) > TOLERANCE * max(1, abs(a)):
            return f"{name}: {b}, expected {a}"
    return None


def _totals(directory: Path) -> tuple[float, ...]:
    files = f"read_parquet('{directory}/**/*.parquet', hive_partitioning = false)"
    if (directory / "flows").is_dir():
        files = f"read_parquet('{directory}/flows/**/*.parquet', hive_partitioning = false)"
        columns = "product AS k, value_usd / 1000 AS v, weight_kg / 1000 AS q"
    else:
        columns = "k, v, q"
    found: tuple[float, ...] = duckdb.execute(
        f"SELECT count(*), count(q), count(DISTINCT k), sum(v), sum(q) FROM (SELECT {columns} FROM {files})"
    ).fetchone()
    return found


def main() -> int:
    """Run one check."""
    what, *rest = sys.argv[1:]
    wrong = {"figures": figures, "ingest": ingest, "convert": convert}[what](*rest)
    if wrong:
        print(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
