"""Aggregates by end use: figure 1 of the source, its two classifications, its roll-forward and bridge (appendix B)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from autarky import adjusted, aggregates, aggregates_charts, annual, reclassified, roll_forward
from autarky.end_use import BIG
from autarky.errors import CodeError, MeasureError, NoDataError, TableError
from autarky.findings import Figure, Part, Section, Table
from autarky.placement import UNCLASSIFIED
from autarky.studies._self_reliance import annual_given, end_use_tables, end_use_words
from autarky.studies._self_reliance.annual_given import Options

if TYPE_CHECKING:
    from autarky.adjusted import Published
    from autarky.aggregates import Aggregates
    from autarky.studies._self_reliance.scope import Given

HEADING = "Imports by end use"
WITS = "wits-printed-naughton-fang-2025"
# What the store lacks, as opposed to what a user asked for wrongly.
LACKING = (NoDataError, TableError, CodeError, MeasureError)
SHOWN = 15


@dataclass(frozen=True)
class Found:
    """What the part works on: the same trade under both classifications."""

    bec4: Aggregates
    bec5: Aggregates
    gdp: pd.Series[float] | None
    gdp_said: str
    printed: Published
    source_line: str


def part(
    given: Given,
    *,
    mirror: bool = False,
    annual_source: str | None = None,
    dual_use: str = "first",
    gdp_source: str | None = None,
    classification: str = WITS,
    indices: str | Path | None = None,
    combined: tuple[tuple[str, str], ...] = (),
    reference: str | Path | None = None,
) -> Part:
    """Return the part of the report on aggregates by end use.

    Parameters
    ----------
    mirror : take the partner's own figures for the reporter's
    annual_source, gdp_source : which of several in the store
    dual_use : "first" or "split"
    classification : a card of `data/classifications`, or a CSV of product and category, to set beside BEC4
    indices : a CSV of monthly indices for the roll-forward; default: from the store's monthly rows
    combined : months that customs published as one figure
    reference : directory of the reference tables

    Raises
    ------
    CardError, SourceError : a classification or table of indices of the user's that is malformed
    """
    options = Options(mirror, annual_source, dual_use, gdp_source, combined, reference)
    other = reclassified.load(classification)
    try:
        found = _found(given, options)
    except LACKING as error:
        return Part((Section(HEADING, (end_use_words.lacking(str(error)),)),))
    given.ledger.lines.extend(found.bec4.ledger.lines)
    given.ledger.lines.extend(found.bec5.ledger.lines[-1:])
    parts = [_levels(given, found)]
    try:
        values = annual.annual(
            given.flows,
            given.con,
            given.scope.reporter,
            partner=given.scope.partner,
            source=annual_source,
            mirror=mirror,
            combined=combined,
        ).frame
        parts.append(_classifications(given, found, values, reference))
        parts.append(_other(given, found, values, other, reference))
    except LACKING as error:
        parts.append(Part((Section("BEC4 and BEC5 compared", (end_use_words.lacking(str(error)),)),)))
    parts.append(_bridged(given, found))
    parts.append(_rolled(given, found, options, indices))
    return Part(
        tuple(s for p in parts for s in p.sections),
        tuple(t for p in parts for t in p.tables),
        tuple(f for p in parts for f in p.figures),
        end_use_words.sure(found),
        tuple(annual_given.sources(found.bec4)),
    )


def _found(given: Given, options: Options) -> Found:
    four, five = (annual_given.found(given, options, name) for name in ("BEC4", "BEC5"))
    gdp, said = annual_given.gdp_of(given, options)
    return Found(four, five, gdp, said, adjusted.published(), annual_given.source_line(four, given))


def _levels(given: Given, found: Found) -> Part:
    """Return figure 1: the four categories over time, and the table of all of them."""
    frame = end_use_tables.levels(found)
    imports = frame[(frame["flow"] == "import") & (frame["nomenclature"] == "BEC4")]
    relative = found.gdp is not None and bool(imports["share_of_gdp"].notna().any())
    unit = aggregates_charts.GDP_UNIT if relative else aggregates_charts.USD_UNIT
    value = 100 * imports["share_of_gdp"] if relative else imports["value_usd"] / 1e9
    tables = [
        Table("end-use-all", "Trade by end use", frame, end_use_tables.LEVELS, found.source_line, in_report=False),
        Table(
            "end-use-imports",
            "Imports by end use, BEC4",
            end_use_tables.wide(imports, relative),
            end_use_tables.wide_columns(relative),
            found.source_line,
        ),
    ]
    figures, items = [], ["end-use-imports"]
    if len(imports) and value.notna().any():
        said = (f"Imports by big category of BEC4, {unit}.", annual_given.mirrored(found.bec4), found.source_line)
        caption = " ".join(s for s in said if s)
        chart = aggregates_charts.by_end_use(imports.assign(value=value), unit)
        figures.append(Figure("end-use", "Imports by end use", chart, caption))
        items.insert(0, "end-use")
    words = end_use_words.levels(given, found, imports)
    return Part((Section(HEADING, words, tuple(items)),), tuple(tables), tuple(figures))


def _classifications(given: Given, found: Found, values: pd.DataFrame, reference: str | Path | None) -> Part:
    """Return what moves between BEC4 and BEC5."""
    moves = reclassified.compare(values, "BEC4", "BEC5", reference=reference)
    flow = "import" if "import" in set(moves.moves["flow"]) else "export"
    own = moves.moves[moves.moves["flow"] == flow]
    tables = (
        Table("bec-moves-all", "Products that BEC4 and BEC5 place differently", moves.moves, end_use_tables.MOVES,
              found.source_line, in_report=False),
        Table("bec-moves-largest", f"The {min(SHOWN, len(own))} largest of them, {flow}s", own.head(SHOWN),
              end_use_tables.MOVES, found.source_line),
        Table("bec-matrix", "From BEC4 to BEC5", moves.matrix, end_use_tables.MATRIX, found.source_line),
    )  # fmt: skip
    figures = []
    items: tuple[str, ...] = ("bec-moves-largest", "bec-matrix")
    if len(own):
        what = f"{flow}s {end_use_words.window(moves.years)}"
        chart = aggregates_charts.moves(own, "BEC4", "BEC5", what)
        caption = f"The largest products by value, all years together. {found.source_line}"
        figures.append(Figure("bec-moves", "What moves between BEC4 and BEC5", chart, caption))
        items = ("bec-moves", *items)
    words = end_use_words.classifications(moves, flow, found.printed)
    return Part((Section("BEC4 and BEC5 compared", words, items),), tables, tuple(figures))


def _other(
    given: Given,
    found: Found,
    values: pd.DataFrame,
    other: reclassified.Classification,
    reference: str | Path | None,
) -> Part:
    """Return what moves between BEC4 and another classification: that which the source prints, or the user's."""
    moves = reclassified.compare(values, "BEC4", other, reference=reference)
    tables = [
        Table("other-matrix", "From BEC4 to the other classification", moves.matrix, end_use_tables.MATRIX,
              found.source_line),
        Table("other-moves", "Products that BEC4 and the other classification place differently", moves.moves,
              end_use_tables.MOVES, found.source_line, in_report=len(moves.moves) <= 4 * SHOWN),
    ]  # fmt: skip
    items = ["other-matrix", *(["other-moves"] if tables[1].in_report else [])]
    if other.notes:
        notes = pd.DataFrame({"note": list(other.notes)}, dtype="str")
        tables.append(Table("other-notes", "Notes on the other classification", notes, end_use_tables.NOTES))
        items.append("other-notes")
    words = end_use_words.other(moves, other)
    return Part((Section("Another classification compared", words, tuple(items)),), tuple(tables))


