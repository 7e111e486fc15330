"""Months and regressors → a checked design matrix.

Columns are centered and scaled on the baseline before anything is solved: GDP in dollars (1e13) beside a month count
(1e2) would otherwise lose the small one to rounding.  `back` takes coefficients to the units of the user.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autarky.errors import MeasureError, listed

Array = NDArray[np.float64]
VALUE, TIME, INTERCEPT = "value_usd", "time", "intercept"
SEASON = 12
LEAST_MONTHS, SPARE_MONTHS = 24, 12
# Above this a regressor repeats the others to six digits of R² and its coefficient is rounding error.
LARGEST_VIF = 1e6


@dataclass(frozen=True, eq=False)
class Design:
    """A checked regression problem.

    Attributes
    ----------
    frame : every month from the first to the last of the user's frame: value_usd and regressors; null = missing
    baseline : first and last month, inclusive
    regressors : their names; `time` counts months, 1 = the first of the frame
    terms : names of the columns of `matrix`: intercept, regressors, months of the year
    response : (months,) value_usd, or its natural logarithm; null = missing
    matrix : (months, terms) centered and scaled; null where a regressor is missing
    back : (terms, terms) coefficients of `matrix` → coefficients in the units given
    raw : (months, terms) the same columns in the units given
    used : (months,) whether the month is in the baseline and complete
    """

    frame: pd.DataFrame
    baseline: tuple[pd.Period, pd.Period]
    regressors: tuple[str, ...]
    terms: tuple[str, ...]
    response: Array
    matrix: Array
    back: Array
    raw: Array
    used: NDArray[np.bool_]

    @property
    def complete(self) -> NDArray[np.bool_]:
        """(months,) whether every regressor is there."""
        return np.asarray(~np.isnan(self.raw).any(axis=1))


def build(
    frame: pd.DataFrame, baseline: tuple[str, str], regressors: Sequence[str], *, log: bool, month_effects: bool
) -> Design:
    """Check a frame and lay out the regression.

    Raises
    ------
    MeasureError : the frame is not monthly, or a column of it is absent, not numeric or infinite; the baseline is
        outside the frame or too short; a regressor is constant in it, or repeats the others; a logarithm of zero
    """
    names = _names(regressors)
    table = _months(frame, names)
    first, last = _window(baseline, table)
    if log:
        _above_zero(table, first, last)
    taken = {c: _log(table[c]) if log and c != TIME else table[c].to_numpy() for c in table}
    response = taken[VALUE]
    columns = {INTERCEPT: np.ones(len(table))} | {n: taken[n] for n in names}
    if month_effects:
        columns |= {f"month {m}": (table.index.month == m).astype("float64") for m in range(2, SEASON + 1)}
    raw = np.column_stack(list(columns.values()))
    inside = np.asarray((table.index >= first) & (table.index <= last))
    used = inside & ~np.isnan(raw).any(axis=1) & ~np.isnan(response)
    _long_enough(table[inside], names, int(used.sum()), raw.shape[1], f"{first} to {last}")
    if month_effects:
        _whole_year(table.index[used])
    _varying(table[used], names)
    matrix, back = _scaled(raw, used, len(names))
    _apart(matrix[used], names)
    return Design(table, (first, last), names, tuple(columns), response, matrix, back, raw, used)


def month(text: Any) -> pd.Period:
    """Read a month, "2015-01" or a Period.

    Raises
    ------
    MeasureError : it is not a month
    """
    try:
        found = text if isinstance(text, pd.Period) else pd.Period(str(text), freq="M")
    except ValueError:
        raise MeasureError(f"{text!r} is not a month; write it as '2015-01'") from None
    if found is pd.NaT or found.freqstr != "M":
        raise MeasureError(f"{text!r} is not a month; write it as '2015-01'")
    return found


def inflation(matrix: Array, names: Sequence[str]) -> dict[str, float]:
    """Return the variance inflation factor of each named regressor: columns 1… of a matrix with an intercept."""
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    with np.errstate(divide="ignore"), warnings.catch_warnings():
        # The factor itself says how poorly the matrix is conditioned; `_apart` acts on it.
        warnings.filterwarnings("ignore", "The design matrix is")
        return {name: float(variance_inflation_factor(matrix, i)) for i, name in enumerate(names, 1)}


def _names(regressors: Sequence[str]) -> tuple[str, ...]:
    if isinstance(regressors, str):
        raise MeasureError(f"regressors={regressors!r}: expected a sequence of names, such as ('time', 'gdp')")
    names = tuple(regressors)
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise MeasureError(f"regressor given twice: {', '.join(twice)}")
    if VALUE in names:
        raise MeasureError(f"{VALUE!r} is what the model explains; it cannot be a regressor")
    return names


def _months(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Return a row for every month in order, all columns float64, `time` counted."""
    index = frame.index
    if not isinstance(index, pd.PeriodIndex) or index.freqstr != "M":
        kind = (
            f"a PeriodIndex of frequency {index.freqstr}" if isinstance(index, pd.PeriodIndex) else type(index).__name__
        )
        raise MeasureError(f"the frame needs a monthly PeriodIndex (freq 'M'); it has {kind}")
    twice = index[index.duplicated()].unique()
    if len(twice):
        raise MeasureError(f"months given twice in the frame: {listed([str(m) for m in twice])}; a month needs one row")
    if not len(index) or index.hasnans:
        raise MeasureError("the frame has no rows" if not len(index) else "the index of the frame has a missing month")
    if TIME in names and TIME in frame:
        raise MeasureError(f"the frame has a column {TIME!r}, but 'time' is counted here; rename or drop the column")
    every = pd.period_range(index.min(), index.max(), freq="M")
    table = pd.DataFrame({c: _numbers(frame, c) for c in (VALUE, *names) if c != TIME}).reindex(every)
    if TIME in names:
        table[TIME] = np.arange(1.0, len(table) + 1)
    return table


