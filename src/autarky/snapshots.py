"""Raw bytes on disk: find them, hash them, unpack and decode them.  The only module that may use the network."""

from __future__ import annotations

import codecs
import email.utils
import gzip
import hashlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autarky.errors import AutarkyError, SourceError
from autarky.tables import FileRecord

_CHUNK = 1 << 20
LIMIT = 64 << 20


@dataclass(frozen=True)
class Raw:
    """One readable file: its plain bytes, what to call it in messages, its kind (csv, json, parquet, xlsx)."""

    path: Path
    name: str
    kind: str


def find(paths: Iterable[str | Path], suffixes: Sequence[str]) -> list[Path]:
    """Return the files at `paths`; a directory gives every file in it, at any depth, that ends in one of `suffixes`.

    Raises
    ------
    SourceError : nothing there, or a directory without such files
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(tuple(suffixes)))
            if not inside:
                raise SourceError(f"{path}: no file in this directory ends in {', '.join(suffixes)}")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise SourceError(f"{path}: there is no such file or directory")
    return list(dict.fromkeys(found))


def record(path: Path) -> FileRecord:
    """Hash a file; an empty one is refused."""
    size = path.stat().st_size
    if size == 0:
        raise SourceError(f"{path.name}: the file is empty (0 bytes); download or export it again")
    with _machine(path.name), path.open("rb") as raw:
        return FileRecord(path.name, hashlib.file_digest(raw, "sha256").hexdigest(), size)


@contextmanager
def _machine(name: str) -> Iterator[None]:
    """Turn a failure of the machine (disk full, no permission) into one of ours; the file itself may be fine."""
    try:
        yield
    except OSError as error:
        raise _failed(name, error) from error


def _failed(name: str, error: OSError) -> AutarkyError:
    return AutarkyError(f"{name}: could not be read or unpacked ({error.strerror or error}). Nothing was changed.")


def unpacked(path: Path, workdir: Path) -> Iterator[Raw]:
    """Yield the plain files in `path`: itself, the inside of a .gz, every member of a .zip.

    Each unpacked file is deleted when the next one is asked for, so that a large archive never lies unpacked whole.

    Raises
    ------
    SourceError : a truncated or damaged archive; the message says after how many bytes or rows
    """
    suffix = path.suffix.lower()
    if suffix == ".zip":
        yield from _zipped(path, workdir)
    elif suffix == ".gz":
        inner = workdir / path.stem
        _gunzip(path, inner)
        yield Raw(inner, path.name, _kind(inner.name))
        inner.unlink()
    else:
        yield Raw(path, path.name, _kind(path.name))


def _kind(name: str) -> str:
    suffix = Path(name).suffix.lower().lstrip(".")
    return {"txt": "csv", "tsv": "csv", "pq": "parquet"}.get(suffix, suffix)


def _zipped(path: Path, workdir: Path) -> Iterator[Raw]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")]
            for member in members:
                inner = workdir / Path(member.filename).name
                if member.flag_bits & 1:
                    raise SourceError(
                        f"{path.name}::{member.filename}: is locked with a password; unpack it and ingest the files"
                    )
                with _machine(path.name), archive.open(member) as packed, inner.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, _CHUNK)
                yield Raw(inner, f"{path.name}::{member.filename}", _kind(member.filename))
                inner.unlink()
    except NotImplementedError as error:
        raise SourceError(f"{path.name}: {error}; unpack it and ingest the files") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(
            f"{path.name}: the zip archive is damaged or cut short ({error}); download it again"
        ) from error


def _gunzip(path: Path, inner: Path) -> None:
    rows = 0
    try:
        with gzip.open(path) as packed, inner.open("wb") as plain:
            while chunk := packed.read1(_CHUNK):
                rows += chunk.count(b"\n")
                plain.write(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"{path.name} row {rows + 1}: the gzip file is damaged or cut short there ({error}); download it again"
        ) from error
    except OSError as error:
        raise _failed(path.name, error) from error


def decoded(raw: Raw, workdir: Path) -> Raw:
    """Return a text file as UTF-8: GB18030 is rewritten, UTF-8 (with or without BOM) stays as it is.

    Raises
    ------
    SourceError : lines of both encodings in one file, or of neither; the message names the first row of each
    """
    first: dict[str, int] = {}
    with raw.path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            kind = _encoding(line)
            first.setdefault(kind, number)
    if "unknown" in first:
        raise SourceError(f"{raw.name} row {first['unknown']}: neither UTF-8 nor GB18030 text; is the file damaged?")
    if "GB18030" not in first:
        return raw
    if "UTF-8" in first:
        raise SourceError(
            f"{raw.name}: mixed encodings: row {first['UTF-8']} is UTF-8 and row {first['GB18030']} is GB18030. "
            "The file was put together from several; ingest the originals one by one."
        )
    plain = workdir / f"utf8-{raw.path.name}"
    with _machine(raw.name), raw.path.open("rb") as source, plain.open("w", encoding="utf-8", newline="") as target:
        for chunk in codecs.iterdecode(iter(lambda: source.read(_CHUNK), b""), "gb18030"):
            target.write(chunk)
    return Raw(plain, raw.name, raw.kind)


def _encoding(line: bytes) -> str:
    if line.isascii():
        return "ASCII"
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            line.decode("gb18030")
        except UnicodeDecodeError:
            return "unknown"
        return "GB18030"
    # A short GB18030 line can be valid UTF-8 by accident, but only as two-byte letters, never as Chinese.
    return "UTF-8" if any("\u3000" <= c <= "\uffef" for c in text) else "ASCII"


# --- the network

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
