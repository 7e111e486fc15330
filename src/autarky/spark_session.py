"""A Spark session for one process: joining a cluster in bounded time, reading its files, telling what went wrong."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from autarky.engine import EngineFailure
from autarky.errors import AutarkyError

# Seconds: until a master must answer its port; until it must have given an executor, and may be without one.
REACH, PATIENCE = 10.0, 60.0
# What Java says, from its start to the end of the process.
_SAID = tempfile.TemporaryFile()  # noqa: SIM115


def joined(url: str) -> Any:
    """Return the session of this process with the cluster of the master at `url`.

    Raises
    ------
    AutarkyError : pyspark or Java is not installed; nobody answers at the address, or no Spark master; the master has
        no worker to give; this process is in another cluster already
    """
    if importlib.util.find_spec("pyspark") is None:
        raise AutarkyError("the engine spark:// needs pyspark: pip install 'autarky[spark]'")
    own = _reached(url)
    _java()
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        if running.sparkContext.master != url:
            raise AutarkyError(
                f"this process is in the cluster {running.sparkContext.master} already; leave it first "
                "(`disconnect()`), one process can be in one"
            )
        return running
    try:
        session = _session(url, own)
    except (Py4JError, PySparkException) as error:
        if "JAVA_GATEWAY_EXITED" in str(error):
            raise AutarkyError(f"the engine spark://: {_reason(error)}") from error
        raise AutarkyError(
            f"{url}: no Spark 4.0 master took this application; is it another program, or another version of Spark?"
        ) from error
    _given(session, url)
    return session


def _session(url: str, own: str) -> Any:
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    settings = {
        # The address of this machine as the master sees it; a machine can have several.
        "spark.driver.host": own,
        "spark.driver.bindAddress": own,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        # An answer is kept before it is fetched; without this in as many pieces as Spark guesses, mostly empty ones.
        "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning": "true",
        # A row of what is kept is a whole Arrow stream; by default ten thousand of them are put together in memory.
        "spark.sql.inMemoryColumnarStorage.batchSize": "1",
    }
    # Spark's own line about a failure; ours says what it is.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    conf = SparkConf().setMaster(url).setAppName("autarky").setAll(list(settings.items()))
    gateway = SparkContext._gateway
    if gateway is None:
        # Java talks a lot; what it said is read only if it dies.
        gateway = launch_gateway(conf, popen_kwargs={"stderr": _SAID})
    return SparkSession(SparkContext(conf=conf, gateway=gateway))


def _reached(url: str) -> str:
    """Return the address by which this machine reaches the first master of `url` that answers."""
    found = re.fullmatch(r"spark://([^/:,]+:\d+(?:,[^/:,]+:\d+)*)", url)
    if not found:
        raise AutarkyError(f"engine {url!r}: expected spark://HOST:PORT")
    reasons = []
    for address in found[1].split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=REACH) as probe:
                return str(probe.getsockname()[0])
        except (OSError, OverflowError) as error:
            reasons.append(str(getattr(error, "strerror", None) or error))
    raise AutarkyError(
        f"{url}: no Spark master answers there ({'; '.join(reasons)}); the master's page shows its address"
    )


def _java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which(os.path.join(home, "bin", "java") if home else "java") is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise AutarkyError(f"the engine spark:// needs Java 17 or newer; there is no java {where}")


def _given(session: Any, url: str) -> None:
    """Wait until the cluster has given an executor."""
    end = time.monotonic() + PATIENCE
    while executors(session) == 0:
        if time.monotonic() > end:
            session.stop()
            raise AutarkyError(
                f"{url}: the cluster gave no executor within {PATIENCE:.0f} s; the master's page shows whether it has "
                "workers, and whether one has a free core and the memory of an executor (spark.executor.memory, 1g)"
            )
        time.sleep(0.1)


def executors(session: Any) -> int:
    """Return how many executors work for this session now."""
    # The driver counts itself.
    return int(session.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1


def cores(session: Any) -> str:
    """Return the cores that one task may use."""
    return str(session.sparkContext.getConf().get("spark.task.cpus", "1"))


@contextmanager
def watched(session: Any) -> Iterator[None]:
    """Turn Spark's failures into ours, and do not wait for ever for a cluster that has lost all its executors."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    done = threading.Event()
    lost = threading.Event()
    watch = threading.Thread(target=_watch, args=(session, done, lost), daemon=True)
    watch.start()
    try:
        yield
    except (Py4JError, PySparkException) as error:
        reason = f"it lost all executors for {PATIENCE:.0f} s" if lost.is_set() else _reason(error)
        raise EngineFailure(f"the work could not be finished on the cluster: {reason}. Nothing was changed.") from error
    finally:
        done.set()
        watch.join()


def _watch(session: Any, done: threading.Event, lost: threading.Event) -> None:
    from py4j.protocol import Py4JError

    last = time.monotonic()
    while not done.wait(1.0):
        try:
            if executors(session) > 0:
                last = time.monotonic()
            elif time.monotonic() - last > PATIENCE:
                lost.set()
                session.sparkContext.cancelAllJobs()
                return
        except Py4JError:
            # Java is gone; the job that is being watched says so.
            return


def _reason(error: Exception) -> str:
    """Return the line of a Java or Python failure that says what happened."""
    text = str(error)
    if "JAVA_GATEWAY_EXITED" in text:
        _SAID.seek(0)
        said = _SAID.read().decode(errors="replace")
        if "UnsupportedClassVersionError" in said:
            return "Java did not start: Spark 4 needs Java 17 or newer"
        return f"Java did not start: {' '.join(said.split())[-300:]}"
    if re.search(r"ExecutorLostFailure|MetadataFetchFailed|OutOfMemoryError|Python worker exited", text):
        return "executors ended in the middle, again and again; were they out of memory (spark.executor.memory)?"
    missing = re.search(r"(?:FileNotFoundException: File|PATH_NOT_FOUND\] Path does not exist:) *(?:file:)?(\S+)", text)
    if missing:
        return f"a worker cannot read {missing[1]}; the store must be at the same path on every worker (a shared disk)"
    module = re.search(r"ModuleNotFoundError: No module named '([^']+)'", text)
    if module:
        return f"the workers' Python lacks {module[1]}; install it there, or name another Python with PYSPARK_PYTHON"
    caused = re.findall(r"(?:Caused by: |: )((?:[\w.$]+)(?:Error|Exception): [^\n]+)", text)
    return (caused[-1] if caused else text.split("\n")[0])[:500]


@contextmanager
def sent_whole(module: ModuleType) -> Iterator[None]:
    """Send the functions of a module to the workers as code, not by a name that they would have to import."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def parquet(session: Any, paths: Sequence[str], hive: Mapping[str, str], schema: Any) -> Any:
    """Return Parquet files as a Spark data frame with the columns of an Ibis schema."""
    from ibis.backends.pyspark.datatypes import PySparkSchema

    # The columns in the paths begin below this directory.
    base = re.split(rf"/(?:{'|'.join(hive)})=", paths[0])[0]
    reader = session.read.schema(PySparkSchema.from_ibis(schema)).option("basePath", f"file:{base}")
    # Spark takes these for wildcards.
    escaped = [re.sub(r"([\\\[\]{}*?,])", r"\\\1", path) for path in paths]
    return reader.parquet(*[f"file:{path}" for path in escaped]).select(*schema.names)
