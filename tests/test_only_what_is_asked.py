"""What a question does not need is not read: told by the engine's own plan, and by what the files say of themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import Cli

from autarky import commit, engine, reader
from autarky.measure import measure
from autarky.store import Store
from autarky.tables import Condition, parse_period, parse_until

HEAD = "period,reporter,partner,flow,nomenclature,product,value_usd,weight_kg\n"
YEARS, FLOWS, SOURCES = range(2018, 2023), ("import", "export"), ("one", "two")
FILES = len(YEARS) * len(FLOWS) * len(SOURCES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of two sources, both flows, five years of months: a file each."""
    root = tmp_path_factory.mktemp("asked")
    for source in SOURCES:
        lines = [
            f"{year}-{month:02},{reporter},{partner},{flow},HS2017,{product},{month + year},1\n"
            for year in YEARS
            for month in (1, 7)
            for flow in FLOWS
            for reporter in ("CHN", "DEU")
            for partner in ("JPN", "USA")
            for product in ("010121", "854231")
        ]
        (root / f"{source}.csv").write_text(HEAD + "".join(lines))
        options = reader.Options(values={"source": source})
        commit.ingest(root / "store", "tidy", [root / f"{source}.csv"], options)
    return root / "store"


@dataclass
class Scan:
    columns: set[str]
    files: int


def scans(con: Any, table: Any) -> list[Scan]:
    """Return what the engine's plan of a question reads: of each scan the columns, and how many files it opens."""
    ((_, plan),) = engine.run(con, f"EXPLAIN (FORMAT json) {engine.compiled(con, table)}")
    found: list[Scan] = []

    def look(node: dict[str, Any]) -> None:
        if "READ_PARQUET" in json.dumps([node["name"], node["extra_info"].get("Function", "")]).upper():
            told = node["extra_info"]
            columns = told.get("Projections", [])
            said = re.match(r"(\d+)/(\d+)", told.get("Scanning Files", f"{FILES}/{FILES}"))
            assert said
            assert int(said[2]) == FILES
            found.append(Scan({columns} if isinstance(columns, str) else set(columns), int(said[1])))
        for child in node["children"]:
            look(child)

    for root in json.loads(plan):
        look(root)
    assert found
    return found


def asked(
    store: Path, conditions: Sequence[str], by: Sequence[str], since: str | None = None, until: str | None = None
) -> list[Scan]:
    con = engine.connect()
    flows = Store(store).flows(con).where(
        [Condition.parse(c) for c in conditions],
        parse_period(since) if since else None,
        parse_until(until) if until else None,
    )  # fmt: skip
    return scans(con, measure(flows, ["herfindahl", "top_share"], by).table)


BY = ["source", "flow", "reporter", "product"]


@pytest.mark.parametrize(
    ("conditions", "since", "until", "files"),
    [
        ([], None, None, FILES),
        (["year=2020"], None, None, 4),
        (["year=2020,2021"], None, None, 8),
        (["year!=2020"], None, None, 16),
        (["period=2020-07"], None, None, 4),
        (["period=2020-07,2022-01"], None, None, 8),
        ([], "2021", None, 8),
        ([], None, "2018-06", 4),
        ([], "2019-03", "2020-06", 8),
        (["flow=import"], None, None, 10),
        (["source=one"], None, None, 10),
        (["source=one", "flow=import", "year=2019"], None, None, 1),
        (["source=one", "flow=import", "year=2019", "reporter=DEU"], None, None, 1),
        (["nomenclature=HS2017", "freq=M", "valuation=unknown", "year=2022"], None, None, 4),
    ],
)
def test_files(conditions: list[str], since: str | None, until: str | None, files: int, store: Path) -> None:
    (scan,) = asked(store, conditions, BY, since, until)
    assert scan.files == files


def test_year_by_year_opens_each_file_once(store: Path) -> None:
    found = asked(store, [], [*BY, "year"])
    assert [s.files for s in found] == [4] * len(YEARS)


@pytest.mark.parametrize(
    ("conditions", "by", "columns"),
    [
        (["year=2020"], BY, {"reporter", "product", "partner", "value_usd", "source", "flow"}),
        (["year=2020", "source=one", "flow=import"], ["product"], {"product", "partner", "value_usd"}),
        (["period=2020-07", "source=one", "flow=import"], ["product"], {"product", "partner", "value_usd", "period"}),
        (
            ["year=2020", "source=one", "flow=import", "reporter=DEU"],
            ["product"],
            {"product", "partner", "value_usd", "reporter"},
        ),
    ],
)
def test_columns(conditions: list[str], by: list[str], columns: set[str], store: Path) -> None:
    """What is constant over a file (its place) is not in it, so it costs nothing."""
    (scan,) = asked(store, conditions, by)
    assert scan.columns <= columns
    assert "weight_kg" not in scan.columns
    assert "area" not in scan.columns


@pytest.mark.parametrize("asked_for", ["period=2020-07", "period!=2020-07", "period=2020,2021-07"])
def test_a_period_is_the_same_question_as_before(asked_for: str, cli: Cli, store: Path) -> None:
    """Files are left out by the year of the period; which rows are meant does not change."""
    condition = Condition.parse(asked_for)
    con = engine.connect()
    frame = engine.rows(con, Store(store).flows(con).table).to_pandas()
    wanted = frame["period"].isin([parse_period(v) for v in condition.values])
    found = engine.rows(con, Store(store).flows(con).where([condition]).table)
    assert found.num_rows == int((~wanted if condition.negated else wanted).sum()) > 0


def test_a_product_is_found_by_the_statistics_of_row_groups(tmp_path: Path) -> None:
    """Sorted by product, every row group says that it holds few of them; of reporters it holds all."""
    con = engine.connect()
    sql = """SELECT 2020 AS period, 'import' AS flow, 'HS2017' AS nomenclature, 'DEU' AS partner,
        lpad((p + 10000)::VARCHAR, 6, '0') AS product, r AS reporter, (p % 97 + 1)::DOUBLE AS value_usd
        FROM range(150_000) a(p), (SELECT unnest(['CHN', 'FRA', 'JPN', 'USA']) AS r)"""
    engine.run(con, f"COPY ({sql}) TO '{tmp_path / 'p.parquet'}' (FORMAT parquet)")
    commit.ingest(tmp_path / "store", "tidy", [tmp_path / "p.parquet"], reader.Options())
    (part,) = Store(tmp_path / "store").parts(con)
    held = pq.ParquetFile(part.path)
    assert held.metadata.num_row_groups >= 4

    def candidates(column: str, value: str) -> int:
        at = held.schema_arrow.names.index(column)
        groups = [held.metadata.row_group(g).column(at).statistics for g in range(held.metadata.num_row_groups)]
        return sum(g.min <= value <= g.max for g in groups)

    assert candidates("product", "085000") == 1
    assert candidates("reporter", "FRA") == held.metadata.num_row_groups
