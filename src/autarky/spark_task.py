"""What runs on Spark's workers.  It is sent there whole: a worker needs duckdb and pyarrow, and not this package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# As many rows in one message: the driver holds one of them at a time.
ROWS = 1 << 17


def answers(tasks: Iterator[dict[str, Any]]) -> Iterator[bytes | str]:
    """Run each task in a DuckDB of its own and yield its answer as Arrow streams, or one complaint as text.

    Parameters
    ----------
    tasks : of each `tables` (name → Arrow stream), `views` (statements that make what the query names), `files` (what
        they read), `query`, `settings` (of DuckDB), `duckdb` (the version that the query was written for)

    Returns
    -------
    A complaint is what would go wrong again on another worker; Spark tries those that are raised four times.
    """
    try:
        import duckdb
        import pyarrow  # noqa: F401
    except ImportError as error:
        import sys

        yield f"the workers' Python ({sys.executable}) lacks {error.name}; install it there, or name another Python \
with PYSPARK_PYTHON"
        return
    for task in tasks:
        if duckdb.__version__ != task["duckdb"]:
            yield f"the workers have duckdb {duckdb.__version__}, this machine has {task['duckdb']}; install the same"
            return
        try:
            yield from _answer(task)
        except (OSError, duckdb.Error) as error:
            yield str(error).split("\n")[0]


def _answer(task: dict[str, Any]) -> Iterator[bytes | str]:
    import socket
    import tempfile
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    missing = [f for f in task["files"] if not Path(f).is_file()]
    if missing:
        yield f"the worker on {socket.gethostname()} cannot read {missing[0]}; the store must be at the same path on \
every worker (a shared disk)"
        return
    with tempfile.TemporaryDirectory(prefix="autarky-") as spill:
        con = duckdb.connect(config={**task["settings"], "temp_directory": spill})
        for name, stream in task["tables"].items():
            con.register(name, pa.ipc.open_stream(stream).read_all())
        for statement in task["views"]:
            con.execute(statement)
        with con.sql(task["query"]).to_arrow_reader(ROWS) as reader:
            for batch in reader:
                yield packed(pa.Table.from_batches([batch]))
        con.close()


def packed(table: Any) -> bytes:
    """Return an Arrow table as one compressed stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def streams(batches: Iterator[Any]) -> Iterator[Any]:
    """Turn Spark's batches into batches with one column, `answer`: what they hold as compressed Arrow streams."""
    import pyarrow as pa

    held: list[Any] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= ROWS:
            yield pa.record_batch({"answer": pa.array([packed(pa.Table.from_batches(held))], pa.binary())})
            held, rows = [], 0
    if held:
        yield pa.record_batch({"answer": pa.array([packed(pa.Table.from_batches(held))], pa.binary())})
