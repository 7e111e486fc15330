"""Herfindahl–Hirschman index."""

from typing import Any

from autarky.indicators import indicator


@indicator(unit="1", bounds=(0, 1), over="partner", undefined="the total is zero or not reported")
def herfindahl(value: Any, over: Any) -> Any:
    """Concentration of a flow over its members: 1 = one member has all, 1/n = n members have equal shares.

    H = Σ_i (v_i / Σ v)²

    Returns
    -------
    pure number in (0, 1] (times 10,000 is the scale of competition authorities)

    Undefined when
    --------------
    the total is zero, or no member reports a value.

    References
    ----------
    Hirschman, A. O. (1964), "The Paternity of an Index", American Economic Review 54(5), 761.

    Examples
    --------
    Shares 30, 30, 20, 20 %: 0.09 + 0.09 + 0.04 + 0.04 = 0.26.
    """
    total = value.sum()
    return (value * value).sum() / (total * total).nullif(0)
