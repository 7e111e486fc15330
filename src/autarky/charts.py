"""Measures to Altair charts, one function a chart: frames in, charts out, nothing written.

Every chart is at most `WIDTH` pixels wide, prints its units on its axes, uses colors that color-blind readers can tell
apart (Okabe and Ito), and names what it could not draw in a note below the plot.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

WIDTH = 900
INK, GRAY, PALE = "#222222", "#6b6b6b", "#d9d9d9"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#A6558A", "#B8860B", "#3B8FC2", "#6b6b6b")

# (volatile, growing) -> name of the pattern, as in the screen; and its color here and in every other chart.
QUADRANTS: Mapping[tuple[bool, bool], str] = {
    (True, True): "Stockpiling or Other Policy Disturbance",
    (False, True): "No Discernable Effect",
    (False, False): "Import Substitution",
    (True, False): "Volatile Reduction of Dependence",
}
_COLORS = {(True, True): "#D55E00", (False, True): "#6b6b6b", (False, False): "#0072B2", (True, False): "#A6558A"}

# Published figures have two decimals, so half a unit of the last one is rounding.
ROUNDING = 0.005
MONTH_UNITS = ((1e9, "billion USD a month"), (1e6, "million USD a month"), (1e3, "thousand USD a month"))

_HEAD = {"fontSize": 13, "fontWeight": "bold"}
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_LABELS = {"labelFontSize": 12, "titleFontSize": 12, "labelColor": "#333333", "titleColor": "#333333"}
THEME: dict[str, Any] = {
    "background": "white",
    "font": _FONT,
    "padding": 6,
    "view": {"stroke": None},
    "axis": {
        **_LABELS,
        "titleFontWeight": "normal",
        "gridColor": "#e8e8e8",
        "domainColor": "#888888",
        "tickColor": "#888888",
    },
    "legend": {**_LABELS, "labelLimit": 400, "orient": "top", "title": None, "symbolStrokeWidth": 3},
    "title": {
        "fontSize": 16,
        "anchor": "start",
        "color": INK,
        "subtitleFontSize": 13,
        "subtitleColor": "#444444",
        "offset": 12,
    },
}


def matrix(
    frame: pd.DataFrame,
    volatility: float = 0.3,
    growth: float = 0.5,
    names: Mapping[tuple[bool, bool], str] = QUADRANTS,
) -> alt.HConcatChart:
    """Place each group in the plane of growth and volatility, numbered, with the list of groups at its side.

    Parameters
    ----------
    frame : columns group, pattern, volatility, growth, published_volatility, published_growth; figures may be null
    volatility, growth : the thresholds that part the plane in four
    names : the pattern of each quarter, by (volatility above its threshold, growth above its threshold)
    """
    placed = frame.dropna(subset=["volatility", "growth"])
    placed = placed.assign(pattern=placed["pattern"].fillna("No pattern"))
    rank = {name: i for i, name in enumerate(names.values())}
    placed = placed.assign(rank=placed["pattern"].map(rank).fillna(len(rank)))
    placed = placed.sort_values(["rank", "pattern", "growth", "group"], ascending=[True, True, False, True])
    placed = placed.assign(number=[str(i) for i in range(1, len(placed) + 1)])
    color = _pattern_colors(placed["pattern"], names)

    lines = _listed(placed)
    size = (450, max(470, int(lines["y"].max() if len(lines) else 0) + 20))
    xs = _Scale.fit([*placed["growth"], *placed["published_growth"].dropna(), -0.25], growth, size[0])
    ys = _Scale.fit([*placed["volatility"], *placed["published_volatility"].dropna(), 0.0], volatility, size[1])
    x = xs.axis(alt.X("growth:Q", title="Growth index (0 = no change), symmetric log scale"))
    y = ys.axis(alt.Y("volatility:Q", title="Volatility (standard deviation ÷ mean), symmetric log scale"))
    plane = alt.layer(
        *_quarters(xs, ys, (growth, volatility), names),
        *_published(placed, x, y),
        *_points(placed, xs, ys, x, y, color),
    ).properties(width=size[0], height=size[1])
    return _themed(alt.hconcat(_noted(plane, _unplaced(frame)), _list_of_groups(lines, size[1], color), spacing=14))


def small_multiples(frame: pd.DataFrame, columns: int = 3) -> alt.FacetChart:
    """One panel a group, each with a vertical axis of its own; a gap where the index is null.

    Parameters
    ----------
    frame : columns group, period, index (first year = 1; null = undefined) and, for color, pattern
    columns : panels side by side
    """
    data = _gapped(frame, "group", ["index"])
    data = data.join(_alone(data, "group", "index"))
    shade: Any = alt.value(PALETTE[0])
    if "pattern" in frame:
        first = frame.drop_duplicates("group").set_index("group")["pattern"]
        data["pattern"] = data["group"].map(first).fillna("No pattern")
        color = _pattern_colors(data["pattern"], QUADRANTS)
        shade = alt.Color("pattern:N").scale(domain=list(color), range=list(color.values()))
        shade = shade.legend(columns=2, symbolType="stroke")
    x = alt.X("period:T", title=None).axis(format="%Y", tickCount=5, grid=False, labelOverlap=True)
    y = alt.Y("index:Q", title=None).scale(zero=True).axis(tickCount=4, format="~g")
    tips = ["group:N", alt.Tooltip("period:T", format="%Y-%m"), alt.Tooltip("index:Q", format=".2f")]
    base = alt.Chart().encode(x=x, y=y)
    panel = alt.layer(
        alt.Chart().mark_rule(color=GRAY, strokeDash=[4, 3]).encode(y=alt.datum(1)),
        base.mark_line(strokeWidth=2).encode(color=shade, tooltip=tips),
        base.transform_filter("datum.alone").mark_circle(size=18, opacity=1).encode(color=shade, tooltip=tips),
    ).properties(width=(WIDTH - 20) // columns - 52, height=120)
    header = alt.Header(labelFontSize=13, labelFontWeight="bold", labelAnchor="start", labelLimit=WIDTH // columns - 40)
    groups = list(dict.fromkeys(frame["group"]))
    facet = alt.Facet("group:N", sort=groups, title=None, header=header)
    chart = panel.facet(facet, columns=columns, data=data, spacing={"row": 14, "column": 18})
    chart = chart.resolve_scale(y="independent").resolve_axis(x="independent")
    undrawn = [g for g in groups if frame.loc[frame["group"] == g, "index"].isna().all()]
    lines = ["Smoothed value; first year = 1 (dashed). The vertical axes differ from panel to panel."]
    lines += textwrap.wrap(f"Without a line, as the index is undefined: {', '.join(undrawn)}.", 130) if undrawn else []
    return _themed(chart.properties(title=_plain_title(lines)))


def categories(frame: pd.DataFrame, own_axis: str = "Semiconductor Intermediate") -> alt.VConcatChart:
    """Value of each category by month; `own_axis` in a panel of its own, as its size would flatten the others.

    Two panels over one time axis, and not two vertical axes in one panel: where lines on two axes cross means nothing.

    Parameters
    ----------
    frame : columns category, period, value_usd, smoothed (12-month mean); values may be null
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
    return _themed(alt.vconcat(*charts, spacing=22).properties(title=_plain_title(lines)))


