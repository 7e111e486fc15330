"""What the self-reliance report says; every figure in it is computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from autarky import codes
from autarky.findings import Section
from autarky.patterns import LEAST_MONTHS, SEASON, SMOOTHING, WIDTH

if TYPE_CHECKING:
    import pandas as pd

    from autarky.studies._self_reliance.scope import Scope

FIGURES = {
    "matrix": (
        "Volatility and growth of imports by technology group",
        "Each point is a group; the lines are the thresholds of the rule. Where a published position differs from the "
        "computed one, a hollow marker shows it.",
    ),
    "groups": (
        "Imports by technology group, smoothed",
        f"Trailing {SMOOTHING}-month mean (at least {LEAST_MONTHS} months present), mean of the window's first {SEASON} months = 1. Vertical axes differ.",
    ),
    "category-series": (
        "Imports of the listed goods by category",
        "Billion US dollars a month: monthly values and trailing 12-month mean. Semiconductor intermediates, mostly "
        "integrated circuits, have an axis of their own.",
    ),
    "leading-codes": (
        "The code that moves each group most",
        "Contribution of one code to its group's growth index; the contributions of all codes of a group add up to the index.",
    ),
    "code-changes": (
        "Groups that code changes touch, before and after",
        "As-is: the list as printed. Chained: codes continued by their successors, split codes taken with their basket. "
        "Dropped: without the codes whose break no listed code covers.",
    ),
    "second-list": (
        "Imports of the second list: advanced manufacturing",
        "Sum of the codes of the 2023 list, US dollars a month: monthly values and trailing 12-month mean.",
    ),
}


def name_of(code: str | None) -> str:
    """Return the short name of an area."""
    return "all partners" if code in (None, "WLD") else codes.area_names()[str(code)]


def title(scope: Scope) -> str:
    """Return the report's title."""
    whence = "" if scope.partner is None else f" from {name_of(scope.partner)}"
    return f"Self-reliance: imports of listed technologies, {name_of(scope.reporter)}{whence}"


def subtitle(scope: Scope) -> str:
    """Return window, list and data in one line."""
    calendar = scope.grouped.calendar
    return (
        f"{calendar[0]} to {calendar[-1]}, {len(calendar)} months. List: {scope.listed.title}. Data: {sources(scope)}."
    )


def sources(scope: Scope) -> str:
    """Return the titles of the data's origins."""
    return "; ".join(o.title for o in scope.origins)


def source_line(scope: Scope) -> str:
    """Return the line that stands under every chart."""
    return f"Data: {sources(scope)}; list: {scope.listed.id}."


def sections(
    scope: Scope, frames: dict[str, pd.DataFrame], sure: tuple[str, ...], drawn: tuple[str, ...]
) -> dict[str, Section]:
    """Return the sections of the study's own tables and figures, by name.

    Parameters
    ----------
    sure : what the other parts say about how sure their figures are
    drawn : names of the figures of what code changes do
    """
    shown_breaks = (*drawn, "breaks") if len(frames["breaks"]) else ()
    shown = ("codes", *(("shared",) if len(frames["shared"]) else ()), *(("notes",) if len(frames["notes"]) else ()))
    parts = {
        "measured": Section("What was measured", _measured(scope, frames)),
        "categories": Section("Categories", _categories(scope, frames), ("category-series",)),
        "patterns": Section("Patterns", _patterns(scope, frames), ("matrix", "patterns")),
        "groups": Section("How the groups developed", _development(frames), ("groups",)),
        "drivers": Section("What moves each group", _drivers(frames), ("leading-codes", "drivers")),
        "sure": Section("How sure are we", (*_sure(scope, frames), *sure)),
        "breaks": Section("What code changes do to the result", _breaks(scope, frames), shown_breaks),
        "codes": Section("Codes and their match", _matching(scope, frames), shown),
    }
    if "batch2" in frames:
        parts["batch2"] = Section("The second list", _second(frames["batch2"]), ("second-list",))
    return parts


