"""Macro series: one figure a year, yuan to dollars, and the store that keeps them by version beside the flows."""

from __future__ import annotations

import dataclasses
import types
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Cli, Held, Listed
from deltalake.exceptions import DeltaError
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky import macro_commit, registry
from autarky.commands import run
from autarky.errors import AutarkyError, NoDataError, TableError
from autarky.findings import Findings
from autarky.macro import COLUMNS, KEY, SERIES, Macro
from autarky.macro_commit import _merged
from autarky.store import Store
from autarky.tables import Ledger

FLOWS = "period,reporter,partner,flow,nomenclature,product,value_usd\n"


def series(name: str, area: str, values: dict[str, float | None], source: str = "s") -> pd.DataFrame:
    freq = "M" if all(len(when) > 4 for when in values) else "A"
    rows = [(name, area, pd.Timestamp(when), freq, value, SERIES[name].unit, source) for when, value in values.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"value": "float64"})


def macro(*frames: pd.DataFrame) -> Macro:
    return Macro(pd.concat(frames, ignore_index=True), (), (), None)


def monthly(year: int, values: list[float | None]) -> dict[str, float | None]:
    return {f"{year}-{month:02}": value for month, value in enumerate(values, 1)}


RATES = [6.0 + month / 10 for month in range(12)]


# --- one figure a year


def test_an_annual_series_in_order() -> None:
    found = macro(series("gdp_usd", "CHN", {"2016": 3e12, "2014": 1e12, "2015": None})).annual("gdp_usd", "CHN")
    assert found.index.tolist() == [2014, 2015, 2016]
    assert found.index.dtype.kind == "i"
    assert found.index.name == "year"
    assert found.isna().tolist() == [False, True, False]
    assert (found[2014], found[2016]) == (1e12, 3e12)


def test_a_monthly_series_is_the_mean_of_twelve_months() -> None:
    held = macro(
        series("cny_per_usd", "CHN", monthly(2015, [*RATES])),
        series("cny_per_usd", "CHN", monthly(2016, [*RATES[:11], None])),
        series("cny_per_usd", "CHN", monthly(2017, [*RATES[:6]])),
    )
    # 6.0, 6.1, …, 7.1: an arithmetic series, whose mean is that of its ends.
    assert held.annual("cny_per_usd", "CHN").to_dict() == pytest.approx({2015: (6.0 + 7.1) / 2}, abs=1e-12)


def test_what_is_absent_is_said() -> None:
    held = macro(series("gdp_usd", "CHN", {"2015": 1e12}, "one"), series("gdp_cny", "CN-GD", {"2015": None}, "two"))
    with pytest.raises(NoDataError, match="no series 'cny_per_usd' is held; held are gdp_cny, gdp_usd"):
        held.annual("cny_per_usd", "CHN")
    with pytest.raises(NoDataError, match="gdp_usd is not held of DEU; it is held of CHN"):
        held.annual("gdp_usd", "DEU")
    with pytest.raises(NoDataError, match="gdp_usd of CHN is not held from source 'two'; it is held from one"):
        held.annual("gdp_usd", "CHN", "two")
    with pytest.raises(NoDataError, match=r"gdp_cny of CN-GD \(two\): no year has a figure"):
        held.annual("gdp_cny", "CN-GD")
    short = macro(series("cny_per_usd", "CHN", monthly(2015, [*RATES[:11]])))
    with pytest.raises(NoDataError, match=r"cny_per_usd of CHN \(s\): no year has figures of all twelve months"):
        short.annual("cny_per_usd", "CHN")


def test_two_sources_are_never_mixed() -> None:
    held = macro(series("gdp_usd", "CHN", {"2015": 1e12}, "one"), series("gdp_usd", "CHN", {"2016": 2e12}, "two"))
    with pytest.raises(TableError, match=r"held from 2 sources \(one, two\): name one"):
        held.annual("gdp_usd", "CHN")
    with pytest.raises(TableError, match="name one"):
        held.gdp_usd("CHN")
    assert held.gdp_usd("CHN", "two").to_dict() == {2016: 2e12}


