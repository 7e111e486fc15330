"""Shannon entropy."""

from typing import Any

from autarky.indicators import indicator


@indicator(unit="nat", bounds=(0, None), over="partner", undefined="the total is zero or not reported")
def entropy(value: Any, over: Any) -> Any:
    """Diversity of a flow over its members: 0 = one member has all, ln n = n members have equal shares.

    V = Σ_i s_i ln(1/s_i) = ln S − Σ_i v_i ln v_i / S, with s_i = v_i / S, S = Σ v; a zero adds nothing (s ln s → 0)

    Returns
    -------
    nats (natural logarithm)

    Undefined when
    --------------
    the total is zero, or no member reports a value.

    References
    ----------
    Shannon, C. E. (1948), "A Mathematical Theory of Communication", Bell System Technical Journal 27, 379–423;
    Theil, H. (1967), Economics and Information Theory, North-Holland.

    Examples
    --------
    Shares 50, 25, 25 %: 0.5·ln 2 + 2·0.25·ln 4 = 1.5·ln 2 = 1.0397.
    """
    import ibis

    total = value.sum().nullif(0)
    found = total.ln() - (value * value.nullif(0).ln()).sum() / total
    # One member gives exactly 0; rounding must not make it negative.
    return ibis.cases((found < 0, 0.0), else_=found)
