"""Aggregates without semiconductor goods (section 6 and figure 8 of the source)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import adjusted, aggregates, aggregates_charts
from autarky.errors import CodeError, MeasureError, NoDataError, TableError
from autarky.findings import Column, Figure, Part, Section, Table
from autarky.roll_forward import ALL
from autarky.studies._self_reliance import annual_given, end_use_words
from autarky.studies._self_reliance.annual_given import Options
from autarky.studies._self_reliance.end_use_tables import CATEGORY, FLAG, PRINTED, VALUE, YEAR

if TYPE_CHECKING:
    from autarky.adjusted import Adjusted, Published
    from autarky.aggregates import Aggregates
    from autarky.studies._self_reliance.scope import Given

# The source's adjusted aggregates are of BEC4.
NOMENCLATURE = "BEC4"
HEADING = "Imports without semiconductor goods"

PATH = (
    YEAR,
    CATEGORY,
    Column("total_usd", "All", "usd", "imports of the category", "USD"),
    Column(
        "semi_usd", "Semiconductor goods", "usd", "listed products that the UN's table counts in the category", "USD"
    ),
    Column("listed_usd", "As listed", "usd", "listed products that the list puts in the category", "USD"),
    Column("adjusted_usd", "Without", "usd", "all less semiconductor goods", "USD"),
    Column("semi_share", "Share", "share", "semiconductor goods in the category"),
)
OF_GDP = (
    Column("total_gdp", "All, of GDP", "share2", "all imports of the category over gross domestic product"),
    Column("semi_gdp", "Semiconductor, of GDP", "share2", "semiconductor goods over gross domestic product"),
    Column("listed_gdp", "As listed, of GDP", "share2", "as listed, over gross domestic product"),
    Column("adjusted_gdp", "Without, of GDP", "share2", "the difference over gross domestic product"),
    Column("gdp_usd", "GDP", "usd", "gross domestic product", "USD"),
)
CHANGE = (
    CATEGORY,
    Column("measure", "Of", "text", "value in US dollars, or share of GDP (0 to 1)"),
    Column("since", "Since", "integer", "first year"),
    Column("until", "Until", "integer", "last year"),
    Column("first", "First", "scientific", "value of the first year"),
    Column("last", "Last", "scientific", "value of the last year"),
    Column("change", "Change", "share", "last over first, less 1"),
    Column("points", "Difference", "scientific", "last less first"),
    FLAG,
)
DIFFERING = (
    Column("product", "Product", "text", "6-digit code"),
    Column("listed", "List", "text", "category by the list"),
    Column("un", "UN", "text", "category by the UN's table"),
    Column("groups", "Groups", "text", "groups of the list"),
    Column("codes", "Codes", "text", "codes of the list"),
    VALUE,
)
CODES = (
    Column("group", "Group", "text", "group of the list"),
    Column("listed", "List", "text", "category by the list"),
    Column("code", "Code", "text", "code of the list"),
    Column("label", "Label", "text", "as listed"),
    Column("product", "Product", "text", "6-digit code that it is matched to"),
    YEAR,
    Column("un", "UN", "text", "category by the UN's table"),
    Column("match", "Match", "text", "exact, partial (the product holds more than the code) or none"),
    VALUE,
)


def part(
    given: Given,
    *,
    mirror: bool = False,
    annual_source: str | None = None,
    gdp_source: str | None = None,
    combined: tuple[tuple[str, str], ...] = (),
    reference: str | Path | None = None,
) -> Part:
    """Return the part of the report on capital and intermediate goods without the list's semiconductor goods.

    Parameters
    ----------
    mirror, annual_source, gdp_source, combined, reference : as in `end_use.part`
    """
    options = Options(mirror, annual_source, "first", gdp_source, combined, reference)
    printed = adjusted.published()
    try:
        found = annual_given.found(given, options, NOMENCLATURE, "import")
        gdp, gdp_said = annual_given.gdp_of(given, options)
        made = adjusted.adjusted(found, given.scope.listed, gdp)
    except (NoDataError, TableError, CodeError, MeasureError) as error:
        return Part((Section(HEADING, (end_use_words.lacking(str(error)),)),))
    _account(given, made)
    source = annual_given.source_line(found, given)
    relative = "adjusted_gdp" in made.path and bool(made.path["adjusted_gdp"].notna().any())
    compared = adjusted.beside(printed.values, made, _totals(found, gdp))
    tables = [
        Table("adjusted-path", "Capital and intermediate goods without semiconductor goods", made.path,
              _path_columns(made), source),
        Table("adjusted-change", "Their change", made.change, CHANGE, source),
        Table("adjusted-printed", "Printed and computed", compared, PRINTED, f"{printed.source}. {source}"),
        Table("adjusted-codes", "Listed semiconductor codes in the annual data", made.codes, CODES, source,
              in_report=False),
    ]  # fmt: skip
    items = ["adjusted-path", "adjusted-change"]
    if len(made.differing):
        title = "Products that list and UN table place differently"
        tables.append(Table("adjusted-differing", title, made.differing, DIFFERING, source))
        items.append("adjusted-differing")
    figure = _figure(made, printed, found, relative, source)
    words = _words(given, found, made, gdp, gdp_said, printed, relative)
    section = Section(HEADING, words, (*((figure.name,) if figure else ()), *items, "adjusted-printed"))
    return Part((section,), tuple(tables), (figure,) if figure else (), _sure(made))


def _path_columns(made: Adjusted) -> tuple[Column, ...]:
    return (*PATH, *(OF_GDP if "gdp_usd" in made.path else ()), FLAG)


def _account(given: Given, made: Adjusted) -> None:
    total, semi = float(made.path["total_usd"].sum()), float(made.path["semi_usd"].sum())
    rows = int(made.codes["year"].notna().sum())
    note = f"semiconductor goods of {given.scope.listed.id}, by the UN's category: {semi:,.0f} USD subtracted"
    given.ledger.add("without semiconductor goods", (rows, rows), (total, total - semi), note)


def _totals(found: Aggregates, gdp: pd.Series[float] | None) -> pd.DataFrame:
    """Return year, category, share_of_gdp, the sum of all categories as `all`."""
    if gdp is None:
        return pd.DataFrame(columns=["year", "category", "share_of_gdp"])
    own = found.frame[["year", "category", "value_usd"]]
    every = own.groupby("year", as_index=False)["value_usd"].agg(lambda v: v.sum(min_count=len(v)))
    both = pd.concat([own, every.assign(category=ALL)], ignore_index=True)
    return aggregates.as_share_of_gdp(both, gdp)[["year", "category", "share_of_gdp"]]


def _figure(made: Adjusted, printed: Published, found: Aggregates, relative: bool, source: str) -> Figure | None:
    names = ("total_gdp", "adjusted_gdp") if relative else ("total_usd", "adjusted_usd")
    scale = 100 if relative else 1e-9
    frame = made.path[["year", "category"]].assign(
        total=made.path[names[0]] * scale, adjusted=made.path[names[1]] * scale
    )
    if frame["total"].isna().all():
        return None
    unit = aggregates_charts.GDP_UNIT if relative else aggregates_charts.USD_UNIT
    points = _points(printed) if relative and annual_given.same_scope(found, printed) else None
    chart = aggregates_charts.adjusted(frame, unit, points)
    own = "Imports by BEC4 with and without the list's semiconductor goods."
    caption = " ".join(said for said in (own, annual_given.mirrored(found), source) if said)
    return Figure("adjusted", "Capital and intermediate goods without semiconductor goods", chart, caption)


def _points(printed: Published) -> pd.DataFrame:
    own = printed.values[printed.values["unit"] == "share of GDP"]
    own = own[own["figure"].str.endswith("without semiconductors")]
    return pd.DataFrame(
        {"year": own["year"], "category": own["figure"].str.split().str[0], "value": 100 * own["value"]}
    )


def _words(
    given: Given,
    found: Aggregates,
    made: Adjusted,
    gdp: pd.Series[float] | None,
    gdp_said: str,
    printed: Published,
    relative: bool,
) -> tuple[str, ...]:
    paragraphs = [
        annual_given.described(found, given),
        f"{gdp_said}.",
        f"From capital and from intermediate goods the semiconductor goods of the list “{given.scope.listed.title}” are subtracted, each "
        "from the category in which the UN's table counts it.",
        _changed(made, relative),
        _shares(made),
    ]
    if len(made.differing):
        paragraphs.append(_differ(made))
    paragraphs.append(annual_given.scope_said(found, printed))
    paragraphs.append(_implied(printed, gdp))
    return tuple(said for said in paragraphs if said)


def _changed(made: Adjusted, relative: bool) -> str:
    own = made.change[made.change["measure"] == ("share of GDP" if relative else "value")]
    said = []
    for row in own.itertuples():
        if pd.isna(row.change):
            said.append(f"{row.category} goods: {row.flag}")
            continue
        levels = (
            f"{row.first:.3%} to {row.last:.3%} of GDP"
            if relative
            else f"{row.first / 1e9:.1f} to {row.last / 1e9:.1f} billion USD"
        )
        points = f", {100 * row.points:+.3f} percentage points" if relative else ""
        said.append(
            f"{row.category} goods without semiconductor goods, {row.since} to {row.until}: {levels} ({row.change:+.1%}{points})"
        )
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def _shares(made: Adjusted) -> str:
    said = []
    for category, part in made.path.dropna(subset="semi_share").groupby("category"):
        share = part.set_index("year")["semi_share"]
        said.append(
            f"{category} goods {share.iloc[0]:.1%} in {share.index[0]} and {share.iloc[-1]:.1%} in {share.index[-1]}, "
            f"highest in {share.idxmax()} ({share.max():.1%})"
        )
    return f"Share of semiconductor goods: {'; '.join(said)}." if said else ""


def _differ(made: Adjusted) -> str:
    pairs = made.differing.groupby(["listed", "un"])
    said = "; ".join(
        f"{len(part)} {'product' if len(part) == 1 else 'products'} listed as {listed} and counted as {un} ({part['value_usd'].sum() / 1e9:.2f} billion USD over all years)"
        for (listed, un), part in pairs
    )
    sums = made.path.groupby("category")[["semi_usd", "listed_usd"]].sum()
    both = "; ".join(
        f"{c}: {r.semi_usd / 1e9:.1f} by the UN's table, {r.listed_usd / 1e9:.1f} by the list"
        for c, r in sums.iterrows()
    )
    return f"List and UN table differ: {said}. Semiconductor goods over all years, billion USD: {both}."


def _implied(printed: Published, gdp: pd.Series[float] | None) -> str:
    """Set a value that the source prints in dollars beside the share of GDP that it prints for it."""
    if gdp is None:
        return ""
    dollars = printed.values[printed.values["unit"] == "USD"]
    said = []
    for row in dollars.to_dict("records"):
        same = printed.values[(printed.values["figure"] == row["figure"]) & (printed.values["year"] == row["year"])]
        share = same.loc[same["unit"] == "share of GDP", "value"]
        if share.empty:
            continue
        implied = float(row["value"]) / float(share.iloc[0])
        known = float(gdp.get(row["year"], float("nan")))
        beside = (
            f"the GDP used here is {known / 1e12:.1f} trillion"
            if known == known
            else "there is no GDP of that year here"
        )
        said.append(
            f"The source prints {row['figure']} goods of {row['year']} as {row['printed']} and as {share.iloc[0]:.2%} of GDP ({row['where']}); together they imply a "
            f"GDP of {implied / 1e12:.1f} trillion USD ({beside})"
        )
    return f"{'. '.join(said)}." if said else ""


def _sure(made: Adjusted) -> tuple[str, ...]:
    counts: dict[Any, int] = made.codes.drop_duplicates("code")["match"].value_counts().to_dict()
    if not made.partial:
        return ()
    return (
        f"**Semiconductor goods in annual data** are matched by six digits: {counts.get('partial', 0)} codes partially, {counts.get('none', 0)} not at all. A product then holds "
        "more than the listed lines, so what is subtracted is an upper bound and what is left a lower one.",
    )
