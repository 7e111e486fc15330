"""CEPII BACI: reconciled world trade by exporter, importer and HS6, annual; CSV, Parquet or CEPII's zip.

A row is stored once, as an import of the importer (`j`) from the exporter (`i`).  Values are FOB.
Gaulier, G. & Zignago, S. (2010), "BACI: International Trade Database at the Product-Level", CEPII WP 2010-23.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

import ibis

from autarky import codes, engine, snapshots
from autarky.errors import SourceError
from autarky.reader import Parsed
from autarky.sources import bad_product, known_settings, need, not_number, said, text_table, usable, with_area
from autarky.tables import Origin

if TYPE_CHECKING:
    from autarky.reader import Options

SUFFIXES = (".zip", ".csv", ".csv.gz", ".parquet")
SIGNATURE = [{"t", "i", "j", "k", "v"}]
ORIGIN = Origin(
    id="baci",
    title="BACI: International Trade Database at the Product-Level",
    publisher="CEPII",
    url="http://www.cepii.fr/CEPII/en/bdd_modele/bdd_modele_item.asp?id=37",
    licence="Etalab Open Licence 2.0",
)
EDITIONS = {
    "92": "HS1992",
    "96": "HS1996",
    "02": "HS2002",
    "07": "HS2007",
    "12": "HS2012",
    "17": "HS2017",
    "22": "HS2022",
}
COUNTRY_COLUMNS = {"country_code", "country_name"}


def parse(con: Any, raw: snapshots.Raw, options: Options, context: dict[str, Any], numbered: bool) -> Parsed | None:
    """Read one year, or many; a country file is remembered and checked, read-me and product files are passed over."""
    known_settings(options, ("nomenclature", "source"))
    if raw.kind not in ("csv", "parquet"):
        return None
    if re.search(r"(country_codes|product_codes|readme)", raw.name, re.IGNORECASE):
        if "country_codes" in raw.name.lower():
            _check_countries(raw)
        return None
    table = text_table(con, raw, numbered, trim=False)
    need(table, ["t", "i", "j", "k", "v"], raw, "baci")
    nomenclature = _edition(raw, options)
    for side, column in (("exporter", "i"), ("importer", "j")):
        table = with_area(con, table, table[column], "comtrade", side)
    weight = table.q.try_cast("float64") if "q" in table.columns else ibis.null("float64")
    table = table.mutate(_year=table.t.try_cast("int32"), _value=table.v.try_cast("float64"), _weight=weight)
    table = engine.once(con, table)
    product, value, weight = table.k, table["_value"].nullif(float("nan")), table["_weight"].nullif(float("nan"))
    is_year = table["_year"].between(1000, 9999) & (table["_year"].cast("string") == table.t)
    period = ibis.cases((is_year, ibis.date(table["_year"], 1, 1)))
    problems = [
        (period.isnull(), said("year t", table.t, "is not a year")),
        (table.exporter.isnull(), said("exporter i", table.i, "is not a country code of BACI")),
        (table.importer.isnull(), said("importer j", table.j, "is not a country code of BACI")),
        bad_product(product, nomenclature),
        *not_number(table.v, value, "value v", required=True),
    ]
    if "q" in table.columns:
        # CEPII writes `NA`, padded with blanks, for an unknown quantity.
        quantity = table.q.strip().nullif("NA")
        problems += not_number(quantity, weight, "quantity q", required=False)
    known = period.notnull() & table.exporter.notnull() & table.importer.notnull()
    fine = known & ~codes.misformed(product, nomenclature) & usable(table["_value"]) & usable(table["_weight"])
    columns = {
        "period": period,
        "reporter": table.importer,
        "partner": table.exporter,
        "product": product,
        "value_usd": value * 1000,
        "weight_kg": weight * 1000,
    }
    release = re.search(r"V(\d{6}[a-z]?)", raw.name)
    # A release replaces nothing of another release: rows that CEPII withdrew would live on among the new ones.
    source = options.values.get("source", f"baci-{release[0]}" if release else "baci")
    constants = {"freq": "A", "flow": "import", "nomenclature": nomenclature, "valuation": "FOB", "source": source}
    note = (
        f"{nomenclature}{f', release {release[1]}' if release else ''}; thousand USD and tonnes converted to USD and kg"
    )
    return Parsed(
        table,
        columns,
        constants,
        Origin(source, ORIGIN.title, ORIGIN.publisher, ORIGIN.url, ORIGIN.licence, note),
        problems,
        fine=fine,
        ranks={"reporter": table.importer_rank, "partner": table.exporter_rank},
    )


def _edition(raw: snapshots.Raw, options: Options) -> str:
    if "nomenclature" in options.values:
        return codes.check_nomenclature(options.values["nomenclature"])
    match = re.search(r"HS_?(\d{4}|\d{2})(?!\d)", raw.name, re.IGNORECASE)
    edition = match and EDITIONS.get(match[1][-2:])
    if not edition:
        raise SourceError(
            f"{raw.name}: the file name does not say the HS edition (as in BACI_HS92_Y2022_V202501.csv); "
            "say it with --set nomenclature=HS1992"
        )
    return edition


def _check_countries(raw: snapshots.Raw) -> None:
    """Refuse a release whose country file holds a code that autarky's own table lacks."""
    # Names are only printed, and older releases have them in Latin-1.
    with raw.path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        records = list(csv.DictReader(text))
    if not records or not set(records[0]) >= COUNTRY_COLUMNS:
        raise SourceError(f"{raw.name} row 1: a country file of BACI has columns {', '.join(sorted(COUNTRY_COLUMNS))}")
    known = codes.areas("comtrade")
    for row, record in enumerate(records, 2):
        if record["country_code"].strip() not in known:
            raise SourceError(
                f"{raw.name} row {row}: country code {record['country_code']} ({record['country_name']}) is unknown"
            )
