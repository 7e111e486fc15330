"""Imports beyond a baseline's trend, income and ordinary demand (section 5 of the source)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from autarky import counterfactuals, engine, stockpiling_charts
from autarky.counterfactuals import Counterfactual, Selection, Watched
from autarky.errors import MeasureError, NoDataError, TableError
from autarky.findings import Column, Figure, Part, Section, Table
from autarky.models.stockpiling import Excess, StockpilingModel
from autarky.studies._self_reliance import stockpiling_tables as tabulated
from autarky.studies._self_reliance.stockpiling_tables import Fitted
from autarky.tables import column

if TYPE_CHECKING:
    from autarky.studies._self_reliance.scope import Given

OPTIONAL = ("published", "published_share", "reason")
NAMES = {"time": "a trend", "gdp": "GDP of the year", "equipment": "imports of other equipment"}
HEADING = "Imports beyond the projection"


def part(given: Given, name: str, gdp_source: str | None = None) -> Part:
    """Return the part of the report on precautionary imports: excess, its interval, and what it depends on.

    Parameters
    ----------
    name : id of a counterfactual, or a YAML file of the user's
    gdp_source : which source of GDP, where the store has several

    Raises
    ------
    CardError : the card is malformed
    """
    card = counterfactuals.load(name)
    gdp, no_gdp = _gdp(given, gdp_source)
    fitted = [_fitted(given, card, watched, gdp) for watched in card.series]
    held = [f for f in fitted if f.fit]
    excess = tabulated.excess(fitted)
    if not held:
        reasons = "; ".join(f"{f.watched.title}: {f.reason}" for f in fitted)
        return Part((Section(HEADING, (f"{_model(card)} It cannot be fitted here. {_sentence(reasons)}",)),))
    under = f"{given.source_line} Model: {card.source}."
    made = (
        ("excess", "Imports beyond the projection", excess, tabulated.EXCESS),
        ("excess_models", "The excess under other models", tabulated.variants(held), tabulated.VARIANTS),
        ("excess_placebo", "What the model finds where nothing had begun", tabulated.placebos(held), tabulated.PLACEBO),
        ("excess_coefficients", "Coefficients of the model", tabulated.coefficients(held), tabulated.COEFFICIENTS),
        ("excess_path", "Actual and projected imports by month", tabulated.paths(held), tabulated.PATH),
    )
    tables = [_table(name, title, frame, columns, under) for name, title, frame, columns in made if len(frame)]
    figures = [figure for f in held for figure in _figures(given, f)]
    words = (*_words(card, fitted, no_gdp), *_found(excess), *[_run_down(f) for f in held])
    items = (*[f.name for f in figures], *[t.name for t in tables if t.in_report])
    return Part((Section(HEADING, words, items),), tuple(tables), tuple(figures), _sure(held, tables))


def _table(name: str, title: str, frame: pd.DataFrame, columns: tuple[Column, ...], note: str) -> Table:
    """Return a table without the columns on published figures and remarks where there are none."""
    kept = tuple(c for c in columns if not (c.name in OPTIONAL and frame[c.name].isna().all()))
    return Table(name, title, frame[[c.name for c in kept]], kept, note, in_report=name != "excess_path")


def _fitted(given: Given, card: Counterfactual, watched: Watched, gdp: pd.Series[float] | None) -> Fitted:
    columns: dict[str, pd.Series[float] | None] = {"value_usd": _series(given, watched.selection)}
    if "gdp" in card.regressors:
        columns["gdp"] = gdp
    if "equipment" in card.regressors and card.equipment:
        columns["equipment"] = _series(given, card.equipment)
    frame = pd.DataFrame({n: c for n, c in columns.items() if c is not None}, index=given.scope.grouped.calendar)
    used = tuple(r for r in card.regressors if r == "time" or r in frame.columns)
    if "value_usd" not in frame.columns:
        return Fitted(watched, None, "the data hold none of its products")
    try:
        return Fitted(watched, StockpilingModel(card.baseline, used).fit(frame), None, used)
    except MeasureError as error:
        return Fitted(watched, None, str(error))


def _series(given: Given, wanted: Selection) -> pd.Series[float] | None:
    """Return the monthly sum of a selection; a product that serves two of its groups counts once.

    Months without any of it are null (or zero, where absence was asked to be); None where nothing was ever reported.
    """
    if wanted.products:
        total = _products(given, wanted.products)
    else:
        rows = given.scope.grouped.series
        held = rows["group"].isin(wanted.groups) | rows["category"].isin(wanted.categories)
        once = rows[held].drop_duplicates(["product", "period"])
        total = once.groupby("period")["value_usd"].sum()
    total = total.reindex(given.scope.grouped.calendar)
    if total.isna().all():
        return None
    return total.fillna(0.0) if given.scope.absent == "zero" else total


def _products(given: Given, prefixes: tuple[str, ...]) -> pd.Series[float]:
    """Return the monthly sum of the products whose codes begin with one of some digits, on the data's finest level."""
    level = int(given.chosen.coverage["level"].max())
    table = given.chosen.table.filter(column(given.chosen.table, "level") == level)
    wanted = table["product"].startswith(prefixes[0])
    for prefix in prefixes[1:]:
        wanted = wanted | table["product"].startswith(prefix)
    sums = table.filter(wanted).aggregate(by=["period"], value_usd=lambda t: t.value_usd.sum())
    frame = engine.rows(given.con, sums.order_by("period")).to_pandas()
    index = pd.PeriodIndex(pd.to_datetime(frame["period"]), freq="M")
    return pd.Series(frame["value_usd"].to_numpy(dtype="float64"), index=index)


