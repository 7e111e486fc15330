"""What the tests of sources and store share: the command line in this process, the rows of a store, the specimens."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings

from autarky import engine
from autarky.cli import main
from autarky.store import Store

TESTS = Path(__file__).parent

# The same examples each time, so that a commit passes or fails by what it changes;
# `pytest --hypothesis-profile default` looks for new ones.
# A deadline would measure the machine.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@dataclass(frozen=True)
class Ran:
    """One run of the command line."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The final line on standard error."""
        return self.err.splitlines()[-1]

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))


Cli = Callable[..., Ran]
Held = Callable[..., pd.DataFrame]
Listed = Callable[[Path], dict[str, str] | None]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `autarky ARGS…` in this process."""

    def run(*args: object) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(a) for a in args])
        except SystemExit as left:
            code = int(left.code or 0)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture
def held() -> Held:
    """Return the rows of a store, of one version of it, as a data frame in the order of their keys."""

    def rows(store: Path, as_of: int | None = None) -> pd.DataFrame:
        con = engine.connect()
        frame = engine.rows(con, Store(store, as_of).flows(con).table).to_pandas()
        return frame.sort_values(
            ["source", "period", "freq", "flow", "nomenclature", "product", "reporter", "partner", "area"]
        ).reset_index(drop=True)

    return rows


@pytest.fixture
def listed() -> Listed:
    """Return every file and directory under a store with the hash of its bytes; None when there is no store."""

    def paths(store: Path) -> dict[str, str] | None:
        if not store.exists():
            return None
        return {
            str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else ""
            for p in sorted(store.rglob("*"))
        }

    return paths


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where a store may be made; nothing is there yet."""
    return tmp_path / "store"


@pytest.fixture(scope="session")
def specimens() -> Path:
    return TESTS / "specimens"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the directory of real data, which is not part of the repository."""
    path = TESTS.parents[1] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"no real data here: {path} is absent (it is not part of the repository)")
    return path


@pytest.fixture(scope="session")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a reference that holds the real yearly lists and correlation tables."""
    from autarky import references

    lists = shared / "gacc" / "hs8-nomenclature-2015-2023.parquet"
    pairs = shared.parent / "reference" / "unsd-hs-correlation-full.parquet"
    if not (lists.is_file() and pairs.is_file()):
        pytest.skip("the yearly lists of China Customs or the UN's correlation tables are not in ../shared")
    place = tmp_path_factory.mktemp("reference")
    references.add([lists, pairs], place)
    return place
