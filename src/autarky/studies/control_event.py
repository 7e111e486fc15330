"""What happened to an issuer's exports before and after a control: level, price, partners (method.md, section 7)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import pandas as pd

from autarky import codes as areas
from autarky import controls, event_charts
from autarky.errors import CardError, CodeError, MeasureError
from autarky.findings import Figure, Findings
from autarky.models.event_study import AFTER, WINDOWS, Event, EventFit, EventStudy
from autarky.studies._control_event import columns, measured, words
from autarky.studies._control_event.exports import ABSENT, Gathered, gather
from autarky.studies._control_event.words import Scope
from autarky.tables import Flows

CHOICES = {"absent": ABSENT, "trend": ("linear", "none"), "scale": ("levels", "logarithms")}


@dataclass(frozen=True)
class _Asked:
    """The control: its dates, issuer, codes and targets, and the registry's items by code."""

    event: Event
    issuer: str
    codes: tuple[str, ...]
    targets: tuple[str, ...]
    items: dict[str, str]
    title: str


def run(
    flows: Flows,
    con: Any,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    action: str | None = None,
    effective: str | None = None,
    announced: str | None = None,
    issuer: str | None = None,
    codes: str | None = None,
    targets: str | None = None,
    source: str | None = None,
    absent: str = "zero",
    trend: str = "linear",
    scale: str = "levels",
    partners: int = 8,
    baseline: int = 36,
    before: int = 6,
    after: int = 12,
) -> Findings:
    """Set an issuer's monthly exports of controlled lines against what their own past foretold.

    Parameters
    ----------
    flows : a store's flows: monthly exports of the issuer by partner
    con : the engine that they came from
    since, until : first and last month; default: all months of the data
    action : id of the registry's card of the control, which gives dates, issuer, codes and targets
    effective, announced : its dates, YYYY-MM-DD; what is given here goes before the card
    issuer : ISO3; default: the card's, else CHN
    codes : of 4 to 10 digits, as 811292,250410; default: all lines of the card's items
    targets : partners that the control names, as USA,JPN; default: the card's; none: every destination is covered
    source : which of several in the store
    absent : a partner without a row, in a month that has other partners: "zero" (it had no trade) or "absent"
    trend, scale : of the counterfactual: "linear" or "none"; "levels" or "logarithms" (of value and weight; prices are
        always taken in logarithms)
    partners : how many of the largest are looked at one by one
    baseline, before, after : months of these windows

    Raises
    ------
    NoDataError, TableError, CodeError, CardError, MeasureError
    """
    asked = _asked(action, effective, announced, issuer, codes, targets, (baseline, before, after))
    ledger = flows.ledger
    gathered = gather(flows, con, asked.codes, asked.issuer, source, absent, (since, until), ledger)
    study = EventStudy(asked.event, trend=trend == "linear", log=scale == "logarithms")
    frames, fits = _frames(gathered, study, asked, partners)
    held = set(gathered.flows.coverage["source"])
    origins = tuple(o for o in flows.origins if o.id in held)
    scope = Scope(asked.title, asked.event, study, asked.issuer, asked.targets, gathered, frames, origins, absent)
    return Findings(
        study="control-event",
        title=words.title(scope),
        subtitle=words.subtitle(scope),
        sections=words.sections(scope),
        tables=columns.tables(frames, words.source_line(scope)),
        figures=_figures(scope, fits),
        ledger=ledger,
        origins=origins,
        files=gathered.flows.files,
        parameters={
            "action": action, "effective": str(asked.event.effective),
            "announced": str(asked.event.announced) if asked.event.announced else None, "issuer": asked.issuer,
            "codes": ",".join(asked.codes), "targets": ",".join(asked.targets) or None, "source": source,
            "absent": absent, "trend": trend, "scale": scale, "partners": partners, "baseline": baseline,
            "before": before, "after": after, "since": str(since) if since else None,
            "until": str(until) if until else None,
        },
        synthetic=any(o.synthetic for o in origins),
    )  # fmt: skip


