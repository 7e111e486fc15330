"""Run a source over files: bytes in; checked, sorted Parquet parts with their ledger out.

A source only says how one raw table reads (`Parsed`); what must hold for every source stands here: a bad record stops
the run and is named by file and row, nothing is dropped without a ledger line, one key has one value.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from autarky import engine, registry, snapshots
from autarky.errors import SourceError, TableError
from autarky.tables import COLUMNS, KEY, PLACED, SORTED, STORED, Account, FileRecord, Flows, Ledger, Origin, Part

if TYPE_CHECKING:
    import ibis.expr.types as ir

Progress = Callable[[str, float], None]
_HASH = "_record"
COLUMNS_SCHEMA = {name: kind for name, (kind, _) in COLUMNS.items()}


@dataclass(frozen=True)
class Options:
    """What the user says about files that do not say it themselves."""

    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    rates: Path | None = None
    conflict: str = "error"


@dataclass(frozen=True)
class Parsed:
    """How one raw table reads as flows.

    Attributes
    ----------
    table : the raw table, with any lookups joined to it
    columns : flow column → expression over `table`; a column that is left out is null
    constants : the flow columns that are the same in every row
    problems : (condition, message) pairs: a record for which a condition holds is refused, and with it the file
    drops : (condition, reason) pairs: a record that is well formed but must not be counted; it goes to the ledger
    details : columns beyond the key whose rows are summed (a customs regime), with the ledger's note
    origin : the card of the edition at hand
    exact : whether to tell exact duplicates (all raw columns equal) from other rows that share key and value
    """

    table: ir.Table
    columns: Mapping[str, ir.Value]
    constants: Mapping[str, str]
    origin: Origin
    problems: Sequence[tuple[ir.BooleanValue, ir.StringValue]] = ()
    drops: Sequence[tuple[ir.BooleanValue, str]] = ()
    details: Mapping[str, ir.Value] = field(default_factory=dict)
    details_note: str = ""
    exact: bool = False

    @property
    def direct(self) -> bool:
        """Whether rows go to their place as they are, without a pass that weighs them against each other."""
        varying = set(self.columns) & set(PLACED)
        return not (self.drops or self.details or varying or self.exact)


@dataclass
class Reading:
    """What a run over files gave."""

    flows: Flows
    files: list[FileRecord]
    rows_read: int
    rows_kept: int
    refused: dict[str, int]

    def summary(self) -> str:
        """Say in one line: rows read, kept, refused (why), value kept."""
        refused = sum(self.refused.values())
        why = "; ".join(f"{n:,} {reason}" for reason, n in self.refused.items() if n)
        value = float(self.flows.coverage["value_usd"].sum())
        return (
            f"{self.rows_read:,} rows read, {self.rows_kept:,} kept, {refused:,} refused"
            f"{f' ({why})' if why else ''}, value kept {value:,.0f} USD"
        )


def read(
    source: str | ModuleType,
    paths: str | Path | Iterable[str | Path],
    *,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    rates: str | Path | None = None,
    conflict: str = "error",
) -> Flows:
    """Read files of one source as valid flows.

    Parameters
    ----------
    source : name of a source ("gacc", "comtrade", "baci", "tidy") or its module
    paths : files, or directories of files
    columns : flow field → name of the file's column, for files with other names
    values : flow field → value, for what the files do not say
    rates : table of months and CNY per USD, for files in yuan
    conflict : "error", or "largest": of rows that give one key different values keep the largest

    Returns
    -------
    Flows : backed by sorted Parquet files in a temporary directory that lives as long as the process

    Raises
    ------
    SourceError, TableError, CodeError
    """
    workdir = Path(tempfile.mkdtemp(prefix="autarky-"))
    _TEMPORARY.append(tempfile.TemporaryDirectory(prefix="autarky-", dir=workdir.parent))
    shutil.rmtree(workdir)
    options = Options(columns or {}, values or {}, Path(rates) if rates else None, conflict)
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    module = registry.source(source) if isinstance(source, str) else source
    reading = run(module, listed, options, engine.connect(), Path(_TEMPORARY[-1].name))
    return reading.flows


_TEMPORARY: list[tempfile.TemporaryDirectory[str]] = []


def run(
    source: ModuleType,
    paths: Sequence[str | Path],
    options: Options,
    con: Any,
    workdir: Path,
    skip: Callable[[FileRecord], bool] = lambda _: False,
    progress: Progress = lambda _name, _done: None,
) -> Reading:
    """Read files into sorted parts under `workdir`; see `read`.  `skip` tells files that are already known."""
    found = [(path, snapshots.record(path)) for path in snapshots.find(paths, source.SUFFIXES)]
    work = _Work(con, workdir, options, source)
    files = work.once([(path, r) for path, r in found if not skip(r)])
    total = sum(r.size for _, r in files) or 1
    done = 0
    for path, file in files:
        known = len(work.staged)

        def report(fraction: float, file: FileRecord = file, done: int = done) -> None:
            progress(file.name, (done + file.size * fraction) / total)

        for raw in snapshots.unpacked(path, workdir):
            work.stage(raw, report)
        if len(work.staged) == known:
            raise SourceError(f"{file.name}: holds no table that {_name(source)} reads ({', '.join(source.SUFFIXES)})")
        done += file.size
        progress(file.name, done / total)
    return work.settle([r for _, r in files])


@dataclass
class _Staged:
    path: Path
    parsed: Parsed
    name: str
    stats: pd.DataFrame


@dataclass
class _Work:
    con: Any
    workdir: Path
    options: Options
    source: ModuleType
    staged: list[_Staged] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    refused: dict[str, int] = field(default_factory=dict)

    def once(self, found: list[tuple[Path, FileRecord]]) -> list[tuple[Path, FileRecord]]:
        """Leave out files with the bytes of another one, and say so in the ledger."""
        kept: dict[str, tuple[Path, FileRecord]] = {}
        for path, file in found:
            first = kept.setdefault(file.sha256, (path, file))
            if first[0] != path:
                self.ledger.add(f"pass over {path}", (0, 0), (0, 0), f"the same bytes as {first[0]}")
        return list(kept.values())

    def stage(self, raw: snapshots.Raw, progress: engine.Progress) -> None:
        """Parse one raw file into one Parquet file, checked."""
        with engine.failures(raw.name):
            parsed = self.source.parse(self.con, raw, self.options, self.context, numbered=False)
            if parsed is None:
                return
            path = self.workdir / f"staged-{uuid.uuid4().hex}.parquet"
            engine.write_parquet(self.con, _staging(parsed), path, progress)
            stats = self._stats(path, parsed)
            if (bad := int(stats.loc[stats["reporter"].isna(), "rows"].sum())) > 0:
                path.unlink()
                raise self._diagnosis(raw, bad)
        if stats.empty:
            raise SourceError(f"{raw.name}: there are no rows under the header")
        self.staged.append(_Staged(path, parsed, raw.name, stats))

    def _stats(self, path: Path, parsed: Parsed) -> pd.DataFrame:
        return coverage_of(self.con, engine.read_parquet(self.con, [str(path)]), parsed.constants)

    def _diagnosis(self, raw: snapshots.Raw, bad: int) -> SourceError:
        """Read the file once more, with row numbers, to say what is wrong where."""
        parsed = self.source.parse(self.con, raw, self.options, self.context, numbered=True)
        # A condition that cannot be told (an empty field) refuses a record too; see `_staging`.
        problems = [(condition.fill_null(True), said) for condition, said in parsed.problems]
        message = ibis.cases(*problems, else_=ibis.null("string"))
        table = parsed.table.select(row=parsed.table[engine.ROW], message=message)
        first = engine.rows(self.con, table.filter(table.message.notnull()).order_by("row").limit(5)).to_pylist()
        said = "; ".join(f"row {r['row']}: {r['message']}" for r in first)
        more = f"; {bad - len(first):,} more rows are not valid" if bad > len(first) else ""
        return SourceError(f"{raw.name} {said}{more}")

    def _check_details(self) -> None:
        """Refuse totals beside their breakdown: summed, they would count twice."""
        for s in self.staged:
            one, other = sorted(self.staged[0].parsed.details), sorted(s.parsed.details)
            if one != other:
                raise SourceError(
                    f"{self.staged[0].name} is broken down by {' and '.join(one) or 'nothing'}, {s.name} by "
                    f"{' and '.join(other) or 'nothing'}: one may be the total of the other. Ingest them one by one; "
                    "of one key, the file ingested last counts."
                )

    def settle(self, files: list[FileRecord]) -> Reading:
        """Turn what was staged into parts with one value a key, and close the ledger."""
        self._check_details()
        rows_read = sum(int(s.stats["rows"].sum()) for s in self.staged)
        value_read = sum(float(s.stats["value_usd"].sum()) for s in self.staged)
        for s in self.staged:
            n, v = int(s.stats["rows"].sum()), float(s.stats["value_usd"].sum())
            self.ledger.add(f"read {s.name}", (n, n), (v, v), s.parsed.origin.title)
        parts: list[Part] = []
        if all(s.parsed.direct for s in self.staged):
            parts = self._placed_directly()
        else:
            parts = self._weighed(self.staged, self.workdir / f"weighed-{uuid.uuid4().hex}.parquet")
        coverage = pd.concat([p.coverage for p in parts]) if parts else pd.DataFrame()
        kept = sum(p.rows for p in parts)
        value = sum(p.value_usd for p in parts)
        self.ledger.add("kept", (rows_read, kept), (value_read, value))
        if not parts and files:
            why = "; ".join(f"{n:,} {reason}" for reason, n in self.refused.items())
            raise SourceError(f"none of the {rows_read:,} rows could be kept: {why}")
        origins = tuple({s.parsed.origin.id: s.parsed.origin for s in self.staged}.values())
        table = flows_table(self.con, parts) if parts else ibis.table(COLUMNS_SCHEMA)
        account = Account(tuple(o.id for o in origins), tuple(files), tuple(self.ledger.lines))
        flows = Flows(table, (account,), origins, coverage, tuple(parts))
        return Reading(flows, files, rows_read, kept, self.refused)

    def _placed_directly(self) -> list[Part]:
        """Give every (place, year) its file; only places that repeat a key are weighed."""
        by_place: dict[tuple[Any, ...], list[tuple[_Staged, int]]] = {}
        for s in self.staged:
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

    def _year_of(self, s: _Staged, year: int) -> _Staged:
        if s.stats["year"].nunique() == 1:
            return s
        path = self.workdir / f"year-{uuid.uuid4().hex}.parquet"
        table = engine.read_parquet(self.con, [str(s.path)])
        engine.write_parquet(self.con, table.filter(table.period.year() == year), path)
        return _Staged(path, s.parsed, s.name, s.stats[s.stats["year"] == year])

    def _weighed(self, staged: list[_Staged], path: Path) -> list[Part]:
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
        repeats = "exact duplicates" if _HASH in table.columns else "rows with the key and value of another row"
        self._note("deduplicate", repeats, table, exact)
        if _HASH in exact.columns:
            same = exact.drop(_HASH).distinct()
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
        if self.options.conflict != "largest":
            raise self._conflict(conflicts, count)
        settled = largest.select(*[c for c in table.columns if c in largest.columns])
        self._note("settle conflicts", f"other values for {count:,} keys, the largest kept", table, settled)
        return settled

    def _conflict(self, conflicts: ir.Table, count: int) -> TableError:
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
        self.refused[f"merged: {parsed.details_note}"] = n - m
        return summed


def _range(low: float | None, high: float | None) -> str:
    if low is None or low == high:
        return "that differ in weight, in valuation or in whether a value is there"
    return f"from {low:,.0f} to {high:,.0f} USD"


def flows_table(con: Any, parts: Sequence[Part]) -> ir.Table:
    """Return parts as one table with all columns."""
    tables = [_with_constants(engine.read_parquet(con, [p.path]), p.placed) for p in parts]
    return engine.union([t.select(*COLUMNS) for t in tables])


def _staging(parsed: Parsed) -> ir.Table:
    """Return the rows as they go to disk: a record with a problem has no reporter, so that it cannot be overlooked."""
    columns = dict(parsed.columns)
    refused = ibis.or_(*[condition for condition, _ in parsed.problems]) if parsed.problems else ibis.literal(False)
    columns["reporter"] = ibis.cases((refused.fill_null(True), ibis.null("string")), else_=_of(parsed, "reporter"))
    for name in STORED:
        kind = COLUMNS[name][0]
        columns[name] = (columns[name] if name in columns else _of(parsed, name)).cast(kind)
    if parsed.drops:
        columns["_drop"] = ibis.cases(*parsed.drops, else_=ibis.null("string"))
    if parsed.exact:
        columns[_HASH] = ibis.struct({c: parsed.table[c] for c in parsed.table.columns if c != engine.ROW}).hash()
    columns |= {f"_detail_{name}": value for name, value in parsed.details.items()}
    table = parsed.table.select(**columns)
    if not parsed.direct:
        return table
    # What does not vary stays out of the sort: carrying a column through it costs as much as a key.
    dull = [c for c in STORED if c not in parsed.columns and c != "reporter"]
    keys = [c for c in SORTED if c not in dull and not (c == "period" and parsed.constants.get("freq") == "A")]
    return table.drop(*dull).order_by(*keys).mutate(**{c: _of(parsed, c).cast(COLUMNS[c][0]) for c in dull})


def _of(parsed: Parsed, name: str) -> ir.Value:
    if name in parsed.columns:
        return parsed.columns[name]
    return ibis.literal(parsed.constants[name]) if name in parsed.constants else ibis.null(COLUMNS[name][0])


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


def _repeats(con: Any, staged: _Staged) -> bool:
    """Whether a sorted file holds a key twice: neighbors tell, in one streaming pass."""
    table = engine.read_parquet(con, [str(staged.path)])
    before = {c: table[c].lag().over(ibis.window(rows=(None, None))) for c in SORTED}
    same = ibis.and_(*[before[c].identical_to(table[c]) for c in SORTED])
    marked = table.select(same=same)
    return bool(engine.rows(con, marked.aggregate(n=marked.same.fill_null(False).cast("int64").sum()))["n"][0].as_py())


def _name(source: ModuleType) -> str:
    return source.__name__.rsplit(".", 1)[-1]
