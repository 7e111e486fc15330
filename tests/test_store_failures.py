"""The store under a full disk, under `kill -9`, and under two ingests at once: whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, Held, Listed

from autarky.store import Store

HEAD = "period,reporter,partner,flow,nomenclature,product,value_usd\n"
ROWS = 300
# A worker has everything imported when its work arrives on standard input, so that two of them really meet.
WORKER = """
import contextlib, io, json, os, signal, sys
from autarky import commit, engine, reader, store
from autarky.cli import main
def killed_at(owner, name, call):
    plain, seen = getattr(owner, name), []
    def wrapped(*args, **kwargs):
        seen.append(name)
        if len(seen) == call: os.kill(os.getpid(), signal.SIGKILL)
        return plain(*args, **kwargs)
    setattr(owner, name, wrapped)
points = {"stage": (reader._Work, "stage"), "place": (commit._Commit, "_placed"),
          "coverage": (commit, "write_coverage"), "commit": (commit._Commit, "_commit"), "after": (commit, "Store")}
print("ready", flush=True)
for line in sys.stdin:
    work = json.loads(line)
    if work["kill"]: killed_at(*points[work["kill"][0]], work["kill"][1])
    said = io.StringIO()
    with contextlib.redirect_stderr(said): code = main(work["argv"])
    print(json.dumps([code, said.getvalue()]), flush=True)
