"""The tables of the house: what a flow, a measure, an origin and a ledger line hold.  (The data dictionary.)"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autarky.errors import MeasureError, TableError, listed

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

WORLD = "WLD"

COLUMNS: dict[str, tuple[str, str]] = {
    "period": ("date", "first day of the month or year"),
    "freq": ("string", "M (monthly) or A (annual)"),
    "reporter": ("string", "ISO 3166-1 alpha-3 of the area whose trade it is"),
    "partner": ("string", "ISO 3166-1 alpha-3; WLD = world total as reported; other areas keep a named code"),
    "area": ("string", "subnational area of the reporter, ISO 3166-2; null = the whole reporter"),
    "flow": ("string", "import or export"),
    "nomenclature": ("string", "code system of `product`: HS1992…HS2022, GACC8, CN8, HTS10, BEC4, BEC5, SITC4"),
    "product": ("string", "code with its leading zeros; TOTAL = all products as reported"),
    "value_usd": ("float64", "current US dollars; null = not reported"),
    "weight_kg": ("float64", "net weight; null = not reported"),
    "valuation": ("string", "CIF, FOB or unknown"),
    "source": ("string", "id of the Origin"),
}
KEY = ("period", "freq", "reporter", "partner", "area", "flow", "nomenclature", "product", "source")
# Constant over a file of the store, so they live in its path and cost nothing to write, read or filter by.
PLACED = ("source", "nomenclature", "flow", "freq", "valuation", "year")
STORED = tuple(c for c in COLUMNS if c not in PLACED)
SORTED = ("product", "reporter", "partner", "period", "area")

FLOWS = ("import", "export")
FREQS = ("A", "M")
VALUATIONS = ("CIF", "FOB", "unknown")

# Number of digits that a code of each system may have: its own level and the aggregates printed with it.
LEVELS: dict[str, tuple[int, ...]] = {
    **{f"HS{edition}": (2, 4, 6) for edition in (1992, 1996, 2002, 2007, 2012, 2017, 2022)},
    "GACC8": (2, 4, 6, 8),
    "CN8": (2, 4, 6, 8),
    "HTS10": (2, 4, 6, 8, 10),
    "BEC4": (1, 2, 3),
    "BEC5": (1, 2, 3, 4, 5, 6, 7),
    **{f"SITC{revision}": (1, 2, 3, 4, 5) for revision in (1, 2, 3, 4)},
}


@dataclass(frozen=True)
class Origin:
    """Where figures come from: the card of a source or of one edition of it."""

    id: str
    title: str
    publisher: str
    url: str
    licence: str
    note: str = ""
    synthetic: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.id):
            raise TableError(f"source id {self.id!r}: use letters, digits, '.', '_' and '-' only")


@dataclass(frozen=True)
class FileRecord:
    """One raw file as it was read: name, SHA-256 of its bytes, size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class LedgerLine:
    """What one step did to rows and value (US dollars unless `note` says otherwise)."""

    step: str
    rows_in: int
    rows_out: int
    value_in: float
    value_out: float
    note: str = ""


@dataclass
class Ledger:
    """The account of rows and value from raw file to result, in order."""

    lines: list[LedgerLine] = field(default_factory=list)

    def add(self, step: str, rows: tuple[int, int], value: tuple[float, float], note: str = "") -> None:
        """Append a line; `rows` and `value` are (in, out)."""
        self.lines.append(LedgerLine(step, rows[0], rows[1], value[0], value[1], note))

    def records(self) -> list[dict[str, Any]]:
        """Return the lines as dictionaries, in order."""
        return [dataclasses.asdict(line) for line in self.lines]


@dataclass(frozen=True)
class Account:
    """What one reading of files did: the sources that it fed, the raw files, the ledger."""

    sources: tuple[str, ...]
    files: tuple[FileRecord, ...]
    lines: tuple[LedgerLine, ...]


@dataclass(frozen=True)
class Part:
    """One Parquet file of flows whose `PLACED` columns are constant; `coverage` says what it holds."""

    path: str
    placed: dict[str, str | int]
    rows: int
    value_usd: float
    coverage: pd.DataFrame


