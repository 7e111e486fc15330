"""Entry: trade in what was not traded before."""

from typing import Any

from autarky.compared import change, why_no_change
from autarky.indicators import indicator


@indicator(unit="USD", bounds=(0, None), over="product", undefined=why_no_change, against="before")
def entry(value: Any, over: Any, before: Any, there: Any, months: int = 12) -> Any:
    """The value now of members that the group did not trade before.

    Σ_{i∈I_t, i∉I_s} X_it, with I_t the members of `over` (products) that the group trades at t, that is with a
    value other than zero, and s the period `months` before t

    Returns
    -------
    current US dollars, 0 or more; entry + continuing + exit = X_t − X_s, the group's whole change

    Undefined when
    --------------
    the group has no row at s (so the first year is not all entry), or a row at t or s has no value.

    References
    ----------
    Bernard, A. B., Jensen, J. B., Redding, S. J. & Schott, P. K. (2009), "The Margins of US Trade", American Economic
    Review 99(2), 487–493.

    Examples
    --------
    A year before: cars 60, wine 5; now: cars 70, tea 3.  Entry 3, continuing 70 − 60 = 10, exit −5; 73 − 65 = 8.
    """
    return change(value, before, there, before == 0)
