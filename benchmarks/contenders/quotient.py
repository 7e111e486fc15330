"""Location quotient (revealed comparative advantage) of every exporter, product and year."""

from __future__ import annotations

CELL = ("partner", "product", "period")


def sql(output: str, files: list[str]) -> None:
    """Add up the cells, join them with their margins."""
    import duckdb

    duckdb.execute(f"""COPY (
        WITH cell AS (SELECT partner, product, period, sum(value_usd) AS v
            FROM read_parquet({files!r}, hive_partitioning = false) GROUP BY ALL),
        exporter AS (SELECT partner, period, sum(v) AS e FROM cell GROUP BY ALL),
        good AS (SELECT product, period, sum(v) AS g FROM cell GROUP BY ALL),
        world AS (SELECT period, sum(v) AS w FROM cell GROUP BY ALL)
        SELECT partner, period, product, 'location_quotient' AS indicator, (v / e) / (g / w) AS value, '1' AS unit,
            NULL::VARCHAR AS flag
        FROM cell JOIN exporter USING (partner, period) JOIN good USING (product, period) JOIN world USING (period)
        ) TO '{output}' (FORMAT parquet)""")


def polars(output: str, files: list[str]) -> None:
    """Add up lazily, divide by sums over windows."""
    import polars as pl

    v = pl.col("value_usd")
    cell = pl.scan_parquet(files, hive_partitioning=False).group_by(CELL).agg(v.sum())
    share = v / v.sum().over("partner", "period")
    average = v.sum().over("product", "period") / v.sum().over("period")
    found = cell.select(*CELL, indicator=pl.lit("location_quotient"), value=share / average)
    found.sink_parquet(output)


def _cells(files: list[str]):
    import pandas as pd

    years = [pd.read_parquet(f, columns=[*CELL, "value_usd"], partitioning=None) for f in files]
    return pd.concat(years, ignore_index=True).groupby(list(CELL), as_index=False)["value_usd"].sum()


def pandas(output: str, files: list[str]) -> None:
    """Add up, divide by transforms."""
    cell = _cells(files)
    total = {
        "e": cell.groupby(["partner", "period"])["value_usd"].transform("sum"),
        "g": cell.groupby(["product", "period"])["value_usd"].transform("sum"),
        "w": cell.groupby("period")["value_usd"].transform("sum"),
    }
    cell["value"] = (cell["value_usd"] / total["e"]) / (total["g"] / total["w"])
    cell["indicator"] = "location_quotient"
    cell[[*CELL, "indicator", "value"]].to_parquet(output, index=False)


def ecomplexity(output: str, files: list[str]) -> None:
    """Have the package compute RCA alone, year by year; its zeros, for what is not traded, are left out."""
    import pandas as pd
    from ecomplexity.ComplexityData import ComplexityData

    names = {"time": "period", "loc": "partner", "prod": "product", "val": "value_usd"}
    data = ComplexityData(_cells(files), names, "coerce")
    years = []
    for year in data.data.index.unique("time"):
        data.create_full_df(year)
        data.calculate_rca()
        frame = data.data_t.reset_index().assign(value=data.rca_t.ravel(), period=year)
        years.append(frame[frame["val"] > 0])
    found = pd.concat(years).rename(columns={"loc": "partner", "prod": "product"})
    found["indicator"] = "location_quotient"
    found[[*CELL, "indicator", "value"]].to_parquet(output, index=False)
