"""How every chart looks: colors, fonts, and the marks that several charts share."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

WIDTH = 900
INK, GRAY = "#222222", "#6b6b6b"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#A6558A", "#B8860B", "#3B8FC2", "#6b6b6b")

# (volatile, growing) -> name of the pattern, as in the screen; and its color in every chart.
QUADRANTS: Mapping[tuple[bool, bool], str] = {
    (True, True): "Stockpiling or Other Policy Disturbance",
    (False, True): "No Discernable Effect",
    (False, False): "Import Substitution",
    (True, False): "Volatile Reduction of Dependence",
}
COLORS = {(True, True): "#D55E00", (False, True): "#6b6b6b", (False, False): "#0072B2", (True, False): "#A6558A"}

HEAD = {"fontSize": 13, "fontWeight": "bold"}
_LABELS = {"labelFontSize": 12, "titleFontSize": 12, "labelColor": "#333333", "titleColor": "#333333"}
THEME: dict[str, Any] = {
    "background": "white",
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
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


def pattern_colors(patterns: pd.Series[str], names: Mapping[tuple[bool, bool], str]) -> dict[str, str]:
    """Color of each pattern that occurs: that of its quarter, or a spare one."""
    known = {name: COLORS[quarter] for quarter, name in names.items()}
    spare = [c for c in PALETTE if c not in known.values()]
    held = set(patterns)
    others = {name: spare[i % len(spare)] for i, name in enumerate(sorted(held - set(known)))}
    return {name: shade for name, shade in {**known, **others}.items() if name in held}


def colored(column: str, color: Mapping[str, str]) -> alt.Color:
    """Color by a column, without a legend."""
    return alt.Color(f"{column}:N", legend=None).scale(domain=list(color), range=list(color.values()))


def mark(kind: str, **properties: Any) -> alt.Chart:
    """One mark at fixed pixels."""
    at = {name: alt.value(properties.pop(name)) for name in ("x", "x2", "y", "y2") if name in properties}
    return getattr(alt.Chart(alt.Data(values=[{}])), f"mark_{kind}")(**properties).encode(**at)


def noted(chart: alt.Chart, lines: list[str]) -> alt.TopLevelMixin:
    """Put a note under a plot."""
    if not lines:
        return chart
    note = mark("text", text=lines, x=0, y=0, align="left", baseline="top", fontSize=12, lineHeight=16, color=GRAY)
    return alt.vconcat(chart, note.properties(width=chart.width, height=16 * len(lines)), spacing=10)


def left_out(why: str, names: Sequence[str], width: int) -> list[str]:
    """Lines that name what is not drawn; none when nothing is missing."""
    return textwrap.wrap(f"{why}: {', '.join(names)}.", width) if names else []


def plain_title(lines: list[str]) -> alt.TitleParams:
    """Words above a chart whose title is given by whoever publishes it."""
    return alt.TitleParams(lines, fontSize=13, fontWeight="normal", color=GRAY)


def themed(chart: Any) -> Any:
    """Give a finished chart the look of all."""
    return chart.configure(**THEME)
