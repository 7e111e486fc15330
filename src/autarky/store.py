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
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from autarky import engine
from autarky.errors import AutarkyError, NoDataError
from autarky.settle import coverage_of
from autarky.tables import PLACED, Account, FileRecord, Flows, LedgerLine, Origin, Part

if TYPE_CHECKING:
    pass

_HIVE = {c: "INTEGER" if c == "year" else "VARCHAR" for c in PLACED}
METADATA = "autarky"


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


class Store:
    """A store in a directory.

    Raises
    ------
    AutarkyError : the directory is not a store, or the version does not exist
    """

    def __init__(self, path: str | Path, as_of: int | None = None) -> None:
        self.path = checked_path(path)
        self.as_of = as_of
        self._delta = opened(self.path, as_of)
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
        return log(self.path, self._delta)

    def parts(self, con: Any) -> list[Part]:
        """Return the files of this version with what they hold."""
        assert self._delta is not None
        return parts_of(self.path, self._delta, con)

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


def checked_path(path: str | Path) -> Path:
    """Return the path of a store; delta-rs takes `%` for the start of an escape and then looks elsewhere."""
    if "%" in str(Path(path).resolve()):
        raise AutarkyError(f"{path}: the path of a store cannot hold '%'; choose another directory")
    return Path(path)


def opened(root: Path, as_of: int | None) -> DeltaTable | None:
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


def log(root: Path, delta: DeltaTable) -> list[Version]:
    versions = []
    # Only the newest version numbers its history from its own number; an older one would count from there, wrongly.
    for commit in DeltaTable(str(root / "flows")).history():
        if METADATA not in commit or int(commit["version"]) > delta.version():
            continue
        said = json.loads(commit[METADATA])
        said["files"] = tuple(FileRecord(**f) for f in said["files"])
        said["origins"] = tuple(Origin(**o) for o in said["origins"])
        said["ledger"] = tuple(LedgerLine(**line) for line in said["ledger"])
        when = pd.Timestamp(commit["timestamp"], unit="ms", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
        versions.append(Version(version=int(commit["version"]), when=when, **said))
    return sorted(versions, key=lambda v: v.version)


def parts_of(root: Path, delta: DeltaTable, con: Any) -> list[Part]:
    return [_held(root, file, con) for file in live_files(root, delta)]


def live_files(root: Path, delta: DeltaTable) -> list[Path]:
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
        write_coverage(root, file.name, described(str(file), placed, con))
        coverage = pq.read_table(beside).to_pandas()
    return Part(str(file), placed, int(coverage["rows"].sum()), float(coverage["value_usd"].sum()), coverage)


def described(path: str, placed: dict[str, str | int], con: Any) -> Part:
    coverage = coverage_of(con, engine.read_parquet(con, [path]), placed)
    return Part(path, placed, int(coverage["rows"].sum()), float(coverage["value_usd"].sum()), coverage)


def write_coverage(root: Path, name: str, part: Part) -> None:
    target = root / "coverage" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{uuid.uuid4().hex}")
    pq.write_table(pa.Table.from_pandas(part.coverage, preserve_index=False), partial)
    os.replace(partial, target)
