"""Lay the store out anew: every place and year as one file, sorted, as one new version that holds the same rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ibis

from autarky import engine
from autarky.commit import Transaction
from autarky.errors import NoDataError, TableError
from autarky.store import Store, opened, parts_of
from autarky.tables import PLACED, SORTED, STORED, LedgerLine, Origin, Part
from autarky.transaction import locked, staging

if TYPE_CHECKING:
    import ibis.expr.types as ir

Progress = Callable[[str, float], None]
# Sums of the same figures in another order differ by less.
TOLERANCE = 1e-12
# What a group of `Flows.coverage` is known by, within one place.
_GROUP = ["reporter", "period", "level", "world", "areas"]


@dataclass(frozen=True)
class Optimized:
    """What was done: files and bytes of the store as (before, after); `changed` = whether there is a new version."""

    version: int
    changed: bool
    places: int
    rows: int
    files: tuple[int, int]
    size: tuple[int, int]

    def summary(self) -> str:
        """Say it in one line."""
        if not self.changed:
            held = f"{self.files[0]:,} files, {megabytes(self.size[0])}"
            return f"nothing to do: every place and year is one sorted file ({held}); still version {self.version}"
        return (
            f"{self.files[0]:,} files → {self.files[1]:,}, {megabytes(self.size[0])} → {megabytes(self.size[1])}; "
            f"{self.rows:,} rows in {self.places:,} places laid out anew, rows and value unchanged; "
            f"version {self.version}"
        )


def optimize(
    path: str | Path,
    *,
    progress: Progress = lambda _name, _done: None,
    waiting: Callable[[], None] = lambda: None,
    memory: str = "3GB",
) -> Optimized:
    """Make every (place, year) of the flows one file sorted by `SORTED`, as one new version.

    A place whose rows lie in several files, or in an order of their own, is written again; the others stay as they
    are.  Rows, values and coverage are compared before the version is committed.  Older versions stay readable.

    Raises
    ------
    AutarkyError : no store, or the machine failed (disk full, …); the store is as it was
    NoDataError : the store holds no flows
    TableError : what was written is not what was read; the store is as it was
    """
    root = Store(path).path
    with staging(root) as workdir:
        con = engine.connect(spill=workdir / "spill", memory=memory)
        with locked(root, waiting):
            before = _live(root, con)
            with engine.failures():
                loose = list(_loose(con, before, progress))
            if not loose:
                version, size = Store(root).version, _size(before)
                return Optimized(version, False, 0, 0, (len(before), len(before)), (size, size))
            origins = {o.id: o for v in Store(root).log() for o in v.origins}
            work = _Optimize(root, con, workdir, loose, origins, progress)
            version = work.run()
            after = _live(root, con)
            rows = sum(p.rows for parts in loose for p in parts)
            return Optimized(version, True, len(loose), rows, (len(before), len(after)), (_size(before), _size(after)))


def _live(root: Path, con: Any) -> list[Part]:
    delta = opened(root, None)
    if delta is None:
        raise NoDataError(f"{root}: this store holds no flows, so there is nothing to lay out")
    return parts_of(root, delta, con)


def _size(parts: list[Part]) -> int:
    return sum(Path(p.path).stat().st_size for p in parts)


def megabytes(size: int) -> str:
    """Return a number of bytes for people, in millions or thousands."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def _loose(con: Any, parts: list[Part], progress: Progress) -> Iterator[list[Part]]:
    """Yield the parts of every place that is not one sorted file."""
    places: dict[tuple[str | int, ...], list[Part]] = {}
    for part in parts:
        places.setdefault(tuple(part.placed[c] for c in PLACED), []).append(part)
    for nth, members in enumerate(places.values()):
        progress("looking at the order of rows", nth / len(places))
        if len(members) > 1 or not is_sorted(con, members[0].path):
            yield members


