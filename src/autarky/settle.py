"""Turn staged tables into parts with one value a key: drops, duplicates, conflicts and details, each in the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from autarky import engine
from autarky.errors import TableError
from autarky.tables import COLUMNS, KEY, PLACED, SORTED, STORED, Ledger, Part

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from autarky.reader import Parsed

# Column that tells records apart that agree in key and value: a hash of the whole raw record.
RECORD = "_record"


@dataclass
class Staged:
    """One raw table on disk: parsed, checked, `stats` its coverage."""

    path: Path
    parsed: Parsed
    name: str
    stats: pd.DataFrame


@dataclass
class Settlement:
    """The work on what one reading staged; `ledger` and `refused` hear what it does to rows and value."""

    con: Any
    workdir: Path
    conflict: str
    ledger: Ledger
    refused: dict[str, int]

    def parts(self, staged: list[Staged]) -> list[Part]:
        """Return sorted Parquet files, one a place and year, in which every key has one value."""
        if all(s.parsed.direct for s in staged):
            return self._placed_directly(staged)
        return self._weighed(staged, self.workdir / f"weighed-{uuid.uuid4().hex}.parquet")

    def _placed_directly(self, staged: list[Staged]) -> list[Part]:
        """Give every (place, year) its file; only places that repeat a key are weighed."""
        by_place: dict[tuple[Any, ...], list[tuple[Staged, int]]] = {}
        for s in staged:
            for year in sorted(s.stats["year"].unique()):
                place = tuple(s.parsed.constants[c] for c in PLACED if c != "year")
                by_place.setdefault((*place, int(year)), []).append((s, int(year)))
        parts = []
        for members in by_place.values():
            pieces = [self._year_of(s, year) for s, year in members]
            part = pieces[0]
            if len(pieces) > 1 or _repeats(self.con, part):
                parts += self._weighed(pieces, self.workdir / f"weighed-{uuid.uuid4().hex}.parquet")
            else:
                parts.append(self._part(part.path, part.stats))
        return parts

    def _year_of(self, s: Staged, year: int) -> Staged:
        if s.stats["year"].nunique() == 1:
            return s
        path = self.workdir / f"year-{uuid.uuid4().hex}.parquet"
        table = engine.read_parquet(self.con, [str(s.path)])
        engine.write_parquet(self.con, table.filter(table.period.year() == year), path)
        return Staged(path, s.parsed, s.name, s.stats[s.stats["year"] == year])

    def _weighed(self, staged: list[Staged], path: Path) -> list[Part]:
        """Drop what must not be counted, drop duplicates, settle conflicts, sum details; split by place and year."""
        tables = [_with_constants(engine.read_parquet(self.con, [str(s.path)]), s.parsed.constants) for s in staged]
        table = engine.union(_aligned(tables))
        with engine.failures():
            table = self._without_drops(table)
            table = self._without_duplicates(table)
            table = self._without_conflicts(table)
            table = self._summed(table, staged[0].parsed)
            engine.write_parquet(self.con, table.order_by(*SORTED), path)
            settled = engine.read_parquet(self.con, [str(path)])
            stats = coverage_of(self.con, settled, {})
            parts = []
            for place, group in stats.groupby(list(PLACED), sort=True):
                piece = self.workdir / f"part-{uuid.uuid4().hex}.parquet"
                same = [
                    settled.period.year() == int(v) if c == "year" else settled[c] == v
                    for c, v in zip(PLACED, place, strict=True)
                ]
                engine.write_parquet(self.con, settled.filter(*same).select(*STORED), piece)
                parts.append(self._part(piece, group))
        path.unlink()
        return parts

    def _part(self, path: Path, stats: pd.DataFrame) -> Part:
        placed = {c: (int(v) if c == "year" else str(v)) for c, v in stats.iloc[0][list(PLACED)].items()}
        coverage = stats.reset_index(drop=True)
        return Part(str(path), placed, int(stats["rows"].sum()), float(stats["value_usd"].sum()), coverage)

    def _note(self, step: str, reason: str, before: ir.Table, after: ir.Table) -> None:
        n, v = _totals(self.con, before)
        m, w = _totals(self.con, after)
        if n != m:
            self.ledger.add(step, (n, m), (v, w), reason)
            self.refused[reason] = self.refused.get(reason, 0) + n - m

    def _without_drops(self, table: ir.Table) -> ir.Table:
        if "_drop" not in table.columns:
            return table
        dropped = table.filter(table["_drop"].notnull())
        dropped = dropped.aggregate(by=["_drop"], n=dropped.count(), v=dropped.value_usd.sum())
        n, v = _totals(self.con, table)
        for row in engine.rows(self.con, dropped.order_by("_drop")).to_pylist():
            self.ledger.add("drop", (n, n - row["n"]), (v, v - (row["v"] or 0.0)), row["_drop"])
            self.refused[row["_drop"]] = self.refused.get(row["_drop"], 0) + row["n"]
            n, v = n - row["n"], v - (row["v"] or 0.0)
        return table.filter(table["_drop"].isnull()).drop("_drop")

    def _without_duplicates(self, table: ir.Table) -> ir.Table:
        exact = table.distinct()
        repeats = "exact duplicates" if RECORD in table.columns else "rows with the key and value of another row"
        self._note("deduplicate", repeats, table, exact)
        if RECORD in exact.columns:
            same = exact.drop(RECORD).distinct()
            self._note("deduplicate", "rows with the key and value of another row", exact, same)
            exact = same
        return exact

    def _without_conflicts(self, table: ir.Table) -> ir.Table:
        key = [c for c in table.columns if c in KEY or c.startswith("_detail")]
        # One record wins whole: its weight (even a missing one) goes with its value.  Of equal values, the heaviest.
        # None is negative (that is refused), so -1 stands for "not reported" while they are ranked.
        rank = ibis.struct(
            {"v": table.value_usd.fill_null(-1.0), "w": table.weight_kg.fill_null(-1.0), "c": table.valuation}
        )
        ranked = table.aggregate(by=key, n=table.count(), low=table.value_usd.min(), first=rank.max())
        largest = ranked.mutate(
            value_usd=ranked["first"]["v"].nullif(-1.0),
            weight_kg=ranked["first"]["w"].nullif(-1.0),
            valuation=ranked["first"]["c"],
        ).drop("first")
        conflicts = largest.filter(largest.n > 1)
        count = int(engine.rows(self.con, conflicts.aggregate(n=conflicts.count()))["n"][0].as_py())
        if not count:
            return table
        if self.conflict != "largest":
            raise self._undecided(conflicts, count)
        settled = largest.select(*[c for c in table.columns if c in largest.columns])
        self._note("settle conflicts", f"other values for {count:,} keys, the largest kept", table, settled)
        return settled

    def _undecided(self, conflicts: ir.Table, count: int) -> TableError:
        first = conflicts.order_by(ibis.desc("value_usd"), *[c for c in SORTED if c in conflicts.columns]).limit(5)
        shown = [
            f"{r['reporter']} {r['flow']} from/to {r['partner']}, {r['product']}, {r['period']}: "
            f"{r['n']} rows {_range(r['low'], r['value_usd'])}"
            for r in engine.rows(self.con, first).to_pylist()
        ]
        return TableError(
            f"{count:,} keys have rows that differ, so it is not clear which is the total: {'; '.join(shown)}"
            f"{f'; and {count - 5:,} more' if count > 5 else ''}. If the others are breakdowns of the largest, "
            "say --conflict largest."
        )

    def _summed(self, table: ir.Table, parsed: Parsed) -> ir.Table:
        if not parsed.details:
            return table
        key = [c for c in table.columns if c in KEY or c == "valuation"]
        # A weight is a total only if every part has one.
        whole = ibis.cases((table.weight_kg.count() == table.count(), table.weight_kg.sum()))
        summed = table.aggregate(by=key, value_usd=table.value_usd.sum(), weight_kg=whole)
        n, v = _totals(self.con, table)
        m, w = _totals(self.con, summed)
        self.ledger.add("sum", (n, m), (v, w), parsed.details_note)
        return summed


def _range(low: float | None, high: float | None) -> str:
    if low is None or low == high:
        return "that differ in weight, in valuation or in whether a value is there"
    return f"from {low:,.0f} to {high:,.0f} USD"


def flows_table(con: Any, parts: Sequence[Part]) -> ir.Table:
    """Return parts as one table with all columns."""
    tables = [_with_constants(engine.read_parquet(con, [p.path]), p.placed) for p in parts]
    return engine.union([t.select(*COLUMNS) for t in tables])


def _with_constants(table: ir.Table, constants: Mapping[str, Any]) -> ir.Table:
    return table.mutate(**{c: ibis.literal(str(v)) for c, v in constants.items() if c in PLACED and c != "year"})


def _aligned(tables: list[ir.Table]) -> list[ir.Table]:
    names = list(dict.fromkeys(c for t in tables for c in t.columns))
    return [t.select(*[t[c] if c in t.columns else ibis.null("string").name(c) for c in names]) for t in tables]


def coverage_of(con: Any, table: ir.Table, constants: Mapping[str, Any]) -> pd.DataFrame:
    """Return what a table holds, by place, reporter, period and kind of row; see `Flows.coverage`."""
    return engine.rows(con, _coverage(_with_constants(table, constants))).to_pandas()


def _coverage(table: ir.Table) -> ir.Table:
    level = ibis.cases((table["product"] == "TOTAL", 0), else_=table["product"].length())
    return table.aggregate(
        by={
            **{c: table[c] for c in PLACED if c in table.columns},
            "year": table.period.year(),
            "reporter": table.reporter,
            "period": table.period,
            "level": level,
            "world": (table.partner == "WLD").fill_null(False),
            "areas": table.area.notnull(),
        },
        rows=table.count(),
        value_usd=table.value_usd.sum(),
    )


def _totals(con: Any, table: ir.Table) -> tuple[int, float]:
    row = engine.rows(con, table.aggregate(n=table.count(), v=table.value_usd.sum())).to_pylist()[0]
    return row["n"], row["v"] or 0.0


def _annual(staged: Staged) -> bool:
    """Whether the period is the same in every row of one year."""
    return staged.parsed.constants.get("freq") == "A"


def _repeats(con: Any, staged: Staged) -> bool:
    """Whether a sorted file holds a key twice: neighbors tell, in one streaming pass."""
    table = engine.read_parquet(con, [str(staged.path)])
    # What is the same in every row tells nobody apart.
    keys = [c for c in SORTED if c in staged.parsed.columns and not (c == "period" and _annual(staged))]
    before = {c: table[c].lag().over(ibis.window(rows=(None, None))) for c in keys}
    same = ibis.and_(*[before[c].identical_to(table[c]) for c in keys])
    marked = table.select(same=same)
    return bool(engine.rows(con, marked.aggregate(n=marked.same.fill_null(False).cast("int64").sum()))["n"][0].as_py())
