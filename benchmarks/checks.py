"""Whether a contender's result is right: a fast wrong answer is not a time.

    python benchmarks/checks.py measure REFERENCE FOUND ONE-IN
    python benchmarks/checks.py ingest  REFERENCE-DIRECTORY FOUND-DIRECTORY

Exits 1 and says what differs.  Figures agree when they differ by at most 1e-9 · max(1, |a|).
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

INDICATORS = ("herfindahl", "effective_number", "entropy", "top_share")
KEYS = "reporter, product, period"
TOLERANCE = 1e-9


def measure(reference: str, found: str, one_in: str) -> str | None:
    """Compare a sample of groups (one in `one_in`), and the number of rows of all."""
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    for name, path in (("a", reference), ("b", found)):
        columns = [row[0] for row in con.execute(f"DESCRIBE FROM '{path}'").fetchall()]
        long = f"FROM '{path}'"
        if "indicator" not in columns:
            long = f"FROM (UNPIVOT (FROM '{path}') ON {', '.join(INDICATORS)} INTO NAME indicator VALUE value)"
        con.execute(f"CREATE VIEW {name} AS SELECT reporter, product, period::DATE AS period, indicator, value {long}")
    rows = [con.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in "ab"]
    if rows[0] != rows[1] or not rows[0]:
        return f"{rows[1]:,} rows, expected {rows[0]:,}"
    sampled = f"hash(reporter, product) % {int(one_in)} = 0"
    bad, compared, example = con.execute(f"""
        SELECT count(*) FILTER (wrong), count(*),
            any_value([reporter, product, indicator, a.value::VARCHAR, b.value::VARCHAR]) FILTER (wrong)
        FROM (FROM a WHERE {sampled}) a FULL JOIN (FROM b WHERE {sampled}) b USING ({KEYS}, indicator),
            LATERAL (SELECT coalesce(abs(a.value - b.value) > {TOLERANCE} * greatest(1, abs(a.value)), true)) t(wrong)
        """).fetchone()
    if bad or not compared:
        return f"{bad:,} of {compared:,} sampled figures differ, as {example}"
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
    wrong = {"measure": measure, "ingest": ingest}[what](*rest)
    if wrong:
        print(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
