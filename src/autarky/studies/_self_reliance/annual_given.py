"""What the annual parts of the study share: aggregates, gross domestic product, and words about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from autarky import aggregates
from autarky.adjusted import Published
from autarky.errors import NoDataError, TableError
from autarky.placement import span
from autarky.studies._self_reliance.words import name_of
from autarky.tables import WORLD

if TYPE_CHECKING:
    from autarky.aggregates import Aggregates
    from autarky.correlations import Reference
    from autarky.studies._self_reliance.scope import Given


@dataclass(frozen=True)
class Options:
    """How the annual parts read the store.

    Attributes
    ----------
    mirror : take the partner's own figures where the reporter has none
    source : which of several sources of annual rows
    dual_use : "first" or "split": how BEC5 counts a product of two uses
    gdp_source : which of several sources of gross domestic product
    combined : months that customs published as one figure
    reference : directory of the reference tables
    """

    mirror: bool = False
    source: str | None = None
    dual_use: str = "first"
    gdp_source: str | None = None
    combined: tuple[tuple[str, str], ...] = ()
    reference: Reference = None


def found(given: Given, options: Options, nomenclature: str, flow: str | None = None) -> Aggregates:
    """Return the aggregates of the reporter with the study's partner."""
    return aggregates.by_end_use(
        given.flows,
        given.con,
        given.scope.reporter,
        nomenclature=nomenclature,
        flow=flow,
        partner=given.scope.partner,
        source=options.source,
        mirror=options.mirror,
        dual_use=options.dual_use,
        combined=options.combined,
        reference=options.reference,
    )


def gdp_of(given: Given, options: Options) -> tuple[pd.Series[float] | None, str]:
    """Return the reporter's GDP in US dollars by year and how it is had; or None and why there is none."""
    if given.macro is None:
        return None, (
            "The store holds no gross domestic product, so values stand in US dollars; `autarky ingest worldbank FILE "
            "--store …` adds it"
        )
    try:
        gdp = given.macro.gdp_usd(given.scope.reporter, options.gdp_source)
    except (NoDataError, TableError) as error:
        return None, f"Gross domestic product cannot be had, so values stand in US dollars: {error}"
    return gdp, f"Gross domestic product of {name_of(given.scope.reporter)}: {gdp.attrs.get('how', 'as given')}"


def described(found: Aggregates, given: Given) -> str:
    """Say whose trade it is, from which rows, and from which side it is read."""
    years = found.years.dropna(subset="value_usd")
    systems = ", ".join(dict.fromkeys(years["nomenclature"]))
    # Few products would mean that the store holds a list, not all trade.
    counts = years["products"].astype("int64")
    said = (
        f"Trade of {name_of(found.reporter)} with {name_of(found.partner)}, {span(years['year'])}, by {found.nomenclature}, from "
        f"{'annual' if set(years['freq']) == {'A'} else 'monthly'} rows in {systems} ({_titles(found, given)}), {counts.min():,} to {counts.max():,} products a year and flow."
    )
    if found.mirror:
        said += (
            f" **Mirror:** these are the figures of {name_of(found.partner)} on the same trade. Its exports "
            f"({valuations(found, 'import')}) stand for imports of {name_of(found.reporter)}, which its own customs would value CIF."
        )
    return said


def source_line(found: Aggregates, given: Given) -> str:
    """Return the line that stands under every chart and table of annual values."""
    return f"Data: {_titles(found, given)}; end use: United Nations Statistics Division."


def sources(found: Aggregates) -> list[str]:
    """Return the ids of the sources that the annual values were read from."""
    return list(dict.fromkeys(s for v in found.years["source"].dropna() for s in v.split(" and ")))


def _titles(found: Aggregates, given: Given) -> str:
    titles = {o.id: o.title for o in given.flows.origins}
    return "; ".join(dict.fromkeys(titles[s] for s in sources(found)))


def mirrored(found: Aggregates) -> str:
    """Return what a caption must say about the side that imports are read from; nothing when it is the reporter's."""
    return f"Mirror: exports of {name_of(found.partner)}, {valuations(found, 'import')}." if found.mirror else ""


def valuations(found: Aggregates, flow: str) -> str:
    """Return the valuations of a flow in words."""
    own = found.years[(found.years["flow"] == flow) & found.years["valuation"].notna()]
    return " and ".join(dict.fromkeys(own["valuation"]))


def same_scope(found: Aggregates, printed: Published) -> bool:
    """Whether what was computed is what the source prints: the same reporter with all its partners, in its own figures."""
    return found.reporter == printed.reporter and found.partner in (None, WORLD) and not found.mirror


def scope_said(found: Aggregates, printed: Published) -> str:
    """Say when printed and computed figures are not of the same thing."""
    if same_scope(found, printed):
        return ""
    return (
        f"The source prints figures of {name_of(printed.reporter)} with all partners; those computed here are of {name_of(found.reporter)} "
        f"with {name_of(found.partner)}{', in the figures of the partner' if found.mirror else ''}. They stand beside each other for orientation: a difference says nothing "
        "against either."
    )
