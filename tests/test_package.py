import hashlib
import json
import re
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest
from examples import COLUMNS, FRAME, WILD, findings, records

from autarky import report
from autarky.errors import TableError
from autarky.findings import Column, Section, Table


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    report.write(findings(), folder)
    return folder


def test_everything_is_written(out):
    held = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    tables = {f"tables/{n}.{f}" for n in ("main", "long", "spare") for f in ("csv", "parquet")}
    assert (
        held == {"report.html", "ledger.csv", "datapackage.json", "figures/drivers.svg", "figures/drivers.png"} | tables
    )


def test_descriptor_holds_every_file_with_its_hash(out):
    package = json.loads((out / "datapackage.json").read_text(encoding="utf-8"))
    listed = {r["path"]: r for r in package["resources"]}
    assert set(listed) == {str(p.relative_to(out)) for p in out.rglob("*.*") if p.name != "datapackage.json"}
    for path, resource in listed.items():
        content = (out / path).read_bytes()
        assert resource["bytes"] == len(content)
        assert resource["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
        assert re.fullmatch(r"[-a-z0-9._/]+", resource["name"])
    assert len({r["name"] for r in listed.values()}) == len(listed)
    fields = {f["name"]: f for f in listed["tables/main.csv"]["schema"]["fields"]}
    assert [f["type"] for f in fields.values()] == [
        "string", "date", "integer", "integer", "number", "string", "number", "number", "boolean",
    ]  # fmt: skip
    assert fields["value_usd"]["unit"] == "USD"
    assert fields["group"]["description"] == "what it is"
    assert package["sources"][1] == {"title": "raw.csv", "bytes": 2_500_000, "hash": "sha256:" + "ab" * 32}
    assert package["licenses"] == [{"name": "CC-BY-4.0", "title": "CC BY 4.0"}]
    assert package["parameters"] == {"since": "2015-01-01", "lists": ["a", "b"], "limit": 0.3}
    assert "created" not in package


def test_csv_keeps_nulls_and_every_digit(out):
    rows = records(out / "tables" / "main.csv")
    assert list(rows[0]) == [c.name for c in COLUMNS]
    assert rows[0]["group"] == WILD
    assert float(rows[0]["growth"]) == 0.1 + 0.2
    assert float(rows[0]["part"]) == 1 / 3
    assert rows[0]["month"] == "2015-01-01"
    assert rows[1]["month"] == "2024-12-01"
    assert [r["codes"] for r in rows] == ["1234567", "", "-3"]
    assert [r["growth"] for r in rows][1] == ""
    assert [r["agrees"] for r in rows] == ["true", "false", ""]


def test_parquet_says_the_same(out):
    table = pq.read_table(out / "tables" / "main.parquet")
    assert table.column("growth").to_pylist() == [0.1 + 0.2, None, -0.001]
    assert str(table.schema.field("month").type) == "date32[day]"
    assert table.schema.field("value_usd").metadata[b"unit"] == b"USD"


def test_twice_gives_the_same_bytes(out, tmp_path):
    report.write(findings(), tmp_path)
    report.write(findings(), tmp_path)
    for path in out.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(out)).read_bytes(), path.name


def test_what_is_no_longer_made_goes_and_what_a_user_put_there_stays(tmp_path):
    report.write(findings(), tmp_path)
    (tmp_path / "tables" / "own.csv").write_text("mine")
    (tmp_path / "tables" / "spare.csv").write_text("changed by hand")
    (tmp_path / "notes.txt").write_text("mine")
    fewer = replace(findings(), tables=findings().tables[:1], figures=(), sections=())
    report.write(fewer, tmp_path)
    held = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    made = {"report.html", "ledger.csv", "datapackage.json", "tables/main.csv", "tables/main.parquet"}
    assert held == made | {"tables/own.csv", "tables/spare.csv", "notes.txt"}


@pytest.mark.parametrize(
    "old",
    [
        "no JSON",
        "[]",
        '{"autarky": "1"}',
        '{"resources": [PATH]}',
        '{"autarky": "1", "resources": [{"path": "tables/own.csv"}]}',
        '{"autarky": "1", "resources": [{"path": "tables/own.csv", "hash": "sha256:0"}]}',
        '{"autarky": "1", "resources": [{"path": "../own.csv", "hash": "HASH"}, {"path": "own.csv", "hash": "HASH"}]}',
        '{"autarky": "1", "resources": [{"path": 1, "hash": "HASH"}]}',
    ],
)
def test_a_descriptor_that_is_not_ours_removes_nothing(old, tmp_path):
    out = tmp_path / "out"
    (out / "tables").mkdir(parents=True)
    own = [tmp_path / "own.csv", out / "own.csv", out / "tables" / "own.csv"]
    for path in own:
        path.write_text("mine")
    digest = "sha256:" + hashlib.sha256(b"mine").hexdigest()
    listed = old.replace("PATH", '{"path": "tables/own.csv", "hash": "HASH"}').replace("HASH", digest)
    (out / "datapackage.json").write_text(listed)
    report.write(replace(findings(), figures=(), sections=()), out)
    assert [path.read_text() for path in own] == ["mine"] * 3


def test_a_run_that_fails_leaves_the_earlier_package_whole(tmp_path):
    report.write(findings(), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(TableError):
        report.write(
            replace(findings(), tables=findings().tables[1:], sections=(Section("S", (), ("main",)),)), tmp_path
        )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sections": (Section("S", (), ("absent",)),)}, "no table or figure"),
        ({"tables": (Table("../up", "T", FRAME[["group"]], COLUMNS[:1]),)}, "names"),
        ({"tables": (Table("ledger", "T", FRAME[["group"]], COLUMNS[:1]),)}, "names"),
        ({"tables": (Table("t", "T", FRAME, COLUMNS[:1]),)}, "its columns are"),
        ({"tables": (Table("t", "T", FRAME[["group"]], (Column("group", "G", "integer", ""),)),)}, "not integer"),
        (
            {"tables": (Table("t", "T", pd.DataFrame({"x": [float("inf")]}), (Column("x", "X", "number", ""),)),)},
            "infinite",
        ),
    ],
)
def test_refuses_findings_that_break_their_contract(change, message, tmp_path):
    with pytest.raises(TableError, match=message):
        report.write(replace(findings(), **{"sections": (), **change}), tmp_path)
    assert not (tmp_path / "datapackage.json").exists()
