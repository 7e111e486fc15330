"""The reference store: files as their publishers serve them, checked, kept, found again, fetched."""

from __future__ import annotations

import datetime
import hashlib
import json
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import openpyxl
import pandas as pd
import pytest

from autarky import references
from autarky.errors import AutarkyError, CodeError, CoverageWarning, SourceError
from autarky.references import fetching
from autarky.references.checks import HS, edition_of

Pair = tuple[str, str]
UN_NAME = "HS2022toHS2017ConversionAndCorrelationTables.xlsx"
CONVERSION = {"from_nomenclature": "HS2022", "to_nomenclature": "HS2017"}


def workbook(path: Path, pages: dict[str, list[list[Any]]], form: str | None = None) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in pages.items():
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
        for cells in page.iter_rows() if form else ():
            for cell in cells:
                cell.number_format = form
    book.save(path)
    return path


def un_pages(pairs: list[Pair] = [("010121", "010121"), ("854151", "851712")]) -> dict[str, list[list[Any]]]:  # noqa: B006
    """Return the two sheets of the UN's workbook of 2022."""
    return {
        "HS2022-HS2017 Conversions": [["From HS 2022", "To HS 2017"], *map(list, pairs)],
        "HS2022-HS2017 Correlations": [
            ["Between", None, None],
            ["HS 2022", "HS 2017", "Relationship"],
            *[[a, b, "1:1"] for a, b in pairs],
            ["010130", "010130", datetime.time(1, 1)],
            ["010130", "010190", "'n to 1"],
        ],
    }


