"""What a source of macro series reads with: rows, headers, years and figures of a raw file; what it gives: `Parsed`."""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from autarky.errors import SourceError, listed
from autarky.macro import SERIES
from autarky.snapshots import Raw
from autarky.sources import looks_like
from autarky.tables import Origin


class Entry(NamedTuple):
    """One figure of a raw file; `drop` says why it must not be kept, as "kind: member", where that is so."""

    row: int
    name: str
    area: str
    period: datetime.date
    freq: str
    value: float
    unit: str
    drop: str = ""


@dataclass(frozen=True)
class Page:
    """One page of an answer that a service gives in pages: of what, which one, of how many, rows in all pages."""

    of: str
    number: int
    count: int
    total: int


@dataclass(frozen=True)
class Parsed:
    """What one raw file holds."""

    entries: list[Entry]
    origin: Origin
    page: Page | None = None


class Refused(ValueError):
    """A row that cannot be read; its text says why."""


@dataclass
class Problems:
    """What is wrong with the rows of a file: the message names the first five and counts the rest."""

    name: str
    found: list[tuple[int, str]] = field(default_factory=list)

    @contextmanager
    def of(self, row: int) -> Iterator[None]:
        """Note what is refused inside as a problem of this row."""
        try:
            yield
        except Refused as error:
            self.found.append((row, str(error)))

    def check(self) -> None:
        """Refuse the file if any of its rows was."""
        if self.found:
            said = "; ".join(f"row {row}: {message}" for row, message in self.found[:5])
            more = f"; {len(self.found) - 5:,} more rows are not valid" if len(self.found) > 5 else ""
            raise SourceError(f"{self.name} {said}{more}")


def rows_of(raw: Raw) -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV file that are not blank, each with its line number and its fields without blanks."""
    if raw.kind != "csv":
        raise SourceError(f"{raw.name}: cannot read a .{raw.kind} file as a table; expected csv")
    found, start = [], 1
    with raw.path.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, strict=True)
        try:
            for fields in reader:
                if any(f.strip() for f in fields):
                    found.append((start, [f.strip() for f in fields]))
                start = reader.line_num + 1
        except csv.Error as error:
            raise SourceError(f"{raw.name} row {start}: not a CSV record ({error}); is the file cut short?") from error
    if not found:
        raise SourceError(f"{raw.name}: the file holds only blank lines")
    return found


def header_of(raw: Raw, row: int, fields: list[str]) -> list[str]:
    """Return the names of the columns, without the empty ones that commas at the end of the line make."""
    names = list(fields)
    while names and not names[-1]:
        names.pop()
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"{raw.name} row {row}: the header names {listed(twice)} more than once")
    return names


def no_header(raw: Raw, first: tuple[int, list[str]], wanted: Sequence[str], source: str) -> SourceError:
    """Return the error for a file without the columns by which it is known; say which other source it looks like."""
    row, fields = first
    advice = looks_like(fields, source) or "Ingest the file as the publisher gave it, with its header."
    return SourceError(
        f"{raw.name} row {row}: expected the columns {', '.join(wanted)}; found {listed(fields)}. {advice}"
    )


def records(header: list[str], body: Iterable[tuple[int, list[str]]], problems: Problems) -> Iterator[dict[str, str]]:
    """Yield each row as column → text, with its line number under "#"; a row of another length is a problem."""
    for row, fields in body:
        with problems.of(row):
            width = len(header)
            if len(fields) < width or any(fields[width:]):
                raise Refused(f"{len(fields)} fields; the header has {width}")
            yield {"#": str(row), **dict(zip(header, fields, strict=False))}


def year(text: str) -> datetime.date:
    """Read a year as its first day."""
    match = re.fullmatch(r"(\d{4})年?", text)
    if not match or not 1900 <= int(match[1]) <= 2100:
        raise Refused(f"{text!r} is not a year such as 2023")
    return datetime.date(int(match[1]), 1, 1)


_NUMBER = re.compile(r"-?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?([eE][+-]?\d+)?")


def figure(text: str, what: str, missing: Sequence[str] = ("", "..")) -> float:
    """Read a number; NaN where the file says that it is not reported."""
    if text in missing:
        return float("nan")
    if not _NUMBER.fullmatch(text):
        raise Refused(f"{what} {text!r} is not a number")
    return float(text.replace(",", ""))


def positive(value: float, name: str, said: str) -> float:
    """Refuse what no series of the house can be: zero or less.  `said` is how it stands in the file."""
    if name in SERIES and value <= 0:
        raise Refused(f"{name} {said} is not positive")
    return value
