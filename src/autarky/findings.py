"""What a study found: tables, charts and words, ready for the report, the data package or a program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autarky.tables import FileRecord, Ledger, Origin

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """One column of a published table: what a reader sees above it, its unit, what it means, how to print it.

    `form` is "text", "integer", "number" (two decimals), "scientific" (three digits), "share" (stored 0–1, printed in
    percent; "share2" with two decimals), "usd" (printed in millions), "month" or "boolean".
    """

    name: str
    heading: str
    form: str
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A published table: `frame` holds unrounded figures, one column a `Column`."""

    name: str
    title: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    note: str = ""
    in_report: bool = True


@dataclass(frozen=True)
class Figure:
    """A published chart with the words that stand under it: how to read it, and where the data come from."""

    name: str
    title: str
    chart: alt.TopLevelMixin
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of the report: a heading, paragraphs, and the names of the figures and tables that follow, in order."""

    heading: str
    paragraphs: tuple[str, ...]
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """What one part of a study adds to its findings, in the report's order.

    `sure` holds paragraphs on how far the part's figures can be trusted, for the section that gathers them; `sources`
    the ids of the sources whose flows it used beyond those that the study looks at.
    """

    sections: tuple[Section, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    sure: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Everything that a study found; `synthetic` means that no figure in it is a figure of the world."""

    study: str
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    ledger: Ledger
    origins: tuple[Origin, ...]
    files: tuple[FileRecord, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    synthetic: bool = False
