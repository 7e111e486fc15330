"""What the control-event report says; every figure in it is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import codes as areas
from autarky.findings import Section
from autarky.models.event_study import AFTER, ANNOUNCED, BEFORE, LEAST_PLACEBOS
from autarky.studies._control_event.exports import MEASURES, PRICE, VALUE, WEIGHT
from autarky.studies._control_event.measured import YEAR

if TYPE_CHECKING:
    from autarky.models.event_study import Event, EventStudy
    from autarky.studies._control_event.exports import Gathered
    from autarky.tables import Origin

NAMES = {VALUE: "value", WEIGHT: "weight", PRICE: "price"}
CAPTIONS = {
    "around": "Exports to all partners together, month by month, with the counterfactual that the baseline foretells.",
    "partners": "Shares of the value of exports. A line from gray to orange is a partner's move; partners with the largest shares.",
    "placebos": "The same measure at dates on which nothing happened, the design moved back month by month, and at the event. Beyond "
    "the dashed lines the interval excludes zero. Neighboring placebo dates share most of their months.",
}
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Scope:
    """What the study looked at."""

    control: str
    event: Event
    study: EventStudy
    issuer: str
    targets: tuple[str, ...]
    gathered: Gathered
    frames: dict[str, pd.DataFrame]
    origins: tuple[Origin, ...]
    absent: str


def title(scope: Scope) -> str:
    """Return the report's title."""
    return f"{scope.control}: exports of {areas.area_names()[scope.issuer]} before and after"


def subtitle(scope: Scope) -> str:
    """Return dates and data in one line."""
    event = scope.event
    public = f"announced {event.announced}, " if event.announced else ""
    return (
        f"{public}effective {event.effective}. Products: {', '.join(scope.gathered.products)}. Data: {_sources(scope)}."
    )


def source_line(scope: Scope) -> str:
    """Return the line that stands under every chart and table."""
    return f"Data: {_sources(scope)}."


def heading(kind: str, product: str) -> str:
    """Return the title of a figure."""
    said = {
        "around": f"Exports of {product}, with counterfactual",
        "partners": f"Exports of {product}: shares of partners before and after",
        "placebos": f"Exports of {product}: the event among placebo dates",
    }
    return said[kind]


def span(scope: Scope, name: str) -> str:
    """Return the months of a window; `year` = the last 12 of the baseline."""
    if name == "year":
        first, last = scope.event.window("baseline") or (scope.event.public, scope.event.public)
        return f"{max(first, last - YEAR + 1)} to {last}"
    window = scope.event.window(name)
    return "no months" if window is None else f"{window[0]} to {window[1]}" if window[0] < window[1] else f"{window[0]}"


def sections(scope: Scope) -> tuple[Section, ...]:
    """Return the sections of the report."""
    products = list(scope.gathered.products)
    made = [Section("What was measured", _measured(scope), ())]
    for product in products:
        table = scope.frames["effects"]
        figure = f"around-{product}"
        made.append(
            Section(f"Level and price: {product}", _product(scope, table[table["product"] == product]), (figure,))
        )
    made.append(Section("All partners together", _together(scope), ("effects",)))
    shown = tuple(f"partners-{p}" for p in products)
    made.append(Section("Partners", _partners(scope), (*shown, "by-partner", "shares")))
    made.append(Section("Deflection", _deflection(scope), ("deflection",)))
    placebo = scope.frames["placebos"]
    drawn = tuple(f"placebos-{p}" for p in products if (placebo["product"] == p).any())
    made.append(Section("How sure are we", _sure(scope), (*drawn, "alternatives")))
    made.append(Section("Codes and their match", _codes(scope), ("codes",)))
    return tuple(made)


def _sources(scope: Scope) -> str:
    return "; ".join(o.title for o in scope.origins)


