"""The tables and figures of the list's groups: patterns, series, drivers, the second list."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from autarky import breaks as code_changes
from autarky import breaks_chart, chains, charts, grouping, patterns, screens, watchlists
from autarky.errors import NoDataError
from autarky.findings import Figure
from autarky.studies._self_reliance import words
from autarky.studies._self_reliance.scope import Scope
from autarky.tables import Flows, Ledger

BATCH2 = "naughton-fang-2025-batch2"


def completed(series: pd.DataFrame, absent: str, ledger: Ledger) -> pd.DataFrame:
    if absent != "zero":
        return series
    missing, value = int(series.isna().sum().sum()), float(series.sum().sum())
    ledger.add("absent as zero", (series.size - missing, series.size), (value, value), "group-months, as asked for")
    return series.where(series.notna(), 0.0)


def patterns_table(
    con: Any,
    series: pd.DataFrame,
    grouped: grouping.Grouped,
    listed: watchlists.WatchList,
    rules: screens.Screen,
    replicates: int,
    seed: int,
) -> pd.DataFrame:
    found = patterns.indices(con, series)
    records = []
    for name, category in listed.groups.items():
        row, values = found.loc[name], series[name].to_numpy(dtype=float)
        figures = {n: None if pd.isna(row[n]) else float(row[n]) for n in ("volatility", "growth", "growth_first_year")}
        pattern = rules.label(volatility=figures["volatility"], growth=figures["growth"])
        said = listed.published.get(name)
        sure = patterns.stability(values, rules, replicates=replicates, seed=seed) if pattern else None
        records.append(
            {
                "group": name,
                "category": category,
                "months": int(row["months"]),
                **figures,
                "pattern": pattern,
                "published_volatility": said.volatility if said else None,
                "published_growth": said.growth if said else None,
                "published_label": said.label if said else None,
                "agrees": None if pattern is None or said is None else pattern == said.label,
                "volatility_detrended": patterns.detrended_volatility(values),
                "volatility_stl": patterns.stl_volatility(values),
                "label_stability": sure.overall if sure else None,
                "stability_bootstrap": sure.bootstrap if sure else None,
                "stability_thresholds": sure.thresholds if sure else None,
                "flag": "; ".join(_cautions(name, row, series[name], grouped)) or None,
            }
        )
    frame = pd.DataFrame(records)
    return frame.astype({"agrees": "boolean"})


def _cautions(name: str, row: pd.Series, values: pd.Series, grouped: grouping.Grouped) -> list[str]:
    codes = grouped.codes[grouped.codes["group"] == name]
    if not row["months"]:
        return ["no data: none of the group's codes is in the window"]
    cautions = []
    if isinstance(row["growth why"], str):
        cautions.append(row["growth why"].replace("the first period", f"{values.index[0]}"))
    if row["months"] < len(values):
        cautions.append(f"{len(values) - int(row['months'])} of {len(values)} months absent")
    if grouped.partial:
        cautions.append("partial match by HS6")
    for product, others in codes[codes["shared_with"] != ""][["product", "shared_with"]].drop_duplicates().to_numpy():
        cautions.append(f"{product} serves {len(others.split('; ')) + 1} groups")
    missing = int((codes["match"] == "none").sum())
    if missing:
        cautions.append(f"{missing} of {len(codes)} codes not in the data")
    if set(codes["product"]) & set(grouped.split):
        cautions.append("holds a month that was published together with another and is split")
    return cautions


def long(series: pd.DataFrame, name: str) -> pd.DataFrame:
    parts = {"value_usd": series, "smoothed": patterns.smoothed(series), "index": patterns.normalized(series)}
    stacked = {k: v.rename_axis(index="period", columns=name).stack(future_stack=True) for k, v in parts.items()}
    frame = pd.DataFrame(stacked).reset_index()
    frame = frame.assign(period=frame["period"].dt.to_timestamp())
    return (
        frame[[name, "period", "value_usd", "smoothed", "index"]].sort_values([name, "period"]).reset_index(drop=True)
    )


def drivers(grouped: grouping.Grouped, listed: watchlists.WatchList, totals: pd.DataFrame) -> pd.DataFrame:
    """Return each group's code that moves its growth index most, in the direction in which the index went."""
    parts = patterns.contributions(grouped.series, totals).dropna(subset="contribution")
    total = parts.groupby("group")["contribution"].transform("sum")
    parts = parts.assign(growth=total, lead=parts["contribution"] * np.where(total < 0, -1.0, 1.0))
    top = parts.sort_values(["group", "lead", "product"], ascending=[True, False, True]).drop_duplicates("group")
    labels = grouped.codes.groupby(["group", "product"]).agg(
        label=("label", lambda v: " / ".join(dict.fromkeys(v))), codes=("code", lambda v: " ".join(v))
    )
    top = top.merge(labels.reset_index(), on=["group", "product"])
    top = top.assign(
        category=top["group"].map(listed.groups),
        share=(top["contribution"] / top["growth"]).where(top["growth"] != 0),
        published_driver=top["group"].map(lambda g: " ".join(listed.drivers.get(g, ())) or None),
    )
    agrees = [
        None if pd.isna(said) else bool(set(said.split()) & set(own.split()))
        for said, own in zip(top["published_driver"], top["codes"], strict=True)
    ]
    top = top.assign(agrees=pd.array(agrees, dtype="boolean"), order=top["group"].map(list(listed.groups).index))
    columns = ["group", "category", "product", "label", "contribution", "growth", "share", "published_driver", "agrees"]
    return top.sort_values("order")[columns].rename(columns={"product": "code"}).reset_index(drop=True)


