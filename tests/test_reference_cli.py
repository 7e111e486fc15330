"""`autarky reference` and `autarky convert`: what they print, where, and how they fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

PAIRS = ["from_rev,to_rev,from_code,to_code", "2022,2017,854231,854231", "2022,2017,870310,870310",
         "2022,2017,870321,870310", "2022,2017,010121,010121"]  # fmt: skip
RELATED = [f"{PAIRS[0]},relationship", *[f"{row},1:1" for row in PAIRS[1:]], "2022,2017,010121,010129,1:n"]
USE = ["HS,HS6,BEC5Code1,BEC5Code2,BEC5EndUse,BEC5Category,BEC5Processing,BEC5Specification,BEC5Durability,BEC4Code,"
       "BEC4ENDUSE,BEC4INT,BEC4CONS,BEC4CAP",
       "H5,854231,611220,,INT,x,,,,42,INT,1,0,0",
       "H5,870310,513202,512020,CONS/CAP,x,,,,51,DUAL-USE,0,0.5,0.5"]  # fmt: skip
FLOWS = ["period,reporter,partner,flow,nomenclature,product,value_usd",
         "2022,CHN,DEU,import,HS2022,870310,1", "2022,CHN,DEU,import,HS2022,870321,2",
         "2022,CHN,DEU,import,HS2022,854231,4", "2021,CHN,DEU,import,HS2017,010129,8"]  # fmt: skip


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    where = tmp_path / "files"
    where.mkdir()
    for name, lines in (("pairs", PAIRS), ("related", RELATED), ("use", USE)):
        write(where / f"{name}.csv", lines)
    return where


@pytest.fixture
def reference(files: Path, tmp_path: Path, cli: Any) -> Path:
    where = tmp_path / "reference"
    assert cli("reference", "add", files, "--reference", where).code == 0
    return where


@pytest.fixture
def filled(store: Path, tmp_path: Path, cli: Any) -> Path:
    flows = write(tmp_path / "flows.csv", FLOWS)
    done = cli("ingest", "tidy", flows, "--store", store, "--set", "source=mine", "freq=A")
    assert done.code == 0, done.err
    return store


# --- reference


def test_add_says_what_became_of_each_table(cli: Any, files: Path, tmp_path: Path) -> None:
    done = cli("reference", "add", files, "--reference", tmp_path / "ref")
    assert (done.code, done.out) == (0, "")
    assert "added     conversion-HS2022-HS2017: 4 rows from pairs.csv (sha256 " in done.err
    assert done.last == f"3 of 3 tables changed; in {tmp_path / 'ref'}"
    again = cli("reference", "add", files / "pairs.csv", files / "related.csv", "--reference", tmp_path / "ref")
    assert again.last == f"0 of 2 tables changed; in {tmp_path / 'ref'}"


def test_add_a_bad_file(cli: Any, tmp_path: Path) -> None:
    bad = write(tmp_path / "pairs.csv", [*PAIRS, "2022,2017,10121,010121"])
    done = cli("reference", "add", bad, "--reference", tmp_path / "ref")
    assert (done.code, done.out) == (2, "")
    assert "Was a leading zero lost?" in done.err
    assert not (tmp_path / "ref").exists()


def test_directory_from_the_environment(cli: Any, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTARKY_REFERENCE", str(tmp_path / "env"))
    assert cli("reference", "add", files).last.endswith(str(tmp_path / "env"))
    assert (tmp_path / "env" / "end_use-HS2017.yml").is_file()


def test_status(cli: Any, reference: Path) -> None:
    done = cli("reference", "status", "--reference", reference)
    here = {row["id"] for row in done.rows if row["present"] == "True"}
    assert here == {"conversion-HS2022-HS2017", "correlation-HS2022-HS2017", "end_use-HS2017"}
    assert done.last == f"3 of {len(done.rows)} tables are in {reference}"
    found = json.loads(cli("reference", "status", "--reference", reference, "--format", "json").out)
    assert len(found) == len(done.rows)


def test_status_of_nothing(cli: Any, tmp_path: Path) -> None:
    done = cli("reference", "status", "--reference", tmp_path / "none")
    assert done.code == 0
    assert {row["present"] for row in done.rows} == {"False"}
    assert not (tmp_path / "none").exists()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """Serve one workbook of the UN by its own name; under /busy after one 503, under /half cut in the middle."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in (
        ("HS2022-HS2017 Conversions", [["From HS 2022", "To HS 2017"], ["854231", "854231"]]),
        ("HS2022-HS2017 Correlations", [["HS 2022", "HS 2017", "Relationship"], ["854231", "854231", "1:1"]]),
    ):
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
    book.save(tmp_path / "un.xlsx")
    body = (tmp_path / "un.xlsx").read_bytes()

    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            kind, _, file = self.path.removeprefix("/").rpartition("/")
            found = file == "HS2022toHS2017ConversionAndCorrelationTables.xlsx" and kind in ("", "busy", "half")
            busy = kind == "busy" and asked.count(self.path) == 1
            served = (body[: len(body) // 2] if kind == "half" else body) if found and not busy else b""
            self.send_response(503 if busy else 200 if found else 404)
            if busy:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(served)))
            self.end_headers()
            self.wfile.write(served)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_fetch_from_a_server_that_fails(cli: Any, mirror: str, tmp_path: Path) -> None:
    """What is there stays there, byte for byte, when a newer copy cannot be had."""
    asked = ("fetch", "conversion-HS2022-HS2017", "--reference", tmp_path / "ref")
    busy = cli("reference", *asked, "--base-url", f"{mirror}/busy")
    assert (busy.code, busy.out) == (0, "")
    assert "added     conversion-HS2022-HS2017: 1 rows" in busy.err
    before = {p.name: p.read_bytes() for p in (tmp_path / "ref").iterdir()}
    for kind, said in (("half", "the workbook is damaged"), ("none", "404")):
        failed = cli("reference", *asked, "--refresh", "--base-url", f"{mirror}/{kind}")
        assert (failed.code, failed.out) == (2, "")
        assert said in failed.err
        assert "nothing was stored" in failed.err
    assert {p.name: p.read_bytes() for p in (tmp_path / "ref").iterdir()} == before