def _measured(scope: Scope) -> tuple[str, ...]:
    gathered = scope.gathered
    first = next(iter(gathered.products.values()))
    seen = {p for e in gathered.products.values() for p in e.values}
    whole = bool(gathered.flows.coverage["world"].any())
    total = (
        "the world total as reported"
        if whole
        else f"the sum of the {len(seen)} partners in the data, which need not be all"
    )
    filled = sum(int(e.filled.sum()) for e in gathered.products.values())
    absent = (
        f"A partner without a row in a month in which the product went to others counts as zero ({filled:,} months by partner); "
        "a month in which the product went to nobody is absent, not zero."
        if scope.absent == "zero"
        else "A partner without a row in a month is absent, not zero: months without trade, as under a license that is not given, do not count."
    )
    terms = ["a linear trend"] * scope.study.trend + [
        "an intercept for each month of the year"
    ] * scope.study.month_effects
    return (
        f"Monthly exports of {areas.area_names()[scope.issuer]}, {first.values.index[0]} to {first.values.index[-1]}: value, weight and the "
        f"price that follows from them, for {total}. {absent}",
        f"The counterfactual is fitted to the **baseline**, {span(scope, 'baseline')}, with {' and '.join(terms) or 'a mean'}, in "
        f"{'logarithms' if scope.study.log else 'levels'} (prices in logarithms), and projected over three windows: **before** the announcement "
        f"({span(scope, BEFORE)}), from **announced** to effective ({span(scope, ANNOUNCED)}) and **after** ({span(scope, AFTER)}). "
        f"Intervals are at {scope.study.level:.0%} and hold the autocorrelation of the months; in levels they can reach below −100%, where the "
        "doubt of the counterfactual is larger than the exports.",
        "A difference is what the past did not foretell. It does not show its cause: prices of energy, inventories and demand moved as well.",
        *_editions(scope),
        *_weights(scope),
    )


def _editions(scope: Scope) -> tuple[str, ...]:
    names = scope.gathered.nomenclatures
    if len(names) < 2:
        return ()
    return (
        f"The data change their nomenclature inside the window ({', '.join(names)}): the same digits may hold other goods after the change, "
        "and the step reads as an effect where it falls into the windows.",
    )


def _weights(scope: Scope) -> tuple[str, ...]:
    said = [
        f"{p} {e.unweighed:.1%}"
        for p, e in scope.gathered.products.items()
        if pd.notna(e.unweighed) and e.unweighed > 0
    ]
    if not said:
        return ()
    return (
        "Where a value stands beside a weight of zero or none, the weight is not known and there is no price. Share of the value without "
        f"a weight: {', '.join(said)}.",
    )


def _product(scope: Scope, table: pd.DataFrame) -> tuple[str, ...]:
    """Say what each window did, measure by measure."""
    windows = {
        BEFORE: f"In the months before the announcement ({span(scope, BEFORE)})",
        ANNOUNCED: f"Between announcement and effect ({span(scope, ANNOUNCED)})",
        AFTER: f"Under the control ({span(scope, AFTER)})",
    }
    paragraphs = []
    for window, opening in windows.items():
        rows = table[table["window"] == window].set_index("measure")
        parts = [_part(NAMES[m], rows.loc[m]) for m in MEASURES if pd.notna(rows.loc[m, "share"])]
        reason = next((r for r in rows["reason"] if isinstance(r, str)), None)
        paragraphs.append(f"{opening}: {'; '.join(parts)}." if parts else f"{opening}: no figure ({reason}).")
    return tuple(paragraphs)


def _part(name: str, row: Any) -> str:
    low, high, p = row["share_low"], row["share_high"], row["placebo_p"]
    bounds = f" ({low:+.0%} to {high:+.0%})" if pd.notna(low) and pd.notna(high) else ""
    tested = f", placebo p {p:.2f}" if pd.notna(p) else ", too few placebo dates"
    side = "below" if row["share"] < 0 else "above"
    return f"{name} {abs(row['share']):.0%} {side} the counterfactual{bounds}{tested}".replace("-", "−")


def _together(scope: Scope) -> tuple[str, ...]:
    table = scope.frames["effects"]
    known = table.dropna(subset=["share_low", "share_high"])
    clear = known[(known["share_low"] > 0) | (known["share_high"] < 0)]
    both = clear[clear["placebo_p"] <= SIGNIFICANT]
    named = ", ".join(f"{r.product} {NAMES[r.measure]} {r.window}" for r in both.itertuples())
    if clear.empty:
        return (f"None of the {len(known)} changes has an interval that excludes zero.",)
    return (
        f"Of {len(known)} changes {len(clear)} have an interval that excludes zero, and {len(both)} of these a placebo p of at most "
        f"{SIGNIFICANT:g}{f': {named}' if named else ''}.",
    )


