"""Pairs of codes of two editions, from the tables of the reference: one-to-one sheets, correlations, the cross-table.

Where no table joins two editions, the tables between them are joined.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky import references
from autarky.errors import CodeError
from autarky.references.checks import HS
from autarky.references.reading import cards, directory

if TYPE_CHECKING:
    import pandas as pd

Reference = str | Path | None
PAIR = ["from_code", "to_code"]


def _table(kind: str, source: str, target: str, reference: Reference) -> pd.DataFrame:
    table = references.load(kind, reference, from_nomenclature=source, to_nomenclature=target)
    frame: pd.DataFrame = table.select(PAIR).to_pandas().astype("object")
    return frame


def _sheet(source: str, target: str, reference: Reference) -> pd.DataFrame:
    """Return a one-to-one sheet with its corrections; an override counts only while the sheet prints what it mends."""
    sheet = _table("conversion", source, target, reference)
    mended = _overrides(source, target).rename(columns={"to_code": "mended", "printed": "to_code"})
    sheet = sheet.merge(mended, on=PAIR, how="left")
    override = sheet["mended"].notna()
    return sheet.assign(to_code=sheet["mended"].where(override, sheet["to_code"]), override=override).drop(
        columns="mended"
    )


def _overrides(source: str, target: str) -> pd.DataFrame:
    frame = references.overrides().to_pandas().astype("object")
    own = (frame["from_nomenclature"] == source) & (frame["to_nomenclature"] == target)
    return frame.loc[own, [*PAIR, "printed"]]


def _related(source: str, target: str, reference: Reference) -> pd.DataFrame:
    """Return every pair of codes that correlate, from a later edition to an earlier one.

    The UN's correlation lacks pairs that its own sheet or an override names; they are added.
    """
    import pandas as pd

    frames = [_table("correlation", source, target, reference), _sheet(source, target, reference)[PAIR]]
    return pd.concat(frames).drop_duplicates(ignore_index=True)


def cross(source: str, target: str, reference: Reference) -> pd.DataFrame:
    names = [source.lower(), target.lower()]
    frame = references.load("cross", reference).select(names).to_pandas().astype("object").set_axis(PAIR, axis=1)
    return frame.dropna().drop_duplicates(ignore_index=True)


# --- from one edition to another, over those between


def route(later: str, earlier: str, kind: str, reference: Reference) -> tuple[str, ...]:
    """Return the shortest way from an edition to an earlier one over the tables that are here."""
    held = {tuple(c["edition"].values()) for c in cards(directory(reference)) if c["kind"] == kind}
    paths: deque[tuple[str, ...]] = deque([(later,)])
    while paths:
        path = paths.popleft()
        if path[-1] == earlier:
            return path
        nearer = [n for n in (*HS[::-1], earlier) if (path[-1], n) in held and _before(earlier, n, path[-1])]
        paths.extend((*path, n) for n in dict.fromkeys(nearer))
    references.card(kind, reference, from_nomenclature=later, to_nomenclature=earlier)  # raises: says how to get it
    raise CodeError(f"the reference has no way from {later} to {earlier}")


def _before(earlier: str, middle: str, later: str) -> bool:
    if earlier not in HS:
        return middle == earlier
    return middle in HS and HS.index(earlier) <= HS.index(middle) < HS.index(later)


def is_held(kind: str, source: str, target: str, reference: Reference) -> bool:
    return any(
        c["kind"] == kind and tuple(c["edition"].values()) == (source, target) for c in cards(directory(reference))
    )


def correlated(path: Sequence[str], reference: Reference) -> pd.DataFrame:
    """Return every pair of codes that correlate along a path, whichever way it goes."""
    import pandas as pd

    found = None
    for one, other in itertools.pairwise(path):
        if other not in HS or HS.index(one) > HS.index(other):
            step = _related(one, other, reference)
        else:
            step = _related(other, one, reference).rename(columns={"to_code": "from_code", "from_code": "to_code"})
        found = step if found is None else _joined(found, step)
    return pd.DataFrame(columns=PAIR) if found is None else found[PAIR].drop_duplicates(ignore_index=True)


def _joined(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    joined: pd.DataFrame = first.merge(second, left_on="to_code", right_on="from_code", suffixes=("", "_2"))
    return joined.drop(columns=["to_code", "from_code_2"]).rename(columns={"to_code_2": "to_code"})


def one_to_one(path: Sequence[str], found: pd.DataFrame, reference: Reference) -> pd.DataFrame:
    """Return the links of one-to-one sheets along a path; a choice where several codes correlate."""
    import pandas as pd

    links = _sheet(path[0], path[1], reference)
    for one, other in itertools.pairwise(path[1:]):
        links = _joined(links, _sheet(one, other, reference).rename(columns={"override": "again"}))
        links["override"] = links["override"] | links.pop("again")
    chosen = links["from_code"].isin(several(found)["from_code"])
    reason = pd.Series(pd.NA, index=links.index, dtype="object").mask(chosen, "sheet")
    return as_links(links, reason.mask(links["override"], "override"))


def as_links(pairs: pd.DataFrame, assumption: Any) -> pd.DataFrame:
    return pairs[PAIR].assign(weight=1.0, assumption=assumption).reset_index(drop=True)


def single(found: pd.DataFrame) -> pd.DataFrame:
    """Return the links of codes that correlate with one other."""
    import pandas as pd

    return as_links(found[~found["from_code"].duplicated(keep=False)], pd.NA)


def several(found: pd.DataFrame) -> pd.DataFrame:
    """Return the codes that correlate with several others, each with an equal share."""
    several = found[found["from_code"].duplicated(keep=False)].reset_index(drop=True)
    return several.assign(weight=1.0 / several.groupby("from_code")["to_code"].transform("size"))


def with_single(links: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Add codes that a sheet leaves out and that correlate with one other."""
    return stacked([links, single(found[~found["from_code"].isin(links["from_code"])])])


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    filled = [f for f in frames if len(f)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