def monthly(frame: pd.DataFrame, title: str) -> alt.LayerChart:
    """Draw one series: a thin line for the months as reported, a thick one for the smoothed value.

    Parameters
    ----------
    frame : columns period, value_usd, smoothed; values may be null
    title : what the series is
    """
    data = _gapped(frame.assign(category=title), "category", ["value_usd", "smoothed"])
    largest = data[["value_usd", "smoothed"]].max().max()
    unit = next((u for u in MONTH_UNITS[:2] if largest >= u[0]), MONTH_UNITS[1])
    chart = _lines(data, [title], {title: PALETTE[0]}, height=320, unit=unit, labeled=False)
    note = ["Thin: month as reported. Thick: smoothed."]
    return _themed(chart.properties(title=alt.TitleParams(title, subtitle=note)))


def drivers(frame: pd.DataFrame) -> alt.HConcatChart:
    """Draw the code of each group that moved its growth index most, in either direction.

    Parameters
    ----------
    frame : columns group, code, label, contribution (signed; the codes of a group add up to its growth index). Of the
        codes of a group, the one with the largest absolute contribution is drawn; of equals, the first by code
    """
    held = frame.dropna(subset=["contribution"])
    held = held.assign(size=held["contribution"].abs()).sort_values(["size", "code"], ascending=[False, True])
    top = held.drop_duplicates("group").sort_values(["contribution", "group"], ascending=[False, True])
    top = top.assign(code_label=top["code"].astype(str) + " " + top["label"].fillna(""))
    low, high = min(0.0, *top["contribution"], 0.0), max(0.0, *top["contribution"], 0.0)
    pad = 0.12 * ((high - low) or 1.0)
    domain = [low - pad if low < 0 else low, high + pad]
    height = 38 * max(len(top), 1)
    y = alt.Y("group:N", sort=list(top["group"]), axis=None)
    x = alt.X("contribution:Q", title="Contribution to the growth index of the group").scale(domain=domain, nice=False)
    tips = ["group:N", "code:N", "label:N", alt.Tooltip("contribution:Q", format=".3f")]
    shade = alt.condition("datum.contribution < 0", alt.value(PALETTE[1]), alt.value(PALETTE[0]))
    base = alt.Chart(top).encode(y=y)
    bars = base.encode(x=x, tooltip=tips)
    value = bars.mark_text(fontSize=12, color=INK).encode(text=alt.Text("contribution:Q", format="+.2f"))
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
    lines = textwrap.wrap(f"Not drawn, as no contribution is defined: {', '.join(missing)}.", 75) if missing else []
    return _themed(alt.hconcat(text, _noted(plot, lines), spacing=8))


