"""The benchmark's panel is what it says, and the benchmark runs; how fast anything is, no test says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

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
