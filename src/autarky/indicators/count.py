"""Number of members."""

from typing import Any

from autarky.indicators import indicator


@indicator(unit="members", bounds=(0, None), over="partner", undefined="never")
def count(value: Any, over: Any) -> Any:
    """The number of members with a positive value; neither a reported zero nor a missing value counts.

    n = Σ_i [v_i > 0]

    Returns
    -------
    number of members, 0 or more

    Undefined when
    --------------
    never.

    Examples
    --------
    Values 5, 0, null, 7: 2.
    """
    return (value > 0).sum().coalesce(0).cast("float64")
