"""UN Comtrade: four shapes of the same records; breakdowns, duplicates and conflicts are never added up."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Cli, Held

from autarky.store import Store

SHAPES = ("comtrade-answer.json", "comtrade-portal.csv", "comtradr.csv")
DROPPED = {
    "breakdown rows by second partner": (1, 7_000.0),
    "breakdown rows by mode of transport": (1, 30_000.0),
    "breakdown rows by customs procedure": (1, 6_000.0),
    "breakdown rows by mode of supply": (1, 5_000.0),
    "rows of re-exports, re-imports and other flows inside the totals": (1, 2_000.0),
}


@pytest.fixture
def answer(specimens: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((specimens / SHAPES[0]).read_text("utf-8"))
    return found


def written(path: Path, answer: dict[str, Any], **changes: Any) -> Path:
    path.write_text(json.dumps(answer | changes), "utf-8")
    return path


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_gives_the_same_rows(name: str, cli: Cli, held: Held, store: Path, specimens: Path) -> None:
    ran = cli("ingest", "comtrade", specimens / name, "--store", store)
    assert ran.code == 0
    assert ran.last.startswith("10 rows read, 4 kept, 6 refused")
    assert "1 exact duplicates" in ran.last
    assert ran.last.endswith("value kept 152,800 USD; version 0")
    rows = held(store)
    shown = rows[["flow", "product", "reporter", "partner", "value_usd", "valuation"]].values.tolist()
    assert shown == [
        ["export", "280530", "KOR", "JPN", 12_000.0, "FOB"],
        ["import", "010121", "KOR", "S19", 800.0, "unknown"],
        ["import", "280530", "KOR", "CHN", 50_000.25, "CIF"],
        ["import", "280530", "KOR", "WLD", 90_000.0, "CIF"],
    ]
    assert set(rows["nomenclature"]) == {"HS2022"}
    assert set(rows["period"].astype(str)) == {"2022-01-01"}
    assert rows["weight_kg"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_dropped_stands_in_the_ledger(name: str, cli: Cli, store: Path, specimens: Path) -> None:
    assert cli("ingest", "comtrade", specimens / name, "--store", store).code == 0
    lines = Store(store).log()[0].ledger
    drops = {x.note: (x.rows_in - x.rows_out, x.value_in - x.value_out) for x in lines if x.step == "drop"}
    assert drops == DROPPED
    repeats = [(x.rows_in - x.rows_out, x.value_in - x.value_out) for x in lines if x.note == "exact duplicates"]
    assert repeats == [(1, 50_000.25)]
    kept = lines[-1]
    assert (kept.step, kept.rows_in, kept.rows_out, kept.value_out) == ("kept", 10, 4, 152_800.25)


def test_bulk_gz_monthly_and_every_edition(cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path) -> None:
    path = tmp_path / "C-M-ALL-202203-B.csv.gz"
    path.write_bytes(gzip.compress((specimens / "comtrade-bulk.csv").read_bytes()))
    assert cli("ingest", "comtrade", path, "--store", store).code == 0
    rows = held(store).sort_values("nomenclature")
    editions = [f"HS{year}" for year in (1992, 1996, 2002, 2007, 2012, 2017, 2022)]
    assert rows["nomenclature"].tolist() == editions
    assert rows["reporter"].tolist() == ["AFG", "ARG", "USA", "FRA", "IND", "CHE", "NOR"]
    assert set(rows["freq"]) == {"M"}
    assert set(rows["period"].astype(str)) == {"2022-03-01"}
    with (specimens / "comtrade-bulk.csv").open() as text:
        value = sum(float(r["primaryValue"]) for r in csv.DictReader(text))
    assert rows["value_usd"].sum() == pytest.approx(value, rel=1e-9)


def test_parquet_zip_and_directory(cli: Cli, held: Held, tmp_path: Path, specimens: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(specimens / "comtrade-bulk.csv", folder / "deep" / "bulk.csv")
    pd.read_csv(specimens / "comtradr.csv", dtype={"cmd_code": str}).to_parquet(folder / "a.parquet")
    (folder / "notes.md").write_text("not a table")
    assert cli("ingest", "comtrade", folder, "--store", tmp_path / "a").code == 0
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.write(specimens / "comtradr.csv", "comtradr.csv")
        archive.write(specimens / "comtrade-bulk.csv", "x/bulk.csv")
    assert cli("ingest", "comtrade", tmp_path / "both.zip", "--store", tmp_path / "b").code == 0
    assert len(held(tmp_path / "a")) == 11
    assert held(tmp_path / "a").equals(held(tmp_path / "b"))


def test_renamed_columns(cli: Cli, held: Held, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("Year,Who,Whom,Good,Way,Dollars,Kilos\n2022,410,156,280530,M,5.5,2\n2022,410,0,280530,M,9,\n")
    names = ("period=Year", "reporter=Who", "partner=Whom", "product=Good", "flow=Way", "value_usd=Dollars")
    ran = cli("ingest", "comtrade", path, "--store", store, "--map", *names, "weight_kg=Kilos")
    assert ran.code == 2
    assert "mine.csv: the file does not say its classification; say it with --set nomenclature=HS2022" in ran.err
    done = ("--map", *names, "weight_kg=Kilos", "--set", "nomenclature=HS2017")
    assert cli("ingest", "comtrade", path, "--store", store, *done).code == 0
    rows = held(store)
    assert rows["partner"].tolist() == ["CHN", "WLD"]
    assert set(rows["nomenclature"]) == {"HS2017"}
    assert rows["value_usd"].sum() == 14.5


def test_conflicts_are_named_and_refused(cli: Cli, held: Held, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    head = "period,reporter,partner,cmd,flow,value,netwgt\n"
    path.write_text(head + "2022,410,156,280530,M,900,\n2022,410,156,280530,M,400,3\n2022,410,156,280530,M,500,4\n")
    options = ("--store", store, "--set", "nomenclature=HS2022")
    ran = cli("ingest", "comtrade", path, *options)
    assert ran.code == 2
    assert "1 keys have rows that differ" in ran.err
    assert "KOR import from/to CHN, 280530, 2022-01-01: 3 rows from 400 to 900 USD" in ran.err
    assert "--conflict largest" in ran.err
    assert not store.exists()
    ran = cli("ingest", "comtrade", path, *options, "--conflict", "largest")
    assert ran.code == 0
    assert "3 rows read, 1 kept, 2 refused (2 other values for 1 keys, the largest kept)" in ran.err
    rows = held(store)
    assert rows["value_usd"].tolist() == [900.0]
    assert rows["weight_kg"].isna().all(), "the weight of a part is not the weight of the whole"


def test_equal_values_are_settled_by_a_rule(cli: Cli, held: Held, tmp_path: Path) -> None:
    records = ["2022,410,156,280530,M,900,3", "2022,410,156,280530,M,900,5", "2022,410,156,280530,M,900,"]
    weights = []
    for i, order in enumerate((records, records[::-1])):
        path = tmp_path / f"{i}.csv"
        path.write_text("\n".join(["period,reporter,partner,cmd,flow,value,netwgt", *order]) + "\n")
        options = ("--store", tmp_path / f"s{i}", "--set", "nomenclature=HS2022", "--conflict", "largest")
        assert cli("ingest", "comtrade", path, *options).code == 0
        weights.append(held(tmp_path / f"s{i}")["weight_kg"].tolist())
    assert weights == [[5.0], [5.0]]


def test_error_answer(cli: Cli, store: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "e.json", {"statusCode": 401, "message": "Access denied due to missing key"})
    ran = cli("ingest", "comtrade", path, "--store", store)
    assert ran.code == 2
    assert "e.json: the answer holds no data: the service said 'Access denied due to missing key'" in ran.err
    assert not store.exists()


def test_answer_without_rows(cli: Cli, store: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "none.json", {"count": 0, "data": [], "error": ""})
    ran = cli("ingest", "comtrade", path, "--store", store)
    assert ran.code == 2
    assert "none.json: the answer holds no data; ask again" in ran.err


def test_count_that_does_not_match(answer: dict[str, Any], cli: Cli, store: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "short.json", answer, data=answer["data"][:7])
    ran = cli("ingest", "comtrade", path, "--store", store)
    assert ran.code == 2
    assert "short.json: the answer says 10 rows and holds 7" in ran.err


@pytest.mark.parametrize(("rows", "warned"), [(499, False), (500, True), (100_000, True)])
def test_an_answer_of_exactly_the_limit_is_suspect(
    rows: int, warned: bool, answer: dict[str, Any], cli: Cli, store: Path, tmp_path: Path
) -> None:
    keys = ("freqCode", "period", "reporterCode", "partnerCode", "flowCode", "classificationCode", "primaryValue")
    first = {k: answer["data"][0][k] for k in keys}
    data = [first | {"cmdCode": f"{i + 1:06}"} for i in range(rows)]
    path = written(tmp_path / "many.json", {"count": rows, "data": data, "error": ""})
    ran = cli("ingest", "comtrade", path, "--store", store)
    assert ran.code == 0
    assert (f"warning: many.json: exactly {rows:,} rows, a limit of the service" in ran.err) is warned
    assert f"{rows:,} rows read, {rows:,} kept" in ran.last


def test_a_bare_array_of_records(answer: dict[str, Any], cli: Cli, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "array.json"
    path.write_text(json.dumps(answer["data"]))
    assert "10 rows read, 4 kept" in cli("ingest", "comtrade", path, "--store", store).last


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reporterCode": 9999}, "reporter '9999' is not an area code of UN Comtrade"),
        ({"partnerCode": 1}, "partner '1' is not an area code of UN Comtrade"),
        ({"cmdCode": "10121"}, "code '10121' does not fit its classification; was a leading zero lost?"),
        ({"period": "202213", "freqCode": "M"}, "period '202213' is not a year such as 2022 or a month such as 202201"),
        ({"freqCode": "Q"}, "frequency 'Q' is neither A nor M"),
        ({"classificationCode": "H9"}, "classification 'H9' is not known"),
        ({"primaryValue": -4}, "value '-4' is negative"),
    ],
)
def test_a_record_that_cannot_be(
    change: dict[str, Any], said: str, answer: dict[str, Any], cli: Cli, store: Path, tmp_path: Path
) -> None:
    data = [*answer["data"][:2], answer["data"][0] | change]
    path = written(tmp_path / "bad.json", {"count": 3, "data": data, "error": ""})
    ran = cli("ingest", "comtrade", path, "--store", store)
    assert ran.code == 2
    assert f"bad.json row 3: {said}" in ran.err
    assert not store.exists()
