"""Edition conversion: flows joined with the mapping that both sides use."""

from __future__ import annotations


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


def sql(output: str, files: list[str]) -> None:
    """Join flows with the first file (`links`), add up by key and new code, write Parquet."""
    import duckdb

    told, *flows = files
    duckdb.execute(f"""COPY (SELECT period, 'A' AS freq, reporter, partner, area, 'import' AS flow,
            to_nomenclature AS nomenclature, to_code AS product, sum(value_usd * weight) AS value_usd,
            CASE WHEN count(weight_kg) = count(*) THEN sum(weight_kg * weight) END AS weight_kg,
            'FOB' AS valuation, 'baci' AS source
        FROM read_parquet({flows!r}, hive_partitioning = false) JOIN '{told}' ON product = code
        GROUP BY period, reporter, partner, area, to_nomenclature, to_code) TO '{output}' (FORMAT parquet)""")
