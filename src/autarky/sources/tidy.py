"""Any tidy table (CSV, TSV, Parquet, XLSX): the user says which column is which field, and what the file leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from autarky import codes, engine, snapshots
from autarky.errors import SourceError, listed
from autarky.reader import Parsed
from autarky.sources import (
    Problem,
    bad_product,
    known_settings,
    looks_like,
    month,
    need,
    not_number,
    number,
    said,
    setting,
    text_table,
    trimmed,
    with_area,
    year,
)
from autarky.tables import COLUMNS, FLOWS, FREQS, LEVELS, PLACED, VALUATIONS, Origin

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from autarky.reader import Options

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".parquet", ".pq", ".xlsx", ".zip", ".txt")
SIGNATURE: list[set[str]] = []
ORIGIN = Origin(
    id="tidy",
    title="Table given by the user",
    publisher="as named by the user",
    url="",
    licence="as named by the user",
)
REQUIRED = ("period", "reporter", "partner", "flow", "nomenclature", "product", "value_usd")
CARD = ("title", "publisher", "url", "licence", "synthetic")
SETTABLE = (*(c for c in COLUMNS if c not in ("period", "product", "value_usd", "weight_kg")), *CARD)


def parse(con: Any, raw: snapshots.Raw, options: Options, context: dict[str, Any], numbered: bool) -> Parsed:
    """Read one table; see `reader.Parsed`."""
    known_settings(options, SETTABLE, COLUMNS)
    table = _opened(con, raw, numbered)
    fields = _fields(table, raw, options)
    source = _source(con, table, fields, options, raw)
    table = table.mutate(**{f"_{f}": v for f, v in fields.items()})
    fields = {f: table[f"_{f}"] for f in fields}
    for side in ("reporter", "partner"):
        if side in fields:
            table = with_area(con, table, fields[side], "any", f"_{side}_iso3")
    period, freq = _period(table, fields, options, raw)
    value = number(table["_value_usd"])
    problems: list[Problem] = [
        (
            period.isnull(),
            said(
                "period", table["_period"], "is not a year or month such as 2024 or 2024-01, or does not fit its freq"
            ),
        ),
        *not_number(table["_value_usd"], value, "value_usd", required=False),
    ]
    columns: dict[str, ir.Value] = {"period": period, "freq": freq, "value_usd": value}
    for side in ("reporter", "partner"):
        if side in fields:
            columns[side] = table[f"_{side}_iso3"]
            problems.append(
                (
                    columns[side].isnull(),
                    said(
                        side, table[f"_{side}"], "is not a country code (ISO 3166-1 or M49), nor a name that is known"
                    ),
                )
            )
    columns |= _rest(table, fields, problems)
    constants = _constants(raw, options, [f for f in COLUMNS if f not in columns]) | {"source": source}
    if isinstance(freq, str):
        constants["freq"] = freq
        del columns["freq"]
    problems += _product_problems(columns, constants)
    given = {k: options.values[k] for k in ("title", "publisher", "url", "licence") if k in options.values}
    card = {k: getattr(ORIGIN, k) for k in ("title", "publisher", "url", "licence")} | given
    if "title" not in given and constants["source"] != ORIGIN.id:
        card["title"] = f"{ORIGIN.title} as {constants['source']}"
    synthetic = "synthetic" in options.values and setting(options, "synthetic", raw, ("true", "false")) == "true"
    origin = Origin(source, **card, synthetic=synthetic)
    return Parsed(table, columns, constants, origin, problems)


def _opened(con: Any, raw: snapshots.Raw, numbered: bool) -> ir.Table:
    if raw.kind == "xlsx":
        return trimmed(con, _sheet(con, raw))
    delimiter = "\t" if raw.name.lower().endswith((".tsv", ".tsv.gz")) else ","
    return text_table(con, raw, numbered, delimiter)


def _sheet(con: Any, raw: snapshots.Raw) -> ir.Table:
    """Return the first sheet of a workbook as text; its first row is the header."""
    import zipfile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(raw.path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError) as error:
        raise SourceError(f"{raw.name}: not an Excel workbook, or damaged ({error})") from error
    records = book.worksheets[0].iter_rows(values_only=True)
    header = ["" if c is None else str(c).strip() for c in next(records, ())]
    names = [name for name in header if name]
    if not names:
        raise SourceError(f"{raw.name}: the first sheet is empty, or its first row is not a header")
    if len(set(names)) < len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise SourceError(f"{raw.name} row 1: the header names {', '.join(twice)} more than once")
    columns: dict[str, list[Any]] = {name: [] for name in (*names, engine.ROW)}
    for row, record in enumerate(records, 2):
        if any(c is not None for c in record):
            cells = dict(zip(header, record, strict=False))
            for name in names:
                columns[name].append(_cell(cells.get(name)))
            columns[engine.ROW].append(row)
    book.close()
    return engine.lookup(
        con, {n: pa.array(v, pa.int64() if n == engine.ROW else pa.string()) for n, v in columns.items()}
    )


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    return value.date().isoformat() if hasattr(value, "date") else str(value)


def _fields(table: ir.Table, raw: snapshots.Raw, options: Options) -> dict[str, ir.Value]:
    """Return field → text, from the columns mapped by the user or named like the field."""
    need(table, options.columns.values(), raw, "tidy", mapped=True)
    both = [f for f in options.columns if f in options.values]
    if both:
        raise SourceError(f"{both[0]} is given twice, with --map and with --set")
    names = {f: options.columns.get(f, f) for f in COLUMNS if f not in options.values}
    fields = {f: table[c] for f, c in names.items() if c in table.columns}
    missing = [f for f in REQUIRED if f not in fields and f not in options.values]
    if missing:
        found = [c for c in table.columns if c != engine.ROW]
        own = f" or the value with --set {missing[0]}=VALUE" if missing[0] in SETTABLE else ""
        advice = looks_like(found, "tidy") or f"Name the column with --map {missing[0]}=COLUMN{own}."
        raise SourceError(
            f"{raw.name} row 1: nothing says {listed(missing)}; the columns are {listed(found, 12)}. {advice}"
        )
    return fields


def _source(con: Any, table: ir.Table, fields: dict[str, ir.Value], options: Options, raw: snapshots.Raw) -> str:
    """Return the one source of the file: what the user says, what its column says, else `tidy`."""
    if "source" not in fields:
        return options.values.get("source", ORIGIN.id)
    found = engine.rows(con, table.select(source=fields["source"]).distinct().order_by("source").limit(3))[
        "source"
    ].to_pylist()
    if len(found) > 1:
        raise SourceError(
            f"{raw.name}: the column of sources holds {listed([repr(s) for s in found])}; a file comes from one "
            "source. Split the file, or say --set source=ID for all of it."
        )
    return (found[0] if found else None) or ORIGIN.id


def _period(
    table: ir.Table, fields: dict[str, ir.Value], options: Options, raw: snapshots.Raw
) -> tuple[ir.DateValue, Any]:
    # `2015-01-01 00:00:00` is how a table of dates and times prints a day.
    day = table["_period"].re_replace(r"[ T]00:00:00.*$", "")
    valid = (day.length() == 10) & (day.substr(0, 1) != "0") & day.try_cast("date").notnull()
    dated = ibis.cases((valid, (day.substr(0, 8) + "01").try_cast("date")))
    period, annual = ibis.coalesce(year(day), month(day), dated), day.length() == 4
    freq: Any = ibis.cases((annual, "A"), else_="M")
    if "freq" in options.values:
        freq = setting(options, "freq", raw, FREQS)
    elif "freq" in fields:
        freq = table["_freq"]
    # A year is no month, and a month other than the first is no year.
    fits = (period.month() == 1) & (freq == "A") | ~annual & (freq == "M")
    return ibis.cases((fits, period)), freq


def _rest(table: ir.Table, fields: dict[str, ir.Value], problems: list[Problem]) -> dict[str, ir.Value]:
    """Return the fields that are taken as they stand, after a look at them."""
    allowed = {"flow": FLOWS, "valuation": VALUATIONS, "freq": FREQS}
    columns: dict[str, ir.Value] = {}
    for name in ("flow", "nomenclature", "product", "area", "valuation", "freq", "weight_kg"):
        if name not in fields:
            continue
        text = table[f"_{name}"]
        columns[name] = text
        if name in allowed:
            problems.append((~text.isin(list(allowed[name])), said(name, text, f"is not {' or '.join(allowed[name])}")))
        if name == "weight_kg":
            columns[name] = number(text)
            problems += not_number(text, columns[name], name, required=False)
    return columns


def _constants(raw: snapshots.Raw, options: Options, absent: list[str]) -> dict[str, str]:
    values = {f: options.values[f] for f in absent if f in options.values}
    for side in ("reporter", "partner"):
        if side in values:
            known = codes.areas("any")
            if values[side] not in known:
                raise SourceError(
                    f"--set {side}={values[side]}: not a country code (ISO 3166-1 or M49), nor a name that is known"
                )
            values[side] = known[values[side]]
    if "flow" in values:
        setting(options, "flow", raw, FLOWS)
    if "nomenclature" in values:
        codes.check_nomenclature(values["nomenclature"])
    if "valuation" in absent:
        values.setdefault("valuation", "unknown")
        setting(options, "valuation", raw, VALUATIONS) if "valuation" in options.values else None
    return {f: v for f, v in values.items() if f in (*PLACED, "reporter", "partner", "area")}


def _product_problems(columns: dict[str, Any], constants: dict[str, str]) -> list[Problem]:
    product = columns["product"]
    if "nomenclature" in constants:
        return [bad_product(product, constants["nomenclature"])]
    bad = codes.misformed(product, columns["nomenclature"])
    unknown = ~columns["nomenclature"].isin(list(LEVELS)).fill_null(False)
    return [
        (unknown, said("nomenclature", columns["nomenclature"], "is not known; HS2022 or GACC8 would be")),
        (bad, said("product", product, "does not fit its nomenclature; was a leading zero lost?")),
    ]
