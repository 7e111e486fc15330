"""Parse and check product, country and area codes.  Every name and code is a row of a table in `data/`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from autarky.errors import CodeError, listed
from autarky.tables import LEVELS

if TYPE_CHECKING:
    from pathlib import Path

    import ibis.expr.types as ir

    from autarky.tables import Flows


def rows_of(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a package table `data/NAME.csv`, every value as text."""
    text = (files("autarky") / "data" / f"{name}.csv").read_text(encoding="utf-8")
    yield from csv.DictReader(io.StringIO(text, newline=""))


@cache
def areas(system: str) -> dict[str, str]:
    """Return code → ISO3 (or named area) of a system.

    Parameters
    ----------
    system : "iso3", "iso2", "m49", "comtrade" (UN Comtrade and BACI), "gacc" (China Customs)
        or "any" (ISO3, ISO2, then M49 and UN Comtrade's numbers, then English names)

    Raises
    ------
    CodeError : a system that the table does not have
    """
    if system == "any":
        names = {name: iso3 for iso3, name in area_names().items()}
        aliases = {row["name"]: row["iso3"] for row in rows_of("country_aliases")}
        return {**aliases, **names, **areas("comtrade"), **areas("m49"), **areas("iso2"), **areas("iso3")}
    if system not in ("iso3", "iso2", "m49", "comtrade", "gacc"):
        raise CodeError(f"area codes {system!r}: expected iso3, iso2, m49, comtrade, gacc or any")
    known = {code: row["iso3"] for row in rows_of("countries") for code in row[system].split()}
    # The same number is printed as 4 and as 004.
    return known | {code.zfill(3): area for code, area in known.items() if code.isdigit()}


@cache
def area_names() -> dict[str, str]:
    """Return ISO3 (or named area) → short English name."""
    return {row["iso3"]: row["name"] for row in rows_of("countries")}


@cache
def provinces() -> dict[str, str]:
    """Return China Customs' registration-place code → ISO 3166-2."""
    return {row["gacc"]: row["iso3166_2"] for row in rows_of("provinces")}


@cache
def regimes() -> dict[str, str]:
    """Return China Customs' regime code → name."""
    return {row["gacc"]: row["name"] for row in rows_of("regimes")}


def check_nomenclature(name: str) -> str:
    """Return `name` when it is a code system that autarky knows.

    Raises
    ------
    CodeError : unknown; the message lists the known ones
    """
    if name not in LEVELS:
        raise CodeError(f"nomenclature {name!r} is not known; known are {listed(list(LEVELS), 20)}")
    return name


def misformed(product: ir.StringValue, nomenclature: ir.StringValue | str) -> ir.BooleanValue:
    """Return whether a product code cannot be of its nomenclature: not digits, or a length that the system lacks."""
    import ibis

    length = product.length()
    if isinstance(nomenclature, str):
        known: ir.BooleanValue = length.isin(LEVELS[nomenclature])
    else:
        lengths = {levels: [n for n, held in LEVELS.items() if held == levels] for levels in set(LEVELS.values())}
        pairs = [(nomenclature.isin(names), length.isin(levels)) for levels, names in sorted(lengths.items())]
        known = ibis.cases(*pairs, else_=False)
    # Not a cast: that would take 1234e1, 0x1234 and 12_345 for numbers.
    fits = known & ~product.re_search("[^0-9]")
    return ibis.cases((fits, False), else_=(product != "TOTAL").fill_null(True))


def expected(nomenclature: str) -> str:
    """Say in words what a code of a nomenclature looks like."""
    *lower, own = LEVELS[nomenclature]
    return f"{nomenclature} codes have {own} digits" + (f" (aggregates {', '.join(map(str, lower))})" if lower else "")


def convert(
    flows: Flows,
    to: str,
    *,
    weights: Any = None,
    dual_use: str = "first",
    reference: str | Path | None = None,
    con: Any = None,
) -> Flows:
    """Convert 6-digit HS flows to another edition of the HS, to BEC or to SITC; see `conversion.convert`."""
    from autarky import conversion

    return conversion.convert(flows, to, weights=weights, dual_use=dual_use, reference=reference, con=con).flows


def valid(code: str, nomenclature: str, year: int, reference: str | Path | None = None) -> bool | None:
    """Return whether a national code was in force in a year; None where the yearly lists do not say.  See `dated`."""
    from autarky import dated

    return dated.valid(code, nomenclature, year, reference)
