"""The only module that names an engine: connections, text and Parquet in, Parquet out.

Measures and sources are Ibis expressions; they do not know what runs them.
"""

from __future__ import annotations

import csv
import re
import shutil
import sys
import tempfile
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import ibis
import pyarrow as pa

from autarky.errors import AutarkyError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import ibis.expr.types as ir

    from autarky.spark import Cluster

Progress = Callable[[float], None]
ROW = "_row"
# The first level packs nearly as well as the third and costs a third less time.
_PARQUET = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"


class Files(NamedTuple):
    """What a view of a store reads: Parquet files, and the SQL types of the columns that live in their paths."""

    paths: Sequence[str]
    hive: Mapping[str, str]


def connect(spec: str = "duckdb", *, memory: str = "3GB", spill: Path | None = None, route: str | None = None) -> Any:
    """Return an Ibis backend.

    Parameters
    ----------
    spec : "duckdb" (embedded; nothing to install or start), or "spark://HOST:PORT", the master of a Spark cluster
    memory : the most that the engine may use before it spills to disk; on a cluster, this machine and each task alike
    spill : directory for what does not fit; default: the system's temporary directory
    route : how a cluster works, "partitions" or "sql" (see `spark`); default: the question decides

    Raises
    ------
    AutarkyError : an engine that is not built in; a cluster that cannot be joined
    """
    if spec.startswith("spark:"):
        from autarky import spark

        con = spark.connect(spec, memory, route)
    elif spec != "duckdb":
        raise AutarkyError(f"engine {spec!r}: expected 'duckdb' or 'spark://HOST:PORT'")
    elif route:
        raise AutarkyError(f"route {route!r} is a way for a cluster to work; it needs an engine spark://HOST:PORT")
    else:
        con = ibis.duckdb.connect(memory_limit=memory)
    settings = {
        "enable_progress_bar": "true",
        "enable_progress_bar_print": "false",
        "preserve_insertion_order": "true",
        # A text file has no statistics: the optimizer takes it for small, builds the hash table on it instead of on
        # the table of countries, and a year of trade then needs gigabytes.
        "disabled_optimizers": "'build_side_probe_side'",
    }
    place = spill or Path(tempfile.gettempdir()) / f"autarky-{uuid.uuid4().hex}"
    settings["temp_directory"] = _quoted(str(place))
    # The engine makes the directory when it first needs it; nobody else's work is in it.
    weakref.finalize(con, shutil.rmtree, place, ignore_errors=True)
    for name, value in settings.items():
        run(con, f"SET {name} = {value}")
    return con


def run(con: Any, sql: str, progress: Progress | None = None) -> list[tuple[Any, ...]]:
    """Run one statement to its end and return its rows; `progress` hears the fraction done, ten times a second."""
    with _watched(con, progress):
        rows: list[tuple[Any, ...]] = con.con.execute(sql).fetchall()
    return rows


def rows(con: Any, expression: ir.Table) -> pa.Table:
    """Run an expression and return its (small) result as an Arrow table."""
    with _answered(con, expression) as found:
        table: pa.Table = con.con.sql(compiled(con, found)).to_arrow_table()
    return table


def compiled(con: Any, expression: ir.Table) -> str:
    """Return the SQL of an expression in the engine's own dialect."""
    return str(con.compile(expression))


def write_parquet(con: Any, expression: ir.Table, path: Path, progress: Progress | None = None) -> None:
    """Write the result of an expression to a Parquet file, in the order that the expression gives."""
    with _answered(con, expression) as found:
        run(con, f"COPY ({compiled(con, found)}) TO {_quoted(str(path))} {_PARQUET}", progress)


def write(con: Any, expression: ir.Table, path: str, form: str) -> None:
    """Stream the result of an expression to a file as csv, json or parquet."""
    options = {
        "csv": "FORMAT csv, HEADER",
        "json": "FORMAT json, ARRAY true",
        "parquet": _PARQUET.strip("()"),
    }
    with _answered(con, expression) as found:
        run(con, f"COPY ({compiled(con, found)}) TO {_quoted(path)} ({options[form]})")


def batches(con: Any, expression: ir.Table, rows: int = 122_880) -> pa.RecordBatchReader:
    """Run an expression and return its result in pieces of at most so many rows; in this process, on any engine."""
    reader: pa.RecordBatchReader = con.con.sql(compiled(con, expression)).to_arrow_reader(rows)
    return reader


def stop(con: Any) -> None:
    """Have the engine give up what it is at in another thread."""
    con.con.interrupt()


def here(con: Any) -> bool:
    """Whether work is done in this process."""
    return _cluster(con) is None


def in_turn(con: Any, tables: Sequence[ir.Table]) -> list[ir.Table]:
    """Return tables as they should be asked for: one after another here, all at once on a cluster."""
    return list(tables) if here(con) else [union(tables)]


