"""Where engines differ in meaning: the difference is shown on a small table, and what is written agrees in spite of it.

DuckDB here and Spark SQL on a real cluster are asked for the same Ibis expression.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import assert_same, cluster

from autarky import compared, engine, indicators, registry, spark
from autarky.measure import aggregate
from autarky.tables import column

pytestmark = pytest.mark.spark

# Both engines with one table of the same rows.
Pair = tuple[Any, Any]
Made = Callable[[pa.Table], Pair]


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[spark.Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), workers=1) as running:
        con = engine.connect(running.url, memory="512MB", route="sql")
        yield con
        con.disconnect()


@pytest.fixture
def made(joined: spark.Cluster, tmp_path: Path) -> Made:
    """Return a function from rows to a table of them on DuckDB and on Spark."""

    def both(rows: pa.Table) -> Pair:
        place = tmp_path / f"n={len(list(tmp_path.iterdir()))}" / "year=2020"
        place.mkdir(parents=True)
        pq.write_table(rows, place / "rows.parquet")
        hive = {"n": "INTEGER", "year": "INTEGER"}
        here, there = (engine.read_parquet(c, [str(place / "rows.parquet")], hive) for c in (engine.connect(), joined))
        return here, there

    joined.taken.clear()
    return both


def answers(tables: Pair, question: Callable[[Any], Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ask both engines; the second must have been Spark SQL."""
    here, there = arrow(tables, question)
    return here.to_pandas(), there.to_pandas()


def arrow(tables: Pair, question: Callable[[Any], Any]) -> tuple[pa.Table, pa.Table]:
    here, there = (engine.rows(t.get_backend(), question(t)) for t in tables)
    assert tables[1].get_backend().taken[-1] == ("sql", 1)
    return here, there


def agree(tables: Pair, question: Callable[[Any], Any]) -> pd.DataFrame:
    """Hold that both engines say the same, and return it."""
    here, there = arrow(tables, question)
    assert there.schema == here.schema
    # A data frame takes null and NaN for the same.
    assert [c.null_count for c in there.columns] == [c.null_count for c in here.columns]
    expected: pd.DataFrame = here.to_pandas()
    assert_same(there.to_pandas(), expected)
    return expected


