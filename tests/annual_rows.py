"""Flows by hand, and reference tables of end use, for the tests of aggregates."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autarky import engine, references
from autarky.settle import coverage_of
from autarky.tables import COLUMNS, Flows, Origin

_HEAD = (
    "HS,HS6,BEC5Code1,BEC5Code2,BEC5EndUse,BEC5Category,"
    "BEC5Processing,BEC5Specification,BEC5Durability,BEC4Code,BEC4ENDUSE,BEC4INT,BEC4CONS,BEC4CAP"
)
# product, BEC5, second BEC5, BEC4
USES = (
    ("010129", "1111", "", "111"),
    ("271111", "213101", "2111", "322"),
    ("280461", "211210", "", "22"),
    ("392690", "211220", "213202", "62"),
    ("740400", "2112", "", "21"),
    ("848620", "612010", "", "41"),
    ("851712", "613202", "612020", "41"),
    ("854231", "611220", "", "42"),
    ("870310", "513202", "512020", "51"),
    ("903180", "612010", "", "41"),
    ("930599", "813202", "", "7"),
    ("950300", "713202", "", "22"),
)


def tables(where: Path) -> Path:
    """Return a reference with the end use of a few products of HS2012 and HS2017, in the UN's shape."""
    files = where / "files"
    files.mkdir()
    lines = [f"H{n},{p},{one},{two},x,x,,,,{four},x,1,0,0" for n in (4, 5) for p, one, two, four in USES]
    (files / "use.csv").write_text("\n".join([_HEAD, *lines, ""]), encoding="utf-8")
    references.add(files, where / "reference")
    return where / "reference"


def un(where: Path) -> Path:
    """Return a reference with the UN's own tables, which are not part of the repository."""
    source = Path(__file__).parents[2] / "shared" / "reference"
    if not source.is_dir():
        pytest.skip(f"no UN tables here: {source} is absent (they are not part of the repository)")
    references.add(source, where)
    return where


def flows(rows: list[dict[str, Any]], **columns: Any) -> Flows:
    """Return flows of rows, each with at least product and value_usd; `year` or `period` says when."""
    fixed = {"freq": "A", "reporter": "CHN", "partner": "WLD", "area": None, "flow": "import"}
    fixed |= {"nomenclature": "HS2017", "weight_kg": None, "valuation": "CIF", "source": "made"}
    full = []
    for row in rows:
        period = row.get("period") or datetime.date(row.get("year", 2020), 1, 1)
        full.append(fixed | columns | {k: v for k, v in row.items() if k != "year"} | {"period": period})
    frame = pd.DataFrame(full)
    con = engine.connect()
    table = engine.lookup(con, {c: [None if v != v else v for v in frame[c]] for c in COLUMNS})
    table = table.mutate(area=table.area.cast("string"), weight_kg=table.weight_kg.cast("float64"))
    table = table.mutate(value_usd=table.value_usd.cast("float64"))
    origins = tuple(
        Origin(s, f"made as {s}", "us", "https://example.org", "none") for s in dict.fromkeys(frame["source"])
    )
    return Flows(table, (), origins, coverage_of(con, table, {}))


def year(year: int, **values: float | None) -> list[dict[str, Any]]:
    """Return annual rows `p854231=3.0`."""
    return [{"year": year, "product": p.removeprefix("p"), "value_usd": v} for p, v in values.items()]


def months(year: int, product: str, values: list[float], first: int = 1, **columns: Any) -> list[dict[str, Any]]:
    """Return monthly rows of one product, from month `first` on."""
    return [
        {"period": datetime.date(year, first + i, 1), "freq": "M", "product": product, "value_usd": v, **columns}
        for i, v in enumerate(values)
    ]
