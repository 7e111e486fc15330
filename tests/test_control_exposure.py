"""The study: registry and flows to findings, what is missing is said, options, the page, the real data."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from examples import draw

import autarky
from autarky import controls, exposure_charts, package, price_effect, registry, report
from autarky.errors import AutarkyError, CodeError, MeasureError, NoDataError
from autarky.studies._control_exposure import indirect

STUDY = registry.study("control-exposure")
DAY = "2025-04-20"


def frame_of(findings, name: str) -> pd.DataFrame:
    return next(t.frame for t in findings.tables if t.name == name)


def words_of(findings, heading: str) -> str:
    return " ".join(next(s.paragraphs for s in findings.sections if s.heading == heading))


@pytest.fixture(scope="module")
def flows(tmp_path_factory) -> autarky.Flows:
    """Imports of two reporters in HS2022: graphite in an exact and a partial line, bismuth in one, nothing else."""
    rows = [
        (year, reporter, partner, product, value)
        for year in (2021, 2022)
        for reporter in ("USA", "JPN")
        for partner, product, value in (
            ("CHN", "250410", 60e6), ("CAN", "250410", 30e6), ("BRA", "250410", 10e6),
            ("CHN", "382499", 40e6), ("DEU", "382499", 360e6),
            ("CHN", "810610", 9e6), ("KOR", "810610", 1e6),
            ("KOR", "811010", 5e6),
        )
        if not (partner == "CHN" and product == "810610" and year == 2021)
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("panel") / "panel.csv"
    pd.DataFrame(rows, columns=["period", "reporter", "partner", "product", "value_usd"]).to_csv(path, index=False)
    return autarky.read("tidy", path, values={"flow": "import", "nomenclature": "HS2022"})


@pytest.fixture(autouse=True, scope="module")
def empty_reference(tmp_path_factory):
    """No reference tables, whatever this machine has: what is measured here must not depend on them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTARKY_REFERENCE", str(tmp_path_factory.mktemp("no-reference")))
        yield


def run(flows, **options):
    return STUDY.run(flows, flows.table.get_backend(), **{"as_of": DAY, **options})


@pytest.fixture(scope="module")
def findings(flows):
    return run(flows)


# --- direct


def test_minerals_are_ranked_with_their_bounds(findings):
    table = frame_of(findings, "minerals").set_index("mineral")
    assert set(table.index) == set(controls.load().as_of(DAY, "USA")["product"])
    graphite = table.loc["graphite"]
    held = frame_of(findings, "lines")
    exact = set(held[(held["mineral"] == "graphite") & (held["bound"] == "exact")]["product"])
    assert "250410" in exact
    assert graphite["all_usd"] == 100e6
    assert graphite["all_share"] == pytest.approx(100 / 500)
    assert graphite["imports_usd"] == 500e6
    shares = np.array([100, 30, 10, 360]) / 500
    assert graphite["herfindahl"] == pytest.approx((shares**2).sum())
    rest = np.array([30, 10, 360]) / 400
    assert graphite["herfindahl_without"] == pytest.approx((rest**2).sum())
    assert graphite["next"] == "Germany 72.0%, Canada 6.0%, Brazil 2.0%"
    assert table.loc["bismuth", ["rank", "all_share"]].tolist() == [1, 0.9]
    # No descriptions of HS2022 are at hand here, so no line is known to name a mineral.
    assert table["named_share"].isna().all()
    assert set(table.loc[table["rank"].notna(), "rank_by"]) == {"all"}
    ranked = table["all_share"].dropna()
    assert list(ranked) == sorted(ranked, reverse=True)
    assert (table["exact_usd"].dropna() <= table["all_usd"][table["exact_usd"].notna()]).all()


def test_a_partner_without_a_row_gives_null_and_a_reason(findings):
    antimony = frame_of(findings, "minerals").set_index("mineral").loc["antimony"]
    assert pd.isna(antimony["all_usd"])
    assert pd.isna(antimony["rank"])
    assert antimony["flag"] == "imports are reported in 2022, and none from China"
    years = frame_of(findings, "years").set_index(["mineral", "bound", "year"])
    assert pd.isna(years.loc[("bismuth", "all", 2021), "share"])
    assert years.loc[("bismuth", "all", 2021), "total_usd"] == 1e6


