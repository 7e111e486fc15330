"""Volatility: the coefficient of variation."""

from typing import Any

from autarky.indicators import indicator


def _why(value: Any, over: Any, ddof: int = 1) -> Any:
    import ibis

    return ibis.cases((value.count() <= ddof, "too few periods with a value"), else_="the mean is zero")


@indicator(unit="1", bounds=(0, None), over="period", undefined=_why)
def volatility(value: Any, over: Any, ddof: int = 1) -> Any:
    """How much a series moves around its mean.

    V = SD(x) / mean(x), SD with n − ddof in the denominator

    Returns
    -------
    pure number, 0 for a constant series

    Undefined when
    --------------
    there are no more periods with a value than `ddof` (1, or 0 for the population), or the mean is zero.

    References
    ----------
    Naughton, B. & Fang, Z. (2025), "China's Self-Reliance Goal: How Much Progress?", draft of 20 June 2025, section 4
    (which does not state ddof; 1 is the default here).

    Examples
    --------
    x = 1, 2, 3: SD = 1 (ddof 1), mean 2, V = 0.5; with ddof 0, V = sqrt(2/3)/2 = 0.408.
    """
    deviation = value.std(how="sample") if ddof == 1 else value.std(how="pop")
    return deviation / value.mean().nullif(0)