def is_sorted(con: Any, path: str) -> bool:
    """Whether the rows of a file are in the order of `SORTED`: neighbors tell, in one streaming pass."""
    table = engine.read_parquet(con, [path])
    before = {c: table[c].lag().over(ibis.window(rows=(None, None))) for c in SORTED}
    neighbors = table.select(**{c: table[c] for c in SORTED}, **{f"{c} before": before[c] for c in SORTED})
    # The first row has no neighbor before it; of the columns, only the area may be null, and null comes last.
    wrong = neighbors.filter(neighbors["product before"].notnull(), _follows(neighbors, list(SORTED)))
    return engine.is_empty(con, wrong)


def _follows(table: ir.Table, columns: list[str]) -> ir.BooleanValue:
    """Return whether the row before should come after this one."""
    now, before = table[columns[0]], table[f"{columns[0]} before"]
    later = (before > now).fill_null(before.isnull() & now.notnull())
    return later | (before.identical_to(now) & _follows(table, columns[1:])) if columns[1:] else later


@dataclass
class _Optimize(Transaction):
    loose: list[list[Part]]
    origins: dict[str, Origin]
    progress: Progress
    ledger: list[LedgerLine] = field(default_factory=list)
    changes: ClassVar[bool] = False

    def merged(self, held: list[Part]) -> tuple[list[Part], list[Part]]:
        """Write every loose place as one sorted file."""
        size, done, added = sum(_size(parts) for parts in self.loose), 0, []
        for parts in self.loose:
            self.progress("sorting", done / size)
            added.append(self._sorted(parts))
            done += _size(parts)
        return added, [p for parts in self.loose for p in parts]

    def _sorted(self, parts: list[Part]) -> Part:
        table = engine.read_parquet(self.con, [p.path for p in parts]).select(*STORED)
        new = self.written(table, parts[0].placed)
        said = " ".join(f"{c}={parts[0].placed[c]}" for c in PLACED)
        again = engine.read_parquet(self.con, [new.path])
        if _content(self.con, table) != _content(self.con, again) or not _same_coverage(parts, new):
            raise TableError(f"{said}: the rows that were written are not those that were read. The store is as it was")
        rows, value = sum(p.rows for p in parts), math.fsum(p.value_usd for p in parts)
        note = f"{said}: {len(parts)} files → 1"
        self.ledger.append(LedgerLine("optimize", rows, new.rows, value, new.value_usd, note))
        return new

    def record(self) -> dict[str, Any]:
        """Say that only the layout changed."""
        sources = sorted({str(parts[0].placed["source"]) for parts in self.loose})
        return {
            "source": "optimize",
            "settings": "",
            "files": [],
            "rows_added": 0,
            "rows_replaced": 0,
            "rows_unchanged": sum(line.rows_out for line in self.ledger),
            "value_added": 0.0,
            "origins": [asdict(self.origins[s]) for s in sources],
            "ledger": [asdict(line) for line in self.ledger],
        }


def _content(con: Any, table: ir.Table) -> tuple[Any, ...]:
    """Return the number of rows and the sum of their hashes: the same for the same rows in any order."""
    hashed = ibis.struct({c: table[c] for c in STORED}).hash().cast("decimal(38,0)")
    return tuple(engine.rows(con, table.aggregate(n=table.count(), hashes=hashed.sum())).to_pylist()[0].values())


def _same_coverage(parts: list[Part], new: Part) -> bool:
    """Whether rows agree exactly, and values to `TOLERANCE`, for every reporter, period and kind of row."""
    import pandas as pd

    def totals(frames: list[pd.DataFrame]) -> pd.DataFrame:
        held = pd.concat(frames, ignore_index=True)
        return held.groupby(_GROUP)[["rows", "value_usd"]].sum(min_count=1).sort_index()

    old, now = totals([p.coverage for p in parts]), totals([new.coverage])
    if not old.index.equals(now.index) or not old["rows"].equals(now["rows"]):
        return False
    before, after = old["value_usd"], now["value_usd"]
    return bool((((after - before).abs() <= TOLERANCE * before.abs()) | (before.isna() & after.isna())).all())
