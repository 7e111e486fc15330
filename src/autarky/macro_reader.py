"""Run a source of macro series over files: bytes in; one checked figure a key out, with the ledger.

A source of macro series says `GRAIN = "macro"` and reads one raw file with `parse(raw, options)`; what must hold for
all of them stands here: a bad row stops the run and is named by file and row, nothing is left out without a line in
the ledger, one key has one value.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pandas as pd

from autarky import registry, snapshots
from autarky.errors import SourceError, listed
from autarky.macro import COLUMNS, KEY, SERIES, Macro
from autarky.macro_parsing import Entry, Parsed
from autarky.reader import Options
from autarky.sources import known_settings
from autarky.tables import FileRecord, Ledger, Origin


@dataclass
class Reading:
    """What a run over files gave."""

    frame: pd.DataFrame
    origins: tuple[Origin, ...]
    files: list[FileRecord]
    ledger: Ledger
    rows_read: int
    refused: dict[str, int]

    def summary(self) -> str:
        """Say in one line: rows read, kept, refused (why), which series."""
        refused = sum(self.refused.values())
        why = "; ".join(f"{n:,} {reason}" for reason, n in self.refused.items())
        repeated = self.rows_read - refused - len(self.frame)
        areas = self.frame.groupby("name")["area"].nunique()
        series = "; ".join(f"{name} of {n:,} area{'s' if n > 1 else ''}" for name, n in areas.items())
        return (
            f"{self.rows_read:,} figures read, {len(self.frame):,} kept, {refused:,} refused"
            f"{f' ({why})' if why else ''}{f', {repeated:,} repeated' if repeated else ''}: {series}"
        )


def read(source: str, paths: str | Path | Iterable[str | Path], values: Mapping[str, str] | None = None) -> Macro:
    """Read files of one source of macro series, without a store.

    Parameters
    ----------
    source : "worldbank", "nbs" or "rates"
    paths : files, or directories of files
    values : what `--set` says

    Raises
    ------
    SourceError
    """
    found = [paths] if isinstance(paths, str | Path) else list(paths)
    with tempfile.TemporaryDirectory(prefix="autarky-") as scratch:
        reading = run(registry.source(source), found, Options(values=values or {}), Path(scratch))
    return Macro(reading.frame, reading.origins, tuple(reading.files), None)


def run(
    source: ModuleType,
    paths: Sequence[str | Path],
    options: Options,
    workdir: Path,
    skip: Callable[[FileRecord], bool] = lambda _: False,
) -> Reading:
    """Read files into one table, a row a key.  `skip` tells files that are already known."""
    name = source.__name__.rsplit(".", 1)[-1]
    _check_options(source, options)
    ledger = Ledger()
    kept: dict[str, tuple[Path, FileRecord]] = {}
    for path in snapshots.find(paths, source.SUFFIXES):
        file = snapshots.record(path)
        if skip(file):
            continue
        first = kept.setdefault(file.sha256, (path, file))
        if first[0] != path:
            ledger.add(f"pass over {path}", (0, 0), (0, 0), f"the same bytes as {first[0]}")
    parsed: list[tuple[str, Parsed]] = []
    for path, file in kept.values():
        known = len(parsed)
        for raw in snapshots.unpacked(path, workdir):
            plain = snapshots.decoded(raw, workdir) if raw.kind in ("csv", "json") else raw
            found = source.parse(plain, options)
            if found is not None:
                parsed.append((raw.name, found))
        if len(parsed) == known:
            raise SourceError(f"{file.name}: holds no table that {name} reads ({', '.join(source.SUFFIXES)})")
    _check_pages(parsed)
    return _settled(parsed, [file for _, file in kept.values()], ledger, options.values.get("source", name))


def _check_options(source: ModuleType, options: Options) -> None:
    if options.rates is not None:
        raise SourceError(
            f"--rates {options.rates}: is not used here; put rates into the store with `autarky ingest rates FILE`"
        )
    if options.conflict != "error":
        raise SourceError(f"--conflict {options.conflict}: a series has one figure a period; correct the file")
    known_settings(options, source.SETTINGS)


def _check_pages(parsed: list[tuple[str, Parsed]]) -> None:
    """Refuse an answer in pages of which some are missing."""
    answers: dict[tuple[str, int, int], dict[int, tuple[str, int]]] = {}
    for name, part in parsed:
        if part.page is not None:
            page = part.page
            pages = answers.setdefault((page.of, page.count, page.total), {})
            if page.number in pages:
                raise SourceError(f"{name}: is page {page.number} of {page.count}, as is {pages[page.number][0]}")
            pages[page.number] = (name, len(part.entries))
    for (of, count, total), pages in answers.items():
        missing = sorted(set(range(1, count + 1)) - set(pages))
        first = next(iter(pages.values()))[0]
        if missing:
            said = f"{len(missing)} of {count} pages of {of} are missing (page {listed([str(m) for m in missing])})"
            raise SourceError(f"{first}: {said}; ask for one page (per_page=32500), or ingest all pages in one call")
        if (rows := sum(n for _, n in pages.values())) != total:
            raise SourceError(f"{first}: {of} has {total:,} records by its own count and {rows:,} in its pages")


def _settled(parsed: list[tuple[str, Parsed]], files: list[FileRecord], ledger: Ledger, source: str) -> Reading:
    """Leave out what must not be kept and what is repeated, refuse two values of one key, and close the ledger."""
    tables = []
    for name, part in parsed:
        table = _bounded(pd.DataFrame(part.entries, columns=Entry._fields).assign(file=name))
        tables.append(table)
        units = ", ".join(sorted(table["unit"].unique()))
        rows, total = len(table), float(table["value"].sum())
        ledger.add(f"read {name}", (rows, rows), (total, total), f"{part.origin.title}; sums are in {units}")
    entries = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*Entry._fields, "file"])
    entries["period"] = pd.to_datetime(entries["period"])
    entries = entries.assign(source=source)
    start, first = len(entries), float(entries["value"].sum())
    refused: dict[str, int] = {}
    dropped = entries.loc[entries["drop"] != "", "drop"]
    for kind, rows in dropped.groupby(dropped.map(_kind), sort=False):
        # The ledger names everything that is left out; a line on the terminal has room for the kind.
        members = sorted({reason.removeprefix(f"{kind}: ") for reason in rows})
        entries = _left_out(entries, rows.index, f"{kind}: {', '.join(members)}", ledger)
        refused[str(kind)] = len(rows)
    repeated = entries.duplicated([*KEY, "value"])
    entries = (
        _left_out(entries, entries.index[repeated], "the same figure again", ledger) if repeated.any() else entries
    )
    _check_conflicts(entries)
    if files and entries.empty:
        why = "; ".join(f"{n:,} {reason}" for reason, n in refused.items()) or "there are no rows under the header"
        raise SourceError(f"{parsed[0][0]}: no figure could be kept: {why}")
    ledger.add("kept", (start, len(entries)), (first, float(entries["value"].sum())))
    frame = entries[list(COLUMNS)].sort_values(list(KEY), ignore_index=True)
    origins = {part.origin.id: part.origin for _, part in parsed}
    return Reading(frame, tuple(origins.values()), files, ledger, start, refused)


def _bounded(table: pd.DataFrame) -> pd.DataFrame:
    """Mark figures outside the bounds of their series to be left out; refuse a file where most of them are."""
    for name, series in SERIES.items():
        figures = table[(table["name"] == name) & (table["drop"] == "") & table["value"].notna()]
        outside = figures[~figures["value"].between(series.low, series.high)]
        bounds = f"{series.low:g} to {series.high:g} {series.unit}"
        if len(outside) * 2 > len(figures):
            one = outside.iloc[0]
            raise SourceError(
                f"{one['file']} row {one['row']}: {name} of {one['area']} {one['period']:%Y} is {one['value']:g} "
                f"{series.unit}, and {len(outside):,} of {len(figures):,} figures lie outside {bounds}: is the file in "
                "another unit than its source's?"
            )
        said = [f"outside {bounds}: {r.area} {r.period:%Y} ({r.value:g})" for r in outside.itertuples()]
        table.loc[outside.index, "drop"] = said
    return table


def _kind(reason: str) -> str:
    return reason.partition(": ")[0]


def _left_out(entries: pd.DataFrame, rows: pd.Index, reason: str, ledger: Ledger) -> pd.DataFrame:
    kept = entries.drop(rows)
    counts, values = (len(entries), len(kept)), (float(entries["value"].sum()), float(kept["value"].sum()))
    ledger.add("leave out", counts, values, reason)
    return kept


def _check_conflicts(entries: pd.DataFrame) -> None:
    twice = entries[entries.duplicated(list(KEY), keep=False)]
    if twice.empty:
        return
    keys = [rows for _, rows in twice.groupby(list(KEY), sort=False)]
    said = []
    for rows in keys[:5]:
        one = rows.iloc[0]
        when = f"{one['period']:%Y-%m}" if one["freq"] == "M" else str(one["period"].year)
        found = " and ".join(f"{r['value']!r} ({r['file']} row {r['row']})" for r in rows.to_dict("records"))
        said.append(f"{one['name']} of {one['area']} {when} is {found}")
    more = f"; {len(keys) - 5:,} more" if len(keys) > 5 else ""
    count = f"{len(keys):,} figures have" if len(keys) > 1 else "1 figure has"
    raise SourceError(
        f"{count} two values: {'; '.join(said)}{more}. If one file revises the other, ingest them one after the other; "
        "else correct the file."
    )
