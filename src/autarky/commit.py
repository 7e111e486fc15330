"""Put files into the store: read them, merge them with what it holds, commit all of it as one new version."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from autarky import dated, engine, macro_commit, reader, registry
from autarky.macro import is_macro
from autarky.store import METADATA, Store, checked_path, described, live_files, opened, parts_of, write_coverage
from autarky.tables import COLUMNS, KEY, PLACED, SORTED, STORED, FileRecord, Part
from autarky.transaction import CONFIGURATION, Ingested, known_files, locked, plainly, staging

if TYPE_CHECKING:
    import ibis.expr.types as ir

_TYPES = {"date": pa.date32(), "string": pa.string(), "float64": pa.float64()}
SCHEMA = pa.schema([(c, _TYPES[t]) for c, (t, _) in COLUMNS.items()] + [("year", pa.int32())])


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

    Flows go to the table of flows; the series of a source whose grain is macro go to the table of macro series.
    Rows replace rows of the same source and key: that is how a revision comes in.  The older version stays readable.

    Raises
    ------
    SourceError, TableError, CodeError : a file is not right; the store is as it was
    AutarkyError : the machine failed (disk full, …); the store is as it was
    """
    root = checked_path(path)
    module = registry.source(source)
    settings = fingerprint(source, options)
    if is_macro(module):
        return macro_commit.ingest(root, module, paths, options, settings, waiting)
    with staging(root) as workdir:
        con = engine.connect(spill=workdir / "spill", memory=memory)
        known = known_files(root, settings)
        skipped: list[str] = []

        def skip(file: FileRecord) -> bool:
            if file.sha256 in known:
                skipped.append(f"{file.name} (version {known[file.sha256]})")
            return file.sha256 in known

        reading = reader.run(module, paths, options, con, workdir, skip, progress)
        if not reading.files:
            version = Store(root).version
            return Ingested(version, False, f"nothing changes: already ingested: {', '.join(skipped)}", skipped)
        with locked(root, waiting):
            # What another ingest committed meanwhile may be these very files.
            if all(f.sha256 in known_files(root, settings) for f in reading.files):
                return Ingested(
                    Store(root).version, False, "nothing changes: already ingested by another process", skipped
                )
            dated.warn_out_of_years(con, reading.flows)
            version = _Commit(root, con, workdir, reading, source, settings).run()
        return Ingested(version, True, f"{reading.summary()}; version {version}", skipped)


@dataclass
class Transaction(ABC):
    """One new version: the files that it adds, those that it replaces, and what the log says of it."""

    root: Path
    con: Any
    workdir: Path
    # Whether rows change; a version that only lays them out anew says so in the log, for other readers of Delta tables.
    changes: ClassVar[bool] = True

    @abstractmethod
    def merged(self, held: list[Part]) -> tuple[list[Part], list[Part]]:
        """Return the parts to add, in the place of work, and those of the store that they replace."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Return what the log says of the version; see `store.Version`."""

    def run(self) -> int:
        """Merge with what the store holds and commit; on any failure remove what was put in place."""
        delta = opened(self.root, None)
        held = parts_of(self.root, delta, self.con) if delta else []
        moved: list[Path] = []
        try:
            with engine.failures():
                added, removed = self.merged(held)
            actions = [self._placed(part, moved) for part in added]
            gone = [_relative(self.root, p) for p in removed]
            self._commit(delta, actions, [a for a in _removals(delta, gone, self.changes)])
        except (OSError, DeltaError) as error:
            # What fails after the version is written (a checkpoint of the log) takes nothing back.
            if not self._committed(moved):
                self._withdraw(moved)
                raise engine.EngineFailure(f"the commit failed: {plainly(error)}. The store is as it was.") from error
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

    def written(self, table: ir.Table, placed: dict[str, str | int]) -> Part:
        """Write rows in the order of the store to a file in the place of work."""
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
        return AddAction(relative, size, values, int(time.time() * 1000), self.changes, json.dumps(stats))

    def _commit(self, delta: DeltaTable | None, adds: list[AddAction], removes: list[RemoveAction]) -> None:
        properties = CommitProperties(custom_metadata={METADATA: json.dumps(self.record(), ensure_ascii=False)})
        schema = Schema.from_arrow(SCHEMA)
        if delta is None:
            create_table_with_add_actions(
                str(self.root / "flows"),
                schema,
                adds,
                mode="error",
                partition_by=list(PLACED),
                name="flows",
                configuration=CONFIGURATION,
                commit_properties=properties,
            )
        else:
            delta.create_write_transaction(
                [*adds, *removes], "append", schema, partition_by=list(PLACED), commit_properties=properties
            )


@dataclass
class _Commit(Transaction):
    """What a reading adds, merged with what the store holds."""

    reading: reader.Reading
    source: str
    settings: str
    replaced: int = 0
    unchanged: int = 0

    def merged(self, held: list[Part]) -> tuple[list[Part], list[Part]]:
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
        return self.written(mine.anti_join(theirs, same), old.placed)

    def _joined(self, parts: list[Part]) -> Part:
        tables = [engine.read_parquet(self.con, [p.path]).select(*STORED) for p in parts]
        return self.written(engine.union(tables), parts[0].placed)

    def record(self) -> dict[str, Any]:
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


def fingerprint(source: str, options: reader.Options) -> str:
    from hashlib import sha256

    rates = sha256(options.rates.read_bytes()).hexdigest() if options.rates and options.rates.is_file() else None
    said = {"source": source, "map": dict(options.columns), "set": dict(options.values), "rates": rates}
    return json.dumps({**said, "conflict": options.conflict}, sort_keys=True)


def _relative(root: Path, part: Part) -> str:
    return Path(part.path).relative_to((root / "flows").resolve()).as_posix()


def _removals(delta: DeltaTable | None, gone: list[str], changes: bool) -> Iterator[RemoveAction]:
    if delta is None or not gone:
        return
    actions = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    sizes = {a["path"]: a["size_bytes"] for a in actions}
    for path in gone:
        pairs = dict(re.findall(r"([a-z]+)=([^/]+)/", path))
        yield RemoveAction(
            path=path,
            deletion_timestamp=int(time.time() * 1000),
            data_change=changes,
            partition_values={c: pairs[c] for c in PLACED},
            size=sizes[path],
        )
