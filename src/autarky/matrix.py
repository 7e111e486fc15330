"""The 2x2 matrix: groups in the plane of growth and volatility, numbered, with the list of groups at the side."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from autarky.theme import COLORS, GRAY, HEAD, INK, QUADRANTS, colored, left_out, mark, noted, pattern_colors, themed

# Published figures have two decimals, so half a unit of the last one is rounding.
ROUNDING = 0.005
FIGURES = ["volatility", "growth", "published_volatility", "published_growth"]


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

    Returns
    -------
    chart; a hollow mark is the published position of a group where it differs, a note names groups without a place
    """
    # A column without any figure has no type to reckon with.
    frame = frame.astype(dict.fromkeys(FIGURES, "float64"))
    placed = frame.dropna(subset=["volatility", "growth"])
    placed = placed.assign(pattern=placed["pattern"].fillna("No pattern"))
    rank = {name: i for i, name in enumerate(names.values())}
    placed = placed.assign(rank=placed["pattern"].map(rank).fillna(len(rank)))
    placed = placed.sort_values(["rank", "pattern", "growth", "group"], ascending=[True, True, False, True])
    placed = placed.assign(number=[str(i) for i in range(1, len(placed) + 1)])
    shade = colored("pattern", pattern_colors(placed["pattern"], names))

    lines = _listed(placed)
    size = (440, max(470, int(lines["y"].max() if len(lines) else 0) + 20))
    xs = _Scale.fit([*placed["growth"], *placed["published_growth"].dropna(), -0.25], growth, size[0], (18, 30))
    ys = _Scale.fit(
        [*placed["volatility"], *placed["published_volatility"].dropna(), 0.0], volatility, size[1], (0, 46)
    )
    x = xs.axis(alt.X("growth:Q", title="Growth index (0 = no change), symmetric log scale"))
    y = ys.axis(alt.Y("volatility:Q", title="Volatility (standard deviation ÷ mean), symmetric log scale"))
    plane = alt.layer(
        *_quarters(xs, ys, (growth, volatility), names),
        *_published(_apart(placed), x, y),
        *_points(placed, (growth, volatility), xs, ys, alt.Chart(placed).encode(x=x, y=y, color=shade)),
    ).properties(width=size[0], height=size[1])
    return themed(alt.hconcat(noted(plane, _notes(frame)), _list_of_groups(lines, size[1], shade), spacing=14))


class _Scale(NamedTuple):
    """A symmetric log axis: linear near zero, logarithmic far from it; `constant` sets where it turns."""

    low: float
    high: float
    constant: float
    length: int

    @classmethod
    def fit(cls, values: Sequence[float], threshold: float, length: int, room: tuple[int, int]) -> _Scale:
        """Hold every value with `room` pixels at the ends, and leave a third of the axis below the threshold."""
        for constant in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02):
            low, high = (_symlog(v, constant) for v in (min(values), max(*values, 2 * threshold)))
            pixel = (high - low) / (length - sum(room))
            ends = (low - room[0] * pixel, high + room[1] * pixel)
            low, high = (math.copysign(constant * math.expm1(abs(v)), v) for v in ends)
            found = cls(low, high, constant, length)
            if found.at(threshold) >= length / 3:
                break
        return found

    def at(self, value: float) -> float:
        """Pixels from the low end."""
        low, high, here = (_symlog(v, self.constant) for v in (self.low, self.high, value))
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
        return scaled.axis(values=self.ticks(), grid=False, format=".6~g")


def _symlog(value: float, constant: float) -> float:
    return math.copysign(math.log1p(abs(value) / constant), value)


def _quarters(xs: _Scale, ys: _Scale, at: tuple[float, float], names: Mapping[tuple[bool, bool], str]) -> list[Any]:
    """Shade and name the four quarters, and draw and label the two thresholds."""
    x, y = xs.at(at[0]), ys.length - ys.at(at[1])
    layers = []
    for (volatile, growing), name in names.items():
        left, right = (x, xs.length) if growing else (0, x)
        top, bottom = (0, y) if volatile else (y, ys.length)
        shade = COLORS[volatile, growing]
        layers.append(mark("rect", x=left, x2=right, y=top, y2=bottom, color=shade, opacity=0.08))
        lines = textwrap.wrap(name, max(int((right - left - 14) / 7.3), 8))
        corner = {"align": "right", "x": right - 7} if growing else {"align": "left", "x": 7}
        first = top + 14 if volatile else bottom - 8 - 15 * (len(lines) - 1)
        layers.append(mark("text", text=lines, y=first, lineHeight=15, **HEAD, color=shade, **corner))
    dashed = {"color": GRAY, "strokeDash": [5, 4]}
    layers.append(mark("rule", x=x, x2=x, y=0, y2=ys.length, **dashed))
    layers.append(mark("rule", x=0, x2=xs.length, y=y, y2=y, **dashed))
    said = {"color": GRAY, "fontSize": 12, "lineHeight": 14}
    layers.append(mark("text", text=f"growth {at[0]:g}", x=x, y=-9, **said))
    layers.append(mark("text", text=["volatility", f"{at[1]:g}"], x=xs.length + 5, y=y - 3, align="left", **said))
    return layers


def _apart(placed: pd.DataFrame) -> pd.DataFrame:
    """Groups whose published position differs from the computed one by more than rounding."""
    apart = (placed["published_growth"] - placed["growth"]).abs().gt(ROUNDING)
    apart |= (placed["published_volatility"] - placed["volatility"]).abs().gt(ROUNDING)
    return placed[apart].dropna(subset=["published_growth", "published_volatility"])


