"""The chart of a run: who takes how much longer, and how time grows with rows."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

Row = dict[str, Any]
MIDDLE = 55_000_000
# Enough for the longest title of a job above its panel.
WIDTH = 560
OWN, OTHER = "#1b6ca8", "#b8642c"


def draw(rows: list[Row], path: Path) -> None:
    """Write the chart as SVG."""
    raced = [r for r in rows if not r["without"] and r["kind"] != "ingest-all"]
    chart = alt.vconcat(_ratios(raced), _sizes(raced), spacing=40).resolve_scale(color="independent")
    chart.configure_axis(labelFontSize=12, titleFontSize=12, labelLimit=330, gridColor="#e6e6e6").configure_title(
        fontSize=15, anchor="start"
    ).configure_view(stroke=None).configure_header(labelFontSize=13).configure_legend(
        labelFontSize=12, labelLimit=400
    ).save(str(path))


def _ratios(rows: list[Row]) -> alt.VConcatChart:
    sizes = {r["kind"]: {x["rows"] for x in rows if x["kind"] == r["kind"]} for r in rows}
    shown = {kind: MIDDLE if MIDDLE in found else max(found) for kind, found in sizes.items()}
    held = [r for r in rows if not r["own"] and r["rows"] == shown[r["kind"]]]
    frame = pd.DataFrame(
        {
            "job": f"{r['title']}, {r['rows'] / 1e6:,.3g} million rows",
            "contender": r["name"],
            "ratio": statistics.median(r["ratios"]),
            "least": min(r["ratios"]),
            "most": max(r["ratios"]),
            "faster": "slower than autarky" if min(r["ratios"]) > 1 else "faster, or noise",
        }
        for r in held
    )
    low, high = float(frame["least"].min()) * 0.8, float(frame["most"].max()) * 1.5
    scale = alt.Scale(type="log", domain=[low, high])
    panels = []
    for job in dict.fromkeys(frame["job"]):
        own = frame[frame["job"] == job]
        y = alt.Y("contender:N", sort=None, title=None)
        x = alt.X("ratio:Q", title=None, scale=scale, axis=alt.Axis(format="~g"))
        colors = alt.Scale(domain=["slower than autarky", "faster, or noise"], range=[OWN, OTHER])
        color = alt.Color("faster:N", scale=colors, title=None, legend=alt.Legend(orient="top"))
        points = alt.Chart(own).mark_point(filled=True, size=70, opacity=1).encode(x, y, color)
        spread = alt.Chart(own).mark_rule(strokeWidth=2).encode(alt.X("least:Q", scale=scale), y, color, x2="most:Q")
        said = (
            alt.Chart(own)
            .mark_text(align="left", dx=9, fontSize=12)
            .encode(alt.X("most:Q", scale=scale), y, text=alt.Text("ratio:Q", format=".2f"))
        )
        one = (
            alt.Chart(pd.DataFrame({"x": [1]}))
            .mark_rule(color="#444", strokeDash=[4, 3])
            .encode(alt.X("x:Q", scale=scale, title=None))
        )
        panels.append(
            (one + spread + points + said).properties(
                width=WIDTH, height=alt.Step(20), title=alt.Title(job, frame="group")
            )
        )
    head = alt.Title(
        "Seconds as a multiple of autarky's (log scale)",
        subtitle="Right of the dashed line: slower than autarky. Bar: from the least to the most of all rounds",
    )
    return alt.vconcat(*panels, spacing=14).properties(title=head)


def _sizes(rows: list[Row]) -> alt.Chart:
    frame = pd.DataFrame(
        {"job": r["title"], "million rows": r["rows"] / 1e6, "seconds": r["seconds"]} for r in rows if r["own"]
    )
    frame = frame[frame.groupby("job")["seconds"].transform("size") > 1]
    sizes = sorted(set(frame["million rows"]))
    return (
        alt.Chart(frame)
        .mark_line(point=True)
        .encode(
            alt.X("million rows:Q", scale=alt.Scale(type="log"), axis=alt.Axis(values=sizes, format="~g")),
            alt.Y("seconds:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="~g"), title="seconds (median)"),
            alt.Color("job:N", title=None, legend=alt.Legend(orient="bottom", columns=1)),
        )
        .properties(width=WIDTH, height=300, title="autarky: seconds by size of the panel (both scales logarithmic)")
    )
