"""Charts of imports around the month of naming, and of change points; looks and marks as in `charts.py`."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from autarky.change_points import Fit
from autarky.theme import GRAY, HEAD, INK, PALETTE, WIDTH, left_out, mark, plain_title, themed

UP, DOWN = PALETTE[1], PALETTE[0]
UNITS = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
YEARS: dict[str, Any] = {"format": "%Y", "grid": False, "labelFlush": False, "labelOverlap": True, "tickCount": 5}


def cycle(frame: pd.DataFrame, together: pd.DataFrame, base: str) -> alt.LayerChart:
    """Every group in gray, their mean and the middle half of them in color, by months from naming.

    Parameters
    ----------
    frame : group, offset, period, index (null = gap), as `cycle.around` returns it
    together : offset, groups, mean, lower, upper, as `cycle.spread` returns it
    base : what 1 is, in words

    Returns
    -------
    chart
    """
    data = frame.assign(month=frame["period"].astype(str))[["group", "offset", "month", "index"]]
    low, high = int(frame["offset"].min()), int(frame["offset"].max())
    ticks = list(range(-(-low // 12) * 12, high + 1, 12))
    x = alt.X("offset:Q", title="Months from naming").scale(domain=[low, high], nice=False)
    x = x.axis(values=ticks, grid=False)
    # A group that multiplies must not flatten the others; what lies beyond the frame is named below it.
    top = 1.15 * max(together["upper"].max(), together["mean"].max(), float(data["index"].quantile(0.98)))
    y = alt.Y("index:Q", title=f"Imports, {base} = 1").scale(domain=[0, top], nice=False).axis(tickCount=6)
    tips = ["group:N", "month:N", "offset:Q", alt.Tooltip("index:Q", format=".2f")]
    both = alt.Chart(together).encode(x=x)
    legend = [
        *(mark("rule", x=0, x2=24, y=-16, color=GRAY, strokeWidth=1, opacity=0.6), _word(30, "one group")),
        *(mark("rule", x=120, x2=144, y=-16, color=UP, strokeWidth=3), _word(150, "mean of the groups")),
        *(mark("rect", x=300, x2=324, y=-22, y2=-10, color=UP, opacity=0.18), _word(330, "middle half of the groups")),
    ]
    layers = [
        both.mark_area(color=UP, opacity=0.18, clip=True).encode(
            y=alt.Y("lower:Q").scale(domain=[0, top], nice=False), y2="upper:Q"
        ),
        alt.Chart(data)
        .mark_line(color=GRAY, strokeWidth=1, opacity=0.5, clip=True)
        .encode(x=x, y=y, detail="group:N", tooltip=tips),
        both.mark_line(color=UP, strokeWidth=3, clip=True).encode(
            y="mean:Q", tooltip=["offset:Q", "groups:Q", alt.Tooltip("mean:Q", format=".2f")]
        ),
        alt.Chart(together.head(1)).mark_rule(color=INK, strokeDash=[5, 4]).encode(x=alt.datum(0)),
        alt.Chart(together.head(1)).mark_rule(color=GRAY, strokeDash=[1, 3]).encode(y=alt.datum(1)),
        *legend,
    ]
    peaks = frame.groupby("group")["index"].max()
    beyond = [f"{g} (up to {v:.1f})" for g, v in peaks.items() if v > top]
    undrawn = [str(g) for g, v in peaks.items() if pd.isna(v)]
    lines = ["Dashed: the month in which each group was first named. " + _counts(together)]
    lines += left_out("Runs out of the frame", beyond, 130) + left_out("No line, as the base is missing", undrawn, 130)
    chart = alt.layer(*layers).properties(width=WIDTH - 70, height=360)
    return themed(chart.properties(title=alt.TitleParams(lines, **_NOTE, offset=30)))


def changes(
    series: pd.DataFrame, fits: dict[str, Fit], points: pd.DataFrame, actions: pd.DataFrame | None = None
) -> alt.FacetChart:
    """One panel a group: months as reported, the straight lines between change points, dated actions at the foot.

    Parameters
    ----------
    series : PeriodIndex of months × group, USD
    fits, points : as `change_points.fits` and `points` return them
    actions : effective; None: no ticks

    Returns
    -------
    chart, a vertical axis of its own for every panel
    """
    columns = 3
    data = _panels(series, fits, points, actions)
    x = alt.X("period:T", title=None).scale(type="utc").axis(**YEARS)
    y = alt.Y("value:Q", title=None).scale(zero=True).axis(tickCount=4, format=".6~g", minExtent=28, maxExtent=28)
    width = (WIDTH - 50) // columns - 40
    names = alt.Chart().transform_filter("datum.what == 'month'")
    names = names.transform_aggregate(n="count()", groupby=["panel", "unit"])
    rules = alt.Chart().transform_filter("datum.what == 'point'").encode(x=x)
    way = alt.Color("way:N", legend=None).scale(domain=["up", "down"], range=[UP, DOWN])
    layers = [
        _only("month")
        .mark_line(color=GRAY, strokeWidth=1, opacity=0.6)
        .encode(x=x, y=y, tooltip=["month:N", "value:Q"]),
        _only("line").mark_line(color=INK, strokeWidth=1.8).encode(x=x, y=y, detail="segment:N"),
        rules.mark_rule(strokeWidth=1.6, strokeDash=[5, 3]).encode(color=way, tooltip=["month:N", "way:N"]),
        names.mark_text(**HEAD, color=INK, align="left", x=0, y=-22, limit=width).encode(text="panel:N"),
        names.mark_text(fontSize=11, color=GRAY, align="left", x=0, y=-8).encode(text="unit:N"),
    ]
    lines = [
        "Gray: month as reported. Black: straight lines of the logarithm, without season. Dashed: change point,",
        "upward in orange, downward in blue.",
    ]
    if actions is not None and (data["what"] == "action").any():
        tick = {"y": alt.value(120), "y2": alt.value(112)}
        layers.append(
            _only("action").mark_rule(color=PALETTE[2], strokeWidth=1.2).encode(x=x, tooltip=["month:N"], **tick)
        )
        lines[1] += " Green ticks: control actions taking effect."
    lines += ["The vertical axes differ from panel to panel."]
    lines += left_out("No lines, as there are too few months", [g for g, f in fits.items() if f.why], 130)
    panel = alt.layer(*layers).properties(width=width, height=120)
    order = list(dict.fromkeys(data["panel"]))
    header = alt.Header(labelExpr="''", labelFontSize=1, labelPadding=0)
    facet = alt.Facet("panel:N", sort=order, title=None, header=header)
    chart = panel.facet(facet, columns=columns, data=data, spacing={"row": 62, "column": 42}, bounds="flush")
    chart = chart.resolve_scale(y="independent").resolve_axis(x="independent")
    return themed(chart.properties(title=plain_title(lines)))


_NOTE: dict[str, Any] = {"fontSize": 13, "fontWeight": "normal", "color": GRAY}


def _counts(together: pd.DataFrame) -> str:
    """Say how many groups the mean is of, month by month; a mean that loses a group moves by that alone."""
    held = together[together["groups"] > 0].sort_values("offset")
    runs = held.groupby((held["groups"] != held["groups"].shift()).cumsum())
    said = [f"{r['groups'].iloc[0]} from {r['offset'].iloc[0]:+d} to {r['offset'].iloc[-1]:+d}" for _, r in runs]
    return f"Groups with data: {', '.join(said)}."


def _word(x: int, text: str) -> alt.Chart:
    return mark("text", text=text, x=x, y=-16, align="left", baseline="middle", fontSize=12, color=INK)


def _only(what: str) -> alt.Chart:
    return alt.Chart().transform_filter(f"datum.what == '{what}'")


def _panels(
    series: pd.DataFrame, fits: dict[str, Fit], points: pd.DataFrame, actions: pd.DataFrame | None
) -> pd.DataFrame:
    """Return everything that is drawn in one table: panel, what, period, month, value, segment, way."""
    rows: list[pd.DataFrame] = []
    months = series.index.astype(str)
    first, last = series.index[0].start_time, series.index[-1].end_time
    for group in series.columns:
        one = fits[str(group)]
        largest = series[group].max()
        unit, name = next((u for u in UNITS if largest >= u[0]), UNITS[-1])
        panel = str(group)
        values = {"month": months, "value": series[group].to_numpy() / unit, "unit": f"{name} USD a month"}
        rows.append(pd.DataFrame({"panel": panel, "what": "month", **values}))
        segment = one.months.searchsorted(pd.PeriodIndex(one.breaks, freq="M")) if one.breaks else []
        numbers = [sum(i >= s for s in segment) for i in range(len(one.log_fitted))]
        lines = {"month": one.months[: len(numbers)].astype(str), "segment": numbers}
        rows.append(pd.DataFrame({"panel": panel, "what": "line", **lines, "value": np.exp(one.log_fitted) / unit}))
        own = points[points["group"] == group]
        ways = [kind.rpartition(" ")[2] for kind in own["kind"]]
        rows.append(pd.DataFrame({"panel": panel, "what": "point", "month": own["month"].astype(str), "way": ways}))
        if actions is not None:
            dates = pd.to_datetime(actions["effective"]).dropna().drop_duplicates()
            days = dates[(dates >= first) & (dates <= last)].dt.strftime("%Y-%m-%d")
            rows.append(pd.DataFrame({"panel": panel, "what": "action", "month": days}))
    data = pd.concat(rows, ignore_index=True)
    return data.assign(period=data["month"].where(data["month"].str.len() > 7, data["month"] + "-01"))
