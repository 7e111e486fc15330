"""Exchange rates: yuan for one US dollar, the mean of each month.

Reads the Federal Reserve's monthly series EXCHUS as FRED serves it (`observation_date,EXCHUS`), its mirror at
datahub.io (`Date,Country,Exchange rate`, of which China's rows are kept) and a table of months and rates of one's own
(`month,rate`).  A rate by day or by year is refused: the mean of a month is not its first day.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from autarky.errors import SourceError
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
)
from autarky.tables import Origin, parse_period

if TYPE_CHECKING:
    import datetime

    from autarky.reader import Options
    from autarky.snapshots import Raw

GRAIN = "macro"
SUFFIXES = (".csv", ".csv.gz", ".zip", ".txt")
SETTINGS = ("source",)
SIGNATURE = [{"Date", "Country", "Exchange rate"}, {"Date", "Country", "Value"}, {"observation_date", "EXCHUS"}]
ORIGIN = Origin(
    id="rates",
    title="China / U.S. foreign exchange rate, monthly (G.5, EXCHUS)",
    publisher="Board of Governors of the Federal Reserve System",
    url="https://fred.stlouisfed.org/series/EXCHUS",
    licence="Public domain; citation asked",
)
# Headings as they are read, in small letters.
WHEN = ("month", "date", "period", "yearmonth", "observation_date")
RATE = ("exchange rate", "rate", "value", "cny per usd", "cny_per_usd", "exchus")
CHINA = ("China", "CHN", "CN")


def parse(raw: Raw, options: Options) -> Parsed:
    """Read one file; see `macro_parsing.Parsed`."""
    rows = rows_of(raw)
    header = [name.lower() for name in header_of(raw, *rows[0])]
    when = [name for name in header if name in WHEN]
    rate = [name for name in header if name in RATE]
    if len(when) != 1 or len(rate) != 1:
        wanted = ["Date, Country, Exchange rate (or observation_date, EXCHUS; or month, rate: CNY per USD)"]
        raise no_header(raw, rows[0], wanted, "rates")
    problems = Problems(raw.name)
    entries = []
    named = "country" in header
    for record in records(header, rows[1:], problems):
        row = int(record["#"])
        with problems.of(row):
            entries.append(_entry(row, record[when[0]], record["country"] if named else CHINA[0], record[rate[0]]))
    problems.check()
    _check_monthly(raw, entries)
    said = options.values.get("source", ORIGIN.id)
    return Parsed(entries, Origin(said, ORIGIN.title, ORIGIN.publisher, ORIGIN.url, ORIGIN.licence))


def _entry(row: int, when: str, country: str, text: str) -> Entry:
    # FRED prints a full stop for a month without a rate.
    value = figure(text, "rate", missing=("", ".", "ND"))
    name, unit = "cny_per_usd", SERIES["cny_per_usd"].unit
    if country not in CHINA:
        drop = f"of other currencies: {country}"
        return Entry(row, name, "CHN", _month(when), "M", value, "other currencies per USD", drop)
    return Entry(row, name, "CHN", _month(when), "M", positive(value, name, text), unit)


def _month(text: str) -> datetime.date:
    if not re.fullmatch(r"\d{4}-?\d{2}(-?01)?", text):
        daily = re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text)
        raise Refused(f"{text!r} is {'a day' if daily else 'not a month'}; expected a month, as 2023-05 or 2023-05-01")
    if not 1 <= int(text.replace("-", "")[4:6]) <= 12:
        raise Refused(f"{text!r} is not a month")
    return parse_period(text[:7] if "-" in text else text[:6])


def _check_monthly(raw: Raw, entries: list[Entry]) -> None:
    """Refuse a table of years: each of its figures would be taken for the rate of a January."""
    found = {entry.period for entry in entries if not entry.drop}
    if len(found) > 1 and {day.month for day in found} == {1}:
        raise SourceError(
            f"{raw.name}: holds only Januaries ({len(found)}): these are rates by year; give monthly rates"
        )
