"""What the parts of the self-reliance study are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from autarky.grouping import Grouped
    from autarky.macro import Macro
    from autarky.screens import Screen
    from autarky.tables import Flows, Ledger, Origin
    from autarky.watchlists import WatchList


@dataclass(frozen=True)
class Scope:
    """What the study looked at."""

    reporter: str
    partner: str | None
    grouped: Grouped
    listed: WatchList
    rules: Screen
    origins: tuple[Origin, ...]
    absent: str
    replicates: int


@dataclass(frozen=True)
class Given:
    """What a part of the study works on.

    Attributes
    ----------
    flows : all flows of the store's version; annual rows are in it where the store has them
    chosen : the reporter's monthly imports that the study looks at
    con : the engine that they came from
    scope : what the study looks at, for words
    series : monthly imports, PeriodIndex × group of the list, USD; nan = absent
    patterns : the table of patterns, a row a group
    macro : GDP and exchange rates of the store; None where it has none
    ledger : the study's account; a part adds its steps
    source_line : the line that stands under every chart
    """

    flows: Flows
    chosen: Flows
    con: Any
    scope: Scope
    series: pd.DataFrame
    patterns: pd.DataFrame
    macro: Macro | None
    ledger: Ledger
    source_line: str
