"""A real standalone cluster on loopback against DuckDB: indicators, a conversion, studies, on both routes; failures."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from clusters import HOST, Cluster, assert_same, cluster, free_port
from conftest import Cli

from autarky import (
    commit,
    conversion,
    demo,
    engine,
    measure,
    reader,
    references,
    registry,
    spark,
    spark_session,
    store,
    synthetic,
)
from autarky.errors import AutarkyError, MeasureError
from autarky.tables import Condition

pytestmark = pytest.mark.spark

YEARS = (2020, 2021, 2022, 2023)
PRODUCTS = ("010121", "250410", "382499", "810610", "854151", "854159")
BOTH = pytest.mark.parametrize("route", spark.ROUTES)
# The UN's two tables: the one target that a code is converted to, and all that it is related to.  Two codes become one
# (their rows are added), and one is divided.
PAIRS = "from_rev,to_rev,from_code,to_code\n" + "".join(
    f"2022,2017,{code},{'851712' if code.startswith('8541') else code}\n" for code in PRODUCTS
)
RELATED = (
    "from_rev,to_rev,from_code,to_code,relationship\n"
    + "".join(f"2022,2017,{code},{code},1:1\n" for code in PRODUCTS if not code.startswith(("8541", "3824")))
    + "2022,2017,854151,851712,n:1\n2022,2017,854159,851712,n:1\n"
    + "2022,2017,382499,382499,n:n\n2022,2017,382499,902519,n:n\n"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def joined(running: Cluster) -> Iterator[spark.Cluster]:
    con = engine.connect(running.url, memory="512MB")
    yield con
    con.disconnect()


@pytest.fixture
def con(joined: spark.Cluster, request: pytest.FixtureRequest) -> spark.Cluster:
    """The connection, on the route of the test."""
    joined.route = request.getfixturevalue("route") if "route" in request.fixturenames else None
    joined.taken.clear()
    return joined


def ingest(directory: Path, frame: pd.DataFrame, **values: str) -> Path:
    frame.to_csv(directory / "panel.csv", index=False)
    settings = {"flow": "import", "nomenclature": "HS2022", **values}
    commit.ingest(directory / "store", "tidy", [directory / "panel.csv"], reader.Options(values=settings))
    return directory / "store"


@pytest.fixture(scope="module")
def annual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four years of imports, drawn; some values zero, some not reported, some equal, some partners only at times.

    Whole dollars: their sums are exact, whatever the order of addition, so that equal shares have equal ranks.
    """
    rng = np.random.default_rng(6)
    rows = [
        (year, reporter, partner, product, float(rng.choice([0, 5e6, round(rng.lognormal(12, 3))], p=[0.1, 0.2, 0.7])))
        for year in YEARS
        for reporter in ("USA", "JPN", "DEU", "BRA")
        for partner in ("CHN", "KOR", "CAN", "DEU", "FRA", "VNM", "MEX")
        for product in PRODUCTS
        if partner != reporter and rng.random() > 0.2
    ]
    frame = pd.DataFrame(rows, columns=["period", "reporter", "partner", "product", "value_usd"])
    frame.loc[rng.random(len(frame)) < 0.05, "value_usd"] = None
    # A group without a value, and a group of zeros.
    frame.loc[(frame["reporter"] == "BRA") & (frame["product"] == "010121"), "value_usd"] = None
    frame.loc[(frame["reporter"] == "DEU") & (frame["product"] == "010121"), "value_usd"] = 0.0
    return ingest(tmp_path_factory.mktemp("annual"), frame)


