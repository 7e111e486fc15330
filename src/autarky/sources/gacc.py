"""China Customs (General Administration of Customs, GACC): exports of its online query, monthly or annual, HS8.

The file says neither its flow nor always its currency in English; both header languages, GB18030 and UTF-8 are read.
Codes of partners, provinces and regimes are Customs' own.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from autarky import codes, engine, snapshots
from autarky.errors import SourceError, listed
from autarky.reader import Parsed
from autarky.sources import (
    Problem,
    bad_product,
    known_settings,
    month,
    need,
    not_number,
    number,
    said,
    setting,
    text_table,
    with_area,
    year,
)
from autarky.tables import FLOWS, VALUATIONS, Origin

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from autarky.reader import Options

SUFFIXES = (".csv", ".csv.gz", ".zip", ".txt")
ORIGIN = Origin(
    id="gacc",
    title="China Customs, online query export",
    publisher="General Administration of Customs of the People's Republic of China",
    url="http://stats.customs.gov.cn/",
    licence="Published statistics; citation of the publisher asked",
)

# Column headings of the query's two languages (the English one spells "Supplementary" in two ways).
HEADINGS = {
    "month": ("数据年月", "Date of data"),
    "product": ("商品编码", "Commodity code"),
    "partner": ("贸易伙伴编码", "Trading partner code"),
    "regime": ("贸易方式编码", "Customs Regime code"),
    "province": ("注册地编码", "Locations of importers and exporters code"),
    "quantity": ("第一数量", "Quantity"),
    "unit": ("第一计量单位", "Unit"),
    "quantity2": ("第二数量", "Supplimentary Quantity", "Supplementary Quantity"),
    "unit2": ("第二计量单位", "Supplimentary Unit", "Supplementary Unit"),
    "usd": ("美元", "US dollar"),
    "cny": ("人民币", "Renminbi Yuan"),
}
SIGNATURE = [{HEADINGS["month"][i], HEADINGS["product"][i]} for i in (0, 1)]
# Kilograms in one unit of each weight unit that Customs prints.
WEIGHTS = {"千克": 1.0, "克": 0.001, "吨": 1000.0, "Kilogram": 1.0, "Kilograms": 1.0, "Gram": 0.001, "Ton": 1000.0}


def parse(con: Any, raw: snapshots.Raw, options: Options, context: dict[str, Any], numbered: bool) -> Parsed:
    """Read one query export; see `reader.Parsed`."""
    known_settings(options, ("flow", "valuation", "source"), rates=True)
    plain = snapshots.decoded(raw, _scratch(context))
    table = _renamed(text_table(con, plain, numbered), raw)
    flow = setting(options, "flow", raw, FLOWS)
    value, problems, table = _value(con, table, raw, options, context)
    table = with_area(con, table, table["partner"], "gacc", "_partner")
    product = table["product"]
    freq = _frequency(con, table)
    period = year(table["month"]) if freq == "A" else month(table["month"])
    problems += [
        (period.isnull(), said("month", table["month"], "is not a month such as 202401")),
        (table["_partner"].isnull(), said("partner", table["partner"], "is not a partner code of China Customs")),
        bad_product(product, "GACC8"),
    ]
    columns = {
        "period": period,
        "partner": table["_partner"],
        "product": product,
        "value_usd": value,
        "weight_kg": _weight(table, problems),
    }
    if "province" in table.columns:
        columns["area"] = _mapped(table["province"], codes.provinces())
        problems.append(
            (columns["area"].isnull(), said("province", table["province"], "is not a code of China Customs"))
        )
    details = {}
    if "regime" in table.columns:
        details["regime"] = table["regime"].cast("string")
        known = details["regime"].isin(list(codes.regimes()))
        problems.append((~known, said("regime", table["regime"], "is not a customs regime of China Customs")))
    default = "CIF" if flow == "import" else "FOB"
    constants = {
        "reporter": "CHN",
        "freq": freq,
        "flow": flow,
        "nomenclature": "GACC8",
        "source": options.values.get("source", ORIGIN.id),
        "valuation": setting(options, "valuation", raw, VALUATIONS) if "valuation" in options.values else default,
    }
    origin = Origin(
        constants["source"], ORIGIN.title, ORIGIN.publisher, ORIGIN.url, ORIGIN.licence, context.get("note", "")
    )
    return Parsed(table, columns, constants, origin, problems, details=details, details_note="customs regimes summed")


def _scratch(context: dict[str, Any]) -> Path:
    import tempfile

    context.setdefault("scratch", tempfile.TemporaryDirectory(prefix="autarky-"))
    return Path(context["scratch"].name)


def _renamed(table: ir.Table, raw: snapshots.Raw) -> ir.Table:
    names = {}
    for field, headings in HEADINGS.items():
        found = next((h for h in headings if h in table.columns), None)
        if found:
            names[field] = found
    language = 1 if any(headings[1] in table.columns for headings in HEADINGS.values()) else 0
    for field in ("month", "product", "partner"):
        need(table, [names.get(field, HEADINGS[field][language])], raw, "gacc")
    if "usd" not in names and "cny" not in names:
        need(table, [HEADINGS["cny"][language]], raw, "gacc")
    kept = {**names, **({engine.ROW: engine.ROW} if engine.ROW in table.columns else {})}
    return table.select(**{field: table[heading] for field, heading in kept.items()})


def _frequency(con: Any, table: ir.Table) -> str:
    longest = engine.rows(con, table.aggregate(n=table.month.length().max()))["n"][0].as_py()
    return "A" if longest == 4 else "M"


def _value(
    con: Any, table: ir.Table, raw: snapshots.Raw, options: Options, context: dict[str, Any]
) -> tuple[ir.FloatingValue, list[Problem], ir.Table]:
    """Return the value in US dollars; yuan are converted month by month, never by a rate that the user did not name."""
    if "usd" in table.columns:
        value = number(table.usd)
        return value, not_number(table.usd, value, "value", required=True), table
    if options.rates is None:
        raise SourceError(
            f"{raw.name}: values are in yuan (CNY); name a table of monthly rates with --rates FILE "
            "(a column of months, a column of CNY per USD), or export the query in US dollars"
        )
    rates = context.setdefault("rates", read_rates(options.rates))
    context["note"] = f"CNY converted at the monthly rates of {options.rates.name}"
    pairs = engine.lookup(con, {"_month": list(rates), "_rate": list(rates.values())})
    key = table.month.substr(0, 6)
    table = table.left_join(pairs, key == pairs["_month"])
    yuan = number(table.cny)
    problems = not_number(table.cny, yuan, "value", required=True)
    missing = table["_rate"].isnull() & ibis.coalesce(month(table.month), year(table.month)).notnull()
    problems.append((missing, said("month", table.month, f"has no rate in {options.rates.name}")))
    return yuan / table["_rate"], problems, table


def read_rates(path: Path) -> dict[str, float]:
    """Read months (`2024-01`, `2024-01-01` or `202401`) and CNY per USD from a table with these two columns, any order.

    Raises
    ------
    SourceError : no such file, no such columns, a month twice, a rate that is not a positive number
    """
    if not path.is_file():
        raise SourceError(f"--rates {path}: there is no such file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            records = list(csv.DictReader(text))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"--rates {path}: not a CSV table in UTF-8 ({error})") from error
    if not records:
        raise SourceError(f"--rates {path}: no rows")
    names = list(records[0])
    when = next((n for n in names if n and n.strip().lower() in ("month", "date", "period", "yearmonth")), None)
    rate = next((n for n in names if n and ("rate" in n.lower() or n.lower().replace("_", " ") == "cny per usd")), None)
    if when is None or rate is None:
        raise SourceError(
            f"--rates {path} row 1: expected columns `month` and `rate` (CNY per USD); found {listed(names)}"
        )
    rates: dict[str, float] = {}
    for row, record in enumerate(records, 2):
        key = (record[when] or "").replace("-", "")[:6]
        try:
            value = float(record[rate])
            if not (value > 0 and len(key) == 6 and 1 <= int(key[4:]) <= 12):
                raise ValueError
        except (TypeError, ValueError):
            said_so = f"{record[when]!r}, {record[rate]!r}"
            raise SourceError(f"--rates {path} row {row}: {said_so}: expected a month and a positive rate") from None
        if rates.setdefault(key, value) != value:
            raise SourceError(f"--rates {path} row {row}: month {key} has a second, different rate")
    return rates


def _weight(table: ir.Table, problems: list[Problem]) -> ir.FloatingValue:
    """Return kilograms from whichever quantity is counted in a unit of weight; other units give no weight."""
    found: ir.FloatingValue = ibis.null("float64")
    for quantity, unit in (("quantity2", "unit2"), ("quantity", "unit")):
        if quantity in table.columns and unit in table.columns:
            amount = number(table[quantity])
            problems += not_number(table[quantity], amount, "quantity", required=False)
            factor = _mapped(table[unit], {u: str(f) for u, f in WEIGHTS.items()}).cast("float64")
            found = ibis.coalesce(amount * factor, found)
    return found


def _mapped(text: ir.StringValue, table: dict[str, str]) -> ir.StringValue:
    return ibis.cases(*[(text == code, value) for code, value in table.items()], else_=ibis.null("string"))
