"""Shares by which a code is divided among several: equal, from a table, or from the flows of an overlap year."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky.errors import CodeError
from autarky.references.checks import HS, edition_of
from autarky.references.sheets import sheets
from autarky.tables import LEVELS

if TYPE_CHECKING:
    import pandas as pd

    from autarky.mapping import Mapping

TOLERANCE = 1e-6
# What tables of weights call their columns; the last two are needed only where a table holds several pairs.
NAMES = {
    "from_code": ("from_code", "code.source", "code_source", "source_code", "source", "from"),
    "to_code": ("to_code", "code.target", "code_target", "target_code", "target", "to"),
    "weight": ("weight", "weights", "share"),
    "from_nomenclature": ("from_nomenclature", "from_rev", "nomenclature.source", "class.source"),
    "to_nomenclature": ("to_nomenclature", "to_rev", "nomenclature.target", "class.target"),
}
_UNTOUCHED = "Nothing was converted."


def read(table: Any) -> tuple[str, pd.DataFrame]:
    """Return a table of weights as text, its index the row in the file, with the name that messages give it.

    Parameters
    ----------
    table : path of a file (csv, Parquet, workbook), or anything that pandas makes a data frame of

    Raises
    ------
    CodeError : a column is missing
    SourceError : the file is damaged
    """
    name, frame = _text(table)
    lower = {str(c).strip().lower(): c for c in frame.columns}
    found = {n: next((lower[a] for a in aliases if a in lower), None) for n, aliases in NAMES.items()}
    missing = [n for n in ("from_code", "to_code", "weight") if found[n] is None]
    if missing:
        held_names = ", ".join(map(str, frame.columns)) or "nothing"
        raise CodeError(
            f"{name}: has no column {', '.join(missing)}; expected from_code, to_code, weight "
            f"(or code.source, code.target, weight); found {held_names}. {_UNTOUCHED}"
        )
    held = {n: frame[c] for n, c in found.items() if c is not None}
    import pandas as pd

    return name, pd.DataFrame(held)


def _text(table: Any) -> tuple[str, pd.DataFrame]:
    import pandas as pd

    if not isinstance(table, str | Path):
        frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table)
        text = {c: [("" if v is None or v != v else str(v)) for v in frame[c]] for c in frame.columns}
        return "weights", pd.DataFrame(text, index=range(1, len(frame) + 1), dtype="object")
    path = Path(table)
    if not path.is_file():
        raise CodeError(
            f"weights {str(table)!r}: expected equal, overlap, overlap,equal or a file; there is no such file"
        )
    sheet = next(iter(sheets(path, path.name)))
    header = [c.strip() for c in sheet.rows[0]] if sheet.rows else []
    rows = [[*row, *[""] * len(header)][: len(header)] for row in sheet.rows[1:]]
    frame = pd.DataFrame(rows, columns=header, index=range(2, len(rows) + 2), dtype="object")
    return path.name, frame[(frame != "").any(axis=1)]


def of_pair(name: str, table: pd.DataFrame, source: str, target: str, several: bool) -> pd.DataFrame:
    """Return the rows of one pair of editions.

    Raises
    ------
    CodeError : editions that do not exist, none of this pair, or no column that tells which of several pairs
    """
    if several and "from_nomenclature" not in table:
        raise CodeError(f"{name}: the flows hold several editions; add a column from_nomenclature. {_UNTOUCHED}")
    for column, wanted in (("from_nomenclature", source), ("to_nomenclature", target)):
        if column in table:
            editions = table[column].map(lambda text: text if text in LEVELS else edition_of(str(text)) or str(text))
            _refuse(name, ~editions.isin(list(LEVELS)), table[column], f"{column} does not exist", ", ".join(LEVELS))
            table = table[editions == wanted]
    if table.empty:
        raise CodeError(f"{name}: holds no weights from {source} to {target}. {_UNTOUCHED}")
    return table


def checked(name: str, table: pd.DataFrame, known: set[str], target: str, targets: set[str]) -> pd.DataFrame:
    """Return the weights of one pair of editions as from_code, to_code, weight; they sum to one.

    Parameters
    ----------
    known, targets : the codes that the two editions have

    Raises
    ------
    CodeError : a code that is not of its edition, a pair twice, a weight that is none, weights that do not sum to one
    """
    import pandas as pd

    for column, held, edition in (("from_code", known, ""), ("to_code", targets, f" of {target}")):
        codes = table[column]
        padded = codes.str.zfill(6).isin(held) & ~codes.isin(held)
        lost = "; was a leading zero lost? Store codes as text" if padded.any() else ""
        _refuse(name, ~codes.isin(held), codes, f"{column} is not a code{edition}", f"codes of the edition{lost}")
    pair = table["from_code"] + " → " + table["to_code"]
    _refuse(name, pair.duplicated(), pair, "the same pair stands in it again", "each pair once")
    shares = pd.to_numeric(table["weight"], errors="coerce")
    bad = shares.isna() | ~shares.map(math.isfinite) | (shares < 0) | (shares > 1 + TOLERANCE)
    _refuse(name, bad, table["weight"], "is not a weight", "a number from 0 to 1")
    total = shares.groupby(table["from_code"]).transform("sum")
    first = ~table["from_code"].duplicated()
    said = table["from_code"] + " = " + total.map("{:.9g}".format)
    off = ((total - 1).abs() > TOLERANCE) & first
    _refuse(name, off, said, "the weights of a code do not sum to one", f"1 within {TOLERANCE:g}")
    found = table[["from_code", "to_code"]].assign(weight=shares / total)
    # A share of nothing is no row: not reported is not zero.
    return found[found["weight"] > 0].reset_index(drop=True)


def _refuse(name: str, bad: pd.Series, values: pd.Series, what: str, expected: str) -> None:
    if not bad.any():
        return
    rows = ", ".join(f"row {row} {value!r}" for row, value in values[bad].head(5).items())
    count = int(bad.sum())
    more = f" and {count - 5} more" if count > 5 else ""
    raise CodeError(f"{name}: {what}: {rows}{more}. Expected: {expected}. {_UNTOUCHED}")


def weighted(found: Mapping, shares: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the links of a mapping with shares in place of what it says of the same codes.

    A reviewed override stands, unless the shares come from a table of the user's.
    """
    import pandas as pd

    replaced = found.links["from_code"].isin(shares["from_code"])
    new = shares.assign(assumption="weights")
    single = ~new.duplicated([*by, "from_code"], keep=False)
    plain = new["from_code"].isin(found.links.loc[found.links["assumption"].isna(), "from_code"])
    # Weights that say what is so anyway are no assumption.
    new.loc[single & plain, "assumption"] = None
    kept = found.links[~replaced]
    return pd.concat([f for f in (kept, new) if len(f)], ignore_index=True) if len(new) else kept


