"""Whatever is wrong with a file: exit 2, the file and the row are named, and the store is as it was."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import Cli, Listed

SPECIMENS = Path(__file__).parent / "specimens"
GACC = (SPECIMENS / "gacc-en-usd.csv").read_text("utf-8")
YUAN = (SPECIMENS / "gacc-zh-cny.csv").read_bytes()
BULK = (SPECIMENS / "comtrade-bulk.csv").read_text("utf-8")
ANSWER = (SPECIMENS / "comtrade-answer.json").read_text("utf-8")
BACI = (SPECIMENS / "baci" / "BACI_HS92_Y2021_V202501.csv").read_text("utf-8")
TIDY = "period,reporter,partner,flow,nomenclature,product,value_usd\n" + "".join(
    f"2023-{m:02},CHN,DEU,import,HS2022,848620,{m}.5\n" for m in range(1, 13)
)
LONG = TIDY + "".join(
    f"{y},CHN,DEU,import,HS2022,{p:06},{y * 7919 % p}\n" for y in range(1990, 2020) for p in range(1, 300)
)


def zipped(**members: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_csv", ".csv"), text)
    return target.getvalue()


def wrong_crc() -> bytes:
    """Flip a byte of the member's CRC in both of its headers."""
    raw = bytearray(zipped(a_csv=TIDY))
    for mark, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        raw[raw.index(mark) + offset] ^= 0xFF
    return bytes(raw)


def locked() -> bytes:
    """Set the flag of encryption in both headers of the member."""
    raw = bytearray(zipped(a_csv=TIDY))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + offset] |= 1
    return bytes(raw)


def parquet() -> bytes:
    target = io.BytesIO()
    pd.read_csv(io.StringIO(TIDY), dtype=str).to_parquet(target)
    return target.getvalue()


def gacc(old: str, new: str) -> str:
    assert old in GACC
    return GACC.replace(old, new, 1)


def tidy(old: str, new: str) -> str:
    assert old in TIDY
    return TIDY.replace(old, new, 1)