def test_years_and_months_are_never_mixed() -> None:
    held = macro(series("cny_per_usd", "CHN", monthly(2015, [*RATES])), series("cny_per_usd", "CHN", {"2015": 6.5}))
    with pytest.raises(TableError, match="is held by year and by month"):
        held.annual("cny_per_usd", "CHN")


# --- yuan to dollars


def test_dollars_as_reported_come_first() -> None:
    held = macro(
        series("gdp_usd", "CHN", {"2015": 11e12}, "bank"),
        series("gdp_cny", "CHN", {"2015": 70e12}, "bureau"),
        series("cny_per_usd", "CHN", monthly(2015, [7.0] * 12), "rates"),
    )
    found = held.gdp_usd("CHN")
    assert found.to_dict() == {2015: 11e12}
    assert found.attrs["how"] == "as reported in US dollars (bank)"
    other = held.gdp_usd("CHN", "bureau")
    assert other.to_dict() == pytest.approx({2015: 10e12})
    assert other.attrs["how"] == "yuan (bureau) over the mean of the year's twelve monthly CNY per USD (rates)"


def test_a_year_without_twelve_rates_is_undefined() -> None:
    held = macro(
        series("gdp_cny", "CN-GD", {"2015": 7e12, "2016": 8e12}),
        series("cny_per_usd", "CHN", monthly(2015, [7.0] * 12)),
        series("cny_per_usd", "CHN", monthly(2016, [7.0] * 11)),
    )
    found = held.gdp_usd("CN-GD")
    assert found.index.tolist() == [2015, 2016]
    assert found[2015] == pytest.approx(1e12)
    assert pd.isna(found[2016])


def test_dollars_without_rates() -> None:
    with pytest.raises(NoDataError, match="no series 'cny_per_usd' is held"):
        macro(series("gdp_cny", "CHN", {"2015": 70e12})).gdp_usd("CHN")
    with pytest.raises(NoDataError, match="no series 'gdp_usd' is held"):
        macro(series("gdp_cny", "CHN", {"2015": 70e12})).gdp_usd("DEU")


@settings(deadline=None)
@given(yuan=st.floats(1e9, 1e15), rates=st.lists(st.floats(1, 20), min_size=12, max_size=12), factor=st.floats(0.1, 10))
def test_dollars_scale_with_yuan_and_against_the_rate(yuan: float, rates: list[float], factor: float) -> None:
    def dollars(product: float, by: float) -> float:
        held = macro(
            series("gdp_cny", "CHN", {"2015": product}),
            series("cny_per_usd", "CHN", monthly(2015, [rate * by for rate in rates])),
        )
        return float(held.gdp_usd("CHN")[2015])

    plain = dollars(yuan, 1)
    assert plain == pytest.approx(yuan * 12 / sum(rates), rel=1e-12)
    assert yuan / max(rates) <= plain * (1 + 1e-12)
    assert plain * (1 - 1e-12) <= yuan / min(rates)
    assert dollars(yuan * factor, 1) == pytest.approx(plain * factor, rel=1e-12)
    assert dollars(yuan, factor) == pytest.approx(plain / factor, rel=1e-12)


# --- the store


def gdp(path: Path, *rows: tuple[str, int, object]) -> Path:
    lines = "".join(f"x,{area},{year},{value}\n" for area, year, value in rows)
    path.write_text("Country Name,Country Code,Year,Value\n" + lines)
    return path


def flows(path: Path, value: float) -> Path:
    path.write_text(FLOWS + f"2015-01,CHN,DEU,import,HS2022,848620,{value}\n")
    return path


def held_gdp(store: Path, as_of: int | None = None) -> dict[tuple[str, int], float]:
    found = Store(store, as_of).macro()
    assert found is not None
    frame = found.frame
    return dict(zip(zip(frame["area"], frame["period"].dt.year, strict=True), frame["value"], strict=True))