"""


class Worker:
    """A process of its own that ingests what it is told."""

    def __init__(self, limit: int | None = None) -> None:
        def limited() -> None:
            if limit:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, "-c", WORKER], preexec_fn=limited, **pipes)
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def ready(self) -> None:
        assert self.stdout.readline() == "ready\n"

    def ingest(self, path: Path, store: Path, kill: tuple[str, int] | None = None) -> None:
        argv = ["ingest", "tidy", str(path), "--store", str(store)]
        self.stdin.write(json.dumps({"argv": argv, "kill": kill}) + "\n")
        self.stdin.flush()

    def result(self) -> tuple[int, str]:
        code, said = json.loads(self.stdout.readline())
        return code, said

    def killed(self) -> None:
        self.process.wait(30)
        assert self.process.returncode == -signal.SIGKILL

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.stdin.close()
        self.stdout.close()


@contextlib.contextmanager
def workers(count: int, limit: int | None = None) -> Iterator[list[Worker]]:
    started = [Worker(limit) for _ in range(count)]
    try:
        for worker in started:
            worker.ready()
        yield started
    finally:
        for worker in started:
            with contextlib.suppress(BrokenPipeError):
                worker.close()


def table(path: Path, value: int, year: int = 2020) -> Path:
    """A table of two years whose rows all have one value, so that half a commit would show."""
    rows = (f"{y},CHN,DEU,import,HS2022,{p:06},{value}\n" for y in (year, year + 1) for p in range(1, ROWS + 1))
    path.write_text(HEAD + "".join(rows))
    return path


def staged(store: Path) -> list[str]:
    return [p.name for p in (store / "staging").iterdir() if p.is_dir()] if (store / "staging").is_dir() else []


KILLS = [("stage", 1), ("place", 2), ("coverage", 2), ("commit", 1), ("after", 1)]


def test_kill_9_at_every_step(cli: Cli, held: Held, tmp_path: Path) -> None:
    first, second, third = (table(tmp_path / f"{v}.csv", v) for v in (1, 2, 3))
    with workers(len(KILLS)) as started:
        for worker, kill in zip(started, KILLS, strict=True):
            store = tmp_path / "-".join(map(str, kill))
            assert cli("ingest", "tidy", first, "--store", store).code == 0
            worker.ingest(second, store, kill)
            worker.killed()
            whole = 2 if kill[0] == "after" else 1
            assert set(held(store)["value_usd"]) == {whole}
            assert len(held(store)) == 2 * ROWS
            assert cli("log", "--store", store, "--format", "csv").rows[-1]["version"] == str(whole - 1)
            assert staged(store)
            assert cli("ingest", "tidy", third, "--store", store).code == 0
            assert set(held(store)["value_usd"]) == {3}
            assert set(held(store, whole - 1)["value_usd"]) == {whole}
            assert not staged(store)


def test_kill_9_at_some_moment_of_the_first_ingest(cli: Cli, held: Held, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", 1)
    moments = random.Random(7)
    with workers(3) as started:
        for i, worker in enumerate(started):
            store = tmp_path / f"s{i}"
            worker.ingest(path, store)
            time.sleep(moments.uniform(0.05, 0.6))
            worker.process.kill()
            worker.process.wait()
            ran = cli("coverage", "--store", store, "--format", "csv")
            assert ran.code == 2 or ran.rows[0]["rows"] == str(2 * ROWS)
            assert cli("ingest", "tidy", path, "--store", store).code == 0
            assert len(held(store)) == 2 * ROWS
            assert not staged(store)


def test_two_ingests_at_once(held: Held, tmp_path: Path) -> None:
    rounds = 4
    with workers(2) as pair:
        for i in range(rounds):
            # Every second round meets in a store that neither has made.
            store = tmp_path / f"s{i // 2}"
            for j, worker in enumerate(pair):
                worker.ingest(table(tmp_path / f"{i}-{j}.csv", i + 1, 1990 + 4 * (i % 2) + 2 * j), store)
            for code, said in [w.result() for w in pair]:
                assert code == 0, said
            years = 4 * (i % 2 + 1)
            assert len(held(store)) == years * ROWS
            assert [v.version for v in Store(store).log()] == list(range(2 * (i % 2 + 1)))
            assert not staged(store)


def test_two_revisions_of_one_key_at_once(held: Held, tmp_path: Path) -> None:
    with workers(2) as pair:
        for i in range(3):
            store = tmp_path / "store"
            for j, worker in enumerate(pair):
                worker.ingest(table(tmp_path / f"{i}-{j}.csv", 10 * i + j), store)
            assert [w.result()[0] for w in pair] == [0, 0]
            rows = held(store)
            assert len(rows) == 2 * ROWS
            assert rows["value_usd"].nunique() == 1
            assert rows["value_usd"][0] in (10 * i, 10 * i + 1)


def test_one_file_by_two_processes(held: Held, tmp_path: Path) -> None:
    with workers(2) as pair:
        for i in range(3):
            store, path = tmp_path / f"s{i}", table(tmp_path / f"{i}.csv", i)
            for worker in pair:
                worker.ingest(path, store)
            results = [w.result() for w in pair]
            assert [code for code, _ in results] == [0, 0]
            assert sum("already ingested" in said for _, said in results) == 1
            assert len(Store(store).log()) == 1
            assert len(held(store)) == 2 * ROWS


def test_one_fails_while_the_other_makes_the_store(held: Held, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(HEAD + "2020,XXX,DEU,import,HS2022,010121,1\n")
    with workers(2) as pair:
        for i in range(4):
            store, path = tmp_path / f"s{i}", table(tmp_path / f"{i}.csv", i)
            pair[i % 2].ingest(bad, store)
            pair[1 - i % 2].ingest(path, store)
            assert pair[i % 2].result()[0] == 2
            code, said = pair[1 - i % 2].result()
            assert code == 0, said
            assert len(held(store)) == 2 * ROWS


@pytest.mark.parametrize("limit", [400, 5_000, 7_000])
def test_no_file_may_grow(limit: int, cli: Cli, listed: Listed, tmp_path: Path) -> None:
    """400 bytes stop the staging, 5,000 the parts of the version, 7,000 the files beside it."""
    store = tmp_path / "store"
    assert cli("ingest", "tidy", table(tmp_path / "1.csv", 1), "--store", store).code == 0
    before = listed(store)
    with workers(1, limit) as (worker,):
        worker.ingest(table(tmp_path / "2.csv", 2), store)
        refused(worker.result(), listed, store, before)
        worker.ingest(tmp_path / "2.csv", tmp_path / "new")
        refused(worker.result(), listed, tmp_path / "new", None)
    assert cli("ingest", "tidy", tmp_path / "2.csv", "--store", store).code == 0


def refused(result: tuple[int, str], listed: Listed, store: Path, before: dict[str, str] | None) -> None:
    code, said = result
    assert code == 2, said
    assert "File too large" in said or "No space left" in said
    assert "Nothing was changed" in said or "The store is as it was" in said
    assert listed(store) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 kB in memory."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("to mount a small file system takes root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_full_disk(small_disk: Path, cli: Cli, held: Held, listed: Listed, tmp_path: Path) -> None:
    store, first, second = small_disk / "store", table(tmp_path / "1.csv", 1), table(tmp_path / "2.csv", 2)
    assert cli("ingest", "tidy", first, "--store", store).code == 0
    before, codes = listed(store), []
    for room in range(4_096, 90_000, 12_288):
        stat = os.statvfs(small_disk)
        (small_disk / "fill").write_bytes(b"x" * (stat.f_bavail * stat.f_bsize - room))
        ran = cli("ingest", "tidy", second, "--store", store)
        (small_disk / "fill").unlink()
        codes.append(ran.code)
        if ran.code == 0:
            break
        refused((ran.code, ran.err), listed, store, before)
        assert set(held(store)["value_usd"]) == {1}
    assert len(codes) > 3
    assert codes[-1] == 0
    assert set(held(store)["value_usd"]) == {2}
    assert set(held(store, 0)["value_usd"]) == {1}