@dataclass(frozen=True)
class Condition:
    """`field = one of values` (or none of them, when `negated`)."""

    field: str
    values: tuple[str, ...]
    negated: bool = False

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read `F=V[,V…]` or `F!=V[,V…]`."""
        match = re.fullmatch(r"([a-z0-9_]+)(!?)=(.*)", text, re.DOTALL)
        if not match:
            raise MeasureError(f"condition {text!r}: expected FIELD=VALUE[,VALUE…] or FIELD!=VALUE[,VALUE…]")
        name, negated, values = match.groups()
        if name not in FIELDS:
            raise MeasureError(f"condition {text!r}: there is no field {name!r}; fields are {', '.join(FIELDS)}")
        return cls(name, tuple(v.strip() for v in values.split(",")), bool(negated))


DERIVED = ("year", "level", "hs2", "hs4", "hs6")
FIELDS = (*COLUMNS, *DERIVED)


def column(table: ir.Table, name: str) -> ir.Value:
    """Return a column of flows, or one derived from it: year, level (digits of the code; 0 = TOTAL), hs2, hs4, hs6."""
    import ibis

    if name in table.columns:
        return table[name]
    if name == "year":
        return table.period.year()
    if name == "level":
        return ibis.cases((table["product"] == "TOTAL", 0), else_=table["product"].length())
    if name in DERIVED:
        digits = int(name[2:])
        return ibis.cases((table["product"].length() >= digits, table["product"].substr(0, digits)))
    raise MeasureError(f"there is no field {name!r}; fields are {', '.join(FIELDS)}")


@dataclass(frozen=True)
class Flows:
    """A valid table of trade flows.

    Attributes
    ----------
    table : ibis table with (at least) `COLUMNS`
    accounts : the readings that led to it, oldest first
    origins : the cards of the sources in it
    coverage : data frame, a row a (source, nomenclature, flow, freq, valuation, reporter, period, level, world, areas):
        `rows` and `value_usd`. `level` = digits of the code, `world` = partner is WLD, `areas` = area is not null
    parts : the Parquet files that hold it (empty once it is filtered)
    disjoint : whether no code in it is an aggregate of another, whatever their lengths (converted flows)
    """

    table: ir.Table
    accounts: tuple[Account, ...]
    origins: tuple[Origin, ...]
    coverage: pd.DataFrame
    parts: tuple[Part, ...] = ()
    disjoint: bool = False

    @property
    def ledger(self) -> Ledger:
        """What happened to rows and value, of the sources that are still in it."""
        return Ledger([line for account in self._held() for line in account.lines])

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """The raw files of the sources that are still in it."""
        return tuple(dict.fromkeys(f for account in self._held() for f in account.files))

    def _held(self) -> list[Account]:
        sources = set(self.coverage["source"])
        return [a for a in self.accounts if sources & set(a.sources)]

    @property
    def synthetic(self) -> bool:
        """Whether any of it is synthetic."""
        return any(origin.synthetic for origin in self.origins if origin.id in set(self.coverage["source"]))

    def where(
        self,
        conditions: Iterable[Condition] = (),
        since: datetime.date | None = None,
        until: datetime.date | None = None,
    ) -> Flows:
        """Keep the rows that meet every condition, from period `since` to period `until` (inclusive)."""
        table, coverage = self.table, self.coverage
        for condition in conditions:
            if condition.field == "source":
                condition = self._of_sources(condition)
            table = table.filter(_holds(table, condition))
            coverage = _narrow(coverage, condition)
        if since:
            table = table.filter(column(table, "year") >= since.year, table.period >= since)
            coverage = coverage[coverage["period"] >= since]
        if until:
            table = table.filter(column(table, "year") <= until.year, table.period <= until)
            coverage = coverage[coverage["period"] <= until]
        return dataclasses.replace(self, table=table, coverage=coverage, parts=())

    def _of_sources(self, condition: Condition) -> Condition:
        """Let a source's name stand for its editions: `baci` for `baci-V202501`."""
        held = set(self.coverage["source"])
        found = [s for s in sorted(held) if any(s == v or s.startswith(f"{v}-") for v in condition.values)]
        return dataclasses.replace(condition, values=tuple(found) or condition.values)

    def check_unmixed(self, by: Sequence[str], over: Sequence[str]) -> None:
        """Refuse to add what must not be added together.

        Raises
        ------
        TableError : two sources, flows, nomenclatures or frequencies for one reporter and period; a world total and
            its partners; a country total and its areas; an aggregate code and its children
        """
        kept = set(by) | set(over)
        for name, advice in _EXCLUSIVE.items():
            if name not in kept:
                self._refuse_two(name, advice)
        if "partner" not in by:
            self._refuse_two("world", "the world total and its partner rows: add --where partner!=WLD, or partner=WLD")
        if "area" not in by:
            self._refuse_two(
                "areas", "the country total and its areas: add --where area= (the total) or area!=, or --by area"
            )
        if not self.disjoint and not {"product", "level", "hs6"} & set(by):
            self._refuse_two("level", "aggregate codes and their children: add --where level=DIGITS, or --by product")

    def _refuse_two(self, name: str, advice: str) -> None:
        cells = [c for c in ("reporter", "period", *_EXCLUSIVE) if c != name and c != "freq"]
        if name == "freq":
            cells = [c for c in cells if c != "period"]
        groups = self.coverage.groupby(cells, dropna=False)[name]
        mixed = groups.nunique()
        mixed = mixed[mixed > 1]
        if len(mixed):
            found = sorted({str(v) for v in self.coverage[name].unique()})
            where = [" ".join(str(k) for k in key) for key in mixed.index[:5]]
            hint = "" if name in ("world", "areas") else f" (found {listed(found, 8)})"
            count = f"{len(mixed)} cells hold" if len(mixed) > 1 else "1 cell holds"
            raise TableError(f"{count} {advice}{hint}. These are not added together. First: {listed(where, 3)}")


