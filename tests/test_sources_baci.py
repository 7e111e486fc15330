"""CEPII BACI: one row a flow, in thousand dollars and tonnes; the edition stands in the name of the file."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from conftest import Cli, Held

from autarky.store import Store

YEAR = "BACI_HS92_Y2021_V202501.csv"
EDITIONS = {"92": 1992, "96": 1996, "02": 2002, "07": 2007, "12": 2012, "17": 2017, "22": 2022}


def zipped(path: Path, members: list[Path]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.write(member, member.name)
    return path


def test_zip_as_cepii_serves_it(cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path) -> None:
    path = zipped(tmp_path / "BACI_HS92_V202501.zip", sorted((specimens / "baci").iterdir()))
    ran = cli("ingest", "baci", path, "--store", store)
    assert ran.code == 0
    assert ran.last.startswith("5 rows read, 5 kept, 0 refused")
    rows = held(store)
    shown = rows[["reporter", "partner", "product", "value_usd", "weight_kg"]].values.tolist()
    assert [r[:3] for r in shown] == [
        ["FRA", "S19", "010121"], ["KOR", "CHN", "280530"], ["USA", "CHN", "280530"],
        ["IND", "AUS", "260300"], ["USA", "CHN", "280530"],
    ]  # fmt: skip
    assert [r[3] for r in shown] == pytest.approx([8.0, 88_981.0, 1_234_567.0, 15_250.0, 2_000_500.0], rel=1e-12)
    assert rows["weight_kg"].isna().tolist() == [False, True, False, True, False]
    assert rows["weight_kg"].dropna().tolist() == pytest.approx([2.0, 12_345.0, 20_250.0], rel=1e-12)
    assert set(rows["flow"]) == {"import"}
    assert set(rows["valuation"]) == {"FOB"}
    assert set(rows["freq"]) == {"A"}
    assert set(rows["source"]) == {"baci-V202501"}
    assert set(rows["nomenclature"]) == {"HS1992"}
    origin = Store(store).log()[0].origins[0]
    assert "release 202501" in origin.note
    assert origin.publisher == "CEPII"


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_csv_gz_and_parquet(kind: str, cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path) -> None:
    plain = (specimens / "baci" / YEAR).read_bytes()
    path = tmp_path / f"BACI_HS17_Y2021_V202501.{kind}"
    if kind == "parquet":
        frame = pd.read_csv(specimens / "baci" / YEAR, dtype={"k": str, "i": str, "j": str}, skipinitialspace=True)
        frame.to_parquet(path)
    else:
        path.write_bytes(gzip.compress(plain) if kind.endswith("gz") else plain)
    assert cli("ingest", "baci", path, "--store", store).code == 0
    rows = held(store)
    assert rows["value_usd"].sum() == pytest.approx(1_323_556.0, rel=1e-9)
    assert rows["weight_kg"].sum() == pytest.approx(12_347.0, rel=1e-9)
    assert rows["weight_kg"].isna().sum() == 1
    assert set(rows["nomenclature"]) == {"HS2017"}


def test_edition_from_the_name_of_the_file(cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path) -> None:
    for short in EDITIONS:
        text = (specimens / "baci" / YEAR).read_text() + "2021,156,36,010121,1.0,NA\n" * (short == "22")
        (tmp_path / f"BACI_HS{short}_Y2021_V202501.csv").write_text(text + f"2021,156,4,260300,{short}.0,NA\n")
    assert cli("ingest", "baci", *sorted(tmp_path.glob("*.csv")), "--store", store).code == 0
    counts = held(store)["nomenclature"].value_counts().to_dict()
    assert counts == {f"HS{year}": 4 + (year == 2022) for year in EDITIONS.values()}


def test_edition_that_only_the_user_knows(cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path) -> None:
    path = tmp_path / "trade.csv"
    path.write_bytes((specimens / "baci" / YEAR).read_bytes())
    ran = cli("ingest", "baci", path, "--store", store)
    assert ran.code == 2
    assert "trade.csv: the file name does not say the HS edition" in ran.err
    assert "--set nomenclature=HS1992" in ran.err
    assert not store.exists()
    assert cli("ingest", "baci", path, "--store", store, "--set", "nomenclature=HS2012", "source=b").code == 0
    assert set(held(store)["nomenclature"]) == {"HS2012"}
    assert set(held(store)["source"]) == {"b"}


def test_releases_live_side_by_side(cli: Cli, held: Held, store: Path, tmp_path: Path, specimens: Path) -> None:
    old = tmp_path / YEAR.replace("V202501", "V202401")
    old.write_text((specimens / "baci" / YEAR).read_text().replace("1234.567", "1200"))
    assert cli("ingest", "baci", old, specimens / "baci" / YEAR, "--store", store).code == 0
    assert held(store)["source"].value_counts().to_dict() == {"baci-V202401": 3, "baci-V202501": 3}


def test_country_file_with_a_code_that_we_lack(cli: Cli, store: Path, tmp_path: Path, specimens: Path) -> None:
    text = (specimens / "baci" / "country_codes_V202501.csv").read_text("utf-8") + "999,Atlantis,AT,ATL\n"
    (tmp_path / "country_codes_V202501.csv").write_bytes(text.encode("latin-1"))
    path = zipped(tmp_path / "b.zip", [specimens / "baci" / YEAR, tmp_path / "country_codes_V202501.csv"])
    ran = cli("ingest", "baci", path, "--store", store)
    assert ran.code == 2
    assert "country_codes_V202501.csv row 10: country code 999 (Atlantis) is unknown" in ran.err
    assert not store.exists()


def test_zip_without_trade(cli: Cli, store: Path, tmp_path: Path, specimens: Path) -> None:
    path = zipped(tmp_path / "b.zip", [specimens / "baci" / "Readme.txt"])
    ran = cli("ingest", "baci", path, "--store", store)
    assert ran.code == 2
    assert "b.zip: holds no table that baci reads" in ran.err


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("2021,1560,842,280530,1,NA", "exporter i '1560' is not a country code of BACI"),
        ("2021,156,843,280530,1,NA", "importer j '843' is not a country code of BACI"),
        ("2021,156,842,10121,1,NA", "product '10121' has 5 digits"),
        ("21,156,842,280530,1,NA", "year t '21' is not a year"),
        ("2021,156,842,280530,,NA", "no value v"),
        ("2021,156,842,280530,inf,NA", "value v 'inf' is not finite"),
        ("2021,156,842,280530,1,-2", "quantity q '-2' is negative"),
        ("2021,156,842,280530,1,N/A", "quantity q 'N/A' is not a number"),
    ],
)
def test_a_record_that_cannot_be(
    record: str, said: str, cli: Cli, store: Path, tmp_path: Path, specimens: Path
) -> None:
    path = tmp_path / YEAR
    path.write_text((specimens / "baci" / YEAR).read_text() + record + "\n")
    ran = cli("ingest", "baci", path, "--store", store)
    assert ran.code == 2
    assert f"{YEAR} row 5: {said}" in ran.err
    assert not store.exists()
