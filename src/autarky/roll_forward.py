"""Carry annual values forward by monthly indices, bridge two classifications, and validate both.

After appendix B of Naughton and Fang (2025): Comtrade gives the annual base, customs the monthly indices.  All tables
are small; `keys` are the columns that tell series apart: flow and category, whichever of them is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from autarky.errors import MeasureError, SourceError, TableError, listed

MONTHS = 12
KEYS = ("flow", "category")
ALL = "all"


def indices_from_monthly(monthly: pd.DataFrame) -> pd.DataFrame:
    """Return each month as a percentage of the previous year's monthly mean.

    Formula: idx_{y,m} = 100 · x_{y,m} / (Σ_m x_{y-1,m} / 12).

    Parameters
    ----------
    monthly : month (Period), value_usd, and flow, category where there are several series

    Returns
    -------
    month, the keys, index (percent), flag (why it is null): from the second year of the series on

    Undefined when the month, or a month of the year before, is not reported, or that year is zero

    Examples
    --------
    A year of 10 a month, then 12 in January: 120.
    """
    keys = _keys(monthly)
    frame = monthly.assign(year=monthly["month"].dt.year)
    years = frame.groupby([*keys, "year"], as_index=False)["value_usd"].agg(["sum", "count"])
    years = years.assign(year=years["year"] + 1).rename(columns={"sum": "before", "count": "held"})
    frame = frame.merge(years, on=[*keys, "year"], how="left")
    frame = frame[frame["year"] > frame["year"].min()]
    whole = (frame["held"] == MONTHS) & (frame["before"] != 0)
    index = (100 * frame["value_usd"] / (frame["before"] / MONTHS)).where(whole)
    flags = [
        None
        if i == i
        else f"{year - 1} has {0 if n != n else int(n)} of {MONTHS} months"
        if n != MONTHS
        else f"{year - 1} is zero"
        if before == 0
        else "the month is not reported"
        for i, year, n, before in zip(index, frame["year"], frame["held"], frame["before"], strict=True)
    ]
    frame = frame.assign(index=index, flag=pd.array(flags, dtype="object"))
    return frame[["month", *keys, "index", "flag"]].sort_values([*keys, "month"], ignore_index=True)


def read_indices(path: str | Path) -> pd.DataFrame:
    """Read a table of indices: columns month (2024-01), category, index (percent) and, where there are two, flow.

    Returns
    -------
    month (Period), flow, category, index; an empty index is null, not zero

    Raises
    ------
    SourceError : a column is missing; a month, an index or a flow is not one; a row is there twice
    """
    name = Path(path).name
    try:
        frame = pd.read_csv(path, dtype="string", keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SourceError(f"{path}: not a readable UTF-8 CSV table ({error})") from error
    frame.columns = frame.columns.str.strip().str.lower()
    missing = [c for c in ("month", "category", "index") if c not in frame]
    if missing:
        raise SourceError(f"{name}: no column {listed(missing)}; expected month, category, index and, if any, flow")
    keys = _keys(frame)
    cells = {c: [str(v).strip() for v in frame[c]] for c in ("month", *keys, "index")}
    months, values, wrong = [], [], []
    for row, (month, text) in enumerate(zip(cells["month"], cells["index"], strict=True), start=2):
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            wrong.append(f"row {row}: month {month!r} (expected 2024-01)")
        elif text and not re.fullmatch(r"\d+(\.\d+)?", text):
            wrong.append(f"row {row}: index {text!r} (expected a percentage such as 103.2, or nothing)")
        else:
            months.append(pd.Period(month, "M"))
            values.append(float(text) if text else float("nan"))
    for row, flow in enumerate(cells.get("flow", []), start=2):
        if flow not in ("import", "export"):
            wrong.append(f"row {row}: flow {flow!r} (expected import or export)")
    if wrong:
        raise SourceError(f"{name}: {len(wrong)} rows are not well formed: {listed(wrong)}")
    table = pd.DataFrame({"month": months, **{k: cells[k] for k in keys}, "index": values})
    twice = table[table.duplicated(["month", *keys], keep=False)]
    if len(twice):
        said = [" ".join(map(str, r)) for r in twice[["month", *keys]].drop_duplicates().itertuples(index=False)]
        raise SourceError(f"{name}: more than one index for {listed(said)}")
    return table


def roll(base: pd.DataFrame, indices: pd.DataFrame, years: Sequence[int]) -> pd.DataFrame:
    """Carry the values of a year forward.

    Formula: Vol_y = Σ_m Vol_{y-1}/12 · idx_{y,m}/100, each year from the one before.

    Parameters
    ----------
    base : the keys, value_usd of the year before the first of `years`
    indices : month (Period), the keys, index
    years : consecutive years

    Returns
    -------
    year, the keys, value_usd, flag (why it is null)

    Undefined when a year has fewer than 12 indices, or the year before is null

    Raises
    ------
    MeasureError : years that do not follow one another, an empty base, or a series of it without any index

    Examples
    --------
    1,200 and twelve indices of 110 give 1,320; so does a year of which half the months are 100 and half 120.
    """
    wanted = list(years)
    if not wanted or wanted != list(range(wanted[0], wanted[0] + len(wanted))):
        raise MeasureError(f"years {wanted}: expected one or more that follow one another")
    if base.empty:
        raise MeasureError(f"there are no values of {wanted[0] - 1} to carry forward")
    keys = _keys(base)
    _matching(base, indices, keys)
    found = indices.assign(year=indices["month"].dt.year).dropna(subset="index")
    factors = found.groupby([*keys, "year"])["index"].agg(["sum", "count"])
    rows = []
    for record in base[[*keys, "value_usd"]].to_dict("records"):
        value = float(record["value_usd"])
        flag = None if value == value else f"no value of {wanted[0] - 1}"
        for year in wanted:
            at = (*(record[k] for k in keys), year)
            total, held = factors.loc[at] if at in factors.index else (0.0, 0)
            if flag is None and held != MONTHS:
                flag = f"{year} has {int(held)} of {MONTHS} indices"
            value = value / MONTHS * float(total) / 100 if flag is None else float("nan")
            rows.append({"year": year, **{k: record[k] for k in keys}, "value_usd": value, "flag": flag})
    return pd.DataFrame(rows).astype({"flag": "object"})


@dataclass(frozen=True)
class Bridge:
    """From one classification to another.

    Attributes
    ----------
    ratios : year, the keys, bec4_usd, bec5_usd, residual r = (bec4 − bec5)/bec5, flag
    spread : the keys, years, mean, low, high (of r), sd (ddof 1; null for one year)
    estimates : year, the keys, value_usd = bec5·(1 + mean r), low_usd and high_usd (by the lowest and highest r),
        flag.  The range is that of the years seen, not an interval of a stated probability
    """

    ratios: pd.DataFrame
    spread: pd.DataFrame
    estimates: pd.DataFrame


def bridge(bec4: pd.DataFrame, bec5: pd.DataFrame, years: Sequence[int], to: Sequence[int] = ()) -> Bridge:
    """Estimate BEC4 values of years that are known in BEC5 only.

    Formula: r̄ = mean over `years` of (BEC4_y − BEC5_y)/BEC5_y; BEC4_t = BEC5_t · (1 + r̄).

    Parameters
    ----------
    bec4, bec5 : year, the keys, value_usd
    years : the years that are in both
    to : the years to estimate; default: those of bec5 after the last of `years`

    Raises
    ------
    MeasureError : no year, or one that neither table has

    Examples
    --------
    BEC4 of 110 and 120 beside BEC5 of 100 and 100: r = 0.10 and 0.20, so a BEC5 of 200 becomes 230 (220 to 240).
    """
    keys = _keys(bec4)
    absent = [str(y) for y in years if y not in set(bec4["year"]) & set(bec5["year"])]
    if absent or not len(years):
        raise MeasureError(f"bridge: {listed(absent) or 'no year'} must be in both classifications")
    both = bec4[bec4["year"].isin(years)][["year", *keys, "value_usd"]].merge(
        bec5[["year", *keys, "value_usd"]], on=["year", *keys], how="left", suffixes=("_4", "_5")
    )
    both = both.rename(columns={"value_usd_4": "bec4_usd", "value_usd_5": "bec5_usd"})
    defined = both["bec4_usd"].notna() & (both["bec5_usd"] > 0)
    r = (both["bec4_usd"] / both["bec5_usd"] - 1).where(defined)
    flags = pd.Series("BEC5 is zero or one of the two is not reported", index=both.index, dtype="object").mask(defined)
    ratios = both.assign(residual=r, flag=flags).sort_values([*keys, "year"], ignore_index=True)
    spread = ratios.groupby(keys)["residual"].agg(["count", "mean", "min", "max", "std"]).reset_index()
    spread = spread.rename(columns={"count": "years", "min": "low", "max": "high", "std": "sd"})
    targets = list(to) or sorted(y for y in set(bec5["year"]) if y > max(years))
    part = bec5[bec5["year"].isin(targets)][["year", *keys, "value_usd"]].merge(spread, on=keys, how="left")
    known = part["value_usd"].notna() & part["mean"].notna()
    estimates = part[["year", *keys]].assign(
        value_usd=part["value_usd"] * (1 + part["mean"]),
        low_usd=part["value_usd"] * (1 + part["low"]),
        high_usd=part["value_usd"] * (1 + part["high"]),
        flag=pd.Series("no BEC5 value, or no residual is defined", index=part.index, dtype="object").mask(known),
    )
    return Bridge(ratios, spread, estimates.sort_values([*keys, "year"], ignore_index=True))


def validate(
    annual: pd.DataFrame, indices: pd.DataFrame, base_year: int, years: Sequence[int], rebased: bool = False
) -> pd.DataFrame:
    """Carry a known year forward over years that are known as well, and compare.

    Parameters
    ----------
    annual : year, the keys, value_usd
    indices : month (Period), the keys, index
    base_year : the year to start from; `years` follow it
    rebased : start every year from the actual year before, instead of from the projected one

    Returns
    -------
    year, flow, category, projected_usd, actual_usd, residual = projected/actual − 1, flag.  `all` is the sum over
    what both have: over categories, over flows, and (year null) over the years

    Raises
    ------
    MeasureError : the base year is not there; see `roll`
    """
    keys = _keys(annual)
    if base_year not in set(annual["year"]):
        raise MeasureError(f"validation: the base year {base_year} is not in the annual values")
    if rebased:
        parts = [roll(annual[annual["year"] == year - 1], indices, [year]) for year in years]
        projected = pd.concat(parts, ignore_index=True)
    else:
        projected = roll(annual[annual["year"] == base_year], indices, list(years))
    actual = annual[["year", *keys, "value_usd"]].rename(columns={"value_usd": "actual_usd"})
    frame = projected.rename(columns={"value_usd": "projected_usd"}).merge(actual, on=["year", *keys], how="left")
    frame["flag"] = frame["flag"].mask(frame["flag"].isna() & frame["actual_usd"].isna(), "no actual value")
    frame = _with_sums(frame, keys)
    residual = (frame["projected_usd"] / frame["actual_usd"] - 1).where(frame["actual_usd"] > 0)
    order = ["year", *keys, "projected_usd", "actual_usd", "residual", "flag"]
    return frame.assign(residual=residual, year=frame["year"].astype("Int64"))[order]


def _with_sums(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Add the sums over categories, over flows, and over years, of the cells that have both figures."""
    values = ["projected_usd", "actual_usd"]
    frames = [frame]
    whole = frame[frame["flag"].isna()]
    groups: list[list[str]] = [["year", "flow"], ["year"]] if "flow" in keys else [["year"]]
    groups += [[k for k in g if k != "year"] for g in [["year", *keys], *groups]]
    for held in groups:
        sums = whole.groupby(held, as_index=False)[values].sum() if held else whole[values].sum().to_frame().T
        missing: dict[str, Any] = {k: ALL for k in keys if k not in held}
        if "year" not in held:
            missing["year"] = pd.NA
        frames.append(sums.assign(**missing, flag=None))
    return pd.concat([f for f in frames if len(f)], ignore_index=True)


def _keys(frame: pd.DataFrame) -> list[str]:
    keys = [k for k in KEYS if k in frame.columns]
    if not keys:
        raise TableError(f"a table of values needs a column flow or category; it has {listed(list(frame.columns), 12)}")
    return keys


def _matching(base: pd.DataFrame, indices: pd.DataFrame, keys: list[str]) -> None:
    absent = [k for k in keys if k not in indices.columns]
    if absent:
        raise MeasureError(f"the indices have no column {listed(absent)}, which tells the annual values apart")
    held = set(indices[keys].itertuples(index=False, name=None))
    without = [" ".join(row) for row in base[keys].itertuples(index=False, name=None) if row not in held]
    if without:
        named = sorted(" ".join(row) for row in held)
        raise MeasureError(f"no index for {listed(without)}; the indices are for {listed(named, 12)}")
