"""`store optimize` and `store vacuum`: another layout with the same rows; old files freed, and only they."""

from __future__ import annotations

import datetime
import json
import os
import random
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Cli, Held, Listed
from filelock import FileLock

from autarky import engine, optimize, vacuum
from autarky.commit import Transaction
from autarky.errors import AutarkyError, TableError
from autarky.settle import coverage_of
from autarky.store import Store
from autarky.tables import SORTED, STORED, Part
from autarky.transaction import staging

HEAD = "period,reporter,partner,area,flow,nomenclature,product,value_usd,weight_kg\n"
DAY = 86_400.0


@dataclass
class Scattered(Transaction):
    """Lay a store out as another writer of Delta tables may: every file in pieces of its own, in no order."""

    pieces: int = 3
    added: list[Part] = field(default_factory=list)

    def merged(self, held: list[Part]) -> tuple[list[Part], list[Part]]:
        for part in held:
            rows = engine.rows(self.con, engine.read_parquet(self.con, [part.path])).to_pandas()
            rows = rows.sample(frac=1, random_state=1)
            for nth in range(self.pieces):
                path = self.workdir / f"{uuid.uuid4().hex}.parquet"
                rows.iloc[nth :: self.pieces][list(STORED)].to_parquet(path, index=False)
                coverage = coverage_of(self.con, engine.read_parquet(self.con, [str(path)]), part.placed)
                total = float(coverage["value_usd"].sum())
                self.added.append(Part(str(path), part.placed, int(coverage["rows"].sum()), total, coverage))
        return self.added, held

    def record(self) -> dict[str, Any]:
        counts = {"rows_added": 0, "rows_replaced": 0, "rows_unchanged": 0, "value_added": 0.0}
        return {"source": "test", "settings": "", "files": [], "origins": [], "ledger": [], **counts}


def scatter(store: Path, pieces: int = 3) -> None:
    with staging(store) as workdir:
        Scattered(store, engine.connect(), workdir, pieces).run()


def table(path: Path, seed: int = 1, rows: int = 400) -> Path:
    """Write months of two years and three reporters, with areas, missing values and missing weights."""
    draw = random.Random(seed)
    keys = {
        (
            f"{draw.choice((2020, 2021))}-{draw.randint(1, 12):02}",
            draw.choice(("CHN", "DEU", "USA")),
            draw.choice(("JPN", "FRA", "BRA", "WLD")),
            draw.choice(("", "", "CN-GD")),
            f"{draw.randint(1, 60):02}0121",
        )
        for _ in range(rows)
    }
    lines = []
    for period, reporter, partner, area, product in sorted(keys):
        value = "" if draw.random() < 0.05 else round(draw.lognormvariate(5, 4), 3)
        weight = "" if draw.random() < 0.3 else draw.randint(0, 999)
        where = area if reporter == "CHN" else ""
        lines.append(f"{period},{reporter},{partner},{where},import,HS2022,{product},{value},{weight}\n")
    path.write_text(HEAD + "".join(dict.fromkeys(lines)))
    return path


@pytest.fixture
def filled(cli: Cli, store: Path, tmp_path: Path) -> Path:
    assert cli("ingest", "tidy", table(tmp_path / "a.csv"), "--store", store, "--conflict", "largest").code == 0
    return store


@pytest.fixture
def scattered(filled: Path) -> Path:
    """A store of two versions: as it was read, and then every place in three files without order."""
    scatter(filled)
    return filled


def live(store: Path) -> list[Part]:
    return Store(store).parts(engine.connect())


def orders(store: Path) -> list[bool]:
    con = engine.connect()
    return [optimize.is_sorted(con, p.path) for p in live(store)]


# --- optimize


def test_what_an_ingest_writes_is_left_as_it_is(cli: Cli, listed: Listed, filled: Path) -> None:
    before = listed(filled)
    ran = cli("store", "optimize", "--store", filled)
    assert ran.code == 0
    assert ran.last.startswith("nothing to do: every place and year is one sorted file (2 files, ")
    assert ran.last.endswith("still version 0")
    assert listed(filled) == before


def test_many_files_become_one_sorted_file_with_the_same_rows(cli: Cli, held: Held, scattered: Path) -> None:
    before, coverage = held(scattered), cli("coverage", "--store", scattered).out
    assert len(live(scattered)) == 6
    ran = cli("store", "optimize", "--store", scattered)
    assert ran.code == 0
    assert ran.last.startswith("6 files → 2, ")
    assert ran.last.endswith(f"{len(before):,} rows in 2 places laid out anew, rows and value unchanged; version 2")
    assert len(live(scattered)) == 2
    assert orders(scattered) == [True, True]
    pd.testing.assert_frame_equal(held(scattered), before)
    pd.testing.assert_frame_equal(held(scattered, 1), before)
    pd.testing.assert_frame_equal(held(scattered, 0), before)
    assert cli("coverage", "--store", scattered).out == coverage
    assert {p.name for p in map(Path, (p.path for p in live(scattered)))} <= {
        p.name for p in (scattered / "coverage").iterdir()
    }
    assert "nothing to do" in cli("store", "optimize", "--store", scattered).last
    assert not [p for p in (scattered / "staging").iterdir() if p.is_dir()]