FLOW = ("--set", "flow=import")
RATED = (*FLOW, "--rates", str(SPECIMENS / "rates.csv"))
Bytes = str | bytes | Callable[[], bytes]
CASES: dict[str, tuple[str, str, Bytes, tuple[str, ...], str]] = {
    "gzip cut short": (
        "tidy", "a.csv.gz", gzip.compress(LONG.encode())[:-2000], (),
        r"a.csv.gz row \d{3,}: the gzip file is damaged or cut short there",
    ),
    "not gzip": ("tidy", "a.csv.gz", TIDY, (), "a.csv.gz row 1: the gzip file is damaged or cut short there"),
    "zip cut short": ("tidy", "a.zip", zipped(a_csv=TIDY)[:-30], (), "a.zip: the zip archive is damaged or cut short"),
    "zip with a wrong checksum": ("tidy", "a.zip", wrong_crc, (), "a.zip: the zip archive is damaged .*CRC"),
    "zip with a password": ("tidy", "a.zip", locked, (), "a.zip::a.csv: is locked with a password"),
    "zip in a zip": ("tidy", "a.zip", zipped(**{"b.zip": "x"}), (), "a.zip::b.zip: cannot read a .zip file"),
    "missing column": ("gacc", "g.csv", gacc('"Commodity code"', '"Ware"'), FLOW, "row 1: no column 'Commodity code'"),
    "missing column of comtrade": (
        "comtrade", "c.csv", BULK.replace("cmdCode", "ware"), (), "row 1: no column 'cmdCode'.*--map FIELD=COLUMN",
    ),
    "column twice": ("tidy", "t.csv", tidy("partner", "reporter"), (), "t.csv row 1: the header names reporter more"),
    "a letter in a number": (
        "gacc", "g.csv", gacc("9,000,000", "1,234.5x"), FLOW, "g.csv row 3: value '1,234.5x' is not a number",
    ),
    "commas in the wrong place": ("gacc", "g.csv", gacc("9,000,000", "90,00"), FLOW, "row 3: value '90,00' is not"),
    "no value": ("gacc", "g.csv", gacc('"9,000,000"', '""'), FLOW, "g.csv row 3: no value"),
    "negative value": ("gacc", "g.csv", gacc("9,000,000", "-5"), FLOW, "g.csv row 3: value '-5' is negative"),
    "infinite value": ("tidy", "t.csv", tidy("3.5", "inf"), (), "t.csv row 4: value_usd 'inf' is not finite"),
    "negative weight": ("gacc", "g.csv", gacc("20,000", "-20"), FLOW, "g.csv row 4: quantity '-20' is negative"),
    "lost zero of HS8": (
        "gacc", "g.csv", gacc("01012100", "1012100"), FLOW,
        "row 6: product '1012100' has 7 digits.*GACC8 codes have 8 digits.*Was a leading zero lost",
    ),
    "lost zero of HS6": (
        "tidy", "t.csv", tidy("04,CHN,DEU,import,HS2022,848620", "04,CHN,DEU,import,HS2022,10121"), (),
        "t.csv row 5: product '10121' does not fit its nomenclature; was a leading zero lost",
    ),
    "lost zero, constant nomenclature": (
        "tidy", "t.csv", TIDY.replace(",HS2022", "").replace(",nomenclature", "").replace("848620", "10121", 1),
        ("--set", "nomenclature=HS2022"), "t.csv row 2: product '10121' has 5 digits.*HS2022 codes have 6 digits",
    ),
    "month 13": ("gacc", "g.csv", gacc("202404", "202413"), FLOW, "g.csv row 6: month '202413' is not a month such"),
    "month 13 of a tidy table": ("tidy", "t.csv", tidy("2023-05", "2023-13"), (), "t.csv row 6: period '2023-13'"),
    "day that does not exist": ("tidy", "t.csv", tidy("2023-02", "2023-02-30"), (), "t.csv row 3: period '2023-02-30'"),
    "year 0": ("tidy", "t.csv", tidy("2023-02", "0000"), (), "t.csv row 3: period '0000'"),
    "unknown partner": (
        "gacc", "g.csv", gacc('"116"', '"998"'), FLOW, "g.csv row 5: partner '998' is not a partner code of China",
    ),
    "unknown province": ("gacc", "g.csv", gacc('"31"', '"99"'), FLOW, "g.csv row 4: province '99' is not a code"),
    "unknown regime": ("gacc", "g.csv", gacc('"14"', '"98"'), FLOW, "g.csv row 3: regime '98' is not a customs regime"),
    "unknown country": ("tidy", "t.csv", tidy("DEU", "GER"), (), "t.csv row 2: partner 'GER' is not a country code"),
    "small letters": ("tidy", "t.csv", tidy("CHN", "chn"), (), "t.csv row 2: reporter 'chn' is not a country"),
    "empty flow": ("tidy", "t.csv", tidy("import", ""), (), "t.csv row 2: flow '' is not import or export"),
    "empty nomenclature": ("tidy", "t.csv", tidy("HS2022", ""), (), "t.csv row 2: nomenclature '' is not known"),
    "many bad rows": ("tidy", "t.csv", TIDY.replace("CHN", "XXX"), (), "t.csv row 2: .*; row 6: .*; 7 more rows are"),
    "mixed encodings": (
        "gacc", "m.csv", YUAN + YUAN.split(b"\n")[1].decode("gb18030").encode() + b"\n", RATED,
        "m.csv: mixed encodings: row 6 is UTF-8 and row 1 is GB18030",
    ),
    "neither encoding": ("gacc", "m.csv", YUAN + b'"\xff\xff",\n', RATED, "m.csv row 6: neither UTF-8 nor GB18030"),
    "Latin-1": ("tidy", "t.csv", TIDY.encode() + "2023,CHN,Curaçao\n".encode("latin-1"), (), "t.csv.*not UTF-8 text"),
    "empty file": ("tidy", "t.csv", b"", (), "t.csv: the file is empty .0 bytes."),
    "header only": ("tidy", "t.csv", TIDY.split("\n")[0] + "\n", (), "t.csv: there are no rows under the header"),
    "header only of customs": ("gacc", "g.csv", GACC.split("\n")[0] + "\n", FLOW, "g.csv: there are no rows under"),
    "fewer fields": ("tidy", "t.csv", tidy(",5.5", ""), (), "t.csv row 6: the record does not have as many fields"),
    "more fields": ("tidy", "t.csv", tidy(",5.5", ",5.5,9"), (), "t.csv row 6: the record does not have as many"),
    "unterminated quote": ("tidy", "t.csv", tidy("2023-05,CHN", '2023-05,"CHN'), (), "t.csv row 6: a quote is opened"),
    "parquet cut short": ("tidy", "t.parquet", parquet()[:-40], (), "t.parquet: not a Parquet file, or cut short"),
    "not parquet": ("baci", "BACI_HS92.parquet", BACI, (), "BACI_HS92.parquet: not a Parquet file, or cut short"),
    "JSON cut short": ("comtrade", "c.json", ANSWER[:-300], (), "c.json.*: not valid JSON; was the answer cut short"),
    "JSON of nothing": ("comtrade", "c.json", "3", (), "c.json: the answer holds no data"),
    "not a workbook": ("tidy", "t.xlsx", TIDY, (), "t.xlsx: not an Excel workbook, or damaged"),
    "zip that is no workbook": ("tidy", "t.xlsx", zipped(a_csv=TIDY), (), "t.xlsx: not an Excel workbook, or damaged"),
    "unknown kind of file": ("tidy", "t.dat", TIDY, (), "t.dat: cannot read a .dat file"),
    "unknown --set": ("gacc", "g.csv", GACC, ("--set", "color=red"), "--set color=…: --set takes flow, valuation"),
    "unknown --map": ("comtrade", "c.csv", BULK, ("--map", "color=red"), "--map color=…: --map takes period"),
    "--map without use": ("baci", "BACI_HS92.csv", BACI, ("--map", "t=t"), "--map t=…: --map is not used by"),
    "--rates without use": ("baci", "BACI_HS92.csv", BACI, ("--rates", "r.csv"), "--rates r.csv: is not used by"),
    "--rates without the month": (
        "gacc", "g.csv", YUAN.decode("gb18030").replace("202402", "202405"), RATED,
        "g.csv row 4: month '202405' has no rate in rates.csv",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one version, that no bad file may change."""
    from autarky.cli import main

    folder = tmp_path_factory.mktemp("kept")
    (folder / "t.csv").write_text(TIDY.replace("848620", "848690"))
    assert main(["ingest", "tidy", str(folder / "t.csv"), "--store", str(folder / "store")]) == 0
    return folder / "store"


@pytest.mark.parametrize("name", CASES)
def test_bad_file(name: str, cli: Cli, listed: Listed, kept: Path, tmp_path: Path) -> None:
    source, file, content, options, said = CASES[name]
    content = content() if callable(content) else content
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused_whole(cli, listed, kept, said, source, path, options)


def refused_whole(
    cli: Cli, listed: Listed, kept: Path, said: str, source: str, path: Path, options: tuple[str, ...]
) -> None:
    before = listed(kept)
    ran = cli("ingest", source, path, "--store", kept, *options)
    assert ran.code == 2
    assert ran.out == ""
    assert re.search(said, ran.err), ran.err
    assert "Traceback" not in ran.err
    assert listed(kept) == before


@pytest.mark.parametrize("name", ["gzip cut short", "zip cut short", "column twice", "month 13", "parquet cut short"])
def test_no_store_is_left_where_none_was(name: str, cli: Cli, store: Path, tmp_path: Path) -> None:
    source, file, content, options, _ = CASES[name]
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    assert cli("ingest", source, path, "--store", store, *options).code == 2
    assert not store.exists()


OTHERS = {"gacc": GACC, "comtrade": BULK, "baci": BACI}
PAIRS = [(mine, theirs) for mine in (*OTHERS, "tidy") for theirs in OTHERS if mine != theirs]


@pytest.mark.parametrize(("mine", "theirs"), PAIRS)
def test_a_file_of_another_source(mine: str, theirs: str, cli: Cli, listed: Listed, kept: Path, tmp_path: Path) -> None:
    (tmp_path / "HS92.csv").write_text(OTHERS[theirs])
    options = FLOW if mine == "gacc" else ()
    said = f"HS92.csv row 1: .*It looks like a file of '{theirs}': autarky ingest {theirs}"
    refused_whole(cli, listed, kept, said, mine, tmp_path / "HS92.csv", options)


def test_a_bad_file_among_good_ones(cli: Cli, listed: Listed, kept: Path, tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}.csv").write_text(TIDY.replace("848620", f"01012{i}") if i < 2 else tidy("CHN", "XXX"))
    refused_whole(cli, listed, kept, "2.csv row 2: reporter 'XXX'", "tidy", tmp_path, ())


def test_nothing_there(cli: Cli, listed: Listed, kept: Path, tmp_path: Path) -> None:
    refused_whole(cli, listed, kept, "nowhere.csv: there is no such file", "tidy", tmp_path / "nowhere.csv", ())
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.md").write_text("nothing")
    refused_whole(cli, listed, kept, "empty: no file in this directory ends in .zip, .csv", "baci", empty, ())


def test_a_store_that_cannot_be(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TIDY)
    ran = cli("ingest", "tidy", tmp_path / "t.csv", "--store", tmp_path / "t.csv")
    assert ran.code == 2
    assert "t.csv: cannot be made or written to" in ran.err
    assert (tmp_path / "t.csv").read_text() == TIDY


def test_a_number_as_json_writes_it(cli: Cli, store: Path, tmp_path: Path) -> None:
    answer = json.loads(ANSWER)
    answer["data"][1] |= {"primaryValue": 1.2e-05, "cifvalue": None, "cmdCode": "010121"}
    (tmp_path / "c.json").write_text(json.dumps(answer))
    assert cli("ingest", "comtrade", tmp_path / "c.json", "--store", store).code == 0


@pytest.mark.parametrize("code", ["1234e1", "0x1234", "12_345", "+12345", "12345 ", " 12345", "1234.0", "٣٤٥٦٧٨"])
def test_what_an_engine_would_take_for_a_number_is_not_a_code(cli: Cli, store: Path, tmp_path: Path, code: str) -> None:
    path = tmp_path / "BACI_HS92_Y2022_V202501.csv"
    path.write_text(f"t,i,j,k,v,q\n2022,842,156,{code},1.5,NA\n", encoding="utf-8")
    done = cli("ingest", "baci", path, "--store", store)
    assert done.code == 2
    assert f"row 2: product '{code}'" in done.err
    assert not store.exists()