def table(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def conversion(path: Path, *rows: str) -> Path:
    return table(path, "From HS 2022,To HS 2017", *rows)


def biff2(path: Path, rows: list[list[str]]) -> Path:
    """Write an Excel 2 worksheet: begin, labels, end.  The oldest .xls there is, and the only one made of ten lines."""
    record = lambda kind, data: struct.pack("<HH", kind, len(data)) + data  # noqa: E731
    cells = [
        record(0x04, struct.pack("<HH", y, x) + b"\0\0\0" + bytes([len(text)]) + text.encode())
        for y, row in enumerate(rows)
        for x, text in enumerate(row)
        if text
    ]
    path.write_bytes(record(0x09, struct.pack("<HH", 2, 0x10)) + b"".join(cells) + record(0x0A, b""))
    return path


def rows_of(kind: str, directory: Path, **edition: str) -> list[tuple[Any, ...]]:
    frame = references.load(kind, directory, **edition).to_pandas().astype("object")
    return list(frame.where(frame.notna(), None).itertuples(index=False, name=None))


def content(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir() if p.name != ".lock"} if directory.exists() else {}


# --- where


def test_directory_argument_environment_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTARKY_REFERENCE", str(tmp_path / "env"))
    assert references.directory("here") == Path("here")
    assert references.directory() == tmp_path / "env"
    monkeypatch.delenv("AUTARKY_REFERENCE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert references.directory() == tmp_path / "autarky" / "reference"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert references.directory() == Path.home() / ".local/share/autarky/reference"


# --- the UN's workbooks


def test_un_workbook_gives_both_tables(tmp_path: Path) -> None:
    pages = un_pages() | {"Read me": [["United Nations Statistics Division"]]}
    added = references.add(workbook(tmp_path / "any name.xlsx", pages), tmp_path / "ref")
    assert {(a.id, a.rows, a.status) for a in added} == {
        ("conversion-HS2022-HS2017", 2, "added"),
        ("correlation-HS2022-HS2017", 4, "added"),
    }
    assert rows_of("conversion", tmp_path / "ref", **CONVERSION) == [
        ("HS2022", "HS2017", "010121", "010121"),
        ("HS2022", "HS2017", "854151", "851712"),
    ]
    related = {r[2:] for r in rows_of("correlation", tmp_path / "ref", **CONVERSION)}
    assert related >= {("010130", "010130", "1:1"), ("010130", "010190", "n:1")}


def test_old_workbook_title_markers_and_half_rows(tmp_path: Path) -> None:
    rows = [
        ["", "Conversion table HS 2012 to HS 2007"],
        [],
        ["", "HS 2012", "ex", "HS 2007"],
        ["", "010121", "", "010110"],
        ["", "010129", "ex", "010190"],
        ["", "", "", "999999"],
    ]
    [added] = references.add(biff2(tmp_path / "old.xls", rows), tmp_path / "ref")
    assert (added.id, added.rows) == ("conversion-HS2012-HS2007", 2)
    card = references.card("conversion", tmp_path / "ref", from_nomenclature="HS2012", to_nomenclature="HS2007")
    assert card["left_out"] == "1 rows with a code on one side only"


def test_correlation_without_relationship_is_known_by_its_title(tmp_path: Path) -> None:
    page = {
        "Sheet1": [
            ["Correlation of HS 2002 and HS 1996"],
            ["HS 2002", "HS 1988/92"],
            ["010110", "010111"],
            ["010110", "010119"],
        ]
    }
    [added] = references.add(workbook(tmp_path / "x.xlsx", page), tmp_path / "ref")
    assert (added.id, added.rows) == ("correlation-HS2002-HS1992", 2)


def test_sitc_with_dots(tmp_path: Path) -> None:
    [added] = references.add(
        table(tmp_path / "x.csv", "From HS 2022;To SITC Rev. 4", "010121;001.5", "0102.21;001.11"), tmp_path / "ref"
    )
    assert added.id == "conversion-HS2022-SITC4"
    pairs = [
        r[2:] for r in rows_of("conversion", tmp_path / "ref", from_nomenclature="HS2022", to_nomenclature="SITC4")
    ]
    assert pairs == [("010121", "0015"), ("010221", "00111")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *[(f"HS{y[2:]}", y) for y in HS],
        *[(f"H{i}", y) for i, y in enumerate(HS)],
        *[
            ("From HS 2022", "HS2022"),
            ("to HS2017", "HS2017"),
            ("HS92", "HS1992"),
            ("HS 1988/92", "HS1992"),
            ("2022", "HS2022"),
        ],
        *[("SITC Rev.4", "SITC4"), ("To SITC Rev. 3", "SITC3"), ("S2", "SITC2"), ("BEC", "BEC4"), ("BEC5", "BEC5")],
        *[("HS 2018", "HS2018"), ("ex", None), ("Relationship", None), ("", None), ("H7", None)],
    ],
)
def test_names_of_editions(text: str, name: str | None) -> None:
    assert edition_of(text) == name


# --- other shapes

END_USE = (
    "HS,HS4,HS6,BEC5Code1,BEC5Code2,BEC5Category,BEC5EndUse,BEC5Processing,BEC5Specification,BEC5Durability,"
    "BEC4Code,BEC4ENDUSE,BEC4INT,BEC4CONS,BEC4CAP"
)


def test_end_use_keeps_one_form_of_a_mixed_table(tmp_path: Path) -> None:
    file = table(
        tmp_path / "x.csv",
        END_USE,
        "H5,101,010121,712010,,7.Health,CAP,,GENERIC,,41,CAP,0.0,0.0,1.0",
        "H5,2711,271111,213101,2111,2.Mining ,CONS/INT,PRIMARY,,NON-DURABLE,322,INT,1,0,0",
        "H5,7118,711890,,,,,,,,0,DUAL-USE,0.5,0.5,0",
        "H5,2710,271012,213101,,2.Mining,CONS,PRIMARY,,,32,specialist review / SUT import flow,,,",
    )
    references.add(file, tmp_path / "ref")
    got = {r[1]: r[2:] for r in rows_of("end_use", tmp_path / "ref", nomenclature="HS2017")}
    assert got["010121"] == ("712010", None, "CAP", "Health", None, "GENERIC", None, "41", "CAP", 0, 0, 1)
    assert got["271111"][:2] == ("213101", "2111")
    assert got["711890"][7:] == (None, "DUAL-USE", 0.5, 0.5, 0)
    assert got["271012"][9:] == (None, None, None)


def test_cross_table_nulls(tmp_path: Path) -> None:
    header = "HS92,HS96,HS02,HS07,HS12,HS17,HS22,BEC4,BEC5,SITC1,SITC2,SITC3,SITC4"
    file = table(
        tmp_path / "x.csv",
        header,
        ",".join(["710820"] * 7 + ["NULL", "n/a", "NULL", "NULL", "NULL", "NULL"]),
        ",,,,,,,,,9110,9110,9110,9110",
    )
    references.add(file, tmp_path / "ref")
    assert set(rows_of("cross", tmp_path / "ref")) == {("710820",) * 7 + (None,) * 6, (None,) * 9 + ("9110",) * 4}


def test_comtrade_json_names_an_edition(tmp_path: Path) -> None:
    records = [
        {"id": "TOTAL", "text": "Total of all HS commodities", "parent": "#"},
        {"id": "01", "text": "01 - Animals; live", "parent": "TOTAL"},
        {"id": "010121", "text": "010121 - Horses; live", "parent": "0101"},
    ]
    (tmp_path / "H6.json").write_text(json.dumps({"more": False, "results": records}))
    references.add(tmp_path / "H6.json", tmp_path / "ref")
    assert rows_of("nomenclature", tmp_path / "ref", nomenclature="HS2022") == [
        ("HS2022", "01", 2022, None, 2, "Animals; live", None),
        ("HS2022", "010121", 2022, None, 6, "Horses; live", None),
    ]


def test_hs_list_in_parquet_has_years_in_force(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "hs_rev": ["1992", "2022"],
            "code": ["0101", "0101"],
            "digits": ["4", "4"],
            "description": ["Horses", "Horses"],
        }
    )
    frame.to_parquet(tmp_path / "x.parquet")
    references.add(tmp_path / "x.parquet", tmp_path / "ref")
    [row] = rows_of("nomenclature", tmp_path / "ref", nomenclature="HS1992")
    assert row == ("HS1992", "0101", 1992, 1995, 4, "Horses", None)
    assert references.card("nomenclature", tmp_path / "ref", nomenclature="HS2022")["covers"] == [2022, None]


