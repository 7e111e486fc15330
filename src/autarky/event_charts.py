"""Charts of an event study: frames in, charts out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from autarky.charts import YEARS
from autarky.theme import GRAY, HEAD, INK, PALETTE, WIDTH, left_out, mark, plain_title, themed

BLUE, ORANGE, GREEN = PALETTE[0], PALETTE[1], PALETTE[2]
BAND, SHADE = "#9ecae9", "#f0f0f0"
# (unit of the axis, its size) of each measure, the largest that leaves the largest figure above 1.
UNITS = {
    "value_usd": (("billion USD a month", 1e9), ("million USD a month", 1e6), ("thousand USD a month", 1e3)),
    "weight_kg": (("thousand tonnes a month", 1e6), ("tonnes a month", 1e3), ("kg a month", 1.0)),
    "price_usd_kg": (("USD per kg", 1.0),),
}
NAMES = {"value_usd": "Value", "weight_kg": "Weight", "price_usd_kg": "Price"}
PANEL = 175


def around(paths: dict[str, pd.DataFrame], announced: pd.Timestamp | None, effective: pd.Timestamp) -> alt.VConcatChart:
    """Draw each measure by month with its counterfactual and band, and rules at the two dates.

    Parameters
    ----------
    paths : measure → frame on a monthly PeriodIndex: actual, projection, low, high (null = a gap) and window
    announced : day; null: not known, and not drawn
    effective : day

    Returns
    -------
    chart: a panel a measure, over one time axis
    """
    dates = [("announced", announced), ("effective", effective)]
    days = pd.DataFrame([{"day": d.strftime("%Y-%m-%d"), "name": n} for n, d in dates if d is not None])
    first = True
    panels = []
    for measure, path in paths.items():
        panels.append(_panel(measure, path, days, named=first))
        first = False
    note = (
        "Black: as reported. Dashed: counterfactual, fitted in the baseline (gray) and projected after it, with its "
        "interval month by month."
    )
    return themed(alt.vconcat(*panels, spacing=14).properties(title=plain_title([note])))


def _panel(measure: str, path: pd.DataFrame, days: pd.DataFrame, *, named: bool) -> alt.LayerChart:
    largest = path[["actual", "projection"]].max().max()
    unit, scale = next((u for u in UNITS[measure] if largest >= u[1]), UNITS[measure][-1])
    starts = path.index.to_timestamp()
    data = (path[["actual", "projection", "low", "high"]].astype("float64") / scale).reset_index(drop=True)
    data = data.assign(period=starts.strftime("%Y-%m-%d"), month=starts.strftime("%Y-%m"))
    # A band of logarithms can reach far up; what lies above twice the largest figure would flatten the rest.
    top = 1.08 * max(data["actual"].max(), min(data["high"].max(), 2 * data[["actual", "projection"]].max().max()))
    bottom = min(0.0, data["projection"].min())
    data = data.assign(floor=data["low"].clip(lower=bottom), roof=data["high"].clip(upper=top))
    x = alt.X("period:T", title=None).scale(type="utc").axis(**YEARS, tickCount="year")
    y = (
        alt.Y("actual:Q", title=unit)
        .scale(domain=[bottom, top], nice=False)
        .axis(tickCount=5, format=",.6~g", minExtent=42)
    )
    tips = ["month:N", *(alt.Tooltip(f"{c}:Q", format=",.3f") for c in ("actual", "projection", "low", "high"))]
    base = alt.Chart(data).encode(x=x)
    held = path.index[path["window"] == "baseline"]
    ends = pd.DataFrame({"period": [str(held[0].start_time.date())], "end": [str((held[-1] + 1).start_time.date())]})
    rules = alt.Chart(days).encode(x=alt.X("day:T").scale(type="utc"))
    layers: list[Any] = [
        alt.Chart(ends).mark_rect(color=SHADE).encode(x=x, x2="end:T"),
        base.mark_area(color=BAND, opacity=0.45).encode(y=alt.Y("floor:Q"), y2="roof:Q"),
        base.mark_line(color=BLUE, strokeWidth=2, strokeDash=[6, 3]).encode(y=alt.Y("projection:Q")),
        base.mark_line(color=INK, strokeWidth=1.8, point=alt.OverlayMarkDef(size=14, color=INK)).encode(
            y=y, tooltip=tips
        ),
        rules.mark_rule(color=ORANGE, strokeWidth=1.6).encode(
            strokeDash=alt.StrokeDash("name:N", legend=None).scale(
                domain=["announced", "effective"], range=[[3, 3], [1, 0]]
            )
        ),
        mark("text", text=NAMES[measure], x=4, y=-8, align="left", color=INK, **HEAD),
    ]
    if named:
        words = {"y": alt.value(-8), "text": "name:N"}
        for name, side, shift in (("announced", "right", -3), ("effective", "left", 3)):
            text = rules.transform_filter(alt.datum.name == name)
            layers.append(text.mark_text(align=side, dx=shift, color=ORANGE, fontSize=12).encode(**words))
    return alt.layer(*layers).properties(width=WIDTH - 90, height=PANEL)


def partners(frame: pd.DataFrame, before: str, after: str) -> alt.LayerChart:
    """Draw the share of each partner before and after, as two points and a line between them.

    Parameters
    ----------
    frame : columns name, share_before, share_after (0–1; null is not drawn), in the order of the rows
    before, after : what the two are, for the legend

    Returns
    -------
    chart
    """
    data = frame.dropna(subset=["share_before", "share_after"]).assign(
        before=lambda f: 100 * f["share_before"], after=lambda f: 100 * f["share_after"]
    )
    y = alt.Y("name:N", sort=list(data["name"]), title=None).axis(
        labelLimit=200, labelPadding=10, ticks=False, domain=False, grid=True
    )
    x = alt.X("before:Q", title="Share of the value of exports, %").scale(zero=True).axis(tickCount=8)
    tips = ["name:N", *(alt.Tooltip(f"{c}:Q", format=".1f") for c in ("before", "after"))]
    base = alt.Chart(data).encode(y=y)
    color = alt.Color("when:N").scale(domain=[before, after], range=[GRAY, ORANGE]).legend(symbolType="circle")
    points = []
    for name, when in (("before", before), ("after", after)):
        told = base.transform_calculate(when=f"'{when}'").mark_circle(size=110, opacity=1)
        points.append(told.encode(x=alt.X(f"{name}:Q"), color=color, tooltip=tips))
    line = base.mark_rule(color=GRAY, strokeWidth=1.5).encode(x=x, x2="after:Q")
    missing = left_out(
        "Not drawn, as a share is undefined", [n for n in frame["name"] if n not in set(data["name"])], 120
    )
    chart = alt.layer(line, *points).properties(width=WIDTH - 220, height=30 * max(len(data), 1))
    return themed(chart.properties(title=plain_title(missing)) if missing else chart)


def placebos(frame: pd.DataFrame, actual: pd.DataFrame, windows: Sequence[str]) -> alt.LayerChart:
    """Draw the difference over the half-width of its interval at every placebo date, and at the event.

    Parameters
    ----------
    frame : columns measure, window, ratio: a row a placebo date
    actual : the same columns: a row a measure and window, of the event
    windows : those drawn

    Returns
    -------
    chart: a row a measure and window
    """
    both = pd.concat([frame.assign(kind="placebo date"), actual.assign(kind="event")]).dropna(subset=["ratio"])
    both = both[both["window"].isin(windows)]
    both = both.assign(row=both["measure"].map(NAMES) + ", " + both["window"])
    rows = [f"{NAMES[m]}, {w}" for m in NAMES for w in windows]
    y = alt.Y("row:N", sort=[r for r in rows if r in set(both["row"])], title=None).axis(
        labelLimit=200, labelPadding=8, grid=True
    )
    x = alt.X("ratio:Q", title="Difference over the half-width of its interval").axis(tickCount=9)
    color = alt.Color("kind:N").scale(domain=["placebo date", "event"], range=[GRAY, ORANGE])
    base = alt.Chart(both).encode(
        y=y,
        x=x,
        color=color.legend(symbolType="circle", symbolOpacity=1),
        tooltip=["row:N", "kind:N", alt.Tooltip("ratio:Q", format=".2f")],
    )
    edges = alt.Chart(pd.DataFrame({"ratio": [-1.0, 1.0]})).mark_rule(color=GRAY, strokeDash=[4, 3]).encode(x="ratio:Q")
    layers = [
        edges,
        base.transform_filter("datum.kind == 'placebo date'").mark_circle(size=50, opacity=0.45),
        base.transform_filter("datum.kind == 'event'").mark_point(size=160, shape="diamond", filled=True, opacity=1),
    ]
    height = 30 * max(both["row"].nunique(), 1)
    return themed(alt.layer(*layers).properties(width=WIDTH - 220, height=height))