def test_fetch(cli: Any, mirror: str, tmp_path: Path) -> None:
    where = ("--reference", tmp_path / "ref", "--base-url", mirror)
    done = cli("reference", "fetch", "conversion-HS2022-HS2017", *where)
    assert (done.code, done.out) == (0, "")
    assert "added     conversion-HS2022-HS2017: 1 rows" in done.err
    again = cli("reference", "fetch", "conversion-HS2022-HS2017", *where)
    assert again.last == f"everything that is served is here already; in {tmp_path / 'ref'}"
    missing = cli("reference", "fetch", "cross", *where)
    assert missing.code == 2
    assert "404" in missing.err
    assert "nothing was stored" in missing.err
    unknown = cli("reference", "fetch", "conversion-HS2017-HS2022", *where)
    assert unknown.code == 2
    assert "not served by any publisher" in unknown.err


def test_agreement_names_what_it_needs(cli: Any, tmp_path: Path) -> None:
    done = cli("reference", "agreement", "naughton-fang-2025-batch2", "--reference", tmp_path / "none")
    assert done.code == 2
    assert "end_use-HS2017" in done.err
    assert "autarky reference add FILE" in done.err


def test_agreement(cli: Any, reference: Path, tmp_path: Path) -> None:
    card = write(
        tmp_path / "mine.yml",
        ["id: mine", "title: Mine", "source: me", "nomenclature: HS2017", "groups:", "- group: Chips",
         "  category: Intermediate", "  codes:", '  - {code: "854231", label: Processors}',
         "- group: Cars", "  category: Capital", "  codes:", '  - {code: "870310", label: Cars}',
         '  - {code: "999999", label: Nothing}'],
    )  # fmt: skip
    done = cli("reference", "agreement", card, "--reference", reference)
    assert done.code == 0, done.err
    found = [(r["code"], r["bec4"], r["agrees_bec4"], r["bec5"], r["agrees_bec5"]) for r in done.rows]
    assert found == [
        ("854231", "42", "yes", "611220", "yes"),
        ("870310", "51", "in part", "513202+512020", "in part"),
        ("999999", "", "", "", ""),
    ]
    assert "BEC4: yes 1, in part 1, not told 1" in done.err


# --- convert


