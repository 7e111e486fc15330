"""What code changes do to groups, before and after: one panel a group, a line a treatment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from autarky.charts import YEARS
from autarky.theme import GRAY, HEAD, INK, PALETTE, WIDTH, left_out, plain_title, themed

# Printed first and wide, so that what lies on it stays to be seen.
STYLES = {"as-is": (GRAY, 5.0, [1, 0]), "chained": (PALETTE[0], 2.0, [1, 0]), "dropped": (PALETTE[1], 1.5, [5, 3])}
LEGEND: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 400, "columnPadding": 24}
SMOOTHED = 12
UNITS = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"), (1.0, ""))


def before_after(
    series: Mapping[str, pd.DataFrame], years: Mapping[str, tuple[int, ...]], columns: int = 2
) -> alt.TopLevelMixin:
    """One panel a group that a chain touches: its 12-month mean as-is, chained and with broken codes dropped.

    Parameters
    ----------
    series : treatment (`chains.BREAKS`) -> US dollars a month: months down, groups across, as of `Grouped.groups`.
        Groups that a treatment leaves nothing of have nulls, or no column
    years : group -> first years of the codes that begin (`Chain.years`); the groups that are drawn, in order
    columns : panels side by side

    Returns
    -------
    chart, in US dollars a month; each panel has a scale and a unit of its own

    Raises
    ------
    ValueError : no group, or a treatment that is not one
    """
    unknown = sorted(set(series) - set(STYLES))
    if unknown or not years:
        raise ValueError(f"treatments {unknown} are not of {list(STYLES)}" if unknown else "no group to draw")
    drawn, empty = [], []
    for group in years:
        held = {how: _smoothed(frame, group) for how, frame in series.items()}
        empty += [f"{group} ({how})" for how, values in held.items() if values.isna().all()]
        if not all(values.isna().all() for values in held.values()):
            drawn.append(_panel(group, held, years[group], (WIDTH - 40) // columns - 70))
    lines = [
        "12-month mean of the months up to each. Dashed verticals: January in which a listed code begins or ends.",
        "Where lines lie on each other the treatments agree. The vertical axes differ from panel to panel.",
        *left_out("Nothing left to draw", empty, 130),
    ]
    return themed(
        alt.concat(*drawn, columns=columns, spacing={"row": 62, "column": 72}, bounds="flush").properties(
            title=plain_title(lines)
        )
    )


def _smoothed(frame: pd.DataFrame, group: str) -> pd.Series:
    """Return the 12-month mean of a group; null where one of the twelve is not reported."""
    if group not in frame:
        return pd.Series(float("nan"), index=frame.index)
    return frame[group].astype("float64").rolling(SMOOTHED, min_periods=SMOOTHED).mean()


def _panel(group: str, held: Mapping[str, pd.Series], years: tuple[int, ...], width: int) -> alt.LayerChart:
    most = max(values.abs().max() for values in held.values() if values.notna().any())
    scale, word = next((s, w) for s, w in UNITS if most >= s or s == 1.0)
    data = pd.concat(
        pd.DataFrame({"month": _dates(values.index), "treatment": how, "value": values.to_numpy() / scale})
        for how, values in held.items()
    )
    # Every panel runs over the same months, from the first month reported.
    span = [str(d) for d in (data["month"].min(), data["month"].max())]
    names = list(held)
    looks = {c: [STYLES[n][i] for n in names] for i, c in enumerate(("color", "width", "dash"))}
    treatment: Any = {"field": "treatment", "type": "nominal", "title": None}
    x = alt.X("month:T", title=None).scale(type="utc", domain=span).axis(**YEARS, tickCount=6)
    y = (
        alt.Y("value:Q", title=f"{word} USD a month".strip())
        .scale(zero=True)
        .axis(tickCount=4, format=".6~g", minExtent=34, maxExtent=34)
    )
    lines = (
        alt.Chart(data)
        .mark_line()
        .encode(
            x=x,
            y=y,
            color=alt.Color(**treatment, sort=names).scale(domain=names, range=looks["color"]).legend(**LEGEND),
            strokeWidth=alt.StrokeWidth(**treatment, sort=names)
            .scale(domain=names, range=looks["width"])
            .legend(**LEGEND),
            strokeDash=alt.StrokeDash(**treatment, sort=names)
            .scale(domain=names, range=looks["dash"])
            .legend(**LEGEND),
            tooltip=["treatment:N", alt.Tooltip("month:T", format="%Y-%m"), alt.Tooltip("value:Q", format=",.4~g")],
        )
    )
    marks = pd.DataFrame({"month": [f"{year}-01-01" for year in years]})
    marks = marks[marks["month"].between(*span)]
    rules = alt.Chart(marks).mark_rule(color=GRAY, strokeDash=[3, 3]).encode(x="month:T")
    title = alt.TitleParams(group, **HEAD, color=INK, anchor="start", frame="group", offset=8)
    return alt.layer(rules, lines).properties(width=width, height=150, title=title)


def _dates(index: pd.Index) -> list[str]:
    """Return first days of months as text, which no browser moves to another time zone."""
    stamps = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else pd.DatetimeIndex(index)
    return [str(day) for day in stamps.strftime("%Y-%m-%d")]
