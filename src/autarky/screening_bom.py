"""Read a bill of materials: CSV or Excel with any column names, a line that cannot be read kept and named."""

from __future__ import annotations

import csv
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from autarky import snapshots
from autarky.errors import SourceError, listed

FIELDS = ("code", "text", "nomenclature")
# Headers that say what they hold; compared in lower case, letters and digits only.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "code": (
        "code", "hs", "hscode", "hs6", "hs8", "hs10", "hts", "htscode", "hts10", "cn8", "cncode", "gacc10", "product",
        "productcode", "tariffcode", "tariffnumber", "commoditycode", "customscode", "customstariffnumber", "海关编码",
        "商品编码", "商品编号", "税号",
    ),
    "text": (
        "text", "description", "item", "itemdescription", "itemname", "itemtext", "name", "productname",
        "productdescription", "goodsdescription", "commodity", "material", "materialdescription", "partdescription",
        "品名", "商品名称", "名称", "描述",
    ),
    "nomenclature": ("nomenclature", "codesystem", "classification"),
}  # fmt: skip
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx")


def read(path: str | Path, mapping: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the lines of a bill of materials.

    Parameters
    ----------
    path : .csv, .tsv or .txt (comma, semicolon or tab; UTF-8 or GB18030), or .xlsx (first sheet); the first row is
        the header
    mapping : field (code, text, nomenclature) → name of its column; the others are found by their usual names

    Returns
    -------
    row (number in the file, the header being 1), code, text, nomenclature as far as there are such columns, and
    problem: why a line could not be read, else null

    Raises
    ------
    SourceError : no such file, not a table, a mapped column that is absent; no column of codes is found, unless
    `mapping`
        names a column of texts to screen by alone
    """
    file = Path(path)
    if not file.is_file():
        raise SourceError(f"{file}: there is no such file")
    if file.suffix.lower() not in SUFFIXES:
        raise SourceError(f"{file.name}: a bill of materials is read from {', '.join(SUFFIXES)}")
    with tempfile.TemporaryDirectory(prefix="autarky-") as directory:
        records = _sheet(file) if file.suffix.lower() == ".xlsx" else _text(file, Path(directory))
        header = [str(name or "").strip() for name in next(records, ([], 0))[0]]
        columns = _columns(file.name, header, mapping or {})
        lines = [_line(record, row, len(header), columns) for record, row in records if any(_filled(v) for v in record)]
    return pd.DataFrame(lines, columns=["row", *columns, "problem"], dtype=object)


def _columns(name: str, header: list[str], mapping: Mapping[str, str]) -> dict[str, int]:
    """Return field → position of its column."""
    named = [h for h in header if h]
    if not named:
        raise SourceError(f"{name}: the first row is empty; it should name the columns")
    for field, column in mapping.items():
        if field not in FIELDS:
            raise SourceError(f"--map {field}={column}: the fields are {', '.join(FIELDS)}")
        if header.count(column) != 1:
            many = "more than one column" if column in header else "no column"
            raise SourceError(f"{name}: there is {many} {column!r}; the columns are {listed(named, 12)}")
    plain = [re.sub(r"[\W_]+", "", h).lower() for h in header]
    found = {}
    for field in FIELDS:
        usual = [k for k in KNOWN[field] if k in plain]
        if field in mapping:
            found[field] = header.index(mapping[field])
        elif usual:
            found[field] = plain.index(usual[0])
    if "code" not in found and "text" not in mapping:
        text = f"text={header[found['text']]}" if "text" in found else "text=COLUMN"
        raise SourceError(
            f"{name}: no column of codes was found; the columns are {listed(named, 12)}. Name it with "
            f"--map code=COLUMN, or screen by the words alone with --map {text}"
        )
    return found


def _line(record: list[Any], row: int, width: int, columns: Mapping[str, int]) -> tuple[Any, ...]:
    extra = [v for v in record[width:] if _filled(v)]
    problem = f"{len(record)} fields, but the header has {width}" if extra else None
    values = [record[place] if place < len(record) else None for place in columns.values()]
    return (row, *(v if _filled(v) else None for v in values), problem)


def _filled(value: Any) -> bool:
    return value is not None and str(value).strip() != ""


def _text(file: Path, directory: Path) -> Iterator[tuple[list[Any], int]]:
    """Yield the records of a text file, with their numbers."""
    raw = snapshots.decoded(snapshots.Raw(file, file.name, "csv"), directory)
    with raw.path.open(encoding="utf-8-sig", newline="") as source:
        header = source.readline()
        source.seek(0)
        delimiter = max(",;\t", key=header.count)
        try:
            yield from ((record, row) for row, record in enumerate(csv.reader(source, delimiter=delimiter), 1))
        except csv.Error as error:
            raise SourceError(f"{file.name}: not a text table ({error})") from error


def _sheet(file: Path) -> Iterator[tuple[list[Any], int]]:
    """Yield the rows of the first sheet of a workbook."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError) as error:
        raise SourceError(f"{file.name}: not an Excel workbook, or damaged ({error})") from error
    for row, record in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
        yield list(record), row
    book.close()
