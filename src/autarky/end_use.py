"""The big categories of end use: raw, intermediate, capital, consumption; and whether a watch list agrees with them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from autarky import watchlists
from autarky.codes import rows_of
from autarky.correlations import Reference
from autarky.errors import CodeError
from autarky.mapping import END_USE, Mapping, mapping
from autarky.references.checks import HS

if TYPE_CHECKING:
    import pandas as pd

BIG = ("raw", "intermediate", "capital", "consumption")


@cache
def _table() -> dict[tuple[str, str], tuple[str, ...]]:
    rows = rows_of("end_use_big")
    return {(r["nomenclature"], r["code"]): tuple(b for b in (r["big"], r["also"]) if b) for r in rows}


def big_categories(bec: str, nomenclature: str) -> tuple[str, ...]:
    """Return every big category that a BEC code holds, the one that it is counted in first.

    Parameters
    ----------
    bec : a basic category of BEC4 or BEC5, or two joined as `513202+512020`
    nomenclature : BEC4 or BEC5

    Returns
    -------
    none for BEC4 7 (goods n.e.s.); two for mixed categories (BEC4 51, passenger cars: consumption and capital)

    Raises
    ------
    CodeError : not BEC4 or BEC5, or no code of it
    """
    if nomenclature not in END_USE:
        raise CodeError(f"nomenclature {nomenclature!r} has no end use; expected {' or '.join(END_USE)}")
    found: list[str] = []
    for code in bec.split("+"):
        if (nomenclature, code) not in _table():
            raise CodeError(f"{nomenclature} has no basic category {code!r}")
        found += _table()[nomenclature, code]
    return tuple(dict.fromkeys(found))


def big_category(bec: str, nomenclature: str) -> str | None:
    """Return the big category that a BEC code is counted in: raw, intermediate, capital or consumption.

    Formula: BEC4 by the SNA's classes, with primary goods for industry as raw; BEC5 by the end use that the code names,
    with primary intermediates as raw.  Every row is in `data/end_use_big.csv` with its source; `assumed` marks mixed
    categories.  A product of two uses goes with its first; see `big_categories`.

    Returns
    -------
    None for BEC4 7 (goods n.e.s.)

    Examples
    --------
    >>> big_category("42", "BEC4"), big_category("611220", "BEC5")
    ('intermediate', 'intermediate')
    >>> big_category("513202+512020", "BEC5")
    'consumption'
    """
    found = big_categories(bec, nomenclature)
    return found[0] if found else None


def agreement(watchlist: str | watchlists.WatchList, reference: Reference = None) -> pd.DataFrame:
    """Return, for every code of a watch list, the UN's end use beside the category that the list gives it.

    Returns
    -------
    a row a code: watchlist, group, category, code, label, hs6, edition, and for each of BEC4 and BEC5 the code
    (`bec4`), its big category (`big_bec4`) and whether it is the list's (`agrees_bec4`: yes, no, or `in part` where the
    UN names two uses and the list's is not the first); null where no edition holds the code

    Raises
    ------
    CodeError : the end-use tables are not here
    """
    import pandas as pd

    wanted = watchlists.load(watchlist) if isinstance(watchlist, str) else watchlist
    uses: dict[tuple[str, str], dict[str, str]] = {}
    rows = []
    for entry in wanted.entries:
        hs6 = entry.code[:6]
        row: dict[str, str | None] = {
            "watchlist": wanted.id,
            "group": entry.group,
            "category": entry.category,
            "code": entry.code,
        }
        row |= {"label": entry.label, "hs6": hs6, "edition": None}
        for target in END_USE:
            name = target.lower()
            row |= {name: None, f"big_{name}": None, f"agrees_{name}": None}
            for edition in _editions(entry):
                if (edition, target) not in uses:
                    uses[edition, target] = _single(mapping(edition, target, "separate", reference))
                if bec := uses[edition, target].get(hs6):
                    row |= {"edition": edition, name: bec, f"big_{name}": big_category(bec, target)}
                    row[f"agrees_{name}"] = _agrees(entry.category, big_categories(bec, target))
                    break
        rows.append(row)
    return pd.DataFrame(rows)


def _editions(entry: watchlists.Entry) -> tuple[str, ...]:
    """Return the HS editions to look in, the one of the code's years first."""
    if entry.nomenclature in HS:
        return (entry.nomenclature,)
    if entry.since and entry.since >= 2022:
        return ("HS2022", "HS2017", "HS2012")
    return ("HS2012", "HS2017", "HS2022") if entry.until and entry.until < 2017 else ("HS2017", "HS2012", "HS2022")


def _single(found: Mapping) -> dict[str, str]:
    return dict(zip(found.links["from_code"], found.links["to_code"], strict=True))


def _agrees(category: str, found: tuple[str, ...]) -> str | None:
    own = category.lower().split()[-1]
    if own not in BIG or not found:
        return None
    return "yes" if own == found[0] else "in part" if own in found else "no"