def equal(found: Mapping) -> pd.DataFrame:
    """Return equal shares of every code that has several candidates and no reviewed override."""
    reviewed = found.links.loc[found.links["assumption"] == "override", "from_code"]
    return found.candidates[~found.candidates["from_code"].isin(reviewed)]


def overlap(
    found: Mapping, target: str, used: pd.DataFrame, here: pd.DataFrame, there: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return shares by what a reporter's flow was when the target edition began.

    The codes' values in the last year of their own edition and in the first year of the target are the margins of a
    table whose cells are the pairs that correlate; the cells are fitted to both (iterative proportional fitting), so
    that a large code which many others touch is not handed out again by each of them.

    Formula: x_ct = a_c·b_t on the pairs, with Σ_t x_ct = value of c and Σ_c x_ct = value of t (scaled to the same
    total); the share of t in c is b_t / Σ b over the codes that c leads to.

    Parameters
    ----------
    used : reporter, flow, code: what is to be converted
    here, there : reporter, flow, year, code, value_usd: what is reported in the two editions

    Returns
    -------
    the shares by reporter and flow (reporter, flow, from_code, to_code, weight), and the codes that have none
    (reporter, flow, from_code)

    Raises
    ------
    CodeError : the target is not an HS edition

    References
    ----------
    Deming and Stephan (1940), On a least squares adjustment of a sampled frequency table when the expected marginal
    totals are known, Annals of Mathematical Statistics 11.
    """
    if target not in HS:
        raise CodeError(
            f"weights overlap: {target} has no products to compare; convert to an HS edition that the store "
            f"holds first, and from there to {target}. {_UNTOUCHED}"
        )
    import pandas as pd

    divided = equal(found)[["from_code", "to_code"]]
    whole = found.links.loc[~found.links["from_code"].isin(divided["from_code"]), ["from_code", "to_code"]]
    pairs = used.rename(columns={"code": "from_code"}).merge(pd.concat([whole, divided]), on="from_code")
    first = there.groupby(["reporter", "flow"], as_index=False)["year"].min().rename(columns={"year": "first"})
    margins = {"from_code": ("value_from", here), "to_code": ("value_to", there)}
    for side, (name, held) in margins.items():
        near = held.merge(first, on=["reporter", "flow"])
        near = near.assign(away=(near["year"] - near["first"]).abs())
        near = near[near["away"] == near.groupby(["reporter", "flow"])["away"].transform("min")]
        near = near.rename(columns={"code": side, "value_usd": name})[["reporter", "flow", side, name]]
        pairs = pairs.merge(near, on=["reporter", "flow", side], how="left")
    shares = pairs.assign(weight=_fitted(pairs))
    shares = shares[shares["from_code"].isin(divided["from_code"])]
    key = ["reporter", "flow", "from_code"]
    none = shares.loc[~(shares.groupby(key)["weight"].transform("sum") > 0), key].drop_duplicates()
    return shares.loc[shares["weight"] > 0, [*key, "to_code", "weight"]].reset_index(drop=True), none


def _fitted(pairs: pd.DataFrame, rounds: int = 200) -> Any:
    """Return the shares of each row's pairs; 0 where the target edition has no value."""
    import numpy as np

    row = pairs.groupby(["reporter", "flow", "from_code"]).ngroup().to_numpy()
    column = pairs.groupby(["reporter", "flow", "to_code"]).ngroup().to_numpy()
    block = pairs.groupby(["reporter", "flow"]).ngroup().to_numpy()
    value_from, value_to = (_margin(pairs[c], at, block) for c, at in (("value_from", row), ("value_to", column)))
    # A code without value in the year compared still has shares, by those of the codes beside it.
    value_from = np.maximum(value_from, 1e-12)
    b = np.where(value_to > 0, 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(rounds):
            a = np.nan_to_num(value_from / np.bincount(row, b[column]), posinf=0.0)
            b = np.nan_to_num(value_to / np.bincount(column, a[row]), posinf=0.0)
        return np.nan_to_num(b[column] / np.bincount(row, b[column])[row])


def _margin(values: pd.Series, at: Any, block: Any) -> Any:
    """Return the value of each code, as a share of its reporter's flow."""
    import numpy as np

    # A share of a year's flow: what was not reported that year is no part of it.  No flow is changed by this.
    given = values.fillna(0.0).to_numpy(dtype=float)
    found, of = np.zeros(at.max() + 1), np.zeros(at.max() + 1, dtype=int)
    found[at], of[at] = given, block
    total = np.bincount(of, found)[of]
    return np.divide(found, total, out=np.zeros_like(found), where=total > 0)
