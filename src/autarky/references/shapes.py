"""Read nomenclatures and correspondences as their publishers serve them: a file in, checked canonical tables out.

A file is known by its columns, never by its name.  To add a shape, add a function to `_SHAPES`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from autarky.errors import SourceError, listed
from autarky.references.checks import (
    COLUMNS,
    HS,
    KEYS,
    NUMBERS,
    UNTOUCHED,
    check_edition,
    codes,
    edition_of,
    editions,
    headed,
    numbers,
    refuse,
    unique,
)
from autarky.references.sheets import Sheet, sheets
from autarky.tables import LEVELS

if TYPE_CHECKING:
    import pandas as pd

_ENDED = {name: int(after[2:]) - 1 for name, after in itertools.pairwise(HS)}
_RELATIONS = ("1:1", "1:n", "n:1", "n:n")


class UnknownShape(SourceError):
    """A file that is none of the shapes known here."""


@dataclass(frozen=True)
class Found:
    """One canonical table found in a file; `left_out` says what it does not hold."""

    kind: str
    edition: Mapping[str, str]
    frame: pd.DataFrame = field(repr=False, compare=False)
    left_out: str = ""
    covers: Sequence[int] = ()


def read(path: Path, name: str) -> list[Found]:
    """Return every table in a file (a workbook can hold several).

    Raises
    ------
    UnknownShape : none of its sheets has the columns of a known shape
    SourceError, CodeError : a sheet of a known shape whose rows are wrong
    """
    found: list[Found] = []
    reasons: list[str] = []
    for sheet in sheets(path, name):
        for shape, _ in _SHAPES:
            try:
                tables = shape(sheet)
            except UnknownShape as error:
                reasons.append(str(error))
                break
            if tables is not None:
                found += tables
                break
    if found:
        return found
    if reasons:
        raise UnknownShape(reasons[0])
    known = "\n".join(f"  - {said}" for _, said in _SHAPES)
    raise UnknownShape(f"{name}: has no known columns{_found(path, name)}.\n{UNTOUCHED} Known shapes are:\n{known}")


def _found(path: Path, name: str) -> str:
    """Say what stands where a header is expected, in each sheet."""
    tops = [next((cells for cells in sheet.rows if any(cells)), ()) for sheet in sheets(path, name)]
    said = [listed([c for c in cells if c], 8) for cells in tops if any(cells)]
    return f" (it begins with {'; '.join(said[:3])})" if said else " (it holds no text)"


# --- shapes: a function each, None when the sheet's columns are not its own


def _cross(sheet: Sheet) -> list[Found] | None:
    short = [f"HS{name[-2:]}" for name in HS]
    names = [*short, "BEC4", "BEC5", "SITC1", "SITC2", "SITC3", "SITC4"]
    body = sheet.under(names)
    if body is None:
        return None
    body = body.replace({"NULL": "", "n/a": ""})
    for column, target in zip(names, (*HS, *names[7:]), strict=True):
        body[column] = codes(sheet, body[column], target, optional=True)
    unique(sheet, body, names, "row")
    return [canonical("cross", {}, body.set_axis(COLUMNS["cross"], axis=1))]


_UN_END_USE = ("HS", "HS6", "BEC5Code1", "BEC5Code2", "BEC5EndUse", "BEC5Category", "BEC5Processing",
               "BEC5Specification", "BEC5Durability", "BEC4Code", "BEC4ENDUSE",
               "BEC4INT", "BEC4CONS", "BEC4CAP")  # fmt: skip


def _end_use(sheet: Sheet) -> list[Found] | None:
    # The heading beside it (HS4) reads 101 for 0101 in the file of 2017: only HS6 counts.
    body = sheet.under(_UN_END_USE)
    if body is None:
        return None
    body["HS"] = editions(sheet, body["HS"])
    frame = body[["HS"]].rename(columns={"HS": "nomenclature"})
    frame["hs6"] = codes(sheet, body["HS6"], HS[0])
    for name, column in (("bec5", "BEC5Code1"), ("bec5_second", "BEC5Code2"), ("bec4", "BEC4Code")):
        frame[name] = codes(sheet, body[column].replace("0", ""), name[:4].upper(), optional=True)
    for name, column in (("end_use", "BEC5EndUse"), ("processing", "BEC5Processing"), ("durability", "BEC5Durability"),
                         ("specification", "BEC5Specification")):  # fmt: skip
        frame[f"bec5_{name}"] = body[column]
    frame["bec5_category"] = body["BEC5Category"].str.replace(r"^\d\.", "", regex=True).str.strip()
    frame["bec4_end_use"] = body["BEC4ENDUSE"]
    shares = ["bec4_int", "bec4_cons", "bec4_cap"]
    for name in shares:
        frame[name] = numbers(sheet, body[name.upper().replace("_", "")])
    total = frame[shares].sum(axis=1)
    bad = frame[shares].notna().any(axis=1) & ((total - 1).abs() > 1e-6)
    refuse(SourceError, sheet, bad, total.astype(str), "shares of end use do not sum to one", "1")
    unique(sheet, frame, ["nomenclature", "hs6"], "code")
    return _split("end_use", frame)


def _nomenclature(sheet: Sheet) -> list[Found] | None:
    body = sheet.under(("hs_rev", "code", "description"))
    if body is None:
        return None
    body["hs_rev"] = editions(sheet, body["hs_rev"])
    body["code"] = codes(sheet, body["code"], HS[0], lengths=LEVELS[HS[0]])
    unique(sheet, body, ["hs_rev", "code"], "code")
    return _split("nomenclature", _dated(body["hs_rev"], body["code"], body["description"]))


def _comtrade_json(sheet: Sheet) -> list[Found] | None:
    """UN Comtrade's reference of one edition: `id` and `text`; the edition is its class or in the file's name."""
    body = sheet.under(("id", "text", "parent"))
    if body is None:
        return None
    said = sheet.about.get("classCode", "")
    named = said if re.fullmatch(r"H[0-6]", said) else re.sub(r"\.json$", "", Path(sheet.name).name)
    edition = edition_of(named) if re.fullmatch(r"H[0-6]", named) else None
    if edition is None:
        raise UnknownShape(f"{sheet.name}: does not say its edition; name it H0.json (HS1992) to H6.json (HS2022)")
    body = body[body["id"].str.fullmatch(r"\d+")]
    plain = codes(sheet, body["id"], HS[0], lengths=LEVELS[HS[0]])
    names = body["text"].str.replace(r"^\d+ *- *", "", regex=True)
    unique(sheet, body, ["id"], "code")
    return _split("nomenclature", _dated(plain.map(lambda _: edition), plain, names))


def _dated(edition: pd.Series, plain: pd.Series, names: pd.Series) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "nomenclature": edition,
            "code": plain,
            "since": edition.str[2:].astype("Int64"),
            "until": edition.map(_ENDED).astype("Int64"),
            "level": plain.str.len().astype("Int64"),
            "name_en": names,
            "name_zh": "",
        }
    )


def _listing(sheet: Sheet) -> list[Found] | None:
    """Yearly 8-digit lists of China Customs: code, en, zh and the year, in a column or in the file's name."""
    body = sheet.under(("code", "en", "zh", "year"))
    if body is None:
        body = sheet.under(("code", "en", "zh"))
        if body is None:
            return None
        years = re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", Path(sheet.name).name)
        if len(years) != 1:
            raise UnknownShape(f"{sheet.name}: a list of codes without its year; name the file after it (hs8-2024.csv)")
        body["year"] = years[0]
    bad = ~body["year"].str.fullmatch(r"(19|20)\d\d")
    refuse(SourceError, sheet, bad, body["year"], "year is not a year", "four digits")
    body["code"] = codes(sheet, body["code"], "GACC8")
    unique(sheet, body, ["year", "code"], "code of one year")
    body = body.rename(columns={"en": "name_en", "zh": "name_zh"}).assign(nomenclature="GACC8")
    return _split("listing", body)