@pytest.fixture(scope="module")
def monthly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's store: ten years of synthetic monthly imports."""
    where = tmp_path_factory.mktemp("monthly")
    pq.write_table(synthetic.panel(2025), where / "panel.parquet")
    commit.ingest(where / "store", "tidy", [where / "panel.parquet"], reader.Options(values=demo.SETTINGS))
    return where / "store"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five years of monthly exports of graphite, drawn, that fall for one partner at the end."""
    rng = np.random.default_rng(3)
    rows = [
        (str(month), "CHN", partner, "250410", size * rng.lognormal(0, 0.1) * (0.2 if fell else 1), size / 2)
        for month in pd.period_range("2019-01", "2024-12", freq="M")
        for partner, size in (("USA", 4e6), ("JPN", 6e6), ("KOR", 3e6))
        for fell in [partner == "USA" and str(month) >= "2023-12"]
    ]
    frame = pd.DataFrame(rows, columns=["period", "reporter", "partner", "product", "value_usd", "weight_kg"])
    return ingest(tmp_path_factory.mktemp("exports"), frame, flow="export", nomenclature="HS2017")


def asked(con: Any, where: Path, *args: Any, **options: Any) -> pd.DataFrame:
    flows = store.Store(where).flows(con)
    table: pd.DataFrame = engine.rows(con, measure.measure(flows, *args, **options).table).to_pandas()
    return table


# --- the same figures


QUESTIONS = {
    "by year": (["herfindahl", "effective_number", "entropy", "top_share", "count"], ["reporter", "product", "year"]),
    "by period": (["top_partner", "herfindahl"], ["reporter", "period"]),
    "a row a partner": (["share"], ["reporter", "year"]),
    "over all years": (["herfindahl", "top_partner", "entropy"], ["reporter", "hs2"]),
    "against others": (["extensive_margin", "intensive_margin:among=partner"], ["reporter", "partner", "year"]),
    "a row a product": (["location_quotient"], ["reporter", "year"]),
    "against a year before": (["entry", "exit", "continuing"], ["reporter", "partner", "year"]),
    "along time": (["volatility", "growth", "volatility:ddof=0", "growth:base=first-year"], ["reporter", "product"]),
}


def test_every_indicator_is_asked_for() -> None:
    named = {name.split(":")[0] for names, _ in QUESTIONS.values() for name in names}
    assert named == set(registry.names("indicators"))


@BOTH
@pytest.mark.parametrize("question", QUESTIONS)
def test_indicators(con: spark.Cluster, annual: Path, route: str, question: str) -> None:
    names, by = QUESTIONS[question]
    # Products of one level only, so that adding them up is allowed.
    assert_same(asked(con, annual, names, by), asked(engine.connect(), annual, names, by))
    splits = bool({"year", "period"} & set(by)) and route == "partitions"
    # One group-by a dimension and a year; an indicator that is a row a member has its own.
    assert con.taken == [(route, len(YEARS) if splits else 1)]


@BOTH
def test_a_missing_row_that_is_a_zero(con: spark.Cluster, annual: Path, route: str) -> None:
    question: Any = (["herfindahl", "count"], ["reporter", "year"])
    found = asked(con, annual, *question, absent="zero")
    assert_same(found, asked(engine.connect(), annual, *question, absent="zero"))
    along: Any = (["volatility", "growth"], ["reporter", "partner"])
    assert_same(asked(con, annual, *along, absent="zero"), asked(engine.connect(), annual, *along, absent="zero"))


@BOTH
def test_conversion(con: spark.Cluster, annual: Path, route: str, tmp_path: Path) -> None:
    for name, text in {"pairs": PAIRS, "related": RELATED}.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    references.add([tmp_path / "pairs.csv", tmp_path / "related.csv"], tmp_path / "reference")
    told = {"weights": "equal", "reference": tmp_path / "reference"}
    with pytest.warns(match="through an assumption"):
        done, known = (
            conversion.convert(store.Store(annual).flows(c), "HS2017", con=c, **told) for c in (con, engine.connect())
        )
    # Two tasks a year: codes that become one and the same are added up, the others are not.
    years = 2 * len({p.year for p in done.flows.coverage["period"]}) if route == "partitions" else 1
    assert set(con.taken) == {(route, 1), (route, years)}
    assert done.value[1] == pytest.approx(done.value[0], rel=1e-12)
    products = set(engine.rows(con, done.flows.table.select("product").distinct())["product"].to_pylist())
    assert {"382499", "902519"} < products
    assert not {"854151", "854159"} & products
    found, expected = (engine.rows(d.flows.table.get_backend(), d.flows.table).to_pandas() for d in (done, known))
    assert_same(found, expected)
    assert done.said_assumed() == known.said_assumed()


STUDIES: dict[str, tuple[str, dict[str, Any]]] = {
    "self_reliance": ("monthly", {"replicates": 20}),
    "control_exposure": ("annual", {"as_of": "2025-04-20"}),
    "control_event": ("exports", {"effective": "2023-12-01", "codes": "250410", "targets": "USA"}),
}


@pytest.mark.parametrize("study", registry.names("studies"))
def test_studies(
    con: spark.Cluster, study: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert study in STUDIES, f"say in STUDIES on which data {study} is compared"
    monkeypatch.setenv("AUTARKY_REFERENCE", str(tmp_path))
    name, options = STUDIES[study]
    where = request.getfixturevalue(name)
    connections: list[tuple[Any, str | None]] = [(engine.connect(), None), *((con, route) for route in spark.ROUTES)]
    expected: dict[str, pd.DataFrame] = {}
    for connection, route in connections:
        if route:
            con.route = route
            con.taken.clear()
        findings = registry.study(study).run(store.Store(where).flows(connection), connection, **options)
        frames = {table.name: table.frame for table in findings.tables}
        expected = expected or frames
        assert frames.keys() == expected.keys()
        for table, frame in frames.items():
            pd.testing.assert_frame_equal(frame, expected[table], rtol=1e-9, atol=1e-9, obj=f"{study} {table}")
        if route:
            assert {r for r, _ in con.taken} == {route}


# --- which way is taken


@pytest.mark.parametrize(
    ("by", "conditions", "taken"),
    [
        (["reporter", "year"], [], ("partitions", 4)),
        (["reporter", "year"], ["year=2021,2022"], ("partitions", 2)),
        (["reporter"], ["year=2021"], ("partitions", 1)),
        (["reporter", "product"], [], ("sql", 1)),
    ],
)
def test_the_question_decides(con: spark.Cluster, annual: Path, by: Any, conditions: Any, taken: Any) -> None:
    flows, own = (
        store.Store(annual).flows(c).where([Condition.parse(t) for t in conditions]) for c in (con, engine.connect())
    )
    found, expected = (measure.measure(f, ["herfindahl"], by).table for f in (flows, own))
    assert_same(engine.rows(con, found).to_pandas(), engine.rows(own.table.get_backend(), expected).to_pandas())
    assert con.taken == [taken]


def test_a_task_is_told_the_files_of_its_year_only(con: spark.Cluster, annual: Path) -> None:
    table = measure.measure(store.Store(annual).flows(con), ["herfindahl"], ["reporter", "year"]).table
    tasks = [con._task(branch) for branch in spark._branches(table.op())]
    for year, task in zip(YEARS, tasks, strict=True):
        assert task["files"]
        assert all(f"/year={year}/" in path for path in task["files"])


@pytest.mark.parametrize("route", ["partitions"])
def test_a_year_chosen_after_a_comparison_of_all_years(con: spark.Cluster, annual: Path, route: str) -> None:
    """The other years must be read: the largest of a reporter's values may lie in them."""

    def question(table: Any) -> Any:
        return table.filter(table.value_usd == table.value_usd.max().over(group_by=table.reporter)).filter(
            lambda t: t.year == YEARS[1]
        )

    here, there = (
        engine.rows(c, question(store.Store(annual).flows(c).table)).to_pandas() for c in (engine.connect(), con)
    )
    assert_same(there, here)


