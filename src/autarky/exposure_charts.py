"""Charts of exposure to export controls: frames in, charts out, nothing written."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from autarky.theme import GRAY, HEAD, INK, PALETTE, WIDTH, left_out, mark, noted, plain_title, themed

ISSUER, OTHER = PALETTE[1], PALETTE[0]
BOUNDS = {"exact": "Lines of exact items", "all": "All lines"}
MILLION = 1e6
PERCENT = ".1~%"
# Where the axis of prices ends: a longer one would flatten what can be read.
MOST = 100.0
# The first tick's name leaves room for the longest name of a mineral or a country.
NAMES: dict[str, Any] = {
    "labelLimit": 190,
    "minExtent": 150,
    "maxExtent": 190,
    "ticks": False,
    "domain": False,
    "labelPadding": 10,
}


def suppliers(frame: pd.DataFrame, issuer: str, most: int = 10) -> alt.LayerChart:
    """Draw an importer's suppliers by share, the issuer of the control in a color of its own.

    Parameters
    ----------
    frame : columns partner, name, value_usd, share; a row a supplier
    issuer : the partner to mark; drawn even where it is not among the first
    most : suppliers drawn by name; the rest are one bar

    Returns
    -------
    chart, shares in percent and values in million US dollars
    """
    held = frame.sort_values(["share", "partner"], ascending=[False, True])
    shown = held.head(most)
    if issuer in set(held["partner"]) - set(shown["partner"]):
        shown = pd.concat([held.head(most - 1), held[held["partner"] == issuer]])
    rest = held[~held["partner"].isin(shown["partner"])]
    kind = ["issuer" if p == issuer else "other" for p in shown["partner"]]
    bars = shown.assign(kind=kind)[["name", "value_usd", "share", "kind"]]
    if len(rest):
        more = {"name": f"{len(rest)} others", "value_usd": rest["value_usd"].sum(), "share": rest["share"].sum()}
        bars = pd.concat([bars, pd.DataFrame([{**more, "kind": "rest"}])], ignore_index=True)
    bars = bars.assign(text=[f"{s:.1%}  ({_money(v)})" for s, v in zip(bars["share"], bars["value_usd"], strict=True)])
    y = alt.Y("name:N", sort=list(bars["name"]), title=None).axis(**NAMES)
    x = alt.X("share:Q", title="Share of imports (%)").scale(
        domain=[0, 1.18 * max(bars["share"].max(), 0.05)], nice=False
    )
    x = x.axis(format=PERCENT, tickCount=6, values=[v / 10 for v in range(0, 11)])
    shade = alt.Color("kind:N", legend=None).scale(domain=["issuer", "other", "rest"], range=[ISSUER, OTHER, "#b5b5b5"])
    base = alt.Chart(bars).encode(y=y)
    tips = ["name:N", alt.Tooltip("share:Q", format=".2%"), alt.Tooltip("value_usd:Q", format=",.0f", title="USD")]
    drawn = alt.layer(
        base.mark_bar(height=15).encode(x=x, color=shade, tooltip=tips),
        base.mark_text(align="left", dx=5, fontSize=12, color=INK).encode(x=x, text="text:N"),
    )
    return themed(drawn.properties(width=WIDTH - 230, height=24 * len(bars)))


def over_years(frame: pd.DataFrame) -> alt.VConcatChart:
    """Draw the issuer's share of imports and the value of them by year, on exact lines and on all.

    Parameters
    ----------
    frame : columns year, bound ("exact", "all"; others are not drawn), share, value_usd; null = no row in the data, a
        gap in the line

    Returns
    -------
    chart: shares in percent above, million US dollars below
    """
    frame = frame[frame["bound"].isin(list(BOUNDS))]
    years = range(int(frame["year"].min()), int(frame["year"].max()) + 1)
    cells = pd.MultiIndex.from_product([list(dict.fromkeys(frame["bound"])), years], names=["bound", "year"])
    full = frame.set_index(["bound", "year"])[["share", "value_usd"]].astype("float64").reindex(cells).reset_index()
    one, other = (full.loc[full["bound"] == b, ["share", "value_usd"]].reset_index(drop=True) for b in BOUNDS)
    same = not other.empty and one.equals(other)
    data = full[full["bound"] == "all"] if same else full
    data = data.assign(lines=data["bound"].map(BOUNDS), million=data["value_usd"] / MILLION)
    names = [BOUNDS[b] for b in BOUNDS if b in set(data["bound"])]
    shade = alt.Color("lines:N", legend=None if len(names) == 1 else alt.Legend(symbolType="stroke"))
    shade = shade.scale(domain=names, range=[ISSUER, OTHER] if len(names) > 1 else [ISSUER])
    x = alt.X("year:Q", title=None).scale(domain=[years[0], max(years[-1], years[0] + 1)], nice=False)
    x = x.axis(format="d", grid=False, tickMinStep=1, tickCount=10)
    panels = []
    for column, title, form in (("share", "Share of imports (%)", PERCENT), ("million", "Million USD a year", ",.6~g")):
        y = alt.Y(f"{column}:Q", title=title).scale(zero=True).axis(format=form, tickCount=5, minExtent=52)
        tips = ["year:Q", "lines:N", alt.Tooltip("share:Q", format=".2%"), alt.Tooltip("million:Q", format=",.3f")]
        base = alt.Chart(data).encode(x=x, y=y, color=shade, tooltip=tips)
        # Of two lines in one place, the broken one shows that there are two.
        dash = alt.StrokeDash("lines:N", legend=None).scale(domain=names, range=[[1, 0], [6, 4]][: len(names)])
        drawn = alt.layer(base.mark_line(strokeWidth=2).encode(strokeDash=dash), base.mark_circle(size=22, opacity=1))
        panels.append(drawn.properties(width=WIDTH - 90, height=150))
    said = "Both bounds are the same lines here." if same else "A gap: no row in the data."
    return themed(alt.vconcat(*panels, spacing=18).properties(title=plain_title([said])))


def bounds(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw every mineral's share and value from the issuer: exact lines (hollow) and all lines (full).

    Parameters
    ----------
    frame : columns mineral, exact_share, all_share, exact_usd, all_usd; in the order to draw. Null: not drawn, named

    Returns
    -------
    chart
    """
    held = frame.dropna(subset=["all_share"])
    held = held.assign(**{c: held[c].astype("float64") for c in ("exact_share", "all_share", "exact_usd", "all_usd")})
    held = held.assign(exact_million=held["exact_usd"] / MILLION, all_million=held["all_usd"] / MILLION)
    order, height = list(held["mineral"]), 26 * max(len(held), 1)
    panels = []
    for number, (low, high, title, scale, form) in enumerate(
        (
            ("exact_share", "all_share", "Share of imports (%)", alt.Scale(domain=[0, 1]), PERCENT),
            ("exact_million", "all_million", "Million USD (log scale)", alt.Scale(type="log"), ",.6~g"),
        )
    ):
        y = alt.Y("mineral:N", sort=order, title=None)
        y = y.axis(**NAMES, grid=True) if number == 0 else y.axis(labels=False, ticks=False, domain=False, grid=True)
        x = alt.X(f"{high}:Q", title=title, scale=scale).axis(format=form, tickCount=5)
        base = alt.Chart(held).encode(y=y)
        point = alt.X(f"{low}:Q", title=title, scale=scale)
        known = base.transform_filter(f"isValid(datum.{low})")
        tips = ["mineral:N", alt.Tooltip(f"{low}:Q", format=".4~g"), alt.Tooltip(f"{high}:Q", format=".4~g")]
        drawn = alt.layer(
            known.mark_rule(color=GRAY, strokeWidth=2).encode(x=point, x2=f"{high}:Q"),
            base.mark_circle(size=80, opacity=1, color=ISSUER).encode(x=x, tooltip=tips),
            known.mark_point(size=150, color=OTHER, strokeWidth=2).encode(x=point, tooltip=tips),
        )
        panels.append(drawn.properties(width=(WIDTH - 290) // 2, height=height))
    missing = [m for m in frame["mineral"] if m not in set(order)]
    note = left_out("Not drawn, as nothing is reported from the issuer or no line is in the data", missing, 110)
    said = ["Ring: lines of exact items. Dot: all lines. Both bound the trade in the item from above."]
    chart = alt.hconcat(*panels, spacing=24)
    if note:
        text = mark("text", text=note, x=0, y=0, align="left", baseline="top", fontSize=12, lineHeight=16, color=GRAY)
        chart = alt.vconcat(chart, text.properties(width=WIDTH - 290, height=16 * len(note)), spacing=10)
    return themed(chart.properties(title=plain_title(said)))


def look_through(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw the share of purchases at face value and looking through all stages, a row each.

    Parameters
    ----------
    frame : columns purchases, industry, face_share, value_added_share; a panel a kind of purchases

    Returns
    -------
    chart, in percent of the purchases
    """
    held = frame.dropna(subset=["face_share", "value_added_share"])
    kinds = list(dict.fromkeys(held["purchases"]))
    order = list(dict.fromkeys(held["industry"]))
    top = 1.15 * max(held[["face_share", "value_added_share"]].max().max(), 1e-4)
    panels = []
    for number, kind in enumerate(kinds):
        part = held[held["purchases"] == kind]
        y = alt.Y("industry:N", sort=order, title=None).axis(
            **{**NAMES, "labelLimit": 240, "maxExtent": 250}, grid=True
        )
        scale = alt.Scale(domain=[0, top], nice=False)
        title = "Share of the purchases (%)" if number == len(kinds) - 1 else None
        axis = alt.Axis(format=".2~%", tickCount=6)
        base = alt.Chart(part).encode(y=y)
        face = alt.X("face_share:Q", title=title, scale=scale, axis=axis)
        deep = alt.X("value_added_share:Q", title=title, scale=scale, axis=axis)
        tips = ["industry:N", *(alt.Tooltip(f"{c}:Q", format=".3%") for c in ("face_share", "value_added_share"))]
        drawn = alt.layer(
            base.mark_rule(color=GRAY, strokeWidth=2).encode(x=face, x2="value_added_share:Q"),
            base.mark_point(size=120, color=OTHER, strokeWidth=2).encode(x=face, tooltip=tips),
            base.mark_circle(size=90, opacity=1, color=ISSUER).encode(x=deep, tooltip=tips),
        ).properties(width=WIDTH - 310, height=26 * part["industry"].nunique())
        head = alt.TitleParams(kind, **HEAD, color=INK, offset=6)
        panels.append(drawn.properties(title=head))
    said = ["Ring: bought directly (face value). Dot: value that arose there at any stage (look-through)."]
    return themed(alt.vconcat(*panels, spacing=16).properties(title=plain_title(said)))


def prices(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw the range of the price after the removal, as a multiple of the price before it.

    Parameters
    ----------
    frame : columns mineral, basis, removed, low, high (multiples of the old price; null: not drawn, named)

    Returns
    -------
    chart, logarithmic
    """
    held = frame.dropna(subset=["low", "high"])
    order = list(dict.fromkeys(held["mineral"]))
    kinds = list(dict.fromkeys(held["basis"]))
    scale = alt.Scale(type="log", domain=[1, MOST], nice=False)
    x = alt.X("low:Q", title="Price after, as a multiple of the price before (log scale)", scale=scale)
    x = x.axis(format=",.6~g", values=[1, 2, 5, 10, 20, 50, 100], grid=True)
    y = alt.Y("mineral:N", sort=order, title=None).axis(**NAMES, grid=True)
    shade = alt.Color("basis:N").scale(domain=kinds, range=list(PALETTE[: len(kinds)]))
    tips = ["mineral:N", "basis:N", alt.Tooltip("removed:Q", format=".1%")]
    tips += [alt.Tooltip(f"{c}:Q", format=",.3~g") for c in ("low", "high")]
    bars = (
        alt.Chart(held)
        .mark_bar(height=8, clip=True)
        .encode(y=y, x=x, x2="high:Q", color=shade, yOffset=alt.YOffset("basis:N", sort=kinds), tooltip=tips)
    )
    rule = alt.Chart(held.head(1)).mark_rule(color=GRAY, strokeDash=[4, 3]).encode(x=alt.datum(10))
    plot = alt.layer(bars, rule).properties(width=WIDTH - 230, height=34 * max(len(order), 1))
    missing = [m for m in dict.fromkeys(frame["mineral"]) if m not in set(order)]
    cut = list(dict.fromkeys(held.loc[held["high"] > MOST, "mineral"]))
    lines = left_out(f"Cut at {MOST:g} times (the table has the figure)", cut, 110)
    lines += left_out("Not drawn, as the share of world supply is not known", missing, 110)
    said = ["Beyond ten times (dashed) the elasticities, figures of small changes, tell no more."]
    return themed(noted(plot, lines).properties(title=plain_title(said)))


def _money(value: float) -> str:
    million = value / MILLION
    return f"{million:,.1f} million USD" if million >= 0.1 else f"{value:,.0f} USD"
