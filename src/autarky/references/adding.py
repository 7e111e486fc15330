"""Add files to the reference: read and check all of them, then store.

Replacing a card is the commit: whoever reads meanwhile finds the old table or the new one, never half of either.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky import snapshots
from autarky.errors import AutarkyError, CoverageWarning, SourceError, listed
from autarky.references.catalog import about, identify, known
from autarky.references.reading import card_of, cards, directory, listings
from autarky.references.shapes import Found, UnknownShape, canonical, read
from autarky.references.sheets import form_of
from autarky.tables import FileRecord

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".xlsx", ".xls", ".csv", ".txt", ".json", ".parquet", ".gz", ".zip")
_FORM = 1  # raise it when a canonical shape changes: what was stored in an older form is then written anew


@dataclass(frozen=True)
class Added:
    """What became of one table: `status` is added, replaced or unchanged."""

    id: str
    kind: str
    edition: Mapping[str, str]
    rows: int
    file: str
    sha256: str
    status: str


@dataclass(frozen=True)
class New:
    """A checked table and the raw file that it came from."""

    found: Found
    file: FileRecord
    url: str


def add(paths: str | Path | Iterable[str | Path], reference: str | Path | None = None) -> list[Added]:
    """Add files, or directories of files, to the reference.

    Parameters
    ----------
    paths : the UN's workbooks as served, UN Comtrade's JSON lists, China Customs' yearly lists, csv, Parquet; each is
        known by its columns.  A file of a directory that is none of these is left out with a warning
    reference : the directory; default: see `directory`

    Returns
    -------
    a line for each table in the files.  The same file again changes nothing; another file of the same table replaces
    it, and its card goes to `superseded` of the new one

    Raises
    ------
    SourceError, CodeError : a file that is not what it must be; nothing is stored, of any of the files
    """
    listed_paths = [paths] if isinstance(paths, str | Path) else list(paths)
    with tempfile.TemporaryDirectory(prefix="autarky-") as workdir:
        new = list(_checked(listed_paths, Path(workdir)))
    return keep(new, directory(reference))


def keep(new: Sequence[New], where: Path) -> list[Added]:
    """Store checked tables; one writer at a time."""
    import filelock

    distinct = _distinct(new)
    try:
        where.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(where / ".lock"):
            return _kept(distinct, where)
    except OSError as error:
        raise AutarkyError(f"{where}: could not be written ({error.strerror or error})") from error


def _kept(distinct: Sequence[New], where: Path) -> list[Added]:
    done = [_store(where, n.found, [n.file], n.url) for n in distinct]
    changed = {d.edition["nomenclature"] for d in done if d.kind == "listing" and d.status != "unchanged"}
    return [*done, *(_rebuild(where, nomenclature) for nomenclature in sorted(changed))]


def _checked(paths: Sequence[str | Path], workdir: Path) -> Iterator[New]:
    named = {Path(p) for p in paths if not Path(p).is_dir()}
    found = 0
    for place in snapshots.find(paths, SUFFIXES):
        try:
            for new in check(place, workdir):
                found += 1
                yield new
        except UnknownShape as error:
            if place in named:
                raise
            reason = str(error).split("\n")[0]
            warnings.warn(f"left out: {reason}", CoverageWarning, stacklevel=3)
    if not found:
        raise SourceError(f"{listed([str(p) for p in paths])}: no file of a known shape in it; nothing was stored")


def check(place: Path, workdir: Path, url: str = "") -> list[New]:
    """Read a file, and what is packed in it, as checked tables."""
    record = snapshots.record(place)
    new = []
    for raw in snapshots.unpacked(place, workdir):
        text = snapshots.decoded(raw, workdir) if form_of(raw.path) == "csv" else raw
        new += [New(found, record, url) for found in read(text.path, raw.name)]
    return new


def _distinct(new: Sequence[New]) -> list[New]:
    """Return each table once; two files may give the same table, but not two different ones."""
    kept: dict[str, New] = {}
    for n in new:
        name = identify(n.found.kind, **n.found.edition)
        before = kept.setdefault(name, n)
        if before is not n and not before.found.frame.equals(n.found.frame):
            raise SourceError(
                f"{before.file.name} and {n.file.name} both give {name}, and differ; add only one of them. "
                "Nothing was stored."
            )
    return list(kept.values())


def _store(where: Path, found: Found, sources: Sequence[FileRecord], url: str) -> Added:
    import yaml

    name = identify(found.kind, **found.edition)
    before = card_of(where, name)
    sha256 = sources[0].sha256 if len(sources) == 1 else _digest([s.sha256 for s in sources])
    said = Added(
        name, found.kind, found.edition, len(found.frame), listed([s.name for s in sources], 99), sha256, "added"
    )
    if before and (before["sha256"], before["form"]) == (sha256, _FORM):
        return replace(said, status="unchanged", file=before["file"])
    table = f"{name}.{sha256[:12]}.{_FORM}.parquet"
    _write(where / table, found)
    told = {**about(found.kind, found.edition), **known().get(name, {})}
    content = {
        **{"id": name, "kind": found.kind, "title": told["title"], "publisher": told["publisher"]},
        **{"url": url or told["url"], "edition": dict(found.edition), "covers": _covers(found)},
        **{"file": said.file, "sha256": sha256, "size": sum(s.size for s in sources), "rows": said.rows},
        **{"left_out": found.left_out, "table": table, "form": _FORM, "added": datetime.date.today().isoformat()},
        "superseded": _superseded(before, sha256),
    }
    _replace(where / f"{name}.yml", yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode())
    if before and before["table"] != table:
        (where / before["table"]).unlink(missing_ok=True)
    return replace(said, status="replaced") if before else said


def _superseded(before: Mapping[str, Any] | None, sha256: str) -> list[dict[str, Any]]:
    """Return the cards of what a table replaces, oldest first, without their own."""
    if before is None:
        return []
    last = {k: v for k, v in before.items() if k not in ("superseded", "table")}
    return [*before["superseded"], *([] if before["sha256"] == sha256 else [last])]


def _covers(found: Found) -> list[int | None]:
    """Return the first and last year that a table speaks for; null = no end is known."""
    if found.kind == "listing":
        return [int(found.edition["year"])] * 2
    if found.kind == "nomenclature":
        return [*found.covers] or [_year(found.frame["since"].min()), _year(found.frame["until"].max())]
    return []


def _year(value: Any) -> int | None:
    import pandas as pd

    return None if pd.isna(value) else int(value)


def _rebuild(where: Path, nomenclature: str) -> Added:
    """Derive a nomenclature from its yearly lists."""
    held = [c for c in cards(where) if c["kind"] == "listing" and c["edition"]["nomenclature"] == nomenclature]
    lists = listings(nomenclature, where).to_pandas()
    sources = {c["sha256"]: FileRecord(c["file"], c["sha256"], c["size"]) for c in held}
    return _store(where, dated(nomenclature, lists), list(sources.values()), "")


def dated(nomenclature: str, lists: pd.DataFrame) -> Found:
    """Return the codes of yearly lists with the years that they were in force.

    A row is a maximal run of years in which a code is listed.  A year whose list is missing breaks no run.  A run that
    reaches the last list is open: `until` is null, and the card's `covers` says which year that was.
    """
    years = sorted(lists["year"].unique())
    rank = lists["year"].map({y: i for i, y in enumerate(years)})
    rows = lists.assign(rank=rank).sort_values(["code", "rank"], ignore_index=True)
    starts = (rows["code"] != rows["code"].shift()) | (rows["rank"] != rows["rank"].shift() + 1)
    runs = rows.groupby(starts.cumsum())
    frame = runs.agg(code=("code", "first"), since=("year", "first"), until=("year", "last"),
                     name_en=("name_en", "last"), name_zh=("name_zh", "last"))  # fmt: skip
    frame["until"] = frame["until"].astype("Int64").mask(frame["until"] == years[-1])
    frame = frame.assign(nomenclature=nomenclature, level=frame["code"].str.len())
    gaps = sorted(set(range(int(years[0]), int(years[-1]))) - {int(y) for y in years})
    missing = f"no list of {listed([str(y) for y in gaps], 9)}" if gaps else ""
    return canonical("nomenclature", {"nomenclature": nomenclature}, frame, missing, [int(years[0]), int(years[-1])])


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _write(place: Path, found: Found) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_pandas(found.frame, preserve_index=False).replace_schema_metadata(None), sink, compression="zstd"
    )
    _replace(place, sink.getvalue().to_pybytes())


def _replace(place: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = place.with_name(f".{place.name}.part")
    partial.write_bytes(content)
    os.replace(partial, place)
