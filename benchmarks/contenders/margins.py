"""Margins of Hummels and Klenow of every exporter and year; the reference is all other exporters."""

from __future__ import annotations

CELL = ("partner", "product", "period")


def sql(output: str, files: list[str]) -> None:
    """Add up the cells, join them with the world's sums, take the exporter's own away."""
    import duckdb

    duckdb.execute(f"""COPY (
        WITH cell AS (SELECT partner, product, period, sum(value_usd) AS v
            FROM read_parquet({files!r}, hive_partitioning = false) GROUP BY ALL),
        good AS (SELECT product, period, sum(v) AS g FROM cell GROUP BY ALL),
        world AS (SELECT period, sum(v) AS w FROM cell GROUP BY ALL),
        margin AS (SELECT partner, period, sum(g - v) / (any_value(w) - sum(v)) AS extensive_margin,
            sum(v) / sum(g - v) AS intensive_margin
            FROM cell JOIN good USING (product, period) JOIN world USING (period) GROUP BY partner, period)
        SELECT partner, period, unnest(['extensive_margin', 'intensive_margin']) AS indicator,
            unnest([extensive_margin, intensive_margin]) AS value, '1' AS unit, NULL::VARCHAR AS flag FROM margin
        ) TO '{output}' (FORMAT parquet)""")


def polars(output: str, files: list[str]) -> None:
    """The same with windows, lazily."""
    import polars as pl

    v = pl.col("value_usd")
    cell = pl.scan_parquet(files, hive_partitioning=False).group_by(CELL).agg(v.sum())
    sums = cell.with_columns(g=v.sum().over("product", "period"), w=v.sum().over("period"))
    others = (pl.col("g") - v).sum()
    wide = sums.group_by("partner", "period").agg(
        extensive_margin=others / (pl.col("w").first() - v.sum()), intensive_margin=v.sum() / others
    )
    wide.unpivot(index=["partner", "period"], variable_name="indicator").sink_parquet(output)


def pandas(output: str, files: list[str]) -> None:
    """The same with transforms."""
    from contenders.quotient import _cells

    cell = _cells(files)
    cell["others"] = cell.groupby(["product", "period"])["value_usd"].transform("sum") - cell["value_usd"]
    cell["world"] = cell.groupby("period")["value_usd"].transform("sum")
    sums = cell.groupby(["partner", "period"]).agg(
        v=("value_usd", "sum"), others=("others", "sum"), world=("world", "first")
    )
    wide = sums.assign(
        extensive_margin=sums["others"] / (sums["world"] - sums["v"]), intensive_margin=sums["v"] / sums["others"]
    )[["extensive_margin", "intensive_margin"]]
    wide.reset_index().melt(["partner", "period"], var_name="indicator").to_parquet(output, index=False)
