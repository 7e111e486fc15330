"""The code tables hold to the published standards and to every code in the real files."""

import csv
import gzip
from collections import Counter
from importlib.resources import files
from pathlib import Path

import duckdb
import pycountry
import pytest

from autarky import codes

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
TABLES = {
    "countries.csv": [
        "iso3",
        "iso2",
        "name",
        "m49",
        "comtrade",
        "gacc",
        "region",
        "subregion",
        "note",
    ],
    "provinces.csv": ["iso3166_2", "name", "gacc", "zh"],
    "regimes.csv": ["gacc", "name"],
}
SUBREGIONS = {
    "Africa": {"Northern Africa", "Sub-Saharan Africa"},
    "Americas": {"Latin America and the Caribbean", "Northern America"},
    "Asia": {
        "Central Asia",
        "Eastern Asia",
        "South-eastern Asia",
        "Southern Asia",
        "Western Asia",
    },
    "Europe": {"Eastern Europe", "Northern Europe", "Southern Europe", "Western Europe"},
    "Oceania": {"Australia and New Zealand", "Melanesia", "Micronesia", "Polynesia"},
}
ISO = sorted(pycountry.countries, key=lambda c: c.alpha_3)


def table(name):
    """Return the rows of a package table as dicts of strings."""
    text = (files("autarky") / "data" / name).read_bytes().decode("utf-8")
    return list(csv.DictReader(text.splitlines()))


COUNTRIES = table("countries.csv")
BY_ISO3 = {row["iso3"]: row for row in COUNTRIES}


def owners(system):
    """Return each code of a system and the iso3 of the row that holds it."""
    return {code: row["iso3"] for row in COUNTRIES for code in row[system].split()}


def shared(*parts):
    """Return a path among the real files, or skip where a clone does not have them."""
    if not SHARED.is_dir():
        pytest.skip(f"real customs files are not part of the repository: no folder {SHARED}")
    return SHARED.joinpath(*parts)


def read_shared(*parts):
    with shared(*parts).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", TABLES)
def test_form(name):
    raw = (files("autarky") / "data" / name).read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf"), "byte order mark"
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    header, *rows = csv.reader(raw.decode("utf-8").splitlines())
    assert header == TABLES[name]
    assert rows
    for row in rows:
        assert len(row) == len(header), row
        for cell in row:
            assert cell == " ".join(cell.split()), f"white space in {cell!r}"


@pytest.mark.parametrize("name", TABLES)
def test_names(name):
    names = Counter(row["name"] for row in table(name))
    assert "" not in names
    assert [n for n, count in names.items() if count > 1] == []


@pytest.mark.parametrize("country", ISO, ids=lambda c: c.alpha_3)
def test_every_iso_country(country):
    row = BY_ISO3[country.alpha_3]
    assert row["iso2"] == country.alpha_2
    assert row["m49"] == country.numeric
    if country.alpha_3 != "ATA":
        assert row["subregion"] in SUBREGIONS[row["region"]]


def test_every_iso_row_is_an_iso_country():
    alpha_3 = {country.alpha_3 for country in ISO}
    assert {row["iso3"] for row in COUNTRIES if row["iso2"]} == alpha_3
    assert BY_ISO3["NAM"]["iso2"] == "NA"


def test_former_countries_carry_their_iso_number():
    # ISO 3166-3 numbers the later Yugoslavia 891; UN Comtrade's row is the earlier one, 890.
    # ISO 3166-3 also lists older namesakes of countries that exist (as ATF).
    current = {country.alpha_3 for country in ISO}
    for old in pycountry.historic_countries:
        number = getattr(old, "numeric", None)
        row = BY_ISO3.get(old.alpha_3)
        if row is None or number is None or old.alpha_3 in current | {"YUG"}:
            continue
        assert row["m49"] == number, old.alpha_3


def test_named_areas_keep_clear_of_iso():
    # AAA-AAZ, QMA-QZZ, XAA-XZZ and ZZA-ZZZ are the codes that ISO leaves to users.
    historic = {old.alpha_3 for old in pycountry.historic_countries}
    printed_by_others = {"BLX", "FRG", "S19", "WLD", "YAR", "ZA1"}
    for row in COUNTRIES:
        if not row["iso2"] and row["iso3"] not in historic | printed_by_others:
            assert row["iso3"].startswith("X"), row
        if not row["iso2"]:
            assert row["note"], f"{row['iso3']} is not plain ISO and does not say why"


@pytest.mark.parametrize("system", ["iso3", "iso2", "m49", "comtrade", "gacc"])
def test_a_code_has_one_row(system):
    codes = Counter(code for row in COUNTRIES for code in row[system].split())
    assert [code for code, count in codes.items() if count > 1] == []


