"""Share of every member."""

from collections.abc import Sequence
from typing import Any

from autarky.indicators import table_indicator


@table_indicator(
    unit="1", bounds=(0, 1), over="partner", undefined="the total is zero, or the member's value is not reported"
)
def share(table: Any, by: Sequence[str], over: str) -> Any:
    """Every member's share of its group's total: a row a member.

    s_i = v_i / Σ v

    Parameters
    ----------
    table : one row a (by, over) with column `value` (US dollars)

    Returns
    -------
    the same rows, `value` between 0 and 1; the shares of a group sum to 1

    Undefined when
    --------------
    the group's total is zero, or the member's value is not reported.

    Examples
    --------
    USA 30, DEU 70: USA 0.3, DEU 0.7.
    """
    total = table.value.sum().over(group_by=[table[k] for k in by]) if by else table.value.sum().over()
    return table.mutate(value=table.value / total.nullif(0))
