"""The sources of macro series: every shape that the publishers serve, and every way in which a file can be wrong."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Cli, Listed
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky import macro_reader
from autarky.errors import AutarkyError, SourceError
from autarky.macro import Macro
from autarky.sources.gacc import read_rates
from autarky.store import Store

LONG = (
    "Country Name,Country Code,Year,Value\n"
    "China,CHN,2015,11061573199471.0\nChina,CHN,2016,11233313730348.7\n"
    '"Gambia, The",GMB,2015,1378176868.4\nChannel Islands,CHI,2015,9000000000\n'
    "Euro area,EMU,2015,11675863230000\nWorld,WLD,2015,75300000000000"
)
# As data.worldbank.org gives it: BOM, two lines and two blank ones above the header, a comma at the end of each line.
WIDE = (
    '\ufeff"Data Source","World Development Indicators",\r\n\r\n"Last Updated Date","2024-12-16",\r\n\r\n'
    '"Country Name","Country Code","Indicator Name","Indicator Code","2015","2016","2017",\r\n'
    '"China","CHN","GDP (current US$)","NY.GDP.MKTP.CD","11061573199471","11233313730348.7","",\r\n'
    '"Euro area","EMU","GDP (current US$)","NY.GDP.MKTP.CD","11675863230000","","",\r\n'
    '"World","WLD","GDP (current US$)","NY.GDP.MKTP.CD","75300000000000","","",\r\n'
)
ABOUT_COUNTRIES = (
    '\ufeff"Country Code","Region","IncomeGroup","SpecialNotes","TableName",\r\n"CHN","EAP","","","China",\r\n'
)
ABOUT_INDICATORS = (
    '\ufeff"INDICATOR_CODE","INDICATOR_NAME","SOURCE_NOTE","SOURCE_ORGANIZATION",\r\n"NY.GDP.MKTP.CD","a","b","c",\r\n'
)
NATION = "\ufeff年份,GDP总量,第一产业\n2015,702511.5,57774.6\n2016,761193.0,60139.2\n"
PROVINCES = (
    "年份,省份,GDP总量\n2015,上海市,27779.56\n2015,内蒙古自治区,12611.66\n2015,陕西,17471.08\n2015,山西省,11713.91\n"
)
# As data.stats.gov.cn gives them, in GB18030.
NATION_WIDE = (
    "数据库：年度数据,,\n时间：最近10年,,\n指标,2016年,2015年\n国民总收入(亿元),759000.0,700000.1\n"
    "国内生产总值(亿元),761193.0,702511.5\n第一产业增加值(亿元),60139.2,57774.6\n数据来源：国家统计局,,\n"
)
PROVINCES_WIDE = (
    "数据库：分省年度数据\n指标：地区生产总值(亿元)\n时间：最近10年\n地区,2016年,2015年\n北京市,29014.54,26473.35\n"
    "西藏自治区,1187.22,\n注：数据经过修订。\n数据来源：国家统计局\n"
)
RATES = "Date,Country,Exchange rate\n" + "".join(f"2015-{m:02}-01,China,{6 + m / 100}\n" for m in range(1, 13))


def record(code: str | None, year: object, value: object, indicator: str = "NY.GDP.MKTP.CD", two: str = "XX") -> Any:
    return {
        "indicator": {"id": indicator, "value": "GDP (current US$)"},
        "country": {"id": two, "value": f"name of {code or two}"},
        "countryiso3code": code,
        "date": str(year),
        "value": value,
        "unit": "",
        "obs_status": "",
        "decimal": 0,
    }


def answer(records: list[Any], page: int = 1, pages: int = 1, total: int | None = None) -> str:
    total = len(records) if total is None else total
    card = {"page": page, "pages": pages, "per_page": 50, "total": total, "sourceid": "2", "lastupdated": "2024-12-16"}
    return json.dumps([card, records])


ANSWER = answer(
    [
        record("CHN", 2016, 11233313730348.7),
        record("CHN", 2015, 11061573199471),
        record("CHN", 2017, None),
        record("EMU", 2015, 11675863230000),
        record("", 2015, 5.0e13, two="XD"),
        record("WLD", 2015, 75300000000000),
    ]
)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Macro]:
    """Read one text as a file of a source."""

    def reading(of: str, text: str | bytes, file: str = "f.csv", **values: str) -> Macro:
        return macro_reader.read(of, write(tmp_path / file, text), values)

    return reading


def figures(macro: Macro) -> dict[tuple[str, str], float]:
    frame = macro.frame.dropna(subset="value")
    return {(r.area, f"{r.period:%Y-%m}"): r.value for r in frame.itertuples()}


# --- World Bank

CHINA = {("CHN", "2015-01"): 11061573199471.0, ("CHN", "2016-01"): 11233313730348.7, ("WLD", "2015-01"): 7.53e13}


def test_the_mirrors_table(read: Callable[..., Macro]) -> None:
    macro = read("worldbank", LONG)
    assert figures(macro) == CHINA | {("GMB", "2015-01"): 1378176868.4, ("XCH", "2015-01"): 9e9}
    assert set(macro.frame["name"]) == {"gdp_usd"}
    assert set(macro.frame["unit"]) == {"USD"}
    assert set(macro.frame["freq"]) == {"A"}
    assert set(macro.frame["source"]) == {"worldbank"} == {o.id for o in macro.origins}
    assert macro.frame["period"].dtype.kind == "M"
    assert macro.version is None


def zipped(**members: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.csv", text)
    return target.getvalue()


PACKED = zipped(
    Metadata_Indicator=ABOUT_INDICATORS,
    **{"API_NY.GDP.MKTP.CD_DS2_en_csv_v2_1": WIDE},
    Metadata_Country=ABOUT_COUNTRIES,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("API_NY.GDP.MKTP.CD_DS2_en_csv_v2_1.csv", WIDE.encode()),
        ("wide.csv.gz", gzip.compress(WIDE.encode())),
        ("API_NY.GDP.MKTP.CD_DS2_en_csv_v2_1.zip", PACKED),
        ("answer.json", ANSWER.encode()),
    ],
)
def test_the_banks_own_shapes(name: str, text: bytes, read: Callable[..., Macro]) -> None:
    macro = read("worldbank", text, name)
    assert figures(macro) == CHINA
    assert macro.origins[0].note == "last updated 2024-12-16"
    # What the Bank lists without a figure is a row: not reported.
    empty = macro.frame[macro.frame["value"].isna()]
    assert ("CHN", 2017) in list(zip(empty["area"], empty["period"].dt.year, strict=True))


def test_groups_of_countries_are_left_out_and_named(cli: Cli, store: Path, tmp_path: Path) -> None:
    ran = cli("ingest", "worldbank", write(tmp_path / "a.json", ANSWER), "--store", store)
    assert ran.last.startswith("6 figures read, 4 kept, 2 refused (2 of groups of countries): gdp_usd of 2 areas")
    ledger = Store(store).macro_log()[0].ledger
    assert [(line.step, line.rows_in, line.rows_out) for line in ledger] == [
        ("read a.json", 6, 6), ("leave out", 6, 4), ("kept", 6, 4),
    ]  # fmt: skip
    assert ledger[1].note == "of groups of countries: EMU name of EMU, XD name of XD"
    assert ledger[1].value_in - ledger[1].value_out == pytest.approx(11675863230000 + 5e13)


def test_figures_that_cannot_be_gdp_are_left_out_and_named(cli: Cli, store: Path, tmp_path: Path) -> None:
    """The Bank's table had Georgia 1987–1989 in units that gave it the product of a household."""
    text = LONG + "\nGeorgia,GEO,1987,11502.63\nGeorgia,GEO,1990,7500000000.0\n"
    ran = cli("ingest", "worldbank", write(tmp_path / "g.csv", text), "--store", store)
    assert "1 outside 1e+06 to 1e+15 USD" in ran.last
    assert any("GEO 1987 (11502.6)" in line.note for line in Store(store).macro_log()[0].ledger)
    macro = Store(store).macro()
    assert macro is not None
    assert macro.annual("gdp_usd", "GEO").to_dict() == {1990: 7.5e9}


