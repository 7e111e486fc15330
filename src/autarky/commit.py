"""Put files into the store: read them, merge them with what it holds, commit all of it as one new version."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions
from filelock import FileLock, Timeout

from autarky import dated, engine, reader, registry
from autarky.errors import AutarkyError
from autarky.store import METADATA, Store, checked_path, described, live_files, log, opened, parts_of, write_coverage
from autarky.tables import COLUMNS, KEY, PLACED, SORTED, STORED, FileRecord, Part

if TYPE_CHECKING:
    import ibis.expr.types as ir

_TYPES = {"date": pa.date32(), "string": pa.string(), "float64": pa.float64()}
SCHEMA = pa.schema([(c, _TYPES[t]) for c, (t, _) in COLUMNS.items()] + [("year", pa.int32())])
# Customs offices revise, so no version is ever cleaned away behind the user's back.
_CONFIGURATION = {"delta.logRetentionDuration": "interval 36500 days", "delta.enableExpiredLogCleanup": "false"}


@dataclass
class Ingested:
    """What an ingest did; `version` is the version to read, `changed` whether it is a new one."""

    version: int
    changed: bool
    summary: str
    known: list[str] = field(default_factory=list)


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
    root = checked_path(path)
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
            dated.warn_out_of_years(con, reading.flows)
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
        delta = opened(self.root, None)
        held = parts_of(self.root, delta, self.con) if delta else []
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
        delta = opened(self.root, None)
        live = live_files(self.root, delta) if delta else []
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
        figures = [mine[c].identical_to(theirs[c]) for c in ("value_usd", "weight_kg")]
        equal = mine.inner_join(theirs, [*same, *figures])
        self.unchanged += int(engine.rows(self.con, equal.aggregate(n=equal.count()))["n"][0].as_py())
        return self._written(mine.anti_join(theirs, same), old.placed)

    def _joined(self, parts: list[Part]) -> Part:
        tables = [engine.read_parquet(self.con, [p.path]).select(*STORED) for p in parts]
        return self._written(engine.union(tables), parts[0].placed)

    def _written(self, table: ir.Table, placed: dict[str, str | int]) -> Part:
        path = self.workdir / f"merged-{uuid.uuid4().hex}.parquet"
        engine.write_parquet(self.con, table.select(*STORED).order_by(*SORTED), path)
        return described(str(path), placed, self.con)

    def _placed(self, part: Part, moved: list[Path]) -> AddAction:
        """Move a file to its place and write its coverage beside the table."""
        name = f"{uuid.uuid4().hex}.parquet"
        relative = "/".join(f"{c}={part.placed[c]}" for c in PLACED) + f"/{name}"
        target = (self.root / "flows").resolve() / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(part.path, target)
        moved.append(target)
        write_coverage(self.root, name, part)
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
        properties = CommitProperties(custom_metadata={METADATA: json.dumps(self._record(), ensure_ascii=False)})
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


def _fingerprint(source: str, options: reader.Options) -> str:
    from hashlib import sha256

    rates = sha256(options.rates.read_bytes()).hexdigest() if options.rates and options.rates.is_file() else None
    said = {"source": source, "map": dict(options.columns), "set": dict(options.values), "rates": rates}
    return json.dumps({**said, "conflict": options.conflict}, sort_keys=True)


def _known(root: Path, settings: str) -> dict[str, int]:
    """Return the hash of every file that was read with the same settings → the version that holds it."""
    delta = opened(root, None)
    versions = log(root, delta) if delta else []
    return {f.sha256: v.version for v in reversed(versions) if v.settings == settings for f in v.files}


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
            if created and not shared and opened(root, None) is None:
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