def _bridged(given: Given, found: Found) -> Part:
    """Return the bridge from BEC5 to BEC4, tried on a year of which both are known."""
    heading = "From BEC5 back to BEC4"
    four, five = (_known(f.frame) for f in (found.bec4, found.bec5))
    years = sorted(set(four["year"]) & set(five["year"]))
    wanted = [int(y) for y in found.printed.bridge["years"]]
    target = int(found.printed.bridge["target"])
    if not {*wanted, target} <= set(years):
        if len(years) < 2:
            return Part((Section(heading, ("A bridge needs two years in both classifications.",)),))
        *wanted, target = years[-4:]
    made = roll_forward.bridge(four[four["year"] < target], five, wanted, [target])
    tried = end_use_tables.tried(made, four)
    tables = (
        Table(
            "bridge-residuals", "BEC4 over BEC5, year by year", made.ratios, end_use_tables.RATIOS, found.source_line
        ),
        Table("bridge", f"BEC4 of {target} from BEC5", tried, end_use_tables.TRIED, found.source_line),
    )
    words = end_use_words.bridged(made, tried, wanted, target)
    return Part((Section(heading, words, ("bridge-residuals", "bridge")),), tables)


def _rolled(given: Given, found: Found, options: Options, indices: str | Path | None) -> Part:
    """Return annual values carried forward by monthly indices, beside those reported."""
    heading = "Carried forward by monthly indices"
    try:
        table, origin, covered = _indices(given, found, options, indices)
        frame = _known(found.bec4.frame, (*BIG, UNCLASSIFIED) if indices is None else BIG)
        frame = frame[frame["flow"].isin(table["flow"])] if "flow" in table else frame
        base, years = _window(frame, table, found.printed)
        checked = roll_forward.validate(frame, table, base, years)
        rebased = roll_forward.validate(frame, table, base, years, rebased=True)
    except LACKING as error:
        return Part((Section(heading, (end_use_words.not_rolled(str(error)),)),))
    each = checked[checked["year"].notna() & (checked["category"] != roll_forward.ALL)]
    flow = str(each["flow"].iloc[0])
    tables = (
        Table("roll-forward-years", "Carried forward and reported", checked, end_use_tables.ROLLED, found.source_line),
        Table("roll-forward-printed", "Residuals beside the printed ones", end_use_tables.residuals(checked, rebased, found.printed),
              end_use_tables.RESIDUALS, found.source_line),
    )  # fmt: skip
    chart = aggregates_charts.validation(each[each["flow"] == flow], flow)
    caption = f"Start: reported {flow}s of {base}; indices from {origin}. {found.source_line}"
    figure = Figure("roll-forward", "Carried forward by monthly indices, and reported", chart, caption)
    words = end_use_words.rolled(checked, rebased, base, years, origin, covered, found)
    items = ("roll-forward", "roll-forward-years", "roll-forward-printed")
    return Part((Section(heading, words, items),), tables, (figure,))