class _Scale(NamedTuple):
    """A symmetric log axis: linear near zero, logarithmic far from it; `constant` sets where it turns."""

    low: float
    high: float
    constant: float
    length: int

    @classmethod
    def fit(cls, values: Sequence[float], threshold: float, length: int) -> _Scale:
        """Hold every value with room to spare, and leave at least a third of the axis below the threshold."""
        low, high = min(values), max(*values, 2 * threshold)
        low, high = low - 0.08 * abs(low), high * 1.12
        scales = [cls(low, high, constant, length) for constant in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)]
        return next((s for s in scales if s.at(threshold) >= length / 3), scales[-1])

    def at(self, value: float) -> float:
        """Pixels from the low end."""
        low, high, here = (math.copysign(math.log1p(abs(v) / self.constant), v) for v in (self.low, self.high, value))
        return (here - low) / (high - low) * self.length

    def ticks(self) -> list[float]:
        """Round values at least 30 pixels apart."""
        found: list[float] = []
        rounds = [sign * m * 10.0**e for e in range(-2, 5) for m in (1, 2, 5) for sign in (1, -1)]
        for value in [0.0, *sorted(rounds, key=lambda v: (abs(math.log10(abs(v))), v))]:
            free = all(abs(self.at(value) - self.at(other)) >= 30 for other in found)
            if self.low <= value <= self.high and free:
                found.append(value)
        return sorted(found)

    def axis(self, channel: Any) -> Any:
        """Give a channel this scale and its ticks."""
        scaled = channel.scale(type="symlog", constant=self.constant, domain=[self.low, self.high], nice=False)
        return scaled.axis(values=self.ticks(), grid=False, format="~g")


