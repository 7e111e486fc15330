"""Location quotient; of countries: revealed comparative advantage."""

from collections.abc import Sequence
from typing import Any

from autarky.compared import beside
from autarky.indicators import table_indicator


def _why(result: Any, among: str) -> Any:
    import ibis

    return ibis.cases(
        (
            result.groups == 1,
            f"nothing to compare with: it is the only {among} (a --where on {among} leaves others out)",
        ),
        (result.value_usd.isnull(), "the member's value is not reported"),
        (result.own_usd == 0, "the group's total is zero"),
        else_=f"nobody among {among} trades the member",
    )


@table_indicator(unit="1", bounds=(0, None), over="product", undefined=_why)
def location_quotient(table: Any, by: Sequence[str], over: str, among: str = "reporter") -> Any:
    """A member's share of its group's total over its share of the total of all groups: a row a member.

    LQ_rm = (e_rm / e_r) / (e_Nm / e_N), with r a member of the key `among` (a country, an area), m a member of `over`
    (a product), and N all of `among` together, r among them, each within one value of the other keys (a year)

    Parameters
    ----------
    table : one row a (by, over) with column `value` (US dollars)

    Returns
    -------
    the same rows, `value` 0 or more: 1 = as much as in the whole, 2 = twice as much.  A member that the group has no
    row for has no row

    Undefined when
    --------------
    the group is the only one of `among`, the member's value is not reported, the group's total is zero, or nobody
    trades the member.

    References
    ----------
    Florence, P. S. (1939), Report on the Location of Industry, Political and Economic Planning; as revealed comparative
    advantage: Balassa, B. (1965), "Trade Liberalisation and 'Revealed' Comparative Advantage", The Manchester School
    33(2), 99–123.

    Examples
    --------
    A product is 20 of a country's 100 and 50 of the 1,000 of all countries: 0.2 / 0.05 = 4.
    """
    import ibis

    rest = [k for k in by if k != among]
    own = table.aggregate(by=list(by), own_usd=table.value.sum())
    world = table.aggregate(by=[*rest, over], world_usd=table.value.sum())
    whole = own.aggregate(by=rest, whole_usd=own.own_usd.sum(), groups=own.count())
    # The small tables are joined first, so that the large one is joined twice and not three times.
    table = beside(beside(table, own, by), beside(world, whole, rest), [*rest, over])
    in_group = table.value / table.own_usd.nullif(0)
    in_whole = table.world_usd.nullif(0) / table.whole_usd.nullif(0)
    # Alone, a group is the whole, and every quotient 1: true, and nobody's question.
    found = ibis.cases((table.groups > 1, in_group / in_whole))
    return table.mutate(value_usd=table.value, value=found)