def _numbers(frame: pd.DataFrame, column: str) -> pd.Series[float]:
    what = "column" if column == VALUE else "regressor"
    if column not in frame:
        has = listed([str(c) for c in frame.columns], 10) or "none"
        raise MeasureError(f"{what} {column!r} is not in the frame, which has the columns: {has}")
    if (frame.columns == column).sum() > 1:
        raise MeasureError(f"the frame has more than one column {column!r}")
    given = frame[column]
    if not pd.api.types.is_numeric_dtype(given) or pd.api.types.is_bool_dtype(given) or given.dtype.kind == "c":
        raise MeasureError(f"{what} {column!r} holds {given.dtype}, not numbers")
    numbers = given.astype("float64")
    endless = numbers.index[np.isinf(numbers)]
    if len(endless):
        raise MeasureError(
            f"{what} {column!r} is infinite in {len(endless)} months: {listed([str(m) for m in endless])}"
        )
    return numbers


def _window(baseline: tuple[str, str], table: pd.DataFrame) -> tuple[pd.Period, pd.Period]:
    if isinstance(baseline, str) or len(baseline) != 2:
        raise MeasureError(f"baseline={baseline!r}: expected two months, such as ('2015-01', '2019-12')")
    first, last = month(baseline[0]), month(baseline[1])
    if first > last:
        raise MeasureError(f"the baseline ends ({last}) before it starts ({first})")
    if first < table.index[0] or last > table.index[-1]:
        runs = f"which runs from {table.index[0]} to {table.index[-1]}"
        raise MeasureError(f"the baseline {first} to {last} is not inside the frame, {runs}")
    return first, last


def _log(values: pd.Series[float]) -> Array:
    """Natural logarithm; null where there is none, which `_above_zero` has kept out of the months that matter."""
    logarithm: Array = np.log(values.where(values > 0).to_numpy())
    return logarithm


def _above_zero(table: pd.DataFrame, first: pd.Period, last: pd.Period) -> None:
    """Logarithms need positive numbers: the value in the baseline, the regressors there and later.

    Outside the baseline an import of zero is a fact, and no logarithm of it is needed.
    """
    for column in table.columns.drop(TIME, errors="ignore"):
        held = table.loc[first : last if column == VALUE else None, column]
        low = held.index[held <= 0]
        if len(low):
            where = listed([str(m) for m in low])
            raise MeasureError(f"log=True, but {column!r} is zero or less in {len(low)} months: {where}")


def _long_enough(inside: pd.DataFrame, names: tuple[str, ...], months: int, terms: int, window: str) -> None:
    least = max(LEAST_MONTHS, terms + SPARE_MONTHS)
    if months >= least:
        return
    gaps = [f"{c} missing in {n}" for c in (VALUE, *names) if (n := int(inside[c].isna().sum()))]
    raise MeasureError(
        f"the baseline {window} has {months} usable months of {len(inside)}"
        f"{f' ({listed(gaps)})' if gaps else ''}; {terms} coefficients need at least {least}"
    )


def _whole_year(months: pd.PeriodIndex) -> None:
    absent = sorted(set(range(1, SEASON + 1)) - set(months.month))
    if absent:
        raise MeasureError(
            f"month_effects=True, but the baseline never holds month {listed([str(m) for m in absent], 12)}"
        )


def _varying(used: pd.DataFrame, names: tuple[str, ...]) -> None:
    for name in names:
        values = used[name]
        if values.max() - values.min() <= 1e-12 * values.abs().max():
            raise MeasureError(
                f"regressor {name!r} is constant in the baseline ({values.iloc[0]:g} in all {len(values)} months), so "
                "its effect cannot be told from the intercept; leave it out or take a longer baseline"
            )


def _scaled(raw: Array, used: NDArray[np.bool_], regressors: int) -> tuple[Array, Array]:
    """Center and scale columns 1…regressors on the baseline; return the matrix and the way back."""
    matrix, back = raw.copy(), np.eye(raw.shape[1])
    for i in range(1, regressors + 1):
        center, spread = raw[used, i].mean(), raw[used, i].std()
        matrix[:, i] = (raw[:, i] - center) / spread
        back[i, i], back[0, i] = 1 / spread, -center / spread
    return matrix, back


def _apart(matrix: Array, names: tuple[str, ...]) -> None:
    # Where R² is 1, rounding can make 1/(1 − R²) infinite or negative.
    repeats = {n: v for n, v in inflation(matrix, names).items() if not 0 < v <= LARGEST_VIF}
    if repeats:
        said = ", ".join(f"{n} ({f'{v:.2g}' if 0 < v < np.inf else 'infinite'})" for n, v in repeats.items())
        raise MeasureError(
            f"regressors repeat one another in the baseline: variance inflation factor of {said}, above "
            f"{LARGEST_VIF:g}; leave one of them out"
        )
