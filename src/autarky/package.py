"""Findings to a data package: tables as CSV and Parquet, the ledger, and a descriptor with the hash of each file."""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import autarky
from autarky.errors import TableError, listed
from autarky.findings import Column, Figure, Findings, Table

if TYPE_CHECKING:
    import pyarrow as pa

SYNTHETIC = "Synthetic data: no figure on this page is a figure of the world"
MARK = Column("data", "Data", "text", "synthetic: no figure in this row is a figure of the world")
DESCRIPTOR = "datapackage.json"

# form -> type of a Frictionless field
_FIELDS = {
    "text": "string", "integer": "integer", "number": "number", "share": "number", "share2": "number",
    "usd": "number", "scientific": "number",
    "month": "date", "boolean": "boolean",
}  # fmt: skip
_MEDIA = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "svg": "image/svg+xml",
    "png": "image/png",
    "html": "text/html",
}
_GIVEN = "sum of value that the step was given, to the dollar; unless the note says otherwise"
_LEDGER = (
    Column("step", "Step", "text", "what was done"),
    Column("rows_in", "Rows in", "integer", "rows that the step was given"),
    Column("rows_out", "Rows out", "integer", "rows that it returned"),
    Column("value_in", "Value in", "usd", _GIVEN, "USD"),
    Column("value_out", "Value out", "usd", _GIVEN.replace("the step was given", "it returned"), "USD"),
    Column("note", "Note", "text", "what the step did to rows and value, and why"),
)


class File(NamedTuple):
    """A file of the package: where it goes, what it shows (None: the page), its bytes."""

    path: str
    what: Table | Figure | None
    content: bytes


