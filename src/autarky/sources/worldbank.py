"""World Bank: gross domestic product in current US dollars, as the Bank and its common mirror serve it.

Three shapes: the download of data.worldbank.org (CSV, or the zip that it comes in: four lines above a header, a column
a year), the answers of the Bank's API in JSON (all pages of an answer in one call), and the table by country and year
of the mirror at datahub.io (`Country Name,Country Code,Year,Value`), which names no indicator.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from autarky import codes
from autarky.errors import SourceError
from autarky.macro import SERIES
from autarky.macro_parsing import (
    Entry,
    Page,
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
    from autarky.reader import Options
    from autarky.snapshots import Raw

GRAIN = "macro"
SUFFIXES = (".csv", ".csv.gz", ".zip", ".json", ".json.gz")
SETTINGS = ("name", "unit", "source")
LONG = ["Country Name", "Country Code", "Year", "Value"]
WIDE = ["Country Name", "Country Code", "Indicator Name", "Indicator Code"]
SIGNATURE = [set(LONG), set(WIDE)]
# The two tables that lie beside the figures in the zip.
BESIDE = [{"Country Code", "Region", "IncomeGroup"}, {"INDICATOR_CODE", "INDICATOR_NAME"}]
INDICATOR = "NY.GDP.MKTP.CD"
ORIGIN = Origin(
    id="worldbank",
    title="World Development Indicators: GDP (current US$), NY.GDP.MKTP.CD",
    publisher="World Bank",
    url="https://data.worldbank.org/indicator/NY.GDP.MKTP.CD",
    licence="CC BY 4.0",
)
# Where the Bank's own code is, or was until 2017, not that of `data/countries.csv`.
OWN_CODES = {
    "ADO": "AND",
    "CHI": "XCH",
    "IMY": "IMN",
    "KSV": "XKX",
    "ROM": "ROU",
    "TMP": "TLS",
    "WBG": "PSE",
    "ZAR": "COD",
}


def parse(raw: Raw, options: Options) -> Parsed | None:
    """Read one file; see `macro_parsing.Parsed`.  None for the tables about countries and indicators in the zip."""
    if raw.kind == "json":
        return _answer(raw, options)
    rows = rows_of(raw)
    if any(beside <= set(rows[0][1]) for beside in BESIDE):
        return None
    # Above the header of the Bank's own file stand its source and the day of its last update.
    preamble = {fields[0]: fields[1] for _, fields in rows[:2] if len(fields) > 1 and fields[0] in _PREAMBLE}
    at = len(preamble)
    header = header_of(raw, *rows[at]) if at < len(rows) else []
    problems = Problems(raw.name)
    if set(WIDE) <= set(header):
        entries = _wide(header, rows[at + 1 :], problems, options, raw)
    elif set(LONG) <= set(header):
        entries = _long(header, rows[at + 1 :], problems, options)
    else:
        raise no_header(
            raw, rows[min(at, len(rows) - 1)], [*WIDE, "1960 …", "(or " + ", ".join(LONG) + ")"], "worldbank"
        )
    problems.check()
    updated = preamble.get("Last Updated Date", "")
    return Parsed(entries, _origin(options, updated))


_PREAMBLE = ("Data Source", "Last Updated Date")


def _long(header: list[str], body: Any, problems: Problems, options: Options) -> list[Entry]:
    entries = []
    name, unit = _series(INDICATOR, options)
    for record in records(header, body, problems):
        row = int(record["#"])
        with problems.of(row):
            entries.append(
                _entry(row, record["Country Code"], record["Country Name"], record["Year"], record["Value"], name, unit)
            )
    return entries


def _wide(header: list[str], body: Any, problems: Problems, options: Options, raw: Raw) -> list[Entry]:
    years = [column for column in header if re.fullmatch(r"\d{4}", column)]
    if unknown := [column for column in header if column not in (*WIDE, *years)]:
        raise SourceError(f"{raw.name}: column {unknown[0]!r} is neither a year nor one of {', '.join(WIDE)}")
    entries = []
    for record in records(header, body, problems):
        row = int(record["#"])
        with problems.of(row):
            name, unit = _series(record["Indicator Code"], options)
            country = (record["Country Code"], record["Country Name"])
            entries += [_entry(row, *country, column, record[column], name, unit) for column in years]
    return entries


def _answer(raw: Raw, options: Options) -> Parsed:
    """Read one page of the API's JSON: a list of the page's card and its records."""
    try:
        answer = json.loads(raw.path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{raw.name}: not JSON ({error}); is the file cut short?") from error
    if isinstance(answer, list) and answer and isinstance(answer[0], dict) and "message" in answer[0]:
        raise SourceError(f"{raw.name}: the World Bank answered with an error: {json.dumps(answer[0]['message'])}")
    match answer:
        case [{"page": page, "pages": pages, "total": total, **card}, list(found)]:
            pass
        case [{"page": _, "total": 0}, *_]:
            raise SourceError(f"{raw.name}: the answer of the World Bank holds no records (total 0)")
        case _:
            raise SourceError(
                f"{raw.name}: expected an answer of the World Bank's API, [{{page, pages, …}}, [records]]; "
                "ask with format=json"
            )
    problems = Problems(raw.name)
    entries = []
    for number, record in enumerate(found, 1):
        with problems.of(number):
            entries.append(_of_record(number, record, options))
    problems.check()
    indicators = sorted({record["indicator"]["id"] for record in found})
    updated = str(card.get("lastupdated") or "")
    of = f"{', '.join(indicators)}{f' as of {updated}' if updated else ''}"
    return Parsed(entries, _origin(options, updated), Page(of, int(page), int(pages), int(total)))


def _of_record(number: int, record: Any, options: Options) -> Entry:
    match record:
        case {"indicator": {"id": indicator}, "country": {"id": code, "value": country}, "date": date, "value": value}:
            name, unit = _series(str(indicator), options)
        case _:
            raise Refused("a record has indicator, country, date and value")
    # Some aggregates have no code of three letters; their own of two (XD: high income) is nobody's in ISO 3166-1.
    three = str(record.get("countryiso3code") or "") or codes.areas("iso2").get(str(code), str(code))
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Refused(f"value {value!r} is not a number")
    return _entry(number, three, str(country), str(date), "" if value is None else repr(value), name, unit)


def _series(indicator: str, options: Options) -> tuple[str, str]:
    """Return the name and unit to keep an indicator under; any but GDP in current dollars needs both said."""
    name = options.values.get("name", "gdp_usd")
    if indicator == INDICATOR and name == "gdp_usd":
        return name, SERIES[name].unit
    if "name" not in options.values:
        raise Refused(
            f"indicator {indicator!r} is not {INDICATOR} (GDP, current US$); to keep it under another name say "
            "--set name=NAME unit=UNIT"
        )
    if name in SERIES:
        raise Refused(f"indicator {indicator!r} cannot be kept as {name}, which is {SERIES[name].about}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or "unit" not in options.values:
        raise Refused(
            f"--set name={name}: expected a name of small letters, digits and _, with --set unit=UNIT beside it"
        )
    return name, options.values["unit"]


def _entry(row: int, code: str, country: str, date: str, value: str, name: str, unit: str) -> Entry:
    area = OWN_CODES.get(code, code)
    drop = ""
    if area not in codes.areas("iso3"):
        if not re.fullmatch(r"[A-Z0-9]{2,3}", code):
            raise Refused(f"country code {code!r} is not three capital letters")
        drop = f"of groups of countries: {code} {country}"
    number = positive(figure(value, name), name, value)
    return Entry(row, name, area, year(date), "A", number, unit, drop)


def _origin(options: Options, updated: str) -> Origin:
    said = options.values
    title = ORIGIN.title if "name" not in said or said["name"] == "gdp_usd" else f"World Bank, kept as {said['name']}"
    note = f"last updated {updated}" if updated else ""
    return Origin(said.get("source", ORIGIN.id), title, ORIGIN.publisher, ORIGIN.url, ORIGIN.licence, note)