def is_empty(con: Any, expression: ir.Table) -> bool:
    """Whether an expression gives no row."""
    # One row is found here sooner than a cluster is asked.
    return bool(con.con.sql(compiled(con, expression.limit(1))).to_arrow_table().num_rows == 0)


def read_parquet(con: Any, paths: Sequence[str], hive: Mapping[str, str] | None = None) -> ir.Table:
    """Return Parquet files as one table; `hive` gives the SQL types of the columns that live in the paths."""
    return _view(con, parquet_sql(paths, hive), Files(paths, hive) if hive else None)


def parquet_sql(paths: Sequence[str], hive: Mapping[str, str] | None = None) -> str:
    """Return the query that reads Parquet files; see `read_parquet`."""
    listed = ", ".join(_quoted(p) for p in paths)
    types = ", ".join(f"'{name}': {sql}" for name, sql in (hive or {}).items())
    options = f", hive_partitioning=true, hive_types={{{types}}}" if hive else ", hive_partitioning=false"
    return f"SELECT * FROM read_parquet([{listed}]{options})"


def lookup(con: Any, columns: Mapping[str, Sequence[Any]]) -> ir.Table:
    """Load a small table (a classification, exchange rates) into the engine."""
    name = ibis.util.gen_name("lookup")
    con.con.register(f"{name}_arrow", pa.table(dict(columns)))
    run(con, f"CREATE TEMP TABLE {name} AS FROM {name}_arrow")
    con.con.unregister(f"{name}_arrow")
    _tell(con, name, "small")
    return con.table(name)


def read_text(con: Any, path: Path, delimiter: str, *, numbered: bool = False) -> ir.Table:
    """Return a UTF-8 text table with every column as text; `numbered` adds the record's number in the file as `_row`.

    Column names are those of the header; a column without a name (a trailing delimiter) is left out.
    """
    header, width = _header(path, delimiter)
    names = [name.strip() if name.strip() else f"_unnamed{i}" for i, name in enumerate(header)]
    names += [f"_unnamed{i}" for i in range(len(header), width)]
    repeated = {n for n in names if [m.lower() for m in names].count(n.lower()) > 1}
    if repeated:
        raise SourceError(f"{path.name} row 1: the header names {', '.join(sorted(repeated))} more than once")
    columns = ", ".join(f"{_quoted(n)}: 'VARCHAR'" for n in names)
    # Everything is spelled out: a sniffed header or delimiter drops or shifts rows without a word.
    options = f"""auto_detect=false, header=true, delim={_quoted(delimiter)}, quote='"', escape='"',
        null_padding=false, strict_mode=true, columns={{{columns}}}"""
    number = f", row_number() OVER () + 1 AS {ROW}" if numbered else ""
    kept = ", ".join(f'"{n}"' for n in names if not n.startswith("_unnamed"))
    return _view(con, f"SELECT {kept}{number} FROM read_csv({_quoted(str(path))}, {options})")


def read_json(con: Any, path: Path, *, numbered: bool = False) -> ir.Table:
    """Return the records of a JSON answer (an array, or an object with an array `data`) with every field as text."""
    size = max(path.stat().st_size * 2, 1 << 24)
    # `unstructured` keeps the document as text, so that one odd field cannot change the type of a column.
    document = (
        f"(SELECT json FROM read_json_objects({_quoted(str(path))}, format='unstructured', maximum_object_size={size}))"
    )
    items = f"""SELECT unnest(CASE json_type(json) WHEN 'ARRAY' THEN json->'$[*]' ELSE json->'$.data[*]' END) AS item
        FROM {document}"""
    keys = [k for (k,) in run(con, f"SELECT DISTINCT unnest(json_keys(item)) FROM ({items})")]
    if not keys:
        return _view(con, f"SELECT NULL::VARCHAR AS nothing FROM {document} WHERE false")
    fields = ", ".join(f'item->>\'$."{k}"\' AS "{k}"' for k in sorted(keys))
    number = f", row_number() OVER () AS {ROW}" if numbered else ""
    return _view(con, f"SELECT {fields}{number} FROM ({items})")


def read_parquet_text(con: Any, path: Path, *, numbered: bool = False) -> ir.Table:
    """Return one Parquet file with every column as text (exact for numbers, ISO for dates)."""
    table = read_parquet(con, [str(path)])
    text = table.select(**{n: table[n].cast("string") for n in table.columns})
    return text.mutate(**{ROW: ibis.row_number() + 1}) if numbered else text


def top_level_text(con: Any, path: Path, key: str) -> str | None:
    """Return one field of a JSON object as text; null when the document is an array or lacks it."""
    size = max(path.stat().st_size * 2, 1 << 24)
    sql = f"""SELECT json->>'$.{key}' FROM read_json_objects({_quoted(str(path))}, format='unstructured',
        maximum_object_size={size}) LIMIT 1"""
    found = run(con, sql)
    return found[0][0] if found else None


