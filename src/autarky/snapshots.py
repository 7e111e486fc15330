"""Raw bytes on disk: find them, hash them, unpack and decode them.  The only module that may use the network."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autarky.errors import AutarkyError, SourceError
from autarky.tables import FileRecord

_CHUNK = 1 << 20


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
