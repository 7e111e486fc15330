"""The tables of the part on end use: frames and their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from autarky import aggregates
from autarky.findings import Column
from autarky.placement import CATEGORIES
from autarky.roll_forward import ALL

if TYPE_CHECKING:
    from autarky.adjusted import Published
    from autarky.aggregates import Aggregates
    from autarky.roll_forward import Bridge
    from autarky.studies._self_reliance.end_use import Found

YEAR = Column("year", "Year", "integer", "calendar year")
FLOW = Column("flow", "Flow", "text", "import or export")
CATEGORY = Column(
    "category", "Category", "text", "big category of end use; unclassified = no end use in the UN's tables"
)
VALUE = Column("value_usd", "Value", "usd", "current US dollars", "USD")
FLAG = Column("flag", "Note", "text", "why a figure is missing")

LEVELS = (
    YEAR,
    FLOW,
    Column("nomenclature", "By", "text", "classification by end use"),
    CATEGORY,
    VALUE,
    Column("share", "Share", "share", "of the flow in the year"),
    Column("share_of_gdp", "Of GDP", "share2", "share of the reporter's gross domestic product in US dollars"),
    Column("gdp_usd", "GDP", "usd", "gross domestic product", "USD"),
    Column("assumed_usd", "Through a choice", "usd", "value whose category rests on a choice", "USD"),
    Column("assumed_share", "Share of it", "share", "share of the value whose category rests on a choice"),
    FLAG,
)
MOVES = (
    FLOW,
    Column("from", "From", "text", "category in the first classification"),
    Column("to", "To", "text", "category in the second"),
    Column("product", "Product", "text", "6-digit code"),
    Column("name", "Name", "text", "short name in the HS"),
    Column("nomenclature", "Editions", "text", "editions of the HS in which it moves"),
    Column(
        "in_part", "Also a further use", "boolean", "one classification names the other's category as a further use"
    ),
    VALUE,
    Column("share", "Of the flow", "share2", "share of the whole flow"),
    Column("share_of_moves", "Of what moves", "share", "share of all value that moves"),
)
MATRIX = (
    FLOW,
    Column("from", "From", "text", "category in the first classification"),
    Column("to", "To", "text", "category in the second; not known = it does not say"),
    Column("products", "Products", "integer", "6-digit codes"),
    VALUE,
    Column("share", "Of the flow", "share2", "share of the whole flow"),
)
NOTES = (Column("note", "Note", "text", "what the classification's card says"),)
RATIOS = (
    YEAR,
    FLOW,
    CATEGORY,
    Column("bec4_usd", "BEC4", "usd", "value by BEC4", "USD"),
    Column("bec5_usd", "BEC5", "usd", "value by BEC5", "USD"),
    Column("residual", "Residual", "share", "(BEC4 − BEC5)/BEC5"),
    FLAG,
)
TRIED = (
    YEAR,
    FLOW,
    CATEGORY,
    Column("mean", "Mean residual", "share", "mean of the residuals of the years seen"),
    Column("low", "Lowest", "share", "lowest of them"),
    Column("high", "Highest", "share", "highest of them"),
    Column("sd", "SD", "share", "their standard deviation (ddof 1)"),
    Column("value_usd", "BEC4 estimated", "usd", "BEC5 · (1 + mean residual)", "USD"),
    Column("low_usd", "By the lowest", "usd", "BEC5 · (1 + lowest residual)", "USD"),
    Column("high_usd", "By the highest", "usd", "BEC5 · (1 + highest residual)", "USD"),
    Column("actual_usd", "BEC4 actual", "usd", "value by BEC4 of that year", "USD"),
    Column("error", "Error", "share", "estimated over actual, less 1"),
    Column("within", "Within range", "boolean", "actual value between the estimates by lowest and highest residual"),
    FLAG,
)
ROLLED = (
    Column("year", "Year", "integer", "calendar year; empty = all years together"),
    FLOW,
    Column("category", "Category", "text", "big category; all = their sum"),
    Column("projected_usd", "Carried forward", "usd", "base carried forward by monthly indices", "USD"),
    Column("actual_usd", "Reported", "usd", "annual value", "USD"),
    Column("residual", "Residual", "share", "carried forward over reported, less 1"),
    FLAG,
)
RESIDUALS = (
    FLOW,
    Column("printed", "Printed", "share", "residual as printed in the source"),
    Column("chained", "Computed", "share", "all years together, each carried on from the projected year before"),
    Column("rebased", "Computed, from actual", "share", "the same, each year from the actual year before"),
    Column("mean_absolute", "Mean absolute", "share", "mean of the years' absolute residuals (chained)"),
)
PRINTED = (
    Column("figure", "Figure", "text", "what is printed"),
    Column("unit", "Unit", "text", "what `Value` is in; shares 0 to 1"),
    YEAR,
    Column("since", "Since", "integer", "first year of a change"),
    Column("printed", "Printed", "text", "the source's words"),
    Column("value", "Value", "scientific", "the number in them"),
    Column("computed", "Computed", "scientific", "the same figure from the data of this report"),
    Column("difference", "Difference", "scientific", "computed less printed"),
    Column("where", "Where", "text", "section of the source"),
)


def levels(found: Found) -> pd.DataFrame:
    """Return both classifications, a row a (year, flow, category), with shares of GDP where there is GDP."""
    parts = []
    for own in (found.bec4, found.bec5):
        frame = own.frame.assign(nomenclature=own.nomenclature)
        if found.gdp is None:
            frame = frame.assign(gdp_usd=float("nan"), share_of_gdp=float("nan"))
        else:
            frame = aggregates.as_share_of_gdp(frame, found.gdp)
        parts.append(frame)
    order = [c.name for c in LEVELS]
    frame = pd.concat(parts, ignore_index=True)[order]
    rank = frame["category"].map(list(CATEGORIES).index)
    return frame.assign(rank=rank).sort_values(["nomenclature", "flow", "year", "rank"], ignore_index=True)[order]


def wide(imports: pd.DataFrame, relative: bool) -> pd.DataFrame:
    """Return a row a year, a column a category: US dollars, or shares of GDP."""
    name = "share_of_gdp" if relative else "value_usd"
    table = imports.pivot(index="year", columns="category", values=name).reindex(columns=list(CATEGORIES))
    total = imports.groupby("year")[name].agg(lambda v: v.sum(min_count=len(v)))
    return table.assign(all=total).reset_index().rename_axis(columns=None)


def wide_columns(relative: bool) -> tuple[Column, ...]:
    """Return the columns of `wide`."""
    form, unit = ("share2", "") if relative else ("usd", "USD")
    said = "share of gross domestic product" if relative else "current US dollars"
    return (YEAR, *(Column(c, c.capitalize(), form, f"{c}: {said}", unit) for c in (*CATEGORIES, ALL)))


def tried(made: Bridge, actual: pd.DataFrame) -> pd.DataFrame:
    """Return the bridge's estimates with the spread behind them, beside what is known of that year."""
    frame = made.estimates.merge(made.spread.drop(columns="years"), on=["flow", "category"], how="left")
    known = actual.rename(columns={"value_usd": "actual_usd"})
    frame = frame.merge(known, on=["year", "flow", "category"], how="left")
    within = frame["actual_usd"].between(frame["low_usd"], frame["high_usd"])
    defined = frame["actual_usd"].notna() & frame["value_usd"].notna()
    frame = frame.assign(
        error=(frame["value_usd"] / frame["actual_usd"] - 1).where(frame["actual_usd"] > 0),
        within=within.astype("boolean").where(defined),
    )
    return frame[[c.name for c in TRIED]]