def _partners(scope: Scope) -> tuple[str, ...]:
    table = scope.frames["by-partner"]
    said = []
    for product in scope.gathered.products:
        rows = table[(table["product"] == product) & (table["measure"] == VALUE)].dropna(subset=["share"])
        if rows.empty:
            continue
        ends = rows.sort_values("share")
        low, high = ends.iloc[0], ends.iloc[-1]
        said.append(
            f"{product}, value after, against the counterfactual: from {low['share']:+.0%} ({low['name']}) to {high['share']:+.0%} ({high['name']}) "
            f"among the {len(rows)} largest partners that have one.".replace("-", "−")
        )
    tested = table["placebo_p"].dropna()
    told = f"{int((tested <= SIGNIFICANT).sum())} of {len(tested)} p-values in the table are at most {SIGNIFICANT:g}; about {SIGNIFICANT * len(tested):.0f} would be without any effect."
    return (*said, told) if len(tested) else tuple(said)


def _deflection(scope: Scope) -> tuple[str, ...]:
    table = scope.frames["deflection"]
    said = [
        "Deflection is the rise of the share of the issuer's exports that goes to partners outside those that the control names, and to new "
        "partners. What a partner sends on, and what it buys from others, is not in the issuer's exports: a rise of a hub is a place to look, "
        "not a finding of re-export."
    ]
    if not scope.targets:
        said.append("This control names no destination: it covers all, and only new and gone partners can be told.")
    for row in table.itertuples():
        parts = []
        if pd.notna(row.change):
            p = f", placebo p {row.placebo_p:.2f}" if pd.notna(row.placebo_p) else ""
            parts.append(
                f"share outside {row.targets} {row.outside_before:.1%} before, {row.outside_after:.1%} after{p}"
            )
        parts.append(f"new partners: {row.new_partners}, with {row.new_share:.1%} of the value after")
        parts.append(f"gone: {row.gone_partners}, that had {row.gone_share:.1%} before")
        said.append(f"**{row.product}**: {'; '.join(parts)}.")
    return tuple(said)


def _sure(scope: Scope) -> tuple[str, ...]:
    counts = scope.frames["effects"]["placebos"]
    few = int((counts < LEAST_PLACEBOS).sum())
    best = (
        f"the smallest p that {int(counts.max())} dates allow is {1 / (1 + counts.max()):.3f}"
        if counts.max()
        else "there are none"
    )
    said = [
        "Placebo dates move the whole design back to months in which nothing was announced. They overlap one another, so they say less "
        f"than their number: {best}."
        + (f" {few} changes have fewer than {LEAST_PLACEBOS} dates, and no p." if few else ""),
    ]
    for product in scope.gathered.products:
        table = scope.frames["alternatives"]
        rows = table[(table["product"] == product) & (table["window"] == AFTER)].dropna(subset=["share"])
        parts = [
            f"{NAMES[m]} {g['share'].min():+.0%} to {g['share'].max():+.0%}"
            for m, g in rows.groupby("measure", sort=False)
        ]
        said.append(f"{product}, after, under the other models: {'; '.join(parts)}.".replace("-", "−"))
    return tuple(said)


def _codes(scope: Scope) -> tuple[str, ...]:
    table = scope.frames["codes"]
    counts = table["match"].value_counts()
    said = [
        f"Of {len(table)} codes {counts.get('exact', 0)} match a product of the data exactly, {counts.get('partial', 0)} partially, "
        f"{counts.get('none', 0)} are not in the data."
    ]
    digits = min(len(p) for p in scope.gathered.products)
    if (table["match"] == "partial").any() or digits < 10:
        said.append(
            f"The data have {digits} digits, the controlled lines 10: a product holds other goods too, and its figures are a bound on what the "
            "control touches, not a measure of it."
        )
    return tuple(said)