def test_another_indicator_is_refused_unless_it_is_named(read: Callable[..., Macro]) -> None:
    constant = WIDE.replace("NY.GDP.MKTP.CD", "NY.GDP.MKTP.KD")
    with pytest.raises(SourceError, match=r"f.csv row 6: indicator 'NY.GDP.MKTP.KD' is not NY.GDP.MKTP.CD"):
        read("worldbank", constant)
    with pytest.raises(SourceError, match="cannot be kept as gdp_cny"):
        read("worldbank", constant, name="gdp_cny", unit="CNY")
    with pytest.raises(SourceError, match="with --set unit=UNIT beside it"):
        read("worldbank", constant, name="gdp_2015_usd")
    macro = read("worldbank", constant, name="gdp_2015_usd", unit="USD of 2015", source="wdi")
    assert macro.annual("gdp_2015_usd", "CHN")[2015] == 11061573199471
    assert set(macro.frame["unit"]) == {"USD of 2015"}
    assert [o.id for o in macro.origins] == ["wdi"]


def test_pages_of_an_answer(tmp_path: Path) -> None:
    records = [record("CHN", year, 1e12 + year) for year in range(2000, 2005)]
    paths = [
        write(tmp_path / f"{page}.json", answer(records[page * 2 - 2 : page * 2], page, 3, 5)) for page in (1, 2, 3)
    ]
    assert len(macro_reader.read("worldbank", paths).frame) == 5
    with pytest.raises(SourceError, match=r"1 of 3 pages of NY.GDP.MKTP.CD as of 2024-12-16 are missing \(page 2\)"):
        macro_reader.read("worldbank", [paths[0], paths[2]])
    again = write(tmp_path / "again.json", paths[0].read_text() + "\n")
    with pytest.raises(SourceError, match=r"again.json: is page 1 of 3, as is 1.json"):
        macro_reader.read("worldbank", [*paths, again])
    short = write(tmp_path / "short.json", answer(records[:1], 1, 1, 5))
    with pytest.raises(SourceError, match="has 5 records by its own count and 1 in its pages"):
        macro_reader.read("worldbank", short)