def test_one_file_in_disorder_is_sorted_and_the_others_stay(cli: Cli, held: Held, filled: Path) -> None:
    sorted_before = {p.path for p in live(filled)}
    con = engine.connect()

    class OneYear(Scattered):
        def merged(self, held: list[Part]) -> tuple[list[Part], list[Part]]:
            return super().merged(held[:1])

    with staging(filled) as workdir:
        OneYear(filled, con, workdir, 1).run()
    before = held(filled)
    assert orders(filled).count(False) == 1
    assert cli("store", "optimize", "--store", filled).last.startswith("2 files → 2, ")
    assert orders(filled) == [True, True]
    assert len(sorted_before & {p.path for p in live(filled)}) == 1
    pd.testing.assert_frame_equal(held(filled), before)


@pytest.mark.parametrize("column", SORTED)
@pytest.mark.parametrize("forward", [True, False])
def test_order_is_told_by_every_column(column: str, forward: bool, tmp_path: Path) -> None:
    """Against pandas, whose sort knows nothing of the engine's."""
    low = {
        "product": "010121",
        "reporter": "CHN",
        "partner": "DEU",
        "period": datetime.date(2020, 1, 1),
        "area": "CN-A",
    }
    high: dict[str, Any] = {"period": datetime.date(2020, 2, 1), "area": None}
    rows = [low, low | {column: high.get(column, "XXX")}]
    frame = pd.DataFrame(rows if forward else rows[::-1])
    ranked = frame.sort_values(list(SORTED), na_position="last", kind="stable")
    assert ranked.index.is_monotonic_increasing == forward
    frame.to_parquet(tmp_path / "f.parquet", index=False)
    assert optimize.is_sorted(engine.connect(), str(tmp_path / "f.parquet")) == forward


def test_the_log_says_that_only_the_layout_changed(cli: Cli, held: Held, scattered: Path) -> None:
    assert cli("store", "optimize", "--store", scattered).code == 0
    said = Store(scattered).log()[-1]
    rows = held(scattered)
    assert (said.source, said.rows_added, said.rows_replaced, said.rows_unchanged) == ("optimize", 0, 0, len(rows))
    assert said.value_added == 0
    assert [line.step for line in said.ledger] == ["optimize"] * 2
    assert sum(line.rows_in for line in said.ledger) == sum(line.rows_out for line in said.ledger) == len(rows)
    for line in said.ledger:
        assert line.value_in == pytest.approx(line.value_out, rel=1e-12)
    assert sum(line.value_out for line in said.ledger) == pytest.approx(rows["value_usd"].sum(), rel=1e-12)
    actions = [json.loads(x) for x in sorted((scattered / "flows/_delta_log").glob("*.json"))[-1].open()]
    changed = {a[kind]["dataChange"] for a in actions for kind in ("add", "remove") if kind in a}
    assert changed == {False}
    assert cli("log", "--store", scattered, "--format", "csv").rows[-1]["source"] == "optimize"


def test_a_revision_after_it_finds_its_keys(cli: Cli, held: Held, scattered: Path, tmp_path: Path) -> None:
    assert cli("store", "optimize", "--store", scattered).code == 0
    before = held(scattered)
    ran = cli("ingest", "tidy", table(tmp_path / "b.csv", 2), "--store", scattered, "--conflict", "largest")
    assert ran.code == 0
    assert len(held(scattered)) > len(before)
    assert not held(scattered).duplicated(["period", "reporter", "partner", "area", "product"]).any()
    again = cli("ingest", "tidy", tmp_path / "a.csv", "--store", scattered, "--conflict", "largest")
    assert "already ingested: a.csv (version 0)" in again.last