def _asked(
    action: str | None,
    effective: str | None,
    announced: str | None,
    issuer: str | None,
    codes: str | None,
    targets: str | None,
    months: tuple[int, int, int],
) -> _Asked:
    """Put the card and the options together."""
    registry = controls.load()
    if action is None and (effective is None or codes is None):
        raise MeasureError(
            "give --action ID (`autarky controls timeline`), or --effective DATE and --codes CODE[,CODE…]"
        )
    if action is not None and action not in registry.actions:
        raise CardError(f"there is no action {action!r}; `autarky controls timeline` lists the actions")
    card = registry.actions[action] if action else None
    start = controls.parse_day(effective) if effective else card.effective if card else None
    if start is None:
        raise MeasureError(f"the card of {action} has no effective date; give --effective DATE")
    public = controls.parse_day(announced) if announced else card.announced if card else None
    items = registry.items()
    held = items[items["action"] == action] if action else items[items["issuer"] == (issuer or "CHN")]
    held = held.dropna(subset=["hs10"])
    wanted = _split(codes) or tuple(sorted(set(held["hs10"])))
    if not wanted:
        raise MeasureError(f"the items of {action} have no lines; give --codes CODE[,CODE…]")
    named = _split(targets) or (tuple(card.destinations) if card else ())
    unknown = [t for t in named if t not in areas.area_names()]
    if unknown:
        raise CodeError(f"targets {', '.join(unknown)}: expected ISO3 codes, as USA,JPN")
    stands = {c: "; ".join(dict.fromkeys(held.loc[held["hs10"].str.startswith(c), "item"])) for c in wanted}
    title = card.title if card else f"Control of {start}"
    event = Event(start, public, baseline=months[0], before=months[1], after=months[2])
    return _Asked(event, issuer or (card.issuer if card else "CHN"), wanted, named, stands, title)


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t.strip() for t in text.split(",") if t.strip())) if text else ()


def _frames(
    gathered: Gathered, study: EventStudy, asked: _Asked, number: int
) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, EventFit]]]:
    """Measure every product; return the tables, and product → measure → fit of all partners together."""
    made: dict[str, list[pd.DataFrame]] = {
        n: [] for n in ("windows", "alternatives", "shares", "deflection", "paths", "placebos")
    }
    fits = {}
    for product, exports in gathered.products.items():
        table, fits[product] = measured.effects(exports, study, measured.main_partners(exports, asked.event, number))
        shares = measured.shares(exports, asked.event)
        made["windows"].append(table)
        made["alternatives"].append(measured.alternatives(exports, study))
        made["shares"].append(shares)
        made["deflection"].append(measured.deflection(exports, asked.event, asked.targets, shares))
        for measure, fit in fits[product].items():
            made["paths"].append(_path(fit).assign(product=product, measure=measure))
            months = [m.to_timestamp() for m in fit.placebos["treated"]]
            made["placebos"].append(
                fit.placebos.assign(product=product, measure=measure, treated=pd.to_datetime(months))
            )
    frames = {name: pd.concat(parts, ignore_index=True) for name, parts in made.items()}
    frames["windows"] = frames["windows"].assign(name=frames["windows"]["partner"].map(areas.area_names()))
    frames["shares"] = frames["shares"].assign(name=frames["shares"]["partner"].map(areas.area_names()))
    whole = frames["windows"]["partner"] == "WLD"
    frames["effects"] = frames["windows"][whole]
    frames["by-partner"] = frames["windows"][~whole & (frames["windows"]["window"] == AFTER)]
    frames["codes"] = gathered.codes.assign(items=[asked.items[c] or None for c in gathered.codes["code"]])
    return frames, fits


def _path(fit: EventFit) -> pd.DataFrame:
    path = fit.path().reset_index()
    return path.assign(period=path["period"].dt.to_timestamp())


def _figures(scope: Scope, fits: dict[str, dict[str, EventFit]]) -> tuple[Figure, ...]:
    event, source = scope.event, words.source_line(scope)
    made = []
    for product, held in fits.items():
        days = (pd.Timestamp(event.announced) if event.announced else None, pd.Timestamp(event.effective))
        chart = event_charts.around({m: fit.path() for m, fit in held.items()}, *days)
        made.append((f"around-{product}", words.heading("around", product), chart, "around"))
        table = scope.frames["shares"]
        table = table[table["product"] == product]
        largest = table.assign(size=table[["share_before", "share_after"]].max(axis=1)).nlargest(12, "size")
        labels = (words.span(scope, "year"), words.span(scope, AFTER))
        chart = event_charts.partners(largest.sort_values("share_before", ascending=False), *labels)
        made.append((f"partners-{product}", words.heading("partners", product), chart, "partners"))
        past = scope.frames["placebos"]
        past = past[past["product"] == product]
        if len(past):
            ratios = [{"measure": m, "window": w, "ratio": fit.ratio(w)} for m, fit in held.items() for w in WINDOWS]
            chart = event_charts.placebos(past[["measure", "window", "ratio"]], pd.DataFrame(ratios), WINDOWS)
            made.append((f"placebos-{product}", words.heading("placebos", product), chart, "placebos"))
    return tuple(Figure(n, title, chart, f"{words.CAPTIONS[kind]} {source}") for n, title, chart, kind in made)