def _table_form(sheet: Sheet) -> list[Found] | None:
    """One-to-one or correlation rows of any number of edition pairs, a pair of columns telling which."""
    long = {"from_nomenclature": "from_rev", "to_nomenclature": "to_rev"}
    names = ("from_rev", "to_rev", "from_code", "to_code")
    for renames in ({}, long):
        plain = sheet.renamed(renames)
        body = plain.under((*names, "relationship"))
        related = body is not None
        body = body if related else plain.under(names)
        if body is not None:
            break
    else:
        return None
    body["from_rev"], body["to_rev"] = editions(sheet, body["from_rev"]), editions(sheet, body["to_rev"])
    found = []
    for (source, target), rows in body.groupby(["from_rev", "to_rev"], sort=False):
        kind = "correlation" if related else "conversion"
        found.append(_pairs(sheet, kind, source, target, rows.drop(columns=["from_rev", "to_rev"])))
    return found


def _un_sheet(sheet: Sheet) -> list[Found] | None:
    """One sheet of the UN's workbooks: two columns headed by their edition, and `Relationship` in correlations."""
    position = sheet.header(lambda cells: len([c for c in cells if headed(c)]) == 2)
    if position is None:
        return None
    cells = sheet.rows[position]
    first, second = [i for i, c in enumerate(cells) if headed(c)]
    if cells[second].lower().startswith("from"):
        first, second = second, first
    source, target = (check_edition(str(edition_of(cells[i])), f"{sheet.where(position)}: ") for i in (first, second))
    if source == target:
        raise SourceError(f"{sheet.where(position)}: both columns are of {source}; expected two editions. {UNTOUCHED}")
    related = next((i for i, c in enumerate(cells) if c.lower().startswith("relation")), None)
    columns = {"from_code": first, "to_code": second} | ({} if related is None else {"relationship": related})
    kind = "correlation" if related is not None or _titled(sheet, position) else "conversion"
    return [_pairs(sheet, kind, source, target, sheet.body(position, columns))]