def test_a_store_of_one_year_and_a_window(con: spark.Cluster, annual: Path) -> None:
    flows = store.Store(annual).flows(con)
    window = flows.where([], since=pd.Timestamp(2022, 1, 1).date(), until=pd.Timestamp(2022, 12, 1).date())
    engine.rows(con, measure.measure(window, ["count"], ["reporter"]).table)
    assert con.taken == [("partitions", 1)]


@BOTH
def test_order_and_cut_hold_for_the_whole(con: spark.Cluster, annual: Path, route: str) -> None:
    table = measure.measure(store.Store(annual).flows(con), ["count"], ["reporter", "year"]).table
    first = engine.rows(con, table.order_by(["reporter", "year"]).limit(5)).to_pandas()
    assert list(zip(first["reporter"], first["year"], strict=True)) == [
        *(("BRA", year) for year in YEARS),
        ("DEU", YEARS[0]),
    ]


def test_other_files_are_read_here(con: spark.Cluster, tmp_path: Path) -> None:
    """A file that is no store's is on this machine's disk, which the workers may not see."""
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "own.parquet")
    table = engine.read_parquet(con, [str(tmp_path / "own.parquet")])
    assert engine.rows(con, table.a.sum().name("a").as_table()).to_pylist() == [{"a": 3}]
    assert con.taken == []


