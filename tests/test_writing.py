"""Results that come in pieces: one file, the same rows as at once, and nothing half written."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Cli

from autarky import engine, writing

# A line end and a bracket inside a text must not be taken for the frame of the file.
PIECES = [
    {"key": ["a", "b\n]"], "value": [0.1, None]},
    {"key": [], "value": []},
    {"key": ['c,"[', "]"], "value": [1 / 3, 4.0]},
]


@pytest.fixture
def con() -> Any:
    return engine.connect()


def tables(con: Any, pieces: list[dict[str, list[Any]]]) -> list[Any]:
    made = [engine.lookup(con, p if p["key"] else {"key": ["x"], "value": [1.0]}) for p in pieces]
    return [t if p["key"] else t.filter(t.value > 1) for t, p in zip(made, pieces, strict=True)]


def expected() -> list[tuple[str, float | None]]:
    return [(k, v) for p in PIECES for k, v in zip(p["key"], p["value"], strict=True)]


def read(data: bytes, form: str) -> list[tuple[str, float | None]]:
    if form == "json":
        return [(r["key"], r["value"]) for r in json.loads(data)]
    frame = pd.read_csv(io.BytesIO(data)) if form == "csv" else pd.read_parquet(io.BytesIO(data))
    return [(k, None if pd.isna(v) else v) for k, v in zip(frame["key"], frame["value"], strict=True)]


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
def test_pieces_are_one_file(form: str, order: tuple[int, ...], con: Any, tmp_path: Path) -> None:
    made = tables(con, PIECES)
    pieces = [made[i] for i in order]
    writing.write(con, pieces, str(tmp_path / "out"), form)
    target = io.BytesIO()
    writing.stream(con, pieces, target, form)
    assert read((tmp_path / "out").read_bytes(), form) == read(target.getvalue(), form) == expected()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_nothing_at_all_is_still_a_file(form: str, con: Any, tmp_path: Path) -> None:
    empty = tables(con, [PIECES[1]])[0]
    for pieces in ([empty], [empty, empty]):
        writing.write(con, pieces, str(tmp_path / "out"), form)
        assert read((tmp_path / "out").read_bytes(), form) == []


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_what_breaks_off_leaves_the_file_that_was_there(form: str, con: Any, tmp_path: Path) -> None:
    fine = tables(con, PIECES)[0]
    broken = fine.mutate(value=fine.key.cast("float64"))
    (tmp_path / "out").write_text("before")
    with pytest.raises(Exception, match="Could not convert"):
        writing.write(con, [fine, broken], str(tmp_path / "out"), form)
    assert (tmp_path / "out").read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.fixture
def trade(cli: Cli, store: Path, tmp_path: Path) -> Path:
    rows = [
        f"{year},{reporter},{partner},import,HS2017,{product},{value}"
        for year in (2019, 2020, 2021)
        for reporter in ("USA", "CHN")
        for product in ("854231", "010121")
        for partner, value in (("DEU", year - 2000), ("JPN", 3))
    ]
    head = "period,reporter,partner,flow,nomenclature,product,value_usd\n"
    (tmp_path / "t.csv").write_text(head + "\n".join(rows) + "\n")
    assert cli("ingest", "tidy", tmp_path / "t.csv", "--store", store).code == 0
    return store


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "table"])
def test_measures_come_year_by_year_and_then_by_their_keys(form: str, cli: Cli, trade: Path, tmp_path: Path) -> None:
    """Value by hand: shares v and 3 of v + 3, v = year - 2000."""
    asked = ("measure", "herfindahl,share", "--by", "reporter,product,year", "--store", trade, "--format", form)
    out = tmp_path / "out"
    assert cli(*asked, "-o", out).code == 0
    if form == "table":
        lines = [line.split() for line in out.read_text().splitlines()]
        found = [(x[2], x[0], x[1]) for x in lines if "herfindahl" in x]
        assert found == sorted(found)
        assert len(found) == 12
        return
    if form == "json":
        frame = pd.DataFrame(json.loads(out.read_text()))
    else:
        frame = pd.read_csv(out, dtype={"product": str}) if form == "csv" else pd.read_parquet(out)
    assert len(frame) == 3 * 2 * 2 * (1 + 2)
    h = frame[frame["indicator"] == "herfindahl"]
    v = h["year"] - 2000
    assert h["value"].tolist() == pytest.approx(((v**2 + 9) / (v + 3) ** 2).tolist())
    if form != "parquet":
        keys = list(zip(h["year"], h["reporter"], h["product"], strict=True))
        assert keys == sorted(keys)
