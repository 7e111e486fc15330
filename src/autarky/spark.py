"""Questions answered by a Spark cluster, by one of two routes.

**partitions**: a union whose branches read one year each becomes a task a branch: the compiled DuckDB query, run by a
DuckDB inside Spark's executor.  **sql**: the same Ibis expression, compiled for Spark SQL over the same files.  Either
way the workers keep the answer on their disks until the driver has fetched it part by part.

A `Cluster` is a DuckDB backend as well.  It runs what workers cannot: all that reads other files than a store's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend
from ibis.expr import operations as ops

from autarky import engine, spark_session, spark_task
from autarky.engine import Files
from autarky.errors import AutarkyError

if TYPE_CHECKING:
    import ibis.expr.types as ir

ROUTES = ("partitions", "sql")


class Cluster(Backend):  # type: ignore[misc]
    """A connection whose questions about a store are answered by a Spark cluster.

    Attributes
    ----------
    route : "partitions", "sql", or None: the question decides
    taken : (route, tasks) of each question that the cluster was given, oldest first
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.route: str | None = None
        self.taken: list[tuple[str, int]] = []
        self._session: Any = None
        self._spark: Any = None
        self._settings: dict[str, str] = {}
        # How each table was made, by its name: a store's files, a small table, an expression; None = only here.
        self._told: dict[str, Files | ir.Table | str | None] = {}

    def disconnect(self) -> None:
        """Leave the cluster, and close what is open here."""
        self._session.stop()
        super().disconnect()

    # --- what the engine says of the tables that it makes

    def tell(self, name: str, made: Files | ir.Table | str | None) -> None:
        """Say how the table `name` was made."""
        self._told[name] = made

    def takes(self, expression: ir.Table) -> bool:
        """Whether the workers can answer: all that is read is a store's, or a small table that can be sent."""
        op = expression.op()
        if any(not isinstance(table, ops.DatabaseTable) for table in op.find(ops.PhysicalTable)):
            return False
        made = [self._made(leaf) for leaf in self._leaves(op)]
        return any(isinstance(m, Files) for m in made) and not any(m is None for m in made)

    def _made(self, leaf: ops.DatabaseTable) -> Files | ir.Table | str | None:
        # A table that a caller made past the engine is only here.
        return self._told.get(leaf.name)

    def _leaves(self, node: ops.Node) -> list[ops.DatabaseTable]:
        """Return the tables that a question names, each after those that it is made of."""
        found: list[ops.DatabaseTable] = []
        for leaf in node.find(ops.DatabaseTable):
            made = self._made(leaf)
            if made is not None and not isinstance(made, Files | str):
                found += self._leaves(made.op())
            found.append(leaf)
        return list(dict.fromkeys(found))

    # --- answers

    def answer(self, expression: ir.Table, path: Path) -> ir.Table:
        """Have the cluster answer, write the answer to a Parquet file, and return the table in it.

        Raises
        ------
        EngineFailure : the cluster could not finish; the message says why
        """
        inner = _ordered(expression.op())
        branches = _branches(inner)
        route = self.route or ("partitions" if all(len(self._years(b)) == 1 for b in branches) else "sql")
        if route == "sql":
            inner = expression.op()
            branches = [inner]
        self.taken.append((route, len(branches)))
        schema = self.con.sql(engine.compiled(self, inner.to_expr())).limit(0).to_arrow_table().schema
        with spark_session.watched(self._session), pq.ParquetWriter(path, schema) as writer:
            for part in self._by_tasks(branches) if route == "partitions" else self._by_sql(inner):
                writer.write_table(part.cast(schema))
        answered = engine.read_parquet(self, [str(path)]).op()
        return expression.op().replace({inner: answered}).to_expr()

    def _by_tasks(self, branches: list[ops.Relation]) -> Iterator[pa.Table]:
        tasks = [self._task(branch) for branch in branches]
        with spark_session.sent_whole(spark_task):
            made = self._session.sparkContext.parallelize(tasks, len(tasks)).mapPartitions(spark_task.answers)
            yield from _fetched(made, lambda item: item)

    def _task(self, branch: ops.Relation) -> dict[str, Any]:
        files = self._read(branch)
        tables, views = {}, []
        for leaf in self._leaves(branch):
            made = self._made(leaf)
            if isinstance(made, Files):
                sql = engine.parquet_sql(files[leaf.name] or made.paths[:1], made.hive)
            elif isinstance(made, str):
                tables[leaf.name] = spark_task.packed(self._small(leaf.name))
                continue
            else:
                sql = engine.compiled(self, made)
            views.append(f'CREATE TEMP VIEW "{leaf.name}" AS {sql}')
        return {
            "tables": tables,
            "views": views,
            "files": [path for paths in files.values() for path in paths],
            "query": engine.compiled(self, branch.to_expr()),
            "settings": self._settings,
            "duckdb": duckdb.__version__,
        }

    def _by_sql(self, node: ops.Relation) -> Iterator[pa.Table]:
        frame = self._session.sql(self._spark.compile(self._moved(node)))
        with spark_session.sent_whole(spark_task):
            yield from _fetched(frame.mapInArrow(spark_task.streams, "answer binary"), lambda row: bytes(row[0]))

    def _moved(self, node: ops.Relation) -> ir.Table:
        """Return an expression over Spark's tables instead of DuckDB's; those that Spark lacks are made."""
        there = {}
        for leaf in node.find(ops.DatabaseTable):
            made = self._made(leaf)
            if isinstance(made, Files):
                frame = spark_session.parquet(self._session, made.paths, made.hive, leaf.schema)
            elif made is None or isinstance(made, str):
                frame = self._session.createDataFrame(self._small(leaf.name))
            else:
                frame = self._session.sql(self._spark.compile(self._moved(made.op())))
            frame.createOrReplaceTempView(leaf.name)
            there[leaf] = leaf.copy(source=self._spark)
        return node.replace(there).to_expr()

    def _small(self, name: str) -> pa.Table:
        return self.con.table(name).to_arrow_table()

    # --- which years a question reads

    def _years(self, branch: ops.Relation) -> set[str]:
        """Return the years of the files that a branch reads; "" stands for a file that is of no year."""
        found = (re.search(r"/year=([^/]+)/", path) for paths in self._read(branch).values() for path in paths)
        return {year[1] if year else "" for year in found}

    def _read(self, branch: ops.Relation) -> dict[str, list[str]]:
        """Return the files that a branch reads of each table; those of years that it filters out are not among them."""
        found: dict[str, dict[str, None]] = {}
        for name, tests in self._uses(branch, ()):
            made = self._told[name]
            if isinstance(made, Files):
                kept = [p for p in made.paths if _admitted(p, tests)]
                found.setdefault(name, {}).update(dict.fromkeys(kept))
        return {name: list(paths) for name, paths in found.items()}

    def _uses(self, node: ops.Node, tests: tuple[ops.Node, ...]) -> Iterator[tuple[str, tuple[ops.Node, ...]]]:
        """Yield every table that is read, with the conditions that all its rows have to meet there."""
        if isinstance(node, ops.DatabaseTable):
            yield node.name, tests
            made = self._made(node)
            if made is not None and not isinstance(made, Files | str):
                yield from self._uses(made.op(), ())
            return
        # A rank among rows, say, would be another among the rows of one year.
        narrowing = isinstance(node, ops.Filter) and not node.find((ops.WindowFunction, ops.Reduction))
        for child in node.__children__:
            if not isinstance(child, ops.Field):
                same = narrowing and child is node.parent
                yield from self._uses(child, (*tests, *node.predicates) if same else ())