@pytest.fixture
def revised(cli: Cli, store: Path, tmp_path: Path) -> Path:
    """A store of two versions of GDP: the second revises one figure, repeats one and adds one."""
    first = gdp(tmp_path / "first.csv", ("CHN", 2014, 10e12), ("CHN", 2015, 11e12), ("DEU", 2015, 3e12))
    second = gdp(tmp_path / "second.csv", ("CHN", 2015, 11.1e12), ("DEU", 2015, 3e12), ("DEU", 2016, ""))
    for path in (first, second):
        assert cli("ingest", "worldbank", path, "--store", store).code == 0
    return store


def test_a_revision_replaces_by_key_and_the_old_version_stays(cli: Cli, revised: Path, tmp_path: Path) -> None:
    now = held_gdp(revised)
    assert {k: v for k, v in now.items() if v == v} == {
        ("CHN", 2014): 10e12, ("CHN", 2015): 11.1e12, ("DEU", 2015): 3e12,
    }  # fmt: skip
    assert pd.isna(now["DEU", 2016])
    first, second = Store(revised).macro_log()
    assert (first.rows_added, first.rows_replaced, first.rows_unchanged) == (3, 0, 0)
    assert (second.rows_added, second.rows_replaced, second.rows_unchanged) == (3, 1, 1)
    third = gdp(tmp_path / "third.csv", ("CHN", 2014, 9e12), ("CHN", 2015, 9e12))
    ran = cli("ingest", "worldbank", third, "--store", revised)
    assert ran.last.endswith("2 older figures replaced; version 2 of the macro series")
    from deltalake import DeltaTable

    old = DeltaTable(str(revised / "macro"), version=0).to_pyarrow_table().to_pandas()
    assert sorted(old["value"]) == [3e12, 10e12, 11e12]


def test_the_same_bytes_again_change_nothing(cli: Cli, listed: Listed, revised: Path, tmp_path: Path) -> None:
    before = listed(revised)
    again = tmp_path / "again.csv"
    again.write_bytes((tmp_path / "first.csv").read_bytes())
    ran = cli("ingest", "worldbank", again, "--store", revised)
    assert (ran.code, ran.last) == (0, "nothing changes: already ingested: again.csv (version 0 of the macro series)")
    assert listed(revised) == before
    ran = cli("ingest", "worldbank", again, tmp_path / "second.csv", "--store", revised, "--set", "source=wdi")
    assert ran.code == 2  # The two give China's 2015 two values: one after the other, not both at once.
    assert "gdp_usd of CHN 2015 is" in ran.err
    ran = cli("ingest", "worldbank", again, "--store", revised, "--set", "source=wdi")
    assert ran.last.endswith("version 2 of the macro series")
    found = Store(revised).macro()
    assert found is not None
    assert sorted(o.id for o in found.origins) == ["wdi", "worldbank"]
    assert found.gdp_usd("CHN", "wdi").to_dict() == {2014: 10e12, 2015: 11e12}


def test_known_files_among_new_ones(cli: Cli, revised: Path, tmp_path: Path) -> None:
    third = gdp(tmp_path / "third.csv", ("USA", 2015, 18e12))
    ran = cli("ingest", "worldbank", tmp_path / "first.csv", third, "--store", revised)
    assert "already ingested, passed over: first.csv (version 0 of the macro series)" in ran.err
    # What was known was not read again, so the revision of the second file stands.
    assert held_gdp(revised)["CHN", 2015] == 11.1e12
    twice = gdp(tmp_path / "twice.csv", ("USA", 2016, 18e12))
    copy = tmp_path / "copy.csv"
    copy.write_bytes(twice.read_bytes())
    assert cli("ingest", "worldbank", twice, copy, "--store", revised).last.startswith("1 figures read, 1 kept")


def test_what_led_to_it_is_kept(revised: Path, tmp_path: Path) -> None:
    found = Store(revised).macro()
    assert found is not None
    assert found.version == 1
    assert [f.name for f in found.files] == ["first.csv", "second.csv"]
    assert found.files[0].size == (tmp_path / "first.csv").stat().st_size
    assert found.frame.columns.tolist() == list(COLUMNS)
    assert not found.frame.duplicated(list(KEY)).any()
    assert found.frame["period"].dtype.kind == "M"
    line = Store(revised).macro_log()[1].ledger[0]
    assert (line.step, line.rows_in, line.value_in) == ("read second.csv", 3, pytest.approx(14.1e12))
    assert "sums are in USD" in line.note


