"""The columns of the control-exposure report's tables: heading, unit, meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autarky.findings import Column, Table
from autarky.studies._control_exposure.scope import Scope, name_of, slug

if TYPE_CHECKING:
    import pandas as pd

_FLAG = Column("flag", "Note", "text", "why a figure is missing, or a caution")
_MINERAL = Column("mineral", "Mineral", "text", "mineral or group of goods as the registry names it")
_HS6 = Column("hs6", "HS 2022", "text", "first six digits of the 10-digit codes")
_PRODUCT = Column("product", "Line in the data", "text", "6-digit line in the edition of the data")
_CODES = Column("codes", "10-digit codes", "text", "codes that the control lists in this line")
_BOUND = Column(
    "bound",
    "Bound",
    "text",
    "exact: an item of match exact is in it; named: its description names the mineral; all: every line",
)
_NEXT = Column("next", "Next suppliers", "text", "largest suppliers but the issuer, with their share of all imports")
_HHI = (
    Column("herfindahl", "HHI", "number", "sum of squared shares of the suppliers, the issuer among them", "1"),
    Column(
        "herfindahl_without", "HHI without", "number", "the same of the suppliers that are left without the issuer", "1"
    ),
)


def _columns(scope: Scope) -> dict[str, tuple[str, str, bool, tuple[Column, ...]]]:
    importer, issuer = name_of(scope.importer), name_of(scope.issuer)
    return {
        "minerals": (
            "Minerals by exposure",
            f"Ranked by the share of {issuer} on the lines that name the mineral; where there are none, on all. Minerals with the same lines have the same figures: the data "
            "do not tell them apart.",
            True,
            (
                Column("rank", "Rank", "integer", "by share; of equals, the same rank"),
                Column(
                    "rank_by", "Ranked by", "text", "named: lines whose description names the mineral; all: all lines"
                ),
                _MINERAL,
                Column("items", "Items", "integer", "controlled items"),
                Column("unlisted", "Without a line", "integer", "items that no line lists: not in any figure"),
                Column("lines", "Lines", "integer", "6-digit lines in the edition of the data that may hold an item"),
                Column("lines_held", "In the data", "integer", "of these, lines that the data have in any year"),
                Column("named_usd", "Named lines", "usd", f"imports from {issuer}, lines that name the mineral", "USD"),
                Column("exact_usd", "Exact lines", "usd", f"imports from {issuer}, lines of exact items", "USD"),
                Column("all_usd", "All lines", "usd", f"imports from {issuer}, all lines", "USD"),
                Column("named_share", "Share, named", "share", f"{issuer}'s share, lines that name the mineral", "1"),
                Column(
                    "exact_share",
                    "Share, exact",
                    "share",
                    f"{issuer}'s share of {importer}'s imports, exact lines",
                    "1",
                ),
                Column("all_share", "Share, all", "share", f"{issuer}'s share of {importer}'s imports, all lines", "1"),
                Column("imports_usd", "All imports", "usd", "imports from all partners, all lines", "USD"),
                *_HHI,
                Column("suppliers", "Suppliers", "integer", "partners with a positive value, all lines", "members"),
                _NEXT,
                _FLAG,
            ),
        ),
        "lines": (
            "Every line of a controlled item",
            "A line that several minerals share stands once for each.",
            True,
            (
                _MINERAL,
                _HS6,
                _PRODUCT,
                Column("label", "Description", "text", "of the line, in the edition of the data"),
                _BOUND,
                Column("named", "Names it", "boolean", "whether the description of the line names the mineral"),
                Column(
                    "conversion",
                    "Found as",
                    "text",
                    "one code; named: the candidate that names the mineral; one of several",
                ),
                _CODES,
                Column("imports_usd", "All imports", "usd", "imports of the line from all partners", "USD"),
                Column("issuer_usd", f"From {issuer}", "usd", f"imports of the line from {issuer}", "USD"),
                Column("share", "Share", "share", f"{issuer}'s share", "1"),
                *_HHI,
                _NEXT,
                Column(
                    "world_share", "Share of world", "share", f"{issuer}'s share of the imports of all reporters", "1"
                ),
                _FLAG,
            ),
        ),
        "unmeasured": (
            "Under control and not measured",
            "Listed, and not zero.",
            True,
            (_MINERAL, _HS6, _PRODUCT, _CODES, Column("reason", "Why", "text", "why it is in no figure")),
        ),
        "suppliers": (
            "Suppliers of every mineral",
            "",
            False,
            (
                _MINERAL,
                _BOUND,
                Column("partner", "Code", "text", "ISO 3166-1 alpha-3"),
                Column("name", "Supplier", "text", "partner"),
                Column("value_usd", "Imports", "usd", "imports of the year", "USD"),
                Column("share", "Share", "share", "of the imports of these lines", "1"),
            ),
        ),
        "years": (
            f"{issuer}'s share by year",
            "",
            False,
            (
                _MINERAL,
                _BOUND,
                Column("year", "Year", "integer", "year"),
                Column("value_usd", f"From {issuer}", "usd", f"imports from {issuer}; empty: no row of it", "USD"),
                Column("share", "Share", "share", "of the imports of these lines", "1"),
                Column("total_usd", "All imports", "usd", "imports from all partners", "USD"),
                Column("herfindahl", "HHI", "number", "concentration of the suppliers", "1"),
            ),
        ),
        "prices": (
            "Price after the issuer's supply is removed",
            "",
            True,
            (
                _MINERAL,
                Column("basis", "World supply", "text", "what the issuer's share is a share of"),
                Column("year", "Year", "integer", "year of the share"),
                Column("removed", "Removed", "share", "the issuer's share of world supply", "1"),
                Column("log_low", "Δln p, low", "number", "at the largest elasticities", "1"),
                Column("log_high", "Δln p, high", "number", "at the smallest elasticities", "1"),
                Column("low", "Price, low", "share", "relative change of the price, at the largest elasticities", "1"),
                Column(
                    "high", "Price, high", "share", "relative change of the price, at the smallest elasticities", "1"
                ),
                Column("published", "Published", "share", "what another study prints for this mineral, at least", "1"),
                _FLAG,
            ),
        ),
        "hosts": (
            "What by-products are recovered from",
            "",
            True,
            (
                _MINERAL,
                Column("controlled", "Under control", "boolean", "whether an item of it is under control on the day"),
                Column("host", "Host", "text", "material in whose production it is recovered"),
                Column("year", "Year", "integer", "year of the production"),
                Column("issuer_share", f"Share of {issuer}", "share", "of world production of the host", "1"),
                Column("leading", "Leading producers", "text", "of the host, with their share of world production"),
                Column("source", "Source", "text", "who says that it is recovered from the host"),
                Column("note", "Remark", "text", "of the card"),
                _FLAG,
            ),
        ),
        "look-through": (
            "Face value and look-through",
            "",
            True,
            (
                Column("purchases", "Purchases", "text", f"what {importer} buys"),
                Column("industry", f"Industry of {issuer}", "text", "industry that stands for minerals, or all"),
                Column("minerals", "Stand for", "text", "minerals of which it makes lines"),
                Column("purchases_usd", "Value", "usd", "of the purchases, from all countries and its own", "USD"),
                Column("face_usd", "Bought directly", "usd", "from this industry", "USD"),
                Column("face_share", "Face value", "share", "bought directly, of the purchases", "1"),
                Column(
                    "value_added_usd",
                    "Arose there",
                    "usd",
                    "value of the purchases that arose there, all stages",
                    "USD",
                ),
                Column("value_added_share", "Look-through", "share", "the same, of the purchases", "1"),
                Column("gross_share", "By gross output", "share", "of the gross output that the purchases need", "1"),
                Column("ratio", "Ratio", "number", "look-through over face value", "1"),
                Column(
                    "direct_share", f"Through {issuer}", "share", f"part of look-through delivered by {issuer}", "1"
                ),
                Column("own_share", "Through own goods", "share", f"part in goods of {importer} itself", "1"),
                Column("third_share", "Through third countries", "share", "part in goods of all others", "1"),
                Column("third", "Leading third countries", "text", "with their part"),
            ),
        ),
        "controls": (
            "The controls of the day",
            "",
            False,
            (
                Column("item", "Item", "text", "id in the registry"),
                Column("product", "Mineral", "text", "mineral or group of goods"),
                Column("text", "Text", "text", "the item"),
                Column("control", "Control code", "text", "code of the issuer's list"),
                Column("hs10", "10-digit code", "text", "empty: no line lists it"),
                Column(
                    "match", "Match", "text", "exact: the line is the item; partial: it holds more; unlisted: no line"
                ),
                Column("action", "Action", "text", "id in the registry"),
                Column("kind", "Kind", "text", "of the action"),
                Column("destination", "Destinations", "text", "for exports to whom"),
                Column("status", "Status", "text", "on the day"),
                Column("since", "Since", "text", "first day in force"),
                Column("until", "Until", "text", "last day in force"),
            ),
        ),
    }


def tables(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[Table, ...]:
    """Return the tables that there are, and the lines of every mineral that has any in the data."""
    said = _columns(scope)
    made = []
    for name, (title, note, shown, columns) in said.items():
        if name in frames:
            made.append(Table(name, title, frames[name][[c.name for c in columns]], columns, note, shown))
    title, note, _, columns = said["lines"]
    for mineral, part in frames["lines"].groupby("mineral"):
        own = part[[c.name for c in columns[1:]]].reset_index(drop=True)
        made.append(Table(f"lines-{slug(str(mineral))}", f"Lines of {mineral}", own, columns[1:], "", True))
    return tuple(made)