def _admitted(path: str, tests: tuple[ops.Node, ...]) -> bool:
    """Whether rows of a file can meet conditions on the year, as far as its path tells."""
    found = re.search(r"/year=(\d+)/", path)
    return found is None or all(_met(test, int(found[1])) for test in tests)


def _met(test: ops.Node, year: int) -> bool:
    """Whether a row of a year can meet a condition; true where the condition is about something else."""
    if isinstance(test, ops.InValues) and _is_year(test.value):
        return any(not isinstance(o, ops.Literal) or o.value == year for o in test.options)
    if isinstance(test, ops.Comparison) and _is_year(test.left) and isinstance(test.right, ops.Literal):
        bound = test.right.value
        known = {ops.Equals: year == bound, ops.GreaterEqual: year >= bound, ops.LessEqual: year <= bound}
        return type(test) not in known or bool(known[type(test)])
    return True


def _is_year(value: ops.Node) -> bool:
    return isinstance(value, ops.Field) and value.name == "year"


def _ordered(node: ops.Relation) -> ops.Relation:
    """Return what is put in order or cut off, when that is the last step: it is done here."""
    while isinstance(node, ops.Sort | ops.Limit):
        node = node.parent
    return node


def _branches(node: ops.Relation) -> list[ops.Relation]:
    """Return the members of a union that keeps duplicates, in order; a question that is none is its own branch."""
    if isinstance(node, ops.Union) and not node.distinct:
        return [*_branches(node.left), *_branches(node.right)]
    return [node]


def _fetched(made: Any, unwrap: Any) -> Iterator[pa.Table]:
    """Have the workers compute a collection of Arrow streams at once, then fetch it in order, part by part."""
    from pyspark import StorageLevel

    kept = made.persist(StorageLevel.DISK_ONLY)
    kept.count()
    try:
        for item in kept.toLocalIterator(prefetchPartitions=True):
            found = unwrap(item)
            if isinstance(found, str):
                raise engine.EngineFailure(f"the work could not be finished on the cluster: {found}")
            yield pa.ipc.open_stream(found).read_all()
    finally:
        kept.unpersist()


def connect(url: str, memory: str, route: str | None) -> Cluster:
    """Join the cluster of the master at `url`; see `engine.connect`."""
    if route not in (None, *ROUTES):
        raise AutarkyError(f"route {route!r}: expected {' or '.join(ROUTES)}")
    session = spark_session.joined(url)
    import ibis

    con: Cluster = Cluster().connect(memory_limit=memory)
    con.route = route
    con._session, con._spark = session, ibis.pyspark.connect(session, **{"spark.sql.ansi.enabled": "true"})
    con._settings = {"memory_limit": memory, "threads": spark_session.cores(session)}
    return con
