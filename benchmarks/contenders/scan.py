"""Read columns and make next to nothing of them: what any question costs at least."""

from __future__ import annotations

TEXTS = ("reporter", "partner", "area", "product")


def _scan(files: list[str], columns: tuple[str, ...]) -> None:
    import duckdb

    # A largest or a count would be taken from the statistics in the files, and nothing read.
    asked = {c: f"strlen({c})" for c in TEXTS} | {"period": "period - DATE '1970-01-01'"}
    read = ", ".join(f"sum({asked.get(c, c)})" for c in columns)
    duckdb.sql(f"SELECT {read} FROM read_parquet({files!r}, hive_partitioning = false)").fetchall()


def concentration(_output: str, files: list[str]) -> None:
    """The columns of indicators by importer, product and year."""
    _scan(files, ("reporter", "product", "period", "value_usd"))


def exporters(_output: str, files: list[str]) -> None:
    """The columns of indicators by exporter, product and year."""
    _scan(files, ("partner", "product", "period", "value_usd"))


def all_columns(_output: str, files: list[str]) -> None:
    """All columns of flows, which a conversion needs."""
    _scan(files, ("reporter", "partner", "area", "product", "period", "value_usd", "weight_kg"))
