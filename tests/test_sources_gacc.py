"""China Customs: two languages, two encodings, two currencies, Customs' own codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Cli, Held

from autarky.store import Store

YUAN = "gacc-zh-cny.csv"
DOLLARS = "gacc-en-usd.csv"


def test_chinese_headers_gb18030_yuan(cli: Cli, held: Held, store: Path, specimens: Path) -> None:
    rates = specimens / "rates.csv"
    ran = cli("ingest", "gacc", specimens / YUAN, "--store", store, "--set", "flow=import", "--rates", rates)
    assert ran.code == 0
    assert ran.out == ""
    value = 16_000_000 / 7.1 + 14_200 / 7.1 + 7_300_000 / 7.3 + 73_000_000 / 7.3
    assert ran.last == f"4 rows read, 4 kept, 0 refused, value kept {value:,.0f} USD; version 0"
    rows = held(store)
    assert set(rows["reporter"]) == {"CHN"}
    assert set(rows["nomenclature"]) == {"GACC8"}
    assert set(rows["freq"]) == {"M"}
    assert set(rows["valuation"]) == {"CIF"}
    assert rows["area"].isna().all()
    assert rows["partner"].tolist() == ["BRA", "USA", "BRA", "HKG"]
    assert rows["period"].astype(str).tolist() == ["2024-01-01"] * 2 + ["2024-02-01"] * 2
    assert rows["value_usd"].sum() == pytest.approx(value, rel=1e-12)
    # Kilograms stand in the first quantity, or in the second one when the first counts pieces.
    assert rows["weight_kg"].tolist() == [4_000_000, 3_500, 2_000_000, 9_500]


def test_yuan_are_never_converted_by_a_rate_that_nobody_named(cli: Cli, store: Path, specimens: Path) -> None:
    ran = cli("ingest", "gacc", specimens / YUAN, "--store", store, "--set", "flow=import")
    assert ran.code == 2
    assert YUAN in ran.err
    assert "--rates" in ran.err
    assert not store.exists()


def test_the_flow_is_never_guessed(cli: Cli, store: Path, specimens: Path) -> None:
    ran = cli("ingest", "gacc", specimens / DOLLARS, "--store", store)
    assert ran.code == 2
    assert "--set flow=import|export" in ran.err
    assert not store.exists()


def test_english_headers_regimes_and_provinces(cli: Cli, held: Held, store: Path, specimens: Path) -> None:
    ran = cli("ingest", "gacc", specimens / DOLLARS, "--store", store, "--set", "flow=import")
    assert ran.code == 0
    assert "5 rows read, 4 kept" in ran.err
    rows = held(store).set_index(["partner", "area"])
    assert rows["value_usd"].sum() == 108_750_000
    assert rows.loc[("DEU", "CN-GD"), "value_usd"] == 39_000_000
    assert rows.loc[("DEU", "CN-GD"), "weight_kg"] == 16_000
    assert rows.loc[("DEU", "CN-SH"), "value_usd"] == 51_500_000
    assert rows["weight_kg"].isna()[("JPN", "CN-GD")], "sets and `?` are no weight"
    assert rows.loc[("JPN", "CN-BJ"), "product"] == "01012100"
    summed = [line for line in Store(store).log()[0].ledger if line.step == "sum"]
    assert [(s.rows_in, s.rows_out, s.note) for s in summed] == [(5, 4, "customs regimes summed")]
    assert summed[0].value_in == summed[0].value_out == 108_750_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_give_the_same_rows(encoding: str, cli: Cli, held: Held, tmp_path: Path, specimens: Path) -> None:
    text = (specimens / YUAN).read_text("gb18030")
    again = tmp_path / "again.csv"
    again.write_bytes(text.encode(encoding))
    options = ("--set", "flow=import", "--rates", specimens / "rates.csv")
    assert cli("ingest", "gacc", specimens / YUAN, "--store", tmp_path / "a", *options).code == 0
    assert cli("ingest", "gacc", again, "--store", tmp_path / "b", *options).code == 0
    assert held(tmp_path / "a").equals(held(tmp_path / "b"))


def test_nothing_is_written_beside_the_file(cli: Cli, store: Path, tmp_path: Path, specimens: Path) -> None:
    folder = tmp_path / "autarky-data"
    folder.mkdir()
    (folder / YUAN).write_bytes((specimens / YUAN).read_bytes())
    options = ("--set", "flow=import", "--rates", specimens / "rates.csv")
    assert cli("ingest", "gacc", folder, "--store", store, *options).code == 0
    assert [p.name for p in folder.iterdir()] == [YUAN]


def test_exports_are_fob(cli: Cli, held: Held, store: Path, specimens: Path) -> None:
    assert cli("ingest", "gacc", specimens / DOLLARS, "--store", store, "--set", "flow=export").code == 0
    assert set(held(store)["valuation"]) == {"FOB"}


def test_annual_file(cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path) -> None:
    path = tmp_path / "annual.csv"
    path.write_text(
        (specimens / DOLLARS).read_text("utf-8").replace('"202403"', '"2024"').replace('"202404"', '"2024"')
    )
    assert cli("ingest", "gacc", path, "--store", store, "--set", "flow=import").code == 0
    rows = held(store)
    assert set(rows["freq"]) == {"A"}
    assert set(rows["period"].astype(str)) == {"2024-01-01"}


def test_a_year_among_months_is_not_january(cli: Cli, store: Path, tmp_path: Path, specimens: Path) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text((specimens / DOLLARS).read_text("utf-8").replace('"202404"', '"2024"'))
    ran = cli("ingest", "gacc", path, "--store", store, "--set", "flow=import")
    assert ran.code == 2
    assert "mixed.csv row 6: month '2024' is not a month such as 202401" in ran.err


def test_yuan_of_a_year_have_no_monthly_rate(cli: Cli, store: Path, tmp_path: Path, specimens: Path) -> None:
    path = tmp_path / "annual.csv"
    text = (specimens / YUAN).read_text("gb18030").replace('"202401"', '"2024"').replace('"202402"', '"2024"')
    path.write_text(text, "utf-8")
    ran = cli("ingest", "gacc", path, "--store", store, "--set", "flow=import", "--rates", specimens / "rates.csv")
    assert ran.code == 2
    assert "annual.csv row 2: month '2024' has no rate in rates.csv" in ran.err


def test_a_total_and_its_regimes_are_not_added(cli: Cli, store: Path, tmp_path: Path, specimens: Path) -> None:
    total = tmp_path / "total.csv"
    place = "Locations of importers and exporters code"
    head = f'"Date of data","Trading partner code","Commodity code","{place}","US dollar",'
    total.write_text(f'{head}\n"202403","304","84862031","44","39,000,000",\n')
    ran = cli("ingest", "gacc", total, specimens / DOLLARS, "--store", store, "--set", "flow=import")
    assert ran.code == 2
    assert "total.csv is broken down by nothing, gacc-en-usd.csv by regime" in ran.err
    assert not store.exists()


def test_files_that_overlap_are_counted_once(
    cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path
) -> None:
    lines = (specimens / YUAN).read_text("gb18030").splitlines(keepends=True)
    (tmp_path / "a.csv").write_text("".join(lines[:4]), "utf-8")
    (tmp_path / "b.csv").write_text("".join([lines[0], *lines[2:]]), "utf-8")
    ran = cli(
        "ingest", "gacc", tmp_path / "a.csv", tmp_path / "b.csv", "--store", store,
        "--set", "flow=import", "--rates", specimens / "rates.csv",
    )  # fmt: skip
    assert ran.code == 0
    assert "6 rows read, 4 kept, 2 refused (2 rows with the key and value of another row)" in ran.err
    assert len(held(store)) == 4


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ("month,rate\n2024-01,7.1\n", "row 4: month '202402' has no rate in r.csv"),
        ("month,rate\n2024-01,7.1\n2024-02,-1\n", "r.csv row 3: '2024-02', '-1': expected a month and a positive rate"),
        ("month,rate\n2024-01,7.1\n2024-01,7.2\n", "r.csv row 3: month 202401 has a second, different rate"),
        ("month,rate\n2024-01\n", "r.csv row 2"),
        ("a,b\n1,2\n", "r.csv row 1: expected columns `month` and `rate`"),
        ("", "r.csv: no rows"),
    ],
)  # fmt: skip
def test_rates_that_do_not_do(rates: str, said: str, cli: Cli, store: Path, tmp_path: Path, specimens: Path) -> None:
    (tmp_path / "r.csv").write_text(rates)
    ran = cli(
        "ingest", "gacc", specimens / YUAN, "--store", store, "--set", "flow=import", "--rates", tmp_path / "r.csv"
    )
    assert ran.code == 2
    assert said in ran.err
    assert not store.exists()


def test_rates_that_are_not_there(cli: Cli, store: Path, specimens: Path) -> None:
    ran = cli("ingest", "gacc", specimens / YUAN, "--store", store, "--set", "flow=import", "--rates", "nowhere.csv")
    assert ran.code == 2
    assert "nowhere.csv: there is no such file" in ran.err
