"""CSV in, Parquet out: no check, no code turned into a country."""

from __future__ import annotations

from pathlib import Path

UNKNOWN = "           NA"
COLUMNS = "period, reporter, partner, product, value_usd, weight_kg"


def sql(output: str, files: list[str], order: str = "") -> None:
    """Copy CSV to Parquet, with types."""
    import duckdb

    types = "{'t': 'INTEGER', 'i': 'INTEGER', 'j': 'INTEGER', 'k': 'VARCHAR', 'v': 'DOUBLE', 'q': 'DOUBLE'}"
    for source, target in _targets(output, files):
        table = f"read_csv('{source}', header = true, types = {types}, nullstr = '{UNKNOWN}')"
        duckdb.execute(f"COPY (FROM {table} {order}) TO '{target}' (FORMAT parquet)")


def sql_sorted(output: str, files: list[str]) -> None:
    """Copy CSV to Parquet sorted by product, importer, exporter, as the store is."""
    sql(output, files, "ORDER BY k, j, i")


def polars(output: str, files: list[str]) -> None:
    """Scan CSV, sink Parquet."""
    import polars as pl

    types = {"k": pl.String, "v": pl.Float64, "q": pl.Float64}
    for source, target in _targets(output, files):
        pl.scan_csv(source, schema_overrides=types, null_values=[UNKNOWN]).sink_parquet(target)


def pandas(output: str, files: list[str]) -> None:
    """Read CSV, write Parquet."""
    import pandas as pd

    for source, target in _targets(output, files):
        pd.read_csv(source, dtype={"k": str}, skipinitialspace=True, na_values=["NA"]).to_parquet(target, index=False)


def as_baci(output: str, files: list[str]) -> None:
    """Copy the store's files in the order in which CEPII publishes; no contender, but what some of them read."""
    import duckdb

    for nth, source in enumerate(files):
        target = Path(output) / f"{nth:02}.parquet"
        duckdb.execute(
            f"COPY (SELECT {COLUMNS} FROM '{source}' ORDER BY partner, reporter, product) "
            f"TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )


def _targets(output: str, files: list[str]) -> list[tuple[str, str]]:
    Path(output).mkdir(parents=True, exist_ok=True)
    return [(f, str(Path(output) / f"{Path(f).stem}.parquet")) for f in files]
