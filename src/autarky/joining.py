"""The join of flows with links: one row a key and converted product."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from autarky import engine
from autarky.tables import COLUMNS

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

_TEMPORARY: list[tempfile.TemporaryDirectory[str]] = []


def joined(con: Any, table: ir.Table, links: pd.DataFrame, coverage: pd.DataFrame) -> ir.Table:
    """Return flows with one row a key and converted product; computed once, to a file kept while the process lives.

    Parameters
    ----------
    links : from_nomenclature, from_code, to_nomenclature, to_code, weight; reporter and flow where they differ by it
    coverage : that of the flows; it tells what is the same in every row
    """
    fixed = _fixed(links, coverage)
    names = ["from_nomenclature", "from_code", "to_nomenclature", "to_code", "weight"]
    by = [c for c in ("reporter", "flow") if c in links]
    told = engine.lookup(con, {c: list(links[c]) for c in [*names, *by]})
    told = told.select(**{f"_{c}": told[c] for c in told.columns})
    on = [table["product"] == told["_from_code"], *[table[c] == told[f"_{c}"] for c in by]]
    if links["from_nomenclature"].nunique() > 1:
        on.append(table.nomenclature == told["_from_nomenclature"])
    both = table.inner_join(told, on)
    keys = {c: both[c] for c in ("period", "freq", "reporter", "partner", "area", "flow", "source")}
    keys |= {"nomenclature": both["_to_nomenclature"], "product": both["_to_code"]}
    keys = {c: k for c, k in keys.items() if c not in fixed}
    # A weight is a total only if every part has one; a value that is not reported is left out of a sum.
    whole = ibis.cases((both.weight_kg.count() == both.count(), (both.weight_kg * both["_weight"]).sum()))
    figures = {"value_usd": (both.value_usd * both["_weight"]).sum(), "weight_kg": whole}
    if "valuation" not in fixed:
        one = both.valuation.min() == both.valuation.max()
        figures["valuation"] = ibis.cases((one, both.valuation.min()), else_="unknown")
    found = both.aggregate(by=keys, **figures).mutate(**fixed)
    return _written(con, found.select(*COLUMNS))


def _fixed(links: pd.DataFrame, coverage: pd.DataFrame) -> dict[str, ir.Value]:
    """Return the columns that are the same in every row: to group by them costs as much as by any other."""
    fixed: dict[str, ir.Value] = {}
    for name in ("source", "flow", "freq", "valuation"):
        if coverage[name].nunique(dropna=False) == 1:
            fixed[name] = ibis.literal(str(coverage[name].iloc[0]))
    if not coverage["areas"].any():
        fixed["area"] = ibis.null("string")
    if links["to_nomenclature"].nunique() == 1:
        fixed["nomenclature"] = ibis.literal(str(links["to_nomenclature"].iloc[0]))
    return fixed


def _written(con: Any, table: ir.Table) -> ir.Table:
    """Compute a table once, to a file that lives as long as the process."""
    if not _TEMPORARY:
        _TEMPORARY.append(tempfile.TemporaryDirectory(prefix="autarky-"))
    path = Path(_TEMPORARY[0].name) / f"converted-{uuid.uuid4().hex}.parquet"
    engine.write_parquet(con, table, path)
    return engine.read_parquet(con, [str(path)])
