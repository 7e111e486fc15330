"""Convert flows from one nomenclature to another: one join with a table of links, one row a key and product.

Value is conserved: a code that leads nowhere stays what it was, in its own nomenclature, so that it is neither lost nor
added to what could be converted.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import engine
from autarky.correlations import Reference
from autarky.errors import CodeError, CoverageWarning, NoDataError, TableError, listed
from autarky.joining import joined
from autarky.linking import SHOWN, Linking, usd
from autarky.mapping import check_target, mapping
from autarky.references.checks import HS
from autarky.settle import coverage_of
from autarky.tables import COLUMNS, Account, Flows, Ledger

if TYPE_CHECKING:
    import ibis.expr.types as ir

_CELL = ["source", "reporter", "flow", "freq", "period"]
_NOTHING = "no data matched; `autarky coverage` shows what the store holds"


@dataclass(frozen=True)
class Conversion:
    """Converted flows and the account of them.

    Attributes
    ----------
    rows, value : (in, out)
    assumed : why there was a choice (sheet, override, weights, dual use) → US dollars that went through it
    unmapped : nomenclature, code, rows, value_usd: what stays in its own nomenclature
    paths : for each nomenclature, the editions that it went through
    set_aside : rows and value left out because the same is reported in the target edition (weights by overlap)
    """

    flows: Flows
    to: str
    rows: tuple[int, int]
    value: tuple[float, float]
    assumed: Dictionary[str, float]
    unmapped: pd.DataFrame
    paths: tuple[tuple[str, ...], ...]
    set_aside: tuple[int, float]

    @property
    def assumption_share(self) -> float | None:
        """The share of value that went through a choice; None when there is no value."""
        return sum(self.assumed.values()) / self.value[0] if self.value[0] else None

    def summary(self) -> str:
        """Say in one line: rows and value in and out, share through an assumption, unmapped."""
        return (
            f"to {self.to}: {self.rows[0]:,} rows in, {self.rows[1]:,} out; value {self.value[0]:,.0f} USD in, "
            f"{self.value[1]:,.0f} out; {self.said_assumed()}; {self.said_unmapped()}"
        )

    def said_assumed(self) -> str:
        """Say the share of value that went through a choice, by kind of choice."""
        if not self.value[0]:
            return "no value, so no share of it through an assumption"
        kinds = ", ".join(f"{kind} {v / self.value[0]:.3%}" for kind, v in sorted(self.assumed.items()))
        return f"{self.assumption_share:.3%} of it through an assumption{f' ({kinds})' if kinds else ''}"

    def said_unmapped(self) -> str:
        """Name the codes that stay in their own nomenclature, with their value."""
        if self.unmapped.empty:
            return "no code unmapped"
        total = float(self.unmapped["value_usd"].sum())
        codes = [f"{r.nomenclature} {r.code} ({usd(r.value_usd)})" for r in self.unmapped.itertuples()]
        return f"{len(codes)} codes unmapped and left as they are ({total:,.0f} USD): {listed(codes, SHOWN)}"


def convert(
    flows: Flows,
    to: str,
    *,
    weights: Any = None,
    dual_use: str = "first",
    reference: Reference = None,
    con: Any = None,
    into: str | Path | None = None,
) -> Conversion:
    """Convert 6-digit HS flows to another edition of the HS, to BEC or to SITC.

    Parameters
    ----------
    flows : 6-digit rows of any HS editions; rows that are in the target already stay as they are
    to : HS1992 … HS2022, BEC4, BEC5, SITC1 … SITC4
    weights : how to divide a code that leads to several: None refuses; "equal"; "overlap" (as the reporter's own flow
        is in the first year that is reported in the target edition; "overlap,equal" divides equally what that year
        cannot tell); or a table of from_code, to_code, weight
    dual_use : "first", "split" or "separate"; see `mapping`
    reference : directory of the reference tables
    con : the engine; default: that of the flows
    into : Parquet file for the converted flows; default: a temporary one, kept while the process lives

    Raises
    ------
    CodeError : a nomenclature that cannot be converted; codes that lead to several others, without weights
    TableError : rows of other levels; the same flow in two nomenclatures
    NoDataError : no flows
    """
    check_target(to)
    if flows.coverage.empty:
        raise NoDataError(_NOTHING)
    con = con or flows.table.get_backend()
    linking = Linking(con, flows.table, to, weights, reference)
    work = _Work(con, flows, to, dual_use, reference, linking, into)
    with engine.failures():
        return work.run()


@dataclass
class _Work:
    con: Any
    flows: Flows
    to: str
    dual_use: str
    reference: Reference
    linking: Linking
    into: str | Path | None

    def run(self) -> Conversion:
        self._check()
        table, aside = self._without_doubles()
        used = self._used(table)
        if used.empty:
            raise NoDataError(_NOTHING)
        sources = [n for n in used["nomenclature"].unique() if n != self.to]
        found = {str(n): mapping(str(n), self.to, self.dual_use, self.reference) for n in sources}
        links, unmapped = self.linking.links(found, used)
        out = joined(self.con, table, links, self.flows.coverage, self.into)
        coverage = coverage_of(self.con, out, {})
        rows = int(used["rows"].sum()), int(coverage["rows"].sum())
        value = float(used["value_usd"].sum()), float(coverage["value_usd"].sum())
        paths = tuple(m.path for m in found.values())
        flows = dataclasses.replace(self.flows, table=out, coverage=coverage, parts=())
        done = Conversion(flows, self.to, rows, value, self._assumed(links, used), unmapped, paths, aside)
        return self._told(done)

    # --- what can be converted

    def _check(self) -> None:
        held = self.flows.coverage[self.flows.coverage["nomenclature"] != self.to]
        other = sorted(set(held["nomenclature"]) - set(HS))
        if other:
            raise CodeError(
                f"{listed(other)} cannot be converted to {self.to}; only HS editions can. "
                f"Leave it out: --where {' '.join(f'nomenclature!={n}' for n in other)}"
            )
        levels = sorted({int(v) for v in held["level"]} - {6})
        if levels:
            names = ["totals" if v == 0 else f"{v}-digit rows" for v in levels]
            raise TableError(f"the flows hold {listed(names)}; only 6-digit rows are converted: add --where level=6")

    def _without_doubles(self) -> tuple[ir.Table, tuple[int, float]]:
        """Refuse a flow that is there in two nomenclatures: converted, it would count twice.

        For weights by overlap that is the point: there the flow as reported in the target edition stands.
        """
        coverage, table = self.flows.coverage, self.flows.table
        held = coverage[[*_CELL, "nomenclature"]].drop_duplicates()
        double = held[held.duplicated(_CELL, keep=False)]
        if double.empty:
            return table, (0, 0.0)
        if not self.linking.by_overlap or self.to not in set(double["nomenclature"]):
            names = sorted(double["nomenclature"].unique())
            first = " ".join(str(v) for v in double.iloc[0][_CELL])
            raise TableError(
                f"the same flow is there in {listed(names)} (first: {first}); converted, it would count twice: "
                "add --where nomenclature=…"
            )
        there = held[held["nomenclature"] == self.to][_CELL]
        cells = engine.lookup(self.con, {c: list(there[c]) for c in _CELL})
        left = coverage.merge(there.assign(there=True), on=_CELL, how="left")
        left = left[left["there"].notna() & (left["nomenclature"] != self.to)]
        kept = table.filter(table.nomenclature == self.to)
        rest = table.filter(table.nomenclature != self.to)
        rest = rest.anti_join(cells, [rest[c] == cells[c] for c in _CELL])
        aside = int(left["rows"].sum()), float(left["value_usd"].sum())
        return engine.union([kept.select(*COLUMNS), rest.select(*COLUMNS)]), aside

    def _used(self, table: ir.Table) -> pd.DataFrame:
        """Return what there is to convert: nomenclature, code (by reporter and flow for overlap), rows, value_usd."""
        by = {"nomenclature": table.nomenclature, "code": table["product"]}
        if self.linking.by_overlap:
            by |= {"reporter": table.reporter, "flow": table.flow}
        used = table.aggregate(by=by, rows=table.count(), value_usd=table.value_usd.sum())
        frame: pd.DataFrame = engine.rows(self.con, used).to_pandas()
        # Only the order of addition differs from run to run; the codes are put in order so that messages do not.
        return frame.sort_values(list(by), ignore_index=True)

    # --- the account

    def _assumed(self, links: pd.DataFrame, used: pd.DataFrame) -> dict[str, float]:
        chosen = links[links["assumption"].notna()]
        keys = {"from_nomenclature": "nomenclature", "from_code": "code"}
        on = [*keys.values(), *[c for c in ("reporter", "flow") if c in links and c in used]]
        chosen = chosen.rename(columns=keys).merge(used, on=on)
        value = chosen["weight"] * chosen["value_usd"]
        return {str(k): float(v) for k, v in value.groupby(chosen["assumption"]).sum().items() if v}

    def _told(self, done: Conversion) -> Conversion:
        """Add the ledger's lines and warn."""
        ledger = Ledger()
        n, v = done.set_aside
        if n:
            total = done.value[0] + v
            note = f"reported in {self.to} for the same period as well"
            ledger.add("set aside", (done.rows[0] + n, done.rows[0]), (total, done.value[0]), note)
        ways = "; ".join(" → ".join(p) for p in done.paths) or f"{self.to} already"
        note = f"{ways}; {done.said_assumed()}; {done.said_unmapped()}"
        ledger.add(f"convert to {self.to}", done.rows, done.value, note)
        sources = tuple(sorted(set(self.flows.coverage["source"])))
        account = Account(sources, (), tuple(ledger.lines))
        if done.assumption_share:
            warnings.warn(f"conversion to {self.to}: {done.said_assumed()}", CoverageWarning, stacklevel=4)
        if len(done.unmapped):
            warnings.warn(f"conversion to {self.to}: {done.said_unmapped()}", CoverageWarning, stacklevel=4)
        # Basic categories of BEC and SITC have several lengths and exclude each other.
        accounts = (*self.flows.accounts, account)
        flows = dataclasses.replace(done.flows, accounts=accounts, disjoint=self.to not in HS)
        return dataclasses.replace(done, flows=flows)
