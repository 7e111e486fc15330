"""Extensive margin of Hummels and Klenow: how much of what the others trade the group trades as well."""

from typing import Any

from autarky.indicators import indicator


def _why(value: Any, over: Any, others: Any, all_others: Any, among: str) -> Any:
    import ibis

    unknown = "a value of the group is not reported; --where value_usd!= leaves such rows out"
    return ibis.cases(
        (value.isnull().any(), unknown),
        else_=f"no other {among} trades anything (a --where on {among} leaves others out)",
    )


@indicator(unit="1", bounds=(0, 1), over="product", undefined=_why, against="others")
def extensive_margin(value: Any, over: Any, others: Any, all_others: Any, among: str = "reporter") -> Any:
    """The share, in the trade of all others, of the products that the group trades: how wide its trade is.

    EM_j = Σ_{i∈I_j} X_ki / Σ_i X_ki, with I_j the members of `over` (products) of which j has a positive value, and k
    all members of the key `among` (countries, areas) except j, within one value of the other keys (a year)

    Returns
    -------
    share between 0 and 1; times `intensive_margin` it is the group's total over that of all others

    Undefined when
    --------------
    a value of the group is not reported, or no other member of `among` trades anything.

    References
    ----------
    Hummels, D. & Klenow, P. J. (2005), "The Variety and Quality of a Nation's Exports", American Economic Review 95(3),
    704–723; the weights are those of Feenstra, R. C. (1994), American Economic Review 84(1), 157–177.

    Examples
    --------
    The others trade 60 cars, 30 wine and 10 tea; the group trades cars and tea: (60 + 10) / 100 = 0.7.
    """
    import ibis

    found = others.sum(where=value > 0).coalesce(0.0) / all_others.nullif(0)
    # Who trades everything has exactly 1; rounding must not make it more.
    return ibis.cases((value.isnull().any(), None), (found > 1, 1.0), else_=found)