def _header(path: Path, delimiter: str) -> tuple[list[str], int]:
    """Return the header's names and the number of fields in the first record below it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter)
            header = next(reader, [])
            first = next(reader, [])
    except UnicodeDecodeError as error:
        raise SourceError(f"{path.name}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    # UN Comtrade's portal ends every record, but not the header, with one delimiter too many.
    surplus = len(first) == len(header) + 1 and first[-1] == ""
    return header, len(first) if surplus else len(header)


def explained(error: Exception, name: str) -> SourceError:
    """Turn an engine's complaint about a file into one that names file and row, without the engine's advice."""
    text = str(error)
    line = re.search(r"Line: (\d+)", text)
    reason = next(
        (said for found, said in _COMPLAINTS.items() if found in text),
        text.split("\n")[0].removeprefix("Invalid Input Error: "),
    )
    return SourceError(f"{name}{f' row {line[1]}' if line else ''}: {reason}")


_COMPLAINTS = {
    "Expected Number of Columns": "the record does not have as many fields as the header",
    "not utf-8 encoded": "the bytes are not UTF-8 text (mixed encodings, or another encoding): save the file as UTF-8",
    "state machine reached an invalid state": "line ends of two kinds in one file; save it with one kind",
    "unterminated quote": "a quote is opened and never closed",
    "Malformed JSON": "not valid JSON; was the answer cut short?",
    "No magic bytes": "not a Parquet file, or cut short",
    "too small to be a Parquet": "not a Parquet file, or cut short",
}


class EngineFailure(AutarkyError):
    """The engine could not finish: disk full, out of memory, a file that vanished."""


@contextmanager
def failures(name: str | None = None) -> Iterator[None]:
    """Turn the engine's exceptions into ours: about file `name`, or about the machine."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        used = re.search(r"\(([^()]*) used\)", str(error))
        raise EngineFailure(
            f"the engine's memory is too little for this question{f' ({used[1]} used)' if used else ''}, with what "
            "could be written to disk. Allow more with --memory, or ask for less at once: fewer years (--since, "
            "--until), or the year among the keys. Nothing was changed."
        ) from error
    except (duckdb.IOException, duckdb.HTTPException) as error:
        full = re.search(r"No space left on device|File too large", str(error))
        text = f"the disk cannot take it ({full[0]})" if full else str(error).split("\n")[0]
        if name and any(found in str(error) for found in _COMPLAINTS):
            raise explained(error, name) from error
        raise EngineFailure(f"the work could not be finished: {text}. Nothing was changed.") from error
    except duckdb.Error as error:
        if name is None:
            raise
        raise explained(error, name) from error


@contextmanager
def _watched(con: Any, progress: Progress | None) -> Iterator[None]:
    if progress is None:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            progress(max(con.con.query_progress(), 0.0) / 100)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _view(con: Any, sql: str, made: Files | ir.Table | None = None) -> ir.Table:
    name = ibis.util.gen_name("view")
    run(con, f"CREATE TEMP VIEW {name} AS {sql}")
    _tell(con, name, made)
    return con.table(name)


def _cluster(con: Any) -> Cluster | None:
    """Return a connection to a cluster as what it is; None for an engine in this process."""
    spark = sys.modules.get("autarky.spark")
    return con if spark and isinstance(con, spark.Cluster) else None


def _tell(con: Any, name: str, made: Files | ir.Table | str | None) -> None:
    """Say to a cluster how a table was made, so that it can make it as well; None = it cannot."""
    cluster = _cluster(con)
    if cluster is not None:
        cluster.tell(name, made)


@contextmanager
def _answered(con: Any, expression: ir.Table) -> Iterator[ir.Table]:
    """Give an expression that can be run here: the one given, or, where a cluster has answered it, its answer."""
    cluster = _cluster(con)
    if cluster is None or not cluster.takes(expression):
        yield expression
        return
    with tempfile.TemporaryDirectory(prefix="autarky-") as directory:
        yield cluster.answer(expression, Path(directory) / "answer.parquet")


def splits(table: ir.Table) -> bool:
    """Whether a question about a table is better asked year by year: everywhere but on Spark SQL."""
    cluster = _cluster(table.get_backend())
    return cluster is None or cluster.route != "sql"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def once(con: Any, table: ir.Table) -> ir.Table:
    """Return a table whose columns are computed once a row, however often what is built on it names them."""
    return _view(con, compiled(con, table), table)


def union(tables: Iterable[ir.Table]) -> ir.Table:
    """Return the rows of all tables (same columns), duplicates kept."""
    first, *others = tables
    return ibis.union(first, *others) if others else first
