"""Intensive margin of Hummels and Klenow: how much the group trades of what it trades."""

from typing import Any

from autarky.indicators import indicator


def _why(value: Any, over: Any, others: Any, all_others: Any, among: str) -> Any:
    import ibis

    unknown = "a value of the group is not reported; --where value_usd!= leaves such rows out"
    return ibis.cases(
        (value.isnull().any(), unknown),
        ((value > 0).any(), f"no other {among} trades what the group trades (a --where on {among} leaves others out)"),
        else_="the group trades nothing",
    )


@indicator(unit="1", bounds=(0, None), over="product", undefined=_why, against="others")
def intensive_margin(value: Any, over: Any, others: Any, all_others: Any, among: str = "reporter") -> Any:
    """The group's total over that of all others in the products that the group trades: how deep its trade is.

    IM_j = Σ_{i∈I_j} X_ji / Σ_{i∈I_j} X_ki, with I_j the members of `over` (products) of which j has a positive value,
    and k all members of the key `among` (countries, areas) except j, within one value of the other keys (a year)

    Returns
    -------
    pure number, 0 or more; times `extensive_margin` it is the group's total over that of all others

    Undefined when
    --------------
    a value of the group is not reported, the group trades nothing, or no other trades what it trades.

    References
    ----------
    Hummels, D. & Klenow, P. J. (2005), "The Variety and Quality of a Nation's Exports", American Economic Review 95(3),
    704–723.

    Examples
    --------
    The others trade 60 cars, 30 wine and 10 tea; the group 20 cars and 1 tea: 21 / 70 = 0.3.
    """
    import ibis

    found = value.sum() / others.sum(where=value > 0).nullif(0)
    return ibis.cases((value.isnull().any(), None), else_=found)