def _measured(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    table, listed = frames["patterns"], scope.listed
    held = int((table["months"] > 0).sum())
    whence = name_of(scope.partner)
    return (
        f"Monthly imports of {name_of(scope.reporter)} from {whence}, {scope.grouped.calendar[0]} to {scope.grouped.calendar[-1]}, "
        f"of the {len(listed.entries)} codes of the list “{listed.title}” ({listed.source}), added up to {len(table)} groups; "
        f"{held} of them have data.",
        "**Volatility** is the standard deviation of the monthly values over their mean. **Growth** is the mean change against "
        f"the first month, {scope.grouped.calendar[0]}, later months weighing more. A month without a row is "
        + ("counted as zero, as asked for." if scope.absent == "zero" else "absent, not zero."),
        "The **pattern** follows from two thresholds: volatility above or up to "
        f"{scope.rules.thresholds()['volatility']:g}, growth above or up to {scope.rules.thresholds()['growth']:g}. The names of the "
        "patterns are those of the source of the rule; a pattern describes a series and does not show its cause.",
    )


def _patterns(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    table = frames["patterns"]
    counts = table["pattern"].value_counts()
    said = "; ".join(f"{label}: {counts.get(label, 0)}" for label in [r.label for r in scope.rules.rules])
    without = list(table.loc[table["pattern"].isna(), "group"])
    paragraphs = [
        f"Groups by pattern: {said}."
        + (f" Without a pattern: {', '.join(without)} (the reason stands in the table)." if without else "")
    ]
    compared = table["agrees"].dropna()
    if len(compared):
        differ = list(table.loc[table["agrees"].notna() & ~table["agrees"].astype("boolean").fillna(True), "group"])
        paragraphs.append(
            f"The source prints a label for {int(table['published_label'].notna().sum())} groups. The computed pattern agrees in "
            f"{int(compared.sum())} of {len(compared)}." + (f" It differs for {', '.join(differ)}." if differ else "")
        )
        own = [
            scope.rules.label(volatility=p.volatility, growth=p.growth) == p.label
            for p in scope.listed.published.values()
        ]
        paragraphs.append(
            f"The published labels do not all follow from the published figures: by the same rule {sum(own)} of {len(own)} do. "
            "A published label is a claim to test, not a yardstick."
        )
    return tuple(paragraphs)


def _development(frames: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    last = frames["series"].dropna(subset="index").groupby("group")["index"].last()
    if last.empty:
        return ("No group has a first year to compare with.",)
    return (
        f"By the end of the window the smoothed imports of {int((last > 1).sum())} of {len(last)} groups are above their first year. "
        f"The largest rise is {last.idxmax()} ({last.max():.1f} times its first year), the lowest level {last.idxmin()} ({last.min():.2f} times).",
    )


def _categories(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    said = []
    table = frames["categories"].dropna(subset="smoothed")
    year = scope.grouped.calendar[min(11, len(scope.grouped.calendar) - 1)].to_timestamp()
    for name, part in table[table["period"] >= year].groupby("category"):
        first, last = part.iloc[0], part.iloc[-1]
        said.append(
            f"{name}: {first['smoothed'] / 1e9:.2f} to {last['smoothed'] / 1e9:.2f} billion USD a month "
            f"(means of 12 months up to {first['period']:%Y-%m} and {last['period']:%Y-%m})"
        )
    return ("; ".join(said) + "." if said else "No category has a year of data.",)


def _drivers(frames: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    table = frames["drivers"]
    paragraphs = [
        "The growth index is a sum over codes, so each code's part in it can be told exactly. Shown is the code whose part is "
        "largest in the direction in which the group's index went; a share above 100% means that other codes moved the other way."
    ]
    compared = table["agrees"].dropna()
    if len(compared):
        paragraphs.append(
            f"The source names a representative commodity for {len(compared)} of these groups; it is the same in {int(compared.sum())}."
        )
    return tuple(paragraphs)


def _second(series: pd.DataFrame) -> tuple[str, ...]:
    total = series.dropna(subset="smoothed")
    if total.empty:
        return ("The second list has less than a year of data in the window.",)
    peak, last = total.loc[total["smoothed"].idxmax()], total.iloc[-1]
    return (
        f"Smoothed, imports of the 2023 list peak at {peak['smoothed'] / 1e6:,.0f} million USD a month in the year up to "
        f"{peak['period']:%Y-%m}; in the year up to {last['period']:%Y-%m} they are {last['smoothed'] / 1e6:,.0f} million.",
    )


def _sure(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    table, months = frames["patterns"], len(scope.grouped.calendar)
    stable = table["label_stability"].dropna()
    limit = scope.rules.thresholds()["volatility"]
    gaps = table[(table["months"] > 0) & (table["months"] < months)]
    paragraphs = [
        f"Volatility and growth are not independent: {_straight_line(limit, months)} So the table gives volatility also "
        "around a straight line (detrended) and of what trend and season leave over (STL).",
    ]
    if len(stable):
        weak = list(table.loc[table["label_stability"] < 0.5, "group"])
        paragraphs.append(
            f"**Label stability** is the share of {scope.replicates:,} redrawn series (trend and season kept, the remainder drawn in blocks of {SEASON} "
            f"months), each judged by thresholds up to {WIDTH:.0%} lower or higher, that keep the group's label. Its median is "
            f"{stable.median():.0%}." + (f" Under half: {', '.join(weak)}; their label is a toss-up." if weak else "")
        )
    if len(gaps):
        paragraphs.append(
            f"Groups that lack at least one of the {months} months: {', '.join(gaps['group'])}; the table says how many."
        )
    if scope.grouped.partial:
        paragraphs.append(
            "**The match is partial.** The data have 6-digit codes, the list has 8 digits: a product here holds more than the listed "
            "lines, and several lines share one product. Levels are upper bounds; patterns are those of the wider products."
        )
    if scope.partner not in (None, "WLD"):
        paragraphs.append(
            f"These are imports from {name_of(scope.partner)} alone; the published figures are for all partners, so a difference "
            "between the two is expected and says nothing against either."
        )
    return tuple(paragraphs)


def _straight_line(limit: float, months: int) -> str:
    """Say when a noiseless straight line passes the threshold of volatility (closed form, population SD)."""
    spread = math.sqrt((months**2 - 1) / 12)
    if spread <= limit * (months - 1) / 2:
        return f"over {months} months a straight line without noise never passes {limit:g}."
    slope = limit / (spread - limit * (months - 1) / 2)
    rise, growth = slope * (months - 1), 2 * slope * (months - 1) / 3
    return (
        f"over {months} months a straight line without any noise passes the volatility of {limit:g} once it grows by {rise:.0%} "
        f"from end to end (growth index {growth:.2f})."
    )


def _breaks(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    table = frames["breaks"]
    general = (
        "Customs codes begin and end every January. A listed code that begins or ends inside the window without the code that "
        "continues it puts a step into its group's series. "
    )
    if table.empty:
        why = (
            "these data have 6 digits, and the reviewed chains are of 8-digit codes"
            if scope.grouped.partial
            else "no chains have been reviewed for this list"
        )
        return (f"{general}The results stand as they are: {why}.",)
    kinds = table.groupby("group")["pattern"].agg(lambda p: len(set(p.fillna("none"))))
    moved = list(kinds[kinds > 1].index)
    said = (
        f"The pattern depends on the treatment for {', '.join(moved)}."
        if moved
        else "No pattern depends on the treatment."
    )
    return (
        f"{general}The reviewed chains touch {len(kinds)} groups. Three treatments stand below: the list as printed (as-is), codes "
        f"continued by their successors and split codes taken with their whole basket (chained), broken codes left out (dropped). {said}",
    )


def _matching(scope: Scope, frames: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    table = frames["codes"]
    counts = table["match"].value_counts()
    paragraphs = [
        f"Of {len(table)} codes {counts.get('exact', 0)} match a product of the data exactly, {counts.get('partial', 0)} partially, "
        f"{counts.get('none', 0)} are not in the data."
    ]
    if len(frames["shared"]):
        said = "; ".join(f"{r.product} serves {r.groups}" for r in frames["shared"].itertuples())
        paragraphs.append(f"Products that several groups share count in each of them, and once in a category: {said}.")
    return tuple(paragraphs)