# --- the command line


@BOTH
def test_the_commands(con: spark.Cluster, cli: Cli, running: Cluster, annual: Path, route: str) -> None:
    question = ("measure", "herfindahl,top_partner", "--store", annual, "--by", "reporter,year", "--format", "csv")
    here, there = cli(*question), cli(*question, "--engine", running.url, "--route", route)
    assert (here.code, there.code) == (0, 0)
    assert_same(pd.DataFrame(there.rows), pd.DataFrame(here.rows))
    assert there.err == ""


def test_a_route_needs_a_cluster(cli: Cli, annual: Path) -> None:
    ran = cli("measure", "count", "--store", annual, "--by", "year", "--route", "sql")
    assert (ran.code, ran.last) == (
        2,
        "error: route 'sql' is a way for a cluster to work; it needs an engine spark://HOST:PORT",
    )


# --- what goes wrong


@pytest.mark.parametrize("spec", ["spark", "polars", "spark://", "spark://here", "spark:host:7077"])
def test_an_engine_that_is_none(spec: str) -> None:
    with pytest.raises(AutarkyError, match="spark://HOST:PORT"):
        engine.connect(spec)


def test_without_pyspark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_session.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AutarkyError, match=r"pip install 'autarky\[spark\]'"):
        engine.connect(f"spark://{HOST}:7077")


def test_without_java(running: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AutarkyError, match="needs Java 17 or newer; there is no java on the PATH"):
        engine.connect(running.url)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(AutarkyError, match="there is no java in JAVA_HOME"):
        engine.connect(running.url)