def test_every_code_under_control_is_in_a_figure_or_listed(findings):
    controlled = controls.load().as_of(DAY, "USA")
    measured, unmeasured = frame_of(findings, "lines"), frame_of(findings, "unmeasured")
    for row in controlled.dropna(subset="hs10").itertuples():
        found = [
            row.hs10 in codes.split()
            for frame in (measured, unmeasured)
            for codes in frame.loc[frame["mineral"] == row.product, "codes"].dropna()
        ]
        assert any(found), row.hs10
    bare = controlled[controlled["match"] == "unlisted"]["item"].nunique()
    assert unmeasured["reason"].str.startswith("no line lists it").sum() == bare
    assert not set(zip(measured["mineral"], measured["product"], strict=True)) & set(
        zip(unmeasured["mineral"], unmeasured["product"], strict=True)
    )


def test_the_report_says_that_a_match_is_a_bound(findings):
    said = words_of(findings, "What was measured")
    assert "bound and not a measure" in said
    assert "in these data each match is partial" in said


def test_every_mineral_has_a_page(findings):
    headings = [s.heading.lower() for s in findings.sections]
    for mineral in frame_of(findings, "minerals")["mineral"]:
        assert mineral in headings
    page = next(s for s in findings.sections if s.heading == "Graphite")
    assert page.items == ("suppliers-graphite", "years-graphite", "lines-graphite")
    assert "20.0%" in " ".join(page.paragraphs)


# --- price


def test_prices_follow_from_the_share_of_world_trade(findings):
    card = price_effect.load("assumed")
    table = frame_of(findings, "prices").set_index(["mineral", "basis"])
    row = table.loc[("bismuth", "world trade, all lines")]
    assert row["removed"] == pytest.approx(0.9)
    effect = price_effect.price_range(0.9, card)
    assert (row["log_low"], row["log_high"]) == (pytest.approx(effect.price_low), pytest.approx(effect.price_high))
    gone = table.loc[("antimony", "world trade, all lines")]
    assert pd.isna(gone["low"])
    assert "no export of China of these lines" in gone["flag"]
    # What another study prints stands beside it, and is no input.
    assert table.loc[("gallium", "world trade, all lines"), "published"] == 1.5


def test_all_supply_removed_has_no_price(tmp_path):
    frame = pd.DataFrame(
        [(2022, "USA", "CHN", "810610", 5.0)], columns=["period", "reporter", "partner", "product", "value_usd"]
    )
    frame.to_csv(tmp_path / "one.csv", index=False)
    flows = autarky.read("tidy", tmp_path / "one.csv", values={"flow": "import", "nomenclature": "HS2022"})
    found = run(flows)
    row = frame_of(found, "prices").set_index(["mineral", "basis"]).loc[("bismuth", "world trade, all lines")]
    assert row["removed"] == 1
    assert pd.isna(row["low"])
    assert "no price clears the market" in row["flag"]
    assert "without China undefined" in words_of(found, "Bismuth")


def test_production_is_a_second_basis_and_tells_who_has_the_hosts(flows, tmp_path):
    path = tmp_path / "wmd.csv"
    rows = "China,CHN,t,r,2022,80,Bismuth\nPeru,PER,t,r,2022,20,Bismuth\nChina,CHN,t,r,2022,1,Zinc\n"
    rows += "Peru,PER,t,r,2022,3,Zinc\nTotal,DELETE,t,,2022,4,Zinc\n"
    path.write_text(f"Country,Country_ISO,unit,data_source,year,qty,mineral\n{rows}")
    found = run(flows, production=str(path))
    prices = frame_of(found, "prices").set_index(["mineral", "basis"])
    assert prices.loc[("bismuth", "world production"), "removed"] == pytest.approx(0.8)
    assert "has no graphite" in prices.loc[("graphite", "world production"), "flag"]
    hosts = frame_of(found, "hosts").set_index(["mineral", "host"])
    assert hosts.loc[("indium", "zinc"), "issuer_share"] == pytest.approx(0.25)
    assert hosts.loc[("indium", "zinc"), "leading"] == "Peru 75.0%, China 25.0%"
    assert not hosts.loc[("platinum group", "nickel"), "controlled"]
    assert "wmd.csv" in {f.name for f in found.files}
    assert frame_of(run(flows), "hosts")["flag"].eq("no production file given").all()


# --- indirect


def archive(path, industries, economies=("USA", "CHN", "RoW")):
    count = len(economies) * len(industries)
    rng = np.random.default_rng(3)
    Z, Y = rng.uniform(0, 1, (count, count)), rng.uniform(count, 2 * count, (count, len(economies)))
    labels = {"countries": np.array(economies), "industries": np.array(industries)}
    np.savez(path, Z=Z, Y=Y, x=Z.sum(1) + Y.sum(1), **labels)
    return str(path)


