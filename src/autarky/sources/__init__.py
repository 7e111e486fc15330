"""Sources: one file each, with `SUFFIXES`, `SIGNATURE` and `parse`; found by folder.  They read; they never fetch.

`parse(con, raw, options, context, numbered)` returns how one raw table reads (`reader.Parsed`), or None for a file
that only helps to read others (a country file, a read-me).  `context` is the source's own notes from file to file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import ibis

from autarky import codes, engine, registry
from autarky.errors import SourceError, listed

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from autarky.reader import Options
    from autarky.snapshots import Raw

Problem = tuple[Any, Any]


def text_table(con: Any, raw: Raw, numbered: bool, delimiter: str = ",", *, trim: bool = True) -> ir.Table:
    """Return a raw csv, json or parquet file as a table of text, without blanks around it unless `trim` is off."""
    if raw.kind == "csv":
        table = engine.read_text(con, raw.path, delimiter, numbered=numbered)
    elif raw.kind == "json":
        table = engine.read_json(con, raw.path, numbered=numbered)
    elif raw.kind == "parquet":
        table = engine.read_parquet_text(con, raw.path, numbered=numbered)
    else:
        raise SourceError(f"{raw.name}: cannot read a .{raw.kind} file; expected csv, json or parquet")
    return trimmed(con, table) if trim else table


def trimmed(con: Any, table: ir.Table) -> ir.Table:
    """Return a table of text without blanks around it.

    A look at both ends of a text costs a tenth of trimming it, and few texts need more.
    """
    texts = [table[c].cast("string").name(c) for c in table.columns if c != engine.ROW]
    plain = {t.get_name(): ibis.cases(((t.substr(0, 1) > " ") & (t.right(1) > " "), t), else_=t.strip()) for t in texts}
    return engine.once(con, table.mutate(**plain))


def need(table: ir.Table, names: Iterable[str], raw: Raw, source: str, *, mapped: bool = False) -> None:
    """Refuse a table that lacks a column; say which other source it looks like, or (if `mapped`) how to rename."""
    missing = [n for n in names if n not in table.columns]
    if not missing:
        return
    found = [c for c in table.columns if c != engine.ROW]
    message = f"{raw.name} row 1: no column {listed([repr(m) for m in missing])}; the header has {listed(found, 12)}"
    advice = "Name renamed columns with --map FIELD=COLUMN." if mapped else "Ingest the file as the service gave it."
    raise SourceError(f"{message}. {looks_like(found, source) or advice}")


def looks_like(columns: Iterable[str], source: str) -> str:
    """Say which other source a header is of; empty when none claims it."""
    for other in registry.names("sources"):
        if other != source and any(group <= set(columns) for group in registry.source(other).SIGNATURE):
            return f"It looks like a file of {other!r}: autarky ingest {other} …"
    return ""


def setting(options: Options, name: str, raw: Raw, allowed: Iterable[str] = ()) -> str:
    """Return a value that the file does not say and the user must."""
    allowed = tuple(allowed)
    if name not in options.values:
        choice = "|".join(allowed) if allowed else "VALUE"
        raise SourceError(f"{raw.name}: the file does not say its {name}; say it with --set {name}={choice}")
    value = options.values[name]
    if allowed and value not in allowed:
        raise SourceError(f"--set {name}={value}: expected {' or '.join(allowed)}")
    return value


def known_settings(
    options: Options, allowed: Iterable[str], columns: Iterable[str] = (), *, rates: bool = False
) -> None:
    """Refuse a --set, --map or (unless the source converts with `rates`) --rates that the source would ignore."""
    if options.rates is not None and not rates:
        raise SourceError(f"--rates {options.rates}: is not used by this source, whose values are in US dollars")
    allowed, columns = tuple(allowed), tuple(columns)
    for given, known, flag in ((options.values, allowed, "--set"), (options.columns, columns, "--map")):
        unknown = [name for name in given if name not in known]
        if unknown:
            takes = f"takes {', '.join(known)}" if known else "is not used by this source"
            raise SourceError(f"{flag} {unknown[0]}=…: {flag} {takes}")


def number(text: ir.StringValue) -> ir.FloatingValue:
    """Read a number; thousands commas must stand where thousands commas stand.  NaN is missing."""
    grouped = text.re_search(r"^-?\d{1,3}(,\d{3})+(\.\d+)?$")
    # An underscore between digits is a number to the engine and to nobody else.
    odd = (text.contains("_"), ibis.null("string"))
    plain = ibis.cases(odd, (text.contains(",") & grouped, text.replace(",", "")), else_=text)
    value = plain.try_cast("float64")
    return value.nullif(float("nan"))


def not_number(text: ir.StringValue, value: ir.FloatingValue, name: str, required: bool) -> list[Problem]:
    """Return the problems that a numeric field can have."""
    empty = text.isnull() | (text == "")
    nan = text.lower() == "nan"
    bad = value.isnull() & ~nan.fill_null(False) & ~empty
    problems: list[Problem] = [
        (bad.fill_null(False), said(name, text, "is not a number")),
        ((value < 0).fill_null(False), said(name, text, "is negative")),
        (value.isinf().fill_null(False), said(name, text, "is not finite")),
    ]
    if required:
        problems.append((empty, ibis.literal(f"no {name}")))
    return problems


def usable(value: ir.FloatingValue) -> ir.BooleanValue:
    """Whether a number needs no second look: there, not negative, finite."""
    return (value >= 0) & (value < float("inf"))


def said(name: str, text: ir.StringValue, what: str) -> ir.StringValue:
    """Return the message `NAME 'TEXT' WHAT`."""
    return ibis.literal(f"{name} '") + text.fill_null("") + f"' {what}"


def month(text: ir.StringValue) -> ir.DateValue:
    """Read `202401` or `2024-01` as the first day of that month; anything else is null."""
    plain = ibis.cases(((text.length() == 7) & (text.substr(4, 1) == "-"), text.replace("-", "")), else_=text)
    date = plain.substr(0, 4) + "-" + plain.substr(4, 2) + "-01"
    return ibis.cases(((plain.length() == 6) & _dated(plain), date.try_cast("date")))


def year(text: ir.StringValue) -> ir.DateValue:
    """Read `2024` as the first day of that year; anything else is null."""
    return ibis.cases(((text.length() == 4) & _dated(text), (text + "-01-01").try_cast("date")))


def _dated(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a date starts with a year that a calendar has: no sign, no year 0."""
    return text.substr(0, 1).between("1", "9")


def with_area(con: Any, table: ir.Table, code: ir.StringValue, system: str, name: str) -> ir.Table:
    """Join to a table the area that each code stands for, as column `name` (null = unknown code), and its rank."""
    known: Mapping[str, str] = codes.areas(system)
    ranks = {area: rank for rank, area in enumerate(sorted(set(known.values())))}
    columns: dict[str, list[Any]] = {
        f"_code_{name}": list(known),
        name: list(known.values()),
        f"{name}_rank": [ranks[a] for a in known.values()],
    }
    pairs = engine.lookup(con, columns)
    return table.left_join(pairs, code == pairs[f"_code_{name}"])


def bad_product(product: ir.StringValue, nomenclature: str) -> Problem:
    """Return the problem of a code that its nomenclature cannot hold."""
    tail = f"digits or signs that do not fit; {codes.expected(nomenclature)}. Was a leading zero lost?"
    message = said("product", product, "has ") + product.length().fill_null(0).cast("string") + f" {tail}"
    return codes.misformed(product, nomenclature), message