def test_java_that_is_too_old(tmp_path: Path) -> None:
    """In a process of its own, which has no Java running yet."""
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin" / "java"
    java.write_text("#!/bin/sh\necho 'java.lang.UnsupportedClassVersionError: org/apache/spark' >&2\nexit 1\n")
    java.chmod(0o755)
    with socket.create_server((HOST, 0)) as other:
        command = f"from autarky import engine; engine.connect('spark://{HOST}:{other.getsockname()[1]}')"
        environment = {**os.environ, "JAVA_HOME": str(tmp_path)}
        ran = subprocess.run(
            [sys.executable, "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert ran.stderr.splitlines()[-1] == (
        "autarky.errors.AutarkyError: the engine spark://: Java did not start: Spark 4 needs Java 17 or newer"
    )


def test_nobody_at_the_address(cli: Cli, annual: Path) -> None:
    url = f"spark://{HOST}:{free_port()}"
    start = time.monotonic()
    ran = cli("measure", "count", "--store", annual, "--by", "year", "--engine", url)
    assert time.monotonic() - start < 10
    assert ran.code == 2
    assert ran.err.splitlines() == [
        f"error: {url}: no Spark master answers there (Connection refused); the master's page shows its address"
    ]


def test_one_process_is_in_one_cluster(con: spark.Cluster) -> None:
    with socket.create_server((HOST, 0)) as other:
        url = f"spark://{HOST}:{other.getsockname()[1]}"
        with pytest.raises(AutarkyError, match=r"this process is in the cluster spark://.* already"):
            engine.connect(url)


@BOTH
def test_a_store_that_the_workers_cannot_read(
    con: spark.Cluster, annual: Path, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process has a working directory of its own, so a path through it is another's."""
    monkeypatch.chdir(annual)
    files = sorted(str(p.relative_to(annual)) for p in annual.glob("flows/**/*.parquet"))
    table = engine.read_parquet(con, [f"/proc/self/cwd/{f}" for f in files], store._HIVE)
    with pytest.raises(engine.EngineFailure, match=r"cannot read /proc/self/cwd/flows/.*the same path on every"):
        engine.rows(con, table.aggregate(by="year", total=table.value_usd.sum()))


@BOTH
def test_what_a_query_cannot_compute_is_told_in_one_line(con: spark.Cluster, annual: Path, route: str) -> None:
    table = store.Store(annual).flows(con).table
    with pytest.raises(engine.EngineFailure, match=r"could not be finished on the cluster: .*(onversion|CAST_INV)"):
        engine.rows(con, table.select(n=table.reporter.cast("int64")))


def test_indicators_refuse_the_same(con: spark.Cluster, annual: Path) -> None:
    with pytest.raises(MeasureError, match="there is no key 'country'"):
        asked(con, annual, ["count"], ["country"])


@BOTH
def test_a_worker_killed_in_the_middle(con: spark.Cluster, running: Cluster, annual: Path, route: str) -> None:
    question: Any = (["herfindahl", "entropy"], ["reporter", "product", "year"])
    own = engine.connect()
    many, expected = (
        engine.union([measure.measure(store.Store(annual).flows(c), *question).table] * copies)
        for c, copies in ((con, 12), (own, 12))
    )
    found: list[pd.DataFrame] = []
    work = threading.Thread(target=lambda: found.append(engine.rows(con, many).to_pandas()))
    before = spark_session.executors(con._session)
    work.start()
    done, tasks = half_done(con._session.sparkContext)
    running.kill_worker()
    assert 0 < done < tasks
    work.join(120)
    assert not work.is_alive()
    assert_same(found[0], engine.rows(own, expected).to_pandas())
    assert spark_session.executors(con._session) == before - 1
    running.add_worker()
    wait_for(lambda: spark_session.executors(con._session) == before)


def half_done(context: Any) -> tuple[int, int]:
    """Wait until a job has finished some tasks and not all; return how many, and of how many."""
    tracker = context.statusTracker()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        stages = [tracker.getStageInfo(s) for s in tracker.getActiveStageIds()]
        tasks = sum(s.numTasks for s in stages if s)
        done = sum(s.numCompletedTasks for s in stages if s)
        if 2 <= done < tasks:
            return done, tasks
        time.sleep(0.005)
    raise AssertionError("no job was seen in the middle of its tasks")


def wait_for(state: Any) -> None:
    end = time.monotonic() + 60
    while not state():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_cluster_without_workers_is_not_waited_for(
    joined: spark.Cluster, running: Cluster, annual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test: it leaves no worker."""
    monkeypatch.setattr(spark_session, "PATIENCE", 3.0)
    joined.route = None
    while running.workers:
        running.kill_worker()
    wait_for(lambda: spark_session.executors(joined._session) == 0)
    with pytest.raises(engine.EngineFailure, match="it lost all executors for 3 s"):
        asked(joined, annual, ["count"], ["year"])
    joined.disconnect()
    with pytest.raises(AutarkyError, match="the cluster gave no executor within 3 s"):
        engine.connect(running.url)