WORLDBANK_WRONG = {
    "no header": (LONG.split("\n", 1)[1], "f.csv row 1: expected the columns Country .*; found China, CHN, 2015"),
    "text": (LONG.replace("1378176868.4", "much"), r"f.csv row 4: gdp_usd 'much' is not a number"),
    "negative": (LONG.replace("1378176868.4", "-5"), r"f.csv row 4: gdp_usd -5 is not positive"),
    "zero": (LONG.replace("1378176868.4", "0"), r"f.csv row 4: gdp_usd 0 is not positive"),
    "infinite": (LONG.replace("1378176868.4", "inf"), r"row 4: gdp_usd 'inf' is not a number"),
    "no year": (LONG.replace("GMB,2015", "GMB,15"), r"row 4: '15' is not a year"),
    "a quarter": (LONG.replace("GMB,2015", "GMB,2015Q1"), r"row 4: '2015Q1' is not a year"),
    "no code": (LONG.replace("GMB", "Gambia"), r"row 4: country code 'Gambia' is not three capital letters"),
    "cut": (LONG[: LONG.rindex(",")], r"row 7: 3 fields; the header has 4"),
    "a quote": (LONG.replace('The"', "The"), r"row 4: not a CSV record"),
    "conflict": (
        LONG + "\nChina,CHN,2015,1.2e13",
        r"gdp_usd of CHN 2015 is 11061573199471.0 \(f.csv row 2\) and 12000000000000.0 \(f.csv row 8\)",
    ),
    "a value and none": (LONG + "\nChina,CHN,2015,", "1 figure has two values"),
    "in billions": (
        "Country Name,Country Code,Year,Value\nChina,CHN,2015,11061.6\nWorld,WLD,2015,75300\n",
        r"row 2: gdp_usd of CHN 2015 is 11061.6 USD, and 2 of 2 figures lie outside .*is the file in another unit",
    ),
    "twice in the header": (WIDE.replace('"2016"', '"2015"'), "row 5: the header names 2015 more than once"),
    "an odd column": (WIDE.replace('"2016"', '"change"'), "column 'change' is neither a year nor one of"),
    "only blank lines": ("\n \n", "holds only blank lines"),
    "only a header": (LONG.split("\n")[0], "there are no rows under the header"),
    "only groups": ("\n".join(LONG.split("\n")[i] for i in (0, 5)), "could be kept: 1 of groups of countries"),
    "another source": (RATES, "It looks like a file of 'rates'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WORLDBANK_WRONG)
def test_wrong_files_of_the_world_bank(case: str, cli: Cli, store: Path, tmp_path: Path) -> None:
    text, said = WORLDBANK_WRONG[case]
    with pytest.raises(SourceError, match=said):
        macro_reader.read("worldbank", write(tmp_path / "f.csv", text))
    ran = cli("ingest", "worldbank", tmp_path / "f.csv", "--store", store)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert not store.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"message":[{"id":"120","key":"Invalid value","value":"not valid"}]}]', "an error: .*Invalid value"),
        ('[{"page":0,"pages":0,"per_page":50,"total":0},null]', "holds no records"),
        ("{}", "expected an answer of the World Bank's API"),
        (ANSWER[:-40], "not JSON .*cut short"),
        (answer([record("CHN", 2015, "many")]), "row 1: value 'many' is not a number"),
        (answer([record("CHN", 2015, True)]), "row 1: value True is not a number"),
        (answer([record("CHN", 2015, 1e12, "SP.POP.TOTL")]), "row 1: indicator 'SP.POP.TOTL' is not"),
        (answer([{"x": 1}]), "row 1: a record has indicator, country, date and value"),
    ],
)  # fmt: skip
def test_wrong_answers_of_the_world_bank(text: str, said: str, read: Callable[..., Macro]) -> None:
    with pytest.raises(SourceError, match=said):
        read("worldbank", text, "f.json")


