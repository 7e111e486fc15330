"""Effective number of members."""

from typing import Any

from autarky.indicators import indicator


@indicator(unit="members", bounds=(1, None), over="partner", undefined="the total is zero or not reported")
def effective_number(value: Any, over: Any) -> Any:
    """The number of equal members that would be as concentrated: the inverse of the Herfindahl index.

    N = (Σ v)² / Σ v_i²

    Returns
    -------
    number of members, at least 1 and at most the number of members with a positive value

    Undefined when
    --------------
    the total is zero, or no member reports a value.

    References
    ----------
    Laakso, M. & Taagepera, R. (1979), "Effective Number of Parties", Comparative Political Studies 12(1), 3–27;
    Adelman, M. A. (1969), "Comment on the H Concentration Measure as a Numbers-Equivalent", Review of Economics and
    Statistics 51(1), 99–101.

    Examples
    --------
    Shares 50, 50 %: 1 / (0.25 + 0.25) = 2.
    """
    total = value.sum()
    return (total * total) / (value * value).sum().nullif(0)