_EXCLUSIVE = {
    "source": "two sources for the same flow: name one with --source",
    "flow": "both flows: add --where flow=import or flow=export, or --by flow",
    "nomenclature": "two code systems for the same flow: add --where nomenclature=…, or --by nomenclature",
    "freq": "monthly and annual rows of the same flow: add --where freq=M or freq=A, or --by freq",
}


def _holds(table: ir.Table, condition: Condition) -> ir.BooleanValue:
    target = column(table, condition.field)
    empty = "" in condition.values
    values: list[Any] = [v for v in condition.values if v != ""]
    if condition.field in ("year", "level"):
        if not all(v.isdigit() for v in values):
            raise MeasureError(f"{condition.field}={','.join(values)}: expected whole numbers")
        values = [int(v) for v in values]
    if condition.field == "period":
        values = [parse_period(v) for v in values]
    if condition.field in ("value_usd", "weight_kg") and values:
        raise MeasureError(f"{condition.field}: only missing values can be asked for, as `{condition.field}=`")
    found = target.isin(values) if values else target.isnull() & False
    found = found | target.isnull() if empty else found
    if condition.field == "period" and not condition.negated:
        # A store's files are known by their year, so that those of other years are not even opened.
        found = found & column(table, "year").isin(sorted({v.year for v in values}))
    return ~found if condition.negated else found


def _narrow(coverage: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    """Apply a condition to the coverage as far as the coverage can tell."""
    name, values = condition.field, set(condition.values)
    if name == "partner":
        world = coverage["world"]
        if condition.negated:
            return coverage[~world] if WORLD in values else coverage
        return coverage[(world & (WORLD in values)) | (~world & bool(values - {WORLD}))]
    if name == "area":
        wants_total = ("" in values) != condition.negated
        wants_areas = condition.negated or bool(values - {""})
        return coverage[(~coverage["areas"] & wants_total) | (coverage["areas"] & wants_areas)]
    if name == "product" and not condition.negated:
        return coverage[coverage["level"].isin({0 if v == "TOTAL" else len(v) for v in values})]
    if name in ("hs2", "hs4", "hs6") and not condition.negated:
        return coverage[coverage["level"] >= int(name[2:])]
    if name == "year":
        held = coverage["period"].map(lambda d: str(d.year)).isin(values)
    elif name == "period":
        held = coverage["period"].isin({parse_period(v) for v in values})
    elif name in coverage.columns:
        held = coverage[name].astype(str).isin(values)
    else:
        return coverage
    return coverage[~held] if condition.negated else coverage[held]


def parse_period(text: str) -> datetime.date:
    """Read `2015`, `2015-03` or `2015-03-01` as the first day of that year or month."""
    match = re.fullmatch(r"(\d{4})(?:-?(\d{2}))?(?:-?01)?", text.strip())
    try:
        if not match:
            raise ValueError
        return datetime.date(int(match[1]), int(match[2] or 1), 1)
    except ValueError:
        raise MeasureError(f"period {text!r}: expected a year (2015) or a month (2015-03)") from None


def parse_until(text: str) -> datetime.date:
    """Like `parse_period`; a year means up to its December."""
    start = parse_period(text)
    return start.replace(month=12) if len(text.strip()) == 4 else start
