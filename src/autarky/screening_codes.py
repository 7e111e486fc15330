"""Codes of a bill of materials: as they are typed, and which controlled lines they may mean.

The first 6 digits of a code are the Harmonized System's and mean the same everywhere; what follows is each country's
own. So an American or European code can never be the same line as a Chinese one, whatever its digits: they share a
heading.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "unknown"
# Number of digits that a code of each system may have: its own, and the coarser headings that it is cut from.
SYSTEMS: dict[str, tuple[int, ...]] = {
    "HS6": (4, 6),
    "CN8": (4, 6, 8),
    "GACC8": (4, 6, 8),
    "HTS10": (4, 6, 8, 10),
    "GACC10": (4, 6, 8, 10),
    UNKNOWN: (4, 6, 8, 10),
}
# The systems whose digits beyond the sixth are those of the issuer's own lines.
NATIONAL = {"CHN": ("GACC10", "GACC8"), "USA": ("HTS10",)}
COMMON = 6
_LEAST_CHAPTER = "01"


@dataclass(frozen=True)
class Hit:
    """An item that a code may mean.

    Attributes
    ----------
    item : number of the item
    basis : "line", or how many leading digits agree: "8 digits", "6 digits", "4 digits"
    exact : whether the code says that the good is the item
    lines : the controlled lines that the code is, or stands above
    """

    item: int
    basis: str
    exact: bool
    lines: tuple[str, ...]


def read(text: str, system: str) -> tuple[str | None, str | None]:
    """Return the digits of a code as it was typed, or what is wrong with it.

    Dots, spaces and hyphens are dropped, and full-width digits are digits.

    Examples
    --------
    >>> read("8112.92.90.10", "GACC10")
    ('8112929010', None)
    >>> read("280450", "HS6")
    ('280450', None)
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if re.fullmatch(r"\d(\.\d+)?E\+?\d+", plain, re.IGNORECASE):
        return (
            None,
            f"code {text!r} is a number that a spreadsheet has shortened; its digits are lost. Store codes as text",
        )
    # 2504101000.0 is how a column of numbers prints a code.
    plain = re.sub(r"^(\d{4,10})\.0$", r"\1", plain)
    digits = re.sub(r"[\s.\-]", "", plain)
    if not digits.isascii() or not digits.isdigit():
        return None, f"code {text!r} is not made of digits"
    return _sound(digits, text, system)


def _sound(digits: str, text: str, system: str) -> tuple[str | None, str | None]:
    count = len(digits)
    if count in (3, 5, 7, 9):
        return None, (
            f"code {text!r} has {count} digits; codes have 4, 6, 8 or 10. A spreadsheet may have dropped a leading "
            f"zero (0{digits}?). Store codes as text"
        )
    if count not in SYSTEMS[UNKNOWN]:
        return None, f"code {text!r} has {count} digits; codes have 4, 6, 8 or 10"
    if count not in SYSTEMS[system]:
        return None, f"code {text!r} has {count} digits, which no code of {system} has"
    if digits[:2] < _LEAST_CHAPTER:
        return None, f"code {text!r} is of chapter 00, which does not exist"
    return digits, None


class Lines:
    """The controlled lines, found by any number of their leading digits.

    Parameters
    ----------
    lines : 10-digit code → (number of an item, its issuer, exact or partial) of each item that it holds
    """

    def __init__(self, lines: Mapping[str, list[tuple[int, str, str]]]) -> None:
        self._below: dict[str, list[str]] = {}
        self._lines = lines
        for code in sorted(lines):
            for digits in SYSTEMS[UNKNOWN]:
                self._below.setdefault(code[:digits], []).append(code)

    def hits(self, digits: str, system: str) -> list[Hit]:
        """Return the items whose lines a code is or stands above, else those that share its first 6 digits."""
        for count in dict.fromkeys((len(digits), min(len(digits), COMMON))):
            found: dict[int, list[tuple[str, str]]] = {}
            for code in self._below.get(digits[:count], ()):
                for item, issuer, match in self._lines[code]:
                    if _comparable(count, len(digits), system, issuer):
                        found.setdefault(item, []).append((code, match))
            if found:
                return [_hit(item, count, pairs) for item, pairs in sorted(found.items())]
        return []


def _hit(item: int, count: int, pairs: list[tuple[str, str]]) -> Hit:
    codes = tuple(code for code, _ in pairs)
    if count < len(codes[0]):
        return Hit(item, f"{count} digits", False, codes)
    return Hit(item, "line", pairs[0][1] == "exact", codes)


def _comparable(count: int, length: int, system: str, issuer: str) -> bool:
    """Whether agreement of the first `count` of `length` digits says anything about a line of the issuer."""
    own = system in NATIONAL.get(issuer, ())
    if count > COMMON:
        return own or system == UNKNOWN
    # In the issuer's own system a longer code that differs is another line.
    return length == count or not own
