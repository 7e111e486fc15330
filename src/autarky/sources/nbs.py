"""National Bureau of Statistics of China: gross domestic product in yuan, of the nation and of provinces.

Two shapes, in UTF-8 or GB18030: the download of data.stats.gov.cn (lines of database and time above a header with a
column a year, a line of source below) and tables by year, or by year and province (`年份[,省份],GDP总量,…`).  Figures
are in 100 million yuan (亿元) unless the heading names another unit.  Provinces do not add up to the nation: both are
kept as published, and never summed.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from autarky import codes
from autarky.errors import SourceError, listed
from autarky.macro import SERIES
from autarky.macro_parsing import (
    Entry,
    Parsed,
    Problems,
    Refused,
    figure,
    header_of,
    no_header,
    positive,
    records,
    rows_of,
    year,
)
from autarky.tables import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autarky.reader import Options
    from autarky.snapshots import Raw

GRAIN = "macro"
SUFFIXES = (".csv", ".csv.gz", ".zip", ".txt")
SETTINGS = ("source",)
SIGNATURE = [{"年份", "GDP总量"}, {"年份", "地区生产总值"}, {"年份", "国内生产总值"}]
ORIGIN = Origin(
    id="nbs",
    title="Gross domestic product, national and provincial, annual",
    publisher="National Bureau of Statistics of China",
    url="https://data.stats.gov.cn/",
    licence="Published statistics; citation of the publisher asked",
)
# Headings of gross domestic product: of the nation (国内), of a region (地区), and that of tables made from both.
GDP = ("国内生产总值", "地区生产总值", "GDP总量", "GDP")
NATION = ("全国", "中国")
# Yuan in one unit.
UNITS = {"元": 1.0, "万元": 1e4, "亿元": 1e8, "万亿元": 1e12}
# How a line of the bureau's download begins that is not of the table: database, indicator, time, source, note.
AROUND = re.compile(r"(数据库|指标|时间|数据来源|注)\s*[：:]")


def parse(raw: Raw, options: Options) -> Parsed:
    """Read one file; see `macro_parsing.Parsed`."""
    around = [line for line in rows_of(raw) if AROUND.match(line[1][0])]
    rows = [line for line in rows_of(raw) if not AROUND.match(line[1][0])]
    if not rows:
        raise SourceError(f"{raw.name}: there is no table between the lines of database and source")
    header = header_of(raw, *rows[0])
    problems = Problems(raw.name)
    if header[0] == "年份":
        entries = list(_long(raw, header, rows, problems))
    elif header[0] == "指标":
        entries = list(_nation(header, rows[1:], problems))
    elif header[0] == "地区":
        entries = list(_provinces(raw, header, rows[1:], problems, around))
    else:
        wanted = ["年份, [省份,] GDP总量", "(or 指标, 2023年 …", "or 地区, 2023年 … as data.stats.gov.cn gives them)"]
        raise no_header(raw, rows[0], wanted, "nbs")
    problems.check()
    said = options.values.get("source", ORIGIN.id)
    return Parsed(entries, Origin(said, ORIGIN.title, ORIGIN.publisher, ORIGIN.url, ORIGIN.licence))


def _long(raw: Raw, header: list[str], rows: list[tuple[int, list[str]]], problems: Problems) -> Iterator[Entry]:
    """Read a row a year, or a row a year and province."""
    columns = [name for name in header if _heading(name)[0] in GDP]
    if len(columns) != 1:
        raise SourceError(
            f"{raw.name} row {rows[0][0]}: expected one column of GDP ({', '.join(GDP)}); found {listed(header, 12)}"
        )
    place = next((name for name in ("省份", "地区") if name in header), None)
    for record in records(header, rows[1:], problems):
        row = int(record["#"])
        with problems.of(row):
            area = _area(record[place]) if place else "CHN"
            yield _entry(row, area, record["年份"], record[columns[0]], columns[0])


def _nation(header: list[str], body: list[tuple[int, list[str]]], problems: Problems) -> Iterator[Entry]:
    """Read a row an indicator of which one is gross domestic product, and a column a year."""
    for record in records(header, body, problems):
        row, what = int(record["#"]), record["指标"]
        drop = "" if _heading(what)[0] in GDP else f"of other indicators: {what}"
        for column in header[1:]:
            with problems.of(row):
                if drop:
                    yield Entry(row, "gdp_cny", "CHN", year(column), "A", float("nan"), SERIES["gdp_cny"].unit, drop)
                else:
                    yield _entry(row, "CHN", column, record[column], what)


def _provinces(
    raw: Raw,
    header: list[str],
    body: list[tuple[int, list[str]]],
    problems: Problems,
    around: list[tuple[int, list[str]]],
) -> Iterator[Entry]:
    """Read a row a province and a column a year; a line above the header says of which indicator."""
    said = [re.split("[：:]", fields[0], maxsplit=1)[1].strip() for _, fields in around if fields[0].startswith("指标")]
    if len(said) != 1 or _heading(said[0])[0] not in GDP:
        found = said[0] if said else "no line 指标：…"
        raise SourceError(f"{raw.name}: expected a line 指标: 地区生产总值(亿元) above the header; found {found}")
    for record in records(header, body, problems):
        row = int(record["#"])
        for column in header[1:]:
            with problems.of(row):
                yield _entry(row, _area(record["地区"]), column, record[column], said[0])


def _entry(row: int, area: str, when: str, text: str, heading: str) -> Entry:
    unit = _heading(heading)[1]
    if unit not in UNITS:
        raise Refused(f"{heading!r} is in {unit}; expected one of {', '.join(UNITS)}")
    value = figure(text, "GDP") * UNITS[unit]
    return Entry(row, "gdp_cny", area, year(when), "A", positive(value, "gdp_cny", text), SERIES["gdp_cny"].unit)


def _heading(text: str) -> tuple[str, str]:
    """Split a heading, as 国内生产总值(亿元), into what it is of and its unit."""
    match = re.fullmatch(r"(.+?)\s*[(（](.+)[)）]", text)
    return (match[1], match[2]) if match else (text, "亿元")


def _area(name: str) -> str:
    if name in NATION:
        return "CHN"
    if name not in _areas():
        raise Refused(f"{name!r} is not a province of the bureau's tables")
    return _areas()[name]


@cache
def _areas() -> dict[str, str]:
    """Return the full and the short name of every province → ISO 3166-2."""
    found: dict[str, str] = {}
    for row in codes.rows_of("provinces"):
        short = re.sub("(维吾尔自治区|壮族自治区|回族自治区|自治区|省|市)$", "", row["zh"])
        found |= {row["zh"]: row["iso3166_2"], short: row["iso3166_2"]}
    return found
