"""Overlap of the list with another one (section 3 of the source, on its third batch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from autarky import overlap
from autarky.errors import MeasureError, NoDataError
from autarky.findings import Column, Part, Section, Table

if TYPE_CHECKING:
    from autarky.overlap import Overlap
    from autarky.studies._self_reliance.scope import Given
    from autarky.watchlists import WatchList

HEADING = "Overlap with another list"
# Section 3: about three quarters of the trade value of the exemption list (batch 3) is in goods of the candidate list.
PUBLISHED = 0.75
MATCHES = {"code": "by code", "hs6": "by HS6"}


def part(given: Given, other: WatchList, *, windows: str = "ignored") -> Part:
    """Return the part of the report on the overlap of the study's list with another one.

    Parameters
    ----------
    other : the other list; batch 3 of the source is not printed, so its owner supplies it
    windows : see `overlap.overlap`
    """
    listed = given.scope.listed
    months = given.scope.grouped.calendar
    since, until = months[0].start_time.date(), months[-1].start_time.date()
    try:
        found = overlap.overlap(given.chosen, given.con, other, listed, since=since, until=until, windows=windows)
    except (MeasureError, NoDataError) as error:
        return Part((Section(HEADING, (f"The overlap with {other.id} cannot be measured: {error}.",)),))
    summary = found.summary.assign(match=found.summary["match"].map(MATCHES))
    shared = found.shared.assign(match=found.shared["match"].map(MATCHES))
    tables = [Table("overlap", f"Value of {other.id} in goods of {listed.id}", summary, SUMMARY, given.source_line)]
    if len(shared):
        tables.append(Table("overlap_codes", "Goods on both lists", shared, SHARED, given.source_line))
    items = tuple(t.name for t in tables)
    return Part((Section(HEADING, _words(given, found), items),), tuple(tables))


def _is_paper(given: Given) -> bool:
    return given.scope.listed.id.startswith("naughton-fang-2025")


def _words(given: Given, found: Overlap) -> tuple[str, ...]:
    said = [_measured(found, row) for row in found.summary.to_dict("records")]
    if _is_paper(given):
        said.append(
            f"The source finds that about {PUBLISHED:.0%} of the trade value of its batch 3 (131 codes exempted from tariffs in 2025) is in goods of its "
            "list. It does not print that batch; whoever has it can supply it as a list of their own (`autarky overlap`), and only then are the two figures "
            f"of the same thing. The list compared here is {found.left.id}."
        )
    return tuple(said)


def _measured(found: Overlap, row: dict[str, object]) -> str:
    how = MATCHES[str(row["match"])]
    if pd.isna(row["both_usd"]):
        return f"{how[0].upper()}{how[1:]} there is no figure: {row['flag']}."
    head = f"{how[0].upper()}{how[1:]}, {row['codes_both']} of {row['codes_left']} goods of {found.left.id} are on {found.right.id} too"
    shares = [
        f"{row[f'share_of_{side}']:.1%} of the value of {listed.id}"
        for side, listed in (("left", found.left), ("right", found.right))
        if not pd.isna(row[f"share_of_{side}"])
    ]
    return f"{head}: {' and '.join(shares)}." if shares else f"{head}; {row['flag']}."


SUMMARY = (
    Column("match", "Match", "text", "by code: the listed line itself; by HS6: every line of its six digits"),
    Column("codes_left", "Goods", "integer", "codes of the other list"),
    Column("codes_right", "Goods of this list", "integer", "codes of the study's list"),
    Column("codes_both", "Goods of both", "integer", "codes of both"),
    Column("left_usd", "Imports", "usd", "of the goods of the other list", "USD"),
    Column("right_usd", "Imports of this list", "usd", "of the goods of the study's list", "USD"),
    Column("both_usd", "Imports of both", "usd", "of the goods of both", "USD"),
    Column("share_of_left", "Share", "share", "of the other list's value that is in goods of both", "1"),
    Column("share_of_right", "Share of this list", "share", "of this list's value that is in goods of both", "1"),
    Column("flag", "Cautions", "text", "why a figure is missing"),
)
SHARED = (
    Column("match", "Match", "text", "by code or by HS6"),
    Column("code", "Code", "text", "code or HS6"),
    Column("label_left", "Label", "text", "in the other list"),
    Column("label_right", "Label in this list", "text", "in the study's list"),
    Column("group_left", "Group", "text", "in the other list"),
    Column("group_right", "Group in this list", "text", "in the study's list"),
    Column("value_usd", "Imports", "usd", "over the window; empty = not in the data", "USD"),
    Column("share_of_left", "Share", "share", "of the other list's value", "1"),
    Column("share_of_right", "Share of this list", "share", "of this list's value", "1"),
)
