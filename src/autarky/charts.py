"""Measures to Altair charts, one function a chart: frames in, charts out, nothing written.

Every chart is at most `WIDTH` pixels wide, prints its units on its axes, uses colors that color-blind readers can tell
apart (Okabe and Ito), and names what it could not draw in a note below the plot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from autarky.matrix import matrix as matrix
from autarky.theme import (
    GRAY,
    HEAD,
    INK,
    PALETTE,
    QUADRANTS,
    WIDTH,
    colored,
    left_out,
    mark,
    noted,
    pattern_colors,
    plain_title,
    themed,
)

MONTH_UNITS = ((1e9, "billion USD a month"), (1e6, "million USD a month"))
# Every label under its tick: the first one, moved inward, would touch the second.
YEARS: dict[str, Any] = {
    "format": "%Y", "grid": False, "labelFlush": False, "labelOverlap": True, "labelSeparation": 6,
}  # fmt: skip


def small_multiples(frame: pd.DataFrame, columns: int = 3) -> alt.FacetChart:
    """One panel a group, each with a vertical axis of its own; a gap where the index is null.

    Parameters
    ----------
    frame : columns group, period, index (first year = 1; null = undefined) and, for color, pattern
    columns : panels side by side

    Returns
    -------
    chart
    """
    data = _gapped(frame, "group", ["index"])
    data = data.join(_alone(data, "group", "index"))
    shade: Any = alt.value(PALETTE[0])
    if "pattern" in frame:
        first = frame.drop_duplicates("group").set_index("group")["pattern"]
        data["pattern"] = data["group"].map(first).fillna("No pattern")
        color = pattern_colors(data["pattern"], QUADRANTS)
        shade = alt.Color("pattern:N").scale(domain=list(color), range=list(color.values()))
        shade = shade.legend(columns=2, symbolType="stroke")
    x = alt.X("period:T", title=None).scale(type="utc").axis(**YEARS, tickCount=5)
    y = alt.Y("index:Q", title=None).scale(zero=True).axis(tickCount=4, format=".6~g", minExtent=28, maxExtent=28)
    tips = ["group:N", "month:N", alt.Tooltip("index:Q", format=".2f")]
    base = alt.Chart().encode(x=x, y=y)
    names = alt.Chart().transform_aggregate(count="count()", groupby=["group"])
    width = (WIDTH - 50) // columns - 40
    panel = alt.layer(
        alt.Chart().mark_rule(color=GRAY, strokeDash=[4, 3]).encode(y=alt.datum(1)),
        base.mark_line(strokeWidth=2).encode(color=shade, tooltip=tips),
        base.transform_filter("datum.alone").mark_circle(size=18, opacity=1).encode(color=shade, tooltip=tips),
        # A mark and not the panel's header, which would move up and down with the axis beside it.
        names.mark_text(**HEAD, color=INK, align="left", x=0, y=-16, limit=width).encode(text="group:N"),
    ).properties(width=width, height=120)
    groups = list(dict.fromkeys(frame["group"]))
    facet = alt.Facet(
        "group:N", sort=groups, title=None, header=alt.Header(labelExpr="''", labelFontSize=1, labelPadding=0)
    )
    chart = panel.facet(facet, columns=columns, data=data, spacing={"row": 56, "column": 42}, bounds="flush")
    chart = chart.resolve_scale(y="independent").resolve_axis(x="independent")
    undrawn = [g for g in groups if frame.loc[frame["group"] == g, "index"].isna().all()]
    lines = ["Smoothed value; first year = 1 (dashed). The vertical axes differ from panel to panel."]
    lines += left_out("Without a line, as the index is undefined", undrawn, 130)
    return themed(chart.properties(title=plain_title(lines)))


def categories(frame: pd.DataFrame, own_axis: str = "Semiconductor Intermediate") -> alt.VConcatChart:
    """Value of each category by month; `own_axis` in a panel of its own, as its size would flatten the others.

    Two panels over one time axis, and not two vertical axes in one panel: where lines on two axes cross means nothing.

    Parameters
    ----------
    frame : columns category, period, value_usd, smoothed (12-month mean); values may be null
    own_axis : the category with a panel of its own

    Returns
    -------
    chart, in billion US dollars a month
    """
    names = list(dict.fromkeys(frame["category"]))
    color = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}
    data = _gapped(frame, "category", ["value_usd", "smoothed"])
    panels = [[n for n in names if n != own_axis], [n for n in names if n == own_axis]]
    panels = [held for held in panels if held]
    charts = []
    for held in panels:
        part = data[data["category"].isin(held)]
        height = 300 if len(held) > 1 or len(panels) == 1 else 190
        charts.append(_lines(part, held, color, height=height, unit=MONTH_UNITS[0]))
    note = f"{own_axis} has a panel and a scale of its own." if len(panels) == 2 else ""
    lines = [f"Thin: month as reported. Thick: 12-month mean. {note}".strip()]
    empty = [n for n in names if data.loc[data["category"] == n, ["value_usd", "smoothed"]].isna().all(axis=None)]
    lines += left_out("Without a line, as there are no data", empty, 130)
    return themed(alt.vconcat(*charts, spacing=22).properties(title=plain_title(lines)))


def monthly(frame: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw one series: a thin line for the months as reported, a thick one for the smoothed value.

    Parameters
    ----------
    frame : columns period, value_usd, smoothed; values may be null
    title : what the series is; may be empty

    Returns
    -------
    chart, in million or billion US dollars a month, by its largest value
    """
    data = _gapped(frame.assign(category=title), "category", ["value_usd", "smoothed"])
    largest = data[["value_usd", "smoothed"]].max().max()
    unit = next((u for u in MONTH_UNITS if largest >= u[0]), MONTH_UNITS[1])
    chart = _lines(data, [title], {title: PALETTE[0]}, height=320, unit=unit, labeled=False)
    note = ["Thin: month as reported. Thick: smoothed."]
    return themed(chart.properties(title=alt.TitleParams(title, subtitle=note) if title else plain_title(note)))


