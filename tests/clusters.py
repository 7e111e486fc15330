"""A standalone Spark cluster on loopback: a master and workers as processes of their own, torn down surely."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

HOST = "127.0.0.1"
START = 60.0
_PR_SET_PDEATHSIG = 1
# Small, and quick to start: the tests run for seconds, in which Java's second compiler would earn nothing.
JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
DEFAULTS = f"""
spark.executor.memory 512m
spark.executor.extraJavaOptions {JAVA}
spark.driver.memory 512m
spark.driver.extraJavaOptions {JAVA}
spark.sql.shuffle.partitions 4
"""


def needed() -> None:
    """Skip, saying why, where Spark or Java is not installed."""
    if find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed: pip install 'autarky[spark]'")
    java = shutil.which("java") or os.path.join(os.environ.get("JAVA_HOME", ""), "bin", "java")
    if not os.access(java, os.X_OK):
        pytest.skip("there is no java here; Spark needs Java 17 or newer")


class Cluster:
    """A running cluster: `url` of its master, and the processes of its workers."""

    def __init__(self, directory: Path, workers: int) -> None:
        self.directory = directory
        self.size = workers
        self.port = free_port()
        self.url = f"spark://{HOST}:{self.port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._all: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start master and workers and wait until the master has seen them."""
        self._all.append(self._process("master", "--host", HOST, "--port", str(self.port), "--webui-port", "0"))
        self._wait("master", r"I have been elected leader")
        for _ in range(self.size):
            self.add_worker()

    def add_worker(self) -> None:
        """Start one worker with one core and wait until the master has registered it."""
        name = f"worker-{len(self._all)}"
        options = ["--host", HOST, "--webui-port", "0", "--cores", "1", "--memory", "512m"]
        work = ["--work-dir", str(self.directory / name)]
        process = self._process(name, *options, *work, self.url)
        self._all.append(process)
        self.workers.append(process)
        self._wait(name, r"Successfully registered with master")

    def kill_worker(self) -> None:
        """Kill one worker outright; its executor ends with it."""
        self.workers.pop(0).send_signal(signal.SIGKILL)

    def stop(self) -> None:
        """End every process that was started, and wait for the end."""
        for process in reversed(self._all):
            process.terminate()
        for process in self._all:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _process(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        import pyspark

        home = Path(pyspark.__file__).parent
        kind = "Master" if name == "master" else "Worker"
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{kind.lower()}.{kind}", *options]
        own = {
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_DAEMON_MEMORY": "128m",
            "SPARK_DAEMON_JAVA_OPTS": JAVA,
        }
        with (self.directory / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent
            )

    def _wait(self, name: str, sign: str) -> None:
        log = self.directory / f"{name}.log"
        end = time.monotonic() + START
        while time.monotonic() < end:
            if re.search(sign, log.read_text(errors="replace")):
                return
            if self._all[-1].poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(
            f"Spark's {name} did not start within {START:.0f} s:\n{log.read_text(errors='replace')[-2000:]}"
        )


def _die_with_parent() -> None:
    """Have Linux end this process when the tests end without having ended it (killed themselves)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def cluster(directory: Path, workers: int = 2) -> Iterator[Cluster]:
    """Run a cluster while the block lasts."""
    needed()
    made = Cluster(directory, workers)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # The workers run what they are sent with the Python of the tests.
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        (directory / "spark-defaults.conf").write_text(DEFAULTS)
        patch.setenv("SPARK_CONF_DIR", str(directory))
        stack.callback(made.stop)
        made.start()
        yield made


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Hold that two tables are the same: |a − b| ≤ 1e-9 · max(1, |a|) for figures, equal for all else.

    Rows are put in the order of their keys first.
    """
    figures = ("value", "unit", "flag", "value_usd", "weight_kg")
    keys = [c for c in expected.columns if c not in figures]
    assert list(found.columns) == list(expected.columns)
    assert list(found.dtypes) == list(expected.dtypes)
    assert len(found) == len(expected)
    if any(c in figures for c in expected.columns):
        found, expected = (f.sort_values(keys, ignore_index=True) for f in (found, expected))
    for name in expected.columns:
        assert_same_column(found[name], expected[name])


def assert_same_column(found: pd.Series, expected: pd.Series) -> None:
    """Hold that two columns are the same, row by row; figures that a column of text holds are read as figures."""
    name = expected.name
    assert list(found.isna()) == list(expected.isna()), f"{name}: null in one, not in the other"
    a, b = found.dropna(), expected.dropna()
    numbers = [pd.to_numeric(c.astype(object), errors="coerce") for c in (a, b)]
    if name == "value" or b.dtype.kind == "f":
        x, y = (n.to_numpy(float) for n in numbers)
        text = np.isnan(y)
        far = ~(np.abs(x - y) <= 1e-9 * np.maximum(1, np.abs(y))) & ~text
        assert not far.any(), f"{name}: {x[far][:5]} against {y[far][:5]}"
        a, b = a[text], b[text]
    assert list(a) == list(b), f"{name}: {a[a != b].head().to_list()} against {b[a != b].head().to_list()}"
