"""The command line: help, lists, formats, exit codes, where things go."""

import io
import json
import subprocess
import sys

import pandas as pd
import pytest

from autarky import registry
from autarky.cli import main

COMMANDS = ("ingest", "coverage", "log", "measure", "run", "watchlist", "list", "demo")
ROWS = "period,partner,product,value_usd\n2020-01,USA,854231,3\n2020-01,DEU,854231,1\n2020-02,USA,848620,5\n"


@pytest.fixture(scope="module")
def trade(tmp_path_factory):
    root = tmp_path_factory.mktemp("trade")
    (root / "panel.csv").write_text(ROWS, encoding="utf-8")
    said = ["--set", "reporter=CHN", "flow=import", "--set", "nomenclature=HS2017"]
    assert main(["ingest", "tidy", str(root / "panel.csv"), "--store", str(root / "store"), *said]) == 0
    return root / "store"


def test_help_shows_every_command_and_stays_light():
    code = (
        "import sys, autarky.cli\n"
        "try: autarky.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('ibis', 'duckdb', 'pandas', 'altair', 'deltalake', 'pyarrow') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in COMMANDS:
        assert f"\n    {name}" in said
    assert said.splitlines()[-1] == "[]"


@pytest.mark.parametrize("what", ["indicators", "sources", "studies", *registry.card_folders()])
def test_lists(cli, what):
    done = cli("list", what)
    assert done.code == 0
    for name in registry.names(what):
        assert (name.replace("_", "-") if what == "studies" else name) in done.out


def test_measure_in_every_format(cli, trade, tmp_path):
    ask = ("measure", "herfindahl,top_partner", "--store", trade, "--by", "reporter,product")
    csv = cli(*ask, "--format", "csv")
    assert csv.code == 0
    assert csv.err == ""
    frame = pd.read_csv(io.StringIO(csv.out), dtype=str)
    assert list(frame.columns) == ["reporter", "product", "indicator", "value", "unit", "flag"]
    found = frame.set_index(["product", "indicator"])["value"]
    assert float(found["854231", "herfindahl"]) == 0.625
    assert found["854231", "top_partner"] == "USA"
    records = json.loads(cli(*ask, "--format", "json").out)
    assert [r["value"] for r in records] == list(frame["value"])
    assert "herfindahl" in cli(*ask, "--format", "table").out
    for name in ("x.parquet", "x.csv", "x.json"):
        assert cli(*ask, "-o", tmp_path / name).out == ""
    assert len(pd.read_parquet(tmp_path / "x.parquet")) == 4
    assert len(pd.read_csv(tmp_path / "x.csv")) == len(json.loads((tmp_path / "x.json").read_text())) == 4


def test_parquet_goes_to_standard_output(trade):
    ask = [sys.executable, "-m", "autarky.cli", "measure", "count", "--store", str(trade), "--by", "product"]
    done = subprocess.run([*ask, "--format", "parquet"], capture_output=True, check=True)
    assert len(pd.read_parquet(io.BytesIO(done.stdout))) == 2


def test_conditions_and_window(cli, trade):
    ask = ("measure", "count", "--store", trade, "--by", "period", "--format", "csv")
    assert len(cli(*ask, "--where", "partner=USA", "product=854231,848620").rows) == 2
    assert len(cli(*ask, "--where", "partner=USA", "--where", "product!=848620").rows) == 1
    assert len(cli(*ask, "--since", "2020-02").rows) == 1
    assert len(cli(*ask, "--until", "2020-01").rows) == 1
    assert len(cli(*ask, "--source", "tidy").rows) == 2


def test_nothing_matched_is_exit_1(cli, trade):
    for extra in (["--where", "partner=BRA"], ["--since", "2030"], ["--where", "reporter=BRA"], ["--source", "gacc"]):
        done = cli("measure", "count", "--store", trade, "--by", "period", *extra)
        assert (done.code, done.out) == (1, "")
        assert "no data matched" in done.err
    done = cli("run", "self-reliance", "--store", trade, "--out", trade.parent / "o", "--reporter", "DEU")
    assert done.code == 1
    assert not (trade.parent / "o").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["measure", "gini", "--by", "product"], "there is no indicator 'gini'"),
        (["measure", "count", "--by", "country"], "there is no key 'country'"),
        (["measure", "count", "--by", "product", "--where", "x=1"], "there is no field 'x'"),
        (["measure", "count", "--by", "product", "--since", "x"], "expected a year"),
        (["measure", "count", "--by", "product", "--since", "2021", "--until", "2020"], "is after --until"),
        (["measure", "count", "--by", "product", "--as-of", "7"], "there is no version 7"),
        (["run", "no-such-study", "--out", "x"], "there is no study 'no_such_study'"),
        (["run", "self-reliance", "--out", "x", "--watchlist", "none"], "there is no card 'none'"),
        (["run", "self-reliance", "--out", "x", "--colour", "red"], "unrecognized arguments"),
        (["ingest", "nosource", "x.csv"], "there is no source 'nosource'"),
        (["ingest", "tidy", "x.csv", "--set", "reporter"], "expected FIELD=VALUE"),
    ],
)
def test_bad_usage_is_exit_2(cli, trade, args, message):
    done = cli(*args, "--store", trade)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_store_that_is_not_there(cli, tmp_path):
    for command in ("coverage", "log"):
        done = cli(command, "--store", tmp_path / "none")
        assert done.code == 2
        assert "there is no store here" in done.err
    assert not (tmp_path / "none").exists()


def test_watchlist_show(cli):
    rows = cli("watchlist", "show", "naughton-fang-2025-batch1", "--format", "csv").rows
    assert len(rows) == len({r["code"] for r in rows}) == 86
    assert {r["group"] for r in rows} == {e["group"] for e in rows}
    medical = next(r for r in rows if r["code"] == "90275000")
    assert (medical["since"], medical["until"]) == ("", "2021")
    assert cli("watchlist", "show", "nothing").code == 2


def test_a_list_of_the_users_own(cli, tmp_path):
    card = tmp_path / "mine.yml"
    head = "id: mine\ntitle: t\nsource: s\nnomenclature: HS2017\n"
    good = head + 'groups:\n- {group: a, category: b, codes: [{code: "0102", label: c}]}\n'
    card.write_text(good, encoding="utf-8")
    assert cli("watchlist", "show", card, "--format", "csv").rows[0]["code"] == "0102"
    card.write_text(good.replace('"0102"', "0102"), encoding="utf-8")
    done = cli("watchlist", "show", card)
    assert done.code == 2
    assert "put it in quotes" in done.err


def test_coverage_and_log(cli, trade):
    row = cli("coverage", "--store", trade, "--format", "csv").rows[0]
    assert (row["source"], row["nomenclature"], row["reporters"], row["rows"]) == ("tidy", "HS2017", "1", "3")
    assert (row["first"], row["last"]) == ("2020-01-01", "2020-02-01")
    row = cli("log", "--store", trade, "--format", "csv").rows[0]
    assert (row["version"], row["rows_added"], row["files"]) == ("0", "3", "panel.csv")
