"""The store: versions, revisions by key, coverage, and nothing lost or done twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Cli, Held, Listed

from autarky import engine
from autarky.errors import AutarkyError
from autarky.store import Store

HEAD = "period,reporter,partner,flow,nomenclature,product,value_usd,weight_kg,valuation\n"


def table(path: Path, *rows: str) -> Path:
    path.write_text(HEAD + "".join(f"{r}\n" for r in rows))
    return path


def row(period: str, partner: str, value: object, weight: object = "", valuation: str = "CIF") -> str:
    return f"{period},CHN,{partner},import,HS2022,848620,{value},{weight},{valuation}"


def values(frame: object) -> dict[tuple[str, str], float]:
    return {(str(r.period)[:7], r.partner): r.value_usd for r in frame.itertuples()}  # type: ignore[attr-defined]


@pytest.fixture
def revised(cli: Cli, store: Path, tmp_path: Path) -> Path:
    """A store of two versions: the second revises February and adds March."""
    first = table(
        tmp_path / "first.csv", row("2023-01", "DEU", 10, 1), row("2023-02", "DEU", 20, 2), row("2023-02", "JPN", 5)
    )
    second = table(
        tmp_path / "second.csv", row("2023-02", "DEU", 21, 2), row("2023-02", "JPN", 5), row("2023-03", "DEU", 30)
    )
    for path in (first, second):
        assert cli("ingest", "tidy", path, "--store", store).code == 0
    return store


def test_the_same_bytes_again_change_nothing(cli: Cli, listed: Listed, revised: Path, tmp_path: Path) -> None:
    before, log = listed(revised), cli("log", "--store", revised).out
    ran = cli("ingest", "tidy", tmp_path / "second.csv", "--store", revised)
    assert ran.code == 0
    assert ran.last == "nothing changes: already ingested: second.csv (version 1)"
    shutil.copy(tmp_path / "first.csv", tmp_path / "under-another-name.csv")
    assert "already ingested" in cli("ingest", "tidy", tmp_path / "under-another-name.csv", "--store", revised).last
    assert listed(revised) == before
    assert cli("log", "--store", revised).out == log


def test_the_same_bytes_read_another_way_are_another_reading(
    cli: Cli, held: Held, revised: Path, tmp_path: Path
) -> None:
    ran = cli("ingest", "tidy", tmp_path / "second.csv", "--store", revised, "--set", "source=other")
    assert ran.last.endswith("version 2")
    assert held(revised)["source"].value_counts().to_dict() == {"tidy": 4, "other": 3}


def test_known_files_among_new_ones_are_passed_over(cli: Cli, revised: Path, tmp_path: Path) -> None:
    third = table(tmp_path / "third.csv", row("2023-04", "DEU", 40))
    ran = cli("ingest", "tidy", tmp_path / "first.csv", third, "--store", revised)
    assert "already ingested, passed over: first.csv (version 0)" in ran.err
    assert ran.last.startswith("1 rows read, 1 kept")


def test_one_file_twice_in_one_call(cli: Cli, held: Held, store: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", row("2023-01", "DEU", 10))
    shutil.copy(path, tmp_path / "b.csv")
    assert cli("ingest", "tidy", path, path, tmp_path / "b.csv", "--store", store).last.startswith(
        "1 rows read, 1 kept"
    )
    assert len(held(store)) == 1
    passed = [line for line in Store(store).log()[0].ledger if line.step.startswith("pass over")]
    assert [Path(line.step.split()[-1]).name for line in passed] == ["b.csv"]


def test_a_revision_replaces_by_key_and_the_old_version_stays(cli: Cli, held: Held, revised: Path) -> None:
    old = {("2023-01", "DEU"): 10.0, ("2023-02", "DEU"): 20.0, ("2023-02", "JPN"): 5.0}
    assert values(held(revised, 0)) == old
    assert values(held(revised)) == old | {("2023-02", "DEU"): 21.0, ("2023-03", "DEU"): 30.0}
    measured = ("measure", "herfindahl", "--by", "reporter,period,product", "--store", revised, "--format", "csv")
    now, then = cli(*measured), cli(*measured, "--as-of", 0)
    assert (now.code, then.code) == (0, 0)
    assert [float(r["value"]) for r in then.rows] == pytest.approx([1.0, (20**2 + 5**2) / 25**2])
    assert [float(r["value"]) for r in now.rows] == pytest.approx([1.0, (21**2 + 5**2) / 26**2, 1.0])


@pytest.mark.parametrize("version", [2, 99, -1])
def test_a_version_that_is_not_there(version: int, cli: Cli, revised: Path) -> None:
    ran = cli("measure", "herfindahl", "--by", "reporter", "--store", revised, "--as-of", version)
    assert ran.code == 2
    assert f"there is no version {version}; versions are 0 to 1" in ran.err


@pytest.mark.parametrize("command", [("coverage",), ("log",), ("measure", "herfindahl", "--by", "reporter")])
def test_no_store(command: tuple[str, ...], cli: Cli, store: Path) -> None:
    ran = cli(*command, "--store", store)
    assert ran.code == 2
    assert "there is no store here; make one with `autarky ingest" in ran.err
    assert not store.exists()


def test_log(cli: Cli, revised: Path) -> None:
    rows = cli("log", "--store", revised, "--format", "csv").rows
    assert [(r["version"], r["source"], r["files"]) for r in rows] == [
        ("0", "tidy", "first.csv"),
        ("1", "tidy", "second.csv"),
    ]
    counts = [(int(r["rows_added"]), int(r["rows_replaced"]), int(r["rows_unchanged"])) for r in rows]
    assert counts == [(3, 0, 0), (3, 1, 1)]
    assert [float(r["value_usd"]) for r in rows] == [35.0, 56.0]
    assert all(len(r["sha256"]) == 12 for r in rows)
    assert [v.version for v in Store(revised).log()] == [0, 1]
    assert [v.version for v in Store(revised, 0).log()] == [0]


def test_coverage(cli: Cli, revised: Path) -> None:
    rows = cli("coverage", "--store", revised, "--format", "csv").rows
    assert rows == [
        {
            "source": "tidy", "nomenclature": "HS2022", "freq": "M", "flow": "import", "reporters": "1",
            "first": "2023-01-01", "last": "2023-03-01", "levels": "6", "world_total": "False", "areas": "False",
            "rows": "4", "value_usd": "66.0",
        }
    ]  # fmt: skip


def test_a_missing_coverage_file_is_made_again(cli: Cli, listed: Listed, revised: Path) -> None:
    said = cli("coverage", "--store", revised).out
    names = {p.name for p in (revised / "coverage").iterdir()}
    shutil.rmtree(revised / "coverage")
    assert cli("coverage", "--store", revised).out == said
    made = sorted((revised / "coverage").iterdir())
    assert made
    assert {p.name for p in made} <= names
    made[0].write_bytes(b"")
    assert cli("coverage", "--store", revised).out == said


def test_a_revision_may_move_a_key_to_another_valuation(cli: Cli, held: Held, store: Path, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", row("2023-01", "DEU", 10), row("2023-01", "JPN", 20))
    second = table(tmp_path / "b.csv", row("2023-01", "USA", 7), row("2023-01", "JPN", 18, valuation="FOB"))
    for path in (first, second):
        assert cli("ingest", "tidy", path, "--store", store).code == 0
    rows = held(store).sort_values("partner")
    assert rows[["partner", "value_usd", "valuation"]].values.tolist() == [
        ["DEU", 10.0, "CIF"], ["JPN", 18.0, "FOB"], ["USA", 7.0, "CIF"],
    ]  # fmt: skip
    assert Store(store).log()[1].rows_replaced == 1


def test_a_revision_to_not_reported(cli: Cli, held: Held, revised: Path, tmp_path: Path) -> None:
    gone = table(tmp_path / "gone.csv", row("2023-01", "DEU", ""))
    assert cli("ingest", "tidy", gone, "--store", revised).code == 0
    rows = held(revised)
    assert len(rows) == 4
    assert rows["value_usd"].isna().sum() == 1


def test_other_sources_areas_and_frequencies_are_not_touched(
    cli: Cli, held: Held, revised: Path, tmp_path: Path
) -> None:
    before = held(revised)
    other = table(tmp_path / "other.csv", row("2023-02", "DEU", 99))
    assert cli("ingest", "tidy", other, "--store", revised, "--set", "source=other").code == 0
    assert cli("ingest", "tidy", other, "--store", revised, "--set", "area=CN-GD").code == 0
    annual = table(tmp_path / "annual.csv", row("2023", "DEU", 98))
    assert cli("ingest", "tidy", annual, "--store", revised).code == 0
    rows = held(revised)
    assert len(rows) == 7
    same = rows[(rows["source"] == "tidy") & (rows["freq"] == "M") & rows["area"].isna()].reset_index(drop=True)
    assert same.equals(before)


def test_every_version_of_many(cli: Cli, held: Held, store: Path, tmp_path: Path) -> None:
    for value in range(4):
        path = table(tmp_path / "t.csv", row("2023-01", "DEU", value), row(f"{2010 + value}", "DEU", 1))
        assert cli("ingest", "tidy", path, "--store", store).last.endswith(f"version {value}")
    for value in range(4):
        rows = held(store, value)
        assert len(rows) == 2 + value
        assert rows.loc[rows["freq"] == "M", "value_usd"].tolist() == [value]


@pytest.mark.parametrize("name", ["with space", "ünï-数据", "year=1999", "a'b", "a[1]*?#"])
def test_names_of_stores(name: str, cli: Cli, held: Held, tmp_path: Path) -> None:
    store = tmp_path / name / "store"
    for value in (1, 2):
        path = table(tmp_path / f"t{value}.csv", row("2023-01", "DEU", value))
        assert cli("ingest", "tidy", path, "--store", store).code == 0
    assert held(store)["value_usd"].tolist() == [2.0]


def test_a_name_that_the_log_cannot_hold(cli: Cli, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", row("2023-01", "DEU", 1))
    ran = cli("ingest", "tidy", path, "--store", tmp_path / "100%25")
    assert ran.code == 2
    assert "100%25: the path of a store cannot hold '%'; choose another directory" in ran.err
    assert not (tmp_path / "100%25").exists()


def test_a_store_behind_a_link(cli: Cli, held: Held, revised: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(revised, target_is_directory=True)
    path = table(tmp_path / "t.csv", row("2023-03", "DEU", 31))
    assert cli("ingest", "tidy", path, "--store", link).code == 0
    assert values(held(revised))[("2023-03", "DEU")] == 31.0


def test_the_value_of_a_version_that_is_narrowed_to_nothing(cli: Cli, revised: Path) -> None:
    measured = ("measure", "herfindahl", "--by", "reporter", "--store", revised)
    assert cli(*measured, "--where", "partner=USA").code == 1
    assert cli(*measured, "--since", "2030").code == 1


def test_store_from_python(revised: Path) -> None:
    con = engine.connect()
    flows = Store(revised).flows(con)
    assert [f.name for f in flows.files] == ["first.csv", "second.csv"]
    assert flows.ledger.lines[0].step == "v0 read first.csv"
    with pytest.raises(AutarkyError, match="there is no version 7; versions are 0 to 1"):
        Store(revised, 7)


def test_a_revised_weight_alone_is_a_revision(cli: Cli, store: Path, tmp_path: Path) -> None:
    said = ["--store", store, "--set", "reporter=CHN", "partner=USA", "flow=import", "nomenclature=HS2017"]
    for weight in (1, 2):
        path = tmp_path / f"{weight}.csv"
        path.write_text(
            f"period,product,value_usd,weight_kg\n2020,854231,5,{weight}\n2020,854232,5,9\n", encoding="utf-8"
        )
        assert cli("ingest", "tidy", path, *said).code == 0
    row = cli("log", "--store", store, "--format", "csv").rows[-1]
    assert (row["rows_replaced"], row["rows_unchanged"]) == ("1", "1")
