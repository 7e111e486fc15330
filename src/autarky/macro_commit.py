"""Put macro series into the store: read files, merge with what it holds, commit the table as one new version."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from autarky import engine, macro_reader
from autarky.macro import COLUMNS, KEY
from autarky.macro_reader import Reading
from autarky.reader import Options
from autarky.store import METADATA, Store, is_store, opened
from autarky.tables import FileRecord
from autarky.transaction import CONFIGURATION, Ingested, known_files, locked, plainly, staging

TABLE = "macro"
_TYPES = {"period": pa.date32(), "value": pa.float64()}
SCHEMA = pa.schema([(c, _TYPES.get(c, pa.string())) for c in COLUMNS])


def ingest(
    root: Path,
    source: ModuleType,
    paths: Sequence[str | Path],
    options: Options,
    settings: str,
    waiting: Callable[[], None],
) -> Ingested:
    """Read files and commit them as one new version of the macro table; see `commit.ingest`."""
    with staging(root) as workdir:
        known = known_files(root, settings, TABLE)
        skipped: list[str] = []

        def skip(file: FileRecord) -> bool:
            if file.sha256 in known:
                skipped.append(f"{file.name} (version {known[file.sha256]} of the macro series)")
            return file.sha256 in known

        reading = macro_reader.run(source, paths, options, workdir, skip)
        if not reading.files:
            return Ingested(_newest(root), False, f"nothing changes: already ingested: {', '.join(skipped)}", skipped)
        with locked(root, waiting):
            # What another ingest committed meanwhile may be these very files.
            if all(f.sha256 in known_files(root, settings, TABLE) for f in reading.files):
                said = "nothing changes: already ingested by another process"
                return Ingested(_newest(root), False, said, skipped)
            replaced = _commit(root, reading, source.__name__.rsplit(".", 1)[-1], settings)
        version = _newest(root)
        said = f"{reading.summary()}; {replaced:,} older figures replaced; version {version} of the macro series"
        return Ingested(version, True, said, skipped)


def _commit(root: Path, reading: Reading, source: str, settings: str) -> int:
    """Merge with what the store holds and commit; on any failure remove what was put in place.  Count what changed."""
    series = Store(root).macro() if is_store(root) else None
    merged, replaced, unchanged = _merged(series.frame if series else None, reading.frame)
    record = _record(root, reading, source, settings, replaced, unchanged)
    place = root / TABLE
    before, newest = set(place.rglob("*")), _newest(root)
    try:
        _write(root, pa.Table.from_pandas(merged, schema=SCHEMA, preserve_index=False), record)
    except (OSError, DeltaError) as error:
        # What fails after the version is written (a checkpoint of the log) takes nothing back.
        if _newest(root) != newest:
            return replaced
        _withdraw(place, before)
        raise engine.EngineFailure(f"the commit failed: {plainly(error)}. The store is as it was.") from error
    return replaced


def _write(root: Path, table: pa.Table, record: dict[str, Any]) -> None:
    """Write the table as one file and commit it in place of the one before, in one transaction.

    As the flows are written; `write_deltalake` cannot take a path with `?`, `*` or `[` in it.
    """
    delta = opened(root, None, TABLE)
    file = root / TABLE / f"{uuid.uuid4().hex}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    now = int(time.time() * 1000)
    stats = {"numRecords": table.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    add = AddAction(file.name, file.stat().st_size, {}, now, True, json.dumps(stats))
    said = CommitProperties(custom_metadata={METADATA: json.dumps(record, ensure_ascii=False)})
    schema = Schema.from_arrow(SCHEMA)
    if delta is None:
        create_table_with_add_actions(
            str(root / TABLE),
            schema,
            [add],
            mode="error",
            partition_by=[],
            name=TABLE,
            configuration=CONFIGURATION,
            commit_properties=said,
        )
        return
    removes = [
        RemoveAction(path=a["path"], deletion_timestamp=now, data_change=True, size=a["size_bytes"])
        for a in pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    ]
    delta.create_write_transaction([add, *removes], "append", schema, partition_by=[], commit_properties=said)


def _merged(held: pd.DataFrame | None, new: pd.DataFrame) -> tuple[pd.DataFrame, int, int]:
    """Return the table with new rows in place of old ones of their key; how many of these changed, and how many not."""
    if held is None:
        return new, 0, 0
    both = held.merge(new, on=list(KEY), suffixes=("_old", "_new"))
    old, now = both["value_old"], both["value_new"]
    same = ((old == now) | (old.isna() & now.isna())) & (both["unit_old"] == both["unit_new"])
    merged = pd.concat([held, new], ignore_index=True).drop_duplicates(list(KEY), keep="last")
    return merged.sort_values(list(KEY), ignore_index=True), int((~same).sum()), int(same.sum())


def _record(root: Path, reading: Reading, source: str, settings: str, replaced: int, unchanged: int) -> dict[str, Any]:
    flows = opened(root, None)
    return {
        "source": source,
        "settings": settings,
        "files": [asdict(f) for f in reading.files],
        "rows_added": len(reading.frame),
        "rows_replaced": replaced,
        "rows_unchanged": unchanged,
        "origins": [asdict(o) for o in reading.origins],
        "ledger": reading.ledger.records(),
        # Which version of the flows this one followed; under the lock no other can come between.
        "flows_version": flows.version() if flows else -1,
    }


def _withdraw(place: Path, before: set[Path]) -> None:
    """Remove what a commit that failed left behind, and nothing that was there before."""
    for path in sorted(set(place.rglob("*")) - before, reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def _newest(root: Path) -> int:
    """Return the newest version of the macro table; -1 = there is none."""
    delta = opened(root, None, TABLE)
    return delta.version() if delta else -1
