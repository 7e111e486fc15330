"""Charts of aggregates by end use: frames in, Altair charts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from autarky.charts import spread
from autarky.end_use import BIG
from autarky.placement import UNCLASSIFIED
from autarky.theme import GRAY, HEAD, INK, PALETTE, WIDTH, colored, left_out, mark, plain_title, themed

COLORS: Mapping[str, str] = {**dict(zip(BIG, (PALETTE[4], PALETTE[0], PALETTE[1], PALETTE[2]), strict=True)),
                             UNCLASSIFIED: GRAY}  # fmt: skip
GDP_UNIT = "% of GDP"
USD_UNIT = "billion USD"
_LABELS = 150
_SHOWN = 12


def by_end_use(frame: pd.DataFrame, unit: str) -> alt.LayerChart:
    """Draw each big category by year, named at its last value; a gap where it is null.

    Parameters
    ----------
    frame : year, category, value (in `unit`)
    unit : what the vertical axis says

    Returns
    -------
    chart
    """
    names = [c for c in COLORS if c in set(frame["category"])]
    held = frame.dropna(subset="value")
    drawn = [n for n in names if n in set(held["category"])]
    lines = left_out("Without a line, as there is no value", [n for n in names if n not in drawn], 130)
    empty = sorted(set(frame["year"]) - set(held["year"]))
    lines += left_out("Years without a value", [str(y) for y in empty], 130)
    chart = _lines(frame, "category", drawn, COLORS, unit, width=WIDTH - _LABELS - 80, height=340, labels=_LABELS)
    return themed(chart.properties(title=plain_title(lines)) if lines else chart)


def moves(frame: pd.DataFrame, left: str, right: str, what: str) -> alt.LayerChart:
    """Draw the products that two classifications place differently, largest first.

    Parameters
    ----------
    frame : from, to, product, name, in_part, value_usd, share_of_moves; largest first
    left, right : the names of the classifications
    what : what the values are, in words

    Returns
    -------
    chart, billion US dollars; a pale bar is a product of which one classification names the other's category as well
    """
    top = frame.head(_SHOWN)
    data = pd.DataFrame(
        {
            "order": range(len(top)),
            "value": top["value_usd"].to_numpy(dtype=float) / 1e9,
            "move": [f"{a} → {b}" for a, b in zip(top["from"], top["to"], strict=True)],
            "kind": ["also a further use" if p else "no common use" for p in top["in_part"]],
            "product": [f"{c} {_short(n)}" for c, n in zip(top["product"], top["name"], strict=True)],
            "said": [f"{s:.1%}" for s in top["share_of_moves"]],
        }
    )
    height = 40 * max(len(data), 1)
    high = 1.14 * (float(data["value"].max()) if len(data) else 1.0)
    y = alt.Y("order:O", axis=None)
    base = alt.Chart(data).encode(y=y)
    x = alt.X("value:Q", title=f"{what}, {USD_UNIT}").scale(domain=[0, high], nice=False).axis(tickCount=5)
    shades = {"no common use": PALETTE[0], "also a further use": PALETTE[5]}
    color = alt.Color("kind:N").scale(domain=list(shades), range=["#0072B2", "#9ecae9"])
    tips = ["product:N", "move:N", "kind:N", alt.Tooltip("value:Q", format=",.2f"), "said:N"]
    plot = alt.layer(
        base.mark_bar(height=16).encode(x=x, color=color, tooltip=tips),
        base.mark_text(align="left", dx=5, fontSize=12, color=INK).encode(x=x, text="said:N"),
    ).properties(width=450, height=height)
    words = {"align": "left", "x": 0, "limit": 365}
    text = alt.layer(
        base.mark_text(**words, dy=-8, fontSize=12, fontWeight="bold", color=INK).encode(text="move:N"),
        base.mark_text(**words, dy=8, fontSize=12, color=GRAY).encode(text="product:N", tooltip=tips),
    ).properties(width=370, height=height)
    line = f"From {left} to {right}. Labels: share of all value that moves. Pale: one names the other's category too."
    return themed(alt.hconcat(text, plot, spacing=10).properties(title=plain_title([line])))


def validation(frame: pd.DataFrame, flow: str) -> alt.LayerChart:
    """Draw what the roll-forward projected beside what was reported, a panel a category.

    Parameters
    ----------
    frame : year, category, projected_usd, actual_usd, residual
    flow : "import" or "export"

    Returns
    -------
    chart, billion US dollars; each panel has a vertical axis of its own, from zero
    """
    names = [c for c in (*BIG, UNCLASSIFIED) if c in set(frame["category"])]
    panels = [_against(frame[frame["category"] == n], n) for n in names]
    line = [f"Filled: reported {flow}s. Hollow: carried forward, with its difference in percent. Vertical axes differ."]
    return themed(
        alt.concat(*panels, columns=3, spacing={"row": 56, "column": 62}, bounds="flush").properties(
            title=plain_title(line)
        )
    )


def adjusted(frame: pd.DataFrame, unit: str, printed: pd.DataFrame | None = None) -> alt.VConcatChart:
    """Draw capital and intermediate goods with and without semiconductor goods, a panel each.

    Parameters
    ----------
    frame : year, category, total, adjusted (in `unit`)
    unit : what the vertical axes say
    printed : year, category, value: hollow points, where the source's scope is that of the frame

    Returns
    -------
    chart; the panels have vertical axes of their own, from zero
    """
    names = [c for c in ("capital", "intermediate") if c in set(frame["category"])]
    panels = []
    for name in names:
        part = frame[frame["category"] == name].melt(["year"], ["total", "adjusted"], "series", "value")
        said = {"total": "all", "adjusted": "without semiconductors"}
        part = part.assign(series=part["series"].map(said))
        colors = {"all": GRAY, "without semiconductors": COLORS[name]}
        drawn = [s for s in colors if s in set(part.dropna(subset="value")["series"])]
        points = None if printed is None else printed[printed["category"] == name]
        panel = _lines(part, "series", drawn, colors, unit, width=WIDTH - 250, height=220, labels=170, points=points)
        panels.append(panel.properties(title=alt.TitleParams(f"{name.capitalize()} goods", frame="group", **HEAD)))
    lines = ["Vertical axes differ." + (" Hollow points: as printed in the source." if printed is not None else "")]
    return themed(
        alt.vconcat(*panels, spacing=56, bounds="flush")
        .resolve_scale(color="independent")
        .properties(title=plain_title(lines))
    )


def _lines(
    frame: pd.DataFrame,
    key: str,
    names: Sequence[str],
    colors: Mapping[str, str],
    unit: str,
    *,
    width: int,
    height: int,
    labels: int,
    points: pd.DataFrame | None = None,
) -> alt.LayerChart:
    """Draw lines by year with a point a year, each named beside its last value."""
    data = frame[frame[key].isin(names)][["year", key, "value"]].astype({"value": "float64"})
    held = data.dropna(subset="value")["year"]
    # Years at either end without any value would part the lines from their names.
    data = data[data["year"].between(held.min(), held.max())]
    marked = [] if points is None or points.empty else list(points["value"])
    top = 1.08 * max([float(data["value"].max()), *marked]) if len(names) else 1.0
    shades = {n: colors[n] for n in names}
    x = _year_axis(data["year"] if points is None else pd.concat([data["year"], points["year"]]))
    y = alt.Y("value:Q", title=unit).scale(domain=[0, top], nice=False).axis(tickCount=5, format=",.6~g", minExtent=40)
    tips = ["year:O", f"{key}:N", alt.Tooltip("value:Q", format=",.4g", title=unit)]
    base = alt.Chart(data).encode(x=x, y=y, color=colored(key, shades), tooltip=tips)
    layers: list[Any] = [base.mark_line(strokeWidth=2.4), base.mark_circle(size=32, opacity=1)]
    if points is not None and len(points):
        hollow = alt.Chart(points).mark_point(size=80, strokeWidth=1.8, color=INK, filled=False)
        layers.append(hollow.encode(x=x, y=y, tooltip=["year:O", "value:Q"]))
    ends = data.dropna(subset="value").sort_values("year").groupby(key)["value"].last()
    places = spread([height * (1 - float(ends[n]) / top) for n in names], 17)
    for name, at in zip(names, places, strict=True):
        layers.append(
            mark("text", text=name, y=at, x=width + 8, align="left", limit=labels, color=shades[name], **HEAD)
        )
    return alt.layer(*layers).properties(width=width, height=height)


def _against(frame: pd.DataFrame, name: str) -> alt.LayerChart:
    held = frame.dropna(subset=["projected_usd", "actual_usd"])
    data = pd.DataFrame(
        {
            "year": frame["year"].astype("int64"),
            "actual": frame["actual_usd"].astype("float64") / 1e9,
            "projected": frame["projected_usd"].astype("float64") / 1e9,
            "said": ["" if pd.isna(r) else f"{round(100 * r, 1) + 0.0:+.1f}%" for r in frame["residual"]],
        }
    )
    top = 1.25 * float(held[["projected_usd", "actual_usd"]].max().max()) / 1e9 if len(held) else 1.0
    x = _year_axis(data["year"], 0.5)
    scale = alt.Scale(domain=[0, top], nice=False)
    actual, projected = (
        alt.Y(f"{c}:Q", title=USD_UNIT).scale(scale).axis(tickCount=4, format=",.6~g", minExtent=36)
        for c in ("actual", "projected")
    )
    tips = ["year:O", alt.Tooltip("actual:Q", format=",.3f"), alt.Tooltip("projected:Q", format=",.3f"), "said:N"]
    base = alt.Chart(data).encode(x=x, tooltip=tips)
    color = COLORS[name]
    return (
        alt.layer(
            base.mark_line(strokeWidth=2, color=color).encode(y=actual),
            base.mark_circle(size=36, color=color, opacity=1).encode(y=actual),
            base.mark_point(size=90, color=INK, filled=False, strokeWidth=1.5).encode(y=projected),
            # On the side of the point that faces away from the line.
            *(
                base.transform_filter(f"datum.projected {sign} datum.actual")
                .mark_text(dy=dy, fontSize=11, color=INK)
                .encode(y=projected, text="said:N")
                for sign, dy in ((">=", -15), ("<", 17))
            ),
        )
        .properties(width=215, height=165)
        .properties(title=alt.TitleParams(name.capitalize(), frame="group", **HEAD, color=color))
    )


def _year_axis(years: pd.Series[int], room: float = 0.3) -> alt.X:
    """Return a horizontal axis of whole years with a little room at both ends."""
    low, high = int(years.min()), int(years.max())
    domain = [low - room, high + room]
    values = list(range(low, high + 1))
    return alt.X("year:Q", title=None).scale(domain=domain, nice=False).axis(
        format="d", values=values, grid=False, labelOverlap=True, labelSeparation=4
    )  # fmt: skip


def _short(name: Any, most: int = 54) -> str:
    """Return the first and last words of a long name: the HS names the good itself at the end."""
    text = "" if name is None or name != name else str(name)
    if len(text) <= most:
        return text
    head, tail = text[:22].rsplit(" ", 1)[0], text[-(most - 22) :].split(" ", 1)[-1]
    return f"{head} … {tail}"
