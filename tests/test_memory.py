"""How much memory a command may use: sizes, what is refused before work starts, spilling, and growth with the years."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import Cli

from autarky import commit, engine, memory, reader
from autarky.errors import AutarkyError

# What a year of the panel below holds, and what its four indicators give.
PRODUCTS, REPORTERS, PARTNERS = 3_000, 60, 2


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("900mb", 900 * 10**6), ("512MiB", 2**29), ("1TB", 10**12)],
)
def test_sizes(text: str, size: int) -> None:
    assert memory.parse(text) == size


@pytest.mark.parametrize("text", ["", "2", "GB", "-2GB", "2 G", "two GB", "1e9", "2GB3", "1,5GB", "80%"])
def test_what_is_not_a_size(text: str) -> None:
    with pytest.raises(AutarkyError, match="expected a number and a unit"):
        memory.parse(text)


def test_the_engine_gets_what_the_program_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "threads", lambda: 4)
    monkeypatch.setattr(memory, "machine", lambda: 8 * 10**9)
    least = memory.PROGRAM + 4 * memory.A_THREAD
    assert memory.for_engine(f"{least // 10**6}MB") == f"{4 * memory.A_THREAD // 1000}KB"
    con = engine.connect(memory=memory.for_engine("2GB"))
    ((said,),) = engine.run(con, "SELECT current_setting('memory_limit')")
    number, unit = said.split()
    assert unit == "GiB"
    # The engine shows one decimal, cut short.
    assert 0 <= 2e9 - memory.PROGRAM - float(number) * 2**30 < 0.1 * 2**30
    with pytest.raises(AutarkyError, match="with 4 threads the least is 900 MB"):
        memory.for_engine(f"{least // 10**6 - 1}MB")
    memory.for_engine("8GB")
    with pytest.raises(AutarkyError, match="this machine has 8 GB"):
        memory.for_engine("8.1GB")
    monkeypatch.setattr(memory, "machine", lambda: None)
    memory.for_engine("900TB")


def test_the_machine_has_what_the_system_says() -> None:
    found = memory.machine()
    if found is None:
        pytest.skip("this system does not say how much memory it has")
    assert 2**28 < found < 2**50


@pytest.mark.parametrize(
    "command",
    [
        ("measure", "herfindahl", "--by", "reporter"),
        ("convert", "--to", "HS2017"),
        ("run", "self-reliance", "--out", "out"),
        ("ingest", "tidy", "none.csv"),
        ("store", "optimize"),
    ],
)
@pytest.mark.parametrize(("size", "said"), [("lots", "expected"), ("10MB", "the least is"), ("900TB", "has")])
def test_refused_before_work_starts(
    command: tuple[str, ...], size: str, said: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a store that is not there nothing is said: nothing was looked for yet."""
    monkeypatch.chdir(tmp_path)
    ran = cli(*command, "--store", "no-store", "--memory", size)
    assert ran.code == 2
    assert ran.err.startswith(f"error: --memory {size}: ")
    assert said in ran.err
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_goes_to_a_directory_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    con = engine.connect(memory="100MB")
    engine.run(con, "SET threads = 1")
    engine.run(con, "CREATE TEMP TABLE t AS SELECT hash(range) AS a, range AS b FROM range(12_000_000)")
    (place,) = tmp_path.iterdir()
    assert place.name.startswith("autarky-")
    assert list(place.iterdir())
    con.disconnect()
    del con
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of ten years, 360,000 rows each; what is measured of a year are 720,000 figures of 180,000 groups."""
    root = tmp_path_factory.mktemp("panel")
    con = engine.connect()
    for year in range(2001, 2011):
        sql = f"""SELECT {year} AS period, 'import' AS flow, 'HS2017' AS nomenclature,
            lpad((p + 10000)::VARCHAR, 6, '0') AS product, list_extract(who, r::INT) AS reporter,
            list_extract(who, ((r + k * 7 - 1) % 60 + 1)::INT) AS partner,
            (hash(p, r, k, {year}) % 1000 + 1)::DOUBLE AS value_usd
            FROM range({PRODUCTS}) a(p), range(1, {REPORTERS + 1}) b(r), range(1, {PARTNERS + 1}) c(k),
            (SELECT {_areas()} AS who)"""
        engine.run(con, f"COPY ({sql}) TO '{root / f'{year}.parquet'}' (FORMAT parquet)")
    commit.ingest(root / "store", "tidy", sorted(root.glob("*.parquet")), reader.Options())
    return root / "store"


def _areas() -> list[str]:
    from autarky import codes

    return sorted({row["iso3"] for row in codes.rows_of("countries") if row["iso2"]})[:REPORTERS]


def peak(store: Path, form: str, since: int, out: Path) -> float:
    """Return how many bytes a process needed at most that measured from `since` on, and wrote a file."""
    asked = ["measure", "herfindahl,entropy,top_share,effective_number", "--by", "reporter,product,year"]
    # Not `ru_maxrss`: a process inherits it from the one that started it.
    code = (
        "import sys; from pathlib import Path; from autarky.cli import main; code = main(sys.argv[1:]); "
        "print(code, Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )
    argv = [*asked, "--store", str(store), "--since", str(since), "-o", str(out), "--format", form]
    ran = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True)
    status, used = ran.stdout.split()
    assert status == "0", ran.stderr
    return int(used) * 1024


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_memory_does_not_grow_with_the_years(form: str, panel: Path, tmp_path: Path) -> None:
    """Two years, then ten.  Held at once, the groups of eight more years would take some 150 MB."""
    if not Path("/proc/self/status").is_file():
        pytest.skip("this system does not say how much memory a process needed at most")
    few, many = (peak(panel, form, since, tmp_path / f"{since}.{form}") for since in (2009, 2001))
    con = engine.connect()
    files = [tmp_path / f"{since}.{form}" for since in (2009, 2001)]
    counts = [engine.run(con, f"SELECT count(*), count(DISTINCT year) FROM '{f}'")[0] for f in files]
    assert counts == [(years * 4 * PRODUCTS * REPORTERS, years) for years in (2, 10)]
    assert many < few + 90e6, f"{few / 1e6:.0f} MB for two years, {many / 1e6:.0f} MB for ten"


def test_too_little_is_told_with_what_to_do() -> None:
    con = engine.connect(memory="20MB")
    with (
        pytest.raises(engine.EngineFailure, match=r"too little for this question \(.* used\).*--memory.*--since"),
        engine.failures(),
    ):
        engine.run(con, "SELECT list(range) FROM range(50_000_000)")