def covered(monthly: pd.DataFrame, annual: Aggregates) -> pd.DataFrame:
    """Return year, flow, and the sum of twelve months over the annual value, where both are there."""
    frame = monthly.assign(year=monthly["month"].dt.year)
    held = frame.dropna(subset="value_usd").groupby(["year", "flow"])["month"].nunique()
    sums = frame.groupby(["year", "flow"])["value_usd"].sum()[held == 12].rename("months_usd").reset_index()
    both = sums.merge(annual.years[["year", "flow", "value_usd"]], on=["year", "flow"])
    return both.assign(ratio=both["months_usd"] / both["value_usd"])[["year", "flow", "ratio"]]


def residuals(chained: pd.DataFrame, rebased: pd.DataFrame, printed: Published) -> pd.DataFrame:
    """Return the residual of all years together beside the printed one, by flow and overall."""
    rows = []
    for flow, value in printed.validation["residuals"].items():
        row: dict[str, object] = {"flow": flow, "printed": float(value)}
        for name, frame in (("chained", chained), ("rebased", rebased)):
            own = frame[(frame["flow"] == flow) & (frame["category"] == ALL)]
            pooled = own.loc[own["year"].isna(), "residual"]
            row[name] = float(pooled.iloc[0]) if len(pooled) else None
            if name == "chained":
                each = own.loc[own["year"].notna(), "residual"].abs()
                row["mean_absolute"] = float(each.mean()) if len(each) else None
        rows.append(row)
    return pd.DataFrame(rows).astype({"chained": "float64", "rebased": "float64", "mean_absolute": "float64"})