def test_the_first_five_of_many_bad_rows(read: Callable[..., Macro]) -> None:
    rows = "".join(f"China,CHN,{year},x\n" for year in range(1990, 2000))
    with pytest.raises(SourceError, match=r"row 2: .*row 6: .*; 5 more rows are not valid"):
        read("worldbank", "Country Name,Country Code,Year,Value\n" + rows)


def test_an_archive_without_figures(read: Callable[..., Macro]) -> None:
    with pytest.raises(SourceError, match="holds no table that worldbank reads"):
        read("worldbank", zipped(Metadata_Country=ABOUT_COUNTRIES), "f.zip")


def test_a_sheet(read: Callable[..., Macro]) -> None:
    with pytest.raises(SourceError, match=r"cannot read a .xls file"):
        read("worldbank", b"\xd0\xcf", "API_NY.xls")


PANEL = st.dictionaries(
    st.tuples(st.sampled_from(["CHN", "USA", "DEU"]), st.integers(1960, 2030)),
    st.none() | st.floats(1e6, 1e15),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(panel=PANEL)
def test_one_panel_in_three_shapes_is_one_table(panel: dict[tuple[str, int], float | None]) -> None:
    import tempfile

    years = sorted({year for _, year in panel})
    text = {k: "" if v is None else repr(v) for k, v in panel.items()}
    target = io.StringIO()
    sheet = csv.writer(target)
    sheet.writerow(["Country Name", "Country Code", "Indicator Name", "Indicator Code", *years])
    for area in sorted({area for area, _ in panel}):
        sheet.writerow([area, area, "", "NY.GDP.MKTP.CD", *[text.get((area, year), "") for year in years]])
    long = "Country Name,Country Code,Year,Value\n" + "".join(f"x,{a},{y},{text[a, y]}\n" for a, y in panel)
    page = answer([record(area, year, value) for (area, year), value in panel.items()])
    with tempfile.TemporaryDirectory() as place:
        shapes = [
            macro_reader.read("worldbank", write(Path(place) / name, body)).frame
            for name, body in (("long.csv", long), ("wide.csv", target.getvalue()), ("page.json", page))
        ]
    reported = [s.dropna(subset="value").reset_index(drop=True) for s in shapes]
    pd.testing.assert_frame_equal(reported[0], reported[1])
    pd.testing.assert_frame_equal(shapes[0], shapes[2])
    assert dict(
        zip(zip(shapes[0]["area"], shapes[0]["period"].dt.year, strict=True), shapes[0]["value"], strict=True)
    ) == (pytest.approx({k: float("nan") if v is None else v for k, v in panel.items()}, nan_ok=True, rel=0))


# --- National Bureau of Statistics


@pytest.mark.parametrize(
    "text",
    [NATION, NATION.removeprefix("\ufeff").encode("gb18030"), NATION_WIDE, NATION_WIDE.encode("gb18030")],
)
def test_national_tables(text: str | bytes, read: Callable[..., Macro]) -> None:
    macro = read("nbs", text)
    assert figures(macro) == pytest.approx({("CHN", "2015-01"): 702511.5e8, ("CHN", "2016-01"): 761193e8})
    assert set(macro.frame["name"]) == {"gdp_cny"}
    assert set(macro.frame["unit"]) == {"CNY"}


@pytest.mark.parametrize("text", [PROVINCES, PROVINCES.encode("gb18030")])
def test_provincial_tables(text: str | bytes, read: Callable[..., Macro]) -> None:
    found = {area: value / 1e8 for (area, _), value in figures(read("nbs", text)).items()}
    assert found == pytest.approx({"CN-SH": 27779.56, "CN-NM": 12611.66, "CN-SN": 17471.08, "CN-SX": 11713.91})


def test_the_bureaus_provincial_download(read: Callable[..., Macro]) -> None:
    macro = read("nbs", PROVINCES_WIDE.encode("gb18030"))
    assert figures(macro) == pytest.approx(
        {("CN-BJ", "2015-01"): 26473.35e8, ("CN-BJ", "2016-01"): 29014.54e8, ("CN-XZ", "2016-01"): 1187.22e8}
    )
    assert macro.frame["value"].isna().sum() == 1


def test_the_unit_of_a_heading(read: Callable[..., Macro]) -> None:
    text = "年份,国内生产总值（万亿元）\n2015,70.25115\n"
    assert figures(read("nbs", text)) == pytest.approx({("CHN", "2015-01"): 70.25115e12})


def test_the_nation_among_provinces(read: Callable[..., Macro]) -> None:
    macro = read("nbs", PROVINCES + "2015,全国,702511.5\n")
    assert figures(macro)["CHN", "2015-01"] == pytest.approx(702511.5e8)
    assert len(macro.frame) == 5


NBS_WRONG = {
    "no header": (NATION.split("\n", 1)[1], r"f.csv row 1: expected the columns 年份, .*found 2015, 702511.5"),
    "no column of GDP": ("年份,第一产业\n2015,57774.6\n", "expected one column of GDP"),
    "two columns of GDP": ("年份,GDP总量,GDP\n2015,1,2\n", "expected one column of GDP"),
    "a city": (PROVINCES + "2015,吉林市,2455.2\n", r"f.csv row 6: '吉林市' is not a province"),
    "text": (NATION.replace("761193.0", "约七十六万"), r"row 3: GDP '约七十六万' is not a number"),
    "negative": (NATION.replace("761193.0", "-1"), r"row 3: gdp_cny -1 is not positive"),
    "a year twice": (NATION + "2016,761194.0,1\n", r"gdp_cny of CHN 2016 is .* \(f.csv row 3\) and .* \(f.csv row 4\)"),
    "per head": ("年份,GDP总量(元/人)\n2015,49922\n", r"row 2: 'GDP总量\(元/人\)' is in 元/人"),
    "in yuan": ("年份,GDP总量\n2015,70251150000000\n", "is the file in another unit"),
    "no indicator": (PROVINCES_WIDE.replace("指标：地区生产总值(亿元)\n", ""), "expected a line 指标"),
    "another indicator": (PROVINCES_WIDE.replace("地区生产总值(亿元)", "年末常住人口(万人)"), "found 年末常住人口"),
    "only around": ("数据库：年度数据\n数据来源：国家统计局\n", "no table between the lines"),
    "no line of GDP": (NATION_WIDE.replace("国内生产总值", "最终消费"), "could be kept: 6 of other indicators"),
}  # fmt: skip


@pytest.mark.parametrize("case", NBS_WRONG)
def test_wrong_tables_of_the_bureau(case: str, read: Callable[..., Macro]) -> None:
    text, said = NBS_WRONG[case]
    with pytest.raises(SourceError, match=said):
        read("nbs", text)


def test_mixed_encodings(read: Callable[..., Macro]) -> None:
    with pytest.raises(SourceError, match="mixed encodings"):
        read("nbs", PROVINCES.encode() + "2016,天津市,11284.2\n".encode("gb18030"))


# --- rates

YEAR = {("CHN", f"2015-{m:02}"): 6 + m / 100 for m in range(1, 13)}


@pytest.mark.parametrize(
    "text",
    [
        RATES,
        RATES.replace("Exchange rate", "Value"),
        "observation_date,EXCHUS\n" + "".join(f"2015-{m:02}-01,{6 + m / 100}\n" for m in range(1, 13)),
        "month,rate\n" + "".join(f"2015{m:02},{6 + m / 100}\n" for m in range(1, 13)),
        "\ufeffPeriod,CNY per USD\n" + "".join(f"2015-{m:02},{6 + m / 100}\n" for m in range(1, 13)),
    ],
)
def test_rates(text: str, read: Callable[..., Macro]) -> None:
    macro = read("rates", text)
    assert figures(macro) == pytest.approx(YEAR)
    assert set(macro.frame["name"]) == {"cny_per_usd"}
    assert set(macro.frame["freq"]) == {"M"}


def test_other_currencies_are_left_out_and_named(cli: Cli, store: Path, tmp_path: Path) -> None:
    text = RATES + "2015-01-01,Japan,118.25\n2015-01-01,Australia,1.24\n2015-02-01,Japan,\n"
    ran = cli("ingest", "rates", write(tmp_path / "r.csv", text), "--store", store)
    assert ran.last.startswith("15 figures read, 12 kept, 3 refused (3 of other currencies): cny_per_usd of 1 area;")
    notes = [line.note for line in Store(store).macro_log()[0].ledger]
    assert "of other currencies: Australia, Japan" in notes


def test_a_month_without_a_rate(read: Callable[..., Macro]) -> None:
    macro = read("rates", "DATE,EXCHUS\n2015-01-01,6.2\n2015-02-01,.\n".replace("DATE", "observation_date"))
    assert macro.frame["value"].isna().tolist() == [False, True]


RATES_WRONG = {
    "no header": (RATES.split("\n", 1)[1], r"f.csv row 1: expected the columns Date, Country"),
    "by day": ("Date,Country,Exchange rate\n2015-01-02,China,6.2\n", r"row 2: '2015-01-02' is a day; expected a month"),
    "by year": ("month,rate\n2014-01,6.1\n2015-01,6.2\n", r"holds only Januaries \(2\): these are rates by year"),
    "no month": ("month,rate\n2015-13,6.1\n", r"row 2: '2015-13' is not a month"),
    "text": ("month,rate\n2015-01,six\n", r"row 2: rate 'six' is not a number"),
    "zero": ("month,rate\n2015-01,0\n", r"row 2: cny_per_usd 0 is not positive"),
    "the other way round": ("month,rate\n2015-01,0.161\n2015-02,0.16\n", "1 to 20 CNY per USD: is the file in"),
    "twice": (RATES + "2015-03-01,China,7\n", r"cny_per_usd of CHN 2015-03 is 6.03 .* and 7.0 \(f.csv row 14\)"),
    "no yuan": ("Date,Country,Value\n2015-01-01,Japan,118\n", "no figure could be kept: 1 of other currencies"),
}  # fmt: skip


@pytest.mark.parametrize("case", RATES_WRONG)
def test_wrong_tables_of_rates(case: str, read: Callable[..., Macro]) -> None:
    text, said = RATES_WRONG[case]
    with pytest.raises(SourceError, match=said):
        read("rates", text)


# --- options that these sources do not take


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "flow=import"], "--set flow=…: --set takes source"),
        (["--map", "year=y"], "--map year=…: --map is not used by this source"),
        (["--rates", "r.csv"], "--rates r.csv: is not used here"),
        (["--conflict", "largest"], "--conflict largest: a series has one figure a period"),
        (["--set", "source=a b"], "source id 'a b': use letters"),
    ],
)
def test_options(options: list[str], said: str, cli: Cli, store: Path, tmp_path: Path) -> None:
    ran = cli("ingest", "rates", write(tmp_path / "r.csv", RATES), "--store", store, *options)
    assert ran.code == 2
    assert said in ran.err
    assert not store.exists()