def _pattern_colors(patterns: pd.Series[str], names: Mapping[tuple[bool, bool], str]) -> dict[str, str]:
    """Color of each pattern that occurs: that of its quarter, or a spare one."""
    known = {name: _COLORS[quarter] for quarter, name in names.items()}
    spare = [c for c in PALETTE if c not in known.values()]
    held = set(patterns)
    others = {name: spare[i % len(spare)] for i, name in enumerate(sorted(held - set(known)))}
    return {name: shade for name, shade in {**known, **others}.items() if name in held}


def _mark(kind: str, **properties: Any) -> alt.Chart:
    """One mark at fixed pixels."""
    at = {name: alt.value(properties.pop(name)) for name in ("x", "x2", "y", "y2") if name in properties}
    return getattr(alt.Chart(alt.Data(values=[{}])), f"mark_{kind}")(**properties).encode(**at)


def _quarters(xs: _Scale, ys: _Scale, at: tuple[float, float], names: Mapping[tuple[bool, bool], str]) -> list[Any]:
    """Shade and name the four quarters, and draw and label the two thresholds."""
    x, y = xs.at(at[0]), ys.length - ys.at(at[1])
    layers = []
    for (volatile, growing), name in names.items():
        left, right = (x, xs.length) if growing else (0, x)
        top, bottom = (0, y) if volatile else (y, ys.length)
        shade = _COLORS[volatile, growing]
        layers.append(_mark("rect", x=left, x2=right, y=top, y2=bottom, color=shade, opacity=0.08))
        lines = textwrap.wrap(name, max(int((right - left - 14) / 7.3), 8))
        corner = {"align": "right", "x": right - 7} if growing else {"align": "left", "x": 7}
        first = top + 14 if volatile else bottom - 8 - 15 * (len(lines) - 1)
        layers.append(_mark("text", text=lines, y=first, lineHeight=15, **_HEAD, color=shade, **corner))
    dashed = {"color": GRAY, "strokeDash": [5, 4]}
    layers += [
        _mark("rule", x=x, x2=x, y=0, y2=ys.length, **dashed),
        _mark("rule", x=0, x2=xs.length, y=y, y2=y, **dashed),
    ]
    said = {"color": GRAY, "fontSize": 12, "lineHeight": 14}
    layers.append(_mark("text", text=f"growth {at[0]:g}", x=x, y=-9, **said))
    layers.append(_mark("text", text=["volatility", f"{at[1]:g}"], x=xs.length + 5, y=y - 3, align="left", **said))
    return layers


def _published(placed: pd.DataFrame, x: alt.X, y: alt.Y) -> list[Any]:
    """Mark the published position where it differs from the computed one by more than rounding."""
    apart = (placed["published_growth"] - placed["growth"]).abs().gt(ROUNDING)
    apart |= (placed["published_volatility"] - placed["volatility"]).abs().gt(ROUNDING)
    moved = placed[apart].dropna(subset=["published_growth", "published_volatility"])
    base = alt.Chart(moved).encode(x=x, y=y)
    ends = base.encode(x2="published_growth:Q", y2="published_volatility:Q")
    there = {"x": alt.X("published_growth:Q"), "y": alt.Y("published_volatility:Q")}
    return [
        ends.mark_rule(color=GRAY, strokeWidth=1),
        base.mark_point(size=45, color=GRAY, fill="white", strokeWidth=1.2, opacity=1).encode(**there),
    ]