def _published(moved: pd.DataFrame, x: alt.X, y: alt.Y) -> list[Any]:
    """Mark the published position and join it to the computed one."""
    base = alt.Chart(moved).encode(x=x, y=y)
    there = {"x": alt.X("published_growth:Q"), "y": alt.Y("published_volatility:Q")}
    return [
        base.mark_rule(color=GRAY, strokeWidth=0.8, opacity=0.35).encode(
            x2="published_growth:Q", y2="published_volatility:Q"
        ),
        base.mark_point(size=38, color="#a0a0a0", fill="white", strokeWidth=1, opacity=1).encode(**there),
    ]


def _points(placed: pd.DataFrame, at: tuple[float, float], xs: _Scale, ys: _Scale, base: alt.Chart) -> list[Any]:
    """Draw the groups and their numbers, each number where it covers least."""
    tips = ["group:N", "pattern:N", *(alt.Tooltip(f"{c}:Q", format=".2f") for c in FIGURES)]
    dots = base.mark_circle(size=80, opacity=1, stroke="white", strokeWidth=0.8).encode(tooltip=tips)
    spots, moved = _pixels(placed, xs, ys), _apart(placed)
    far = zip(_pixels(moved, xs, ys), _pixels(moved, xs, ys, "published_"), strict=True)
    # The joining lines are in the way of the numbers too; quarters of them stand for the whole.
    others = [(a + (c - a) * t / 4, b + (d - b) * t / 4, 8.0, 8.0) for (a, b), (c, d) in far for t in (1, 2, 3, 4)]
    others.append((xs.at(at[0]), ys.length / 2, 4.0, ys.length))
    others.append((xs.length / 2, ys.length - ys.at(at[1]), xs.length, 4.0))
    places = _beside(spots, list(placed["number"]), (xs.length, ys.length), others)
    words = {"fontSize": 12, "fontWeight": "bold", "color": INK}
    numbers = zip(places, placed["number"], strict=True)
    return [dots, *(mark("text", x=px, y=py, text=number, **words) for (px, py), number in numbers)]


def _pixels(placed: pd.DataFrame, xs: _Scale, ys: _Scale, prefix: str = "") -> list[tuple[float, float]]:
    pairs = zip(placed[f"{prefix}growth"], placed[f"{prefix}volatility"], strict=True)
    return [(xs.at(g), ys.length - ys.at(v)) for g, v in pairs]


def _beside(
    spots: Sequence[tuple[float, float]],
    texts: Sequence[str],
    size: tuple[int, int],
    others: Sequence[tuple[float, float, float, float]],
) -> list[tuple[float, float]]:
    """Place a short text next to each spot: of 16 places around it, the one that covers least of what is there."""
    taken = [(x, y, 11.0, 11.0) for x, y in spots] + list(others)
    eighths = [turn * math.pi / 4 for turn in range(8)]
    found = []
    for (x, y), text in zip(spots, texts, strict=True):
        box = (7.5 * len(text) + 1, 12.0)
        wide = 1 + 0.12 * (len(text) - 1)
        places = [(x + r * wide * math.cos(a), y + r * math.sin(a)) for r in (13, 17) for a in eighths]
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
        lines += groups[["number", "group", "pattern", "volatility", "growth"]].to_dict("records")
    listed = pd.DataFrame(lines, columns=["heading", "number", "group", "pattern", "volatility", "growth"])
    # A heading stands a little off the group above it.
    heads = listed["heading"].notna().cumsum() - 1
    return listed.assign(y=24 + 20 * listed.index + 8 * heads)


def _list_of_groups(lines: pd.DataFrame, height: int, shade: alt.Color) -> alt.LayerChart:
    """Table of the numbered groups with their figures, under the names of their patterns."""
    y = alt.Y("y:Q", axis=None).scale(domain=[height, 0], nice=False)
    heads, rows = lines[lines["heading"].notna()].dropna(axis=1), lines[lines["heading"].isna()]
    base = alt.Chart(rows).encode(y=y)
    figure = {"align": "right", "fontSize": 12, "color": INK}
    columns = [("volatility", 297), ("growth", 346)]
    return alt.layer(
        alt.Chart(heads).mark_text(align="left", x=0, limit=346, **HEAD).encode(y=y, text="heading:N", color=shade),
        base.mark_text(align="right", x=17, fontSize=12, fontWeight="bold", color=INK).encode(text="number:N"),
        base.mark_text(align="left", x=24, fontSize=12, limit=232, color=INK).encode(text="group:N"),
        *(base.mark_text(x=at, **figure).encode(text=alt.Text(f"{name}:Q", format=".2f")) for name, at in columns),
        *(mark("text", text=name, x=at, y=2, align="right", fontSize=12, color=GRAY) for name, at in columns),
    ).properties(width=350, height=height)


def _notes(frame: pd.DataFrame) -> list[str]:
    """Say what a hollow mark is, and which groups have no place in the plane."""
    known = frame.dropna(subset=["volatility", "growth"])
    lines = ["Hollow: the position as published, where it differs."] if len(_apart(known)) else []
    for name in ("growth", "volatility"):
        missing = frame[frame[name].isna() & (frame["growth"].isna() if name == "growth" else frame["growth"].notna())]
        said = [_with_published(row) for row in missing.to_dict("records")]
        lines += left_out(f"Not placed, as {name} is undefined", said, 68)
    return lines


def _with_published(row: Mapping[Any, Any]) -> str:
    printed = {name: row[f"published_{name}"] for name in ("volatility", "growth")}
    figures = [f"{name} {figure:.2f}".replace("-", "−") for name, figure in printed.items() if pd.notna(figure)]
    return f"{row['group']} (published: {', '.join(figures)})" if figures else str(row["group"])
