"""Direct exposure: items to lines, measures against pandas, absence, production files, hosts, the real data."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import autarky
from autarky import controls, exposure, references, registry
from autarky.errors import CodeError, MeasureError, NoDataError, SourceError
from autarky.exposure import ALL, ASIDE, IMPORTER, NAMED, NONE, ONE, SEVERAL, WITHOUT, WORLDWIDE
from autarky.mapping import Mapping
from autarky.studies._control_exposure import production
from autarky.tables import Condition

NAMES = {
    "811230": "Germanium; including waste and scrap",
    "811291": "Gallium, hafnium, indium; unwrought",
    "284810": "Phosphides; of copper, containing more than 15% of phosphorus",
    "284890": "Phosphides; of metals or non-metals (excluding copper)",
    "285100": "Inorganic compounds n.e.s.",
}


def mapping_of(pairs) -> Mapping:
    frame = pd.DataFrame(pairs, columns=["from_code", "to_code"])
    several = frame[frame["from_code"].duplicated(keep=False)]
    single = frame[~frame["from_code"].duplicated(keep=False)]
    return Mapping(single, several, ("HS2022", "HS1992"))


def controlled_of(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["product", "item", "hs10", "match"])


# --- items to lines


@pytest.fixture
def translated(monkeypatch):
    pairs = [
        ("811292", "811230"), ("811292", "811291"), ("250410", "250410"), ("285390", "284810"), ("285390", "284890"),
        ("285390", "285100"),
    ]  # fmt: skip
    monkeypatch.setattr(exposure, "mapping", lambda *_, **__: mapping_of(pairs))
    monkeypatch.setattr(exposure, "_labels", lambda *_: NAMES)


def lines_of(rows, nomenclature="HS1992") -> pd.DataFrame:
    return exposure.lines(controlled_of(rows), nomenclature)


def test_a_line_that_names_the_mineral_is_taken_and_others_are_set_aside(translated):
    found = lines_of([("germanium", "g", "8112921010", "exact"), ("gallium", "m", "8112929010", "exact")])
    by = found.set_index(["mineral", "product"])
    assert by.loc[("germanium", "811230"), ["conversion", "bound"]].tolist() == [NAMED, "exact"]
    assert by.loc[("germanium", "811291"), "conversion"] == ASIDE
    assert by.loc[("gallium", "811291"), ["conversion", "bound"]].tolist() == [NAMED, "exact"]
    assert by.loc[("gallium", "811230"), "conversion"] == ASIDE
    assert "names germanium" in by.loc[("gallium", "811230"), "why"]


def test_what_a_description_excludes_does_not_name_it(translated):
    found = lines_of([("gallium", "phosphide", "2853904030", "exact")]).set_index("product")
    assert found["conversion"].to_dict() == {"284810": ASIDE, "284890": SEVERAL, "285100": SEVERAL}
    # One of several is a bound, never the line of the item.
    assert set(found["bound"]) == {"all"}
    assert exposure.elements("Copper; other than of tin or zinc; of lead (except silver)") == {"copper", "lead"}
    assert exposure.elements("Aluminium and wolfram; columbium") == {"aluminum", "tungsten", "niobium"}


def test_a_line_names_a_mineral_or_the_rare_earths():
    assert exposure.names_it("graphite", "Graphite; natural, in powder or in flakes")
    assert exposure.names_it("dysprosium", "Earth-metals, rare; scandium and yttrium, whether or not intermixed")
    assert exposure.names_it("yttrium", "Compounds (excluding cerium), of rare-earth metals, of yttrium or scandium")
    assert not exposure.names_it("cerium", "Compounds of yttrium, excluding cerium")
    assert not exposure.names_it("graphite", "Compounds of rare-earth metals")
    assert not exposure.names_it("graphite", "Chemical products n.e.s.")


def test_bounds_follow_the_match_of_the_registry(translated):
    found = lines_of([("graphite", "g", "2504101000", "exact"), ("graphite", "h", "2504109100", "partial")])
    assert found[["product", "bound", "conversion", "items"]].to_numpy().tolist() == [["250410", "exact", ONE, 2]]
    assert found["codes"].tolist() == ["2504101000 2504109100"]
    found = lines_of([("graphite", "h", "2504109100", "partial"), ("graphite", "u", None, "unlisted")])
    assert found["bound"].tolist() == ["all"]


def test_a_code_that_the_tables_do_not_have_is_named(translated):
    found = lines_of([("graphite", "g", "9999991000", "exact")])
    assert found[["conversion", "bound"]].to_numpy().tolist() == [[NONE, "all"]]
    assert found["product"].isna().all()


def test_codes_of_the_same_edition_stay():
    found = exposure.lines(controlled_of([("graphite", "g", "2504101000", "exact")]), "HS2022")
    assert found["product"].tolist() == ["250410"]


def test_other_code_systems_are_refused():
    with pytest.raises(CodeError, match="6-digit lines of the HS, and the data are in GACC8"):
        lines_of([("graphite", "g", "2504101000", "exact")], "GACC8")


def test_elements_are_named_once():
    rows = [r["name"] for r in autarky.codes.rows_of("elements")]
    spellings = [s for r in autarky.codes.rows_of("elements") for s in (r["name"], *r["spellings"].split())]
    assert len(rows) == len(set(rows))
    assert len(spellings) == len(set(spellings))


# --- measures


LINES = pd.DataFrame(
    [
        ("alpha", "250410", "exact", ONE, False), ("alpha", "280530", "all", ONE, True),
        ("alpha", "811230", "all", ASIDE, True), ("beta", "280530", "exact", ONE, False),
        ("beta", "284690", "all", SEVERAL, False),
    ],
    columns=["mineral", "product", "bound", "conversion", "named"],
)  # fmt: skip


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    rows = [
        (year, reporter, partner, product, float(rng.lognormal(12, 2)))
        for year in (2021, 2022)
        for reporter in ("USA", "JPN", "DEU")
        for partner in ("CHN", "KOR", "CAN", "BRA", "USA", "DEU")
        for product in ("250410", "280530", "811230")
        if partner != reporter and rng.random() > 0.25
    ]
    return pd.DataFrame(rows, columns=["period", "reporter", "partner", "product", "value_usd"])


def flows_of(frame: pd.DataFrame, tmp_path) -> autarky.Flows:
    path = tmp_path / f"panel-{len(list(tmp_path.iterdir()))}.csv"
    frame.to_csv(path, index=False)
    return autarky.read("tidy", path, values={"flow": "import", "nomenclature": "HS1992"})


def direct_of(flows, lines=LINES, importer="USA", issuer="CHN", year=None) -> exposure.Direct:
    con = flows.table.get_backend()
    return exposure.direct(con, exposure.chosen(flows, "HS1992"), lines, importer, issuer, year)


@pytest.fixture
def found(panel, tmp_path) -> exposure.Direct:
    return direct_of(flows_of(panel, tmp_path))


def test_measures_agree_with_pandas(panel, found):
    units = {
        "alpha/exact": ["250410"], "alpha/all": ["250410", "280530"], "beta/all": ["280530", "284690"],
        "beta/exact": ["280530"], "alpha/named": ["280530"], "280530": ["280530"],
    }  # fmt: skip
    assert found.year == 2022
    for unit, products in units.items():
        for year in (2021, 2022):
            for market, reporters in ((IMPORTER, ["USA"]), (WORLDWIDE, ["USA", "JPN", "DEU"])):
                rows = panel[(panel["period"] == year) & panel["reporter"].isin(reporters)]
                value = rows[rows["product"].isin(products)].groupby("partner")["value_usd"].sum()
                for suppliers, kept in ((ALL, value), (WITHOUT, value.drop("CHN", errors="ignore"))):
                    keys = {"unit": unit, "year": year, "market": market, "suppliers": suppliers}
                    share = kept / kept.sum()
                    assert exposure.figure(found.measures, "total_usd", **keys) == pytest.approx(kept.sum())
                    assert exposure.figure(found.measures, "herfindahl", **keys) == pytest.approx((share**2).sum())
                    assert exposure.figure(found.measures, "members", **keys) == len(kept)
                if "CHN" in value:
                    keys = {"unit": unit, "year": year, "market": market, "partner": "CHN"}
                    said = exposure.figure(found.suppliers, "share", **keys)
                    assert said == pytest.approx(value["CHN"] / value.sum())


def test_lines_set_aside_or_absent_are_in_no_figure(found):
    assert "811230" not in set(found.measures["unit"])
    assert found.held == {"250410", "280530"}


def test_exact_lines_are_never_more_than_all(found):
    totals = found.measures.pivot_table(index=["year", "market", "suppliers"], columns="unit", values="total_usd")
    assert (totals["alpha/exact"] <= totals["alpha/all"]).all()


def test_the_suppliers_of_a_unit_sum_to_one_and_the_next_leave_the_issuer_out(panel, found):
    own = found.suppliers[(found.suppliers["year"] == 2022)]
    np.testing.assert_allclose(own.groupby(["unit", "market"])["share"].sum(), 1)
    rows = panel[(panel["period"] == 2022) & (panel["reporter"] == "USA") & (panel["product"] == "280530")]
    wanted = rows[rows["partner"] != "CHN"].nlargest(2, "value_usd")["partner"].tolist()
    assert exposure.next_suppliers(found, "280530", "CHN", 2)["partner"].tolist() == wanted


def test_without_the_issuer_concentration_can_rise_or_fall(tmp_path):
    frame = pd.DataFrame(
        [(2022, "USA", p, "250410", v) for p, v in (("CHN", 80.0), ("CAN", 10.0), ("BRA", 10.0))],
        columns=["period", "reporter", "partner", "product", "value_usd"],
    )
    said = direct_of(flows_of(frame, tmp_path)).measures.set_index(["unit", "market", "suppliers"])["herfindahl"]
    assert said[("250410", IMPORTER, ALL)] == pytest.approx(0.66)
    assert said[("250410", IMPORTER, WITHOUT)] == pytest.approx(0.5)


def test_not_reported_is_not_zero(tmp_path):
    frame = pd.DataFrame(
        [
            (2021, "USA", "CHN", "250410", 5.0), (2022, "USA", "CAN", "250410", 10.0),
            (2022, "USA", "CHN", "280530", None), (2022, "JPN", "CHN", "280530", 7.0),
        ],
        columns=["period", "reporter", "partner", "product", "value_usd"],
    )  # fmt: skip
    said = direct_of(flows_of(frame, tmp_path))
    keys = {"market": IMPORTER, "year": 2022}
    assert exposure.figure(said.suppliers, "share", unit="250410", partner="CHN", **keys) is None
    assert exposure.figure(said.measures, "total_usd", unit="280530", suppliers=ALL, **keys) is None
    assert exposure.figure(said.measures, "total_usd", unit="250410", suppliers=ALL, **keys) == 10


def test_a_year_or_an_importer_that_is_not_there(panel, tmp_path):
    flows = flows_of(panel, tmp_path)
    with pytest.raises(NoDataError, match="no imports of USA in 1990; it has 2021 to 2022"):
        direct_of(flows, year=1990)
    with pytest.raises(NoDataError, match="no imports of FRA; it has none"):
        direct_of(flows, importer="FRA")


def test_the_world_total_and_other_flows_are_left_out(panel, tmp_path):
    world = panel.groupby(["period", "reporter", "product"], as_index=False)["value_usd"].sum().assign(partner="WLD")
    both = direct_of(flows_of(pd.concat([panel, world]), tmp_path))
    alone = direct_of(flows_of(panel, tmp_path))
    keys = ["unit", "year", "market", "suppliers"]
    one, other = (d.measures.sort_values(keys, ignore_index=True) for d in (both, alone))
    np.testing.assert_allclose(one["total_usd"], other["total_usd"])


def test_the_edition_of_a_store(panel, tmp_path):
    flows = flows_of(panel, tmp_path)
    assert exposure.edition_of(flows) == "HS1992"
    two = pd.concat([flows.coverage, flows.coverage.assign(nomenclature="HS2017")])
    with pytest.raises(MeasureError, match="HS1992, HS2017: name one with --nomenclature"):
        exposure.edition_of(dataclasses.replace(flows, coverage=two))
    with pytest.raises(NoDataError, match="no 6-digit imports"):
        exposure.edition_of(flows.where([Condition("flow", ("export",))]))
    with pytest.raises(CodeError, match="not known"):
        exposure.edition_of(flows, "HS1990")


# --- production files and hosts


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("1,234.5", 1234.5, None), ("0", 0.0, None), ("—", 0.0, None), ("", None, "not reported"),
        ("W", None, "withheld"), ("NA", None, "not available"), (">95", None, "printed >95"),
        ("330 - 390", None, "printed 330 - 390"), ("E", None, "printed E"), ("Large", None, "printed Large"),
    ],
)  # fmt: skip
def test_printed_figures(text, value, said):
    found, why = production.quantity(text)
    assert found == value
    assert why is None if said is None else said in why


def test_world_mining_data_without_its_totals(tmp_path):
    path = tmp_path / "wmd.csv"
    path.write_text(
        "Country,Country_ISO,unit,data_source,year,qty,mineral\n"
        "China,CHN,metr. t,r,2022,60,Tungsten (W)\nPeru,PER,metr. t,r,2022,40,Tungsten (W)\n"
        "Total,DELETE,metr. t,,2022,100,Tungsten (W)\n"
    )
    rows, said = production.series(production.read(path), ["tungsten"])
    assert said is None
    assert production.share_of(rows, "CHN", 2022) == (pytest.approx(0.6), 2022, None)
    # The nearest year that there is, named.
    assert production.share_of(rows, "CHN", 2019)[1] == 2022
    assert production.share_of(rows, "USA", 2022) == (None, None, "no row of USA")
    assert "has no gallium" in production.series(production.read(path), ["gallium"])[1]


def test_the_usgs_with_bounds_letters_and_the_printed_total(tmp_path):
    head = "Section,Commodity,Country,Statistics,Statistics_detail,Unit,Year,Value\n"
    body = "World Mine Production and Reserves,Zinc,{},Production,Mine production{},thousand metric tons,2024,{}\n"
    rows = [("China", "", '"4,000"'), ("United States", "", "W"), ("Peru", "", '">1,000"')]
    rows += [("World total", ": rounded", '"10,000"')]
    path = tmp_path / "usgs.csv"
    path.write_text(head + "".join(body.format(*r) for r in rows), encoding="cp1252")
    found, _ = production.series(production.read(path), ["zinc"])
    assert production.share_of(found, "CHN", 2024) == (pytest.approx(0.4), 2024, None)
    assert production.share_of(found, "USA", 2024) == (None, 2024, "USA 2024: withheld by the source")
    assert production.share_of(found, "PER", 2024) == (None, 2024, "PER 2024: printed >1,000")


def test_files_that_hold_no_production(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        production.read(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match=r"neither World Mining Data .* it has a, b"):
        production.read(tmp_path / "other.csv")


def test_every_host_has_a_source_and_the_pairs_are_those_of_the_testimony():
    rows = production.hosts()
    assert {(h.mineral, h.host) for h in rows} == {
        ("gallium", "alumina"), ("germanium", "zinc"), ("indium", "zinc"), ("tellurium", "copper"),
        ("platinum group", "nickel"), ("platinum group", "copper"),
    }  # fmt: skip
    assert all("testimony" in h.source and h.series for h in rows)
    assert {registry.card("hosts", n)["id"] for n in registry.names("hosts")} == set(registry.names("hosts"))


def test_a_material_under_another_name_is_told(tmp_path):
    path = tmp_path / "wmd.csv"
    path.write_text("Country,Country_ISO,unit,data_source,year,qty,mineral\nChina,CHN,t,r,2022,60,Aluminium\n")
    assert production.series(production.read(path), ["alumina", "aluminium"])[1] == "aluminium stands in for alumina"


def test_real_production(shared):
    wmd, usgs = (shared / "minerals" / n for n in ("world_mining_data_2018_2024.csv", "usgs-mcs2026.csv"))
    if not (wmd.is_file() and usgs.is_file()):
        pytest.skip("the production files are not in ../shared/data/minerals")
    frame = pd.read_csv(wmd)
    own = frame[(frame["mineral"] == "Gallium") & (frame["year"] == 2022)]
    printed = float(own.loc[own["Country"] == "Total", "qty"].iloc[0])
    china = float(own.loc[own["Country"] == "China", "qty"].iloc[0])
    rows, _ = production.series(production.read(wmd), ["gallium"])
    assert production.share_of(rows, "CHN", 2022)[0] == pytest.approx(china / printed)
    made = production.read(usgs)
    for host in production.hosts():
        rows, said = production.series(made, host.series, host.stage)
        assert said is None, host
        assert rows.loc[rows["year"] == 2024, "share"].sum() == pytest.approx(1, abs=0.02)


# --- the real panel


def test_real_baci(shared, tmp_path):
    path = shared / "baci" / "baci-hs92-raw-materials-1995_2024.parquet"
    tables = shared.parent / "reference"
    if not (path.is_file() and tables.is_dir()):
        pytest.skip("BACI or the reference tables are not in ../shared")
    place = tmp_path / "reference"
    references.add(sorted(tables.iterdir()), place)
    listed = controls.load().as_of("2025-04-20", "USA")
    lines = exposure.lines(listed, "HS1992", reference=place)
    by = lines.set_index(["mineral", "hs6", "product"])["conversion"]
    assert by[("germanium", "811292", "811230")] == NAMED
    assert by[("gallium", "811292", "811230")] == ASIDE
    assert by[("graphite", "250410", "250410")] == ONE
    named = lines.set_index(["mineral", "hs6", "product"])["named"]
    assert named[("graphite", "250410", "250410")]
    assert named[("samarium", "280530", "280530")]
    assert not named[("graphite", "382499", "382390")]
    # Every heading of the controls has an answer, if only that it has no line.
    assert set(lines["hs6"]) == set(listed["hs10"].dropna().str[:6])
    flows = autarky.read("baci", path)
    con = flows.table.get_backend()
    found = exposure.direct(con, exposure.chosen(flows, "HS1992"), lines, "USA", "CHN", 2022)
    raw = pd.read_parquet(path, columns=["t", "j", "i", "k", "v"])
    raw = raw[raw["t"].astype(int) == 2022].astype({"i": int, "j": int, "v": float})
    # BACI writes the United States as 842 and China as 156, thousand US dollars.
    graphite = raw[raw["k"].astype(str).str.zfill(6) == "250410"]
    value = 1000 * graphite[graphite["j"] == 842].groupby("i")["v"].sum()
    keys = {"unit": "graphite/all", "year": 2022, "market": IMPORTER}
    issuer = {**keys, "partner": "CHN"}
    assert exposure.figure(found.suppliers, "value_usd", **issuer) == pytest.approx(value[156])
    assert exposure.figure(found.suppliers, "share", **issuer) == pytest.approx(value[156] / value.sum())
    for suppliers, kept in ((ALL, value), (WITHOUT, value.drop(156))):
        said = exposure.figure(found.measures, "herfindahl", **keys, suppliers=suppliers)
        assert said == pytest.approx(((kept / kept.sum()) ** 2).sum())
    world = graphite.groupby("i")["v"].sum()
    keys = {**issuer, "market": WORLDWIDE}
    assert exposure.figure(found.suppliers, "share", **keys) == pytest.approx(world[156] / world.sum())
