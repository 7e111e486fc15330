"""What an ingest into any table of the store needs: a place of work of its own, the lock, and how it reports."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from autarky.errors import AutarkyError
from autarky.store import is_store, log, opened

# Customs offices revise, so no version is ever cleaned away behind the user's back.
CONFIGURATION = {"delta.logRetentionDuration": "interval 36500 days", "delta.enableExpiredLogCleanup": "false"}


@dataclass
class Ingested:
    """What an ingest did; `version` is the version to read, `changed` whether it is a new one."""

    version: int
    changed: bool
    summary: str
    known: list[str] = field(default_factory=list)


def known_files(root: Path, settings: str, table: str = "flows") -> dict[str, int]:
    """Return the hash of every file that was read with the same settings → the version that holds it."""
    delta = opened(root, None, table)
    versions = log(root, delta, table) if delta else []
    return {f.sha256: v.version for v in reversed(versions) if v.settings == settings for f in v.files}


def plainly(error: Exception) -> str:
    """Return the cause in one line: delta-rs prints a colored tree, the cause last."""
    lines = [re.sub(r"\x1b\[[0-9;]*m|[↳├╰│▶]", "", line).strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)


@contextmanager
def staging(root: Path) -> Iterator[Path]:
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
            if created and not shared and not is_store(root):
                shutil.rmtree(root, ignore_errors=True)


def _claimed(place: Path) -> tuple[Path, FileLock]:
    """Make a directory that is marked alive; one process at a time, so that none clears what another is making."""
    while True:
        place.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(place / "lock"):
                for old in [p for p in place.iterdir() if p.is_dir()]:
                    _clear_if_dead(old)
                workdir = place / uuid.uuid4().hex
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
def locked(root: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the store's lock; `waiting` is called when another ingest holds it."""
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