# --- China Customs' yearly lists


def yearly(directory: Path, year: int, *codes: str) -> Path:
    directory.mkdir(exist_ok=True)
    return table(directory / f"hs8-{year}.csv", "code,en,zh", *[f"{c},name of {year},名称" for c in codes])


def test_yearly_lists_become_runs(tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    for year, codes in {
        2015: ["01012100", "90189080"],
        2016: ["01012100"],
        2017: ["01012100", "85415100", "90189080"],
    }.items():
        yearly(lists, year, *codes)
    references.add(lists, tmp_path / "ref")
    got = [r[1:5] for r in rows_of("nomenclature", tmp_path / "ref", nomenclature="GACC8")]
    assert got == [
        ("01012100", 2015, None, 8),
        ("85415100", 2017, None, 8),
        ("90189080", 2015, 2015, 8),
        ("90189080", 2017, None, 8),
    ]
    card = references.card("nomenclature", tmp_path / "ref", nomenclature="GACC8")
    assert (card["covers"], card["left_out"], card["publisher"]) == (
        [2015, 2017],
        "",
        "General Administration of Customs of China",
    )
    assert references.listings("GACC8", tmp_path / "ref").num_rows == 6


def test_a_later_list_closes_runs_and_a_missing_year_breaks_none(tmp_path: Path) -> None:
    references.add([yearly(tmp_path / "a", y, "01012100", "85415000") for y in (2015, 2016)], tmp_path / "ref")
    added = references.add(yearly(tmp_path / "a", 2018, "01012100"), tmp_path / "ref")
    assert [(a.id, a.status) for a in added] == [("listing-GACC8-2018", "added"), ("nomenclature-GACC8", "replaced")]
    got = [r[1:4] for r in rows_of("nomenclature", tmp_path / "ref", nomenclature="GACC8")]
    assert got == [("01012100", 2015, None), ("85415000", 2015, 2016)]
    card = references.card("nomenclature", tmp_path / "ref", nomenclature="GACC8")
    assert (card["covers"], card["left_out"]) == ([2015, 2018], "no list of 2017")
    assert len(card["superseded"]) == 1


def test_chinese_encoding(tmp_path: Path) -> None:
    (tmp_path / "list-2024.csv").write_bytes("code,en,zh\n01012100,Horses,改良种用马\n".encode("gb18030"))
    references.add(tmp_path / "list-2024.csv", tmp_path / "ref")
    assert rows_of("listing", tmp_path / "ref", nomenclature="GACC8", year="2024")[0][-1] == "改良种用马"


# --- what is refused

BAD = {
    "lost zero": (["10121,010121"], CodeError, "row 2 '10121'", "leading zero"),
    "number": (["10121.0,010121"], CodeError, "row 2 '10121.0'", "spreadsheet"),
    "too long": (["0101211,010121"], CodeError, "row 2 '0101211'", "6 digits"),
    "letters": (["01012A,010121"], CodeError, "row 2 '01012A'", "6 digits"),
    "arabic-indic digits": (["٠١٠١٢١,010121"], CodeError, "row 2", "6 digits"),
    "pair twice": (["010121,010121", "010121,010121"], SourceError, "row 3 '010121 → 010121'", "each once"),
    "two targets": (["010121,010121", "010121,010129"], SourceError, "row 3 '010121'", "one target"),
    "empty": ([], SourceError, "row 1", "no row below"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_named_and_nothing_is_stored(case: str, tmp_path: Path) -> None:
    rows, error, row, advice = BAD[case]
    good = workbook(tmp_path / "good.xlsx", un_pages())
    with pytest.raises(error) as caught:
        references.add([good, conversion(tmp_path / "bad.csv", *rows)], tmp_path / "ref")
    said = str(caught.value)
    assert "bad.csv" in said
    assert row in said
    assert advice in said
    assert "othing was stored" in said
    assert content(tmp_path / "ref") == {}


def test_numbers_in_a_workbook(tmp_path: Path) -> None:
    pages = {"Conversions": [["HS 2022", "HS 2017"], [10121, 10121.0], [854151, 851712]]}
    with pytest.raises(CodeError, match=r"plain.xlsx \[Conversions\]: code has too few digits: row 2 '10121'"):
        references.add(workbook(tmp_path / "plain.xlsx", pages), tmp_path / "ref")
    references.add(workbook(tmp_path / "shown.xlsx", pages, form="000000"), tmp_path / "ref")
    assert rows_of("conversion", tmp_path / "ref", **CONVERSION)[0][2:] == ("010121", "010121")


def test_gacc_lost_zero_and_code_twice(tmp_path: Path) -> None:
    with pytest.raises(CodeError, match="leading zero"):
        references.add(yearly(tmp_path / "a", 2023, "1012100"), tmp_path / "ref")
    with pytest.raises(SourceError, match="row 3 '2023 → 01012100'"):
        references.add(yearly(tmp_path / "a", 2023, "01012100", "01012100"), tmp_path / "ref")


@pytest.mark.parametrize("header", ["HS 2018,HS 2012", "HS 2022,HS 2018"])
def test_edition_that_does_not_exist(header: str, tmp_path: Path) -> None:
    with pytest.raises(CodeError, match="edition 'HS2018' does not exist; HS editions are HS1992"):
        references.add(table(tmp_path / "x.csv", header, "010121,010121"), tmp_path / "ref")
    with pytest.raises(CodeError, match="row 2: edition 'HS2018' does not exist"):
        references.add(
            table(tmp_path / "y.csv", "from_rev,to_rev,from_code,to_code", "2018,2012,010121,010121"), tmp_path / "ref"
        )
    with pytest.raises(CodeError, match="does not exist"):
        references.load("nomenclature", tmp_path / "ref", nomenclature="HS2018")
    assert content(tmp_path / "ref") == {}


def test_shares_of_end_use_that_do_not_sum_to_one(tmp_path: Path) -> None:
    file = table(tmp_path / "x.csv", END_USE, "H5,101,010121,712010,,7.Health,CAP,,GENERIC,,41,CAP,0.5,0.0,1.0")
    with pytest.raises(SourceError, match=r"do not sum to one: row 2 '1.5'"):
        references.add(file, tmp_path / "ref")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n", "Known shapes are:"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"PK\x03\x04 cut", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 cut", "damaged"),
        (b"PAR1 cut", "damaged"),
        (b'{"results": [', "JSON"),
        (b"HS 2022,HS 2017,Relationship\n010121,010121,2:1\n", "relationship is unknown: row 2 '2:1'"),
        (b"HS 2022,HS 2022\n010121,010121\n", "both columns are of HS2022"),
        (b"code,en,zh\n01012100,a,b\n", "without its year"),
    ],
)
def test_files_that_are_something_else(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(AutarkyError, match=said.replace("[", r"\[")):
        references.add(tmp_path / "x.csv", tmp_path / "ref")
    assert content(tmp_path / "ref") == {}


def test_columns_that_are_something_else_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("alpha,beta\n1,2\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"no known columns \(it begins with alpha, beta\)"):
        references.add(path, tmp_path / "reference")
    path.write_text("\n\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"no known columns \(it holds no text\)"):
        references.add(path, tmp_path / "reference")
    assert not (tmp_path / "reference").exists()


def test_a_truncated_workbook(tmp_path: Path) -> None:
    file = workbook(tmp_path / "x.xlsx", un_pages())
    file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(SourceError, match="damaged"):
        references.add(file, tmp_path / "ref")


def test_a_directory_leaves_out_what_is_unknown_and_says_so(tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    yearly(lists, 2023, "01012100")
    table(lists / "partners.csv", "code,en,zh", "101,Afghanistan,阿富汗")
    with pytest.warns(CoverageWarning, match="left out: partners.csv: a list of codes without its year"):
        added = references.add(lists, tmp_path / "ref")
    assert [a.id for a in added] == ["listing-GACC8-2023", "nomenclature-GACC8"]
    (lists / "hs8-2023.csv").unlink()
    with pytest.warns(CoverageWarning), pytest.raises(SourceError, match="no file of a known shape"):
        references.add(lists, tmp_path / "ref")


def test_two_files_that_disagree(tmp_path: Path) -> None:
    one, same, other = (
        conversion(tmp_path / f"{n}.csv", f"010121,{to}")
        for n, to in (("a", "010121"), ("b", "010121"), ("c", "010129"))
    )
    with pytest.raises(SourceError, match=r"a.csv and c.csv both give conversion-HS2022-HS2017"):
        references.add([one, same, other], tmp_path / "ref")
    assert [a.file for a in references.add([one, same], tmp_path / "ref")] == ["a.csv"]


# --- keeping


def test_the_same_file_twice_changes_nothing(tmp_path: Path) -> None:
    lists = [yearly(tmp_path / "a", y, "01012100") for y in (2022, 2023)]
    files = [workbook(tmp_path / UN_NAME, un_pages()), *lists]
    references.add(files, tmp_path / "ref")
    before = content(tmp_path / "ref")
    assert {a.status for a in references.add(files, tmp_path / "ref")} == {"unchanged"}
    assert content(tmp_path / "ref") == before


def test_a_card_says_where_a_table_is_from(tmp_path: Path) -> None:
    file = workbook(tmp_path / UN_NAME, un_pages())
    references.add(file, tmp_path / "ref")
    card = references.card("conversion", tmp_path / "ref", **CONVERSION)
    assert card["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (card["publisher"], card["file"], card["rows"]) == ("United Nations Statistics Division", UN_NAME, 2)
    assert card["url"].endswith(UN_NAME)
    assert card["edition"] == CONVERSION
    assert datetime.date.fromisoformat(card["added"])


def test_a_newer_file_replaces_and_keeps_the_old_card(tmp_path: Path) -> None:
    references.add(conversion(tmp_path / "old.csv", "010121,010121"), tmp_path / "ref")
    assert len(rows_of("conversion", tmp_path / "ref", **CONVERSION)) == 1
    [added] = references.add(conversion(tmp_path / "new.csv", "010121,010121", "010129,010129"), tmp_path / "ref")
    assert added.status == "replaced"
    assert len(rows_of("conversion", tmp_path / "ref", **CONVERSION)) == 2
    [old] = references.card("conversion", tmp_path / "ref", **CONVERSION)["superseded"]
    assert (old["file"], old["rows"]) == ("old.csv", 1)
    assert len(list((tmp_path / "ref").glob("*.parquet"))) == 1


def test_zip_of_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
        for year in (2022, 2023):
            archive.write(yearly(tmp_path / "a", year, "01012100"), f"hs8-{year}.csv")
    added = references.add(tmp_path / "lists.zip", tmp_path / "ref")
    assert [a.id for a in added] == ["listing-GACC8-2022", "listing-GACC8-2023", "nomenclature-GACC8"]


# --- using


def test_an_absent_table_is_named_with_both_ways_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(CodeError) as caught:
        references.load("conversion", tmp_path, **CONVERSION)
    for part in (
        "conversion-HS2022-HS2017",
        "autarky reference fetch conversion-HS2022-HS2017",
        "autarky reference add FILE",
        "https://",
    ):
        assert part in str(caught.value)
    with pytest.raises(CodeError, match="autarky reference add FILE"):
        references.load("nomenclature", tmp_path, nomenclature="GACC8")
    with pytest.raises(CodeError, match="no publisher known here serves it"):
        references.load("conversion", tmp_path, from_nomenclature="HS2012", to_nomenclature="HS2022")
    with pytest.raises(CodeError, match="kinds are"):
        references.load("concordance", tmp_path)
    with pytest.raises(CodeError, match="is told by from_nomenclature, to_nomenclature"):
        references.load("conversion", tmp_path, nomenclature="HS2022")


def test_load_reads_once_and_path_is_a_parquet_file(tmp_path: Path) -> None:
    references.add(conversion(tmp_path / "x.csv", "010121,010121"), tmp_path / "ref")
    assert references.load("conversion", tmp_path / "ref", **CONVERSION) is references.load(
        "conversion", tmp_path / "ref", **CONVERSION
    )
    assert pd.read_parquet(references.path("conversion", tmp_path / "ref", **CONVERSION)).shape == (1, 4)


def test_a_damaged_card(tmp_path: Path) -> None:
    references.add(conversion(tmp_path / "x.csv", "010121,010121"), tmp_path / "ref")
    references.path("conversion", tmp_path / "ref", **CONVERSION).unlink()
    with pytest.raises(SourceError, match="its table is gone"):
        references.load("conversion", tmp_path / "ref", **CONVERSION)


def test_a_damaged_table_is_named_and_can_be_added_again(tmp_path: Path) -> None:
    own, edition = conversion(tmp_path / "pairs.csv", "010121,010121"), {"from_nomenclature": "HS2022"}
    edition |= {"to_nomenclature": "HS2017"}
    where = tmp_path / "reference"
    references.add(own, where)
    place = references.path("conversion", where, **edition)
    place.write_bytes(place.read_bytes()[:100])
    with pytest.raises(SourceError, match=r"the stored table is damaged; delete .*/conversion-HS2022-HS2017\.yml and"):
        references.load("conversion", where, **edition)
    (where / "conversion-HS2022-HS2017.yml").unlink()
    references.add(own, where)
    assert references.load("conversion", where, **edition).num_rows == 1


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "ref").write_text("a file")
    with pytest.raises(AutarkyError, match="could not be written"):
        references.add(conversion(tmp_path / "x.csv", "010121,010121"), tmp_path / "ref")


def test_status_lists_what_is_here_and_what_could_be(tmp_path: Path) -> None:
    before = references.status(tmp_path / "ref")
    assert not before["present"].any()
    assert (before["url"] != "").sum() == len(before) - 1
    assert (before["used_by"] != "").all()
    references.add(yearly(tmp_path / "a", 2023, "01012100"), tmp_path / "ref")
    after = references.status(tmp_path / "ref").set_index("id")
    assert set(after.index[after["present"]]) == {"nomenclature-GACC8", "listing-GACC8-2023"}
    assert list(before.columns) == [
        "id",
        "kind",
        "title",
        "edition",
        "rows",
        "sha256",
        "file",
        "added",
        "present",
        "url",
        "used_by",
    ]


# --- overrides


def test_overrides_are_codes_with_a_reason() -> None:
    frame = references.overrides().to_pandas()
    assert not frame.duplicated(["from_nomenclature", "to_nomenclature", "from_code"]).any()
    assert set(frame["from_nomenclature"]) | set(frame["to_nomenclature"]) <= set(HS)
    codes = frame[["from_code", "to_code", "printed"]].stack()
    assert codes.str.fullmatch(r"\d{6}").all()
    assert (frame["to_code"] != frame["printed"]).all()
    assert (frame["reason"].str.len() > 20).all()
    assert (frame["source"] != "").all()


@pytest.fixture(scope="session")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a reference of the real files."""
    files = shared.parent / "reference"
    if not files.is_dir():
        pytest.skip(f"no real reference here: {files} is absent (it is not part of the repository)")
    directory = tmp_path_factory.mktemp("reference")
    references.add(
        [*sorted(files.glob("*.parquet")), shared / "gacc" / "hs8-nomenclature-2015-2023.parquet"], directory
    )
    return directory


def test_real_files_keep_every_row(real: Path, shared: Path) -> None:
    status = references.status(real)
    held = status[status["present"]].groupby("kind")["rows"].agg(["sum", "size"])
    assert held.loc["conversion"].tolist() == [80727, 15]
    assert held.loc["correlation"].tolist() == [159102, 15]
    assert held.loc["cross"].tolist() == [165257, 1]
    assert held.loc["end_use"].tolist() == [5205 + 5387, 2]
    assert held.loc["listing"].tolist() == [77320, 9]
    assert status[status["kind"] == "nomenclature"]["rows"].sum() == 45965 + 9580


def test_real_end_use_is_single_valued_and_as_expected(real: Path) -> None:
    for edition in ("HS2012", "HS2017"):
        frame = references.load("end_use", real, nomenclature=edition).to_pandas().set_index("hs6")
        assert frame.index.is_unique
        assert frame.loc["854231", ["bec4", "bec5"]].tolist() == ["42", "611220"]
        assert frame.loc["271111", ["bec4", "bec5", "bec5_second"]].tolist() == ["322", "213101", "2111"]
        assert frame.loc["210390", ["bec4_end_use", "bec5_end_use"]].tolist() == ["CONS", "CONS"]


def test_real_national_list_has_two_lives_of_one_code(real: Path) -> None:
    frame = references.load("nomenclature", real, nomenclature="GACC8").to_pandas()
    lives = frame[frame["code"] == "90189080"]
    assert lives["since"].tolist() == [2015, 2023]
    assert lives["name_en"].tolist() == ["Intrauterine contraceptive device", "Surgical robots"]


def test_overrides_correct_what_the_sheets_print(real: Path) -> None:
    frame = references.overrides().to_pandas()
    for (source, target), rows in frame.groupby(["from_nomenclature", "to_nomenclature"]):
        sheet = references.load("conversion", real, from_nomenclature=source, to_nomenclature=target).to_pandas()
        assert (
            rows["from_code"].map(dict(zip(sheet["from_code"], sheet["to_code"], strict=True))).tolist()
            == rows["printed"].tolist()
        )
        targets = set(references.load("nomenclature", real, nomenclature=target)["code"].to_pylist())
        assert set(rows["to_code"]) <= targets


def test_no_sheet_of_2022_sends_new_goods_to_phones_or_waste_to_circuits(real: Path) -> None:
    frame = references.overrides().to_pandas()
    for target in HS[:-1]:
        sheet = references.load("conversion", real, from_nomenclature="HS2022", to_nomenclature=target).to_pandas()
        fixed = frame[(frame["from_nomenclature"] == "HS2022") & (frame["to_nomenclature"] == target)]
        pairs = dict(zip(sheet["from_code"], sheet["to_code"], strict=True)) | dict(
            zip(fixed["from_code"], fixed["to_code"], strict=True)
        )
        wrong = {
            a: b for a, b in pairs.items() if a[:4] in ("8524", "8549", "8541") and b[:4] in ("8517", "8525", "8542")
        }
        assert wrong == {}
        assert pairs["854151"] == pairs["854159"] == "854150"


# --- fetching

Answers = dict[str, list[tuple[int, dict[str, str], bytes]]]


class Server:
    """A site that answers by script: per path a list of answers, the last one for ever.  It keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(self.path)
                outer.asked.append((path, dict(self.headers)))
                script = outer.answers.get(path.lstrip("/"), [(404, {}, b"gone")])
                status, headers, body = script.pop(0) if len(script) > 1 else script[0]
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    site = Server()
    yield site
    site.http.shutdown()
    site.http.server_close()


@pytest.fixture
def body(tmp_path: Path) -> bytes:
    return workbook(tmp_path / UN_NAME, un_pages()).read_bytes()


@pytest.fixture
def fetch(server: Server, tmp_path: Path) -> Callable[..., list[references.Added]]:
    """Fetch the workbook of 2022 to 2017 without waiting."""

    def run(**options: Any) -> list[references.Added]:
        settings = {"only": ["conversion-HS2022-HS2017"], "pause": lambda _: None, "timeout": 5.0} | options
        return references.fetch(tmp_path / "ref", server.url, **settings)

    return run


def test_fetch_stores_both_tables_with_checksum_and_address(
    server: Server, body: bytes, fetch: Any, tmp_path: Path
) -> None:
    server.answers[UN_NAME] = [(200, {}, body)]
    heard: list[tuple[str, float]] = []
    added = fetch(progress=lambda name, done: heard.append((name, done)))
    assert {a.id for a in added} == {"conversion-HS2022-HS2017", "correlation-HS2022-HS2017"}
    card = references.card("conversion", tmp_path / "ref", **CONVERSION)
    assert card["sha256"] == hashlib.sha256(body).hexdigest()
    assert card["url"] == f"{server.url}/{UN_NAME}"
    assert heard[-1] == (UN_NAME, 1.0)
    assert fetch() == []
    assert len(server.asked) == 1
    assert {a.status for a in fetch(refresh=True)} == {"unchanged"}


def test_a_busy_server_is_asked_again_when_it_says(server: Server, body: bytes, fetch: Any) -> None:
    server.answers[UN_NAME] = [
        (503, {"Retry-After": "7"}, b""),
        (429, {}, b""),
        (503, {"Retry-After": "9999"}, b""),
        (200, {}, body),
    ]
    waits: list[float] = []
    assert len(fetch(pause=waits.append)) == 2
    assert waits == [7, 2, 120]


def test_a_server_that_stays_busy_is_given_up(server: Server, fetch: Any, tmp_path: Path) -> None:
    server.answers[UN_NAME] = [(503, {}, b"")]
    with pytest.raises(SourceError, match=r"503 Service Unavailable; gave up after 5 attempts.*autarky reference add"):
        fetch()
    assert len(server.asked) == 5
    assert content(tmp_path / "ref") == {}


def test_not_found_is_not_asked_again(server: Server, fetch: Any) -> None:
    with pytest.raises(SourceError, match=r"404 Not Found.*autarky reference add"):
        fetch()
    assert len(server.asked) == 1


def test_a_body_cut_short_is_resumed_only_when_the_file_is_the_same(server: Server, body: bytes, fetch: Any) -> None:
    half = len(body) // 2
    server.answers[UN_NAME] = [
        (200, {"Content-Length": str(len(body)), "ETag": '"one"'}, body[:half]),
        (206, {"ETag": '"one"', "Content-Range": f"bytes {half}-{len(body) - 1}/{len(body)}"}, body[half:]),
    ]
    assert len(fetch()) == 2
    assert server.asked[1][1]["Range"] == f"bytes={half}-"
    assert server.asked[1][1]["If-Range"] == '"one"'


def test_a_body_cut_short_without_a_validator_is_begun_anew(server: Server, body: bytes, fetch: Any) -> None:
    server.answers[UN_NAME] = [(200, {"Content-Length": str(len(body))}, body[:100]), (200, {}, body)]
    assert len(fetch()) == 2
    assert "Range" not in server.asked[1][1]


def test_a_body_always_cut_short(server: Server, body: bytes, fetch: Any, tmp_path: Path) -> None:
    server.answers[UN_NAME] = [(200, {"Content-Length": str(len(body))}, body[:100])]
    with pytest.raises(SourceError, match="cut short at 100 of"):
        fetch()
    assert content(tmp_path / "ref") == {}


def test_a_web_page_in_place_of_a_file(server: Server, fetch: Any, tmp_path: Path) -> None:
    page = b"<!DOCTYPE html><title>Not found</title>"
    for headers in ({"Content-Type": "text/html; charset=utf-8"}, {"Content-Type": "application/octet-stream"}):
        server.answers[UN_NAME] = [(200, headers, page)]
        with pytest.raises(SourceError, match="web page"):
            fetch()
    assert content(tmp_path / "ref") == {}


def test_redirects_are_followed(server: Server, body: bytes, fetch: Any) -> None:
    server.answers[UN_NAME] = [(302, {"Location": "/moved.xlsx"}, b"")]
    server.answers["moved.xlsx"] = [(200, {}, body)]
    assert len(fetch()) == 2


def test_one_failure_does_not_lose_the_others(server: Server, body: bytes, fetch: Any, tmp_path: Path) -> None:
    server.answers[UN_NAME] = [(200, {}, body)]
    with pytest.raises(SourceError, match=r"1 files could not be fetched \(2 tables of the others were stored\)"):
        fetch(only=["correlation-HS2022-HS2017", "cross"])
    assert references.load("correlation", tmp_path / "ref", **CONVERSION).num_rows == 4


def test_size_limit_and_addresses(server: Server, tmp_path: Path) -> None:
    server.answers["big"] = [(200, {}, b"x" * 1000)]
    with pytest.raises(SourceError, match="1,000 bytes; expected at most 999"):
        fetching.download(f"{server.url}/big", tmp_path / "big", limit=999)
    server.answers["chunked"] = [(200, {"Content-Length": "", "Connection": "close"}, b"x" * 1000)]
    with pytest.raises(SourceError, match="more than 999 bytes"):
        fetching.download(f"{server.url}/chunked", tmp_path / "big", limit=999)
    with pytest.raises(SourceError, match="expected an address"):
        fetching.download("file:///etc/hosts", tmp_path / "big")
    assert list(tmp_path.iterdir()) == []


def test_no_server(tmp_path: Path) -> None:
    waits: list[float] = []
    with pytest.raises(SourceError, match="gave up after 5 attempts"):
        fetching.download("http://127.0.0.1:9/x", tmp_path / "x", pause=waits.append, timeout=1)
    assert waits == [1, 2, 4, 8]


def test_only_what_is_served_can_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(CodeError, match="not served by any publisher"):
        references.fetch(tmp_path, only=["nomenclature-GACC8"])