def _points(placed: pd.DataFrame, xs: _Scale, ys: _Scale, x: alt.X, y: alt.Y, color: Mapping[str, str]) -> list[Any]:
    """Draw the groups and their numbers, each number where it covers least."""
    shade = alt.Color("pattern:N", legend=None).scale(domain=list(color), range=list(color.values()))
    columns = ["volatility", "growth", "published_volatility", "published_growth"]
    tips = ["group:N", "pattern:N", *(alt.Tooltip(f"{c}:Q", format=".2f") for c in columns)]
    base = alt.Chart(placed).encode(x=x, y=y, color=shade)
    dots = base.mark_circle(size=80, opacity=1, stroke="white", strokeWidth=0.8).encode(tooltip=tips)
    spots = [(xs.at(g), ys.length - ys.at(v)) for g, v in zip(placed["growth"], placed["volatility"], strict=True)]
    at = _beside(spots, list(placed["number"]), (xs.length, ys.length))
    words = {"fontSize": 12, "fontWeight": "bold", "color": INK}
    numbers = zip(at, placed["number"], strict=True)
    return [dots, *(_mark("text", x=px, y=py, text=number, **words) for (px, py), number in numbers)]


def _beside(
    spots: Sequence[tuple[float, float]], texts: Sequence[str], size: tuple[int, int]
) -> list[tuple[float, float]]:
    """Place a short text next to each spot: of 16 places around it, the one that covers least of what is there."""
    taken = [(x, y, 11.0, 11.0) for x, y in spots]
    found = []
    for (x, y), text in zip(spots, texts, strict=True):
        box = (7.5 * len(text) + 1, 12.0)
        around = [
            (r * math.cos(turn * math.pi / 4), r * math.sin(turn * math.pi / 4)) for r in (13, 17) for turn in range(8)
        ]
        places = [(x + dx * (1 + 0.12 * (len(text) - 1)), y + dy) for dx, dy in around]
        inside = [(px, py) for px, py in places if 8 < px < size[0] - 8 and 8 < py < size[1] - 8]
        best = min(inside or places, key=lambda place: sum(_covered((*place, *box), other) for other in taken))
        found.append(best)
        taken.append((*best, *box))
    return found