def test_codes_are_well_formed():
    for row in COUNTRIES:
        assert len(row["iso3"]) == 3
        assert row["iso3"].isalnum()
        assert row["iso3"].isupper()
        assert len(row["iso2"]) in (0, 2)
        assert row["m49"] == "" or (len(row["m49"]) == 3 and row["m49"].isdigit())
        for code in row["comtrade"].split():
            assert code == str(int(code)), f"leading zero: {row}"
        gacc = row["gacc"].split()
        assert len(gacc) <= 1, f"two partners of one China Customs file in one row: {row}"
        assert all(len(code) == 3 and code.isdigit() for code in gacc)
        if row["region"]:
            assert row["subregion"] in SUBREGIONS[row["region"]]
        else:
            assert row["subregion"] == ""


@pytest.mark.parametrize(
    ("code", "iso3"),
    [
        ("0", "WLD"),
        ("842", "USA"),
        ("251", "FRA"),
        ("699", "IND"),
        ("757", "CHE"),
        ("579", "NOR"),
        ("490", "S19"),
        ("492", "XEN"),  # "Europe EU, nes" there, though 492 is Monaco in M49
        ("711", "ZA1"),
        ("891", "SCG"),
        ("899", "XXN"),
    ],
)
def test_comtrade_codes_that_are_not_m49(code, iso3):
    assert owners("comtrade")[code] == iso3


@pytest.mark.parametrize(
    ("code", "iso3"),
    [("502", "USA"), ("410", "BRA"), ("143", "TWN"), ("199", "XAS"), ("207", "XIC")],
)
def test_gacc_codes(code, iso3):
    assert owners("gacc")[code] == iso3


@pytest.mark.parametrize("name", ["provinces.csv", "regimes.csv"])
def test_gacc_codes_of_small_tables(name):
    codes = [row["gacc"] for row in table(name)]
    assert len(set(codes)) == len(codes)
    assert all(len(code) == 2 and code.isdigit() for code in codes)


def test_provinces_are_iso_subdivisions():
    codes = [row["iso3166_2"] for row in table("provinces.csv")]
    china = {s.code for s in pycountry.subdivisions.get(country_code="CN")}
    assert len(codes) == len(set(codes)) == 31
    assert set(codes) == china - {"CN-HK", "CN-MO", "CN-TW"}


def test_real_comtrade_codes_are_covered():
    path = shared("comtrade", "critical-materials-2022-raw.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        codes = {row[side] for row in csv.DictReader(file) for side in ("reporter", "partner")}
    assert codes
    assert codes - owners("comtrade").keys() == set()


def test_real_baci_codes_are_covered_and_never_share_a_row():
    path = shared("baci", "baci-hs92-raw-materials-1995_2024.parquet")
    rows = duckdb.execute(
        "select t, i from read_parquet($1) union select t, j from read_parquet($1)", [str(path)]
    ).fetchall()
    owner = owners("comtrade")
    assert {code for _, code in rows} - owner.keys() == set()
    shared_rows = Counter((year, owner[code]) for year, code in rows)
    assert [key for key, count in shared_rows.items() if count > 1] == []


def test_real_comtrade_codes_never_share_a_row():
    path = shared("comtrade", "critical-materials-2022-raw.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        pairs = {(row["year"], row["partner"]) for row in csv.DictReader(file)}
    owner = owners("comtrade")
    shared_rows = Counter((year, owner[code]) for year, code in pairs)
    assert [key for key, count in shared_rows.items() if count > 1] == []


def test_real_gacc_partners_are_covered():
    real = [row["code"] for row in read_shared("gacc", "cc_partners.csv")]
    assert len(real) == 243
    assert set(real) == set(owners("gacc"))


@pytest.mark.parametrize(
    "name", ["imports-soybeans-2023.csv", "imports-soybeans-2024.csv", "exports-soybeans-2024.csv"]
)
def test_real_gacc_exports_are_covered(name):
    with shared("gacc", name).open(encoding="gb18030", newline="") as file:
        codes = {row["贸易伙伴编码"] for row in csv.DictReader(file)}
    assert codes
    assert codes - owners("gacc").keys() == set()


def test_real_gacc_provinces_are_covered():
    real = read_shared("gacc", "province_dict.csv")
    expected = {row["iso_3166_2"]: row["china_customs"] for row in real if row["mainland"] == "True"}
    assert {row["iso3166_2"]: row["gacc"] for row in table("provinces.csv")} == expected


def test_real_gacc_regimes_are_covered():
    real = read_shared("gacc", "cc_regimes.csv")
    assert {row["gacc"]: row["name"] for row in table("regimes.csv")} == {row["code"]: row["en"] for row in real}


def test_english_names_stand_for_countries_and_agree_with_pycountry():
    known = codes.areas("any")
    for row in codes.rows_of("country_aliases"):
        assert row["iso3"] in codes.area_names(), row
        assert known[row["name"]] == row["iso3"]
        try:
            found = pycountry.countries.lookup(row["name"])
        except LookupError:
            continue
        assert found.alpha_3 == row["iso3"], row
    assert (known["South Korea"], known["Turkey"], known["World"]) == ("KOR", "TUR", "WLD")