def drivers(frame: pd.DataFrame) -> alt.HConcatChart:
    """Draw the code of each group that moved its growth index most, in either direction.

    Parameters
    ----------
    frame : columns group, code, label, contribution (signed; the codes of a group add up to its growth index). Of the
        codes of a group, the one with the largest absolute contribution is drawn; of equals, the first by code

    Returns
    -------
    chart
    """
    held = frame.astype({"contribution": "float64"}).dropna(subset=["contribution"])
    held = held.assign(size=held["contribution"].abs()).sort_values(["size", "code"], ascending=[False, True])
    top = held.drop_duplicates("group").sort_values(["contribution", "group"], ascending=[False, True])
    top = top.assign(
        code_label=[f"{c} {'' if pd.isna(t) else t}" for c, t in zip(top["code"], top["label"], strict=True)]
    )
    low, high = (end([0.0, *top["contribution"]]) for end in (min, max))
    pad = 0.12 * ((high - low) or 1.0)
    domain = [low - pad if low < 0 else low, high + pad]
    height = 38 * max(len(top), 1)
    y = alt.Y("group:N", sort=list(top["group"]), axis=None)
    x = alt.X("contribution:Q", title="Contribution to the growth index of the group").scale(domain=domain, nice=False)
    tips = ["group:N", "code:N", "label:N", alt.Tooltip("contribution:Q", format=".3f")]
    shade = alt.condition("datum.contribution < 0", alt.value(PALETTE[1]), alt.value(PALETTE[0]))
    base = alt.Chart(top).encode(y=y)
    bars = base.encode(x=x, tooltip=tips)
    value = bars.encode(text=alt.Text("contribution:Q", format="+.2f"))
    right, left = (value.mark_text(align=a, dx=d, fontSize=12, color=INK) for a, d in (("left", 5), ("right", -5)))
    plot = alt.layer(
        bars.mark_bar(height=16).encode(color=shade),
        right.transform_filter("datum.contribution >= 0"),
        left.transform_filter("datum.contribution < 0"),
        alt.Chart(top.head(1)).mark_rule(color=GRAY).encode(x=alt.datum(0)),
    ).properties(width=470, height=height)
    words = {"align": "left", "x": 0, "limit": 355}
    text = alt.layer(
        base.mark_text(**words, dy=-7, fontSize=13, fontWeight="bold", color=INK).encode(text="group:N"),
        base.mark_text(**words, dy=8, fontSize=12, color=GRAY).encode(text="code_label:N", tooltip=tips),
    ).properties(width=360, height=height)
    missing = [g for g in dict.fromkeys(frame["group"]) if g not in set(top["group"])]
    note = left_out("Not drawn, as no contribution is defined", missing, 75)
    return themed(alt.hconcat(text, noted(plot, note), spacing=8))


