"""The continuity audit: does the national nomenclature hold a watch list's codes in every year of a window?

A code that is born or dies inside the window with no partner on the list puts a step into its group's series, and the
step reads as growth or as substitution.  The audit says what the yearly lists say; it corrects nothing.

`never`               in no list of the window
`born`                `year` = its first list; absent from the list before
`died`                `year` = its last list; absent from the next one
`window-contradicts`  the list prints a year that is not the one of the lists; `year` = the one of the lists
`relabeled`           the same code, and from `year` on a materially different name, in both languages
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky import dated, watchlists
from autarky.dated import OutOfYears, out_of_years, valid, validity
from autarky.errors import CodeError, CoverageWarning, MeasureError, NoDataError, listed
from autarky.relatives import SAME, Candidate, Relatives, similarities
from autarky.tables import Condition

if TYPE_CHECKING:
    import pandas as pd

    from autarky.tables import Flows
    from autarky.watchlists import Entry, WatchList

__all__ = ["COLUMNS", "OutOfYears", "audit", "out_of_years", "valid", "validity"]

COLUMNS = ("group", "code", "finding", "year", "note", "candidates", "covered", "value_share")
RELABELED = 0.6  # a name that is less similar than this in English and in Chinese is another name
UNLIKE = 0.5  # below this a merger into a code that continues another one is not taken for granted
SHOWN = 10


@dataclass(frozen=True)
class _Finding:
    entry: Entry
    finding: str
    year: int | None
    note: str
    candidates: Sequence[Candidate] = field(default=())
    covered: bool | None = None


def audit(
    watchlist: str | WatchList,
    *,
    nomenclature: str = "GACC8",
    since: int = 2015,
    until: int = 2024,
    reference: str | Path | None = None,
    flows: Flows | None = None,
    reporter: str = "CHN",
) -> pd.DataFrame:
    """Set the codes of a watch list against the yearly lists of its nomenclature.

    Parameters
    ----------
    watchlist : a list, its id, or a YAML file
    since, until : first and last year of the window; years that the lists do not cover are named in a warning and in
        `attrs["covers"]`, and nothing is said of them
    reference : directory of the yearly lists and of the UN's correlation tables
    flows : with them `value_share` is filled from the imports of `reporter`

    Returns
    -------
    a row a finding, in the order of the list: group, code, finding, year, note, candidates
    (`code:relation:similarity`, best first, separated by spaces), covered, value_share

    - candidates: the codes that end as this one begins (or begin as it ends) and have the same HS6 (`same-hs6`), an
      HS6 that the UN relates to it (`correlated`), or the same heading (`same-heading`); see `relatives`
    - covered: for `born` and `died`: a listed code continues it. So: its best candidate is listed and at least 0.8
      similar, or it has candidates of the first two relations and all of them are listed. Not so for a death whose
      one successor continues another code by name and is less than 0.5 similar to this one. False for `never`, else
      null
    - value_share: the code's share of its group's imports over the window; null without flows or without trade

    Raises
    ------
    CodeError : the list is of another nomenclature, its lists are not here, or a correlation table is not here
    NoDataError : the lists cover no year of the window, or the flows hold no trade of the list
    """
    import pandas as pd

    found = watchlists.load(watchlist) if isinstance(watchlist, str) else watchlist
    if found.nomenclature != nomenclature:
        raise CodeError(f"watch list {found.id} has codes of {found.nomenclature}, not of {nomenclature}")
    if since > until:
        raise MeasureError(f"the window {since}-{until} ends before it begins")
    lists = dated.lists(nomenclature, reference)
    covers = int(lists["year"].min()), int(lists["year"].max())
    relatives = Relatives.of(lists[lists["year"].between(since, until)], reference)
    _check(found, lists, relatives, (since, until), covers)
    if since < covers[0] or until > covers[1]:
        warnings.warn(
            f"the lists of {nomenclature} cover {covers[0]}-{covers[1]}: nothing is said of the other years of the "
            f"window {since}-{until}",
            CoverageWarning,
            stacklevel=2,
        )
    groups = {e.code: e.group for e in found.entries}
    findings = [f for entry in found.entries for f in _findings(entry, relatives, groups, covers)]
    shares = _shares(flows, found, reporter, since, until) if flows else {}
    frame = pd.DataFrame([_row(f, shares) for f in findings], columns=list(COLUMNS))
    frame = frame.astype({"year": "Int64", "covered": "boolean", "value_share": "Float64"})
    frame.attrs["covers"] = covers
    return frame


def _check(
    found: WatchList, lists: pd.DataFrame, relatives: Relatives, window: tuple[int, int], covers: tuple[int, int]
) -> None:
    if not relatives.years:
        raise NoDataError(f"the lists of {found.nomenclature} cover {covers[0]}-{covers[1]}, no year of {window}")
    digits = set(lists["code"].str.len())
    other = [e.code for e in found.entries if len(e.code) not in digits]
    if other:
        wanted = " or ".join(map(str, sorted(digits)))
        raise CodeError(f"watch list {found.id}: {len(other)} codes have not the {wanted} digits of the lists of "
                        f"{found.nomenclature}: {listed(other)}")  # fmt: skip


def _row(f: _Finding, shares: Mapping[str, float]) -> dict[str, Any]:
    shown = " ".join(str(c) for c in f.candidates[:SHOWN])
    share = shares.get(f.entry.code)
    return dict(zip(COLUMNS, (f.entry.group, f.entry.code, f.finding, f.year, f.note, shown, f.covered, share),
                    strict=True))  # fmt: skip


def _findings(
    entry: Entry, relatives: Relatives, groups: Mapping[str, str], covers: tuple[int, int]
) -> Iterator[_Finding]:
    years = relatives.held.get(entry.code)
    if years is None:
        span = f"{relatives.years[0]}-{relatives.years[-1]}"
        near = relatives.labeled(entry.code, entry.label)
        yield _Finding(entry, "never", None, f"in no list of {span}", near, False)
        return
    for year in relatives.births(entry.code):
        near = relatives.candidates(entry.code, year, born=True)
        yield _Finding(entry, "born", year, *_told(entry, year, near, relatives, groups, born=True))
    for year in relatives.deaths(entry.code):
        near = relatives.candidates(entry.code, year, born=False)
        yield _Finding(entry, "died", year, *_told(entry, year, near, relatives, groups, born=False))
    yield from _contradictions(entry, years, relatives.years)
    for before, year in pairwise(years):
        old, new = relatives.names[entry.code, before], relatives.names[entry.code, year]
        alike = [s for s in similarities(old, new) if s is not None]
        if alike and max(alike) < RELABELED:
            note = f"similarity {', '.join(f'{s:.2f}' for s in alike)}: {' / '.join(old)} became {' / '.join(new)}"
            yield _Finding(entry, "relabeled", year, note)


def _told(
    entry: Entry, year: int, near: Sequence[Candidate], relatives: Relatives, groups: Mapping[str, str], *, born: bool
) -> tuple[str, Sequence[Candidate], bool]:
    """Return the note of a birth or death, its candidates, and whether a listed code continues it."""
    linked = [c for c in near if c.relation != "same-heading"]
    out = [c.code for c in linked if c.code not in groups]
    best = [near[0]] if near and near[0].code in groups and near[0].similarity >= SAME else []
    partners = [c for c in linked if c.code in groups] if not out else best or [c for c in linked if c.code in groups]
    covered = bool(best) or (bool(linked) and not out)
    printed = entry.since if born else entry.until
    note = [f"{'first' if born else 'last'} listed in {year}"]
    note.append(f"printed {'since' if born else 'until'} {printed}" if printed else "no year printed")
    taken = None if born or best or not covered or len(linked) > 1 else relatives.taken(linked[0].code, entry.code)
    if taken and linked[0].similarity < UNLIKE:
        covered = False
        note.append(f"{linked[0].code} is listed, and by its name it continues {taken}; the lists do not show that it "
                    "holds this code too")  # fmt: skip
    elif partners:
        note.append(f"listed {'before' if born else 'after'} it: {', '.join(c.code for c in partners)}")
        other = sorted({groups[c.code] for c in partners} - {entry.group})
        note += [f"in group {', '.join(other)}"] if other else []
    if out and not covered:
        note.append(f"not listed: {listed(out)}")
    elif not covered and not linked:
        note.append("no code of the same HS6, or related to it, " + ("ends" if born else "begins") + " at that time")
    return "; ".join(note), near, covered


def _contradictions(entry: Entry, years: Sequence[int], window: Sequence[int]) -> Iterator[_Finding]:
    """Compare printed years with the lists'; what lies at the edge of the window the lists cannot contradict."""
    first, last = years[0], years[-1]
    if entry.since and (entry.since > first or (entry.since < first and first > window[0])):
        note = f"printed since {entry.since} ({entry.printed}); in the lists {_from(first, window)}"
        yield _Finding(entry, "window-contradicts", first, note)
    if entry.until and (entry.until < last or (entry.until > last and last < window[-1])):
        note = f"printed until {entry.until} ({entry.printed}); in the lists until {last}"
        yield _Finding(entry, "window-contradicts", last, note)


