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


def joined(
    con: Any, table: ir.Table, links: pd.DataFrame, coverage: pd.DataFrame, into: str | Path | None = None
) -> ir.Table:
    """Return flows with one row a key and converted product; computed once, to a Parquet file.

    Parameters
    ----------
    links : from_nomenclature, from_code, to_nomenclature, to_code, weight; reporter and flow where they differ by it
    coverage : that of the flows; it tells what is the same in every row
    into : the file; default: one that is kept while the process lives
    """
    fixed = _fixed(links, coverage)
    several = links["from_nomenclature"].nunique() > 1
    shared = _shared(links)
    parts = []
    for year in _years(con, table, coverage):
        if not shared.all():
            parts.append(_alone(_linked(con, year, links[~shared], several), fixed))
        if shared.any():
            codes = sorted(set(links.loc[shared, "from_code"]))
            some = year if shared.all() else year.filter(year["product"].isin(codes))
            parts.append(_summed(_linked(con, some, links[shared], several), fixed))
    return _written(con, engine.union([p.select(*COLUMNS) for p in parts]), into)


def _years(con: Any, table: ir.Table, coverage: pd.DataFrame) -> list[ir.Table]:
    """Return the flows of each year, for a cluster to share out; here one pass over all of them is faster."""
    if engine.here(con) or not engine.splits(table) or "year" not in table.columns:
        return [table]
    return [table.filter(table.year == year) for year in sorted({p.year for p in coverage["period"]})]


def _shared(links: pd.DataFrame) -> pd.Series:
    """Return whether the target of a link is that of others too, so that rows must be added together.

    A key stands once in flows and no flow is in two nomenclatures, so what one code alone becomes is added to nothing.
    From edition to edition that is most of all, and it need not be grouped; from HS to BEC it is not worth a pass.
    """
    shared = links.duplicated(["from_nomenclature", "to_nomenclature", "to_code", *_by(links)], keep=False)
    return shared | (shared.mean() > 0.5)


def _by(links: pd.DataFrame) -> list[str]:
    return [c for c in ("reporter", "flow") if c in links]


def _linked(con: Any, table: ir.Table, links: pd.DataFrame, several: bool) -> ir.Table:
    """Return a row for each row of flows and link of its code, with `_to_nomenclature`, `_to_code`, `_weight`.

    `several` tells whether the flows are of several nomenclatures, so that a code alone does not name its link.
    """
    names = ["from_nomenclature", "from_code", "to_nomenclature", "to_code", "weight", *_by(links)]
    told = engine.lookup(con, {c: list(links[c]) for c in names})
    told = told.select(**{f"_{c}": told[c] for c in told.columns})
    on = [table["product"] == told["_from_code"], *[table[c] == told[f"_{c}"] for c in _by(links)]]
    if several:
        on.append(table.nomenclature == told["_from_nomenclature"])
    return table.inner_join(told, on)


def _keys(both: ir.Table, fixed: dict[str, ir.Value]) -> dict[str, ir.Value]:
    keys = {c: both[c] for c in ("period", "freq", "reporter", "partner", "area", "flow", "source")}
    keys |= {"nomenclature": both["_to_nomenclature"], "product": both["_to_code"]}
    return {c: k for c, k in keys.items() if c not in fixed}


def _alone(both: ir.Table, fixed: dict[str, ir.Value]) -> ir.Table:
    figures = {c: both[c] * both["_weight"] for c in ("value_usd", "weight_kg")}
    return both.select(**_keys(both, fixed), valuation=both.valuation, **figures).mutate(**fixed)


def _summed(both: ir.Table, fixed: dict[str, ir.Value]) -> ir.Table:
    # A weight is a total only if every part has one; a value that is not reported is left out of a sum.
    whole = ibis.cases((both.weight_kg.count() == both.count(), (both.weight_kg * both["_weight"]).sum()))
    figures = {"value_usd": (both.value_usd * both["_weight"]).sum(), "weight_kg": whole}
    if "valuation" not in fixed:
        one = both.valuation.min() == both.valuation.max()
        figures["valuation"] = ibis.cases((one, both.valuation.min()), else_="unknown")
    return both.aggregate(by=_keys(both, fixed), **figures).mutate(**fixed)


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


def _written(con: Any, table: ir.Table, into: str | Path | None) -> ir.Table:
    """Compute a table once, to a file: the one that is asked for, or one that lives as long as the process."""
    if not into and not _TEMPORARY:
        _TEMPORARY.append(tempfile.TemporaryDirectory(prefix="autarky-"))
    path = Path(into) if into else Path(_TEMPORARY[0].name) / f"converted-{uuid.uuid4().hex}.parquet"
    engine.write_parquet(con, table, path)
    return engine.read_parquet(con, [str(path)])