def test_without_a_table_the_report_says_what_to_give(findings):
    said = words_of(findings, "Indirect exposure")
    assert "--icio FILE" in said
    assert "pip install 'autarky[icio]'" in said
    assert "look-through" not in {t.name for t in findings.tables}


def test_with_a_table_face_value_stands_beside_look_through(flows, tmp_path):
    pytest.importorskip("pymrio", reason="pymrio is an extra: pip install 'autarky[icio]'")
    card = registry.card("industries", indirect.CARD)
    found = run(flows, icio=archive(tmp_path / "t.npz", list(card["industries"])))
    table = frame_of(found, "look-through")
    assert set(table["purchases"]) == {"Final demand", "Inputs of manufacturing"}
    parts = table[["direct_share", "own_share", "third_share"]].sum(axis=1)
    np.testing.assert_allclose(parts, table["value_added_share"])
    np.testing.assert_allclose(table["value_added_usd"] / table["purchases_usd"], table["value_added_share"])
    # The industries of graphite, one after the other, are what its page adds up.
    own = table[(table["purchases"] == "Final demand") & table["minerals"].fillna("").str.contains("graphite")]
    assert f"final demand: {own['face_share'].sum():.2%} at face value" in words_of(found, "Graphite")
    said = words_of(found, "Indirect exposure")
    assert "coarse proxy" in said
    assert "rest of the world" in said
    assert "an output of" in said


def test_industries_that_are_not_known_stand_for_no_mineral(flows, tmp_path):
    pytest.importorskip("pymrio", reason="pymrio is an extra: pip install 'autarky[icio]'")
    found = run(flows, icio=archive(tmp_path / "t.npz", ["one", "two"]))
    assert frame_of(found, "look-through")["industry"].tolist() == ["All industries"]
    assert "no industry stands for a mineral" in words_of(found, "Indirect exposure")
    with pytest.raises(MeasureError, match="has no economy USA; it has JPN, CHN"):
        run(flows, icio=archive(tmp_path / "u.npz", ["one"], ("JPN", "CHN")))


def test_without_pymrio_only_the_indirect_part_fails(flows, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymrio", None)
    assert len(frame_of(run(flows), "minerals"))
    with pytest.raises(AutarkyError, match="pymrio, which is not installed"):
        run(flows, icio=archive(tmp_path / "t.npz", ["one"]))


def test_every_chapter_of_the_controls_has_an_industry():
    card = registry.card("industries", indirect.CARD)
    chapters = set(controls.load().items()["hs10"].dropna().str[:2])
    assert chapters <= set(card["chapters"])
    assert set(card["chapters"].values()) | set(card["manufacturing"]) <= set(card["industries"])


# --- options


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"as_of": None}, MeasureError, "--as-of YYYY-MM-DD"),
        ({"as_of": "2025-02-30"}, MeasureError, "not a day"),
        ({"importer": "Japan"}, CodeError, "--importer 'Japan' is not a country code"),
        ({"importer": "CHN"}, MeasureError, "importer and issuer are both CHN"),
        ({"issuer": "USA", "importer": "JPN"}, NoDataError, "no item that USA controls"),
        ({"as_of": "2019-01-01"}, NoDataError, "no item that CHN controls for exports to USA on 2019-01-01"),
        ({"year": "last"}, MeasureError, "expected a year"),
        ({"year": "1990"}, NoDataError, "it has 2021 to 2022"),
        ({"suppliers": 0}, MeasureError, "expected 1 or more"),
        ({"nomenclature": "GACC8"}, NoDataError, "in GACC8 matched"),
        ({"elasticities": "guessed"}, AutarkyError, "there is no card 'guessed'"),
        ({"production": "none.csv"}, AutarkyError, "no such file"),
        ({"icio": "none.npz"}, AutarkyError, "no such file"),
    ],
)
def test_options_that_make_no_sense(flows, options, error, said):
    with pytest.raises(error, match=said):
        run(flows, **options)


def test_fewer_controls_earlier(flows, findings):
    before = frame_of(run(flows, as_of="2024-06-01"), "minerals")
    assert set(before["mineral"]) < set(frame_of(findings, "minerals")["mineral"])


