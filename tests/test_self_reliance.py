"""The study: published figures on the synthetic panel, the real mirror panel, matching, absence, options."""

import json
import math

import pandas as pd
import pytest

import autarky
from autarky import cli, registry, screens, synthetic, watchlists
from autarky.errors import CodeError, MeasureError, NoDataError
from autarky.tables import parse_period

STUDY = registry.study("self-reliance")
LIST = watchlists.load("naughton-fang-2025-batch1")
PANEL = "us-china/us-exports-to-china-monthly-hs6-2013-01_2021-02.parquet"
REQUIRED = {
    *("group", "category", "months", "volatility", "growth", "pattern", "flag", "agrees", "label_stability"),
    *("published_volatility", "published_growth", "published_label", "volatility_detrended", "volatility_stl"),
}


def frame_of(findings, name: str) -> pd.DataFrame:
    return next(t.frame for t in findings.tables if t.name == name)


def run(flows, **options):
    con = flows.table.get_backend()
    return STUDY.run(flows, con, replicates=50, **options)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's report, as the command line writes it."""
    out = tmp_path_factory.mktemp("demo")
    assert cli.main(["demo", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def patterns(demo):
    return pd.read_csv(demo / "report/tables/patterns.csv").set_index("group")


def test_all_groups_reproduce_the_published_figures(patterns):
    assert set(patterns.reset_index().columns) >= REQUIRED
    assert len(patterns) == 17
    for group, published in LIST.published.items():
        assert round(patterns.loc[group, "volatility"], 2) == published.volatility, group
        assert round(patterns.loc[group, "growth"], 2) == published.growth, group
    assert (patterns["months"] == 120).all()


def test_fourteen_labels_agree_and_three_do_not(patterns):
    agrees = patterns["agrees"].astype(str).str.lower() == "true"
    assert agrees.sum() == 14
    assert set(patterns.index[~agrees]) == {
        "Integrated Circuits",
        "Medical and Bio Precision Equipment",
        "Aviation and Aerospace",
    }


def test_patterns_follow_from_the_screen(patterns):
    rules = screens.load("naughton-fang-2025")
    for _, row in patterns.iterrows():
        assert row["pattern"] == rules.label(volatility=row["volatility"], growth=row["growth"])
    assert patterns["label_stability"].between(0, 1).all()
    assert (patterns["volatility_detrended"] <= patterns["volatility"] * 1.01).all()


def test_every_table_and_page_says_that_it_is_synthetic(demo):
    for table in (demo / "report/tables").glob("*.csv"):
        frame = pd.read_csv(table, dtype=str)
        assert frame.columns[-1] == "data"
        assert (frame["data"] == "synthetic").all()
    page = (demo / "report/report.html").read_text(encoding="utf-8")
    assert "no figure on this page is a figure of the world" in page
    package = json.loads((demo / "report/datapackage.json").read_text(encoding="utf-8"))
    assert "ynthetic" in json.dumps(package["sources"])


def test_category_levels_are_those_of_the_text(demo):
    frame = pd.read_csv(demo / "report/tables/categories.csv", parse_dates=["period"])
    circuits = frame[frame["category"] == "Semiconductor Intermediate"].set_index("period")["value_usd"]
    assert circuits["2015"].mean() < 20e9
    assert 33e9 < circuits["2021-10":"2022-01"].max() < 37e9
    capital = frame[frame["category"] == "Semiconductor Capital"].set_index("period")["value_usd"]
    assert capital.idxmax() == pd.Timestamp("2024-12-01")
    assert capital.max() == pytest.approx(4.5e9, rel=0.05)


def test_a_second_demo_gives_the_same_tables(demo, tmp_path):
    assert cli.main(["demo", "--out", str(tmp_path)]) == 0
    for name in ("patterns", "drivers", "codes"):
        first, second = (pd.read_csv(d / f"report/tables/{name}.csv") for d in (demo, tmp_path))
        pd.testing.assert_frame_equal(first, second, rtol=1e-12)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Flows of a short synthetic panel: the groups that share 848620, with holes."""
    path = tmp_path_factory.mktemp("small") / "panel.csv"
    frame = synthetic.panel().to_pandas()
    frame = frame[frame["product"].str.startswith("8486")].assign(period=lambda f: f["period"].astype(str))
    frame.to_csv(path, index=False)
    values = {"reporter": "CHN", "flow": "import", "nomenclature": "GACC8"}
    return autarky.read("tidy", path, values=values)


def at_six_digits(tmp_path, drop=lambda f: f["value_usd"] < 0):
    frame = synthetic.panel().to_pandas()
    frame = frame[frame["product"].str.startswith(("8486", "8542"))]
    frame = frame.assign(product=frame["product"].str[:6], period=frame["period"].astype(str))
    frame = frame.groupby(["period", "partner", "product"], as_index=False)["value_usd"].sum()
    path = tmp_path / "hs6.csv"
    frame[~drop(frame)].to_csv(path, index=False)
    return autarky.read("tidy", path, values={"reporter": "CHN", "flow": "import", "nomenclature": "HS2017"})


def test_six_digits_are_a_partial_match_and_shared_products_are_named(tmp_path):
    findings = run(at_six_digits(tmp_path))
    codes = frame_of(findings, "codes")
    assert set(codes["match"]) == {"partial", "none"}
    shared = frame_of(findings, "shared").set_index("product")["groups"]
    assert set(shared["848620"].split("; ")) == {
        "Lithography for Electronics",
        "Cleanroom Process Equipment",
        "Hot / Cold Process Equipment",
    }
    table = frame_of(findings, "patterns").set_index("group")
    assert "848620 serves 3 groups" in table.loc["Lithography for Electronics", "flag"]
    words = " ".join(p for s in findings.sections for p in s.paragraphs)
    assert "match is partial" in words
    # A product that three groups of one category share counts once in the category.
    categories = frame_of(findings, "categories").groupby("category")["value_usd"].sum()
    whole = autarky_total(tmp_path, "8486")
    assert categories["Semiconductor Capital"] == pytest.approx(whole, rel=1e-12)


def autarky_total(tmp_path, prefix: str) -> float:
    frame = pd.read_csv(tmp_path / "hs6.csv", dtype={"product": str})
    listed = {e.code[:6] for e in LIST.entries}
    return frame[frame["product"].str.startswith(prefix) & frame["product"].isin(listed)]["value_usd"].sum()


def test_a_missing_base_month_is_flagged_and_nothing_is_infinite(tmp_path):
    flows = at_six_digits(tmp_path, lambda f: (f["period"] == "2015-01-01") & f["product"].str.startswith("8542"))
    table = frame_of(run(flows), "patterns").set_index("group")
    row = table.loc["Integrated Circuits"]
    assert math.isnan(row["growth"])
    assert row["pattern"] is None or pd.isna(row["pattern"])
    assert "base missing: no value in 2015-01" in row["flag"]
    numbers = table.select_dtypes("number").to_numpy().ravel()
    assert not any(math.isinf(v) for v in numbers)
    zero = frame_of(run(flows, absent="zero"), "patterns").set_index("group")
    assert "base is zero" in zero.loc["Integrated Circuits", "flag"]


def test_groups_without_data_stay_in_the_table(small):
    table = frame_of(run(small), "patterns").set_index("group")
    assert len(table) == 17
    assert table.loc["Medicines", "months"] == 0
    assert "no data" in table.loc["Medicines", "flag"]


def test_contributions_of_the_leading_codes_do_not_exceed_their_sum(small):
    drivers = frame_of(run(small), "drivers")
    assert (drivers["share"] > 0).all()


def test_window_and_wrong_questions(small):
    table = frame_of(run(small, since=parse_period("2020-01"), until=parse_period("2020-06")), "patterns")
    assert table["months"].max() == 6
    with pytest.raises(NoDataError, match="no monthly imports of DEU"):
        run(small, reporter="DEU")
    with pytest.raises(CodeError, match="'GER' is not a country code"):
        run(small, reporter="GER")
    with pytest.raises(NoDataError):
        run(small, since=parse_period("2030"))


def test_data_without_six_digits_cannot_be_matched(tmp_path):
    path = tmp_path / "hs4.csv"
    path.write_text("period,partner,product,value_usd\n2020-01,USA,8542,5\n", encoding="utf-8")
    values = {"reporter": "CHN", "flow": "import", "nomenclature": "HS2017"}
    with pytest.raises(MeasureError, match="without 6-digit rows"):
        run(autarky.read("tidy", path, values=values))


def test_the_world_total_is_taken_where_it_is_reported(tmp_path):
    path = tmp_path / "world.csv"
    rows = [f"2020-{m:02},{p},854231,{v}" for m in range(1, 7) for p, v in (("USA", 4), ("DEU", 5), ("WLD", 10))]
    path.write_text("period,partner,product,value_usd\n" + "\n".join(rows) + "\n", encoding="utf-8")
    flows = autarky.read("tidy", path, values={"reporter": "CHN", "flow": "import", "nomenclature": "HS2017"})
    series = frame_of(run(flows), "series").query("group == 'Integrated Circuits'")
    assert set(series["value_usd"]) == {10.0}
    series = frame_of(run(flows, partner="USA"), "series").query("group == 'Integrated Circuits'")
    assert set(series["value_usd"]) == {4.0}


def test_the_real_mirror_panel(shared, tmp_path):
    """US exports to China as China's imports: 17 groups, no infinite figure, the missing base flagged."""
    store = tmp_path / "store"
    ingest = ["ingest", "tidy", str(shared / PANEL), "--store", str(store), "--map", "product=hs6", "--set"]
    said = ["reporter=CHN", "partner=USA", "flow=import", "nomenclature=HS2017", "valuation=FOB", "source=us-census"]
    assert cli.main([*ingest, *said]) == 0
    out = tmp_path / "out"
    window = ["--since", "2015-01", "--until", "2020-12"]
    assert cli.main(["run", "self-reliance", "--store", str(store), "--out", str(out), *window]) == 0
    text = (out / "tables/patterns.csv").read_text(encoding="utf-8")
    assert "inf" not in text.lower().replace("infra", "")
    table = pd.read_csv(out / "tables/patterns.csv").set_index("group")
    assert len(table) == 17
    assert table["months"].max() == 72
    assert "base missing: no value in 2015-01" in table.loc["Aviation and Aerospace", "flag"]
    expected = _independent(shared, "854231|854232|854233|854239|903180")
    circuits = table.loc["Integrated Circuits"]
    assert circuits["volatility"] == pytest.approx(expected["volatility"], rel=1e-9)
    assert circuits["growth"] == pytest.approx(expected["growth"], rel=1e-9)


def _independent(shared, products: str) -> dict[str, float]:
    """Volatility and growth by pandas alone."""
    frame = pd.read_parquet(shared / PANEL)
    frame = frame[frame["hs6"].str.fullmatch(products) & frame["period"].between("2015-01", "2020-12")]
    x = frame.groupby("period")["value_usd"].sum()
    t = pd.Series(range(1, len(x) + 1), index=x.index)
    return {"volatility": x.std() / x.mean(), "growth": float((t * (x / x.iloc[0] - 1)).sum() / t.sum())}
