"""Self-reliance: which groups of imported technology grow, fluctuate or recede (Naughton & Fang 2025, section 4)."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from autarky import breaks as code_changes
from autarky import chains, charts, engine, grouping, patterns, screens, watchlists
from autarky.errors import CodeError, NoDataError
from autarky.findings import Figure, Findings
from autarky.studies._self_reliance import columns, words
from autarky.studies._self_reliance.scope import Scope
from autarky.tables import WORLD, Condition, Flows, Ledger

CHOICES = {
    "breaks": chains.BREAKS,
    "windows": ("ignored", "printed"),
    "combined": ("split", "as-is"),
    "absent": ("absent", "zero"),
}
# Published as one figure by the reporter's customs office: (month without a figure, month with the figure of both).
COMBINED = {"CHN": [("2020-01", "2020-02")]}
BATCH2 = "naughton-fang-2025-batch2"


def run(
    flows: Flows,
    con: Any,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    reporter: str = "CHN",
    partner: str | None = None,
    source: str | None = None,
    nomenclature: str | None = None,
    watchlist: str = "naughton-fang-2025-batch1",
    screen: str = "naughton-fang-2025",
    absent: str = "absent",
    combined: str = "split",
    windows: str = "ignored",
    breaks: str = "as-is",
    replicates: int = 1000,
    seed: int = 2025,
) -> Findings:
    """Measure volatility and growth of every group of a watch list and set the pattern beside the published one.

    Parameters
    ----------
    flows : a store's flows
    con : the engine that they came from
    since, until : first and last month; default: all months of the data
    reporter, partner : ISO3; default partner: the world total where it is reported, else the sum of the partners
    source, nomenclature : which of several in the store
    watchlist, screen : ids of cards
    absent : "absent": a month without a row is not there; "zero": it is 0
    combined : "split": months that customs published as one figure are split; "as-is": they are not
    windows : "ignored": a code counts whenever it is reported; "printed": only in the years that the list prints
    breaks : codes that begin or end in the window: "as-is"; "chained" and "dropped" by the reviewed chains of the list
    replicates, seed : of the bootstrap

    Raises
    ------
    NoDataError, TableError, CodeError, CardError
    """
    listed, rules = watchlists.load(watchlist), screens.load(screen)
    chosen = _imports(flows, listed.nomenclature, reporter, partner, source, nomenclature)
    ledger = chosen.ledger
    pairs = COMBINED.get(reporter, []) if combined == "split" else []
    extra = chains.products(chains.load(watchlist)) if watchlist in chains.names() else []
    printed = grouping.group(chosen, con, listed, since, until, windows, pairs, ledger, extra)
    card = code_changes.chains_of(watchlist, printed.partial)
    each = code_changes.under_each(
        con, printed, card, rules, list(listed.groups), lambda s: _completed(s, absent, Ledger())
    )
    grouped = code_changes.treated(printed, card, breaks)
    series = _completed(grouped.groups().reindex(columns=list(listed.groups)), absent, ledger)
    table = _patterns(con, series, grouped, listed, rules, replicates, seed)
    second = _batch2(chosen, con, since, until, windows, pairs, watchlist, absent)
    table = pd.concat([table, code_changes.patterns_of(each, list(table["group"]))], axis=1)
    frames = {
        "patterns": table,
        "breaks": each[each["changed"]].drop(columns="changed").reset_index(drop=True),
        "series": _long(series, "group"),
        "categories": _long(_completed(grouped.categories(), absent, Ledger()), "category"),
        "drivers": _drivers(grouped, listed, series),
        "codes": grouped.codes,
        "shared": grouped.shared(),
        "notes": pd.DataFrame({"note": list(listed.notes)}, dtype="str"),
    }
    if second is not None:
        frames["batch2"] = second
    origins = tuple(o for o in flows.origins if o.id in set(chosen.coverage["source"]))
    scope = Scope(reporter, partner or _only_partner(chosen, con), grouped, listed, rules, origins, absent, replicates)
    return Findings(
        study="self-reliance",
        title=words.title(scope),
        subtitle=words.subtitle(scope),
        sections=words.sections(scope, frames),
        tables=columns.tables(scope, frames),
        figures=_figures(frames, rules, scope),
        ledger=ledger,
        origins=origins,
        files=chosen.files,
        parameters={
            "reporter": reporter,
            "partner": partner,
            "source": source,
            "nomenclature": nomenclature,
            "watchlist": watchlist,
            "screen": screen,
            "since": str(grouped.calendar[0]),
            "until": str(grouped.calendar[-1]),
            "absent": absent,
            "combined": combined,
            "windows": windows,
            "breaks": breaks,
            "replicates": replicates,
            "seed": seed,
        },
        synthetic=any(o.synthetic for o in origins),
    )


def _imports(
    flows: Flows, own: str, reporter: str, partner: str | None, source: str | None, nomenclature: str | None
) -> Flows:
    """Narrow to one reporter's monthly imports from one partner or from all, told apart from the world total."""
    from autarky import codes

    for code in (reporter, partner):
        if code is not None and code not in codes.area_names():
            raise CodeError(f"{code!r} is not a country code (ISO 3166-1 alpha-3), nor {WORLD}")
    conditions = [Condition("flow", ("import",)), Condition("freq", ("M",)), Condition("reporter", (reporter,))]
    if source:
        conditions.append(Condition("source", (source,)))
    if partner:
        conditions.append(Condition("partner", (partner,)))
    chosen = flows.where(conditions)
    held = set(chosen.coverage["nomenclature"])
    # National codes say more than HS6; where a store has both, take the list's own.
    wanted = nomenclature or (own if own in held and len(held) > 1 else None)
    if wanted:
        chosen = chosen.where([Condition("nomenclature", (wanted,))])
    if chosen.coverage.empty:
        raise NoDataError(f"no monthly imports of {reporter} matched; `autarky coverage` shows what the store holds")
    world = chosen.coverage["world"]
    if not partner and world.any() and not world.all():
        # The total as reported is the whole; its partner rows say the same once more.
        chosen = chosen.where([Condition("partner", (WORLD,))])
    if chosen.coverage["areas"].any() and not chosen.coverage["areas"].all():
        chosen = chosen.where([Condition("area", ("",))])
    return chosen


