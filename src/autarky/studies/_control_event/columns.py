"""The columns of the control-event report's tables: heading, unit, meaning."""

from __future__ import annotations

from autarky.findings import Column, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pandas as pd

PRODUCT = Column("product", "Product", "text", "code as the data have it")
PARTNER = Column("partner", "Partner", "text", "ISO3 code; WLD = all partners")
MEASURE = Column("measure", "Measure", "text", "value_usd, weight_kg or price_usd_kg (value over weight)")
WINDOW = Column(
    "window",
    "Window",
    "text",
    "before: months before the announcement; announced: from it to the control; after: under the control",
)
P = Column(
    "placebo_p",
    "Placebo p",
    "number",
    "share of dates, the event among them, with a difference at least as large for its interval",
    "1",
)
PLACEBOS = Column(
    "placebos", "Placebo dates", "integer", "dates with a design of their own before the event; they overlap"
)
REASON = Column("reason", "Reason", "text", "why a figure is missing")
FIGURES = (
    Column("first", "First", "month", "first month of the window"),
    Column("last", "Last", "month", "last month of the window"),
    Column("months", "Months", "integer", "months with a value: those that count"),
    Column("actual", "Actual", "number", "sum over these months; of prices their sum too, in the unit of the measure"),
    Column("projection", "Counterfactual", "number", "sum over the same months"),
    Column("difference", "Difference", "number", "actual less counterfactual"),
    Column("low", "Low", "number", "lower end of the interval of the difference"),
    Column("high", "High", "number", "upper end"),
    Column("share", "Change", "share", "difference over counterfactual", "1"),
    Column("share_low", "Change, low", "share", "lower end of its interval", "1"),
    Column("share_high", "Change, high", "share", "upper end", "1"),
    P,
    PLACEBOS,
)
SHORT = tuple(c for c in FIGURES if c.name not in ("actual", "projection", "difference", "low", "high", "placebos"))
FILLED = Column("filled", "Months as zero", "integer", "months without a row, in all of the data, that count as zero")
COLUMNS: dict[str, tuple[str, tuple[Column, ...]]] = {
    "effects": ("All partners together, before and after", (PRODUCT, MEASURE, WINDOW, *SHORT, REASON)),
    "by-partner": (
        "Main partners, after",
        (PRODUCT, PARTNER, Column("name", "Name", "text", "partner"), MEASURE, *SHORT[2:], FILLED, REASON),
    ),
    "alternatives": (
        "All partners together, under other models",
        (PRODUCT, MEASURE, Column("model", "Model", "text", "what is different"), WINDOW, *SHORT[2:-1], REASON),
    ),
    "shares": (
        "Partners' shares of the value",
        (
            PRODUCT,
            PARTNER,
            Column("name", "Name", "text", "partner"),
            Column("value_before_usd", "Before", "usd", "exports in the last 12 months of the baseline", "USD"),
            Column("value_after_usd", "After", "usd", "exports in the months after", "USD"),
            Column("share_before", "Share before", "share", "of the value before", "1"),
            Column("share_after", "Share after", "share", "of the value after", "1"),
            Column("change", "Change", "share", "share after less share before", "1"),
            P,
            PLACEBOS,
            Column("status", "Status", "text", "new: no trade in the baseline; gone: none after; continuing"),
        ),
    ),
    "deflection": (
        "Deflection to other partners",
        (
            PRODUCT,
            Column("targets", "Targets", "text", "partners that the control names"),
            Column(
                "outside_before",
                "Outside before",
                "share",
                "share of the value to partners outside the targets, last 12 months of the baseline",
                "1",
            ),
            Column("outside_after", "Outside after", "share", "the same, months after", "1"),
            Column("change", "Change", "share", "after less before", "1"),
            P,
            PLACEBOS,
            Column(
                "new_partners", "New partners", "integer", "partners without trade in the baseline that have some after"
            ),
            Column("new_share", "Their share after", "share", "of the value after", "1"),
            Column("gone_partners", "Gone partners", "integer", "partners with trade in the baseline and none after"),
            Column("gone_share", "Their share before", "share", "of the value before", "1"),
            REASON,
        ),
    ),
    "windows": ("Every measure, partner and window", (PRODUCT, PARTNER, MEASURE, WINDOW, *FIGURES, FILLED, REASON)),
    "paths": (
        "Month by month, all partners together",
        (
            PRODUCT,
            MEASURE,
            Column("period", "Month", "month", "month"),
            Column("actual", "Actual", "number", "as reported; empty = absent"),
            Column("projection", "Counterfactual", "number", "fitted in the baseline, projected after it"),
            Column("low", "Low", "number", "lower end of the interval of the month"),
            Column("high", "High", "number", "upper end"),
            Column("window", "Window", "text", "baseline, before, announced or after"),
        ),
    ),
    "placebos": (
        "Placebo dates, all partners together",
        (
            PRODUCT,
            MEASURE,
            Column("back", "Months back", "integer", "how far the design is moved back"),
            Column("treated", "As if from", "month", "first month as if under the control"),
            WINDOW,
            Column("difference", "Difference", "number", "actual less counterfactual, in the unit of the measure"),
            Column("share", "Change", "share", "difference over counterfactual", "1"),
            Column("ratio", "Ratio", "number", "difference over the half-width of its interval", "1"),
        ),
    ),
    "codes": (
        "Codes of the control and their match in the data",
        (
            Column("code", "Code", "text", "as asked for, or as the control lists it"),
            PRODUCT,
            Column(
                "match", "Match", "text", "exact; partial: the product holds more than the code; none: not in the data"
            ),
            Column("items", "Items", "text", "controlled items of the registry that the code stands for"),
        ),
    ),
}
SHOWN = ("effects", "by-partner", "alternatives", "shares", "deflection", "codes")


def tables(frames: dict[str, pd.DataFrame], note: str) -> tuple[Table, ...]:
    """Return the published tables, those of the report first."""
    made = []
    for name, (heading, columns) in COLUMNS.items():
        ordered = frames[name][[c.name for c in columns]].reset_index(drop=True)
        made.append(Table(name, heading, ordered, columns, note, in_report=name in SHOWN))
    return tuple(made)