def test_a_store_of_series_only(cli: Cli, revised: Path) -> None:
    for command in (("coverage",), ("measure", "count", "--by", "product"), ("run", "self-reliance", "--out", "x")):
        ran = cli(*command, "--store", revised)
        assert (ran.code, ran.out) == (1, "")
        assert "this store holds macro series (`autarky coverage --macro`) and no flows" in ran.err
    with pytest.raises(AutarkyError, match="there is no version 0: the store holds no flows, only macro series"):
        Store(revised, 0)
    with pytest.raises(NoDataError):
        _ = Store(revised).version
    assert Store(revised).log() == []


def test_a_store_of_flows_only(cli: Cli, store: Path, tmp_path: Path) -> None:
    assert cli("ingest", "tidy", flows(tmp_path / "f.csv", 5), "--store", store).code == 0
    assert Store(store).macro() is None
    assert Store(store).macro_log() == []
    ran = cli("coverage", "--store", store, "--macro")
    assert ran.code == 1
    assert "holds no macro series" in ran.err
    assert "macro" not in cli("coverage", "--store", store).err


def test_flows_and_series_live_side_by_side(cli: Cli, held: Held, revised: Path, tmp_path: Path) -> None:
    before = held_gdp(revised)
    assert cli("ingest", "tidy", flows(tmp_path / "f.csv", 5), "--store", revised).last.endswith("version 0")
    assert held(revised)["value_usd"].tolist() == [5.0]
    assert held_gdp(revised).keys() == before.keys()
    ran = cli("coverage", "--store", revised, "--format", "csv")
    assert [r["source"] for r in ran.rows] == ["tidy"]
    assert ran.last == "and 1 macro series: autarky coverage --macro"
    assert cli("coverage", "--macro", "--store", revised, "--format", "csv").rows == [
        {
            "source": "worldbank", "name": "gdp_usd", "unit": "USD", "freq": "A", "areas": "2",
            "first": "2014-01-01", "last": "2016-01-01", "rows": "4", "reported": "3",
        }
    ]  # fmt: skip
    rows = cli("log", "--store", revised, "--format", "csv").rows
    assert [(r["table"], r["version"], r["files"], r["value_usd"]) for r in rows] == [
        ("flows", "0", "f.csv", "5.0"), ("macro", "0", "first.csv", ""), ("macro", "1", "second.csv", ""),
    ]  # fmt: skip
    assert all(len(r["sha256"]) == 12 for r in rows)


def test_as_of_reads_the_series_of_that_time(cli: Cli, store: Path, tmp_path: Path) -> None:
    def add(source: str, path: Path) -> None:
        assert cli("ingest", source, path, "--store", store).code == 0

    add("tidy", flows(tmp_path / "f0.csv", 1))
    assert Store(store, 0).macro() is None
    add("worldbank", gdp(tmp_path / "g0.csv", ("CHN", 2015, 1e12)))
    add("worldbank", gdp(tmp_path / "g1.csv", ("CHN", 2015, 2e12)))
    add("tidy", flows(tmp_path / "f1.csv", 2))
    add("tidy", flows(tmp_path / "f2.csv", 3))
    add("worldbank", gdp(tmp_path / "g2.csv", ("CHN", 2015, 3e12)))
    add("tidy", flows(tmp_path / "f3.csv", 4))
    read = [held_gdp(store, version)["CHN", 2015] for version in range(4)]
    # Versions 0 and 1 of the series came before version 1 of the flows, version 2 before version 3.
    assert read == [2e12, 2e12, 3e12, 3e12]
    assert held_gdp(store)["CHN", 2015] == 3e12
    assert [v.version for v in Store(store, 1).macro_log()] == [0, 1]
    assert [v.flows_version for v in Store(store).macro_log()] == [0, 0, 2]