def test_rows_that_come_out_wrong_are_not_committed(
    listed: Listed, scattered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Transaction.written

    def short(self: Transaction, rows: Any, placed: Any) -> Part:
        return whole(self, rows.filter(rows["reporter"] != "DEU"), placed)

    def altered(self: Transaction, rows: Any, placed: Any) -> Part:
        return whole(self, rows.mutate(value_usd=rows.value_usd * (1 + 1e-10)), placed)

    before = listed(scattered)
    for wrong in (short, altered):
        monkeypatch.setattr(Transaction, "written", wrong)
        with pytest.raises(TableError, match="not those that were read"):
            optimize.optimize(scattered)
        after = listed(scattered) or {}
        assert {k: v for k, v in after.items() if k in (before or {})} == before
        assert not [k for k in after if k.startswith("flows/") and k not in (before or {})]


KILLED = """
import os, signal, sys
from autarky import commit, optimize
def killed(*args, **kwargs): os.kill(os.getpid(), signal.SIGKILL)
setattr({"sort": optimize._Optimize, "place": commit, "commit": commit.Transaction}[sys.argv[1]],
        {"sort": "_sorted", "place": "write_coverage", "commit": "_commit"}[sys.argv[1]], killed)
optimize.optimize(sys.argv[2])
"""


@pytest.mark.parametrize("step", ["sort", "place", "commit"])
def test_killed_in_the_middle(step: str, cli: Cli, held: Held, scattered: Path) -> None:
    before = held(scattered)
    ran = subprocess.run([sys.executable, "-c", KILLED, step, str(scattered)], capture_output=True)
    assert ran.returncode == -9
    assert Store(scattered).version == 1
    pd.testing.assert_frame_equal(held(scattered), before)
    assert cli("store", "optimize", "--store", scattered).last.endswith("version 2")
    pd.testing.assert_frame_equal(held(scattered), before)
    strays = {p.resolve() for p in (scattered / "flows").rglob("*.parquet")} - needed(scattered)
    # Files that were put in place for a version that never came to be are no version's, and go in time.
    assert bool(strays) == (step != "sort")
    freed = vacuum.vacuum(scattered, "1h", now=time.time() + 2 * 3600, dry_run=True)
    assert {f.path for f in freed.files if not f.versions} == strays


def needed(store: Path) -> set[Path]:
    """The files of all versions, as delta-rs tells them."""
    return {Path(p.path) for v in Store(store).log() for p in Store(store, v.version).parts(engine.connect())}


def test_a_store_without_flows(cli: Cli, store: Path) -> None:
    ran = cli("store", "optimize", "--store", store)
    assert ran.code == 2
    assert "there is no store here" in ran.err
    assert not store.exists()


# --- vacuum


@pytest.fixture
def three(cli: Cli, scattered: Path) -> Path:
    """Three versions of the same rows: as read, scattered, optimized."""
    assert cli("store", "optimize", "--store", scattered).code == 0
    return scattered


def later(days: float) -> float:
    return time.time() + days * DAY


def test_only_what_old_versions_need_goes(cli: Cli, held: Held, three: Path) -> None:
    rows, newest = held(three), {Path(p.path) for p in live(three)}
    old = needed(three) - newest
    before = {p: p.stat().st_size for p in three.rglob("*") if p.is_file()}
    found = vacuum.vacuum(three, "30d", now=later(31))
    assert {f.path for f in found.files} == old
    assert found.lost == {"flows": [0, 1], "macro": []}
    assert {p.resolve() for p in (three / "flows").rglob("*.parquet")} == newest
    assert {p.name for p in (three / "coverage").iterdir()} == {p.name for p in newest}
    gone = {p: s for p, s in before.items() if not p.exists()}
    assert found.size == sum(gone.values())
    pd.testing.assert_frame_equal(held(three), rows)
    for version in (0, 1):
        ran = cli("measure", "herfindahl", "--by", "reporter,product", "--store", three, "--as-of", version)
        assert ran.code == 2
        assert f"version {version} can no longer be read: `autarky store vacuum` freed its files on 20" in ran.err
    log = cli("log", "--store", three, "--format", "csv").rows
    assert [bool(r["vacuumed"]) for r in log] == [True, True, False]
    assert log[0]["vacuumed"] in ran.err
    assert "nothing to free" in vacuum.vacuum(three, "30d", now=later(62)).summary("freed", "30d")


def test_a_version_that_was_the_newest_within_the_time_stays(held: Held, three: Path) -> None:
    """However old: version 0 was committed long before, but replaced only now."""
    assert not vacuum.vacuum(three, "30d", now=later(29)).files
    assert len(held(three, 0)) == len(held(three, 1)) == len(held(three))


def test_each_version_by_its_own_time(held: Held, three: Path) -> None:
    """Version 0 was replaced 40 days ago, version 1 a day ago."""
    log = sorted((three / "flows/_delta_log").glob("*.json"))
    for file, days in zip(log, (50, 40, 1), strict=True):
        lines = [json.loads(x) for x in file.read_text().splitlines()]
        for line in lines:
            for action in line.values():
                for name in {"timestamp", "deletionTimestamp"} & action.keys():
                    action[name] -= int(days * DAY * 1000)
        file.write_text("".join(json.dumps(x) + "\n" for x in lines))
    assert vacuum.vacuum(three, "30d").lost["flows"] == [0]
    assert len(held(three, 1)) == len(held(three))
    with pytest.raises(AutarkyError, match="version 0 can no longer be read"):
        held(three, 0)
    assert vacuum.vacuum(three, "12h").lost["flows"] == [1]


def test_a_dry_run_changes_nothing_and_says_the_same(cli: Cli, listed: Listed, three: Path) -> None:
    before = listed(three)
    plan = cli("store", "vacuum", "--store", three, "--older-than", "0d", "--force", "--dry-run", "--format", "csv")
    assert plan.code == 0
    assert listed(three) == before
    assert plan.last.startswith("would be freed: 8 files, ")
    assert plan.last.endswith("; no longer readable: versions 0–1 of the flows")
    assert {(r["first_version"], r["last_version"]) for r in plan.rows} == {("0", "0"), ("1", "1")}
    done = cli("store", "vacuum", "--store", three, "--older-than", "0d", "--force", "--format", "csv")
    assert done.out == plan.out
    first, last = done.err.splitlines()
    assert first == plan.last.replace("would be freed", "to be freed")
    assert last == plan.last.replace("would be freed", "freed")
    assert [f"flows/{x}" for x in sorted(r["file"] for r in plan.rows)] == sorted(
        f"flows/{Path(x).name}" for x in json.loads((three / "vacuumed.json").read_text())[0]["files"]
    )
    assert cli("store", "vacuum", "--store", three, "--older-than", "1h").last.startswith("nothing to free")


@pytest.mark.parametrize(
    ("age", "said"),
    [("0h", "less than an hour"), ("30", "expected a number of hours"), ("-1d", "expected"), ("1y", "expected")],
)
def test_ages_that_are_refused(age: str, said: str, cli: Cli, listed: Listed, three: Path) -> None:
    before = listed(three)
    ran = cli("store", "vacuum", "--store", three, f"--older-than={age}")
    assert ran.code == 2
    assert said in ran.err
    assert listed(three) == before


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("30d", 720), ("2w", 336)])
def test_ages(text: str, hours: int) -> None:
    assert vacuum.parse_age(text) == datetime.timedelta(hours=hours)