def by_hand(tables: Pair, sql: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run the same SQL, written by hand, on both engines."""
    here, there = tables
    con = there.get_backend()
    # Asked once, Spark has the table as well.
    engine.rows(con, there)
    found = con._session.sql(sql.format(there.get_name())).toArrow().to_pandas()
    return here.get_backend().con.sql(sql.format(here.get_name())).to_df(), found


def fails(table: Any, question: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(Exception, match=said):
        engine.rows(table.get_backend(), question(table))


def numbers(**columns: Any) -> pa.Table:
    return pa.table(columns)


# --- every indicator on edge values

GROUPS: dict[str, list[tuple[str, float | None]]] = {
    "zeros": [("A", 0.0), ("B", 0.0)],
    "nothing": [("A", None), ("B", None)],
    "zero and nothing": [("A", 0.0), ("B", None)],
    "one": [("A", 3.0)],
    "one and nothing": [("B", None), ("A", 3.0)],
    "tie": [("USA", 70.0), ("DEU", 70.0), ("JPN", 10.0)],
    "tie of signs": [("_X", 5.0), ("a", 5.0), ("Z", 5.0), ("É", 5.0)],
    "small": [("A", 5e-300), ("B", 1e-10)],
    "large": [("A", 1e15), ("B", 1.0), ("C", 1e-3)],
    "equal": [(f"P{i}", 0.1) for i in range(10)],
}


def edge_rows() -> pa.Table:
    """Return a row a (group, member), and the number of the member in its group."""
    rows = [(name, n + 1, m, v) for name, members in GROUPS.items() for n, (m, v) in enumerate(members)]
    names = ("group", "number", "member", "_value")
    types = {"number": pa.int64(), "_value": pa.float64()}
    return pa.table({n: pa.array([r[i] for r in rows], types.get(n)) for i, n in enumerate(names)})


@pytest.mark.parametrize("name", [*registry.names("indicators"), "volatility:ddof=0", "growth:base=first-year"])
def test_indicators_on_edge_values(made: Made, name: str) -> None:
    found: indicators.Indicator = registry.indicator(name)
    if "among" in found.options:
        found = registry.indicator(f"{name}:among=group")
    member = "number" if found.over == "period" else "member"

    def question(table: Any) -> Any:
        named = table.rename(_member=member)
        if found.against == "before":
            # A year before, A was missing and the others traded twice as much.
            now = named.mutate(year=ibis.literal(2021).cast("int32"))
            earlier = now.filter(now["_member"] != "A")
            earlier = earlier.mutate(year=ibis.literal(2020).cast("int32"), _value=earlier["_value"] * 2)
            by = ["group", "year"]
            answered = aggregate(compared.with_before(now, earlier, by, 12), by, [found])
            return answered.rename(value=found.name, flag=f"{found.name} why")
        if found.per_member:
            return found(
                named.rename(value="_value", partner="_member").select("group", "partner", "value"),
                ["group"],
                "partner",
            )
        return aggregate(named, ["group"], [found]).rename(value=found.name, flag=f"{found.name} why")

    answer = agree(made(edge_rows()), question)
    assert set(answer["group"]) == set(GROUPS)
    if not found.text:
        assert not answer["value"].isin([float("inf"), float("-inf")]).any()
    if not found.per_member:
        assert (answer["value"].isna() == answer["flag"].notna()).all()


def test_of_equal_partners_the_first_in_the_alphabet_is_the_top(made: Made) -> None:
    """Whatever the order of the rows; the alphabet is that of code points, on both engines."""
    found = registry.indicator("top_partner")
    for order in itertools.permutations(GROUPS["tie of signs"]):
        rows = pa.table({"group": ["g"] * 4, "_member": [m for m, _ in order], "_value": [v for _, v in order]})
        answer = agree(made(rows), lambda t: aggregate(t, ["group"], [found]).select("group", value="top_partner"))
        assert answer["value"].to_list() == ["Z"]
        if order[0][0] == "É":
            break


# --- what an engine means by itself, and how it is written instead


def test_division_by_zero(made: Made) -> None:
    """DuckDB gives infinity, Spark stops; a denominator that is null where it is zero gives null on both."""
    tables = made(numbers(a=[1.0, -1.0, 0.0], b=[0.0, 0.0, 0.0]))
    raw = engine.rows(tables[0].get_backend(), tables[0].select(value=tables[0].a / tables[0].b)).to_pandas()
    assert raw["value"].isin([float("inf"), float("-inf")]).any()
    fails(tables[1], lambda t: t.select(value=t.a / t.b), "DIVIDE_BY_ZERO|Division by zero")
    assert agree(tables, lambda t: t.select(value=t.a / t.b.nullif(0)))["value"].isna().all()


def test_logarithm_of_zero(made: Made) -> None:
    """DuckDB gives −infinity, Spark null; a zero that is null before its logarithm is taken gives null on both."""
    tables = made(numbers(a=[0.0, 1.0]))
    here, there = answers(tables, lambda t: t.select(value=t.a.ln()))
    assert sorted(here["value"]) == [float("-inf"), 0.0]
    assert there["value"].isna().sum() == 1
    assert agree(tables, lambda t: t.select(value=t.a.nullif(0).ln()))["value"].dropna().to_list() == [0.0]


def test_what_is_not_a_number(made: Made) -> None:
    """One NaN makes a sum NaN on both.  DuckDB does not find it in a Parquet file, whose statistics leave it out; so a
    figure is read as text first, where NaN is found and becomes null, and a store holds none."""
    tables = made(numbers(a=[1.0, float("nan"), 3.0]))
    for table in tables:
        (total,) = engine.rows(table.get_backend(), table.aggregate(total=table.a.sum()))["total"].to_pylist()
        assert math.isnan(total)
    here, there = answers(tables, lambda t: t.aggregate(found=t.a.isnan().cast("int64").sum()))
    assert here["found"].to_list() == [0]
    assert there["found"].to_list() == [1]

    def read(table: Any) -> Any:
        figure = table.a.cast("string").try_cast("float64").nullif(float("nan"))
        return table.aggregate(value=figure.sum(), weight_kg=figure.max())

    assert agree(tables, read).loc[0].to_list() == [4.0, 3.0]


def test_small_integers(made: Made) -> None:
    """A product of two small integers does not fit their type on either; cast first, it does.  A sum is widened."""
    tables = made(pa.table({"a": pa.array([2020, 2021], pa.int16())}))
    for table in tables:
        fails(table, lambda t: t.select(value=t.a * t.a), "(?i)overflow|out of range")
    wide = agree(tables, lambda t: t.select(value=t.a.cast("int64") * t.a.cast("int64")))
    assert sorted(wide["value"]) == [2020**2, 2021**2]
    many = made(pa.table({"a": pa.array([32_000] * 5, pa.int16())}))
    assert agree(many, lambda t: t.aggregate(value=t.a.sum().cast("float64")))["value"].to_list() == [160_000.0]


def test_months_since_the_first(made: Made) -> None:
    """The place of a month in a window is computed from parts of a date, which are small integers on DuckDB."""
    days = [pd.Timestamp(t).date() for t in ("1900-01-01", "2024-12-01", "9999-12-01")]
    tables = made(pa.table({"period": pa.array(days, pa.date32())}))

    def place(table: Any) -> Any:
        years, month = table.period.year().cast("int64"), table.period.month().cast("int64")
        return table.select(value=(years - 1900) * 12 + month)

    assert sorted(agree(tables, place)["value"]) == [1, 1500, 97_200]


def test_a_running_sum(made: Made) -> None:
    """An ordered window without a frame takes equal rows together in SQL; with a frame, and an order without ties, the
    sum runs row by row on both."""
    tables = made(numbers(k=["a", "a", "b", "c"], i=[1, 2, 3, 4], a=[1.0, 2.0, 4.0, 8.0]))
    here, there = by_hand(tables, "SELECT sum(a) OVER (ORDER BY k) AS value FROM {} ORDER BY i")
    assert here["value"].to_list() == there["value"].to_list() == [3.0, 3.0, 7.0, 15.0]

    def running(table: Any) -> Any:
        window = ibis.window(order_by=[table.k, table.i], preceding=None, following=0)
        return table.select("k", "i", value=table.a.sum().over(window))

    assert agree(tables, running).sort_values("i")["value"].to_list() == [1.0, 3.0, 7.0, 15.0]
    previous = agree(
        tables, lambda t: t.select("k", "i", value=t.a.lag().over(ibis.window(group_by=t.k, order_by=t.i)))
    )
    assert previous.sort_values("i")["value"].fillna(-1).to_list() == [-1, 1.0, -1, -1]


def test_spread_of_one_value(made: Made) -> None:
    tables = made(numbers(a=[5.0]))
    alone = agree(tables, lambda t: t.aggregate(value=t.a.std(how="sample"), weight_kg=t.a.std(how="pop")))
    assert alone["value"].isna().all()
    assert alone["weight_kg"].to_list() == [0.0]


def test_order_of_nulls(made: Made) -> None:
    """DuckDB puts nulls last, Spark first; Ibis says where, so that both put them last."""
    tables = made(pa.table({"key": ["b", None, "a", "B"]}))
    here, there = by_hand(tables, "SELECT key FROM {} ORDER BY key")
    assert list(here["key"].isna()) == [False, False, False, True]
    assert list(there["key"].isna()) == [True, False, False, False]
    here, there = answers(tables, lambda t: t.select("key").order_by("key"))
    assert here["key"].fillna("").to_list() == there["key"].fillna("").to_list() == ["B", "a", "b", ""]


def test_parts_of_a_code(made: Made) -> None:
    tables = made(pa.table({"product": ["TOTAL", "01", "0101", "010121", "01012100"]}))
    found = agree(tables, lambda t: t.select("product", **{n: column(t, n) for n in ("level", "hs2", "hs4", "hs6")}))
    rows = {r.product: (r.level, *(None if pd.isna(v) else v for v in r[3:])) for r in found.itertuples()}
    assert rows["01012100"] == (8, "01", "0101", "010121")
    assert rows["01"] == (2, "01", None, None)
    assert rows["TOTAL"][0] == 0


def test_logic_with_nulls(made: Made) -> None:
    tables = made(pa.table({"a": ["x", None, "y"], "value": [1.0, 2.0, None]}))
    for question in (
        lambda t: t.filter(t.a != "x"),
        lambda t: t.filter(~t.a.isin(["x"])),
        lambda t: t.filter(t.a.isin(["x"]) | t.a.isnull()),
        lambda t: t.aggregate(by=t.a, n=t.value.count(), value=t.value.sum()),
    ):
        agree(tables, question)
