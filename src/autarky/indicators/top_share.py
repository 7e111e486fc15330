"""Share of the largest member."""

from typing import Any

from autarky.indicators import indicator


@indicator(unit="1", bounds=(0, 1), over="partner", undefined="the total is zero or not reported")
def top_share(value: Any, over: Any) -> Any:
    """The largest member's share of the total.

    C₁ = max v_i / Σ v

    Returns
    -------
    share between 0 and 1

    Undefined when
    --------------
    the total is zero, or no member reports a value.

    References
    ----------
    Hall, M. & Tideman, N. (1967), "Measures of Concentration", Journal of the American Statistical Association 62,
    162–168.

    Examples
    --------
    Values 70, 20, 10: 70 / 100 = 0.7.
    """
    return value.max() / value.sum().nullif(0)
