"""What code changes do to a result: the groups of a watch list as printed, with chained codes, without broken codes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import chains, patterns

if TYPE_CHECKING:
    from autarky.chains import Chains
    from autarky.grouping import Grouped
    from autarky.screens import Screen


def chains_of(watchlist: str, partial: bool) -> Chains | None:
    """Return the reviewed chains of a list; none for data by HS6, where a chain has nothing to hold on to."""
    return chains.load(watchlist) if watchlist in chains.names() and not partial else None


def treated(grouped: Grouped, card: Chains | None, how: str) -> Grouped:
    """Return grouped flows under one treatment of their code changes; see `chains.apply`."""
    if card is None or how == "as-is":
        return grouped
    series = chains.apply(chains.with_unlisted(grouped.series, grouped.values, card), card, how)
    return dataclasses.replace(grouped, series=series)


def under_each(
    con: Any,
    grouped: Grouped,
    card: Chains | None,
    rules: Screen,
    groups: list[str],
    completed: Callable[[pd.DataFrame], pd.DataFrame],
) -> pd.DataFrame:
    """Measure every group under every treatment.

    Parameters
    ----------
    groups : all groups of the list, in its order
    completed : what the study does with absent months

    Returns
    -------
    a row a (group, treatment): group, breaks, months, volatility, growth, pattern, changed (whether a chain touches
    the group); treatments that do not apply are left out
    """
    touched = {c.group for c in card.chains} if card else set()
    frames = []
    for how in chains.BREAKS if card else ("as-is",):
        series = completed(treated(grouped, card, how).groups().reindex(columns=groups))
        found = patterns.indices(con, series)[["months", "volatility", "growth"]].astype("float64")
        labels = [
            rules.label(volatility=v, growth=g) for v, g in zip(found["volatility"], found["growth"], strict=True)
        ]
        frames.append(found.assign(breaks=how, pattern=labels).reset_index(names="group"))
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(changed=frame["group"].isin(touched))[
        ["group", "breaks", "months", "volatility", "growth", "pattern", "changed"]
    ]


def patterns_of(table: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Return the pattern of each group under each treatment, as columns `pattern_as_is`, `…_chained`, `…_dropped`."""
    wide = table.pivot(index="group", columns="breaks", values="pattern").reindex(index=groups, columns=chains.BREAKS)
    return wide.rename(columns=lambda how: f"pattern_{how.replace('-', '_')}").reset_index(drop=True)
