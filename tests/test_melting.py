"""Measures written from their wide form: the same rows as the long table, plain types, and nothing half written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import Cli

from autarky import engine, melting, registry, store
from autarky.errors import AutarkyError
from autarky.measure import Measures, measure

# A year without trade in one product, a value that is not reported, a total of zero.
ROWS = """period,reporter,partner,flow,nomenclature,product,value_usd
2019,CHN,DEU,import,HS2017,854231,5
2019,CHN,JPN,import,HS2017,854231,3
2019,USA,DEU,import,HS2017,854231,0
2019,USA,JPN,import,HS2017,010121,2.5
2020,CHN,DEU,import,HS2017,854231,
2020,CHN,KOR,import,HS2017,010121,4
2020,USA,JPN,import,HS2017,010121,1e-7
2021,USA,JPN,import,HS2017,854231,7
2021,USA,KOR,import,HS2017,854231,7
"""
NUMBERS = [n for n in registry.names("indicators") if not registry.indicator(n).text]


@pytest.fixture
def trade(cli: Cli, store: Path, tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text(ROWS)
    assert cli("ingest", "tidy", tmp_path / "t.csv", "--store", store).code == 0
    return store


def measured(trade: Path, names: list[str], by: list[str], **options: Any) -> tuple[Any, Measures]:
    con = engine.connect()
    return con, measure(store.Store(trade).flows(con), names, by, **options)


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    keys = [c for c in frame.columns if c not in ("value", "unit", "flag")]
    return frame.sort_values(keys, ignore_index=True)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("year", ["year", "period"])
def test_every_indicator_is_as_in_the_long_table(name: str, year: str, trade: Path) -> None:
    along = registry.indicator(name).over == "period"
    con, found = measured(trade, [name], ["reporter", "partner"] if along else ["reporter", year])
    target = io.BytesIO()
    melting.write(con, found.pieces, target)
    expected = engine.rows(con, found.table).to_pandas()
    assert len(expected)
    pd.testing.assert_frame_equal(ordered(pd.read_parquet(target)), ordered(expected))


def test_indicators_of_groups_and_of_members_together(trade: Path) -> None:
    """A group has no partner; two dimensions; a reason that is always the same and one that is not."""
    names = ["herfindahl", "share", "volatility"]
    con, found = measured(trade, names, ["reporter", "product"])
    assert len({w.keys for p in found.pieces for w in p.wides}) == 2
    target = io.BytesIO()
    melting.write(con, found.pieces, target)
    expected = ordered(engine.rows(con, found.table).to_pandas())
    assert 0 < expected["flag"].notna().sum() < len(expected)
    pd.testing.assert_frame_equal(ordered(pd.read_parquet(target)), expected)


def test_a_reader_sees_plain_columns_and_can_pass_over_indicators(trade: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(melting, "_SMALL", 0)
    con, found = measured(trade, ["herfindahl", "entropy"], ["reporter", "year"])
    target = io.BytesIO()
    melting.write(con, found.pieces, target)
    file = pq.ParquetFile(target)
    assert [str(t) for t in file.schema_arrow.types] == ["string", "int32", "string", "double", "string", "string"]
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    assert sum(g.num_rows for g in groups) == 2 * (2 + 2 + 1)
    told = [{g.column(i).path_in_schema: g.column(i).statistics for i in range(g.num_columns)} for g in groups]
    assert all(s["indicator"].min == s["indicator"].max and s["year"].min == s["year"].max for s in told)
    assert list(dict.fromkeys((s["year"].min, s["indicator"].min) for s in told)) == [
        (year, name) for year in (2019, 2020, 2021) for name in ("herfindahl", "entropy")
    ]


def test_a_text_among_the_figures_is_left_to_the_engine(cli: Cli, trade: Path, tmp_path: Path) -> None:
    asked = (
        "measure",
        "herfindahl,top_partner",
        "--by",
        "reporter,year",
        "--store",
        trade,
        "-o",
        tmp_path / "o.parquet",
    )
    assert not melting.fits(measured(trade, ["herfindahl", "top_partner"], ["reporter", "year"])[1].pieces)
    assert cli(*asked).code == 0
    found = pd.read_parquet(tmp_path / "o.parquet")
    assert set(found.loc[found["indicator"] == "top_partner", "value"].dropna()) == {"DEU", "KOR", "JPN"}


def test_nothing_at_all_is_still_a_file(trade: Path) -> None:
    con = engine.connect()
    flows = store.Store(trade).flows(con)
    found = measure(flows, ["herfindahl"], ["reporter", "year"])
    none = [
        type(p)(tuple(type(w)(w.table.filter(False), w.keys, w.indicators) for w in p.wides), p.by)
        for p in found.pieces
    ]
    target = io.BytesIO()
    melting.write(con, none, target)
    read = pq.read_table(target)
    assert read.num_rows == 0
    assert read.column_names == ["reporter", "year", "indicator", "value", "unit", "flag"]


def test_what_breaks_off_in_the_second_year_leaves_the_file_that_was_there(
    cli: Cli, trade: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    batches, asked, stopped = engine.batches, [], []

    def breaking(*args: Any) -> Any:
        asked.append(args)
        if len(asked) > 1:
            raise AutarkyError("the disk is gone")
        return batches(*args)

    monkeypatch.setattr(engine, "batches", breaking)
    monkeypatch.setattr(engine, "stop", stopped.append)
    (tmp_path / "o.parquet").write_text("before")
    ran = cli("measure", "herfindahl", "--by", "reporter,year", "--store", trade, "-o", tmp_path / "o.parquet")
    assert ran.code == 2
    assert "the disk is gone" in ran.err
    assert stopped
    assert (tmp_path / "o.parquet").read_text() == "before"
    assert not list(tmp_path.glob("*.partial"))
