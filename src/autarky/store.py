"""The versioned store: a Delta Lake table of flows.  A commit is atomic; every version can be read again.

::

    STORE/flows/                         the Delta table; a file's constant columns are its path
    STORE/flows/source=…/nomenclature=…/flow=…/freq=…/valuation=…/year=…/ID.parquet
    STORE/coverage/ID.parquet            what file ID holds (derived; made again when missing)
    STORE/staging/                       work of an ingest that is under way; emptied by the next one
    STORE/lock                           one ingest commits at a time
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions
from filelock import FileLock, Timeout

from autarky import engine, reader, registry
from autarky.errors import AutarkyError, NoDataError
from autarky.tables import COLUMNS, KEY, PLACED, SORTED, STORED, Account, FileRecord, Flows, LedgerLine, Origin, Part

if TYPE_CHECKING:
    import ibis.expr.types as ir

_TYPES = {"date": pa.date32(), "string": pa.string(), "float64": pa.float64()}
SCHEMA = pa.schema([(c, _TYPES[t]) for c, (t, _) in COLUMNS.items()] + [("year", pa.int32())])
_HIVE = {c: "INTEGER" if c == "year" else "VARCHAR" for c in PLACED}
# Customs offices revise, so no version is ever cleaned away behind the user's back.
_CONFIGURATION = {"delta.logRetentionDuration": "interval 36500 days", "delta.enableExpiredLogCleanup": "false"}
_METADATA = "autarky"


@dataclass(frozen=True)
class Version:
    """One line of the store's log."""

    version: int
    when: str
    source: str
    files: tuple[FileRecord, ...]
    settings: str
    rows_added: int
    rows_replaced: int
    rows_unchanged: int
    value_added: float
    origins: tuple[Origin, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()


@dataclass
class Ingested:
    """What an ingest did; `version` is the version to read, `changed` whether it is a new one."""

    version: int
    changed: bool
    summary: str
    known: list[str] = field(default_factory=list)


class Store:
    """A store in a directory.

    Raises
    ------
    AutarkyError : the directory is not a store, or the version does not exist
    """

    def __init__(self, path: str | Path, as_of: int | None = None) -> None:
        self.path = _named(path)
        self.as_of = as_of
        self._delta = _opened(self.path, as_of)
        if self._delta is None:
            raise AutarkyError(
                f"{path}: there is no store here; make one with `autarky ingest SOURCE PATH --store {path}`"
            )

    @property
    def version(self) -> int:
        """The version that is read."""
        assert self._delta is not None
        return self._delta.version()

    def log(self) -> list[Version]:
        """Return the versions, oldest first, with what each added."""
        assert self._delta is not None
        return _log(self.path, self._delta)

    def parts(self, con: Any) -> list[Part]:
        """Return the files of this version with what they hold."""
        assert self._delta is not None
        return _parts(self.path, self._delta, con)

    def coverage(self, con: Any) -> pd.DataFrame:
        """Return what this version holds, a row a (source, nomenclature, freq, flow)."""
        parts = self.parts(con)
        if not parts:
            raise NoDataError(f"{self.path}: version {self.version} of the store holds no rows")
        held = pd.concat([p.coverage for p in parts], ignore_index=True)
        groups = held.groupby(["source", "nomenclature", "freq", "flow"], sort=True)
        return groups.agg(
            reporters=("reporter", "nunique"),
            first=("period", "min"),
            last=("period", "max"),
            levels=("level", lambda v: " ".join(map(str, sorted(v.unique())))),
            world_total=("world", "any"),
            areas=("areas", "any"),
            rows=("rows", "sum"),
            value_usd=("value_usd", "sum"),
        ).reset_index()

    def flows(self, con: Any) -> Flows:
        """Return the flows of this version, with the ledger and origins of all that led to it."""
        parts = self.parts(con)
        if not parts:
            raise NoDataError(f"{self.path}: version {self.version} of the store holds no rows")
        log = self.log()
        table = engine.read_parquet(con, [p.path for p in parts], _HIVE)
        accounts = tuple(
            Account(
                tuple(o.id for o in v.origins),
                v.files,
                tuple(replace(x, step=f"v{v.version} {x.step}") for x in v.ledger),
            )
            for v in log
        )
        origins = {o.id: o for v in log for o in v.origins}
        coverage = pd.concat([p.coverage for p in parts], ignore_index=True)
        return Flows(table, accounts, tuple(origins.values()), coverage, tuple(parts))


def ingest(
    path: str | Path,
    source: str,
    paths: Sequence[str | Path],
    options: reader.Options,
    *,
    progress: reader.Progress = lambda _name, _done: None,
    waiting: Callable[[], None] = lambda: None,
    memory: str = "3GB",
) -> Ingested:
    """Read files and commit them as one new version; a file already read the same way changes nothing.

    Rows replace rows of the same source and key: that is how a revision comes in.  The older version stays readable.

    Raises
    ------
    SourceError, TableError, CodeError : a file is not right; the store is as it was
    AutarkyError : the machine failed (disk full, …); the store is as it was
    """
    root = _named(path)
    module = registry.source(source)
    settings = _fingerprint(source, options)
    with _staging(root) as workdir:
        con = engine.connect(spill=workdir / "spill", memory=memory)
        known = _known(root, settings)
        skipped: list[str] = []

        def skip(file: FileRecord) -> bool:
            if file.sha256 in known:
                skipped.append(f"{file.name} (version {known[file.sha256]})")
            return file.sha256 in known

        reading = reader.run(module, paths, options, con, workdir, skip, progress)
        if not reading.files:
            version = Store(root).version
            return Ingested(version, False, f"nothing changes: already ingested: {', '.join(skipped)}", skipped)
        with _locked(root, waiting):
            # What another ingest committed meanwhile may be these very files.
            if all(f.sha256 in _known(root, settings) for f in reading.files):
                return Ingested(
                    Store(root).version, False, "nothing changes: already ingested by another process", skipped
                )
            version = _Commit(root, con, workdir, reading, source, settings).run()
        return Ingested(version, True, f"{reading.summary()}; version {version}", skipped)


@dataclass
class _Commit:
    root: Path
    con: Any
    workdir: Path
    reading: reader.Reading
    source: str
    settings: str
    replaced: int = 0
    unchanged: int = 0

    def run(self) -> int:
        """Merge with what the store holds and commit; on any failure remove what was put in place."""
        delta = _opened(self.root, None)
        held = _parts(self.root, delta, self.con) if delta else []
        moved: list[Path] = []
        try:
            with engine.failures():
                added, removed = self._merged(held)
            actions = [self._placed(part, moved) for part in added]
            gone = [_relative(self.root, p) for p in removed]
            self._commit(delta, actions, [a for a in _removals(delta, gone)])
        except (OSError, DeltaError) as error:
            # What fails after the version is written (a checkpoint of the log) takes nothing back.
            if not self._committed(moved):
                self._withdraw(moved)
                raise engine.EngineFailure(f"the commit failed: {_plainly(error)}. The store is as it was.") from error
        return Store(self.root).version

    def _committed(self, moved: list[Path]) -> bool:
        delta = _opened(self.root, None)
        live = _live(self.root, delta) if delta else []
        return not set(live).isdisjoint(moved)

    def _withdraw(self, moved: list[Path]) -> None:
        """Remove the files of a version that never came to be, and the directories made for them."""
        for file in moved:
            file.unlink(missing_ok=True)
            (self.root / "coverage" / file.name).unlink(missing_ok=True)
            for directory in list(file.parents)[: len(PLACED)]:
                if any(directory.iterdir()):
                    break
                directory.rmdir()

    def _merged(self, held: list[Part]) -> tuple[list[Part], list[Part]]:
        """Return the parts to add and the parts that they replace: new rows win over old rows of the same key."""
        parts = self.reading.flows.parts
        removed: dict[str, Part] = {}
        survivors: dict[str, Part] = {}
        # Every new part is held against every old row before any are joined: a revision may move a key from CIF to FOB.
        for part in parts:
            place = {c: v for c, v in part.placed.items() if c != "valuation"}
            for old in [p for p in held if place.items() <= p.placed.items()]:
                current = survivors.get(old.path, old)
                if current.rows == 0:
                    continue
                kept = self._survivors(current, part)
                self.replaced += current.rows - kept.rows
                if kept.rows < current.rows or old.placed == part.placed:
                    removed[old.path] = old
                    survivors[old.path] = kept
        left = [p for p in survivors.values() if p.rows]
        added = [self._with_same_place(part, left) for part in parts]
        places = [p.placed for p in parts]
        return added + [p for p in left if p.placed not in places], list(removed.values())

    def _with_same_place(self, part: Part, left: list[Part]) -> Part:
        same = [p for p in left if p.placed == part.placed]
        return self._joined([part, *same]) if same else part

    def _survivors(self, old: Part, new: Part) -> Part:
        mine, theirs = (engine.read_parquet(self.con, [p.path]) for p in (old, new))
        key = [c for c in KEY if c in STORED]
        same = [mine[c].identical_to(theirs[c]) for c in key]
        equal = mine.inner_join(theirs, [*same, mine.value_usd.identical_to(theirs.value_usd)])
        self.unchanged += int(engine.rows(self.con, equal.aggregate(n=equal.count()))["n"][0].as_py())
        return self._written(mine.anti_join(theirs, same), old.placed)

    def _joined(self, parts: list[Part]) -> Part:
        tables = [engine.read_parquet(self.con, [p.path]).select(*STORED) for p in parts]
        return self._written(engine.union(tables), parts[0].placed)

    def _written(self, table: ir.Table, placed: dict[str, str | int]) -> Part:
        path = self.workdir / f"merged-{uuid.uuid4().hex}.parquet"
        engine.write_parquet(self.con, table.select(*STORED).order_by(*SORTED), path)
        return _described(str(path), placed, self.con)

    def _placed(self, part: Part, moved: list[Path]) -> AddAction:
        """Move a file to its place and write its coverage beside the table."""
        name = f"{uuid.uuid4().hex}.parquet"
        relative = "/".join(f"{c}={part.placed[c]}" for c in PLACED) + f"/{name}"
        target = (self.root / "flows").resolve() / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(part.path, target)
        moved.append(target)
        _write_coverage(self.root, name, part)
        low, high = part.coverage["period"].min(), part.coverage["period"].max()
        stats = {
            "numRecords": part.rows,
            "minValues": {"period": str(low)},
            "maxValues": {"period": str(high)},
            "nullCount": {},
        }
        values = {c: str(v) for c, v in part.placed.items()}
        size = target.stat().st_size
        return AddAction(relative, size, values, int(time.time() * 1000), True, json.dumps(stats))

    def _commit(self, delta: DeltaTable | None, adds: list[AddAction], removes: list[RemoveAction]) -> None:
        properties = CommitProperties(custom_metadata={_METADATA: json.dumps(self._record(), ensure_ascii=False)})
        schema = Schema.from_arrow(SCHEMA)
        if delta is None:
            create_table_with_add_actions(
                str(self.root / "flows"),
                schema,
                adds,
                mode="error",
                partition_by=list(PLACED),
                name="flows",
                configuration=_CONFIGURATION,
                commit_properties=properties,
            )
        else:
            delta.create_write_transaction(
                [*adds, *removes], "append", schema, partition_by=list(PLACED), commit_properties=properties
            )

    def _record(self) -> dict[str, Any]:
        flows = self.reading.flows
        return {
            "source": self.source,
            "settings": self.settings,
            "files": [asdict(f) for f in self.reading.files],
            "rows_added": self.reading.rows_kept,
            "rows_replaced": self.replaced - self.unchanged,
            "rows_unchanged": self.unchanged,
            "value_added": float(flows.coverage["value_usd"].sum()),
            "origins": [asdict(o) for o in flows.origins],
            "ledger": flows.ledger.records(),
        }


def _plainly(error: Exception) -> str:
    """Return the cause in one line: delta-rs prints a colored tree, the cause last."""
    lines = [re.sub(r"\x1b\[[0-9;]*m|[↳├╰│▶]", "", line).strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)


def _named(path: str | Path) -> Path:
    """Return the path of a store; delta-rs takes `%` for the start of an escape and then looks elsewhere."""
    if "%" in str(Path(path).resolve()):
        raise AutarkyError(f"{path}: the path of a store cannot hold '%'; choose another directory")
    return Path(path)


def _opened(root: Path, as_of: int | None) -> DeltaTable | None:
    if not (root / "flows" / "_delta_log").is_dir():
        return None
    try:
        newest = DeltaTable(str(root / "flows"))
        if as_of is None:
            return newest
        if not 0 <= as_of <= newest.version():
            raise AutarkyError(f"{root}: there is no version {as_of}; versions are 0 to {newest.version()}")
        return DeltaTable(str(root / "flows"), version=as_of)
    except TableNotFoundError:
        # A first ingest that was killed leaves a log directory without a version.
        return None


def _log(root: Path, delta: DeltaTable) -> list[Version]:
    versions = []
    # Only the newest version numbers its history from its own number; an older one would count from there, wrongly.
    for commit in DeltaTable(str(root / "flows")).history():
        if _METADATA not in commit or int(commit["version"]) > delta.version():
            continue
        said = json.loads(commit[_METADATA])
        said["files"] = tuple(FileRecord(**f) for f in said["files"])
        said["origins"] = tuple(Origin(**o) for o in said["origins"])
        said["ledger"] = tuple(LedgerLine(**line) for line in said["ledger"])
        when = pd.Timestamp(commit["timestamp"], unit="ms", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
        versions.append(Version(version=int(commit["version"]), when=when, **said))
    return sorted(versions, key=lambda v: v.version)


def _known(root: Path, settings: str) -> dict[str, int]:
    """Return the hash of every file that was read with the same settings → the version that holds it."""
    delta = _opened(root, None)
    versions = _log(root, delta) if delta else []
    return {f.sha256: v.version for v in reversed(versions) if v.settings == settings for f in v.files}


def _fingerprint(source: str, options: reader.Options) -> str:
    from hashlib import sha256

    rates = sha256(options.rates.read_bytes()).hexdigest() if options.rates and options.rates.is_file() else None
    said = {"source": source, "map": dict(options.columns), "set": dict(options.values), "rates": rates}
    return json.dumps({**said, "conflict": options.conflict}, sort_keys=True)


def _parts(root: Path, delta: DeltaTable, con: Any) -> list[Part]:
    return [_held(root, file, con) for file in _live(root, delta)]


def _live(root: Path, delta: DeltaTable) -> list[Path]:
    """Return the files of a version; by their relative paths, for its URIs escape what is not ASCII."""
    actions = pa.table(delta.get_add_actions(flatten=True))
    return sorted((root / "flows").resolve() / path for path in actions["path"].to_pylist())


def _held(root: Path, file: Path, con: Any) -> Part:
    pairs = dict(re.findall(r"([a-z]+)=([^/]+)/", f"{file.parent}/"))
    placed: dict[str, str | int] = {c: int(pairs[c]) if c == "year" else pairs[c] for c in PLACED}
    beside = root / "coverage" / file.name
    try:
        coverage = pq.read_table(beside).to_pandas()
    except (FileNotFoundError, pa.ArrowInvalid):
        # Derived, so that losing it is no loss.
        _write_coverage(root, file.name, _described(str(file), placed, con))
        coverage = pq.read_table(beside).to_pandas()
    return Part(str(file), placed, int(coverage["rows"].sum()), float(coverage["value_usd"].sum()), coverage)


def _described(path: str, placed: dict[str, str | int], con: Any) -> Part:
    coverage = reader.coverage_of(con, engine.read_parquet(con, [path]), placed)
    return Part(path, placed, int(coverage["rows"].sum()), float(coverage["value_usd"].sum()), coverage)


def _write_coverage(root: Path, name: str, part: Part) -> None:
    target = root / "coverage" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{uuid.uuid4().hex}")
    pq.write_table(pa.Table.from_pandas(part.coverage, preserve_index=False), partial)
    os.replace(partial, target)


def _relative(root: Path, part: Part) -> str:
    return Path(part.path).relative_to((root / "flows").resolve()).as_posix()


def _removals(delta: DeltaTable | None, gone: list[str]) -> Iterator[RemoveAction]:
    if delta is None or not gone:
        return
    actions = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    sizes = {a["path"]: a["size_bytes"] for a in actions}
    for path in gone:
        pairs = dict(re.findall(r"([a-z]+)=([^/]+)/", path))
        yield RemoveAction(
            path=path,
            deletion_timestamp=int(time.time() * 1000),
            data_change=True,
            partition_values={c: pairs[c] for c in PLACED},
            size=sizes[path],
        )


@contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """Give an ingest a directory of its own in the store, and clear away those whose process is gone."""
    created = not root.exists()
    try:
        workdir, mark = _claimed(root / "staging")
    except OSError as error:
        raise AutarkyError(f"{root}: cannot be made or written to ({error.strerror})") from error
    try:
        yield workdir
    finally:
        mark.release()
        with suppress(OSError), FileLock(root / "staging" / "lock"):
            shutil.rmtree(workdir, ignore_errors=True)
            shared = any(p.is_dir() for p in (root / "staging").iterdir())
            if created and not shared and _opened(root, None) is None:
                shutil.rmtree(root, ignore_errors=True)


def _claimed(staging: Path) -> tuple[Path, FileLock]:
    """Make a directory that is marked alive; one process at a time, so that none clears what another is making."""
    while True:
        staging.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(staging / "lock"):
                for old in [p for p in staging.iterdir() if p.is_dir()]:
                    _clear_if_dead(old)
                workdir = staging / uuid.uuid4().hex
                workdir.mkdir()
                mark = FileLock(workdir / "alive")
                mark.acquire()
                return workdir, mark
        except FileNotFoundError:
            # Another process's first ingest failed at this moment and took the new store away: make it again.
            continue


def _clear_if_dead(old: Path) -> None:
    try:
        with FileLock(old / "alive", timeout=0):
            shutil.rmtree(old, ignore_errors=True)
    except (Timeout, OSError):
        return


@contextmanager
def _locked(root: Path, waiting: Callable[[], None]) -> Iterator[None]:
    lock = FileLock(root / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