def checked(findings: Findings) -> list[Table]:
    """Return the tables, the ledger last, once every name and column is as it should be."""
    import pandas as pd

    ledger = pd.DataFrame(findings.ledger.records(), columns=[c.name for c in _LEDGER])
    # An engine adds in the order in which its threads finish, so the last digits of a sum change from run to run.
    ledger = ledger.round({"value_in": 0, "value_out": 0})
    note = "What happened to rows and value at every step, from the raw files to the result."
    tables = [*findings.tables, Table("ledger", "Ledger", ledger, _LEDGER, note)]
    for kind, names in (("table", [t.name for t in tables]), ("figure", [f.name for f in findings.figures])):
        bad = [n for n in names if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", n) or names.count(n) > 1]
        if bad:
            raise TableError(
                f"{kind} names {listed(bad)}: use a-z, 0-9, '_' and '-', each name once ('ledger' is taken)"
            )
    known = {t.name for t in findings.tables} | {f.name for f in findings.figures}
    unknown = [i for section in findings.sections for i in section.items if i not in known]
    if unknown:
        raise TableError(f"sections name {listed(unknown)}, and no table or figure has that name")
    for table in tables:
        held, wanted = list(table.frame.columns), [c.name for c in table.columns]
        if sorted(held) != sorted(wanted):
            raise TableError(f"table {table.name!r}: the frame holds {held}, its columns are {wanted}")
        if findings.synthetic and MARK.name in wanted:
            raise TableError(f"table {table.name!r}: a column {MARK.name!r} is taken by the mark of synthetic data")
    return tables


def tabulated(tables: Sequence[Table], synthetic: bool) -> Iterator[File]:
    """Yield the files of the tables: CSV and Parquet, of the ledger CSV alone."""
    for table in tables:
        arrow = _arrow(table, synthetic)
        if table.name == "ledger":
            yield File("ledger.csv", table, _csv(arrow))
        else:
            yield File(f"tables/{table.name}.csv", table, _csv(arrow))
            yield File(f"tables/{table.name}.parquet", table, _parquet(arrow))


def save(findings: Findings, files: Sequence[File], out: Path) -> None:
    """Write the files into a directory, the descriptor last: a directory without it is not complete.

    What an earlier package in the directory had and this one has not is removed; every other file stays as it is.
    """
    leftovers = list(_leftovers(out, {file.path for file in files}))
    for folder in (out / "tables", out / "figures"):
        folder.mkdir(parents=True, exist_ok=True)
    for leftover in leftovers:
        leftover.unlink()
    (out / DESCRIPTOR).unlink(missing_ok=True)
    for file in files:
        (out / file.path).write_bytes(file.content)
    descriptor = json.dumps(_descriptor(findings, files), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (out / DESCRIPTOR).write_text(descriptor, encoding="utf-8", newline="\n")


def _leftovers(out: Path, kept: set[str]) -> Iterator[Path]:
    """Yield the tables and figures that the descriptor in a directory lists, that are as listed, and not kept."""
    try:
        old = json.loads((out / DESCRIPTOR).read_text(encoding="utf-8"))
        # Another program's package is none of ours to tidy up.
        held = [(r["path"], r["hash"]) for r in old["resources"] if old["autarky"]]
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return
    for path, digest in held:
        ours = isinstance(path, str) and re.fullmatch(r"(tables|figures)/[a-z0-9][a-z0-9_-]*\.[a-z]+", path)
        if ours and path not in kept and (out / path).is_file() and _hash((out / path).read_bytes()) == digest:
            yield out / path


def _hash(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _published(table: Table, synthetic: bool) -> tuple[Column, ...]:
    return (*table.columns, MARK) if synthetic else table.columns


def _arrow(table: Table, synthetic: bool) -> pa.Table:
    """Return the unrounded figures with one type a form, and null for what is not a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = {"integer": pa.int64(), "month": pa.date32(), "boolean": pa.bool_(), "text": pa.string()}
    frame = table.frame.assign(**{MARK.name: "synthetic"}) if synthetic else table.frame
    arrays, fields = [], []
    for column in _published(table, synthetic):
        kind = types.get(column.form, pa.float64())
        values = [plain(v) for v in frame[column.name].tolist()]
        where = f"table {table.name!r}, column {column.name!r}"
        try:
            array = pa.array([str(v) if v is not None and column.form == "text" else v for v in values], type=kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise TableError(f"{where}: not {column.form}: {error}") from error
        if kind == pa.float64() and pc.any(pc.is_inf(array)).as_py():
            raise TableError(f"{where}: an infinite figure; what is undefined is null")
        arrays.append(array)
        said = {"description": column.meaning, "unit": column.unit, "heading": column.heading}
        fields.append(pa.field(column.name, kind, metadata=said))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def plain(value: Any) -> Any:
    """Return a value of a frame as Python's own: None for every kind of missing, a date for every kind of time."""
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, pd.Period):
        value = value.to_timestamp()
    return value.date() if isinstance(value, datetime.datetime) else value


def _csv(table: pa.Table) -> bytes:
    """Write every figure with as many digits as it takes to read the same one back."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    truth = {True: "true", False: "false"}
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        writer.writerow([truth[v] if isinstance(v, bool) else v for v in row])
    return text.getvalue().encode()


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(table, content, compression="zstd")
    return content.getvalue()


def as_json(value: Any) -> Any:
    """Return parameters as JSON can hold them; sets are sorted, as their own order changes from run to run."""
    if isinstance(value, Mapping):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(str(v) for v in value)
    if isinstance(value, list | tuple):
        return [as_json(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _descriptor(findings: Findings, files: Sequence[File]) -> dict[str, Any]:
    """Return what a Frictionless Data Package (v1) says of itself."""
    mark = "Synthetic data: " if findings.synthetic else ""
    origins = [{"title": f"{o.title} ({o.publisher})", **_web(o.url), "id": o.id} for o in findings.origins]
    raw = [{"title": f.name, "bytes": f.size, "hash": f"sha256:{f.sha256}"} for f in findings.files]
    licenses = {o.licence: {"name": _slug(o.licence), "title": o.licence} for o in findings.origins if o.licence}
    return {
        "profile": "data-package",
        "name": _slug(findings.study).lower(),
        "title": mark + findings.title,
        "description": findings.subtitle,
        **({"synthetic": True} if findings.synthetic else {}),
        **({"sources": origins + raw} if origins or raw else {}),
        **({"licenses": list(licenses.values())} if licenses else {}),
        "parameters": as_json(findings.parameters),
        "autarky": autarky.__version__,
        "resources": [_resource(file, findings.synthetic) for file in files],
    }


def _resource(file: File, synthetic: bool) -> dict[str, Any]:
    stem, form = file.path.rsplit(".", 1)
    prefix = stem.replace("tables/", "table-").replace("figures/", "figure-")
    found: dict[str, Any] = {
        "name": prefix if form == "csv" else f"{prefix}-{form}",
        # Readers of packages would take Parquet for a table without a schema, and guess one.
        "type": "table" if form == "csv" else "file",
        "title": file.what.title if file.what else "Report",
        "path": file.path,
        "profile": "tabular-data-resource" if form == "csv" else "data-resource",
        "format": form,
        "mediatype": _MEDIA[form],
        "bytes": len(file.content),
        "hash": _hash(file.content),
    }
    if isinstance(file.what, Figure):
        return {**found, "description": file.what.caption}
    if form != "csv" or file.what is None:
        return found
    note = f"{SYNTHETIC}. {file.what.note}".strip() if synthetic else file.what.note
    schema = {"fields": [_field(c) for c in _published(file.what, synthetic)], "missingValues": [""]}
    return {**found, "encoding": "utf-8", **({"description": note} if note else {}), "schema": schema}


def _field(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": column.name,
        "type": _FIELDS[column.form],
        "title": column.heading,
        "description": column.meaning,
    }
    if column.form == "boolean":
        found |= {"trueValues": ["true"], "falseValues": ["false"]}
    return {**found, "unit": column.unit} if column.unit else found


def _web(url: str) -> dict[str, str]:
    return {"path": url} if re.match(r"https?://", url) else {}


def _slug(text: str) -> str:
    return re.sub(r"[^-a-zA-Z0-9._]+", "-", text).strip("-") or "unnamed"