def _gdp(given: Given, source: str | None) -> tuple[pd.Series[float] | None, str]:
    """Return each month's GDP of its year, US dollars (null for years that are not held); or None and why not."""
    if given.macro is None:
        return None, "The store holds no gross domestic product; `autarky ingest worldbank FILE --store …` adds it."
    try:
        annual = given.macro.gdp_usd(given.scope.reporter, source)
    except (NoDataError, TableError) as error:
        return None, _sentence(str(error))
    calendar = given.scope.grouped.calendar
    return pd.Series(calendar.year, index=calendar).map(annual), ""


def _figures(given: Given, f: Fitted) -> tuple[Figure, ...]:
    assert f.fit is not None
    path = f.fit.path()
    title = f"{f.watched.title}: actual and projected imports"
    made = [Figure(f"projection-{f.watched.id}", title, stockpiling_charts.projection(path, ""), given.source_line)]
    if path["cumulative"].notna().any():
        title = f"{f.watched.title}: excess added up since the baseline"
        chart = stockpiling_charts.cumulative(path, "")
        made.append(Figure(f"cumulative-{f.watched.id}", title, chart, given.source_line))
    return tuple(made)


def _model(card: Counterfactual) -> str:
    first, last = card.baseline
    *most, final = [NAMES.get(r, r) for r in card.regressors]
    names = f"{', '.join(most)} and {final}" if most else final
    return (
        f"Monthly imports of {first} to {last} are explained by {names} (least squares), and the relation is projected over "
        "the months after; the **excess** is what came beyond the projection."
    )


def _words(card: Counterfactual, fitted: list[Fitted], no_gdp: str) -> tuple[str, ...]:
    said = [
        f"{_model(card)} A projection says what would have come had the relations of the baseline held, no more. Source: "
        f"{card.source}."
    ]
    held = next(f for f in fitted if f.fit)
    left = [r for r in card.regressors if r not in held.used]
    if "gdp" in left:
        said.append(
            f"**Without GDP.** {no_gdp} So the model here is not the source's: growth of the economy shows as trend or as "
            "excess."
        )
    if "equipment" in left:
        said.append("**Without equipment.** The data hold none of the products of that regressor.")
    said += [f"{f.watched.title}: no model. {_sentence(f.reason or '')}" for f in fitted if f.fit is None]
    return (*said, *card.notes)


def _found(table: pd.DataFrame) -> list[str]:
    said = []
    for row in table.dropna(subset=["estimate"]).itertuples():
        sure = "includes zero" if row.low <= 0 <= row.high else "excludes zero"
        share = "" if pd.isna(row.share) else f", {row.share:+.1%} of the projection".replace("-", "−")
        printed = (
            ""
            if row.published is None or pd.isna(row.published)
            else f" The source prints {_billion(row.published)} billion."
        )
        said.append(
            f"**{row.series}, {row.first:%Y-%m} to {row.last:%Y-%m}** ({row.months} months): {_billion(row.estimate)} billion USD"
            f"{share}; {tabulated.LEVEL} interval {_billion(row.low)} to {_billion(row.high)}, which {sure}.{printed}"
        )
    return said


def _run_down(f: Fitted) -> str:
    assert f.fit is not None
    found = f.fit.rundown()
    head = f"**Run-down or substitution? {f.watched.title}**: {found.verdict}: {found.reason}."
    if found.peak is None or found.at_peak is None or found.at_last is None:
        return head
    return (
        f"{head} Added up since the baseline the excess peaks in {found.peak} at {_billions(found.at_peak)} and stands at "
        f"{_billions(found.at_last)} in {found.last}."
    )


def _billions(excess: Excess) -> str:
    if excess.estimate is None or excess.low is None or excess.high is None:
        return "no figure"
    return f"{_billion(excess.estimate)} billion USD ({_billion(excess.low)} to {_billion(excess.high)})"


def _billion(value: float) -> str:
    return f"{value / 1e9:+,.2f}".replace("-", "−")


def _sure(held: list[Fitted], tables: list[Table]) -> tuple[str, ...]:
    by_name = {t.name: t.frame for t in tables}
    said = []
    if "excess_placebo" in by_name:
        tried = by_name["excess_placebo"].dropna(subset=["estimate"])
        misses = int((~tried["covers_zero"].astype("bool")).sum())
        said.append(
            f"**Placebo baselines.** Fitted to a shorter baseline, the model should find nothing in the rest of it; in {misses} of "
            f"{len(tried)} trials its interval excludes zero all the same."
        )
    if "excess_models" in by_name:
        said += [_spread(*group) for group in by_name["excess_models"].groupby(["series", "first", "last"], sort=False)]
    for f in held:
        assert f.fit is not None
        cautions = " ".join(_sentence(c) for c in f.fit.diagnostics().cautions)
        said += [f"**The model of {f.watched.title}.** {cautions}"] if cautions else []
    return tuple(said)


def _spread(key: tuple[str, pd.Timestamp, pd.Timestamp], table: pd.DataFrame) -> str:
    series, first, last = key
    known = table.dropna(subset=["estimate"])
    low, high = _billion(known["estimate"].min()), _billion(known["estimate"].max())
    return (
        f"**Other models, {series}, {first:%Y-%m} to {last:%Y-%m}.** Under {len(known)} forms of the model the excess lies between "
        f"{low} and {high} billion USD."
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."
