"""Any tidy table: the user says which column is which field, and what the file leaves out."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from conftest import Cli, Held

from autarky import engine
from autarky.store import Store

HEAD = "period,reporter,partner,flow,nomenclature,product,value_usd"
ROW = "2023-01,CHN,DEU,import,HS2022,848620,5"


def frame_of(specimens: Path) -> pd.DataFrame:
    return pd.read_csv(specimens / "tidy.csv", dtype=str, keep_default_na=False)


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "xlsx"])
def test_every_kind_of_file(kind: str, cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path) -> None:
    path, frame = tmp_path / f"t.{kind}", frame_of(specimens)
    if kind == "xlsx":
        workbook(path, [list(frame.columns), *[[c or None for c in r] for r in frame.values.tolist()]])
    elif kind == "parquet":
        frame.replace("", None).to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if kind == "tsv" else ",", index=False)
    ran = cli("ingest", "tidy", path, "--store", store)
    assert ran.code == 0
    assert ran.last.startswith("7 rows read, 7 kept, 0 refused, value kept 17,234,582 USD")
    rows = held(store)
    shown = rows[["period", "freq", "partner", "flow", "product"]].astype(str).values.tolist()
    assert shown == [
        ["2022-12-01", "M", "DEU", "export", "848620"],
        ["2023-01-01", "A", "DEU", "import", "848620"],
        ["2023-01-01", "M", "DEU", "import", "010121"],
        ["2023-01-01", "M", "DEU", "import", "848620"],
        ["2023-01-01", "M", "JPN", "import", "848620"],
        ["2023-02-01", "M", "JPN", "import", "848620"],
        ["2023-02-01", "M", "WLD", "import", "848620"],
    ]
    assert set(rows["reporter"]) == {"CHN"}
    assert rows["value_usd"].sum() == pytest.approx(17_234_582.5, rel=1e-12)
    assert rows["value_usd"].isna().tolist() == [False] * 4 + [True, True, False]
    assert rows["weight_kg"].isna().tolist() == [True, True, True, False, False, False, False]
    assert set(rows["valuation"]) == {"unknown"}
    assert set(rows["source"]) == {"tidy"}


def test_nan_is_null_and_not_a_number_that_spreads(cli: Cli, store: Path, specimens: Path) -> None:
    assert cli("ingest", "tidy", specimens / "tidy.csv", "--store", store).code == 0
    con = engine.connect()
    table = Store(store).flows(con).table
    counted = table.aggregate(n=table.value_usd.isnan().fill_null(False).sum(), nulls=table.value_usd.isnull().sum())
    assert engine.rows(con, counted).to_pylist() == [{"n": 0, "nulls": 2}]
    assert Store(store).coverage(con)["value_usd"].sum() == pytest.approx(17_234_582.5)


def test_map_set_and_card(cli: Cli, held: Held, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("When,HS,USD\n201501,010121,3\n201502,010121,4\n")
    ran = cli(
        "ingest", "tidy", path, "--store", store, "--map", "period=When", "product=HS", "value_usd=USD", "--set",
        "reporter=840", "partner=CN", "flow=export", "nomenclature=HS2012", "valuation=FOB", "source=census",
        "title=US exports", "licence=public domain", "synthetic=true",
    )  # fmt: skip
    assert ran.code == 0
    rows = held(store)
    assert rows[["reporter", "partner", "flow", "valuation", "source"]].drop_duplicates().values.tolist() == [
        ["USA", "CHN", "export", "FOB", "census"]
    ]
    assert rows["period"].astype(str).tolist() == ["2015-01-01", "2015-02-01"]
    flows = Store(store).flows(engine.connect())
    assert flows.synthetic
    assert (flows.origins[0].title, flows.origins[0].licence) == ("US exports", "public domain")


def test_a_file_that_says_its_source_keeps_ledger_and_card(cli: Cli, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{HEAD},source\n{ROW},mine\n")
    assert cli("ingest", "tidy", path, "--store", store, "--set", "synthetic=true").code == 0
    flows = Store(store).flows(engine.connect())
    assert set(flows.coverage["source"]) == {"mine"}
    assert flows.synthetic
    assert flows.files[0].name == "t.csv"
    assert flows.ledger.lines


@pytest.mark.parametrize("freq", ["A", "M"])
def test_freq_said_by_the_user_or_by_a_column(freq: str, cli: Cli, held: Held, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{HEAD},freq\n{ROW.replace('2023-01', '2023-01-01')},{freq}\n")
    assert cli("ingest", "tidy", path, "--store", tmp_path / "a").code == 0
    (tmp_path / "u.csv").write_text(f"{HEAD}\n{ROW.replace('2023-01', '2023-01-01')}\n")
    assert cli("ingest", "tidy", tmp_path / "u.csv", "--store", tmp_path / "b", "--set", f"freq={freq}").code == 0
    assert held(tmp_path / "a")["freq"].tolist() == [freq]
    assert held(tmp_path / "a").equals(held(tmp_path / "b"))


@pytest.mark.parametrize(("freq", "period"), [("A", "2023-03"), ("M", "2023")])
def test_a_period_that_is_not_of_its_freq(freq: str, period: str, cli: Cli, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{HEAD}\n{ROW.replace('2023-01', period)}\n")
    ran = cli("ingest", "tidy", path, "--store", store, "--set", f"freq={freq}")
    assert ran.code == 2
    assert f"t.csv row 2: period '{period}'" in ran.err
    path.write_text(f"{HEAD},freq\n{ROW.replace('2023-01', period)},{freq}\n")
    assert cli("ingest", "tidy", path, "--store", store).code == 2
    assert not store.exists()


def test_workbook_with_a_gap_in_its_header(cli: Cli, held: Held, store: Path, tmp_path: Path) -> None:
    day = datetime.datetime(2023, 1, 1)
    head = HEAD.split(",")
    rows = [
        [*head[:2], None, *head[2:]],
        [day, "CHN", "a note", "DEU", "import", "HS2022", 848620, 5.25],
        [None] * 8,
        [2023, 156, None, 276, "import", "HS2022", "010121", 7],
    ]
    assert cli("ingest", "tidy", workbook(tmp_path / "t.xlsx", rows), "--store", store).code == 0
    found = held(store)
    assert found[["freq", "partner", "product", "value_usd"]].values.tolist() == [
        ["A", "DEU", "010121", 7.0], ["M", "DEU", "848620", 5.25],
    ]  # fmt: skip
    rows[3][7] = "7 M"
    ran = cli("ingest", "tidy", workbook(tmp_path / "u.xlsx", rows), "--store", store)
    assert ran.code == 2
    assert "u.xlsx row 4: value_usd '7 M' is not a number" in ran.err


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["a", "a"], [1, 2]], "t.xlsx row 1: the header names a more than once"),
        ([[None, None], [1, 2]], "t.xlsx: the first sheet is empty"),
        ([HEAD.split(",")], "t.xlsx: there are no rows under the header"),
    ],
)
def test_workbook_that_does_not_do(rows: list[list[Any]], said: str, cli: Cli, store: Path, tmp_path: Path) -> None:
    ran = cli("ingest", "tidy", workbook(tmp_path / "t.xlsx", rows), "--store", store)
    assert ran.code == 2
    assert said in ran.err
    assert not store.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--set", "flux=x"), "--set flux=…: --set takes freq, reporter"),
        (("--map", "flux=flow"), "--map flux=…: --map takes period"),
        (("--map", "flow=flux"), "t.csv row 1: no column 'flux'; the header has period"),
        (("--set", "flow=import", "--map", "flow=flow"), "flow is given twice, with --map and with --set"),
        (("--set", "weight_kg=7"), "--set weight_kg=…: --set takes"),
        (("--set", "period=2023"), "--set period=…: --set takes"),
        (("--set", "synthetic=yes"), "--set synthetic=yes: expected true or false"),
        (("--set", "reporter=ZZZ"), "--set reporter=ZZZ: not a country code"),
        (("--set", "flow=both"), "--set flow=both: expected import or export"),
        (("--set", "nomenclature=HS"), "nomenclature 'HS' is not known; known are HS1992"),
        (("--set", "valuation=cif"), "--set valuation=cif: expected CIF or FOB or unknown"),
        (("--set", "source=a/b"), "source id 'a/b': use letters, digits"),
        (("--set", "flow"), "--set flow: expected FIELD=VALUE"),
        (("--rates", "rates.csv"), "--rates rates.csv: is not used by this source"),
    ],
)
def test_options_that_do_not_do(options: tuple[str, ...], said: str, cli: Cli, store: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"{HEAD}\n{ROW}\n")
    ran = cli("ingest", "tidy", tmp_path / "t.csv", "--store", store, *options)
    assert ran.code == 2
    assert said in ran.err
    assert not store.exists()


def test_what_nothing_says(cli: Cli, store: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("period,hs6,value_usd\n2023,010121,5\n")
    ran = cli("ingest", "tidy", tmp_path / "t.csv", "--store", store)
    assert ran.code == 2
    assert "t.csv row 1: nothing says reporter, partner, flow, nomenclature, product; the columns are" in ran.err
    assert "--map reporter=COLUMN or the value with --set reporter=VALUE" in ran.err


def test_sources_in_one_file(cli: Cli, store: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"{HEAD},source\n{ROW},a\n{ROW},b\n")
    ran = cli("ingest", "tidy", tmp_path / "t.csv", "--store", store)
    assert ran.code == 2
    assert "t.csv: the column of sources holds 'a', 'b'; a file comes from one source" in ran.err
