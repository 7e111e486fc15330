"""Dated codes and the continuity audit: small lists made here for every finding, and the real ones where they are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from autarky import audit, dated, references, watchlists
from autarky.errors import CodeError, CoverageWarning, MeasureError, NoDataError
from autarky.relatives import plain, similarity

from conftest import Cli  # isort: skip

YEARS = range(2020, 2024)
# code, first year, last year, English, Chinese
LISTED = [
    ("11110000", 2020, 2023, "Steel bolts", "钢螺栓"),
    ("22221000", 2020, 2020, "Copper wire", "铜线"),
    ("22221010", 2021, 2023, "Copper wire", "铜线"),
    ("33331000", 2020, 2021, "Laser printers", "激光打印机"),
    ("33339000", 2022, 2023, "Laser printers, parts", "激光打印机零件"),
    ("33341000", 2022, 2023, "Printers by laser", "激光打印机"),
    ("33342000", 2022, 2023, "Scanners", "扫描仪"),
    ("44441000", 2022, 2023, "Optical glass", "光学玻璃"),
    ("44441010", 2020, 2021, "Glass", "玻璃"),
    ("55551010", 2020, 2023, "Test kits", "试剂盒"),
    ("66661000", 2021, 2023, "Pumps", "泵"),
    ("77771000", 2020, 2021, "Contraceptive devices", "宫内节育器"),
    ("77771000", 2022, 2023, "Surgical robots", "手术机器人"),
    ("77772000", 2020, 2021, "RangefindersRangefinders", "测距仪"),
    ("77772000", 2022, 2023, "Rangefinders", "测距仪"),
    ("77773000", 2020, 2021, "Wrought indium", "锻轧的铟"),
    ("77773000", 2022, 2023, "Dust, scrap, flakes", "锻轧的铟"),
    ("84770010", 2020, 2021, "3D printers", "三维打印机"),
    ("84770090", 2020, 2021, "Other forming machines", "其他成型机器"),
    ("84770000", 2022, 2023, "Forming machines, other", "其他成型机器"),
]
CARD = """id: mine
title: A list
source: nowhere
nomenclature: GACC8
groups:
  - group: A
    category: Other Capital
    codes:
{rows}"""
ALL = {
    "22221000": "", "22221010": "", "33331000": "", "44441000": "", "55551000": "", "66661000": "2022-",
    "77771000": "", "77772000": "", "77773000": "", "84770010": "", "84770090": "-2020", "84770000": "",
    "11110000": "2020-2023",
}  # fmt: skip

Audited = Callable[..., pd.DataFrame]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    rows = [f'{y},{c},"{en}",{zh}' for c, first, last, en, zh in LISTED for y in YEARS if first <= y <= last]
    lists = tmp_path / "lists.csv"
    lists.write_text("\n".join(["year,code,en,zh", *rows, ""]), encoding="utf-8")
    diffuse = [f"HS2022,HS2017,333420,{n:06d},n:n" for n in range(333300, 333330)]
    pairs = tmp_path / "pairs.csv"
    head = "from_rev,to_rev,from_code,to_code,relationship"
    pairs.write_text("\n".join([head, "HS2022,HS2017,333410,333310,n:1", *diffuse, ""]), encoding="utf-8")
    references.add([lists, pairs], tmp_path / "reference")
    return tmp_path / "reference"


def card(tmp_path: Path, codes: dict[str, str]) -> str:
    rows = []
    for code, years in codes.items():
        since, until = re.fullmatch(r"(\d*)-?(\d*)", years).groups()  # type: ignore[union-attr]
        said = f"since: {since or 'null'}, until: {until or 'null'}"
        rows.append(f'      - {{code: "{code}", label: "Test kit", {said}, printed: "{code} ({years})", note: null}}')
    path = tmp_path / "mine.yml"
    path.write_text(CARD.format(rows="\n".join(rows)), encoding="utf-8")
    return str(path)


@pytest.fixture
def audited(reference: Path, tmp_path: Path) -> Audited:
    def run(*codes: str, since: int = 2020, until: int = 2023) -> pd.DataFrame:
        kept = {c: ALL[c] for c in codes} if codes else ALL
        return audit.audit(card(tmp_path, kept), since=since, until=until, reference=reference)

    return run


def brief(frame: pd.DataFrame) -> list[tuple[str, str, int | None, bool | None]]:
    rows = frame[["code", "finding", "year", "covered"]].astype(object)
    return [tuple(rows.where(rows.notna(), None).iloc[i]) for i in range(len(rows))]


def test_every_finding(audited: Audited) -> None:
    frame = audited()
    assert tuple(frame.columns) == audit.COLUMNS
    assert brief(frame) == [
        ("22221000", "died", 2020, True),
        ("22221010", "born", 2021, True),
        ("33331000", "died", 2021, False),
        ("44441000", "born", 2022, False),
        ("55551000", "never", None, False),
        ("66661000", "born", 2021, False),
        ("66661000", "window-contradicts", 2021, None),
        ("77771000", "relabeled", 2022, None),
        ("84770010", "died", 2021, False),
        ("84770090", "died", 2021, True),
        ("84770090", "window-contradicts", 2021, None),
        ("84770000", "born", 2022, True),
    ]
    assert frame["value_share"].isna().all()
    assert frame["candidates"].tolist()[4] == "55551010:same-hs6:0.94"
    assert frame.attrs["covers"] == (2020, 2023)


def test_candidates_best_first(audited: Audited) -> None:
    """Linked codes come before those that share only the heading; a diffuse correlation links nothing."""
    died = audited("33331000").iloc[0]
    assert [c.rpartition(":")[0] for c in died["candidates"].split()] == [
        "33341000:correlated",
        "33339000:same-heading",
    ]
    assert died["note"] == "last listed in 2021; no year printed; not listed: 33341000"


def test_a_death_is_not_covered_by_a_code_that_continues_another(audited: Audited) -> None:
    note = audited().set_index(["code", "finding"]).loc[("84770010", "died"), "note"]
    assert "by its name it continues 84770090" in note


def test_unlisted_partner_is_uncovered(audited: Audited) -> None:
    assert brief(audited("22221010")) == [("22221010", "born", 2021, False)]
    assert brief(audited("22221000")) == [("22221000", "died", 2020, False)]


def test_the_edges_of_the_window_are_no_births_or_deaths(audited: Audited) -> None:
    assert audited("22221010", since=2021).empty
    assert audited("22221000", until=2020).empty
    assert brief(audited("22221000", since=2021)) == [("22221000", "never", None, False)]


def test_years_beyond_the_lists_are_stated(audited: Audited) -> None:
    with pytest.warns(CoverageWarning, match="cover 2020-2023: nothing is said of the other years"):
        beyond = audited(until=2030)
    assert brief(beyond) == brief(audited())
    with pytest.raises(NoDataError, match="cover 2020-2023"):
        audited(since=2024, until=2025)


def test_refusals(audited: Audited, reference: Path, tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="ends before it begins"):
        audited(since=2022, until=2020)
    with pytest.raises(CodeError, match="of GACC8, not of CN8"):
        audit.audit(card(tmp_path, ALL), nomenclature="CN8", reference=reference)
    with pytest.raises(CodeError, match="1 codes have not the 8 digits"):
        audit.audit(card(tmp_path, {"111100": ""}), until=2023, reference=reference)
    with pytest.raises(CodeError, match="autarky reference add"):
        audit.audit(card(tmp_path, ALL), reference=tmp_path / "none")


def test_a_missing_correlation_is_named(tmp_path: Path, reference: Path) -> None:
    for path in reference.glob("correlation*"):
        path.unlink()
    with pytest.raises(CodeError, match="correlation-HS2022-HS2017"):
        audit.audit(card(tmp_path, ALL), since=2020, until=2023, reference=reference)


def test_names() -> None:
    assert plain("RangefindersRangefinders") == plain("Rangefinders ")
    assert plain("d.＜7.5cm，wt") == plain("d.<7.5cm, wt")
    assert similarity(("abcd", "甲乙"), ("abcd", "丙丁")) == 0.5
    assert similarity(("abcd", ""), ("abcd", "丙丁")) == 1.0
    assert similarity(("", ""), ("", "")) == 0.0


def test_command(cli: Cli, reference: Path, tmp_path: Path) -> None:
    store, flows = tmp_path / "store", tmp_path / "flows.csv"
    rows = [("2020-01", "22221000", 30), ("2021-01", "22221010", 50), ("2022-01", "44441000", 20)]
    lines = [f"{p},CHN,WLD,import,GACC8,{c},{v}" for p, c, v in [*rows, ("2019-12", "22221000", 999)]]
    lines += [f"{p},CHN,DEU,import,GACC8,{c},{v}" for p, c, v in rows]
    flows.write_text(
        "\n".join(["period,reporter,partner,flow,nomenclature,product,value_usd", *lines, ""]), encoding="utf-8"
    )
    assert cli("ingest", "tidy", flows, "--store", store).code == 0
    codes = {c: ALL[c] for c in ("22221000", "22221010", "44441000", "33331000")}
    ran = cli("audit", card(tmp_path, codes), "--since", 2020, "--reference", reference, "--store", store,
              "--format", "csv")  # fmt: skip
    assert ran.code == 0
    assert "cover 2020-2023" in ran.err
    assert list(ran.rows[0]) == list(audit.COLUMNS)
    found = {r["code"]: (r["covered"], r["value_share"]) for r in ran.rows}
    assert found == {
        "22221000": ("true", "0.3"),
        "22221010": ("true", "0.5"),
        "44441000": ("false", "0.2"),
        "33331000": ("false", ""),
    }
    nobody = cli("audit", card(tmp_path, codes), "--reference", reference, "--store", store, "--reporter", "USA")
    assert nobody.code == 1
    assert "holds no imports of USA by 8-digit codes" in nobody.last


def test_two_sources_in_one_store_are_chosen_from(cli: Cli, reference: Path, tmp_path: Path) -> None:
    store, head = tmp_path / "store", "period,reporter,partner,flow,nomenclature,product,value_usd"
    for name, value in (("one", 30), ("two", 10)):
        lines = [f"2020-01,CHN,DEU,import,GACC8,22221000,{value}", "2021-01,CHN,DEU,import,GACC8,22221010,30"]
        flows = tmp_path / f"{name}.csv"
        flows.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
        assert cli("ingest", "tidy", flows, "--store", store, "--set", f"source={name}").code == 0
    asked = ("audit", card(tmp_path, {"22221000": "", "22221010": ""}), "--since", 2020, "--until", 2023,
             "--reference", reference, "--format", "csv")  # fmt: skip
    both = cli(*asked, "--store", store)
    assert (both.code, both.out) == (2, "")
    assert "two sources for the same flow: name one with --source (found one, two)" in both.err
    for name, share in (("one", "0.5"), ("two", "0.25")):
        found = {r["code"]: r["value_share"] for r in cli(*asked, "--store", store, "--source", name).rows}
        assert found["22221000"] == share
    nothing = cli(*asked, "--store", store, "--source", "three")
    assert (nothing.code, nothing.out) == (1, "")
    assert "holds no source 'three'" in nothing.err
    alone = cli(*asked, "--source", "one")
    assert alone.code == 2
    assert "add --store DIR" in alone.err


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_formats(cli: Cli, reference: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"found.{form}"
    ran = cli("audit", card(tmp_path, ALL), "--since", 2020, "--until", 2023, "--reference", reference, "--format",
              form, "-o", target)  # fmt: skip
    assert ran.code == 0
    assert ran.err == ""
    if form == "table":
        assert "window-contradicts" in target.read_text(encoding="utf-8")
        return
    read = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}[form]
    found = read(target)
    assert list(found.columns) == list(audit.COLUMNS)
    assert len(found) == 12
    assert found["year"].dropna().iloc[0] == 2020


def test_valid(reference: Path) -> None:
    def ask(code: str, year: int) -> bool | None:
        return audit.valid(code, "GACC8", year, reference)

    assert [ask("22221000", y) for y in (2019, 2020, 2021, 2023, 2024)] == [None, True, False, False, None]
    assert [ask("3334", y) for y in (2021, 2022)] == [False, True]
    assert ask("99999999", 2020) is False
    assert ask("333", 2020) is False
    assert ask("TOTAL", 2020) is True
    with pytest.raises(CodeError, match="HS2017"):
        audit.valid("333310", "HS2017", 2018, reference)


def test_valid_in_an_edition_of_the_hs(tmp_path: Path) -> None:
    path = tmp_path / "hs.csv"
    path.write_text("hs_rev,code,description\nHS2017,333310,Printers\nHS2017,3333,Printing\n", encoding="utf-8")
    references.add(path, tmp_path / "hs")
    first, last = references.card("nomenclature", tmp_path / "hs", nomenclature="HS2017")["covers"]
    assert (first, last) == (2017, 2021)
    asked = [("333310", 2018), ("3333", 2018), ("333320", 2018), ("333310", 2016), ("333310", 2022)]
    assert [audit.valid(c, "HS2017", y, tmp_path / "hs") for c, y in asked] == [True, True, False, None, None]


def test_out_of_years(reference: Path) -> None:
    rows = [("22221000", 2021, 5.0), ("22221000", 2021, 2.0), ("44441000", 2020, 9.0), ("44441000", 2022, 1.0),
            ("44441000", 2031, 4.0)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["product", "year", "value_usd"])
    found = audit.out_of_years(frame, "GACC8", reference)
    assert (found.count, found.value_usd, found.unknown) == (2, 16.0, 1)
    assert found.first == ("44441000 in 2020", "22221000 in 2021")
    assert str(found) == "2 codes out of their years, 16 USD: 44441000 in 2020, 22221000 in 2021"
    assert audit.out_of_years(frame.head(0), "GACC8", reference).count == 0


def test_validity_keeps_the_index(reference: Path) -> None:
    codes = pd.Series(["22221000", "TOTAL", "22221000"], index=[7, 3, 9])
    found = audit.validity(codes, pd.Series([2020, 2021, 2030], index=[7, 3, 9]), "GACC8", reference)
    assert found.index.tolist() == [7, 3, 9]
    assert found.iloc[:2].tolist() == [True, True]
    assert pd.isna(found.iloc[2])


# The real lists.


@pytest.mark.parametrize(
    ("code", "years"),
    [
        ("85423300", (2015, 2016)),
        ("85423310", (2017, 2023)),
        ("85177010", (2015, 2021)),
        ("85177910", (2022, 2023)),
        ("90275000", (2015, 2020)),
        ("90151000", (2015, 2022)),
        ("84561000", (2015, 2016)),
        ("84561100", (2017, 2023)),
        ("84775910", (2015, 2021)),
        ("39014020", (2017, 2023)),
        ("30021500", (2017, 2023)),
        ("85141910", (2022, 2023)),
        ("90132000", (2015, 2023)),
    ],
)
def test_real_years(real: Path, code: str, years: tuple[int, int]) -> None:
    held = [audit.valid(code, "GACC8", y, real) for y in range(2014, 2025)]
    assert held == [None, *(years[0] <= y <= years[1] for y in range(2015, 2024)), None]


def test_a_code_that_came_back(real: Path) -> None:
    lists = dated.lists("GACC8", real)
    assert lists.loc[lists["code"] == "90189080", "year"].tolist() == [2015, 2016, 2017, 2023]


REAL = {
    "naughton-fang-2025-batch1": {("born", True): 12, ("born", False): 5, ("died", True): 6, ("died", False): 2,
                                  ("window-contradicts", None): 7},
    "naughton-fang-2025-batch2": {("born", True): 2, ("died", True): 1, ("died", False): 2,
                                  ("window-contradicts", None): 2},
}  # fmt: skip
UNCOVERED = {
    "naughton-fang-2025-batch1": ["90151000", "85141910", "85141990", "85143900", "39014020", "90275000", "30021500"],
    "naughton-fang-2025-batch2": ["84561000", "84775910"],
}


@pytest.mark.parametrize("name", REAL)
def test_real_findings(real: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        frame = audit.audit(name, reference=real)
    found = pd.Series([(f, c) for _, f, _, c in brief(frame)]).value_counts().to_dict()
    assert found == REAL[name]
    assert frame.loc[frame["covered"].eq(False).fillna(False), "code"].tolist() == UNCOVERED[name]
    best = frame.set_index(["code", "finding"])["candidates"].str.split().str[0].str[:8]
    pairs = {("85177010", "died"): "85177910", ("85177950", "born"): "85177060", ("39014020", "born"): "39019020",
             ("85141990", "born"): "85141090", ("84775900", "born"): "84775990"}  # fmt: skip
    assert {k: v for k, v in best.items() if k in pairs} == {k: v for k, v in pairs.items() if k in best.index}


@pytest.mark.parametrize("name", REAL)
def test_the_page_tells_what_the_run_says(real: Path, name: str) -> None:
    """Every uncovered code and every contradicted year stands in the table of the page with its year."""
    page = (Path(__file__).parents[1] / "docs" / "audit-naughton-fang-2025.md").read_text(encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        frame = audit.audit(name, reference=real)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    told = frame[frame["covered"].eq(False).fillna(False) | frame["finding"].eq("window-contradicts")]
    for code, year in told[["code", "year"]].itertuples(index=False):
        assert any(code in row and str(year) in row for row in rows), (code, year)
    for finding, number in frame["finding"].value_counts().items():
        assert any(f"`{finding}`" in row and f" {number} " in row for row in rows), (finding, number)


def test_codes_of_the_cards_say_when(real: Path) -> None:
    """Each listed code that breaks inside the lists says so in the card's own note."""
    for name in REAL:
        listed = {e.code: e for e in watchlists.load(name).entries}
        for code in UNCOVERED[name]:
            assert listed[code].note, code
