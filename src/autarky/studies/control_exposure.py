"""Control exposure: what an importer buys of goods under export controls, directly and inside other goods."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky import codes, controls, exposure, exposure_charts, price_effect, snapshots
from autarky.errors import CodeError, MeasureError, NoDataError
from autarky.exposure import IMPORTER
from autarky.findings import Figure, Findings
from autarky.studies._control_exposure import columns, indirect, measured, words
from autarky.studies._control_exposure import production as world
from autarky.studies._control_exposure.scope import Scope, name_of, slug
from autarky.tables import Flows, Ledger

if TYPE_CHECKING:
    import pandas as pd


def run(
    flows: Flows,
    con: Any,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    importer: str = "USA",
    issuer: str = "CHN",
    as_of: str | None = None,
    year: str | None = None,
    icio: str | None = None,
    production: str | None = None,
    elasticities: str = "assumed",
    suppliers: int = 5,
    source: str | None = None,
    nomenclature: str | None = None,
    reference: str | None = None,
) -> Findings:
    """Measure direct, indirect and price exposure to the controls of a day, and the hosts of by-products.

    Parameters
    ----------
    flows : a store's flows: 6-digit imports by partner in an edition of the HS
    con : the engine that they came from
    since, until : first and last year of the series; default: all years of the data
    importer, issuer : ISO3
    as_of : day (YYYY-MM-DD) whose controls are looked at
    year : of the suppliers; default: the last of the importer's
    icio : inter-country input–output table (.npz); without it there is no indirect part
    production : world production by country, of World Mining Data or of the USGS
    elasticities : id of a card of elasticities, or the path of one
    suppliers : how many next suppliers are named
    source, nomenclature : which of several in the store
    reference : directory of the reference tables

    Raises
    ------
    NoDataError, CodeError, MeasureError, SourceError, CardError
    """
    scope = _scope(
        flows.where([], since, until), con, importer, issuer, as_of, year, production, elasticities, suppliers,
        source, nomenclature, reference,
    )  # fmt: skip
    looked = indirect.found(scope, icio) if icio else None
    frames = {
        "minerals": measured.minerals(scope),
        "lines": measured.lines(scope),
        "unmeasured": measured.unmeasured(scope),
        "suppliers": measured.suppliers(scope),
        "years": measured.years(scope),
        "prices": measured.prices(scope),
        "hosts": measured.hosts(scope),
        "controls": _dated(scope.controlled),
        **({"look-through": looked.table} if looked else {}),
    }
    figures = _figures(scope, frames)
    return Findings(
        study="control-exposure",
        title=words.title(scope),
        subtitle=words.subtitle(scope),
        sections=words.sections(scope, frames, {f.name for f in figures}, looked),
        tables=columns.tables(scope, frames),
        figures=figures,
        ledger=_ledger(scope),
        origins=scope.origins,
        files=(*scope.direct.flows.files, *(snapshots.record(Path(path)) for path in (icio, production) if path)),
        parameters={
            "importer": importer,
            "issuer": issuer,
            "as_of": str(scope.as_of),
            "year": scope.year,
            "icio": looked.source if looked else None,
            "production": scope.production.source if scope.production else None,
            "elasticities": scope.card.id,
            "suppliers": suppliers,
            "source": source,
            "nomenclature": scope.nomenclature,
            "since": str(since) if since else None,
            "until": str(until) if until else None,
        },
        synthetic=any(o.synthetic for o in scope.origins),
    )


def _scope(
    flows: Flows,
    con: Any,
    importer: str,
    issuer: str,
    as_of: str | None,
    year: str | None,
    production: str | None,
    elasticities: str,
    most: int,
    source: str | None,
    nomenclature: str | None,
    reference: str | None,
) -> Scope:
    for option, code in (("importer", importer), ("issuer", issuer)):
        if code not in codes.area_names():
            raise CodeError(f"--{option} {code!r} is not a country code (ISO 3166-1 alpha-3), such as USA")
    if importer == issuer:
        raise MeasureError(f"importer and issuer are both {importer}; a control is on exports to others")
    if as_of is None:
        raise MeasureError("say whose day's controls: --as-of YYYY-MM-DD")
    if year is not None and not (year.isdigit() and len(year) == 4):
        raise MeasureError(f"--year {year!r}: expected a year, such as 2022")
    if most < 1:
        raise MeasureError(f"--suppliers {most}: expected 1 or more")
    card = price_effect.load(elasticities)
    made = world.read(production) if production else None
    edition = exposure.edition_of(flows, nomenclature)
    chosen = exposure.chosen(flows, edition, source)
    controlled = _controlled(importer, issuer, as_of)
    lines = exposure.lines(controlled, edition, reference=reference)
    direct = exposure.direct(con, chosen, lines, importer, issuer, int(year) if year else None)
    held = set(chosen.coverage["source"])
    origins = tuple(o for o in flows.origins if o.id in held)
    day = controls.parse_day(as_of)
    return Scope(importer, issuer, day, edition, controlled, lines, direct, card, made, most, origins)


def _controlled(importer: str, issuer: str, as_of: str) -> pd.DataFrame:
    """Return the issuer's controls on exports to the importer that are in force or announced on the day."""
    frame = controls.load().as_of(as_of, importer)
    own = frame[frame["issuer"] == issuer].reset_index(drop=True)
    if own.empty:
        issuers = sorted(set(frame["issuer"]))
        raise NoDataError(
            f"the registry has no item that {issuer} controls for exports to {importer} on {as_of}"
            f"{'; issuers of that day: ' + ', '.join(issuers) if issuers else ''}. See `autarky controls as-of {as_of}`"
        )
    return own


