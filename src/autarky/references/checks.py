"""What the tables of the reference must hold: columns, editions that exist, codes that are codes, no row twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autarky.errors import CodeError, SourceError, listed
from autarky.references.sheets import Sheet
from autarky.tables import LEVELS

if TYPE_CHECKING:
    import pandas as pd

HS = tuple(name for name in LEVELS if name.startswith("HS"))
UNTOUCHED = "Nothing was stored."

# The columns of a table of each kind, and those of them that tell its editions apart.
COLUMNS: dict[str, tuple[str, ...]] = {
    "nomenclature": ("nomenclature", "code", "since", "until", "level", "name_en", "name_zh"),
    "listing": ("nomenclature", "year", "code", "name_en", "name_zh"),
    "conversion": ("from_nomenclature", "to_nomenclature", "from_code", "to_code"),
    "correlation": ("from_nomenclature", "to_nomenclature", "from_code", "to_code", "relationship"),
    "end_use": (
        *("nomenclature", "hs6", "bec5", "bec5_second", "bec5_end_use", "bec5_category", "bec5_processing"),
        *("bec5_specification", "bec5_durability", "bec4", "bec4_end_use", "bec4_int", "bec4_cons", "bec4_cap"),
    ),
    "cross": (*(name.lower() for name in HS), "bec4", "bec5", "sitc1", "sitc2", "sitc3", "sitc4"),
}
KEYS: dict[str, tuple[str, ...]] = {
    "nomenclature": ("nomenclature",),
    "listing": ("nomenclature", "year"),
    "conversion": ("from_nomenclature", "to_nomenclature"),
    "correlation": ("from_nomenclature", "to_nomenclature"),
    "end_use": ("nomenclature",),
    "cross": (),
}
NUMBERS = {"since": "Int64", "until": "Int64", "level": "Int64", "year": "Int64"} | dict.fromkeys(
    ("bec4_int", "bec4_cons", "bec4_cap"), "Float64"
)


def check_edition(name: str, where: str = "") -> str:
    """Return the name of a code system that autarky knows.

    Raises
    ------
    CodeError : unknown; for HS the message lists the editions
    """
    if name in LEVELS:
        return name
    known = f"HS editions are {', '.join(HS)}" if name.startswith("HS") else f"known are {listed(list(LEVELS), 20)}"
    raise CodeError(f"{where}edition {name!r} does not exist; {known}.{f' {UNTOUCHED}' if where else ''}")


def edition_of(text: str) -> str | None:
    """Read the name of an edition as files print it: `HS 2022`, `From HS2017`, `HS92`, `H4`, `SITC Rev. 4`, `BEC4`."""
    plain = re.sub(r"^(from|to)\b", "", text.strip(), flags=re.IGNORECASE)
    plain = re.sub(r"rev\.?|[\s._-]", "", plain, flags=re.IGNORECASE).upper()
    if number := re.fullmatch(r"H([0-6])", plain):
        return HS[int(number[1])]
    if year := re.fullmatch(r"(?:HS)?(?:1988/)?((?:19|20)?\d\d)", plain):
        digits = year[1] if len(year[1]) == 4 else ("19" if year[1] > "80" else "20") + year[1]
        return f"HS{digits}"
    if other := re.fullmatch(r"(?:SITC|S)(\d)", plain):
        return f"SITC{other[1]}"
    if other := re.fullmatch(r"BEC(\d?)", plain):
        return f"BEC{other[1] or 4}"
    return None


def headed(text: str) -> str | None:
    """Read a column's header as an edition; a bare number is none."""
    return edition_of(text) if re.search(r"[HSB]", text, flags=re.IGNORECASE) else None


def editions(sheet: Sheet, texts: pd.Series) -> pd.Series:
    """Return the names of editions in a column; one that does not exist is refused."""
    names = {text: edition_of(text) for text in texts.unique()}
    for text, name in names.items():
        row = int(texts.index[texts == text][0])
        check_edition(name or text, f"{sheet.name} row {row}: ")
    return texts.map(names)


def codes(
    sheet: Sheet, texts: pd.Series, nomenclature: str, *, lengths: Sequence[int] = (), optional: bool = False
) -> pd.Series:
    """Return codes without quotes and dots; anything that is not a code of its system is refused."""
    import pandas as pd

    if not lengths:
        whole = (*HS, "GACC8")
        lengths = LEVELS[nomenclature][-1:] if nomenclature in whole else LEVELS[nomenclature]
    # A column holds the same code many times over: only the distinct ones are looked at.
    distinct = pd.Series(texts.unique(), dtype="object")
    dotted = r"(\d{4})\.(\d\d)" if nomenclature in HS else r"(\d{3})\.(\d{1,2})"
    plain = distinct.str.lstrip("'").str.replace(rf"^{dotted}$", r"\1\2", regex=True)
    bad = ~(plain.str.fullmatch(r"[0-9]+") & plain.str.len().isin(lengths))
    if optional:
        bad &= plain != ""
    if bad.any():
        what, advice = _said_of(plain[bad], lengths)
        said = f"{nomenclature} codes have {' or '.join(map(str, lengths))} digits"
        refuse(CodeError, sheet, texts.isin(distinct[bad]), texts, what, said + advice)
    return texts.map(dict(zip(distinct, plain, strict=True)))


def _said_of(bad: pd.Series, lengths: Sequence[int]) -> tuple[str, str]:
    """Say what is wrong with codes and what to do."""
    if bad.str.fullmatch(r"\d+\.0*").any():
        return "code is a number", ", as text: a spreadsheet turned them into numbers. Take the file as served"
    if (bad.str.fullmatch(r"\d+") & bad.str.len().add(1).isin(lengths)).any():
        return "code has too few digits", ". Was a leading zero lost? Take the file as served, or store codes as text"
    return "is not a code", ""


def numbers(sheet: Sheet, texts: pd.Series) -> pd.Series:
    """Return shares; empty is null."""
    import pandas as pd

    values = pd.to_numeric(texts.replace("", None), errors="coerce")
    refuse(SourceError, sheet, values.isna() & (texts != ""), texts, "is not a number", "a share")
    return values


def unique(sheet: Sheet, frame: pd.DataFrame, keys: list[str], what: str, expected: str = "each once") -> None:
    """Refuse rows that repeat an earlier one in `keys`."""
    again = frame.duplicated(keys)
    values = frame[keys].agg(" → ".join, axis=1) if again.any() else frame[keys[0]]
    refuse(SourceError, sheet, again, values, f"the same {what} stands in it again", expected)


def refuse(
    error: type[SourceError] | type[CodeError],
    sheet: Sheet,
    bad: pd.Series,
    values: pd.Series,
    what: str,
    expected: str,
) -> None:
    """Raise when a row is bad: the count, the first five with their row in the file, what was expected."""
    if not bad.any():
        return
    rows = [f"row {row} {value!r}" for row, value in values[bad].head(5).items()]
    count = int(bad.sum())
    more = f" and {count - 5} more" if count > 5 else ""
    raise error(f"{sheet.name}: {what}: {', '.join(rows)}{more}. Expected: {expected}. {UNTOUCHED}")
