"""What a user would run instead of autarky: each contender is one whole process.

    python benchmarks/contenders.py NAME OUTPUT FILE...

Prints nothing; leaves its result at OUTPUT (a Parquet file, or a directory with a Parquet file for every FILE).
"""

from __future__ import annotations

import sys
from pathlib import Path

UNITS = {"herfindahl": "1", "effective_number": "members", "entropy": "nat", "top_share": "1"}
KEYS = ("reporter", "product", "period")
UNKNOWN = "           NA"


def ingest_duckdb(output: str, files: list[str], order: str = "") -> None:
    """Copy CSV to Parquet, with types; no check, no code turned into a country."""
    import duckdb

    types = "{'t': 'INTEGER', 'i': 'INTEGER', 'j': 'INTEGER', 'k': 'VARCHAR', 'v': 'DOUBLE', 'q': 'DOUBLE'}"
    for source, target in _targets(output, files):
        table = f"read_csv('{source}', header = true, types = {types}, nullstr = '{UNKNOWN}')"
        duckdb.execute(f"COPY (FROM {table} {order}) TO '{target}' (FORMAT parquet)")


def ingest_duckdb_sorted(output: str, files: list[str]) -> None:
    """Copy CSV to Parquet sorted by product, importer, exporter, as the store is."""
    ingest_duckdb(output, files, "ORDER BY k, j, i")


def ingest_polars(output: str, files: list[str]) -> None:
    """Scan CSV, sink Parquet."""
    import polars as pl

    types = {"k": pl.String, "v": pl.Float64, "q": pl.Float64}
    for source, target in _targets(output, files):
        pl.scan_csv(source, schema_overrides=types, null_values=[UNKNOWN]).sink_parquet(target)


def ingest_pandas(output: str, files: list[str]) -> None:
    """Read CSV, write Parquet."""
    import pandas as pd

    for source, target in _targets(output, files):
        pd.read_csv(source, dtype={"k": str}, skipinitialspace=True, na_values=["NA"]).to_parquet(target, index=False)


def _targets(output: str, files: list[str]) -> list[tuple[str, str]]:
    Path(output).mkdir(parents=True, exist_ok=True)
    return [(f, str(Path(output) / f"{Path(f).stem}.parquet")) for f in files]


def _wide(files: list[str]) -> str:
    return f"""SELECT reporter, product, period,
            sum(value_usd * value_usd) / (sum(value_usd) * sum(value_usd)) AS herfindahl,
            sum(value_usd) * sum(value_usd) / sum(value_usd * value_usd) AS effective_number,
            ln(sum(value_usd)) - sum(value_usd * ln(value_usd)) / sum(value_usd) AS entropy,
            max(value_usd) / sum(value_usd) AS top_share
        FROM read_parquet({files!r}, hive_partitioning = false) GROUP BY reporter, product, period"""


def measure_sql(output: str, files: list[str]) -> None:
    """Write what autarky writes: a row a (group, indicator) with unit and flag."""
    import duckdb

    duckdb.execute(f"""COPY (SELECT reporter, product, period, unnest({list(UNITS)!r}) AS indicator,
            unnest([{", ".join(UNITS)}]) AS value, unnest({list(UNITS.values())!r}) AS unit, NULL::VARCHAR AS flag
        FROM ({_wide(files)})) TO '{output}' (FORMAT parquet)""")


def measure_sql_wide(output: str, files: list[str]) -> None:
    """Write a row a group and a column an indicator."""
    import duckdb

    duckdb.execute(f"COPY ({_wide(files)}) TO '{output}' (FORMAT parquet)")


def measure_polars(output: str, files: list[str]) -> None:
    """Group lazily, unpivot, sink."""
    import polars as pl

    value, total = pl.col("value_usd"), pl.col("value_usd").sum()
    wide = (
        pl.scan_parquet(files, hive_partitioning=False)
        .group_by(KEYS)
        .agg(
            herfindahl=(value * value).sum() / (total * total),
            effective_number=(total * total) / (value * value).sum(),
            entropy=total.log() - (value * value.log()).sum() / total,
            top_share=value.max() / total,
        )
    )
    wide.unpivot(list(UNITS), index=KEYS, variable_name="indicator").sink_parquet(output)


def measure_pandas(output: str, files: list[str]) -> None:
    """Compute shares by transform, add them up by group."""
    import numpy as np
    import pandas as pd

    keys = list(KEYS)
    years = [pd.read_parquet(f, columns=[*keys, "value_usd"], partitioning=None) for f in files]
    df = pd.concat(years, ignore_index=True)
    del years
    df["share"] = df["value_usd"] / df.groupby(keys)["value_usd"].transform("sum")
    df["square"] = df["share"] ** 2
    df["information"] = -df["share"] * np.log(df["share"])
    found = df.groupby(keys).agg(
        herfindahl=("square", "sum"), entropy=("information", "sum"), top_share=("share", "max")
    )
    found["effective_number"] = 1 / found["herfindahl"]
    found = found.reset_index().melt(id_vars=keys, value_vars=list(UNITS), var_name="indicator")
    found.to_parquet(output, index=False)


def links(output: str, pair: list[str]) -> None:
    """Write the mapping that both sides use: every HS6 of an edition, with what it becomes; no contender.

    A code that leads nowhere becomes itself, in its own nomenclature.
    """
    from autarky import references
    from autarky.mapping import mapping

    source, target = pair
    held = references.load("nomenclature", nomenclature=source).to_pandas()
    found = mapping(source, target).links
    every = held.loc[held["level"] == 6, ["code"]].merge(found, left_on="code", right_on="from_code", how="left")
    mapped = every["to_code"].notna()
    every["to_nomenclature"] = mapped.map({True: target, False: source})
    every = every.assign(to_code=every["to_code"].where(mapped, every["code"]), weight=every["weight"].fillna(1.0))
    every[["code", "to_nomenclature", "to_code", "weight"]].to_parquet(output, index=False)


def convert_sql(output: str, files: list[str]) -> None:
    """Join flows with the first file (`links`), add up by key and new code, write Parquet."""
    import duckdb

    told, *flows = files
    duckdb.execute(f"""COPY (SELECT period, 'A' AS freq, reporter, partner, area, 'import' AS flow,
            to_nomenclature AS nomenclature, to_code AS product, sum(value_usd * weight) AS value_usd,
            CASE WHEN count(weight_kg) = count(*) THEN sum(weight_kg * weight) END AS weight_kg,
            'FOB' AS valuation, 'baci' AS source
        FROM read_parquet({flows!r}, hive_partitioning = false) JOIN '{told}' ON product = code
        GROUP BY period, reporter, partner, area, to_nomenclature, to_code) TO '{output}' (FORMAT parquet)""")


def main() -> int:
    """Run one contender."""
    name, output, *files = sys.argv[1:]
    contenders = {
        f.__name__: f
        for f in (
            ingest_duckdb,
            ingest_duckdb_sorted,
            ingest_polars,
            ingest_pandas,
            measure_sql,
            measure_sql_wide,
            measure_polars,
            measure_pandas,
            links,
            convert_sql,
        )
    }
    contenders[name](output, files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