def test_work_that_is_under_way_is_not_touched(three: Path) -> None:
    with staging(three) as workdir:
        (workdir / "part.parquet").write_bytes(b"x")
        os.utime(workdir / "part.parquet", (0, 0))
        vacuum.vacuum(three, "1h", now=later(1))
        assert (workdir / "part.parquet").exists()


def test_it_waits_for_an_ingest_that_commits(three: Path) -> None:
    waited: list[bool] = []
    held = FileLock(three / "lock", thread_local=False)
    held.acquire()

    def waiting() -> None:
        waited.append(True)
        assert len({p.name for p in (three / "flows").rglob("*.parquet")}) == 10
        held.release()

    assert len(vacuum.vacuum(three, "1h", now=later(1), waiting=waiting).files) == 8
    assert waited == [True]


def test_a_vacuum_that_is_cut_short_leaves_no_version_without_a_word(
    held: Held, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, whole, seen = held(three), Path.unlink, []

    def breaks(self: Path, missing_ok: bool = False) -> None:
        seen.append(self)
        if len(seen) == 4:
            raise OSError(5, "Input/output error", str(self))
        whole(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", breaks)
    with pytest.raises(OSError, match="Input/output"):
        vacuum.vacuum(three, "1h", now=later(1))
    monkeypatch.undo()
    for version in (0, 1):
        with pytest.raises(AutarkyError, match="can no longer be read"):
            held(three, version)
    pd.testing.assert_frame_equal(held(three), rows)
    rest = vacuum.vacuum(three, "1h", now=later(1))
    assert rest.files
    assert rest.lost == {"flows": [], "macro": []}
    assert {p.resolve() for p in (three / "flows").rglob("*.parquet")} == {Path(p.path) for p in live(three)}


def test_macro_series_go_by_the_same_rule(cli: Cli, filled: Path, tmp_path: Path) -> None:
    for nth, figure in enumerate((1e12, 2e12)):
        path = tmp_path / f"gdp{nth}.csv"
        path.write_text(f"Country Name,Country Code,Year,Value\nChina,CHN,2020,{figure}\n")
        assert cli("ingest", "worldbank", path, "--store", filled).code == 0
    assert not vacuum.vacuum(filled, "30d", now=later(29)).files
    found = vacuum.vacuum(filled, "30d", now=later(31))
    assert found.lost == {"flows": [], "macro": [0]}
    assert len(found.files) == 1
    macro = Store(filled).macro()
    assert macro is not None
    assert list(macro.frame["value"]) == [2e12]
    log = cli("log", "--store", filled, "--format", "csv").rows
    assert [bool(r["vacuumed"]) for r in log if r["table"] == "macro"] == [True, False]
