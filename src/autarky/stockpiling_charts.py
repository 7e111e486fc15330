"""Charts of a stockpiling model: frames of `StockpilingFit.path` in, charts out."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from autarky.charts import MONTH_UNITS, YEARS
from autarky.theme import GRAY, INK, PALETTE, WIDTH, colored, plain_title, themed

BLUE, ORANGE, PURPLE = PALETTE[0], PALETTE[1], PALETTE[3]
ACTUAL, PROJECTION, MORE, LESS = "Actual", "Projection", "Excess", "Shortfall"
SHADE, BAND = "#f0f0f0", "#9ecae9"
HEIGHT = 330


def projection(frame: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw actual and projected imports by month, the interval of the projection, and the area between the two.

    Parameters
    ----------
    frame : of `path`, on a monthly PeriodIndex, US dollars; a null is a gap
    title : what the series is; may be empty

    Returns
    -------
    chart, in million or billion US dollars a month, by its largest value
    """
    scale, unit = _unit(frame[["actual", "projection"]])
    data = _dated(frame, ["actual", "projection", "low", "high", "excess"], scale)
    after = data["actual"].where(frame["low"].notna().to_numpy())
    data = data.assign(above=after.clip(lower=data["projection"]), below=after.clip(upper=data["projection"]))
    y = alt.Y("actual:Q", title=unit).scale(zero=True).axis(tickCount=6, format=",.6~g")
    base = alt.Chart(data).encode(x=_years())
    tips = [
        "month:N",
        *(alt.Tooltip(f"{c}:Q", format=",.3f") for c in ("actual", "projection", "low", "high", "excess")),
    ]
    layers = [
        *_baseline(frame),
        base.mark_area(color=BAND, opacity=0.45).encode(y=alt.Y("low:Q"), y2="high:Q"),
        *(
            base.mark_area(color=shade, opacity=0.5).encode(y=alt.Y(f"{side}:Q"), y2="projection:Q")
            for side, shade in (("above", ORANGE), ("below", PURPLE))
        ),
        base.mark_line(color=BLUE, strokeWidth=2, strokeDash=[6, 3]).encode(y=alt.Y("projection:Q")),
        base.mark_line(color=INK, strokeWidth=1.8).encode(y=y, tooltip=tips),
        _key({ACTUAL: INK, PROJECTION: BLUE, MORE: ORANGE, LESS: PURPLE}),
    ]
    note = (
        "Gray: baseline. Dashed: projection (fitted in the baseline), with its interval month by month in light blue."
    )
    return _finished(layers, title, note)


def cumulative(frame: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw the excess added up since the end of the baseline, with its interval.

    Parameters
    ----------
    frame : of `path`, on a monthly PeriodIndex, US dollars
    title : what the series is; may be empty

    Returns
    -------
    chart, in million or billion US dollars, by its largest value
    """
    columns = ["cumulative", "cumulative_low", "cumulative_high"]
    scale, unit = _unit(frame[columns])
    data = _dated(frame, columns, scale).dropna(subset=["cumulative"])
    y = alt.Y("cumulative:Q", title=unit.removesuffix(" a month")).axis(tickCount=6, format=",.6~g")
    base = alt.Chart(data).encode(x=_months())
    tips = ["month:N", *(alt.Tooltip(f"{c}:Q", format=",.3f") for c in columns)]
    layers = [
        base.mark_area(color=BAND, opacity=0.45).encode(y=alt.Y("cumulative_low:Q"), y2="cumulative_high:Q"),
        alt.Chart(data.head(1)).mark_rule(color=GRAY, strokeDash=[4, 3]).encode(y=alt.datum(0)),
        base.mark_line(color=BLUE, strokeWidth=2.4).encode(y=y, tooltip=tips),
    ]
    note = (
        "Actual less projected imports since the end of the baseline. Light blue: interval of the sum up to each month."
    )
    return _finished(layers, title, note)


def _finished(layers: list[Any], title: str, note: str) -> alt.LayerChart:
    chart = alt.layer(*layers).properties(width=WIDTH - 70, height=HEIGHT)
    said = alt.TitleParams(title, subtitle=[note]) if title else plain_title([note])
    return themed(chart.resolve_scale(color="independent").properties(title=said))


def _unit(values: pd.DataFrame) -> tuple[float, str]:
    largest = values.abs().max().max()
    return next((u for u in MONTH_UNITS if largest >= u[0]), MONTH_UNITS[1])


def _dated(frame: pd.DataFrame, columns: list[str], scale: float) -> pd.DataFrame:
    """Columns in the unit of the axis, with dates that read as UTC wherever the chart is drawn."""
    starts = frame.index.to_timestamp()
    data = (frame[columns] / scale).reset_index(drop=True)
    return data.assign(period=starts.strftime("%Y-%m-%d"), month=starts.strftime("%Y-%m"))


def _years() -> alt.X:
    return alt.X("period:T", title=None).scale(type="utc").axis(**YEARS, tickCount="year")


def _months() -> alt.X:
    return alt.X("period:T", title=None).scale(type="utc").axis(**{**YEARS, "format": "%b %Y"})


def _baseline(frame: pd.DataFrame) -> list[Any]:
    """Shade the baseline, behind all else."""
    held = frame.index[frame["in_baseline"]]
    ends = pd.DataFrame({"period": [str(held[0].start_time.date())], "end": [str((held[-1] + 1).start_time.date())]})
    return [alt.Chart(ends).mark_rect(color=SHADE).encode(x=_years(), x2="end:T")]


def _key(color: dict[str, str]) -> alt.Chart:
    """Legend of marks whose color is fixed."""
    names = pd.DataFrame({"series": list(color)})
    legend = alt.Legend(orient="top", symbolType="square", symbolSize=140)
    shade = colored("series", color).legend(legend)
    return alt.Chart(names).mark_square(opacity=0, size=0).encode(color=shade)
