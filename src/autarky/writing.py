"""Write results that come in pieces (a year each) into one file, so that no more than one is in memory at a time."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from autarky import engine

if TYPE_CHECKING:
    import ibis.expr.types as ir

Target = IO[bytes]


def write(con: Any, pieces: Sequence[ir.Table], path: str, form: str) -> None:
    """Write tables of the same columns, one after another, to a file as csv, json or parquet.

    The file appears when it is whole; one that was there before stays until then.
    """
    if len(pieces) == 1:
        engine.write(con, pieces[0], path, form)
        return
    with whole(Path(path)) as target:
        stream(con, pieces, target, form)


def stream(con: Any, pieces: Sequence[ir.Table], target: Target, form: str) -> None:
    """Write tables of the same columns, one after another, to an open binary file."""
    if form == "parquet" and len(pieces) > 1:
        _parquet(con, pieces, target)
        return
    with tempfile.TemporaryDirectory(prefix="autarky-") as directory:
        path = Path(directory) / f"piece.{form}"
        written = 0
        for piece in pieces:
            engine.write(con, piece, str(path), form)
            if form == "json" and len(pieces) > 1:
                written += _records(path, target, written)
            else:
                _rest(path, target, without_header=written > 0 and form == "csv")
                written += 1
        if form == "json" and len(pieces) > 1:
            target.write(b"\n]\n" if written else b"[]\n")


def _parquet(con: Any, pieces: Sequence[ir.Table], target: Target) -> None:
    first = engine.batches(con, pieces[0])
    # The engine's own writer takes no second query.  A list of figures that all differ would only be larger.
    listed = [f.name for f in first.schema if not pa.types.is_floating(f.type)]
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": listed}
    with pq.ParquetWriter(target, first.schema, **options) as writer:
        for nth, piece in enumerate(pieces):
            for batch in engine.batches(con, piece) if nth else first:
                writer.write_batch(batch.cast(first.schema))


def _rest(path: Path, target: Target, *, without_header: bool) -> None:
    with path.open("rb") as source:
        if without_header:
            source.readline()
        shutil.copyfileobj(source, target)


def _records(path: Path, target: Target, before: int) -> int:
    """Append the records of an array, one a line, to an array that holds `before` of them; count them."""
    count = 0
    with path.open("rb") as source:
        for line in source:
            record = line.strip().removesuffix(b",")
            if record in (b"[", b"]", b"[]", b""):
                continue
            target.write((b",\n\t" if before + count else b"[\n\t") + record)
            count += 1
    return count


@contextmanager
def whole(path: Path) -> Iterator[Target]:
    """Open a file for writing that takes its name when it is whole; a pipe or device is written to at once."""
    if path.exists() and not path.is_file():
        with path.open("wb") as target:
            yield target
        return
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as target:
            yield target
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