def _ledger(scope: Scope) -> Ledger:
    """Return the account of the flows, and what of the importer's year is in controlled lines."""
    ledger, coverage = scope.direct.flows.ledger, scope.direct.flows.coverage
    own = coverage[(coverage["reporter"] == scope.importer) & (coverage["period"].map(lambda p: p.year) == scope.year)]
    frame = scope.direct.suppliers
    held = frame[(frame["year"] == scope.year) & (frame["market"] == IMPORTER) & ~frame["unit"].str.contains("/")]
    rows, value = (int(own["rows"].sum()), len(held)), (float(own["value_usd"].sum()), float(held["value_usd"].sum()))
    note = f"imports of {scope.importer} in {scope.year}; rows out are pairs of a line and a partner with a value"
    ledger.add("controlled lines", rows, value, note)
    return ledger


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{c: frame[c].dt.strftime("%Y-%m-%d") for c in ("since", "until")})


def _figures(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[Figure, ...]:
    under, issuer = words.source_line(scope), name_of(scope.issuer)
    figures = []
    if frames["minerals"]["all_share"].notna().any():
        caption = (
            f"{name_of(scope.importer)} from {issuer}, {scope.year}: share of its imports of these lines, and value."
        )
        chart = exposure_charts.bounds(frames["minerals"])
        figures.append(Figure("bounds", "Exposure of every mineral, with its bounds", chart, f"{caption} {under}"))
    if "look-through" in frames:
        caption = f"Purchases of {name_of(scope.importer)} and what they owe to industries of {issuer}."
        chart = exposure_charts.look_through(frames["look-through"])
        figures.append(Figure("look-through-chart", "Face value and look-through", chart, caption))
    prices = frames["prices"].assign(low=1 + frames["prices"]["low"], high=1 + frames["prices"]["high"])
    if prices["high"].notna().any():
        caption = f"If all exports of {issuer} were taken off the market; elasticities of the card “{scope.card.id}”."
        chart = exposure_charts.prices(prices)
        figures.append(Figure("price-ranges", "Range of the price after the removal", chart, f"{caption} {under}"))
    for mineral in frames["minerals"]["mineral"]:
        figures += _of_mineral(scope, frames, mineral, under)
    return tuple(figures)


def _of_mineral(scope: Scope, frames: dict[str, pd.DataFrame], mineral: str, under: str) -> list[Figure]:
    """Return the figures of one mineral, of what the data have of it."""
    issuer, figures = name_of(scope.issuer), []
    own = {name: frames[name][frames[name]["mineral"] == mineral] for name in ("suppliers", "years")}
    listed = own["suppliers"][own["suppliers"]["bound"] == "all"]
    if len(listed):
        title = f"Suppliers of {mineral}, {scope.year}"
        caption = f"All lines. {issuer} in orange; the rest of the partners as one bar."
        chart = exposure_charts.suppliers(listed, scope.issuer)
        figures.append(Figure(f"suppliers-{slug(mineral)}", title, chart, f"{caption} {under}"))
    if own["years"]["share"].notna().any():
        title = f"{issuer}'s share of {mineral} by year"
        caption = "Share of the importer's imports of these lines, and value, on lines of exact items and on all lines."
        chart = exposure_charts.over_years(own["years"])
        figures.append(Figure(f"years-{slug(mineral)}", title, chart, f"{caption} {under}"))
    return figures
