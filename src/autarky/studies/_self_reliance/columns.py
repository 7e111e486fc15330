"""The columns of the self-reliance report's tables: heading, unit, meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autarky.findings import Column, Table
from autarky.patterns import LEAST_MONTHS, SMOOTHING
from autarky.studies._self_reliance.words import source_line

if TYPE_CHECKING:
    import pandas as pd

    from autarky.studies._self_reliance.scope import Scope


def _column(name: str, heading: str, form: str, meaning: str, unit: str = "") -> Column:
    return Column(name, heading, form, meaning, unit)


GROUP = _column("group", "Group", "text", "technology group of the list")
CATEGORY = _column(
    "category", "Category", "text", "semiconductor or other × capital, intermediate or consumption goods"
)
PERIOD = _column("period", "Month", "month", "month")
SERIES = (
    PERIOD,
    _column("value_usd", "Imports", "usd", "imports of the month; empty = absent", "USD"),
    _column(
        "smoothed",
        "12-month mean",
        "usd",
        f"trailing {SMOOTHING}-month mean, at least {LEAST_MONTHS} months present",
        "USD",
    ),
    _column("index", "Index", "number", "12-month mean over the mean of the window's first 12 months", "1"),
)
COLUMNS: dict[str, tuple[str, tuple[Column, ...]]] = {
    "patterns": (
        "Volatility, growth and pattern of every group",
        (
            GROUP,
            CATEGORY,
            _column("months", "Months", "integer", "months with a value"),
            _column(
                "volatility", "Volatility", "number", "standard deviation (ddof 1) over mean of the monthly values", "1"
            ),
            _column("growth", "Growth", "number", "time-weighted mean change against the first month", "1"),
            _column("pattern", "Pattern", "text", "by the rule, from volatility and growth"),
            _column("published_volatility", "Published volatility", "number", "as printed in the source", "1"),
            _column("published_growth", "Published growth", "number", "as printed in the source", "1"),
            _column("published_label", "Published label", "text", "as printed in the source"),
            _column("agrees", "Agrees", "boolean", "whether pattern and published label are the same"),
            _column(
                "volatility_detrended", "Volatility, detrended", "number", "around a least-squares straight line", "1"
            ),
            _column("volatility_stl", "Volatility, STL", "number", "of the STL remainder; needs every month", "1"),
            _column(
                "label_stability",
                "Label stability",
                "share",
                "redrawn series under moved thresholds that keep the label",
                "1",
            ),
            _column(
                "growth_first_year",
                "Growth, first-year base",
                "number",
                "as growth, against the mean of the first 12 months",
                "1",
            ),
            _column(
                "stability_bootstrap",
                "… redrawn series",
                "share",
                "redrawn series that keep the label under the thresholds as they are",
                "1",
            ),
            _column(
                "stability_thresholds",
                "… moved thresholds",
                "share",
                "pairs of thresholds under which the series itself keeps the label",
                "1",
            ),
            _column("pattern_as_is", "Pattern, as is", "text", "with the codes as the list prints them"),
            _column(
                "pattern_chained",
                "Pattern, chained",
                "text",
                "with codes continued by reviewed chains; empty: none apply",
            ),
            _column(
                "pattern_dropped", "Pattern, dropped", "text", "without the codes whose break no listed code covers"
            ),
            _column("flag", "Cautions", "text", "why a figure is missing, and what to mind"),
        ),
    ),
    "breaks": (
        "Groups that code changes touch, under each treatment",
        (
            GROUP,
            _column("breaks", "Treatment", "text", "as-is, chained or dropped"),
            _column("months", "Months", "integer", "months with a value"),
            _column("volatility", "Volatility", "number", "as in the table of patterns", "1"),
            _column("growth", "Growth", "number", "as in the table of patterns", "1"),
            _column("pattern", "Pattern", "text", "by the rule"),
        ),
    ),
    "series": ("Monthly imports of every group", (GROUP, *SERIES)),
    "categories": ("Monthly imports of every category", (CATEGORY, *SERIES)),
    "drivers": (
        "The code that moves each group most",
        (
            GROUP,
            CATEGORY,
            _column("code", "Code", "text", "product as it is in the data"),
            _column("label", "Label", "text", "label of the list"),
            _column("contribution", "Contribution", "number", "the code's part of the group's growth index", "1"),
            _column("growth", "Growth", "number", "the group's growth index", "1"),
            _column("share", "Share", "share", "contribution over growth", "1"),
            _column("published_driver", "Published", "text", "representative commodity named by the source"),
            _column("agrees", "Agrees", "boolean", "whether it is the published one"),
        ),
    ),
    "codes": (
        "Codes of the list and their match in the data",
        (
            GROUP,
            CATEGORY,
            _column("code", "Code", "text", "code of the list"),
            _column("label", "Label", "text", "label of the list"),
            _column("since", "Since", "integer", "first year printed in the list"),
            _column("until", "Until", "integer", "last year printed in the list"),
            _column("product", "Product", "text", "code as the data have it"),
            _column("match", "Match", "text", "exact, partial (the product holds more than the code) or none"),
            _column("shared_with", "Shared with", "text", "other groups that the product serves"),
            _column("value_usd", "Imports", "usd", "imports of the product over the window", "USD"),
        ),
    ),
    "shared": (
        "Products that several groups share",
        (
            _column("product", "Product", "text", "code as the data have it"),
            _column("groups", "Groups", "text", "groups of the list that it serves"),
        ),
    ),
    "batch2": ("Monthly imports of the second list", (GROUP, *SERIES)),
    "notes": (
        "What to know about the list",
        (_column("note", "Note", "text", "contradictions and readings noted on the card"),),
    ),
}
SHOWN = ("patterns", "breaks", "drivers", "codes", "shared", "notes")


def tables(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[Table, ...]:
    """Return the published tables."""
    made = []
    for name, frame in frames.items():
        heading, columns = COLUMNS[name]
        ordered = frame[[c.name for c in columns]].reset_index(drop=True)
        made.append(Table(name, heading, ordered, columns, source_line(scope), in_report=name in SHOWN))
    return tuple(made)
