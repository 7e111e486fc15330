"""Free the files that only old versions of the store need; what is gone is recorded, and reading it says so."""

from __future__ import annotations

import datetime
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from autarky.errors import AutarkyError
from autarky.optimize import megabytes
from autarky.store import Store, moment, vacuumed, vacuumed_file
from autarky.tables import PLACED
from autarky.transaction import locked

TABLES = ("flows", "macro")
LEAST = datetime.timedelta(hours=1)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Freed:
    """One file that may go.

    Attributes
    ----------
    table : flows or macro
    path : of the file
    size : in bytes, with what lies beside it
    versions : the versions that need it; none = left by work that was killed, part of no version
    since : when it was last needed, seconds since 1970
    """

    table: str
    path: Path
    size: int
    versions: range
    since: float


@dataclass(frozen=True)
class Vacuumed:
    """What a vacuum frees; `lost` = the versions of each table that can then no longer be read."""

    files: tuple[Freed, ...]
    lost: dict[str, list[int]]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(f.size for f in self.files)

    def summary(self, verb: str, older_than: str) -> str:
        """Say it in one line; `verb` is what is, or would be, done."""
        if not self.files:
            return f"nothing to free: no file was needed only by versions replaced more than {older_than} ago"
        lost = [f"{_spelled(numbers)} of the {said}" for table, said in _SAID.items() if (numbers := self.lost[table])]
        gone = f"no longer readable: {' and '.join(lost)}" if lost else "every version stays readable"
        return f"{verb} {len(self.files):,} files, {megabytes(self.size)}; {gone}"


_SAID = {"flows": "flows", "macro": "macro series"}


def parse_age(text: str) -> datetime.timedelta:
    """Read `30d`, `12h` or `2w`."""
    match = re.fullmatch(r"(\d{1,6})([hdw])", text.strip())
    if not match:
        raise AutarkyError(f"--older-than {text}: expected a number of hours, days or weeks, as in 12h, 30d or 8w")
    return datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})


def vacuum(
    path: str | Path,
    older_than: str,
    *,
    dry_run: bool = False,
    force: bool = False,
    now: float | None = None,
    telling: Callable[[Vacuumed], None] = lambda _found: None,
    waiting: Callable[[], None] = lambda: None,
) -> Vacuumed:
    """Remove the files that no version of the last `older_than` needs.

    A version is of that time if it was the newest at any moment of it, however long ago it was committed; the newest
    stays always.  Work that is under way is not touched.

    Parameters
    ----------
    older_than : `30d`, `12h`, `2w`
    dry_run : only say what would go
    force : allow less than an hour, which can take files from under somebody who reads an older version
    now : seconds since 1970; default: the clock
    telling : hears what will go before it goes

    Raises
    ------
    AutarkyError : no store; a time that is malformed, or shorter than an hour without `force`
    """
    root, age = Store(path).path, parse_age(older_than)
    if age < LEAST and not force:
        raise AutarkyError(
            f"--older-than {older_than}: less than an hour, so that a version that somebody is reading could lose its "
            "files. Say an hour or more, or --force when nobody uses the store"
        )
    before = (time.time() if now is None else now) - age.total_seconds()
    if dry_run:
        return _found(root, before)
    with locked(root, waiting):
        found = _found(root, before)
        telling(found)
        if found.files:
            # Said first, so that whatever happens now, no version is missing files without a word.
            _record(root, found, older_than)
            _remove(root, found)
    return found


def _found(root: Path, before: float) -> Vacuumed:
    files: list[Freed] = []
    lost: dict[str, list[int]] = {}
    for table in TABLES:
        spans = dict(_spans(root / table))
        old = [f for f in _old(root, table, spans) if f.since < before]
        lost[table] = sorted({v for f in old for v in f.versions} - vacuumed(root, table).keys())
        files += old
    return Vacuumed(tuple(files), lost)


def _old(root: Path, table: str, spans: dict[Path, tuple[range, float]]) -> Iterator[Freed]:
    """Yield every file of a table on disk that the newest version does not need."""
    place = (root / table).resolve()
    for file in sorted(place.rglob("*.parquet")):
        if "_delta_log" in file.relative_to(place).parts:
            continue
        stat, beside = file.stat(), _beside(root, table, file)
        size = stat.st_size + (beside.stat().st_size if beside.is_file() else 0)
        versions, since = spans.get(file, (range(0), stat.st_mtime))
        if since < float("inf"):
            yield Freed(table, file, size, versions, since)


def _spans(place: Path) -> Iterator[tuple[Path, tuple[range, float]]]:
    """Yield every file of a table's log with the versions that need it and when it was replaced (infinite = live)."""
    added: dict[Path, int] = {}
    removed: dict[Path, tuple[int, float]] = {}
    for version, action in _actions(place / "_delta_log"):
        if "add" in action:
            added[place.resolve() / unquote(action["add"]["path"])] = version
        if "remove" in action:
            when = action["remove"]["deletionTimestamp"] / 1000
            removed[place.resolve() / unquote(action["remove"]["path"])] = (version, when)
    for file, first in added.items():
        until, when = removed.get(file, (first, float("inf")))
        yield file, (range(first, until), when)


def _actions(log: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the actions of every version; the log is never cut short, so it is complete."""
    if not log.is_dir():
        return
    for file in sorted(f for f in log.iterdir() if re.fullmatch(r"\d{20}\.json", f.name)):
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line:
                yield int(file.stem), json.loads(line)


def _beside(root: Path, table: str, file: Path) -> Path:
    """Return where the coverage of a file of flows lies; a file of macro series has none (the path is not there)."""
    return root / "coverage" / file.name if table == "flows" else file.with_suffix(".none")


def _record(root: Path, found: Vacuumed, older_than: str) -> None:
    """Write down what goes; a file that replaces the last at once, so that it is never half written."""
    target = vacuumed_file(root)
    said = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else []
    files = [f"{f.table}/{f.path.relative_to((root / f.table).resolve()).as_posix()}" for f in found.files]
    said.append(
        {"when": moment(time.time()), "older_than": older_than, "bytes": found.size, "files": files, **found.lost}
    )
    partial = target.with_suffix(f".{uuid.uuid4().hex}")
    partial.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, target)


def _remove(root: Path, found: Vacuumed) -> None:
    for freed in found.files:
        # The coverage first: without its file it would never be found again.
        _beside(root, freed.table, freed.path).unlink(missing_ok=True)
        freed.path.unlink()
        for directory in list(freed.path.parents)[: len(PLACED)] if freed.table == "flows" else []:
            if any(directory.iterdir()):
                break
            directory.rmdir()


def _spelled(numbers: list[int]) -> str:
    """Return whole numbers for people: `version 3`, `versions 0–4, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    said = ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)
    return f"version{'s' if len(numbers) > 1 else ''} {said}"
