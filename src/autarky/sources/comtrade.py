"""UN Comtrade: API answers (JSON), bulk and portal files (CSV, camelCase), comtradr's tables (snake_case), Parquet.

Rows that break a total down (second partner, mode of transport, customs procedure) are never added to it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import ibis

from autarky import codes, engine, snapshots
from autarky.errors import CoverageWarning, SourceError
from autarky.reader import Parsed
from autarky.sources import (
    Problem,
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
from autarky.tables import FLOWS, FREQS, LEVELS, Origin

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from autarky.reader import Options

SUFFIXES = (".csv", ".csv.gz", ".txt.gz", ".json", ".json.gz", ".parquet", ".zip", ".txt")
SIGNATURE = [
    {"reporterCode", "partnerCode", "cmdCode", "primaryValue"},
    {"reporter_code", "partner_code", "cmd_code", "primary_value"},
]
ORIGIN = Origin(
    id="comtrade",
    title="UN Comtrade",
    publisher="United Nations Statistics Division",
    url="https://comtradeplus.un.org/",
    licence="UN Comtrade terms of use: free for own use, no redistribution",
)
CLASSES = {
    "H0": "HS1992",
    "H1": "HS1996",
    "H2": "HS2002",
    "H3": "HS2007",
    "H4": "HS2012",
    "H5": "HS2017",
    "H6": "HS2022",
    "S1": "SITC1",
    "S2": "SITC2",
    "S3": "SITC3",
    "S4": "SITC4",
    "B4": "BEC4",
    "B5": "BEC5",
}
# Comtrade's name without case and underscores, by field; --map puts another column in its place.
NAMES = {
    "period": "period",
    "year": "refyear",
    "freq": "freqcode",
    "reporter": "reportercode",
    "partner": "partnercode",
    "flow": "flowcode",
    "nomenclature": "classificationcode",
    "cmd": "cmdcode",
    "value": "primaryvalue",
    "netwgt": "netwgt",
    "partner2": "partner2code",
    "mot": "motcode",
    "customs": "customscode",
    "mos": "moscode",
    "cif": "cifvalue",
    "fob": "fobvalue",
    "qty": "qty",
    "qtyunit": "qtyunitcode",
}
ALIASES = {"product": "cmd", "value_usd": "value", "weight_kg": "netwgt"}
# What a bare name in a header of the older service means; only taken when Comtrade's own name is not there.
PLAIN = {
    "year": "year",
    "period": "period",
    "reporter": "reporter",
    "partner": "partner",
    "cmd": "cmd",
    "flow": "flow",
    "value": "value",
    "netwgt": "netwgt",
    "qty": "qty",
    "qtyunit": "qtyunit",
}
BREAKDOWNS = {
    "partner2": "second partner",
    "mot": "mode of transport",
    "customs": "customs procedure",
    "mos": "mode of supply",
}
TOTALS = {"partner2": ["0", ""], "mot": ["0", ""], "customs": ["C00", ""], "mos": ["0", ""]}
API_LIMITS = (500, 100_000, 250_000)


def parse(con: Any, raw: snapshots.Raw, options: Options, context: dict[str, Any], numbered: bool) -> Parsed:
    """Read one answer or file; see `reader.Parsed`."""
    known_settings(options, ("nomenclature", "freq", "source", "flow"), (*NAMES, *ALIASES))
    if raw.kind == "json":
        _check_answer(con, raw, numbered)
    table = _fields(text_table(con, raw, numbered), raw, options)
    table = with_area(con, table, table["reporter"], "comtrade", "_reporter")
    table = with_area(con, table, table["partner"], "comtrade", "_partner")
    product = table["cmd"]
    value, weight = number(table["value"]), number(table["netwgt"])
    flow = table["flow"].upper()
    nomenclature = table["_nomenclature"]
    period = ibis.cases((table["_freq"] == "A", year(table["period"])), (table["_freq"] == "M", month(table["period"])))
    taken = ibis.cases((flow.isin(["M", "1", "IMPORT"]), "import"), (flow.isin(["X", "2", "EXPORT"]), "export"))
    problems: list[Problem] = [
        (~table["_freq"].isin(list(FREQS)), said("frequency", table["_freq"], "is neither A nor M")),
        (period.isnull(), said("period", table["period"], "is not a year such as 2022 or a month such as 202201")),
        (table["_reporter"].isnull(), said("reporter", table["reporter"], "is not an area code of UN Comtrade")),
        (table["_partner"].isnull(), said("partner", table["partner"], "is not an area code of UN Comtrade")),
        (
            ~nomenclature.isin(list(LEVELS)),
            said("classification", nomenclature, "is not known; say it with --set nomenclature=…"),
        ),
        (
            codes.misformed(product, nomenclature),
            said("code", product, "does not fit its classification; was a leading zero lost?"),
        ),
        *not_number(table["value"], value, "value", required=False),
        *not_number(table["netwgt"], weight, "net weight", required=False),
    ]
    drops = [
        (~table[name].fill_null("").isin(TOTALS[name]), f"breakdown rows by {what}")
        for name, what in BREAKDOWNS.items()
    ]
    drops.append((taken.isnull(), "rows of re-exports, re-imports and other flows inside the totals"))
    cif, fob = number(table["cif"]), number(table["fob"])
    valuation = ibis.cases((value == cif, "CIF"), (value == fob, "FOB"), (taken == "export", "FOB"), else_="unknown")
    columns = {
        "period": period,
        "freq": table["_freq"],
        "reporter": table["_reporter"],
        "partner": table["_partner"],
        "flow": taken,
        "nomenclature": nomenclature,
        "product": product,
        "value_usd": value,
        "weight_kg": weight,
        "valuation": valuation,
    }
    constants = {"source": options.values.get("source", ORIGIN.id)}
    origin = Origin(constants["source"], ORIGIN.title, ORIGIN.publisher, ORIGIN.url, ORIGIN.licence)
    return Parsed(table, columns, constants, origin, problems, drops, exact=True)


def _fields(table: ir.Table, raw: snapshots.Raw, options: Options) -> ir.Table:
    """Return the raw table under the names of `NAMES`, whatever convention its header follows."""
    given = {ALIASES.get(field, field): name for field, name in options.columns.items()}
    need(table, given.values(), raw, "comtrade", mapped=True)
    folded = {c.lower().replace("_", ""): c for c in table.columns}
    found = {}
    for field, name in NAMES.items():
        heading = given.get(field) or folded.get(name) or folded.get(PLAIN.get(field, ""))
        if heading:
            found[field] = heading
    if "period" not in found and "year" in found:
        found["period"] = found["year"]
    for field in ("period", "reporter", "partner", "cmd", "flow", "value"):
        if field not in found and not (field == "flow" and "flow" in options.values):
            need(table, [NAMES[field] if field != "cmd" else "cmdCode"], raw, "comtrade", mapped=True)
    fields = {f: table[found[f]] if f in found else ibis.null("string") for f in NAMES}
    if "flow" in options.values:
        fields["flow"] = ibis.literal({"import": "M", "export": "X"}[setting(options, "flow", raw, FLOWS)])
    fields["_nomenclature"] = _nomenclature(fields["nomenclature"], "nomenclature" in found, raw, options)
    fields["_freq"] = _freq(fields, "freq" in found, raw, options)
    # Everything else of the record is kept too: only rows that agree in every column are exact duplicates.
    rest = {f"raw_{c}": table[c] for c in table.columns if c != engine.ROW}
    row = {engine.ROW: table[engine.ROW]} if engine.ROW in table.columns else {}
    return table.select(**fields, **rest, **row)


def _nomenclature(column: Any, found: bool, raw: snapshots.Raw, options: Options) -> Any:
    if "nomenclature" in options.values:
        return ibis.literal(codes.check_nomenclature(options.values["nomenclature"]))
    if not found:
        raise SourceError(
            f"{raw.name}: the file does not say its classification; say it with --set nomenclature=HS2022 "
            "(the edition in which the reporters reported)"
        )
    return ibis.cases(*[(column == k, v) for k, v in CLASSES.items()], else_=column)


def _freq(fields: dict[str, Any], found: bool, raw: snapshots.Raw, options: Options) -> Any:
    if "freq" in options.values:
        return ibis.literal(setting(options, "freq", raw, FREQS))
    if found:
        return fields["freq"]
    return ibis.cases((fields["period"].length() == 4, "A"), else_="M")


def _check_answer(con: Any, raw: snapshots.Raw, numbered: bool) -> None:
    """Refuse an error answer; warn when an answer is as long as the service ever gives."""
    error = engine.top_level_text(con, raw.path, "error") or engine.top_level_text(con, raw.path, "message")
    count = engine.top_level_text(con, raw.path, "count")
    answer = engine.read_json(con, raw.path)
    held = int(engine.rows(con, answer.aggregate(n=answer.count()))["n"][0].as_py())
    if held == 0:
        said_so = f": the service said {error!r}" if error else ""
        raise SourceError(f"{raw.name}: the answer holds no data{said_so}; ask again or ask for less at once")
    if count is not None and count.isdigit() and int(count) != held:
        raise SourceError(f"{raw.name}: the answer says {count} rows and holds {held}; it was cut short, ask again")
    if held in API_LIMITS and not numbered:
        limit = f"{raw.name}: exactly {held:,} rows, a limit of the service"
        message = f"{limit}: the answer is probably truncated; ask for less at once"
        warnings.warn(message, CoverageWarning, stacklevel=2)