def test_series_that_came_before_all_flows(cli: Cli, revised: Path, tmp_path: Path) -> None:
    assert [v.flows_version for v in Store(revised).macro_log()] == [-1, -1]
    assert cli("ingest", "tidy", flows(tmp_path / "f.csv", 5), "--store", revised).code == 0
    assert held_gdp(revised, 0)["CHN", 2015] == 11.1e12


KEYS = st.tuples(st.sampled_from(["CHN", "DEU"]), st.sampled_from(["2014", "2015", "2016"]))


@settings(deadline=None)
@given(steps=st.lists(st.dictionaries(KEYS, st.none() | st.sampled_from([1e12, 2e12]), min_size=1), max_size=4))
def test_any_revisions_give_the_last_word_on_every_key(steps: list[dict[tuple[str, str], float | None]]) -> None:
    table: pd.DataFrame | None = None
    last: dict[tuple[str, str], float | None] = {}
    for step in steps:
        new = pd.concat([series("gdp_usd", area, {when: value}) for (area, when), value in step.items()])
        known = {k: v for k, v in last.items() if k in step}
        table, replaced, unchanged = _merged(table, new)
        assert replaced == sum(step[k] != v for k, v in known.items())
        assert unchanged == sum(step[k] == v for k, v in known.items())
        last |= step
    rows = [] if table is None else list(table.itertuples())
    assert {(r.area, f"{r.period:%Y}"): None if pd.isna(r.value) else r.value for r in rows} == last
    assert len(rows) == len(last)


# --- when writing fails


