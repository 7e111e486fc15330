"""Margins: of Hummels and Klenow, and over time; by hand, against pandas, identities, what is undefined or refused."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Cli
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky import compared, engine, measure, reader, registry
from autarky.commit import ingest
from autarky.errors import MeasureError, TableError
from autarky.store import Store
from autarky.tables import Condition, Flows

CON = engine.connect()
MARGINS = ["extensive_margin", "intensive_margin"]
CHANGES = ["entry", "exit", "continuing"]
SETTINGS = {"flow": "export", "nomenclature": "HS2017", "partner": "WLD", "reporter": "CHL"}
UNKNOWN = "a value of the group is not reported; --where value_usd!= leaves such rows out"


def table(rows: list[tuple], names: tuple[str, ...]):
    """Return rows of keys, `_member` and `_value` as a table, without a file between."""
    frame = pd.DataFrame(rows, columns=[*names, "_member", "_value"])
    frame = frame.astype(object).where(frame.notna(), None)
    return engine.lookup(CON, {c: list(frame[c]) for c in frame}).cast({"_value": "float64"})


def margins(grid: dict[str, dict[str, float | None]]) -> pd.DataFrame:
    """Measure the margins of reporters; columns of figures and reasons, a row a reporter."""
    rows = [(r, p, v) for r, products in grid.items() for p, v in products.items()]
    chosen = [registry.indicator(name) for name in MARGINS]
    found = measure.aggregate(table(rows, ("reporter",)), ["reporter"], chosen)
    return engine.rows(CON, found).to_pandas().set_index("reporter")


def stored(frame: pd.DataFrame, directory: Path, **values: str) -> Path:
    """Put rows into a store, so that years are files."""
    frame.to_csv(directory / "rows.csv", index=False)
    said = {**SETTINGS, **values}
    options = reader.Options(values={k: v for k, v in said.items() if k not in frame})
    ingest(directory / "store", "tidy", [directory / "rows.csv"], options)
    return directory / "store"


def flows_of(frame: pd.DataFrame, directory: Path, **values: str) -> Flows:
    return Store(stored(frame, directory, **values)).flows(engine.connect())


def read(found: measure.Measures) -> pd.DataFrame:
    whole = found.table
    return engine.rows(whole.get_backend(), whole).to_pandas()


def wide(found: measure.Measures, keys: list[str]) -> pd.DataFrame:
    return read(found).pivot(index=keys, columns="indicator", values="value")


# --- against the others


def test_margins_by_hand():
    """BRA trades cars and tea, of which the others have 60 + 10 of their 100."""
    grid = {
        "BRA": {"cars": 20, "tea": 1},
        "CHL": {"cars": 50, "wine": 30},
        "USA": {"cars": 10, "tea": 10},
    }
    found = margins(grid)
    assert found.loc["BRA", "extensive_margin"] == pytest.approx(70 / 100, rel=1e-12)
    assert found.loc["BRA", "intensive_margin"] == pytest.approx(21 / 70, rel=1e-12)
    # The others of CHL have 30 cars and 11 tea; wine is CHL's alone.
    assert found.loc["CHL", "extensive_margin"] == pytest.approx(30 / 41, rel=1e-12)
    assert found.loc["CHL", "intensive_margin"] == pytest.approx(80 / 30, rel=1e-12)


VALUES = st.one_of(st.none(), st.just(0.0), st.floats(0.01, 1e12))
GRIDS = st.lists(st.lists(VALUES, min_size=5, max_size=5), min_size=1, max_size=6)


@given(grid=GRIDS)
@settings(max_examples=60)
def test_the_product_of_the_margins_is_the_total_over_that_of_the_others(grid):
    """EM·IM = X_j / X_k wherever both are defined; a null here is a missing row."""
    cells = {
        f"R{r}": {f"P{p}": v for p, v in enumerate(row) if v is not None}
        for r, row in enumerate(grid)
        if any(v is not None for v in row)
    }
    if not cells:
        return
    found = margins(cells)
    totals = pd.Series({r: sum(row.values()) for r, row in cells.items()})
    for reporter, row in found.iterrows():
        rest = sum(v for r, v in totals.items() if r != reporter)
        shared = sum(
            v for r, products in cells.items() if r != reporter for p, v in products.items() if cells[reporter].get(p)
        )
        assert (rest == 0) == pd.isna(row["extensive_margin"])
        assert (shared == 0) == pd.isna(row["intensive_margin"])
        if rest:
            assert 0 <= row["extensive_margin"] <= 1
            assert row["extensive_margin"] == pytest.approx(shared / rest, rel=1e-9)
        if shared:
            both = row["extensive_margin"] * row["intensive_margin"]
            assert both == pytest.approx(totals[reporter] / rest, rel=1e-9)


@given(rows=st.lists(st.lists(st.floats(0.01, 1e9), min_size=6, max_size=6), min_size=2, max_size=5))
@settings(max_examples=25)
def test_who_trades_everything_has_an_extensive_margin_of_one(rows):
    found = margins({f"R{r}": {f"P{p}": v for p, v in enumerate(row)} for r, row in enumerate(rows)})
    np.testing.assert_allclose(found["extensive_margin"], 1, rtol=1e-9)
    assert (found["extensive_margin"] <= 1).all()


def test_little_beside_much_keeps_its_digits():
    """Of 1e15 + 0.3 a float holds 0.25 after the point."""
    found = margins({"CHL": {"cars": 1e15}, "PER": {"cars": 0.1, "wine": 0.2}, "USA": {"cars": 0.2, "tea": 1e-3}})
    assert found.loc["CHL", "extensive_margin"] == pytest.approx(0.3 / 0.501, rel=1e-12)
    assert found.loc["CHL", "intensive_margin"] == pytest.approx(1e15 / 0.3, rel=1e-12)


def test_undefined_margins_say_why():
    alone = margins({"CHL": {"cars": 0.1, "wine": 0.2, "tea": 0.3}, "PER": {"cars": 0}})
    hint = " (a --where on reporter leaves others out)"
    assert alone.loc["CHL", "extensive_margin why"] == f"no other reporter trades anything{hint}"
    assert alone.loc["CHL", "intensive_margin why"] == f"no other reporter trades what the group trades{hint}"
    # Who trades nothing has no part of what the others trade.
    assert alone.loc["PER", "extensive_margin"] == 0
    assert alone.loc["PER", "intensive_margin why"] == "the group trades nothing"
    apart = margins({"CHL": {"wine": 3}, "PER": {"cars": 5}})
    assert list(apart["extensive_margin"]) == [0, 0]
    assert apart["intensive_margin"].isna().all()


def test_a_value_of_the_group_that_is_not_reported_leaves_the_margins_unknown():
    found = margins({"CHL": {"cars": None, "wine": 3}, "PER": {"cars": 5, "wine": 1}})
    assert found.loc["CHL", "extensive_margin why"] == found.loc["CHL", "intensive_margin why"] == UNKNOWN
    # Another's is left out of the sum, as everywhere.
    assert found.loc["PER", "extensive_margin"] == 1
    assert found.loc["PER", "intensive_margin"] == 6 / 3


def test_margins_within_the_other_keys(tmp_path):
    rows = [
        (year, reporter, product, float(1 + n))
        for n, (year, reporter, product) in enumerate(
            itertools.product((2020, 2021), ("CHL", "PER", "USA"), ("010121", "220421", "260300"))
        )
        if (year, reporter, product) != (2021, "CHL", "220421")
    ]
    frame = pd.DataFrame(rows, columns=["period", "reporter", "product", "value_usd"])
    found = measure.measure(flows_of(frame, tmp_path), [*MARGINS, "herfindahl"], ["reporter", "year"], over="product")
    assert len(found.pieces) == 2
    for (reporter, year), row in wide(found, ["reporter", "year"]).iterrows():
        own = frame[(frame["reporter"] == reporter) & (frame["period"] == year)]
        rest = frame[(frame["reporter"] != reporter) & (frame["period"] == year)]
        shared = rest.loc[rest["product"].isin(own["product"]), "value_usd"].sum()
        assert row["extensive_margin"] == pytest.approx(shared / rest["value_usd"].sum(), rel=1e-12)
        assert row["intensive_margin"] == pytest.approx(own["value_usd"].sum() / shared, rel=1e-12)
        share = own["value_usd"] / own["value_usd"].sum()
        assert row["herfindahl"] == pytest.approx((share**2).sum(), rel=1e-12)


def test_two_references_at_once(tmp_path):
    rows = [("CHL", "CHN", "260300", 5), ("CHL", "JPN", "220421", 3), ("PER", "CHN", "220421", 2)]
    frame = pd.DataFrame(rows, columns=["reporter", "partner", "product", "value_usd"]).assign(period=2020)
    names = ["extensive_margin", "extensive_margin:among=partner"]
    found = wide(
        measure.measure(flows_of(frame, tmp_path), names, ["reporter", "partner", "year"]), ["reporter", "partner"]
    )
    # Among reporters CHL stands against PER in China, who trades wine; among partners China against Japan.
    assert list(found.loc[("CHL", "CHN")]) == [0, 0]
    assert found.loc[("PER", "CHN"), "extensive_margin"] == 0
    assert pd.isna(found.loc[("CHL", "JPN"), "extensive_margin"])


# --- against a year before


def changes(now: dict[str, float | None], before: dict[str, float | None]) -> dict:
    """Measure one group now and a year before."""
    tables = [
        table([(None, year, p, v) for p, v in values.items()], ("area", "year")).cast(
            {"area": "string", "year": "int32"}
        )
        for year, values in ((2021, now), (2020, before))
    ]
    by = ["area", "year"]
    chosen = [registry.indicator(name) for name in CHANGES]
    found = measure.aggregate(compared.with_before(*tables, by, 12), by, chosen)
    rows = engine.rows(CON, found).to_pylist()
    assert len(rows) == 1
    assert (rows[0]["area"], rows[0]["year"]) == (None, 2021)
    return rows[0]


def test_changes_by_hand():
    found = changes({"cars": 70, "tea": 3}, {"cars": 60, "wine": 5})
    assert [found[name] for name in CHANGES] == [3, -5, 10]
    assert [found[f"{name} why"] for name in CHANGES] == [None] * 3


ROWS = st.dictionaries(st.sampled_from("ABCDEF"), st.one_of(st.just(0.0), st.floats(0.01, 1e12)), min_size=1)


@given(now=ROWS, before=ROWS)
@settings(max_examples=60)
def test_the_three_add_up_to_the_change(now, before):
    found = changes(now, before)
    size = max(sum(now.values()), sum(before.values()))
    assert sum(found[name] for name in CHANGES) == pytest.approx(
        sum(now.values()) - sum(before.values()), rel=1e-9, abs=1e-12 * size
    )
    assert found["entry"] == pytest.approx(sum(v for p, v in now.items() if not before.get(p)), rel=1e-12)
    assert found["exit"] == pytest.approx(-sum(v for p, v in before.items() if not now.get(p)), rel=1e-12)
    assert found["entry"] >= 0 >= found["exit"]


def test_a_reported_zero_is_not_traded():
    found = changes({"cars": 70, "tea": 3, "wine": 0}, {"cars": 60, "tea": 0, "wine": 5})
    assert [found[name] for name in CHANGES] == [3, -5, 10]


@pytest.mark.parametrize(
    ("now", "before"), [({"cars": None}, {"cars": 60}), ({"cars": 70, "tea": 1}, {"cars": 60, "tea": None})]
)
def test_a_value_that_is_not_reported_leaves_the_change_unknown(now, before):
    found = changes(now, before)
    for name in CHANGES:
        assert found[name] is None
        assert found[f"{name} why"] == (
            "a value is not reported, now or 12 months before; --where value_usd!= leaves such rows out, and they then "
            "count as not traded"
        )


def test_where_there_is_nothing_before_there_is_no_figure(tmp_path):
    """CHL lacks 2021; 2020 is the first year of all; PER trades nothing more from 2023 on."""
    rows = [("CHL", 2020), ("CHL", 2022), ("CHL", 2023), ("PER", 2020), ("PER", 2021), ("PER", 2022)]
    frame = pd.DataFrame(rows, columns=["reporter", "period"]).assign(product="260300", value_usd=[1, 2, 4, 8, 16, 32])
    found = measure.measure(flows_of(frame, tmp_path), CHANGES, ["reporter", "year"])
    assert len(found.pieces) == 4
    figures = wide(found, ["reporter", "year"])
    assert list(figures.index) == [*((r, y) for r, y in rows)]
    assert figures["continuing"].dropna().to_dict() == {("CHL", 2023): 2, ("PER", 2021): 8, ("PER", 2022): 16}
    flags = read(found).set_index(["reporter", "year", "indicator"])["flag"]
    for key in (("CHL", 2020), ("CHL", 2022), ("PER", 2020)):
        for name in CHANGES:
            assert flags[(*key, name)] == (
                "nothing to compare with: of the rows chosen, none is of the group 12 months before"
            )


def by_hand(frame: pd.DataFrame, months: int) -> pd.DataFrame:
    """Compute the same on a monthly panel of one group a reporter with pandas."""
    cells = frame.assign(period=pd.PeriodIndex(frame["period"], freq="M"))
    cells = cells.groupby(["reporter", "period", "product"])["value_usd"].sum().unstack(fill_value=0)
    before = cells.rename(index=lambda p: p + months, level="period")
    both = cells.index.intersection(before.index)
    now, before = cells.loc[both], before.loc[both]
    return pd.DataFrame(
        {
            "continuing": (now - before).where((now > 0) & (before > 0), 0).sum(axis=1),
            "entry": now.where(before == 0, 0).sum(axis=1),
            "exit": -before.where(now == 0, 0).sum(axis=1),
        }
    )


@pytest.mark.parametrize("months", [1, 5, 12, 18])
def test_monthly_panels_agree_with_pandas(tmp_path, months):
    """Years are measured one by one, also where the months before lie in two others."""
    rng = np.random.default_rng(9)
    rows = [
        (str(month), reporter, product, float(rng.choice([0, round(rng.lognormal(10, 2))], p=[0.1, 0.9])))
        for month in pd.period_range("2019-03", "2021-10", freq="M")
        for reporter in ("CHL", "PER")
        for product in ("010121", "220421", "260300", "270900")
        if rng.random() > 0.4
    ]
    frame = pd.DataFrame(rows, columns=["period", "reporter", "product", "value_usd"])
    names = [f"{name}:months={months}" for name in CHANGES]
    found = measure.measure(flows_of(frame, tmp_path), names, ["reporter", "period"])
    assert len(found.pieces) == 3
    figures = wide(found, ["reporter", "period"]).dropna().rename(columns=lambda c: c.split(":")[0])
    figures.index = figures.index.set_levels(pd.PeriodIndex(figures.index.levels[1], freq="M"), level="period")
    pd.testing.assert_frame_equal(figures, by_hand(frame, months), check_names=False, check_exact=True)


def test_years_of_months_and_both_keys_of_the_calendar(tmp_path):
    rows = [("2020-01", "A", 1), ("2020-06", "B", 2), ("2021-01", "A", 5), ("2021-06", "A", 7), ("2021-06", "C", 4)]
    frame = pd.DataFrame(rows, columns=["period", "product", "value_usd"])
    frame["product"] = frame["product"].map({"A": "010121", "B": "220421", "C": "260300"})
    flows = flows_of(frame, tmp_path)
    years = wide(measure.measure(flows, CHANGES, ["year"]), ["year"])
    assert years.loc[2021].to_dict() == {"continuing": 11, "entry": 4, "exit": -2}
    both = wide(measure.measure(flows, CHANGES, ["period", "year"]), ["period", "year"]).dropna()
    assert both.reset_index(drop=True).to_dict("list") == {"continuing": [4, 0], "entry": [0, 11], "exit": [0, -2]}


# --- real data


def test_real_exports_agree_with_pandas(shared, tmp_path):
    ingest(
        tmp_path / "store",
        "baci",
        [shared / "baci" / "baci-hs92-raw-materials-1995_2024.parquet"],
        reader.Options(),
    )
    con = engine.connect()
    flows = Store(tmp_path / "store").flows(con).where([Condition.parse("year=2021,2022")])
    names = [*CHANGES, *(f"{name}:among=partner" for name in MARGINS)]
    found = wide(measure.measure(flows, names, ["partner", "year"]), ["partner", "year"])
    rows = engine.rows(con, flows.table.select("partner", "year", "product", "value_usd")).to_pandas()
    cells = rows.groupby(["year", "partner", "product"])["value_usd"].sum().unstack()
    before, now = (cells.loc[year] for year in (2021, 2022))
    both = now.index.intersection(before.index)
    change = cells.loc[2022].sum(axis=1)[both] - cells.loc[2021].sum(axis=1)[both]
    added = found.xs(2022, level="year")[CHANGES].sum(axis=1, skipna=False).dropna()
    pd.testing.assert_series_equal(added.sort_index(), change.sort_index(), check_names=False, rtol=1e-9, atol=1e-3)
    traded = now > 0
    rest = now.sum() - now.fillna(0)
    shared_products = rest.where(traded, 0).sum(axis=1)
    known = pd.DataFrame(
        {MARGINS[0]: shared_products / rest.sum(axis=1), MARGINS[1]: now.sum(axis=1) / shared_products}
    )
    for name in MARGINS:
        values = found.xs(2022, level="year")[f"{name}:among=partner"]
        pd.testing.assert_series_equal(values, known[name], check_names=False, rtol=1e-9)


# --- questions


@pytest.fixture
def made(tmp_path) -> Path:
    rows = [(2020, "CHL", 260300, 5), (2020, "PER", 220421, 4), (2021, "CHL", 260300, 8), (2021, "CHL", 220421, 1)]
    return stored(pd.DataFrame(rows, columns=["period", "reporter", "product", "value_usd"]), tmp_path)


def test_command_line(cli: Cli, made):
    names = ",".join([*MARGINS, *CHANGES])
    done = cli("measure", names, "--store", made, "--by", "reporter,year", "--format", "csv")
    assert done.code == 0
    found = {(r["reporter"], r["year"], r["indicator"]): r for r in done.rows}
    assert len(found) == 3 * 5
    assert float(found["CHL", "2021", "entry"]["value"]) == 1
    assert float(found["CHL", "2021", "continuing"]["value"]) == 3
    assert float(found["CHL", "2020", "extensive_margin"]["value"]) == 0
    assert found["CHL", "2021", "extensive_margin"]["flag"].startswith("no other reporter trades anything")
    assert {r["unit"] for r in done.rows} == {"1", "USD"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["entry", "--by", "reporter"], "compares a period with an earlier one: add period or year to --by"),
        (["exit:months=6", "--by", "reporter,year"], "months=6: expected 12, 24, … (the flows are compared by year)"),
        (["entry:months=0", "--by", "period"], "months=0: expected 12, 24"),
        (["entry:months=twelve", "--by", "period"], "option months='twelve' is not of type int"),
        (["continuing", "--by", "year", "--over", "period"], "cannot be a key and be looked along"),
        (["extensive_margin", "--by", "year"], "'reporter' is not a key of --by: add reporter, say, to --by"),
        (
            ["intensive_margin:among=period", "--by", "reporter,period"],
            "'period' is the calendar: say intensive_margin",
        ),
    ],
)
def test_wrong_questions(cli: Cli, made, args, message):
    done = cli("measure", *args, "--store", made)
    assert done.code == 2
    assert message in done.err


def test_monthly_flows_are_not_compared_along_the_months_of_a_year(tmp_path):
    frame = pd.DataFrame({"period": ["2020-01", "2021-01"], "product": "260300", "value_usd": [1.0, 2.0]})
    with pytest.raises(MeasureError, match="compares two periods; --over period does not fit"):
        measure.measure(flows_of(frame, tmp_path), ["entry"], ["year"], over="period")


def test_codes_of_two_systems_are_no_entry_and_exit(tmp_path):
    frame = pd.DataFrame({"period": [2021, 2022], "nomenclature": ["HS2017", "HS2022"]})
    flows = flows_of(frame.assign(product=["851712", "851713"], value_usd=[1.0, 2.0]), tmp_path)
    with pytest.raises(MeasureError, match="a new code would count as a new product: convert them"):
        measure.measure(flows, ["entry"], ["reporter", "year"])
    assert len(read(measure.measure(flows, ["entry"], ["reporter", "year"], over="partner"))) == 2
    apart = read(measure.measure(flows, ["entry"], ["reporter", "year", "nomenclature"]))
    assert apart["value"].isna().all()


def test_aggregate_codes_and_their_children_are_refused(tmp_path):
    frame = pd.DataFrame({"period": 2020, "product": ["2603", "260300"], "value_usd": [1.0, 1.0]})
    with pytest.raises(TableError, match="aggregate codes and their children"):
        measure.measure(flows_of(frame, tmp_path), MARGINS, ["reporter", "year"])