def _only_partner(flows: Flows, con: Any) -> str | None:
    """Return the partner when the data hold just one: a report must not call that trade with all partners."""
    table = flows.table.select("partner").distinct().limit(2)
    found = engine.rows(con, table)["partner"].to_pylist()
    return found[0] if len(found) == 1 and found[0] != WORLD else None


def _completed(series: pd.DataFrame, absent: str, ledger: Ledger) -> pd.DataFrame:
    if absent != "zero":
        return series
    missing, value = int(series.isna().sum().sum()), float(series.sum().sum())
    ledger.add("absent as zero", (series.size - missing, series.size), (value, value), "group-months, as asked for")
    return series.where(series.notna(), 0.0)


def _patterns(
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


def _long(series: pd.DataFrame, name: str) -> pd.DataFrame:
    parts = {"value_usd": series, "smoothed": patterns.smoothed(series), "index": patterns.normalized(series)}
    stacked = {k: v.rename_axis(index="period", columns=name).stack(future_stack=True) for k, v in parts.items()}
    frame = pd.DataFrame(stacked).reset_index()
    frame = frame.assign(period=frame["period"].dt.to_timestamp())
    return (
        frame[[name, "period", "value_usd", "smoothed", "index"]].sort_values([name, "period"]).reset_index(drop=True)
    )


def _drivers(grouped: grouping.Grouped, listed: watchlists.WatchList, totals: pd.DataFrame) -> pd.DataFrame:
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


def _batch2(
    chosen: Flows,
    con: Any,
    since: datetime.date | None,
    until: datetime.date | None,
    windows: str,
    combined: list[tuple[str, str]],
    watchlist: str,
    absent: str,
) -> pd.DataFrame | None:
    """Return the series of the second list (figure 3 of the paper), where the data have any of its codes."""
    if not watchlist.startswith("naughton-fang-2025"):
        return None
    try:
        second = grouping.group(chosen, con, watchlists.load(BATCH2), since, until, windows, combined, Ledger())
    except NoDataError:
        return None
    return _long(_completed(second.groups(), absent, Ledger()), "group")


def _figures(frames: dict[str, pd.DataFrame], rules: screens.Screen, scope: Scope) -> tuple[Figure, ...]:
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