def test_convert(cli: Any, filled: Path, reference: Path) -> None:
    done = cli("convert", "--store", filled, "--to", "HS2017", "--since", "2022", "--reference", reference)
    assert done.code == 0, done.err
    assert [(r["nomenclature"], r["product"], float(r["value_usd"])) for r in done.rows] == [
        ("HS2017", "854231", 4.0),
        ("HS2017", "870310", 3.0),
    ]
    assert list(done.rows[0]) == ["period", "freq", "reporter", "partner", "area", "flow", "nomenclature", "product",
                                  "value_usd", "weight_kg", "valuation", "source"]  # fmt: skip
    assert done.last == (
        "to HS2017: 3 rows in, 2 out; value 7 USD in, 7 out; 0.000% of it through an assumption; no code unmapped"
    )


def test_convert_to_end_use(cli: Any, filled: Path, reference: Path) -> None:
    where = ("--store", filled, "--to", "BEC5", "--where", "product=870310", "--reference", reference)
    split = cli("convert", *where, "--dual-use", "split")
    assert {r["product"]: float(r["value_usd"]) for r in split.rows} == {"513202": 0.5, "512020": 0.5}
    assert "through an assumption (dual use 100.000%)" in split.last
    apart = cli("convert", *where, "--dual-use", "separate")
    assert [r["product"] for r in apart.rows] == ["513202+512020"]


def test_convert_what_is_not_mapped(cli: Any, filled: Path, reference: Path) -> None:
    done = cli("convert", "--store", filled, "--to", "BEC4", "--until", "2021", "--reference", reference)
    assert [(r["nomenclature"], r["product"]) for r in done.rows] == [("HS2017", "010129")]
    assert "1 codes unmapped and left as they are (8 USD): HS2017 010129 (8 USD)" in done.last
    assert "warning: conversion to BEC4: 1 codes unmapped" in done.err


def test_convert_what_leads_to_several(cli: Any, filled: Path, tmp_path: Path, reference: Path) -> None:
    one = write(tmp_path / "one.csv", [FLOWS[0], "2017,CHN,DEU,import,HS2017,010121,1"])
    more = write(tmp_path / "more.csv", ["from_rev,to_rev,from_code,to_code", "2022,2017,010121,010121",
                                         "2022,2017,010122,010121", "2022,2017,854231,854231"])  # fmt: skip
    related = ["2022,2017,010121,010121,n:1", "2022,2017,010122,010121,n:1", "2022,2017,854231,854231,1:1"]
    also = write(tmp_path / "also.csv", ["from_rev,to_rev,from_code,to_code,relationship", *related])
    assert cli("reference", "add", more, also, "--reference", tmp_path / "ref2").code == 0
    store = tmp_path / "second"
    assert cli("ingest", "tidy", one, "--store", store, "--set", "source=mine", "freq=A").code == 0
    where = ("--store", store, "--to", "HS2022", "--reference", tmp_path / "ref2")
    refused = cli("convert", *where)
    assert (refused.code, refused.out) == (2, "")
    assert "1 codes of HS2017 (1 USD) lead to several of HS2022: 010121 → 010121, 010122 (1 USD)" in refused.err
    equal = cli("convert", *where, "--weights", "equal")
    assert {r["product"]: float(r["value_usd"]) for r in equal.rows} == {"010121": 0.5, "010122": 0.5}
    shares = write(tmp_path / "w.csv", ["code.source,code.target,weight", "010121,010121,0.9", "010121,010122,0.2"])
    bad = cli("convert", *where, "--weights", shares, "-o", tmp_path / "out.csv")
    assert bad.code == 2
    assert "w.csv: the weights of a code do not sum to one: row 2 '010121 = 1.1'" in bad.err
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_convert_to_a_file(cli: Any, filled: Path, reference: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / f"out.{form}"
    done = cli("convert", "--store", filled, "--to", "HS2017", "--reference", reference, "-o", out)
    assert (done.code, done.out) == (0, "")
    read = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}[form]
    frame = read(out)
    assert frame["value_usd"].sum() == 15.0
    assert len(frame) == 3


def test_convert_fails_by_name(cli: Any, filled: Path, reference: Path, tmp_path: Path) -> None:
    for args, code, said in (
        (("--to", "HS2013"), 2, "cannot convert to 'HS2013'"),
        (("--to", "HS2017", "--where", "reporter=USA"), 1, "no data matched"),
        (("--to", "HS1996"), 2, "conversion-HS2017-HS1996"),
        (("--to", "SITC4"), 2, "cross"),
    ):
        done = cli("convert", "--store", filled, "--reference", reference, *args)
        assert (done.code, done.out) == (code, ""), done.err
        assert said in done.err
