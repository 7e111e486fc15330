"""Dated codes: which codes a nomenclature held in which year, as far as its yearly lists say, and no further."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky import engine, references
from autarky.codes import check_nomenclature
from autarky.errors import CodeError, CoverageWarning, listed
from autarky.tables import LEVELS

if TYPE_CHECKING:
    import pandas as pd

    from autarky.tables import Flows

NATIONAL = {"GACC8", "CN8", "HTS10"}


@dataclass(frozen=True)
class OutOfYears:
    """What a table holds under codes that were not in force.

    Attributes
    ----------
    count : pairs of a code and a year in which it was not in force
    value_usd : their value
    first : the first five pairs, largest value first, as "85423300 in 2019"
    unknown : pairs in years that the lists do not cover; they are in none of the other figures
    """

    count: int
    value_usd: float
    first: tuple[str, ...]
    unknown: int

    def __str__(self) -> str:
        more = listed(list(self.first)) + (f" and {self.count - len(self.first)} more" if self.count > 5 else "")
        return f"{self.count} codes out of their years, {self.value_usd:,.0f} USD: {more}"


def lists(nomenclature: str, reference: str | Path | None = None) -> pd.DataFrame:
    """Return the yearly lists of a national nomenclature: year, code, name_en, name_zh, sorted by code and year.

    Raises
    ------
    CodeError : an unknown nomenclature, or none of its lists is in the reference
    """
    table = references.listings(check_nomenclature(nomenclature), reference)
    frame: pd.DataFrame = table.select(["year", "code", "name_en", "name_zh"]).to_pandas()
    return frame.sort_values(["code", "year"], ignore_index=True)


def valid(code: str, nomenclature: str, year: int, reference: str | Path | None = None) -> bool | None:
    """Return whether a code was in force in a year; None where the lists do not cover the year.

    An aggregate (`8542` of an 8-digit list) is in force while any code below it is; `TOTAL` always.

    Raises
    ------
    CodeError : the nomenclature is unknown or not in the reference
    """
    import pandas as pd

    found = validity(pd.Series([code], dtype="str"), pd.Series([year]), nomenclature, reference).iloc[0]
    return None if pd.isna(found) else bool(found)


def validity(codes: pd.Series, years: pd.Series, nomenclature: str, reference: str | Path | None = None) -> pd.Series:
    """Return for each pair of a code and a year whether the code was in force; see `valid`.

    Returns
    -------
    nullable booleans on the index of `codes`; null = the lists do not cover the year
    """
    import pandas as pd

    known, covered = _in_force(nomenclature, years, reference)
    levels = [n for n in LEVELS[nomenclature] if (codes.str.len() == n).any()]
    prefixes = [known.assign(code=known["code"].str[:n])[known["code"].str.len() >= n] for n in levels]
    held = pd.concat([*prefixes, known.head(0)]).drop_duplicates()
    pairs = pd.DataFrame({"code": codes.to_numpy(), "year": years.to_numpy()}, index=codes.index)
    found = pairs.merge(held, on=["code", "year"], how="left", indicator=True)["_merge"].eq("both").to_numpy()
    answer = pd.Series(found, index=codes.index, dtype="boolean") | codes.eq("TOTAL").astype("boolean")
    return answer.mask(~pairs["year"].isin(covered))


def _in_force(nomenclature: str, years: pd.Series, reference: str | Path | None) -> tuple[pd.DataFrame, set[int]]:
    """Return the codes in force (code, year) in the years asked for, and which of those years are covered."""
    import pandas as pd

    asked = {int(y) for y in years.unique()}
    if not check_nomenclature(nomenclature).startswith("HS"):
        known = lists(nomenclature, reference)[["code", "year"]]
        return known, asked & {int(y) for y in known["year"].unique()}
    table = references.load("nomenclature", reference, nomenclature=nomenclature).to_pandas()
    first, last = references.card("nomenclature", reference, nomenclature=nomenclature)["covers"]
    covered = {y for y in asked if first is not None and y >= first and (last is None or y <= last)}
    parts = [table.loc[within(y, table["since"], table["until"]), ["code"]].assign(year=y) for y in sorted(covered)]
    none = pd.DataFrame({"code": pd.Series(dtype="str"), "year": pd.Series(dtype="int64")})
    return pd.concat([*parts, none]), covered


def within(years: int | pd.Series, since: pd.Series, until: pd.Series) -> pd.Series:
    """Return whether a year lies in a span, both ends included; an end that is not given is open."""
    return (since.isna() | (since <= years)) & (until.isna() | (until >= years))


def out_of_years(frame: pd.DataFrame, nomenclature: str, reference: str | Path | None = None) -> OutOfYears:
    """Count what stands under codes out of their years.

    Parameters
    ----------
    frame : product, year, value_usd
    """
    sums = frame.groupby(["product", "year"], as_index=False)["value_usd"].sum()
    state = validity(sums["product"], sums["year"], nomenclature, reference)
    wrong = sums[state.eq(False).fillna(False).to_numpy()].sort_values(
        ["value_usd", "product", "year"], ascending=[False, True, True]
    )
    first = tuple(f"{p} in {y}" for p, y in wrong[["product", "year"]].head(5).itertuples(index=False))
    return OutOfYears(len(wrong), float(wrong["value_usd"].sum()), first, int(state.isna().sum()))


def warn_out_of_years(con: Any, flows: Flows, reference: str | Path | None = None) -> None:
    """Warn of national codes in years in which they were not in force, as far as yearly lists are at hand.

    Editions of the HS are left alone: an old one is used legitimately after its years.
    """
    for name in sorted(NATIONAL & set(flows.coverage["nomenclature"])):
        try:
            references.card("nomenclature", reference, nomenclature=name)
        except CodeError:
            # Without yearly lists nothing can be said of years.
            continue
        table = flows.table.filter(flows.table["nomenclature"] == name)
        sums = table.aggregate(
            by={"product": table["product"], "year": table.period.year()}, value_usd=table.value_usd.sum()
        )
        found = out_of_years(engine.rows(con, sums).to_pandas(), name, reference)
        if found.count:
            warnings.warn(f"{name}: {found}", CoverageWarning, stacklevel=2)