def _covered(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Area that two boxes (center x, center y, width, height) share."""
    wide = (one[2] + other[2]) / 2 - abs(one[0] - other[0])
    tall = (one[3] + other[3]) / 2 - abs(one[1] - other[1])
    return max(wide, 0.0) * max(tall, 0.0)


def _listed(placed: pd.DataFrame) -> pd.DataFrame:
    """Lines of the list at the side: a heading for each pattern, then its groups."""
    lines: list[dict[str, Any]] = []
    for pattern, groups in placed.groupby("pattern", sort=False):
        lines.append({"heading": pattern, "pattern": pattern})
        lines += groups[["number", "group", "pattern", "volatility", "growth"]].to_dict("records")  # type: ignore[arg-type]
    columns = ["heading", "number", "group", "pattern", "volatility", "growth"]
    listed = pd.DataFrame(lines, columns=columns)
    # A heading stands a little off the group above it.
    listed["y"] = [
        24 + 20 * i + 8 * n for i, n in zip(range(len(listed)), listed["heading"].notna().cumsum() - 1, strict=True)
    ]
    return listed


def _list_of_groups(lines: pd.DataFrame, height: int, color: Mapping[str, str]) -> alt.LayerChart:
    """Table of the numbered groups with their figures, under the names of their patterns."""
    y = alt.Y("y:Q", axis=None).scale(domain=[height, 0], nice=False)
    shade = alt.Color("pattern:N", legend=None).scale(domain=list(color), range=list(color.values()))
    heads, rows = lines[lines["heading"].notna()].dropna(axis=1), lines[lines["heading"].isna()]
    base = alt.Chart(rows).encode(y=y)
    figure = {"align": "right", "fontSize": 12, "color": INK}
    columns = [("volatility", 297), ("growth", 346)]
    return alt.layer(
        alt.Chart(heads).mark_text(align="left", x=0, limit=346, **_HEAD).encode(y=y, text="heading:N", color=shade),
        base.mark_text(align="right", x=17, fontSize=12, fontWeight="bold", color=INK).encode(text="number:N"),
        base.mark_text(align="left", x=24, fontSize=12, limit=232, color=INK).encode(text="group:N"),
        *(base.mark_text(x=at, **figure).encode(text=alt.Text(f"{name}:Q", format=".2f")) for name, at in columns),
        *(_mark("text", text=name, x=at, y=2, align="right", fontSize=12, color=GRAY) for name, at in columns),
    ).properties(width=350, height=height)


def _unplaced(frame: pd.DataFrame) -> list[str]:
    """Sentences on the groups that have no place in the plane."""
    lines = []
    for name in ("growth", "volatility"):
        missing = frame[frame[name].isna() & (frame["growth"].isna() if name == "growth" else frame["growth"].notna())]
        said = [_with_published(row) for row in missing.to_dict("records")]
        lines += textwrap.wrap(f"Not placed, as {name} is undefined: {'; '.join(said)}.", 68) if said else []
    return lines


def _with_published(row: Mapping[Any, Any]) -> str:
    figures = [
        f"{name} {row[f'published_{name}']:.2f}"
        for name in ("volatility", "growth")
        if pd.notna(row[f"published_{name}"])
    ]
    return f"{row['group']} (published: {', '.join(figures)})" if figures else str(row["group"])


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
    top = 1.06 * (data[["raw", "mean"]].max().max() or 1.0)
    width = 640 if labeled else WIDTH - 70
    x = alt.X("period:T", title=None).axis(format="%Y", tickCount="year", grid=False, labelOverlap=True)
    y = alt.Y(title=unit[1]).scale(domain=[0, top], nice=False).axis(tickCount=5)
    shade = alt.Color("category:N", legend=None).scale(domain=list(color), range=list(color.values()))
    tips = ["category:N", alt.Tooltip("period:T", format="%Y-%m")]
    tips += [alt.Tooltip(f"{c}:Q", format=",.3f", title=t) for c, t in (("raw", "month"), ("mean", "smoothed"))]
    base = alt.Chart(data).encode(x=x, color=shade, tooltip=tips)
    layers = [
        base.mark_line(strokeWidth=1, opacity=0.4).encode(y=y.field("raw").type("quantitative")),
        base.mark_line(strokeWidth=2.6).encode(y=y.field("mean").type("quantitative")),
    ]
    ends = {n: data.loc[data["category"] == n, "mean"].dropna().tail(1).tolist() for n in names} if labeled else {}
    drawn = [n for n in names if ends.get(n)]
    for name, at in zip(drawn, _spread([height * (1 - ends[n][0] / top) for n in drawn], 16), strict=True):
        layers.append(
            _mark("text", text=name, x=width + 8, y=at, align="left", limit=185, **{**_HEAD, "color": color[name]})
        )
    return alt.layer(*layers).properties(width=width, height=height)


def _spread(places: Sequence[float], apart: float) -> list[float]:
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
    return frame.set_index([key, "period"])[values].astype("float64").reindex(cells).reset_index()


def _alone(data: pd.DataFrame, key: str, value: str) -> pd.Series[bool]:
    """Whether a value stands between two gaps, where a line shows nothing."""
    held = data[value].notna()
    before, after = (held.groupby(data[key]).shift(n, fill_value=False) for n in (1, -1))
    return (held & ~before & ~after).rename("alone")


def _noted(chart: alt.Chart, lines: list[str]) -> alt.TopLevelMixin:
    """Put a note under a plot."""
    if not lines:
        return chart
    note = _mark("text", text=lines, x=0, y=0, align="left", baseline="top", fontSize=12, lineHeight=16, color=GRAY)
    return alt.vconcat(chart, note.properties(width=chart.width, height=16 * len(lines)), spacing=10)


def _plain_title(lines: list[str]) -> alt.TitleParams:
    """Words above a chart whose title is given by whoever publishes it."""
    return alt.TitleParams(lines, fontSize=13, fontWeight="normal", color=GRAY)


def _themed(chart: Any) -> Any:
    return chart.configure(**THEME)