def second_list(
    chosen: Flows,
    con: Any,
    since: datetime.date | None,
    until: datetime.date | None,
    windows: str,
    combined: list[tuple[str, str]],
    watchlist: str,
    absent: str,
) -> tuple[watchlists.WatchList, pd.DataFrame] | None:
    """Return the second list and its monthly series (figure 3 of the source), where the data have any of its codes."""
    if not watchlist.startswith("naughton-fang-2025"):
        return None
    other = watchlists.load(BATCH2)
    try:
        second = grouping.group(chosen, con, other, since, until, windows, combined, Ledger())
    except NoDataError:
        return None
    return other, completed(second.groups(), absent, Ledger())


def figures(frames: dict[str, pd.DataFrame], rules: screens.Screen, scope: Scope) -> tuple[Figure, ...]:
    limits = rules.thresholds()
    named = frames["series"].merge(frames["patterns"][["group", "pattern"]], on="group")
    source = words.source_line(scope)
    made = [
        ("matrix", charts.matrix(frames["patterns"], limits["volatility"], limits["growth"])),
        ("groups", charts.small_multiples(named)),
        ("category-series", charts.categories(frames["categories"])),
        ("leading-codes", charts.drivers(frames["drivers"])),
    ]
    if "batch2" in frames:
        made.append(("second-list", charts.monthly(frames["batch2"], "")))
    return tuple(Figure(n, words.FIGURES[n][0], chart, f"{words.FIGURES[n][1]} {source}") for n, chart in made)


def breaks_figure(
    printed: grouping.Grouped, card: chains.Chains | None, absent: str, scope: Scope
) -> tuple[Figure, ...]:
    """Return the affected groups before and after; none where no chain has anything to hold on to."""
    held = set(printed.series["group"])
    years: dict[str, tuple[int, ...]] = {}
    for chain in card.chains if card else ():
        if chain.group in held:
            years[chain.group] = tuple(sorted({*years.get(chain.group, ()), *chain.years}))
    if not years:
        return ()
    series = {
        how: completed(code_changes.treated(printed, card, how).groups().reindex(columns=list(years)), absent, Ledger())
        for how in chains.BREAKS
    }
    title, how_to_read = words.FIGURES["code-changes"]
    chart = breaks_chart.before_after(series, years)
    return (Figure("code-changes", title, chart, f"{how_to_read} {words.source_line(scope)}"),)
