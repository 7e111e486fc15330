"""Real files, each against a sum made without autarky."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import Cli, Listed

from autarky import engine
from autarky.store import Store

MAP = "year=year reporter=reporter partner=partner cmd=cmd flow=flow value=value netwgt=netwgt qty=qty qtyunit=qtyunit"


def coverage_of(store: Path) -> pd.DataFrame:
    return Store(store).coverage(engine.connect())


def weight_of(store: Path) -> float:
    con = engine.connect()
    table = Store(store).flows(con).table
    return float(engine.rows(con, table.aggregate(w=table.weight_kg.sum()))["w"][0].as_py())


def test_soybeans_of_china_customs(shared: Path, cli: Cli, store: Path) -> None:
    rates = shared / "macro" / "cny-per-usd-monthly.csv"
    per_month = (
        pd.read_csv(rates).assign(m=lambda d: d["Date"].str.replace("-", "").str[:6]).set_index("m")["Exchange rate"]
    )
    totals = {}
    for flow, names in {
        "import": ("imports-soybeans-2023", "imports-soybeans-2024"),
        "export": ("exports-soybeans-2024",),
    }.items():
        files = [shared / "gacc" / f"{n}.csv" for n in names]
        assert cli("ingest", "gacc", *files, "--store", store, "--set", f"flow={flow}", "--rates", rates).code == 0
        raw = pd.concat([pd.read_csv(f, encoding="gb18030", dtype=str) for f in files])
        yuan = raw["人民币"].str.replace(",", "").astype(float)
        assert set(raw["第一计量单位"]) == {"千克"}
        weight = raw["第一数量"].str.replace(",", "").astype(float).sum()
        totals[flow] = (len(raw), (yuan / raw["数据年月"].map(per_month)).sum(), weight)
    held = coverage_of(store).set_index("flow")
    assert held["rows"].to_dict() == {flow: rows for flow, (rows, _, _) in totals.items()}
    assert held["value_usd"].to_dict() == pytest.approx(
        {flow: value for flow, (_, value, _) in totals.items()}, rel=1e-9
    )
    assert weight_of(store) == pytest.approx(sum(w for _, _, w in totals.values()), rel=1e-9)
    assert str(held.loc["import", "first"]) == "2023-01-01"
    assert str(held.loc["import", "last"]) == "2024-12-01"


def test_critical_materials_of_comtrade(shared: Path, cli: Cli, store: Path, listed: Listed) -> None:
    path = shared / "comtrade" / "critical-materials-2022-raw.csv.gz"
    options = ("--store", store, "--map", *MAP.split(), "--set", "nomenclature=HS2022")
    ran = cli("ingest", "comtrade", path, *options)
    assert ran.code == 2
    assert "6,449 keys have rows that differ" in ran.err
    assert "ZAF export from/to WLD, 270112, 2022-01-01: 5 rows from 9 to 12,185,339,178 USD" in ran.err
    assert listed(store) is None

    ran = cli("ingest", "comtrade", path, *options, "--conflict", "largest")
    assert ran.code == 0
    assert "166,616 rows read" in ran.last
    assert "90,093 exact duplicates" in ran.last
    largest: dict[tuple[str, ...], float] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        for r in csv.DictReader(text):
            key = (r["reporter"], r["partner"], r["cmd"], r["flow"])
            largest[key] = max(largest.get(key, 0.0), float(r["value"]))
    held = coverage_of(store)
    assert held["rows"].sum() == len(largest)
    assert held["value_usd"].sum() == pytest.approx(sum(largest.values()), rel=1e-9)
    lines = Store(store).log()[0].ledger
    assert [x.rows_out for x in lines if x.step == "kept"] == [len(largest)]
    dropped = sum(x.value_in - x.value_out for x in lines if x.step in ("deduplicate", "settle conflicts"))
    assert lines[0].value_in - dropped == pytest.approx(held["value_usd"].sum(), rel=1e-9)


def test_raw_materials_of_baci(shared: Path, cli: Cli, store: Path) -> None:
    path = shared / "baci" / "baci-hs92-raw-materials-1995_2024.parquet"
    ran = cli("ingest", "baci", path, "--store", store)
    assert ran.code == 0
    assert "1,264,888 rows read, 1,264,888 kept, 0 refused" in ran.last
    raw = pq.read_table(path, columns=["v", "q"]).to_pandas()
    held = coverage_of(store)
    assert held["rows"].tolist() == [len(raw)]
    assert held["value_usd"].sum() == pytest.approx(raw["v"].sum() * 1000, rel=1e-9)
    assert weight_of(store) == pytest.approx(raw["q"].sum() * 1000, rel=1e-9)
    assert held["nomenclature"].tolist() == ["HS1992"]


def test_monthly_exports_of_the_us(shared: Path, cli: Cli, store: Path) -> None:
    path = shared / "us-china" / "us-exports-to-china-monthly-hs6-2013-01_2021-02.parquet"
    ran = cli(
        "ingest", "tidy", path, "--store", store, "--map", "product=hs6", "--set", "reporter=USA", "partner=CHN",
        "flow=export", "nomenclature=HS2012", "valuation=FOB",
    )  # fmt: skip
    assert ran.code == 0
    raw = pq.read_table(path).to_pandas()
    held = coverage_of(store).iloc[0]
    assert held["rows"] == len(raw) == 363_590
    assert held["value_usd"] == pytest.approx(raw["value_usd"].sum(), rel=1e-9)
    # The name of the file promises February 2021; its data end in January.
    assert str(held["last"])[:7] == raw["period"].max() == "2021-01"


def test_both_tables_of_comtradr(shared: Path, cli: Cli, store: Path) -> None:
    paths = sorted((shared / "us-china").glob("comtrade-usa-china-annual-*.parquet"))
    assert len(paths) == 2
    ran = cli("ingest", "comtrade", *paths, "--store", store)
    assert ran.code == 0
    assert "111,959 rows read, 111,959 kept, 0 refused" in ran.last
    raw = pd.concat([pq.read_table(p, columns=["flow_code", "primary_value"]).to_pandas() for p in paths])
    held = coverage_of(store).groupby("flow")["value_usd"].sum()
    sums = raw.groupby("flow_code")["primary_value"].sum()
    assert held.to_dict() == pytest.approx({"import": sums["M"], "export": sums["X"]}, rel=1e-9)
    # Rows of every level stand side by side; to add them up takes a choice.
    ran = cli("measure", "herfindahl", "--store", store, "--by", "reporter,flow,year", "--over", "product")
    assert ran.code == 2
    assert "--where level=" in ran.err
