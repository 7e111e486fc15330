"""The tables of the part on precautionary imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from autarky.errors import MeasureError
from autarky.findings import Column
from autarky.models.stockpiling import StockpilingModel

if TYPE_CHECKING:
    from autarky.counterfactuals import Watched, Window
    from autarky.models.stockpiling import StockpilingFit


@dataclass(frozen=True)
class Fitted:
    """One series with its model, or why there is none."""

    watched: Watched
    fit: StockpilingFit | None
    reason: str | None
    used: tuple[str, ...] = ()


def excess(fitted: list[Fitted]) -> pd.DataFrame:
    return pd.DataFrame([_row(f, window) for f in fitted for window in f.watched.windows])


def _row(f: Fitted, window: Window) -> dict[str, object]:
    published = {"published": window.published_usd, "published_share": window.published_share}
    head = {"series": f.watched.title, "first": window.first.to_timestamp(), "last": window.last.to_timestamp()}
    found = {c: None for c in ("months", "actual", "projection", "estimate", "low", "high", "share")}
    if f.fit is None:
        return {**head, **found, **published, "reason": f.reason}
    try:
        measured = f.fit.excess(str(window.first), str(window.last))
    except MeasureError as error:
        return {**head, **found, **published, "reason": str(error)}
    return {**head, **{c: getattr(measured, c) for c in found}, **published, "reason": measured.reason}


def variants(held: list[Fitted]) -> pd.DataFrame:
    """Return the excess of every window under the other forms of the model, each form once."""
    found = []
    for f in held:
        for window in f.watched.windows:
            span = str(window.first), str(window.last)
            try:
                tables = [f.fit.alternatives(*span), f.fit.without_each(*span)] if f.fit else []
            except MeasureError:
                continue
            rows = pd.concat([t.dropna(axis=1, how="all") for t in tables], ignore_index=True)
            rows = rows[~rows["model"].isin(["without time"])].drop_duplicates("model")
            found.append(rows.assign(series=f.watched.title))
    return _windows(found, VARIANTS)


def placebos(held: list[Fitted]) -> pd.DataFrame:
    found = [f.fit.placebo().assign(series=f.watched.title) for f in held if f.fit]
    return _windows([t.dropna(axis=1, how="all") for t in found], PLACEBO)


def _windows(found: list[pd.DataFrame], columns: tuple[Column, ...]) -> pd.DataFrame:
    names = [c.name for c in columns]
    if not found:
        return pd.DataFrame(columns=names)
    table = pd.concat(found, ignore_index=True).reindex(columns=names)
    return table.assign(**{c: pd.PeriodIndex(table[c], freq="M").to_timestamp() for c in ("first", "last")})


def coefficients(held: list[Fitted]) -> pd.DataFrame:
    found = []
    for f in held:
        table = f.fit.diagnostics().coefficients.rename_axis("term").reset_index() if f.fit else pd.DataFrame()
        found.append(table.assign(series=f.watched.title))
    return pd.concat(found, ignore_index=True)[[c.name for c in COEFFICIENTS]]


def paths(held: list[Fitted]) -> pd.DataFrame:
    found = []
    for f in held:
        table = f.fit.path().rename_axis("period").reset_index() if f.fit else pd.DataFrame()
        found.append(table.assign(series=f.watched.title, period=table["period"].dt.to_timestamp()))
    return pd.concat(found, ignore_index=True)[[c.name for c in PATH]]


LEVEL = f"{StockpilingModel.level:.0%}"
SERIES = Column("series", "Series", "text", "what is explained")
FIRST = Column("first", "From", "month", "first month of the window")
LAST = Column("last", "To", "month", "last month of the window, inclusive")
MONTHS = Column("months", "Months", "integer", "months of the window that have a value")
ESTIMATE = Column("estimate", "Excess", "usd", "actual less projected imports of the window", "USD")
LOW = Column("low", "Low", "usd", f"lower end of the {LEVEL} interval of the excess", "USD")
HIGH = Column("high", "High", "usd", f"upper end of the {LEVEL} interval of the excess", "USD")
SHARE = Column("share", "Share", "share", "excess over projection", "1")
REASON = Column("reason", "Remark", "text", "why a figure is missing")
EXCESS = (
    SERIES,
    FIRST,
    LAST,
    MONTHS,
    Column("actual", "Actual", "usd", "imports of the window", "USD"),
    Column("projection", "Projection", "usd", "projected imports of the same months", "USD"),
    ESTIMATE,
    LOW,
    HIGH,
    SHARE,
    Column("published", "Published excess", "usd", "as printed in the source", "USD"),
    Column("published_share", "Published share", "share", "as printed in the source", "1"),
    REASON,
)
MODEL = Column("model", "Model", "text", "what differs from the model as fitted")
VARIANTS = (SERIES, FIRST, LAST, MODEL, ESTIMATE, LOW, HIGH, SHARE, REASON)
PLACEBO = (
    SERIES,
    MODEL,
    FIRST,
    LAST,
    ESTIMATE,
    LOW,
    HIGH,
    SHARE,
    Column("covers_zero", "Interval holds zero", "boolean", "as it should: nothing had begun"),
    REASON,
)
COEFFICIENTS = (
    SERIES,
    Column("term", "Term", "text", "intercept or regressor"),
    Column("estimate", "Coefficient", "scientific", "USD a month per unit of the regressor"),
    Column("se", "Standard error", "scientific", "HAC (Newey and West)"),
    Column("t", "t", "number", "coefficient over standard error", "1"),
    Column("p", "p", "scientific", "two-sided, Student's t", "1"),
    Column("vif", "VIF", "number", "variance inflation factor: how far the others repeat this regressor", "1"),
    Column("distinct", "Distinct values", "integer", "different values in the baseline"),
)
PATH = (
    SERIES,
    Column("period", "Month", "month", "month"),
    Column("actual", "Actual", "usd", "imports of the month", "USD"),
    Column("projection", "Projection", "usd", "projected imports; fitted in the baseline", "USD"),
    Column("low", "Low", "usd", f"lower end of the {LEVEL} interval of the projection", "USD"),
    Column("high", "High", "usd", f"upper end of the {LEVEL} interval of the projection", "USD"),
    Column("excess", "Excess", "usd", "actual less projection", "USD"),
    Column("cumulative", "Added up", "usd", "excess since the end of the baseline", "USD"),
    Column("cumulative_low", "… low", "usd", f"lower end of the {LEVEL} interval of that sum", "USD"),
    Column("cumulative_high", "… high", "usd", f"upper end of the {LEVEL} interval of that sum", "USD"),
    Column("reason", "Remark", "text", "why a figure is missing"),
)
