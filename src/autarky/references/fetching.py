"""Fetch the reference from the publisher's site, one file after the other; each is checked and stored as it comes."""

from __future__ import annotations

import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterable
from pathlib import Path

from autarky.errors import CodeError, SourceError, listed
from autarky.references.adding import Added, check, keep
from autarky.references.catalog import known
from autarky.references.reading import card_of, directory
from autarky.snapshots import download

Progress = Callable[[str, float], None]


def fetch(
    reference: str | Path | None = None,
    base_url: str | None = None,
    only: Iterable[str] = (),
    *,
    refresh: bool = False,
    progress: Progress = lambda _name, _done: None,
    pause: Callable[[float], None] = time.sleep,
    timeout: float = 60.0,
) -> list[Added]:
    """Download the publisher's files that are not here yet and add them.

    Parameters
    ----------
    reference : the directory; default: see `directory`
    base_url : a mirror to take the files from, by their own names
    only : ids of the tables that are wanted; default: all that are served
    refresh : fetch also what is here (a publisher corrects files)
    progress : hears the name of a file and the fraction done
    pause : how to wait between attempts
    timeout : seconds without an answer after which an attempt is given up

    Raises
    ------
    SourceError : files that could not be fetched, or are not what they must be; the others are stored all the same
    """
    where = directory(reference)
    done: list[Added] = []
    failed: list[str] = []
    for file, url in _wanted(where, list(only), base_url, refresh).items():
        with tempfile.TemporaryDirectory(prefix="autarky-") as workdir:
            target = Path(workdir) / file
            try:
                download(url, target, progress=lambda f, name=file: progress(name, f), pause=pause, timeout=timeout)  # type: ignore[misc]
                done += keep(check(target, Path(workdir), url), where)
            except (SourceError, CodeError) as error:
                failed.append(str(error))
    if failed:
        kept = f"{len(done)} tables of the others were stored" if done else "nothing was stored"
        raise SourceError(f"{len(failed)} files could not be fetched ({kept}):\n  " + "\n  ".join(failed))
    return done


def _wanted(where: Path, only: list[str], base_url: str | None, refresh: bool) -> dict[str, str]:
    """Return file name → address of the files that hold a wanted table."""
    served = {name: said for name, said in known().items() if said["url"]}
    unknown = [name for name in only if name not in served]
    if unknown:
        raise CodeError(
            f"{listed(unknown)}: not served by any publisher known here; `autarky reference status` lists what is"
        )
    lacking = [n for n in only or served if refresh or card_of(where, n) is None]
    files = {served[n]["file"]: served[n]["url"] for n in lacking}
    if base_url is None:
        return files
    return {file: f"{base_url.rstrip('/')}/{urllib.parse.quote(file)}" for file in files}
