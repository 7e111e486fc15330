"""Self-reliance: which groups of imported technology grow, fluctuate or recede (Naughton & Fang 2025)."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import breaks as code_changes
from autarky import chains, controls, engine, grouping, screens, watchlists
from autarky.errors import CodeError, NoDataError
from autarky.findings import Findings
from autarky.studies._self_reliance import (
    adjusted_part,
    changes_part,
    columns,
    cycle_part,
    end_use,
    groups,
    overlap_part,
    stockpiling_part,
    words,
)
from autarky.studies._self_reliance.scope import Given, Scope
from autarky.tables import WORLD, Condition, Flows, Ledger

if TYPE_CHECKING:
    from autarky.macro import Macro

CHOICES = {
    "breaks": chains.BREAKS,
    "windows": ("ignored", "printed"),
    "combined": ("split", "as-is"),
    "absent": ("absent", "zero"),
    "annual": ("reported", "mirror"),
    "dual_use": ("first", "split", "separate"),
}
# Published as one figure by the reporter's customs office: (month without a figure, month with the figure of both).
COMBINED = {"CHN": [("2020-01", "2020-02")]}
# The order of the source: its aggregates, its lists, patterns, stockpiling, adjusted aggregates, appendices.
ORDER = (
    "measured",
    "end_use",
    "categories",
    "batch2",
    "overlap",
    "patterns",
    "groups",
    "cycle",
    "changes",
    "stockpiling",
    "adjusted",
    "drivers",
    "sure",
    "breaks",
    "codes",
)


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
    counterfactual: str = "naughton-fang-2025",
    other: str = "naughton-fang-2025-batch2",
    annual: str = "reported",
    annual_source: str | None = None,
    dual_use: str = "first",
    classification: str = "wits-printed-naughton-fang-2025",
    indices: str | None = None,
    gdp_source: str | None = None,
    reference: str | None = None,
    macro: Macro | None = None,
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
    counterfactual : id of a card: which series are held against which baseline
    other : a second watch list (id, YAML or CSV) whose overlap in value is told
    annual : "reported": aggregates by end use from the reporter's own annual rows; "mirror": from its partners' exports
    annual_source, gdp_source : which source of annual flows and of GDP, where the store has several
    dual_use : where goods of two end uses are counted: "first", "split" or "separate"
    classification : id of a classification, or a CSV of product and category, to hold against BEC
    indices : CSV of monthly indices by category, to roll annual aggregates forward
    reference : directory of the reference tables
    macro : GDP and exchange rates of the store
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
        con, printed, card, rules, list(listed.groups), lambda s: groups.completed(s, absent, Ledger())
    )
    grouped = code_changes.treated(printed, card, breaks)
    series = groups.completed(grouped.groups().reindex(columns=list(listed.groups)), absent, ledger)
    table = groups.patterns_table(con, series, grouped, listed, rules, replicates, seed)
    second = groups.second_list(chosen, con, since, until, windows, pairs, watchlist, absent)
    table = pd.concat([table, code_changes.patterns_of(each, list(table["group"]))], axis=1)
    frames = {
        "patterns": table,
        "breaks": each[each["changed"]].drop(columns="changed").reset_index(drop=True),
        "series": groups.long(series, "group"),
        "categories": groups.long(groups.completed(grouped.categories(), absent, Ledger()), "category"),
        "drivers": groups.drivers(grouped, listed, series),
        "codes": grouped.codes,
        "shared": grouped.shared(),
        "notes": pd.DataFrame({"note": list(listed.notes)}, dtype="str"),
    }
    if second is not None:
        frames["batch2"] = groups.long(second[1], "group")
    origins = tuple(o for o in flows.origins if o.id in set(chosen.coverage["source"]))
    scope = Scope(reporter, partner or _only_partner(chosen, con), grouped, listed, rules, origins, absent, replicates)
    given = Given(flows, chosen, con, scope, series, table, macro, ledger, words.source_line(scope))
    annual_rows: dict[str, Any] = {
        "mirror": annual == "mirror",
        "annual_source": annual_source,
        "gdp_source": gdp_source,
        "combined": tuple(pairs),
        "reference": reference,
    }
    parts = {
        "end_use": end_use.part(
            given, dual_use=dual_use, classification=classification, indices=indices, **annual_rows
        ),
        "overlap": overlap_part.part(given, watchlists.load(other), windows=windows),
        "cycle": cycle_part.part(given, second=second),
        "changes": changes_part.part(given, _actions()),
        "stockpiling": stockpiling_part.part(given, counterfactual, gdp_source),
        "adjusted": adjusted_part.part(given, **annual_rows),
    }
    changed = groups.breaks_figure(printed, card, absent, scope)
    sure = tuple(said for part in parts.values() for said in part.sure)
    own = words.sections(scope, frames, sure, tuple(f.name for f in changed))
    used = _of_sources(flows, {s for part in parts.values() for s in part.sources} | set(chosen.coverage["source"]))
    contents = {name: (section,) for name, section in own.items()} | {n: p.sections for n, p in parts.items()}
    return Findings(
        study="self-reliance",
        title=words.title(scope),
        subtitle=words.subtitle(scope),
        sections=tuple(section for name in ORDER if name in contents for section in contents[name]),
        tables=(*columns.tables(scope, frames), *(t for part in parts.values() for t in part.tables)),
        figures=(
            *groups.figures(frames, rules, scope),
            *changed,
            *(f for part in parts.values() for f in part.figures),
        ),
        ledger=ledger,
        origins=(*used.origins, *(macro.origins if macro else ())),
        files=(*used.files, *(macro.files if macro else ())),
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
            "counterfactual": counterfactual,
            "other": other,
            "annual": annual,
            "annual_source": annual_source,
            "dual_use": dual_use,
            "classification": classification,
            "indices": indices,
            "gdp_source": gdp_source,
            "replicates": replicates,
            "seed": seed,
        },
        synthetic=any(o.synthetic for o in used.origins),
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


def _of_sources(flows: Flows, sources: set[str]) -> Flows:
    """Return what is told of the flows of some sources: their cards and files."""
    held = flows.coverage[flows.coverage["source"].isin(sources)]
    return replace(flows, coverage=held, origins=tuple(o for o in flows.origins if o.id in sources))


def _actions() -> pd.DataFrame:
    """Return the dated actions of the registry of export controls."""
    dated = controls.load().timeline().rename(columns={"action": "id"})
    return dated[["id", "effective", "issuer", "title"]].drop_duplicates("id")
