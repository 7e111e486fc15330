"""How commands print: tables on a terminal, csv, json or parquet for programs; progress on a terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from autarky.long import Long

FORMATS = ("table", "csv", "json", "parquet")
TABLE_ROWS = 200


def say(text: str) -> None:
    """Write a line for the person, to standard error."""
    sys.stderr.write(f"{text}\n")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command with data has."""
    parser.add_argument("--format", choices=FORMATS, help="default: table on a terminal, else csv")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of standard output")


def form_of(args: argparse.Namespace) -> str:
    """Return the format asked for, or the one that fits the file's name or the terminal."""
    if args.format:
        return str(args.format)
    suffix = (args.output or "").rpartition(".")[2]
    if suffix in FORMATS:
        return suffix
    return "table" if not args.output and sys.stdout.isatty() else "csv"


def print_expression(con: Any, expression: Any, args: argparse.Namespace) -> None:
    """Print an Ibis table; all but Parquet in the order of its keys."""
    print_pieces(con, [expression], args)


def print_measures(con: Any, pieces: Sequence[Long], args: argparse.Namespace) -> None:
    """Print measures, one piece after another; see `print_pieces`."""
    from autarky import engine, melting, writing

    if form_of(args) != "parquet" or not engine.here(con) or not melting.fits(pieces):
        print_pieces(con, [piece.table for piece in pieces], args)
    elif args.output:
        with writing.whole(Path(args.output)) as target:
            melting.write(con, pieces, target)
    else:
        melting.write(con, pieces, sys.stdout.buffer)


def print_pieces(con: Any, pieces: Sequence[Any], args: argparse.Namespace) -> None:
    """Print Ibis tables of the same columns, one after another; each, but for Parquet, in the order of its keys."""
    from autarky import engine, writing

    form = form_of(args)
    # Only what people and line-by-line comparisons read is put in order; a Parquet file has none.
    keys = [c for c in pieces[0].columns if c not in ("value", "unit", "flag", "value_usd", "weight_kg")]
    tables = engine.in_turn(con, pieces)
    if form != "parquet":
        tables = [t.order_by(keys) for t in tables]
    if args.output and form != "table":
        writing.write(con, tables, args.output, form)
    elif form == "table":
        print_table(_first(con, tables), args)
    else:
        writing.stream(con, tables, sys.stdout.buffer, form)


def _first(con: Any, tables: Sequence[Any]) -> pd.DataFrame:
    """Return as many rows as are shown, and one more to tell that there are more."""
    import pyarrow as pa

    from autarky import engine

    found: list[Any] = []
    for table in tables:
        left = TABLE_ROWS + 1 - sum(f.num_rows for f in found)
        found += [engine.rows(con, table.limit(left))] if left else []
    return pa.concat_tables(found).to_pandas()


def print_frame(frame: pd.DataFrame, args: argparse.Namespace) -> None:
    """Print a small table."""
    form = form_of(args)
    if form == "table":
        print_table(frame, args)
    elif form == "parquet":
        frame.to_parquet(args.output or sys.stdout.buffer, index=False)
    elif form == "json":
        _write(frame.to_json(orient="records", force_ascii=False, date_format="iso", indent=1) + "\n", args)
    else:
        _write(frame.to_csv(index=False), args)


def _write(text: str, args: argparse.Namespace) -> None:
    if args.output:
        with open(args.output, "w", encoding="utf-8", newline="") as target:
            target.write(text)
    else:
        sys.stdout.write(text)


def print_table(frame: pd.DataFrame, args: argparse.Namespace) -> None:
    """Print a table for people; long ones are cut, and it says so."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    numeric = {c for c in frame.columns if frame[c].dtype.kind in "if"}
    for name in frame.columns:
        side = "right" if name in numeric else "left"
        table.add_column(str(name), justify=side, no_wrap=name in numeric, overflow="fold")  # type: ignore[arg-type]
    for record in frame.head(TABLE_ROWS).itertuples(index=False):
        table.add_row(*[_cell(v) for v in record])
    with open(args.output, "w", encoding="utf-8") if args.output else _stdout() as target:
        # Off a terminal nothing says how wide a line may be; wide enough that no cell is folded.
        Console(file=target, width=None if target.isatty() else 320, markup=False, highlight=False).print(table)
    if len(frame) > TABLE_ROWS:
        say(f"first {TABLE_ROWS} rows; the rest with --format csv")


@contextmanager
def _stdout() -> Iterator[Any]:
    yield sys.stdout


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) and abs(value) > 9999 else str(value)


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """Show a progress bar on a terminal; elsewhere nothing.  Gives a function of (what is being done, share done)."""
    if not sys.stderr.isatty():
        yield lambda _name, _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda name, done: bar.update(task, description=name, completed=done)
