"""Cells of tables as text, whatever they came in: workbooks (old and new), csv, JSON, Parquet.  Nothing is guessed.

A cell that a spreadsheet holds as a number stays the number it is (10121.0), so that a lost leading zero can be seen;
only a number that the workbook itself shows with zeros (format 000000) gets them.
"""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from autarky.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd

_HEADER_WITHIN = 15


@dataclass(frozen=True)
class Sheet:
    """One table of text: `rows` as in the file (row 1 first), `name` for messages, `title` of a workbook's sheet."""

    name: str
    rows: Sequence[Sequence[str]] = field(repr=False)
    title: str = ""
    about: Mapping[str, str] = field(default_factory=dict)

    def where(self, position: int) -> str:
        """Name a row for a message."""
        return f"{self.name} row {position + 1}"

    def header(self, is_header: Callable[[Sequence[str]], bool]) -> int | None:
        """Return the position of the first row that is a header, or None."""
        return next((i for i, cells in enumerate(self.rows[:_HEADER_WITHIN]) if is_header(cells)), None)

    def under(self, names: Sequence[str]) -> pd.DataFrame | None:
        """Return the columns of these names (any order, any case), or None when there is no such header."""
        wanted = [n.lower() for n in names]
        position = self.header(lambda cells: {c.lower() for c in cells}.issuperset(wanted))
        if position is None:
            return None
        cells = [c.lower() for c in self.rows[position]]
        return self.body(position, {n: cells.index(w) for n, w in zip(names, wanted, strict=True)})

    def body(self, position: int, columns: Mapping[str, int]) -> pd.DataFrame:
        """Return columns below a header; its index is the row in the file.  Rows that are empty in all of them go.

        Raises
        ------
        SourceError : no row is left
        """
        import pandas as pd

        taken = {
            name: [cells[i] if i < len(cells) else "" for cells in self.rows[position + 1 :]]
            for name, i in columns.items()
        }
        frame = pd.DataFrame(taken, index=range(position + 2, len(self.rows) + 1), dtype="object")
        frame = frame[(frame != "").any(axis=1)]
        if frame.empty:
            raise SourceError(
                f"{self.where(position)}: a header and no row below it; get the file again. Nothing was stored."
            )
        return frame

    def renamed(self, names: Mapping[str, str]) -> Sheet:
        """Return the sheet with header cells renamed."""
        if not names:
            return self
        top = [[names.get(c.lower(), c) for c in cells] for cells in self.rows[:_HEADER_WITHIN]]
        return replace(self, rows=[*top, *self.rows[_HEADER_WITHIN:]])


def form_of(path: Path) -> str:
    """Return what a file is by its first bytes, whatever its name: parquet, xlsx, xls, page, json or csv."""
    with path.open("rb") as raw:
        head = raw.read(512)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK"):
        return "xlsx"
    if head.startswith((b"\xd0\xcf\x11\xe0", b"\x09\x00", b"\x09\x02", b"\x09\x04", b"\x09\x08")):
        return "xls"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "page" if text.startswith(b"<") else "json" if text.startswith((b"{", b"[")) else "csv"


def sheets(path: Path, name: str) -> Iterator[Sheet]:
    """Yield the tables of a file.

    Raises
    ------
    SourceError : damaged, or a web page in place of a file
    """
    form = form_of(path)
    if form == "page":
        raise SourceError(f"{name}: is a web page, not a table; the download went wrong. Get the file again.")
    if form in ("xlsx", "xls"):
        yield from _guarded(_xlsx if form == "xlsx" else _xls, path, name)
    else:
        yield {"parquet": _parquet, "json": _json, "csv": _csv}[form](path, name)


def _parquet(path: Path, name: str) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name}: the Parquet file is damaged or cut short ({error}); get it again") from error
    columns = [[_text(v) for v in table.column(i).to_pylist()] for i in range(table.num_columns)]
    return Sheet(name, [list(table.column_names), *zip(*columns, strict=True)])


def _csv(path: Path, name: str) -> Sheet:
    text = path.read_text(encoding="utf-8-sig")
    top = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",;\t", key=top.count)
    try:
        rows = [
            [c.strip() for c in row]
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        ]
    except csv.Error as error:
        raise SourceError(f"{name}: is not a csv table ({error})") from error
    return Sheet(name, rows)


def _json(path: Path, name: str) -> Sheet:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SourceError(f"{name}: is not valid JSON ({error}); was the download cut short?") from error
    about = {k: _text(v) for k, v in document.items() if k != "results"} if isinstance(document, dict) else {}
    records = document.get("results") if isinstance(document, dict) else document
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        return Sheet(name, [])
    names = list(dict.fromkeys(k for r in records for k in r))
    return Sheet(name, [names, *[[_text(r[n]) if n in r else "" for n in names] for r in records]], about=about)


def _xlsx(path: Path, name: str) -> Iterator[Sheet]:
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a workbook's missing styles and unknown extensions are no one's concern here
        # From an open file, because the library judges a path by its suffix.
        with path.open("rb") as raw:
            book = openpyxl.load_workbook(raw, read_only=True, data_only=True)
            for page in book.worksheets:
                page.reset_dimensions()
                rows = [[_shown(c.value, c) for c in row] for row in page.iter_rows()]
                yield Sheet(f"{name} [{page.title}]", rows, page.title)


def _shown(value: Any, cell: Any) -> str:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return _padded(value, cell.number_format) if numeric else _text(value)


def _xls(path: Path, name: str) -> Iterator[Sheet]:
    import xlrd

    try:
        book = xlrd.open_workbook(path, formatting_info=True, logfile=io.StringIO())
    except (xlrd.XLRDError, xlrd.compdoc.CompDocError) as error:
        raise ValueError(str(error)) from error
    for page in book.sheets():
        rows = [[_old(book, cell) for cell in page.row(y)] for y in range(page.nrows)]
        yield Sheet(f"{name} [{page.name}]", rows, page.name)


def _old(book: Any, cell: Any) -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_NUMBER:
        return _padded(cell.value, book.format_map[book.xf_list[cell.xf_index].format_key].format_str)
    if cell.ctype == xlrd.XL_CELL_DATE:
        return _text(xlrd.xldate_as_datetime(cell.value, book.datemode).time())
    return _text(cell.value)


def _padded(value: float, shape: str) -> str:
    if re.fullmatch("0+", shape or "") and len(shape) > 1 and value == int(value):
        return str(int(value)).zfill(len(shape))
    return str(value)


def _text(value: Any) -> str:
    """Return a cell as text; `1:1`, which a spreadsheet takes for a time of day, is read back."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if hasattr(value, "hour") and hasattr(value, "minute"):
        return f"{value.hour}:{value.minute}"
    return str(value).strip()


def _guarded(reader: Callable[[Path, str], Iterator[Sheet]], path: Path, name: str) -> Iterator[Sheet]:
    """Turn what a workbook library throws at a damaged file into one error of ours."""
    damage = (zipfile.BadZipFile, ParseError, KeyError, ValueError, EOFError, IndexError, AssertionError, struct.error)
    try:
        yield from list(reader(path, name))
    except damage as error:
        raise SourceError(
            f"{name}: the workbook is damaged or of a kind that cannot be read ({error}); get it again"
        ) from error
