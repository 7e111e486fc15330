"""Convert flows from one nomenclature to another: one join with a table of links, one row a key and product.

Value is conserved: a code that leads nowhere stays what it was, in its own nomenclature, so that it is neither lost nor
added to what could be converted.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import engine, references, weights
from autarky.correlations import Reference
from autarky.errors import CodeError, CoverageWarning, NoDataError, TableError, listed
from autarky.joining import joined
from autarky.mapping import Mapping, check_target, mapping
from autarky.references.checks import HS
from autarky.settle import coverage_of
from autarky.tables import COLUMNS, Account, Flows, Ledger, column

if TYPE_CHECKING:
    import ibis.expr.types as ir

_CELL = ["source", "reporter", "flow", "freq", "period"]
_SHOWN = 20
_OVERLAP = ("overlap", "overlap,equal")
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
        codes = [f"{r.nomenclature} {r.code} ({_usd(r.value_usd)})" for r in self.unmapped.itertuples()]
        return f"{len(codes)} codes unmapped and left as they are ({total:,.0f} USD): {listed(codes, _SHOWN)}"


def convert(
    flows: Flows,
    to: str,
    *,
    weights: Any = None,
    dual_use: str = "first",
    reference: Reference = None,
    con: Any = None,
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
    work = _Work(con, flows, to, weights, dual_use, reference)
    with engine.failures():
        return work.run()


@dataclass
class _Work:
    con: Any
    flows: Flows
    to: str
    weights: Any
    dual_use: str
    reference: Reference

    def run(self) -> Conversion:
        self._check()
        table, aside = self._without_doubles()
        used = self._used(table)
        if used.empty:
            raise NoDataError(_NOTHING)
        sources = [n for n in used["nomenclature"].unique() if n != self.to]
        found = {str(n): mapping(str(n), self.to, self.dual_use, self.reference) for n in sources}
        links, unmapped = self._links(found, used)
        out = joined(self.con, table, links, self.flows.coverage)
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
        if not self._by_overlap or self.to not in set(double["nomenclature"]):
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

    @property
    def _by_overlap(self) -> bool:
        return isinstance(self.weights, str) and self.weights in _OVERLAP

    def _used(self, table: ir.Table) -> pd.DataFrame:
        """Return what there is to convert: nomenclature, code (by reporter and flow for overlap), rows, value_usd."""
        by = {"nomenclature": table.nomenclature, "code": table["product"]}
        if self._by_overlap:
            by |= {"reporter": table.reporter, "flow": table.flow}
        used = table.aggregate(by=by, rows=table.count(), value_usd=table.value_usd.sum())
        frame: pd.DataFrame = engine.rows(self.con, used).to_pandas()
        # Only the order of addition differs from run to run; the codes are put in order so that messages do not.
        return frame.sort_values(list(by), ignore_index=True)

    # --- links

    def _links(self, found: Dictionary[str, Mapping], used: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return links for exactly the codes that are used, and the codes that lead nowhere."""
        table = self._weights_table()
        parts, unmapped = [], []
        for source, said in found.items():
            own = used[used["nomenclature"] == source]
            links = self._weighted(source, said, own, table, len(found) > 1)
            ambiguous = said.candidates[~said.candidates["from_code"].isin(links["from_code"])]
            self._refuse_ambiguous(source, own[own["code"].isin(ambiguous["from_code"])], ambiguous)
            lost = own[~own["code"].isin(links["from_code"])]
            unmapped.append(lost.groupby(["nomenclature", "code"], as_index=False)[["rows", "value_usd"]].sum())
            parts.append(links.assign(from_nomenclature=source, to_nomenclature=self.to))
            parts.append(_same(lost))
        parts.append(_same(used[used["nomenclature"] == self.to]))
        links = pd.concat([p for p in parts if len(p)], ignore_index=True)
        keys = {"from_nomenclature": "nomenclature", "from_code": "code"}
        held = used[["nomenclature", "code"]].drop_duplicates()
        links = links.merge(held.rename(columns={v: k for k, v in keys.items()}), on=list(keys))
        none = pd.DataFrame(columns=["nomenclature", "code", "rows", "value_usd"])
        lost = pd.concat([u for u in unmapped if len(u)]) if any(len(u) for u in unmapped) else none
        return links, lost.sort_values("value_usd", ascending=False, ignore_index=True)

    def _weights_table(self) -> tuple[str, pd.DataFrame] | None:
        if self.weights is None or (isinstance(self.weights, str) and self.weights in ("equal", *_OVERLAP)):
            return None
        return weights.read(self.weights)

    def _weighted(
        self, source: str, said: Mapping, own: pd.DataFrame, table: tuple[str, pd.DataFrame] | None, several: bool
    ) -> pd.DataFrame:
        if self.weights is None:
            return said.links
        if table:
            name, every = table
            rows = weights.of_pair(name, every, source, self.to, several)
            known, targets = said.known | self._codes(source), said.targets | self._codes(self.to)
            return weights.weighted(said, weights.checked(name, rows, known, self.to, targets))
        if not self._by_overlap:
            return weights.weighted(said, weights.equal(said))
        return self._overlapped(source, said, own)

    def _codes(self, nomenclature: str) -> set[str]:
        """Return the codes of an edition, where its list is here."""
        present = references.status(self.reference).set_index("id")["present"]
        name = references.identify("nomenclature", nomenclature=nomenclature)
        if not present.get(name, False):
            return set()
        frame = references.load("nomenclature", self.reference, nomenclature=nomenclature).to_pandas()
        return set(frame.loc[frame["level"] == 6, "code"])

    def _overlapped(self, source: str, said: Mapping, own: pd.DataFrame) -> pd.DataFrame:
        """Return links by reporter and flow."""
        here, there = (self._by_year(n) for n in (source, self.to))
        pairs = own[["reporter", "flow", "code"]]
        shares, none = weights.overlap(said, self.to, pairs, here, there)
        if len(none) and self.weights == _OVERLAP[1]:
            shares = pd.concat([shares, none.merge(weights.equal(said), on="from_code")], ignore_index=True)
        elif len(none):
            codes = none.rename(columns={"from_code": "code"}).merge(own, on=["reporter", "flow", "code"])
            codes = codes.sort_values("value_usd", ascending=False)
            first = [f"{r.reporter} {r.flow} {r.code} ({_usd(r.value_usd)})" for r in codes.itertuples()]
            raise CodeError(
                f"weights overlap: for {len(codes)} codes of {source} ({codes['value_usd'].sum():,.0f} USD) the flows "
                f"hold no value in {self.to} of any code that could follow: {listed(first)}. Store a year in {self.to} "
                f"of these reporters, or say --weights {_OVERLAP[1]} to divide these equally. Nothing was converted."
            )
        whole = pairs.rename(columns={"code": "from_code"})
        single = whole.merge(said.links[~said.links["from_code"].isin(shares["from_code"])], on="from_code")
        return pd.concat([f for f in (single, shares.assign(assumption="weights")) if len(f)], ignore_index=True)

    def _by_year(self, nomenclature: str) -> pd.DataFrame:
        table = self.flows.table
        held = table.filter(table.nomenclature == nomenclature)
        by = {"reporter": held.reporter, "flow": held.flow, "year": column(held, "year"), "code": held["product"]}
        frame: pd.DataFrame = engine.rows(self.con, held.aggregate(by=by, value_usd=held.value_usd.sum())).to_pandas()
        return frame.assign(year=frame["year"].astype("int64"))

    def _refuse_ambiguous(self, source: str, codes: pd.DataFrame, candidates: pd.DataFrame) -> None:
        if codes.empty:
            return
        totals = codes.groupby("code")["value_usd"].sum().sort_values(ascending=False)
        named = []
        for code, value in totals.items():
            leads = sorted(candidates.loc[candidates["from_code"] == code, "to_code"])
            named.append(f"{code} → {listed(leads, 4)} ({_usd(value)})")
        raise CodeError(
            f"{len(named)} codes of {source} ({totals.sum():,.0f} USD) lead to several of {self.to}: "
            f"{'; '.join(named[:_SHOWN])}{f'; and {len(named) - _SHOWN} more' if len(named) > _SHOWN else ''}. "
            "Say how to divide them with --weights equal, --weights overlap or a table of weights, or leave them out "
            "with --where. Nothing was converted."
        )

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


def _same(codes: pd.DataFrame) -> pd.DataFrame:
    """Return links of codes to themselves."""
    held = [c for c in ("reporter", "flow") if c in codes]
    same = codes[["nomenclature", "code", *held]].rename(
        columns={"nomenclature": "from_nomenclature", "code": "from_code"}
    )
    return same.assign(
        to_nomenclature=same["from_nomenclature"], to_code=same["from_code"], weight=1.0, assumption=None
    )


def _usd(value: float | None) -> str:
    return "no value reported" if value is None or value != value else f"{value:,.0f} USD"
