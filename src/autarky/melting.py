"""Write measures to Parquet straight from their wide form.

The long table repeats every key once an indicator.  Left to the engine, that is most of the work of a measure: four
times the text to copy, hash and pack.  Here the keys of a batch are made numbers into a list once, and what is the same
in every row of an indicator (its name, its unit) is never spelled out at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from autarky import engine
from autarky.long import Long, Wide

if TYPE_CHECKING:
    from autarky.indicators import Indicator

# Wide rows that are held at once; also the rows of a row group.
ROWS = 1 << 18
# Smaller batches share a row group.
_SMALL = 1 << 15
# Batches that the engine may be ahead of the writer: enough that it can begin the next year.
_AHEAD = 6


def fits(pieces: Sequence[Long]) -> bool:
    """Whether every figure is a number, so that the wide form holds it as it is to be written."""
    return not any(i.text for piece in pieces for wide in piece.wides for i in wide.indicators)


def write(con: Any, pieces: Sequence[Long], target: IO[bytes]) -> None:
    """Write long tables, one after another, to an open Parquet file; in no order."""
    schema = pieces[0].table.schema().to_pyarrow()
    schema = pa.schema([pa.field(f.name, f.type) for f in schema])
    figures = [f.name for f in schema if pa.types.is_floating(f.type)]
    listed = [f.name for f in schema if f.name not in figures]
    # Rows of a row group are of one indicator and mostly one year, so that a reader can skip the others; their keys
    # are in no order, so that the least and greatest tell nothing.
    told = ["indicator", *(f.name for f in schema if not pa.types.is_string(f.type))]
    options = {"use_dictionary": listed, "write_statistics": told}
    writer, tables = None, _melted(con, pieces, schema)
    try:
        for table in tables:
            # Columns that are lists are written as lists, but a reader need not know.
            writer = writer or pq.ParquetWriter(target, table.schema, store_schema=False, **options)
            if table.num_rows < _SMALL:
                writer.write_batch(table.combine_chunks().to_batches()[0])
            else:
                writer.write_table(table, row_group_size=table.num_rows)
        if writer is None:
            pq.write_table(schema.empty_table(), target)
    finally:
        tables.close()
        if writer is not None:
            writer.close()


def _melted(con: Any, pieces: Sequence[Long], schema: pa.Schema) -> Generator[pa.Table]:
    wides = [wide for piece in pieces for wide in piece.wides]
    answers = ((wide, batch) for wide in wides for batch in engine.batches(con, wide.table, ROWS))
    for wide, batch in _ahead(con, answers):
        keys = {name: batch.column(name).cast(schema.field(name).type).dictionary_encode() for name in wide.keys}
        for found in wide.indicators:
            columns = keys | _figure(batch, found)
            missing = {f.name: _same(None, batch.num_rows, f.type) for f in schema if f.name not in columns}
            yield pa.table({f.name: (columns | missing)[f.name] for f in schema})


def _figure(batch: pa.RecordBatch, found: Indicator) -> dict[str, pa.Array]:
    value = batch.column(found.name).cast("float64")
    rows, undefined = batch.num_rows, value.is_null()
    if not isinstance(found.undefined, str):
        flag = pc.if_else(undefined, batch.column(f"{found.name} why").cast("string"), None).dictionary_encode()
    elif value.null_count:
        place = pc.if_else(undefined, pa.scalar(0, "int32"), None)
        flag = pa.DictionaryArray.from_arrays(place, pa.array([found.undefined]))
    else:
        flag = _same(None, rows, pa.string())
    named = {"indicator": _same(found.name, rows, pa.string()), "unit": _same(found.unit, rows, pa.string())}
    return {**named, "value": value, "flag": flag}


def _same(value: Any, rows: int, kind: pa.DataType) -> pa.DictionaryArray:
    """Return a column that holds one value, or null, in every row."""
    if value is None:
        return pa.DictionaryArray.from_arrays(pa.nulls(rows, "int32"), pa.array([], kind))
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, "int32")), pa.array([value], kind))


def _ahead(con: Any, items: Iterator[tuple[Wide, pa.RecordBatch]]) -> Iterator[tuple[Wide, pa.RecordBatch]]:
    """Yield items that are made, a few ahead, beside what the caller does with them."""
    pool = ThreadPoolExecutor(1)
    coming = deque(pool.submit(next, items, None) for _ in range(_AHEAD))
    whole = False
    try:
        while (item := coming.popleft().result()) is not None:
            coming.append(pool.submit(next, items, None))
            yield item
        whole = True
    finally:
        # Whoever breaks off is not kept waiting for a year that nobody will read.
        if not whole:
            engine.stop(con)
        pool.shutdown(cancel_futures=True)
