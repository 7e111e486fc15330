"""The benchmark's panel is what it says, and the benchmark runs; how fast anything is, no test says."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from autarky import references

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = ("--years=2", "--rows=20000", "--products=20")


def panel(directory: Path, *options: str) -> list[Path]:
    subprocess.run([sys.executable, str(BENCHMARKS / "panel.py"), str(directory), *SMALL, *options], check=True)
    return sorted(directory.glob("*.csv"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return panel(tmp_path_factory.mktemp("panel"))


def test_the_panel_is_the_same_for_a_seed_and_another_for_another(files: list[Path], tmp_path: Path) -> None:
    again, other = panel(tmp_path / "again"), panel(tmp_path / "other", "--seed=2")
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in files]
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(other, files, strict=True))


def test_the_panel_has_the_layout_of_baci(files: list[Path]) -> None:
    assert [p.name for p in files] == ["BACI_HS92_Y2020_V202601.csv", "BACI_HS92_Y2021_V202601.csv"]
    lines = files[0].read_text(encoding="utf-8").splitlines()
    assert lines[0] == "t,i,j,k,v,q"
    assert len(lines) == 20_001
    records = [line.split(",") for line in lines[1:]]
    keys = [(t, int(i), int(j), k) for t, i, j, k, _, _ in records]
    assert keys == sorted(set(keys))
    assert all(i != j for _, i, j, _ in keys)
    assert {len(k) for *_, k in keys} == {6}
    assert any(k.startswith("0") for *_, k in keys)
    assert all(len(v.rpartition(".")[2]) == 3 and float(v) > 0 for *_, v, _ in records)
    unknown = sum(q == "           NA" for *_, q in records)
    assert 0.04 < unknown / len(records) < 0.06


def test_autarky_ingests_the_panel_whole(files: list[Path], cli: Callable[..., Any], store: Path) -> None:
    ran = cli("ingest", "baci", *files, "--store", store)
    assert ran.code == 0
    assert "40,000 rows read, 40,000 kept, 0 refused" in ran.err
    csv = f"read_csv({list(map(str, files))!r}, types = {{'q': 'VARCHAR'}})"
    raw = duckdb.execute(f"SELECT sum(v) * 1000, count(try_cast(q AS DOUBLE)) FROM {csv}").fetchone()
    held = f"read_parquet('{store}/flows/**/*.parquet', hive_partitioning = false)"
    found = duckdb.execute(f"SELECT sum(value_usd), count(weight_kg) FROM {held}").fetchone()
    assert raw is not None
    assert found == pytest.approx(raw, rel=1e-9)


def test_the_benchmark_runs_and_writes_its_table(tmp_path: Path) -> None:
    table, work = tmp_path / "results.md", tmp_path / "work"
    command = [sys.executable, str(BENCHMARKS / "run.py"), str(work), "--small", "--out", str(table)]
    subprocess.run(command, check=True, timeout=300)
    text = table.read_text(encoding="utf-8")
    for title in ("## Targets", "## Ingest 2 years: 400,000 rows", "## Measure four indicators, 2 years", "## Start"):
        assert title in text
    assert not work.exists(), "the benchmark removes what it made"


def test_the_table_of_another_run_keeps_the_section_on_conversion(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    run = importlib.import_module("run")
    table = tmp_path / "results.md"
    assert run.conversion_of(table) == ""
    table.write_text("# Benchmark\n\nfigures\n\n## Conversion\n\nratios\n", encoding="utf-8")
    assert run.conversion_of(table) == "\n## Conversion\n\nratios\n"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(__file__).parents[2] / "shared" / "reference"
    if not source.is_dir():
        pytest.skip(f"no UN tables here: {source} is absent (they are not part of the repository)")
    where = tmp_path_factory.mktemp("un")
    references.add(source, where)
    return where


def test_a_panel_of_an_edition_has_its_codes(tables: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("AUTARKY_REFERENCE", str(tables))
    (first, _) = panel(tmp_path, "--edition=HS2017", "--rows=200000")
    assert first.name == "BACI_HS17_Y2020_V202601.csv"
    frame = references.load("nomenclature", tables, nomenclature="HS2017").to_pandas()
    found = {line.split(",")[3] for line in first.read_text(encoding="utf-8").splitlines()[1:]}
    assert found <= set(frame.loc[frame["level"] == 6, "code"])
    assert len(found) > 5_000


def test_the_benchmark_of_conversion_adds_its_section(tables: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("AUTARKY_REFERENCE", str(tables))
    table, work = tmp_path / "results.md", tmp_path / "work"
    table.write_text("# Benchmark\n\n## Start\n\n0.05 s\n", encoding="utf-8")
    command = [sys.executable, str(BENCHMARKS / "convert.py"), str(work), "--small", "--out", str(table)]
    for _ in range(2):
        subprocess.run(command, check=True, timeout=300)
    text = table.read_text(encoding="utf-8")
    assert text.startswith("# Benchmark\n\n## Start\n\n0.05 s\n\n## Conversion\n")
    assert text.count("## Conversion") == text.count("### HS2017 to HS2012: 400,000 rows") == 1
    assert "### HS2017 to BEC4: 400,000 rows" in text
    assert not work.exists(), "the benchmark removes what it made"


def test_the_benchmark_of_conversion_says_what_it_lacks(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("AUTARKY_REFERENCE", str(tmp_path / "none"))
    command = [sys.executable, str(BENCHMARKS / "convert.py"), str(tmp_path / "work"), "--small"]
    done = subprocess.run([*command, "--out", str(tmp_path / "t.md")], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "skipped: the reference table" in done.stderr
    assert not (tmp_path / "t.md").exists()
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("change", ["v * 1.00001", "NULL", "w"])
def test_a_wrong_conversion_is_an_error(tmp_path: Path, change: str) -> None:
    columns = "DATE '2020-01-01' AS period, 'DEU' AS reporter, 'FRA' AS partner, NULL::VARCHAR AS area"
    row = f"SELECT {columns}, 'BEC4' AS nomenclature, '42' AS product, 2.5e0 AS value_usd, 2e0 AS weight_kg"
    right, wrong = tmp_path / "right.parquet", tmp_path / "wrong.parquet"
    value = {"v * 1.00001": "value_usd * 1.00001", "NULL": "NULL::DOUBLE", "w": "weight_kg"}[change]
    duckdb.execute(f"COPY ({row}) TO '{right}'")
    duckdb.execute(f"COPY (SELECT * REPLACE ({value} AS value_usd) FROM '{right}') TO '{wrong}'")
    for found, code in ((right, 0), (wrong, 1)):
        command = [sys.executable, str(BENCHMARKS / "checks.py"), "convert", str(right), str(found), "1"]
        assert subprocess.run(command, check=False).returncode == code


@pytest.mark.parametrize("change", ["value * 1.00001", "NULL"])
def test_a_wrong_contender_is_an_error(tmp_path: Path, change: str) -> None:
    keys = "'DEU' AS reporter, '010121' AS product, DATE '2020-01-01' AS period, 'herfindahl' AS indicator"
    right, wrong = tmp_path / "right.parquet", tmp_path / "wrong.parquet"
    duckdb.execute(f"COPY (SELECT {keys}, 0.5 AS value) TO '{right}'")
    duckdb.execute(f"COPY (SELECT * REPLACE ({change} AS value) FROM '{right}') TO '{wrong}'")
    for found, code in ((right, 0), (wrong, 1)):
        command = [sys.executable, str(BENCHMARKS / "checks.py"), "measure", str(right), str(found), "1"]
        done = subprocess.run(command, check=False)
        assert done.returncode == code