def _titled(sheet: Sheet, position: int) -> bool:
    """Whether the sheet's name, or else the lines above its header, call it a correlation and not a conversion."""
    above = " ".join(c for cells in sheet.rows[:position] for c in cells)
    for text in (sheet.title.lower(), above.lower()):
        if "conver" in text:
            return False
        if "correl" in text or "between" in text:
            return True
    return False


def _pairs(sheet: Sheet, kind: str, source: str, target: str, body: pd.DataFrame) -> Found:
    half = (body["from_code"] == "") | (body["to_code"] == "")
    left_out = f"{half.sum()} rows with a code on one side only" if half.any() else ""
    body = body[~half].copy()
    body["from_code"], body["to_code"] = (
        codes(sheet, body[f"{s}_code"], n) for s, n in (("from", source), ("to", target))
    )
    if "relationship" in body:
        plain = body["relationship"].str.lower().str.replace("to", ":").str.replace(r"['\s]", "", regex=True)
        bad = ~plain.isin([*_RELATIONS, ""])
        refuse(
            SourceError,
            sheet,
            bad,
            body["relationship"],
            "relationship is unknown",
            ", ".join(_RELATIONS),
        )
        body["relationship"] = plain
    elif kind == "correlation":
        body["relationship"] = ""
    unique(sheet, body, ["from_code", "to_code"], "pair")
    if kind == "conversion":
        unique(sheet, body, ["from_code"], "from-code of a one-to-one sheet", "one target for each")
    body = body.assign(from_nomenclature=source, to_nomenclature=target)
    return canonical(kind, {"from_nomenclature": source, "to_nomenclature": target}, body, left_out)


def _split(kind: str, frame: pd.DataFrame) -> list[Found]:
    """Return a table for each edition in a frame."""
    keys = list(KEYS[kind])
    return [canonical(kind, dict(zip(keys, k, strict=True)), rows) for k, rows in frame.groupby(keys, sort=False)]


def canonical(
    kind: str, edition: Mapping[str, str], frame: pd.DataFrame, left_out: str = "", covers: Sequence[int] = ()
) -> Found:
    """Bring a frame to the columns, types and order of its kind; what is empty is null."""
    import pandas as pd

    frame = frame.reindex(columns=list(COLUMNS[kind]))
    for name in frame.columns:
        if name in NUMBERS:
            frame[name] = pd.to_numeric(frame[name]).astype(NUMBERS[name])
        else:
            frame[name] = frame[name].astype("string").replace("", pd.NA)
    frame = frame.sort_values(list(frame.columns), ignore_index=True)
    return Found(kind, {k: str(v) for k, v in edition.items()}, frame, left_out, covers)


_SHAPES: tuple[tuple[Callable[[Sheet], list[Found] | None], str], ...] = (
    (_cross, "the UN's cross-table: columns HS92 … HS22, BEC4, BEC5, SITC1 … SITC4"),
    (_end_use, "the UN's HS to BEC table: columns HS, HS6, BEC5Code1, BEC5Code2, BEC4Code, BEC4ENDUSE …"),
    (_nomenclature, "an HS list: columns hs_rev, code, description"),
    (_comtrade_json, "UN Comtrade's HS reference (H0.json … H6.json): fields id, text, parent"),
    (_listing, "a yearly list of China Customs: columns code, en, zh, and the year in a column or the file's name"),
    (_table_form, "edition pairs: columns from_rev, to_rev, from_code, to_code, and relationship in a correlation"),
    (_un_sheet, "the UN's HS workbooks: two columns such as `From HS 2022`, `To HS 2017`, and `Relationship`"),
)