def _indices(
    given: Given, found: Found, options: Options, indices: str | Path | None
) -> tuple[pd.DataFrame, str, pd.DataFrame | None]:
    """Return indices, where they come from, and the months' sums over the years' values by year and flow."""
    if indices is not None:
        return roll_forward.read_indices(indices), Path(indices).name, None
    frame, problem = None, ""
    # The months may be stored from the reporter's side while the years are read from the partner's.
    for mirror in dict.fromkeys((options.mirror, False)):
        try:
            frame = aggregates.monthly_by_end_use(
                given.flows,
                given.con,
                given.scope.reporter,
                partner=given.scope.partner,
                mirror=mirror,
                dual_use=options.dual_use,
                reference=options.reference,
            )
            break
        except NoDataError as error:
            problem = problem or str(error)
    if frame is None:
        raise NoDataError(problem)
    return (
        roll_forward.indices_from_monthly(frame),
        "the store's monthly rows",
        end_use_tables.covered(frame, found.bec4),
    )


def _window(frame: pd.DataFrame, indices: pd.DataFrame, printed: Published) -> tuple[int, list[int]]:
    """Return the source's base year and years where they can be had, else the longest run that can."""
    keys = [k for k in ("flow", "category") if k in indices]
    counted = indices.dropna(subset="index").groupby([indices["month"].dt.year, *keys]).size()
    full = {int(y) for y, held in counted.groupby(level=0) if (held == roll_forward.MONTHS).any()}
    known = set(frame["year"])
    wanted = [int(y) for y in printed.validation["years"]]
    if set(wanted) <= full & known and int(printed.validation["base_year"]) in known:
        return int(printed.validation["base_year"]), wanted
    runs: list[list[int]] = []
    for year in sorted(y for y in full & known if y - 1 in known):
        if runs and runs[-1][-1] == year - 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    if not runs:
        raise NoDataError("no year has twelve monthly indices, an annual value, and an annual value of the year before")
    longest = max(runs, key=len)
    return longest[0] - 1, longest


def _known(frame: pd.DataFrame, categories: tuple[str, ...] = BIG) -> pd.DataFrame:
    kept = frame[frame["value_usd"].notna() & frame["category"].isin(categories)]
    return kept[["year", "flow", "category", "value_usd"]].reset_index(drop=True)