def _lines(
    data: pd.DataFrame,
    names: Sequence[str],
    color: Mapping[str, str],
    *,
    height: int,
    unit: tuple[float, str],
    labeled: bool = True,
) -> alt.LayerChart:
    """Thin lines for months, thick for smoothed values, and the name of each series at its end."""
    data = data.assign(raw=data["value_usd"] / unit[0], mean=data["smoothed"] / unit[0])
    largest = data[["raw", "mean"]].max().max()
    top = 1.06 * largest if largest > 0 else 1.0
    width = 640 if labeled else WIDTH - 70
    x = alt.X("period:T", title=None).scale(type="utc").axis(**YEARS, tickCount="year")
    raw, mean = (
        alt.Y(f"{c}:Q", title=unit[1]).scale(domain=[0, top], nice=False).axis(tickCount=5) for c in ("raw", "mean")
    )
    tips = ["category:N", "month:N"]
    tips += [alt.Tooltip(f"{c}:Q", format=",.3f", title=t) for c, t in (("raw", "as reported"), ("mean", "smoothed"))]
    base = alt.Chart(data).encode(x=x, color=colored("category", color), tooltip=tips)
    # The months of several series hide one another, and the means.
    thin = {"strokeWidth": 0.8, "opacity": 0.28} if len(names) > 1 else {"strokeWidth": 1, "opacity": 0.4}
    layers = [base.mark_line(**thin).encode(y=raw), base.mark_line(strokeWidth=2.6).encode(y=mean)]
    # A series too short for a mean is named at its last month.
    shown = data.assign(end=data["mean"].fillna(data["raw"])).dropna(subset=["end"]).groupby("category")["end"].last()
    ends = shown.to_dict() if labeled else {}
    drawn = [n for n in names if n in ends]
    words = {"x": width + 8, "align": "left", "limit": 185, **HEAD}
    for name, at in zip(drawn, spread([height * (1 - ends[n] / top) for n in drawn], 16), strict=True):
        layers.append(mark("text", text=name, y=at, color=color[name], **words))
    return alt.layer(*layers).properties(width=width, height=height)


def spread(places: Sequence[float], apart: float) -> list[float]:
    """Move places on a line as little as it takes to keep them `apart`, keeping their order."""
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    moved = [places[i] for i in order]
    for _ in range(50):
        for i in range(len(moved) - 1):
            short = apart - (moved[i + 1] - moved[i])
            if short > 0:
                moved[i], moved[i + 1] = moved[i] - short / 2, moved[i + 1] + short / 2
    return [place for _, place in sorted(zip(order, moved, strict=True))]


def _gapped(frame: pd.DataFrame, key: str, values: list[str]) -> pd.DataFrame:
    """Give every series a row for each period that any has, so that what is missing shows as a gap."""
    frame = frame.assign(period=pd.to_datetime(frame["period"]))
    series, periods = list(dict.fromkeys(frame[key])), sorted(frame["period"].unique())
    cells = pd.MultiIndex.from_product([series, periods], names=[key, "period"])
    full = frame.set_index([key, "period"])[values].astype("float64").reindex(cells).reset_index()
    # A bare date is read as UTC, so that a chart is the same wherever it is drawn; a tooltip would print local time.
    return full.assign(month=full["period"].dt.strftime("%Y-%m"), period=full["period"].dt.strftime("%Y-%m-%d"))


def _alone(data: pd.DataFrame, key: str, value: str) -> pd.Series[bool]:
    """Whether a value stands between two gaps, where a line shows nothing."""
    held = data[value].notna()
    before, after = (held.groupby(data[key]).shift(n, fill_value=False) for n in (1, -1))
    return (held & ~before & ~after).rename("alone")
