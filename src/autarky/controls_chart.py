"""The timeline of export controls: a lane an issuer, a numbered point an action, an arrow from trigger to response.

Actions stand one step apart and not to scale: most fall into a few months, and the shortest lag is a day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from autarky.controls_cards import KINDS, Action, issuer_name
from autarky.errors import AutarkyError
from autarky.theme import GRAY, HEAD, INK, PALETTE, WIDTH, colored, left_out, noted, plain_title, themed

if TYPE_CHECKING:
    from autarky.controls import Registry

LANE, LEFT = 62, 110
FORMS = ("svg", "png", "html")
_LINE = 17


def timeline(registry: Registry) -> Any:
    """Draw the dated actions of a registry, with the days to the response above each trigger.

    Returns
    -------
    chart; actions without a date are named in the note below
    """
    dated = sorted((a for a in registry.actions.values() if a.date), key=lambda a: (a.date, a.id))
    lanes = _lanes(dated)
    width, height = WIDTH - LEFT, LANE * len(lanes)
    shades = dict(zip(KINDS, (*PALETTE, "#E69F00"), strict=True))
    color = {kind: shades[kind] for kind in KINDS if any(a.kind == kind for a in dated)}
    places = pd.DataFrame(
        {
            "id": [a.id for a in dated],
            "x": [width * (i + 0.5) / len(dated) for i in range(len(dated))],
            "y": [LANE * (lanes[a.issuer] + 0.5) for a in dated],
            "number": [str(i) for i in range(1, len(dated) + 1)],
            "date": [str(a.date) for a in dated],
            "kind": [a.kind for a in dated],
            "title": [a.title for a in dated],
        }
    )
    frame = registry.timeline().dropna(subset=["lag_days"])
    plane = alt.layer(
        *_grounds(lanes, width, height, places),
        *_arrows(frame, places),
        *_points(frame, places, color),
    ).properties(width=width, height=height + 66)
    undated = sorted(a.title for a in registry.actions.values() if not a.date)
    notes = left_out("Not drawn, as the source gives no date", undated, 115)
    words = ["Steps are not to scale. Above a trigger: days to the response, by the day of announcement."]
    chart = alt.vconcat(_legend(color), plane, noted(_titles(places, color), notes), spacing=8)
    return themed(chart.properties(title=plain_title(words)))


def _lanes(dated: Sequence[Action]) -> dict[str, int]:
    """Number the issuers: those of triggers first, by their first action; whoever answers last."""
    answering = {a.issuer for a in dated if a.responds_to}
    issuers = list(dict.fromkeys(a.issuer for a in dated))
    return {issuer: i for i, issuer in enumerate(sorted(issuers, key=lambda x: x in answering))}


def _at(frame: pd.DataFrame, **channels: Any) -> alt.Chart:
    """Marks at the pixels of `x` and `y`."""
    place = {"x": alt.X("x:Q").scale(None).axis(None), "y": alt.Y("y:Q").scale(None).axis(None)}
    return alt.Chart(frame).encode(**place, **channels)


def _grounds(lanes: Mapping[str, int], width: float, height: float, places: pd.DataFrame) -> list[Any]:
    """Draw the lanes and their names; below them the dates, upright, each with a thin line up to its point."""
    tops = [LANE * lane for lane in lanes.values()]
    bands = pd.DataFrame({"x": 0.0, "x2": width, "y": tops, "y2": [top + LANE for top in tops]})
    names = pd.DataFrame({"x": -8.0, "y": bands["y"] + LANE / 2, "name": [issuer_name(i) for i in lanes]})
    lines = places[["x", "y"]].assign(y2=height)
    days = places[["x", "date"]].assign(y=height + 5)
    upright = {"angle": 270, "align": "right", "baseline": "middle", "fontSize": 11, "color": GRAY}
    return [
        _at(bands[::2], x2="x2:Q", y2="y2:Q").mark_rect(color="#f4f4f4"),
        _at(names, text="name:N").mark_text(align="right", limit=LEFT, color=INK, **HEAD),
        _at(lines, y2="y2:Q").mark_rule(color="#dddddd", strokeWidth=0.8),
        _at(days, text="date:N").mark_text(**upright),
    ]


def _arrows(frame: pd.DataFrame, places: pd.DataFrame) -> list[Any]:
    """Draw a curve from each trigger to its response; it leaves level, and comes down with a head at its end."""
    at = places.set_index("id")
    curves, heads = [], []
    for response, arrows in frame.sort_values("trigger_date", ascending=False).groupby("action"):
        for i, trigger in enumerate(arrows["responds_to"]):
            # Side by side, the earliest trigger on the right, as its curve comes in from there.
            x2, y2 = at.loc[response, "x"] + 9 * (i - (len(arrows) - 1) / 2), at.loc[response, "y"] - 13
            x0, y0 = at.loc[trigger, "x"], at.loc[trigger, "y"]
            points = [(x2 - (1 - t / 40) ** 2 * (x2 - x0), y0 + (t / 40) ** 2 * (y2 - y0)) for t in range(41)]
            clear = [point for point in points if math.dist(point, (x0, y0)) > 12]
            curves += [{"x": x, "y": y, "order": n, "link": f"{trigger} {response}"} for n, (x, y) in enumerate(clear)]
            heads.append({"x": x2, "y": y2 - 2})
    lines = _at(pd.DataFrame(curves, columns=["x", "y", "order", "link"]), detail="link:N", order="order:Q")
    triangles = {"shape": "triangle-down", "size": 45, "filled": True, "color": GRAY, "opacity": 1}
    return [
        lines.mark_line(color=GRAY, strokeWidth=1.2),
        _at(pd.DataFrame(heads, columns=["x", "y"])).mark_point(**triangles),
    ]


def _points(frame: pd.DataFrame, places: pd.DataFrame, color: Mapping[str, str]) -> list[Any]:
    """Draw the numbered actions, and the lags above those that were answered."""
    lags = frame.groupby("responds_to")["lag_days"].agg(lambda days: ", ".join(map(str, sorted(days))) + " d")
    said = places.merge(lags.rename("lag"), left_on="id", right_index=True).assign(y=lambda f: f["y"] - 20)
    words = {"fontSize": 12, "fontWeight": "bold"}
    tips = ["number:N", "date:N", "kind:N", "title:N"]
    return [
        # On white, as the thin line of a date may pass under it.
        _at(said, text="lag:N").mark_text(stroke="white", strokeWidth=4, color="white", **words),
        _at(said, text="lag:N").mark_text(color=INK, **words),
        _at(places, color=colored("kind", color), tooltip=tips).mark_circle(size=330, opacity=1),
        _at(places, text="number:N").mark_text(fontSize=11, fontWeight="bold", color="white", dy=0.5),
    ]


def _legend(color: Mapping[str, str]) -> Any:
    """One line: the kinds and their colors."""
    ends = [0.0, *accumulate(34 + 5.8 * len(kind) for kind in color)]
    kinds = pd.DataFrame({"x": [end - LEFT + 6 for end in ends[:-1]], "y": 8.0, "kind": list(color)})
    words = {"align": "left", "baseline": "middle", "fontSize": 12, "color": INK, "dx": 10}
    dots = _at(kinds, color=colored("kind", color)).mark_circle(size=110, opacity=1)
    return alt.layer(dots, _at(kinds, text="kind:N").mark_text(**words)).properties(width=WIDTH - LEFT, height=16)


def _titles(places: pd.DataFrame, color: Mapping[str, str]) -> Any:
    """The numbered actions, in two columns."""
    rows = math.ceil(len(places) / 2)
    spots = [(WIDTH / 2 * (i // rows) - LEFT + 18, _LINE * (i % rows) + 8) for i in range(len(places))]
    listed = places.assign(x=[x for x, _ in spots], y=[y for _, y in spots])
    number = {"fontSize": 12, "fontWeight": "bold", "align": "right"}
    return alt.layer(
        _at(listed, text="number:N", color=colored("kind", color)).mark_text(**number),
        _at(listed, text="title:N").mark_text(align="left", limit=420, fontSize=12, color=INK, dx=6),
    ).properties(width=WIDTH - LEFT, height=_LINE * rows)


def save(registry: Registry, path: str | Path) -> None:
    """Draw the timeline into a file; its ending says how.

    Raises
    ------
    AutarkyError : an ending other than svg, png, html
    """
    import vl_convert

    form = Path(path).suffix.removeprefix(".").lower()
    if form not in FORMS:
        raise AutarkyError(f"{path}: a figure is written as {', '.join(FORMS)}; end the name of the file with one")
    chart = timeline(registry)
    if form == "html":
        Path(path).write_text(chart.to_html(inline=True), encoding="utf-8")
        return
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    svg = vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=version, allowed_base_urls=[])
    if form == "svg":
        Path(path).write_text(svg, encoding="utf-8")
    else:
        Path(path).write_bytes(vl_convert.svg_to_png(svg, scale=2))
