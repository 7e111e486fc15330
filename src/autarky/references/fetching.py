"""Fetch the reference from the publisher's site, one file after the other; each is checked and stored as it comes."""

from __future__ import annotations

import email.utils
import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autarky.errors import CodeError, SourceError, listed
from autarky.references.adding import Added, check, keep
from autarky.references.catalog import known
from autarky.references.reading import card_of, directory

LIMIT = 64 << 20
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


# The house keeps sockets in snapshots.py: `download` and what it needs move there whole.

_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_BROKEN = (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException)


@dataclass
class _Transfer:
    """How far a download is, and what tells whether the rest of the file is of the same edition."""

    got: int = 0
    validator: str = ""


class _Again(Exception):
    """An attempt that failed and may be repeated, after `wait` seconds if the server says so."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def download(
    url: str,
    target: Path,
    *,
    limit: int = LIMIT,
    timeout: float = 60.0,
    attempts: int = 5,
    progress: Callable[[float], None] = lambda _done: None,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Download a file over HTTP(S) and return the SHA-256 of its bytes; `target` appears whole or not at all.

    A busy server is asked again (after its Retry-After, else after 1, 2, 4 … seconds); a body cut short is resumed
    when the server says that the file is still the same, else begun anew.

    Raises
    ------
    SourceError : no such file, no answer, a web page in its place, more than `limit` bytes
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise SourceError(f"{url}: expected an address that begins with https:// or http://")
    partial = target.with_name(f"{target.name}.part")
    transfer = _Transfer()
    for attempt in range(attempts):
        try:
            _attempt(url, partial, transfer, limit, timeout, progress)
            break
        except _Again as error:
            if attempt == attempts - 1:
                partial.unlink(missing_ok=True)
                raise SourceError(f"{url}: {error}; gave up after {attempts} attempts. {_BY_HAND}") from error
            pause(min(2.0**attempt if error.wait is None else error.wait, 120.0))
        except SourceError:
            partial.unlink(missing_ok=True)
            raise
    os.replace(partial, target)
    with target.open("rb") as whole:
        return hashlib.file_digest(whole, "sha256").hexdigest()


_BY_HAND = "Try later, or get the file with a browser and `autarky reference add` it."


def _attempt(
    url: str, partial: Path, transfer: _Transfer, limit: int, timeout: float, progress: Callable[[float], None]
) -> None:
    headers = {"User-Agent": "autarky (reference tables)", "Accept-Encoding": "identity"}
    if transfer.got and transfer.validator:
        headers |= {"Range": f"bytes={transfer.got}-", "If-Range": transfer.validator}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:
            _check_answer(url, answer)
            _receive(url, answer, partial, transfer, limit, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in _TRANSIENT:
            raise _Again(f"the server answered {error.code} {error.reason}", _retry_after(error.headers)) from error
        raise SourceError(f"{url}: the server answered {error.code} {error.reason}. {_BY_HAND}") from error
    except _BROKEN as error:
        raise _Again(f"no answer, or cut off ({getattr(error, 'reason', None) or error})") from error


def _check_answer(url: str, answer: Any) -> None:
    if url.startswith("https:") and not answer.url.startswith("https:"):
        raise SourceError(f"{url}: was redirected to {answer.url}, which is not https; nothing was taken from there")
    kind = answer.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        raise SourceError(f"{url}: the server answered with a web page ({kind}), not with the file. {_BY_HAND}")


def _receive(
    url: str, answer: Any, partial: Path, transfer: _Transfer, limit: int, progress: Callable[[float], None]
) -> None:
    resumed = answer.status == 206
    transfer.got = transfer.got if resumed else 0
    tag = answer.headers.get("ETag") or ""
    transfer.validator = answer.headers.get("Last-Modified") or "" if tag.startswith("W/") or not tag else tag
    said = answer.headers.get("Content-Length")
    whole = transfer.got + int(said) if said else None
    if whole and whole > limit:
        raise SourceError(f"{url}: {whole:,} bytes; expected at most {limit:,}. {_BY_HAND}")
    with partial.open("ab" if resumed else "wb") as target:
        # A body shorter than announced ends like a whole one: only the count tells.
        while chunk := answer.read(1 << 16):
            transfer.got += len(chunk)
            if transfer.got > limit:
                raise SourceError(f"{url}: more than {limit:,} bytes. {_BY_HAND}")
            target.write(chunk)
            progress(transfer.got / whole if whole else 0.0)
    if whole is not None and transfer.got != whole:
        raise _Again(f"the file was cut short at {transfer.got:,} of {whole:,} bytes")
    progress(1.0)


def _retry_after(headers: Any) -> float | None:
    """Read Retry-After: seconds, or a date."""
    said = headers.get("Retry-After") if headers else None
    if said is None:
        return None
    if said.strip().isdigit():
        return float(said)
    when = email.utils.parsedate_tz(said)
    return None if when is None else max(0.0, email.utils.mktime_tz(when) - time.time())