def test_a_source_of_series_is_not_read_as_flows(tmp_path: Path) -> None:
    import autarky

    with pytest.raises(AutarkyError, match="rates gives macro series, not flows"):
        autarky.read("rates", write(tmp_path / "r.csv", RATES))


def test_flows_say_which_source_a_file_of_series_is_of(cli: Cli, listed: Listed, store: Path, tmp_path: Path) -> None:
    ran = cli("ingest", "tidy", write(tmp_path / "g.csv", LONG), "--store", store)
    assert "It looks like a file of 'worldbank'" in ran.err
    assert listed(store) is None


# --- real files, each against a sum made without autarky


@pytest.fixture(scope="module")
def real_macro(shared: Path) -> Path:
    if not (shared / "macro").is_dir():
        pytest.skip("the real macro series are not in ../shared/data/macro")
    return shared / "macro"


def test_real_table_of_the_world_bank(real_macro: Path) -> None:
    import pycountry

    path = real_macro / "world-bank-gdp-usd.csv"
    macro = macro_reader.read("worldbank", path)
    with path.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    known = {c.alpha_3 for c in pycountry.countries} | {"XKX", "CHI", "WLD"}
    wanted = {
        (r["Country Code"].replace("CHI", "XCH"), int(r["Year"])): float(r["Value"])
        for r in rows
        if r["Country Code"] in known and not (r["Country Code"] == "GEO" and int(r["Year"]) < 1990)
    }
    frame = macro.frame
    assert dict(zip(zip(frame["area"], frame["period"].dt.year, strict=True), frame["value"], strict=True)) == wanted


def test_real_tables_of_the_bureau(real_macro: Path) -> None:
    paths = [real_macro / f"china-{which}-gdp-2015_2024.csv" for which in ("national", "provincial")]
    macro = macro_reader.read("nbs", paths)
    nation, provinces = (pd.read_csv(path) for path in paths)
    assert macro.frame["area"].nunique() == 32
    assert len(macro.frame) == len(nation) + len(provinces)
    assert macro.annual("gdp_cny", "CHN").tolist() == pytest.approx((nation["GDP总量"] * 1e8).tolist())
    in_provinces = macro.frame.loc[macro.frame["area"] != "CHN", "value"].sum()
    assert in_provinces == pytest.approx(provinces["GDP总量"].sum() * 1e8)
    guangdong = provinces.loc[provinces["省份"] == "广东省"].set_index("年份")["GDP总量"] * 1e8
    assert macro.annual("gdp_cny", "CN-GD").to_dict() == pytest.approx(guangdong.to_dict())


def test_real_rates_are_those_that_gacc_reads(real_macro: Path) -> None:
    path = real_macro / "cny-per-usd-monthly.csv"
    found = {month.replace("-", ""): value for (_, month), value in figures(macro_reader.read("rates", path)).items()}
    assert found == read_rates(path)
