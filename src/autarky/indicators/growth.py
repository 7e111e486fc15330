"""Growth index: time-weighted mean change against the first period."""

from typing import Any

from autarky.errors import MeasureError
from autarky.indicators import indicator

BASES = ("first", "first-year")
MONTHS_A_YEAR = 12


def _base(value: Any, over: Any, base: str) -> Any:
    if base not in BASES:
        raise MeasureError(f"growth: base={base!r}: expected {' or '.join(BASES)}")
    return value.mean(where=over <= (1 if base == "first" else MONTHS_A_YEAR))


def _why(value: Any, over: Any, base: str = "first") -> Any:
    import ibis

    name = "the first period" if base == "first" else "the first year"
    first = _base(value, over, base)
    return ibis.cases((first.isnull(), f"base missing: no value in {name}"), else_=f"base is zero: nothing in {name}")


@indicator(unit="1", bounds=(-1, None), over="period", undefined=_why)
def growth(value: Any, over: Any, base: str = "first") -> Any:
    """Mean change against the first period, later periods weighing more.

    G = Σ_t t·x'_t / Σ_t t, x'_t = (x_t − x_1)/x_1, over the periods t = 1…T that have a value

    Returns
    -------
    pure number, −1 or more: 0 = no change, 1 = twice the base

    Undefined when
    --------------
    the base (the window's first period, or with `base="first-year"` the mean of its first 12) is missing or zero.

    References
    ----------
    Naughton, B. & Fang, Z. (2025), "China's Self-Reliance Goal: How Much Progress?", draft of 20 June 2025, section 4.

    Examples
    --------
    x = 1, 2, 3: x' = 0, 1, 2; G = (1·0 + 2·1 + 3·2)/6 = 4/3.
    Closed form: x_t = 1 + g(t−1) gives G = 2g(T−1)/3.
    """
    weight = over.cast("float64")
    held = weight.sum(where=value.notnull()).nullif(0)
    return (weight * value).sum() / held / _base(value, over, base).nullif(0) - 1
