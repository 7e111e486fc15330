"""Run a source over files: bytes in; checked, sorted Parquet parts with their ledger out.

A source only says how one raw table reads (`Parsed`); what must hold for every source stands here: a bad record stops
the run and is named by file and row, nothing is dropped without a ledger line, one key has one value.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from autarky import engine, registry, snapshots
from autarky.errors import SourceError
from autarky.macro import is_macro
from autarky.settle import RECORD, Settlement, Staged, coverage_of, flows_table
from autarky.tables import COLUMNS, PLACED, SORTED, STORED, Account, FileRecord, Flows, Ledger, Origin

if TYPE_CHECKING:
    import ibis.expr.types as ir

Progress = Callable[[str, float], None]
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
    ranks : column → a number that sorts as it does; numbers sort faster than text
    fine : a cheap condition under which none of the problems can hold; most records meet it, so few pay for the rest
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
    fine: ir.BooleanValue | None = None
    ranks: Mapping[str, ir.Value] = field(default_factory=dict)

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
        merged = self.rows_read - self.rows_kept - refused
        why = "; ".join(f"{n:,} {reason}" for reason, n in self.refused.items() if n)
        value = float(self.flows.coverage["value_usd"].sum())
        added = f", {merged:,} added to others of their key" if merged else ""
        return (
            f"{self.rows_read:,} rows read, {self.rows_kept:,} kept, {refused:,} refused"
            f"{f' ({why})' if why else ''}{added}, value kept {value:,.0f} USD"
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
    _TEMPORARY.append(tempfile.TemporaryDirectory(prefix="autarky-"))
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
    if is_macro(source):
        raise SourceError(f"{_name(source)} gives macro series, not flows; read it with autarky.macro_reader.read")
    files_found = snapshots.find(paths, source.SUFFIXES)
    with ThreadPoolExecutor() as pool:
        found = list(zip(files_found, pool.map(snapshots.record, files_found), strict=True))
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
class _Work:
    con: Any
    workdir: Path
    options: Options
    source: ModuleType
    staged: list[Staged] = field(default_factory=list)
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
        self.staged.append(Staged(path, parsed, raw.name, stats))

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
        parts = Settlement(self.con, self.workdir, self.options.conflict, self.ledger, self.refused).parts(self.staged)
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


def _staging(parsed: Parsed) -> ir.Table:
    """Return the rows as they go to disk: a record with a problem has no reporter, so that it cannot be overlooked."""
    columns = dict(parsed.columns)
    refused = ibis.or_(*[condition for condition, _ in parsed.problems]) if parsed.problems else ibis.literal(False)
    refused = refused.fill_null(True)
    if parsed.fine is not None:
        refused = ibis.cases((parsed.fine, False), else_=refused)
    columns["reporter"] = ibis.cases((refused, ibis.null("string")), else_=_of(parsed, "reporter"))
    for name in STORED:
        kind = COLUMNS[name][0]
        columns[name] = (columns[name] if name in columns else _of(parsed, name)).cast(kind)
    if parsed.drops:
        columns["_drop"] = ibis.cases(*parsed.drops, else_=ibis.null("string"))
    if parsed.exact:
        columns[RECORD] = ibis.struct({c: parsed.table[c] for c in parsed.table.columns if c != engine.ROW}).hash()
    columns |= {f"_detail_{name}": value for name, value in parsed.details.items()}
    if not parsed.direct:
        return parsed.table.select(**columns)
    ranks = {f"_rank_{c}": rank for c, rank in parsed.ranks.items()}
    table = parsed.table.select(**columns, **ranks)
    # What does not vary stays out of the sort: carrying a column through it costs as much as a key.
    dull = [c for c in STORED if c not in parsed.columns and c != "reporter"]
    keys = [c for c in SORTED if c not in dull and not (c == "period" and parsed.constants.get("freq") == "A")]
    table = table.drop(*dull)
    # As numbers, codes of one length sort as their texts do, and a fifth faster.
    number = table["product"].try_cast("int64") + table["product"].length() * 10**12
    order = {**{k: table[k] for k in keys}, "product": number} | {k: table[f"_rank_{k}"] for k in parsed.ranks}
    ordered = table.order_by(*[order[k] for k in keys]).drop(*ranks)
    return ordered.mutate(**{c: _of(parsed, c).cast(COLUMNS[c][0]) for c in dull})


def _of(parsed: Parsed, name: str) -> ir.Value:
    if name in parsed.columns:
        return parsed.columns[name]
    return ibis.literal(parsed.constants[name]) if name in parsed.constants else ibis.null(COLUMNS[name][0])


def _name(source: ModuleType) -> str:
    return source.__name__.rsplit(".", 1)[-1]