def failing(after: bool, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = macro_commit._write

    def write(root: Path, table: Any, record: dict[str, Any]) -> None:
        if after:
            plain(root, table, record)
        else:
            (root / "macro" / "_delta_log").mkdir(parents=True, exist_ok=True)
            (root / "macro" / "part-0.parquet").write_bytes(b"half")
        raise error

    monkeypatch.setattr(macro_commit, "_write", write)


@pytest.mark.parametrize("error", [OSError("No space left on device"), DeltaError("disk full")])
def test_a_failed_write_leaves_the_store_as_it_was(
    error: Exception, cli: Cli, listed: Listed, revised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listed(revised)
    failing(False, error, monkeypatch)
    path = gdp(tmp_path / "third.csv", ("USA", 2015, 18e12))
    ran = cli("ingest", "worldbank", path, "--store", revised)
    assert ran.code == 2
    assert f"the commit failed: {error}. The store is as it was." in ran.err
    assert listed(revised) == before
    monkeypatch.undo()
    assert cli("ingest", "worldbank", path, "--store", revised).last.endswith("version 2 of the macro series")


def test_a_failed_first_write_leaves_no_store(
    cli: Cli, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(False, DeltaError("disk full"), monkeypatch)
    assert cli("ingest", "worldbank", gdp(tmp_path / "a.csv", ("USA", 2015, 18e12)), "--store", store).code == 2
    assert not store.exists()


def test_what_fails_after_the_version_is_written_takes_nothing_back(
    cli: Cli, revised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(True, DeltaError("no checkpoint"), monkeypatch)
    ran = cli("ingest", "worldbank", gdp(tmp_path / "c.csv", ("USA", 2015, 18e12)), "--store", revised)
    assert (ran.code, ran.last.rpartition("; ")[2]) == (0, "version 2 of the macro series")
    assert held_gdp(revised)["USA", 2015] == 18e12


def test_a_failed_ingest_of_flows_leaves_the_series(cli: Cli, listed: Listed, revised: Path, tmp_path: Path) -> None:
    before = listed(revised)
    path = flows(tmp_path / "f.csv", 5)
    path.write_text(path.read_text().replace("CHN", "nowhere"))
    assert cli("ingest", "tidy", path, "--store", revised).code == 2
    assert listed(revised) == before


@pytest.mark.parametrize("name", ["with space", "ünï-数据", "year=1999", "a'b", "a[1]*?#"])
def test_names_of_stores(name: str, cli: Cli, tmp_path: Path) -> None:
    store = tmp_path / name / "store"
    for value in (1e12, 2e12):
        path = gdp(tmp_path / f"{value:g}.csv", ("CHN", 2015, value))
        assert cli("ingest", "worldbank", path, "--store", store).code == 0
    assert held_gdp(store) == {("CHN", 2015): 2e12}
    assert [r["files"] for r in cli("log", "--store", store, "--format", "csv").rows] == ["1e+12.csv", "2e+12.csv"]
    assert cli("ingest", "worldbank", path, "--store", store).last.startswith("nothing changes")


# --- a study that asks for the series


@pytest.mark.parametrize("asks", [True, False])
def test_a_study_is_given_the_series_it_asks_for(
    asks: bool, cli: Cli, revised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Macro | None] = []
    empty = Findings(
        study="s", title="t", subtitle="", sections=(), tables=(), figures=(), ledger=Ledger(), origins=(), files=(),
        parameters={}, synthetic=False,
    )  # fmt: skip

    def asking(flows: Any, con: Any, *, macro: Macro | None = None, since: Any = None, until: Any = None) -> Findings:
        given.append(macro)
        return empty

    def plain(flows: Any, con: Any, *, reporter: str = "CHN", since: Any = None, until: Any = None) -> Findings:
        return dataclasses.replace(empty, subtitle=reporter)

    study = types.SimpleNamespace(run=asking if asks else plain)
    assert list(run.parameters(study)) == ([] if asks else ["reporter"])
    monkeypatch.setattr(registry, "study", lambda _name: study)
    assert cli("ingest", "tidy", flows(tmp_path / "f.csv", 5), "--store", revised).code == 0
    assert cli("run", "s", "--store", revised, "--out", tmp_path / "out").code == 0
    assert [m.version for m in given if m] == ([1] if asks else [])
    assert cli("run", "s", "--store", revised, "--out", tmp_path / "out", "--macro", "x").code == 2


# --- real files


def test_the_product_of_china_from_two_publishers(shared: Path, cli: Cli, store: Path) -> None:
    """The Bank's dollars and the Bureau's yuan at the market rate agree within three hundredths."""
    for source, name in (
        ("worldbank", "world-bank-gdp-usd"),
        ("nbs", "china-national-gdp-2015_2024"),
        ("nbs", "china-provincial-gdp-2015_2024"),
        ("rates", "cny-per-usd-monthly"),
    ):
        path = shared / "macro" / f"{name}.csv"
        if not path.is_file():
            pytest.skip(f"{path} is absent")
        assert cli("ingest", source, path, "--store", store).code == 0
    found = Store(store).macro()
    assert found is not None
    bank, bureau = found.gdp_usd("CHN"), found.gdp_usd("CHN", "nbs")
    assert bureau.index.tolist() == list(range(2015, 2025))
    ratio = (bureau / bank).dropna()
    assert ratio.index.tolist() == list(range(2015, 2024))
    assert ((ratio - 1).abs() < 0.03).all()
    # Each by hand from the raw files.
    rates = pd.read_csv(shared / "macro" / "cny-per-usd-monthly.csv", parse_dates=["Date"])
    yearly = rates.groupby(rates["Date"].dt.year)["Exchange rate"].mean()
    nation = pd.read_csv(shared / "macro" / "china-national-gdp-2015_2024.csv").set_index("年份")["GDP总量"]
    assert bureau.to_dict() == pytest.approx((nation * 1e8 / yearly.loc[2015:2024]).to_dict(), rel=1e-12)
    assert 2026 not in found.annual("cny_per_usd", "CHN").index
    # Provinces do not add up to the nation, and nothing here adds them. That they are 0.975 of it in every year shows
    # that this table was rescaled by whoever compiled it: fit to test a reader, not to draw a result from.
    provinces = [a for a in found.frame["area"].unique() if a.startswith("CN-")]
    total = sum(found.annual("gdp_cny", a) for a in provinces)
    assert (total / found.annual("gdp_cny", "CHN")).loc[2015:2023].tolist() == pytest.approx([0.975] * 9, abs=1e-6)