def _from(first: int, window: Sequence[int]) -> str:
    return f"from {first} on" + (" or before" if first == window[0] else "")


def _shares(flows: Flows, found: WatchList, reporter: str, since: int, until: int) -> dict[str, float]:
    """Return each code's share of its group's imports over the window."""
    import datetime

    from autarky import engine

    digits = len(found.entries[0].code)
    asked = {"flow": "import", "reporter": reporter, "nomenclature": found.nomenclature, "level": str(digits)}
    chosen = flows.where([Condition(k, (v,)) for k, v in asked.items()],
                         datetime.date(since, 1, 1), datetime.date(until, 12, 1))  # fmt: skip
    held = chosen.coverage
    if held.empty:
        raise NoDataError(
            f"the store holds no imports of {reporter} by {digits}-digit codes of {found.nomenclature} in "
            f"{since}-{until}; without --store the audit leaves value_share empty"
        )
    narrower = [
        (Condition("freq", ("M",)), held["freq"].nunique() > 1),
        (Condition("partner", ("WLD",)), held["world"].nunique() > 1),
        (Condition("area", ("",)), held["areas"].nunique() > 1),
    ]
    chosen = chosen.where([condition for condition, both in narrower if both])
    chosen.check_unmixed(["product"], ["period"])
    table = chosen.table.filter(chosen.table["product"].isin([e.code for e in found.entries]))
    sums = table.aggregate(by=["product"], value_usd=table.value_usd.sum())
    values = {r["product"]: r["value_usd"] for r in engine.rows(table.get_backend(), sums).to_pylist()}
    totals = dict.fromkeys(found.groups, 0.0)
    for e in found.entries:
        totals[e.group] += values.get(e.code) or 0.0
    return {
        e.code: values[e.code] / totals[e.group]
        for e in found.entries
        if values.get(e.code) is not None and totals[e.group]
    }
