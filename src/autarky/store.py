"""The versioned store: Delta Lake tables of flows and of macro series.  A commit is atomic; every version stays.

::

    STORE/flows/                         the Delta table; a file's constant columns are its path
    STORE/flows/source=…/nomenclature=…/flow=…/freq=…/valuation=…/year=…/ID.parquet
    STORE/coverage/ID.parquet            what file ID holds (derived; made again when missing)
    STORE/macro/ID.parquet               the Delta table of macro series, one file a version
    STORE/staging/                       work of an ingest that is under way; emptied by the next one
    STORE/lock                           one ingest commits at a time
    STORE/vacuumed.json                  what `autarky store vacuum` freed, and when
"""

from __future__ import annotations

import datetime
import json
import math
import os
import re
import uuid
from collections.abc import Iterator
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
from autarky.macro import Macro
from autarky.settle import coverage_of
from autarky.tables import PLACED, Account, FileRecord, Flows, LedgerLine, Origin, Part

if TYPE_CHECKING:
    pass

_HIVE = {c: "INTEGER" if c == "year" else "VARCHAR" for c in PLACED}
METADATA = "autarky"


@dataclass(frozen=True)
class Version:
    """One line of the log of a table of the store.

    `value_added` is in US dollars (NaN for macro series, which have no common unit); `flows_version` is the version of
    the flows that a version of the macro series followed (-1 = no flows yet; None = these are flows).
    """

    version: int
    when: str
    source: str
    files: tuple[FileRecord, ...]
    settings: str
    rows_added: int
    rows_replaced: int
    rows_unchanged: int
    value_added: float = math.nan
    origins: tuple[Origin, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    flows_version: int | None = None


class Store:
    """A store in a directory: flows, macro series, or both; `as_of` is a version of the flows.

    Raises
    ------
    AutarkyError : the directory is not a store, or the version does not exist
    """

    def __init__(self, path: str | Path, as_of: int | None = None) -> None:
        self.path = checked_path(path)
        self.as_of = as_of
        self._delta = opened(self.path, as_of)
        if not is_store(self.path):
            raise AutarkyError(
                f"{path}: there is no store here; make one with `autarky ingest SOURCE PATH --store {path}`"
            )
        if self._delta is None and as_of is not None:
            raise AutarkyError(f"{path}: there is no version {as_of}: the store holds no flows, only macro series")

    @property
    def version(self) -> int:
        """The version of the flows that is read."""
        return self._flows_table().version()

    def log(self) -> list[Version]:
        """Return the versions of the flows, oldest first, with what each added."""
        return log(self.path, self._delta) if self._delta is not None else []

    def macro_log(self) -> list[Version]:
        """Return the versions of the macro series, oldest first, up to the one that `macro` reads."""
        newest = opened(self.path, None, "macro")
        versions = log(self.path, newest, "macro") if newest else []
        if self.as_of is None:
            return versions
        return [v for v in versions if v.flows_version is not None and v.flows_version <= self.as_of]

    def macro(self) -> Macro | None:
        """Return the macro series, or None when the store holds none.

        With `as_of` N they are those that were there before version N + 1 of the flows was committed, so that what was
        computed then can be computed again.
        """
        versions = self.macro_log()
        if not versions:
            return None
        newest = versions[-1].version
        _refuse_vacuumed(self.path, newest, "macro")
        delta = DeltaTable(str(self.path / "macro"), version=newest)
        # Without `partitioning`, a directory of the user's named `year=1999` would become a column.
        read = [pq.read_table(file, partitioning=None) for file in live_files(self.path, delta, "macro")]
        frame = pa.concat_tables(read).to_pandas()
        frame["period"] = pd.to_datetime(frame["period"])
        held = set(frame["source"])
        origins = {o.id: o for v in versions for o in v.origins if o.id in held}
        files = tuple(dict.fromkeys(f for v in versions for f in v.files))
        return Macro(frame, tuple(origins.values()), files, newest)

    def parts(self, con: Any) -> list[Part]:
        """Return the files of this version with what they hold."""
        _refuse_vacuumed(self.path, self._flows_table().version())
        return parts_of(self.path, self._flows_table(), con)

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

    def _flows_table(self) -> DeltaTable:
        if self._delta is None:
            raise NoDataError(
                f"{self.path}: this store holds macro series (`autarky coverage --macro`) and no flows; "
                "ingest files of trade flows into it first"
            )
        return self._delta


def is_store(root: Path) -> bool:
    """Return whether there is anything committed in a directory."""
    return any(opened(root, None, table) is not None for table in ("flows", "macro"))


def checked_path(path: str | Path) -> Path:
    """Return the path of a store; delta-rs takes `%` for the start of an escape and then looks elsewhere."""
    if "%" in str(Path(path).resolve()):
        raise AutarkyError(f"{path}: the path of a store cannot hold '%'; choose another directory")
    return Path(path)


def opened(root: Path, as_of: int | None, table: str = "flows") -> DeltaTable | None:
    if not (root / table / "_delta_log").is_dir():
        return None
    try:
        newest = DeltaTable(str(root / table))
        if as_of is None:
            return newest
        if not 0 <= as_of <= newest.version():
            raise AutarkyError(f"{root}: there is no version {as_of}; versions are 0 to {newest.version()}")
        return DeltaTable(str(root / table), version=as_of)
    except TableNotFoundError:
        # A first ingest that was killed leaves a log directory without a version.
        return None


def log(root: Path, delta: DeltaTable, table: str = "flows") -> list[Version]:
    versions = []
    for number, commit in _commits(root / table / "_delta_log"):
        if METADATA not in commit or number > delta.version():
            continue
        said = json.loads(commit[METADATA])
        said["files"] = tuple(FileRecord(**f) for f in said["files"])
        said["origins"] = tuple(Origin(**o) for o in said["origins"])
        said["ledger"] = tuple(LedgerLine(**line) for line in said["ledger"])
        versions.append(Version(version=number, when=moment(commit["timestamp"] / 1000), **said))
    return sorted(versions, key=lambda v: v.version)


def moment(seconds: float) -> str:
    """Return a time, in seconds since 1970, as it is written everywhere: UTC, to the second."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def vacuumed_file(root: Path) -> Path:
    """Return where it is recorded what a vacuum freed."""
    return root / "vacuumed.json"


def vacuumed(root: Path, table: str = "flows") -> dict[int, str]:
    """Return the versions of a table that can no longer be read → when their files were freed."""
    file = vacuumed_file(root)
    said = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return {version: entry["when"] for entry in said for version in entry[table]}


def _refuse_vacuumed(root: Path, version: int, table: str = "flows") -> None:
    gone = vacuumed(root, table)
    if version in gone:
        which = "of the macro series " if table == "macro" else ""
        raise AutarkyError(
            f"{root}: version {version} {which}can no longer be read: `autarky store vacuum` freed its files on "
            f"{gone[version]}; `autarky log` shows which versions can"
        )


def _commits(place: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of every version and what was said of it.

    From the log itself: delta-rs gives an empty history, without a word, where the path holds `?` or `#`.
    """
    for file in place.iterdir():
        if not re.fullmatch(r"\d{20}\.json", file.name):
            continue
        for line in file.read_text(encoding="utf-8").split("\n"):
            action = json.loads(line) if line else {}
            if "commitInfo" in action:
                yield int(file.stem), action["commitInfo"]


def parts_of(root: Path, delta: DeltaTable, con: Any) -> list[Part]:
    return [_held(root, file, con) for file in live_files(root, delta)]


def live_files(root: Path, delta: DeltaTable, table: str = "flows") -> list[Path]:
    """Return the files of a version; by their relative paths, for its URIs escape what is not ASCII."""
    actions = pa.table(delta.get_add_actions(flatten=True))
    return sorted((root / table).resolve() / path for path in actions["path"].to_pylist())


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
