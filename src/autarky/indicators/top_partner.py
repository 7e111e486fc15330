"""The largest member."""

from typing import Any

from autarky.indicators import indicator


@indicator(unit="code", bounds=(None, None), over="partner", undefined="no member has a positive value", text=True)
def top_partner(value: Any, over: Any) -> Any:
    """The code of the member with the largest positive value; of equals, the first in alphabetical order.

    Returns
    -------
    code (text)

    Undefined when
    --------------
    no member has a positive value.

    Examples
    --------
    USA 70, DEU 70, JPN 10: DEU.
    """
    import ibis

    return over.argmin(ibis.struct({"value": -value, "member": over}), where=value > 0)