def test_the_day_on_the_command_line_is_not_a_version(cli, store, flows, tmp_path):
    path = tmp_path / "panel.csv"
    path.write_text("period,reporter,partner,product,value_usd\n2022,USA,CHN,810610,5\n2022,USA,KOR,810610,5\n")
    assert cli("ingest", "tidy", path, "--store", store, "--set", "flow=import", "nomenclature=HS2022").code == 0
    out = tmp_path / "out"
    ran = cli("run", "control-exposure", "--store", store, "--out", out, "--as-of", "0", "--as-of", DAY)
    assert ran.code == 0, ran.err
    said = json.loads((out / "datapackage.json").read_text(encoding="utf-8"))["parameters"]
    assert said["as_of"] == DAY
    assert said["importer"] == "USA"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Exposure of United States to export controls of China" in page
    minerals = pd.read_csv(out / "tables/minerals.csv").set_index("mineral")
    assert minerals.loc["bismuth", "all_share"] == 0.5
    ran = cli("run", "self-reliance", "--store", store, "--out", out, "--as-of", DAY)
    assert (ran.code, "expected the number of a version" in ran.err) == (2, True)
    ran = cli("run", "control-exposure", "--store", store, "--out", out, "--as-of", "7", "--as-of", DAY)
    assert (ran.code, "there is no version 7" in ran.err) == (2, True)


# --- the page


def test_tables_and_figures_are_complete(findings, tmp_path):
    package.checked(findings)
    page = report.write(findings, tmp_path).read_text(encoding="utf-8")
    assert "Infinity" not in page.split("<script")[0]
    assert (tmp_path / "figures/suppliers-bismuth.png").is_file()


def test_the_ledger_accounts_for_controlled_lines(findings):
    line = findings.ledger.lines[-1]
    assert line.step == "controlled lines"
    assert line.rows_in == 8
    assert line.value_out == 515e6 == line.value_in


def test_charts_name_what_they_do_not_draw():
    frame = pd.DataFrame(
        {
            "mineral": ["iron", "gold"],
            "exact_share": [None, None],
            "all_share": [0.2, None],
            "exact_usd": [None, None],
            "all_usd": [1e6, None],
        }
    )
    assert "Not drawn" in draw(exposure_charts.bounds(frame))
    many = pd.DataFrame({"partner": list("ABCDEFGHIJKLM"), "value_usd": range(13, 0, -1)})
    many = many.assign(name="Land " + many["partner"], share=many["value_usd"] / many["value_usd"].sum())
    drawn = draw(exposure_charts.suppliers(many, "M"))
    # The issuer is drawn though it is the smallest; the rest is one bar.
    assert "Land M" in drawn
    assert "3 others" in drawn
    prices = pd.DataFrame({"mineral": ["iron"], "basis": ["b"], "removed": [0.99], "low": [2.0], "high": [1e9]})
    assert "Cut at 100 times" in draw(exposure_charts.prices(prices))


# --- the real data


@pytest.mark.parametrize("importer", ["USA", "KOR"])
def test_the_real_panel(shared, tmp_path_factory, importer):
    data = {
        "baci": shared / "baci" / "baci-hs92-raw-materials-1995_2024.parquet",
        "production": shared / "minerals" / "world_mining_data_2018_2024.csv",
        "reference": shared.parent / "reference",
    }
    missing = [str(p) for p in data.values() if not p.exists()]
    if missing:
        pytest.skip(f"not here: {', '.join(missing)}")
    place = tmp_path_factory.mktemp("reference")
    autarky.references.add(sorted(data["reference"].iterdir()), place)
    flows = autarky.read("baci", data["baci"])
    found = run(flows, importer=importer, year="2022", reference=str(place), production=str(data["production"]))
    table = frame_of(found, "minerals").set_index("mineral")
    held = {"antimony", "bismuth", "graphite", "tellurium", "dysprosium", "yttrium"}
    assert held <= set(table.index[table["lines_held"] > 0])
    # Without a line in these data, and said to be so; not zero.
    for mineral in ("gallium", "indium", "tungsten", "molybdenum", "superhard materials"):
        assert pd.isna(table.loc[mineral, "all_usd"])
        assert table.loc[mineral, "flag"] == "none of its lines is in the data"
    assert 0.3 < table.loc["graphite", "all_share"] < 1
    assert table.loc["graphite", "rank_by"] == "named"
    ranked = table["named_share"].fillna(table["all_share"]).dropna()
    assert list(ranked) == sorted(ranked, reverse=True)
    package.checked(found)
