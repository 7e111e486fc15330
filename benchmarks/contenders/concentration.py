"""Four indicators by importer, product and year: a row a (group, indicator), with unit and flag, as autarky writes."""

from __future__ import annotations

from pathlib import Path

UNITS = {"herfindahl": "1", "effective_number": "members", "entropy": "nat", "top_share": "1"}
KEYS = ("reporter", "product", "period")
# For one country and one year, and for the whole panel in few groups.
COUNTRY = "DEU"


def _wide(files: list[str], keys: tuple[str, ...] = KEYS, where: str = "true") -> str:
    by = ", ".join(keys)
    return f"""SELECT {by},
            sum(value_usd * value_usd) / (sum(value_usd) * sum(value_usd)) AS herfindahl,
            sum(value_usd) * sum(value_usd) / sum(value_usd * value_usd) AS effective_number,
            ln(sum(value_usd)) - sum(value_usd * ln(value_usd)) / sum(value_usd) AS entropy,
            max(value_usd) / sum(value_usd) AS top_share
        FROM read_parquet({files!r}, hive_partitioning = false) WHERE {where} GROUP BY {by}"""


def _long(wide: str, keys: tuple[str, ...] = KEYS) -> str:
    return f"""SELECT {", ".join(keys)}, unnest({list(UNITS)!r}) AS indicator, unnest([{", ".join(UNITS)}]) AS value,
        unnest({list(UNITS.values())!r}) AS unit, NULL::VARCHAR AS flag FROM ({wide})"""


def _copy(query: str, output: str) -> None:
    import duckdb

    duckdb.execute(f"COPY ({query}) TO '{output}' (FORMAT parquet)")


def sql(output: str, files: list[str]) -> None:
    """Ask once for all years."""
    _copy(_long(_wide(files)), output)


def sql_by_year(output: str, files: list[str]) -> None:
    """Ask year by year; a file each, as SQL cannot write one file in turns."""
    Path(output).mkdir()
    for nth, file in enumerate(files):
        _copy(_long(_wide([file])), f"{output}/{nth:02}.parquet")


def sql_wide(output: str, files: list[str]) -> None:
    """Write less than the others: a row a group and a column an indicator."""
    _copy(_wide(files), output)


def sql_country(output: str, files: list[str]) -> None:
    """Ask of one country; the one file that is given is the year's."""
    _copy(_long(_wide(files, where=f"reporter = '{COUNTRY}'")), output)


def sql_products(output: str, files: list[str]) -> None:
    """Ask how concentrated a year's imports are on products, for every importer: a scan with a small result."""
    keys = ("reporter", "product", "period")
    cells = f"SELECT {', '.join(keys)}, sum(value_usd) AS value_usd FROM read_parquet({files!r}, " + (
        "hive_partitioning = false) GROUP BY ALL"
    )
    _copy(
        f"""SELECT reporter, period, 'herfindahl' AS indicator,
            sum(value_usd * value_usd) / (sum(value_usd) * sum(value_usd)) AS value, '1' AS unit,
            NULL::VARCHAR AS flag FROM ({cells}) GROUP BY reporter, period""",
        output,
    )


def polars_products(output: str, files: list[str]) -> None:
    """The same, grouped lazily."""
    import polars as pl

    value = pl.col("value_usd")
    cells = pl.scan_parquet(files, hive_partitioning=False).group_by(KEYS).agg(value.sum())
    found = cells.group_by("reporter", "period").agg(herfindahl=(value * value).sum() / (value.sum() * value.sum()))
    found.sink_parquet(output)


def polars(output: str, files: list[str]) -> None:
    """Group lazily, unpivot, sink."""
    _polars(output, files)


def polars_country(output: str, files: list[str]) -> None:
    """The same of one country."""
    _polars(output, files, COUNTRY)


def _polars(output: str, files: list[str], country: str = "") -> None:
    import polars as pl

    value, total = pl.col("value_usd"), pl.col("value_usd").sum()
    flows = pl.scan_parquet(files, hive_partitioning=False)
    if country:
        flows = flows.filter(pl.col("reporter") == country)
    wide = flows.group_by(KEYS).agg(
        herfindahl=(value * value).sum() / (total * total),
        effective_number=(total * total) / (value * value).sum(),
        entropy=total.log() - (value * value.log()).sum() / total,
        top_share=value.max() / total,
    )
    wide.unpivot(list(UNITS), index=KEYS, variable_name="indicator").sink_parquet(output)


def pandas(output: str, files: list[str]) -> None:
    """Compute shares by transform, add them up by group, as most people write it."""
    import numpy as np

    df = _flows(files)
    keys = list(KEYS)
    df["share"] = df["value_usd"] / df.groupby(keys)["value_usd"].transform("sum")
    df["square"] = df["share"] ** 2
    df["information"] = -df["share"] * np.log(df["share"])
    found = df.groupby(keys).agg(
        herfindahl=("square", "sum"), entropy=("information", "sum"), top_share=("share", "max")
    )
    found["effective_number"] = 1 / found["herfindahl"]
    _write(found, output)


def pandas_one_pass(output: str, files: list[str]) -> None:
    """Add up v, v² and v·ln v in one grouping, and put the indicators together from these."""
    import numpy as np

    df = _flows(files)
    value = df["value_usd"]
    df["square"], df["log"] = value**2, value * np.log(value)
    sums = df.groupby(list(KEYS), sort=False).agg(
        total=("value_usd", "sum"), square=("square", "sum"), log=("log", "sum"), top=("value_usd", "max")
    )
    total = sums["total"]
    found = sums.assign(
        herfindahl=sums["square"] / total**2,
        effective_number=total**2 / sums["square"],
        entropy=np.log(total) - sums["log"] / total,
        top_share=sums["top"] / total,
    )
    _write(found[list(UNITS)], output)


def pandas_country(output: str, files: list[str]) -> None:
    """Compute the shares of one country's flows; the file is filtered as it is read."""
    import numpy as np
    import pandas as pd

    keys = list(KEYS)
    asked = {"columns": [*keys, "value_usd"], "filters": [("reporter", "==", COUNTRY)]}
    df = pd.read_parquet(files[0], partitioning=None, **asked)
    share = df["value_usd"] / df.groupby(keys)["value_usd"].transform("sum")
    df = df.assign(share=share, square=share**2, information=-share * np.log(share))
    found = df.groupby(keys).agg(
        herfindahl=("square", "sum"), entropy=("information", "sum"), top_share=("share", "max")
    )
    found["effective_number"] = 1 / found["herfindahl"]
    _write(found, output)


def _flows(files: list[str]):
    import pandas as pd

    years = [pd.read_parquet(f, columns=[*KEYS, "value_usd"], partitioning=None) for f in files]
    return pd.concat(years, ignore_index=True)


def _write(wide, output: str) -> None:
    found = wide.reset_index().melt(id_vars=list(KEYS), value_vars=list(UNITS), var_name="indicator")
    found.to_parquet(output, index=False)
