"""Location quotient: published examples, closed forms, an independent implementation, real data; what it refuses."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import TESTS, Cli
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky import engine, measure, reader, registry
from autarky.commit import ingest
from autarky.errors import MeasureError, TableError
from autarky.store import Store
from autarky.tables import Condition, Flows

CON = engine.connect()
SETTINGS = {"flow": "export", "nomenclature": "HS2017", "partner": "WLD"}


def quotients(rows: pd.DataFrame, among: str = "reporter", by: tuple[str, ...] = ("reporter",)) -> pd.Series:
    """Measure rows of keys, `product` and `value` without a file between."""
    table = engine.lookup(CON, {c: list(rows[c].astype(object).where(rows[c].notna(), None)) for c in rows})
    found = registry.indicator(f"location_quotient:among={among}")(table.cast({"value": "float64"}), by, "product")
    return engine.rows(CON, found).to_pandas().set_index([*by, "product"])["value"]


def flows_of(frame: pd.DataFrame, directory: Path, **values: str) -> Flows:
    path = directory / f"rows-{len(list(directory.iterdir()))}.csv"
    frame = frame if "period" in frame else frame.assign(period="2020")
    frame.to_csv(path, index=False)
    said = {**SETTINGS, **values}
    return reader.read("tidy", path, values={k: v for k, v in said.items() if k not in frame})


def read(found: measure.Measures) -> pd.DataFrame:
    table = found.table
    return engine.rows(table.get_backend(), table).to_pandas()


# Published worked examples -------------------------------------------------------------------------------------------


def test_votes_for_labour_in_scotland():
    """R. J. Johnston in the Dictionary of Human Geography: 43.3% in Great Britain, 49.7% in Scotland → 1.148."""
    rows = [("SCO", "labour", 49.7), ("SCO", "other", 50.3), ("REST", "labour", 383.3), ("REST", "other", 516.7)]
    found = quotients(pd.DataFrame(rows, columns=["reporter", "product", "value"]))
    assert round(found["SCO", "labour"], 3) == 1.148


def test_soybeans_of_brazil():
    """Hausmann, Hidalgo et al. (2011), The Atlas of Economic Complexity, on 2008: soybeans are 42 bn USD, 0.35% of
    world trade; Brazil exports "nearly" 11 of it and 140 in all → "around 21 times" its fair share."""
    world = 42 / 0.0035
    rows = [("BRA", "1201", 11), ("BRA", "rest", 129), ("ROW", "1201", 31), ("ROW", "rest", world - 140 - 31)]
    found = quotients(pd.DataFrame(rows, columns=["reporter", "product", "value"]))
    assert found["BRA", "1201"] == pytest.approx((11 / 140) / 0.0035, rel=1e-12)
    assert found["BRA", "1201"] == pytest.approx(21, abs=1.5)


# Independent implementations -----------------------------------------------------------------------------------------


def test_agrees_with_ecomplexity(tmp_path):
    """tests/worked/rca_ecomplexity.py made the table."""
    known = pd.read_csv(TESTS / "worked" / "rca_ecomplexity.csv", dtype={"product": str})
    flows = flows_of(known.rename(columns={"year": "period"}).drop(columns="rca"), tmp_path)
    found = read(measure.measure(flows, ["location_quotient"], ["reporter", "year"]))
    keys = ["year", "reporter", "product"]
    both = known.merge(found, on=keys, validate="1:1")
    assert len(both) == len(known) == len(found) > 50
    np.testing.assert_allclose(both["value"], both["rca"], rtol=1e-12)


def by_hand(rows: pd.DataFrame, among: str, by: list[str], over: str) -> pd.Series:
    rest = [k for k in by if k != among]
    value = rows.groupby([*by, over], dropna=False)["value_usd"].sum()
    own = value.groupby(by, dropna=False).transform("sum")
    world = value.groupby([*rest, over], dropna=False).transform("sum")
    whole = value.groupby(rest, dropna=False).transform("sum") if rest else value.sum()
    return (value / own) / (world / whole)


@pytest.fixture(scope="module")
def baci(shared, tmp_path_factory) -> Flows:
    where = tmp_path_factory.mktemp("baci") / "store"
    ingest(where, "baci", [shared / "baci" / "baci-hs92-raw-materials-1995_2024.parquet"], reader.Options())
    return Store(where).flows(engine.connect()).where([Condition.parse("year=2021,2022")])


@pytest.mark.parametrize(("among", "by"), [("partner", ["partner", "year"]), ("partner", ["reporter", "partner"])])
def test_real_exports_agree_with_pandas(baci, among, by):
    found = read(measure.measure(baci, [f"location_quotient:among={among}"], by))
    rows = engine.rows(baci.table.get_backend(), baci.table.select(*{*by, "product", "value_usd"})).to_pandas()
    known = by_hand(rows, among, by, "product").rename("known").reset_index()
    both = found.merge(known, on=[*by, "product"], how="outer", validate="1:1")
    alone = both["flag"].notna()
    np.testing.assert_allclose(both.loc[~alone, "value"], both.loc[~alone, "known"], rtol=1e-9)
    # A reporter that buys from one partner only.
    assert set(both.loc[alone, "flag"].str[:18]) <= {"nothing to compare"}
    assert alone.mean() < 0.01


def test_copper_is_what_chile_is_known_for(baci):
    found = read(measure.measure(baci, ["location_quotient:among=partner"], ["partner", "year"]))
    ores = found[(found["product"] == "260300") & (found["year"] == 2022)].set_index("partner")["value"]
    assert ores["CHL"] > 20
    assert ores["DEU"] < 1


# Closed forms and properties -----------------------------------------------------------------------------------------

GRID = st.lists(st.lists(st.one_of(st.none(), st.floats(0.01, 1e9)), min_size=4, max_size=4), min_size=2, max_size=6)


def long(grid) -> pd.DataFrame:
    cells = [(f"R{r}", f"P{p}", v) for r, row in enumerate(grid) for p, v in enumerate(row) if v is not None]
    return pd.DataFrame(cells, columns=["reporter", "product", "value"])


@pytest.mark.parametrize("scale", [1, 7.5])
def test_who_trades_like_the_whole_has_one(scale):
    grid = [[1.0, 2.0, 3.0, 4.0], [scale, 2 * scale, 3 * scale, 4 * scale]]
    np.testing.assert_allclose(quotients(long(grid)), 1, rtol=1e-12)


@given(grid=GRID)
@settings(max_examples=25)
def test_the_mean_over_the_groups_is_one(grid):
    """Σ_r (e_r / e_N) LQ_rm = 1 for every member; a member that a group lacks counts as 0 in it."""
    rows = long(grid)
    if rows["reporter"].nunique() < 2:
        return
    found = quotients(rows)
    weight = rows.groupby("reporter")["value"].sum() / rows["value"].sum()
    mean = (found * found.index.get_level_values("reporter").map(weight)).groupby("product").sum()
    np.testing.assert_allclose(mean, 1, rtol=1e-9)


@given(grid=GRID, rate=st.floats(1e-3, 1e3))
@settings(max_examples=10)
def test_the_currency_does_not_matter(grid, rate):
    rows = long(grid)
    if rows["reporter"].nunique() < 2:
        return
    other = quotients(rows.assign(value=rows["value"] * rate))
    pd.testing.assert_series_equal(quotients(rows).sort_index(), other.sort_index(), rtol=1e-9)


# Undefined, and groups whose key is null -----------------------------------------------------------------------------


def test_undefined_says_why(tmp_path):
    rows = [("BRA", "010121", 5), ("BRA", "120190", None), ("CHL", "010121", 0), ("CHL", "260300", 0), ("USA", "1", 9)]
    frame = pd.DataFrame(rows, columns=["reporter", "product", "value_usd"])
    frame["product"] = frame["product"].replace("1", "270900")
    found = read(measure.measure(flows_of(frame, tmp_path), ["location_quotient"], ["reporter"]))
    flags = found.set_index(["reporter", "product"])["flag"]
    assert flags["BRA", "120190"] == "the member's value is not reported"
    assert flags["CHL", "010121"] == "the group's total is zero"
    assert found["value"].isna().sum() == 3
    assert (found["value"].isna() == found["flag"].notna()).all()
    values = found.set_index(["reporter", "product"])["value"]
    assert values["BRA", "010121"] == pytest.approx((5 / 5) / (5 / 14))


def test_a_member_that_nobody_trades(tmp_path):
    rows = [("BRA", "010121", 5), ("BRA", "120190", 0), ("CHL", "010121", 4)]
    frame = pd.DataFrame(rows, columns=["reporter", "product", "value_usd"])
    found = read(measure.measure(flows_of(frame, tmp_path), ["location_quotient"], ["reporter"]))
    flags = found.set_index(["reporter", "product"])["flag"]
    assert flags["BRA", "120190"] == "nobody among reporter trades the member"


def test_the_only_one_has_nothing_to_be_compared_with(tmp_path):
    frame = pd.DataFrame({"reporter": "CHL", "product": ["260300", "010121"], "value_usd": [5, 4]})
    found = read(measure.measure(flows_of(frame, tmp_path), ["location_quotient"], ["reporter"]))
    assert found["value"].isna().all()
    assert found["flag"].str.startswith("nothing to compare with: it is the only reporter").all()


def provinces() -> pd.DataFrame:
    rows = [
        ("CN-GD", "USA", "854231", 60),
        ("CN-GD", "VNM", "854231", 20),
        ("CN-GD", "USA", "010121", 20),
        ("CN-GX", "USA", "854231", 5),
        ("CN-GX", "VNM", "854231", 5),
        ("CN-GX", "VNM", "010121", 30),
    ]
    return pd.DataFrame(rows, columns=["area", "partner", "product", "value_usd"]).assign(reporter="CHN")


def test_provinces_by_destination(tmp_path):
    """Of Guangxi's trade with Vietnam 30 of 35 is HS 01; of both provinces' 30 of 55."""
    flows = flows_of(provinces(), tmp_path)
    found = read(measure.measure(flows, ["location_quotient:among=area"], ["area", "partner", "year"], over="hs2"))
    assert found.set_index(["area", "partner", "hs2"])["value"]["CN-GX", "VNM", "01"] == pytest.approx(
        (30 / 35) / (30 / 55)
    )
    across = read(measure.measure(flows, ["location_quotient:among=partner"], ["area", "partner"], over="hs2"))
    # Of what Guangdong sells 20 of 100 is HS 01, of what it sells to the United States 20 of 80.
    assert across.set_index(["area", "partner", "hs2"])["value"]["CN-GD", "USA", "01"] == pytest.approx(
        (20 / 80) / (20 / 100)
    )


def test_a_key_that_is_null_is_a_key(tmp_path):
    frame = provinces().groupby(["partner", "product"], as_index=False)["value_usd"].sum().assign(reporter="CHN")
    found = read(
        measure.measure(
            flows_of(pd.concat([frame, frame.assign(reporter="VNM")]), tmp_path),
            ["location_quotient"],
            ["reporter", "area"],
        )
    )
    assert len(found) == 4
    np.testing.assert_allclose(found["value"], 1, rtol=1e-12)


# What it refuses -----------------------------------------------------------------------------------------------------


def test_parts_and_their_whole_are_not_compared(tmp_path):
    whole = provinces().groupby(["reporter", "partner", "product"], as_index=False)["value_usd"].sum()
    both = flows_of(pd.concat([provinces(), whole]), tmp_path)
    with pytest.raises(TableError, match="country total and its areas"):
        measure.measure(both, ["location_quotient:among=area"], ["area", "year"])
    all_partners = provinces().groupby(["reporter", "area", "product"], as_index=False)["value_usd"].sum()
    world = flows_of(pd.concat([provinces(), all_partners.assign(partner="WLD")]), tmp_path)
    with pytest.raises(TableError, match="world total and its partner rows"):
        measure.measure(world, ["location_quotient:among=partner"], ["area", "partner"])


def test_two_code_systems_are_not_compared(tmp_path):
    frame = pd.DataFrame(
        {
            "reporter": ["CHL", "PER"],
            "nomenclature": ["HS2017", "HS2022"],
            "product": "260300",
            "value_usd": [2.0, 1.0],
        }
    )
    flows = flows_of(frame, tmp_path)
    with pytest.raises(MeasureError, match=r"nomenclature is not the same of all \(found HS2017, HS2022\)"):
        measure.measure(flows, ["location_quotient"], ["reporter"])
    assert len(read(measure.measure(flows, ["location_quotient"], ["reporter", "nomenclature"]))) == 2


@pytest.fixture
def made(tmp_path) -> Path:
    cells = itertools.product((2020, 2021), enumerate(("CHL", "PER")), ("260300", "260800"))
    rows = [(period, reporter, code, 1.0 + n) for period, (n, reporter), code in cells]
    frame = pd.DataFrame(rows, columns=["period", "reporter", "product", "value_usd"])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    ingest(
        tmp_path / "store",
        "tidy",
        [tmp_path / "rows.csv"],
        reader.Options(values=SETTINGS),
    )
    return tmp_path / "store"


def test_command_line(cli: Cli, made):
    done = cli("measure", "location_quotient", "--store", made, "--by", "reporter,year", "--format", "csv")
    assert (done.code, len(done.rows)) == (0, 8)
    assert {float(row["value"]) for row in done.rows} == {1.0}
    assert {row["indicator"] for row in done.rows} == {"location_quotient"}


def test_a_narrowed_comparison_is_said(cli: Cli, made):
    asked = ("measure", "location_quotient", "--store", made, "--by", "reporter,year", "--format", "csv")
    done = cli(*asked, "--where", "reporter=CHL")
    assert "compares the reporters chosen with --where among themselves" in done.err
    assert {row["value"] for row in done.rows} == {""}
    assert "warning" not in cli(*asked, "--where", "reporter!=WLD").err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["location_quotient", "--by", "year"], "'reporter' is not a key of --by: add reporter, say, to --by"),
        (["location_quotient", "--by", "partner,year"], "say location_quotient:among=partner, or add a key"),
        (["location_quotient:among=year", "--by", "reporter,year"], "'year' is the calendar"),
        (["location_quotient", "--by", "reporter", "--over", "reporter"], "cannot be a key and be looked along"),
        (["location_quotient:of=partner", "--by", "reporter"], "has no option 'of'; it has among"),
    ],
)
def test_wrong_questions(cli: Cli, made, args, message):
    done = cli("measure", *args, "--store", made)
    assert done.code == 2
    assert message in done.err
