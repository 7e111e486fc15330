"""What code changes do to a list's groups: from the command line on a made panel of 8-digit codes, and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from examples import draw

from autarky import breaks_chart, chains, theme, watchlists

from conftest import Cli  # isort: skip

MONTHS = pd.period_range("2015-01", "2023-12", freq="M")
LIST = "naughton-fang-2025-batch1"
POLYMERS, LASERS = "Polymers", "Laser/Optical Measurement Devices"
# code -> (first, last) year, 100 USD a month; 39019020 and 90151090 are on no list, their continuations are.
LINES = {
    "39019020": (2015, 2016),
    "39014020": (2017, 2023),
    "90151000": (2015, 2022),
    "90151010": (2023, 2023),
    "90151090": (2023, 2023),
}


def steady(group: str) -> str:
    """Return a listed code of a group that no chain touches."""
    touched = set(chains.products(chains.load(LIST)))
    return next(e.code for e in watchlists.load(LIST).entries if e.group == group and e.code not in touched)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("panel") / "panel.csv"
    lines = LINES | {steady(POLYMERS): (2015, 2023)}
    rows = [
        f"{month},CHN,WLD,import,GACC8,{code},{50 if code in ('90151010', '90151090') else 100}"
        for code, (first, last) in lines.items()
        for month in MONTHS
        if first <= month.year <= last
    ]
    head = "period,reporter,partner,flow,nomenclature,product,value_usd"
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return path


@pytest.fixture
def filled(panel: Path, store: Path, cli: Cli) -> Path:
    assert cli("ingest", "tidy", panel, "--store", store, "--set", "freq=M").code == 0
    return store


@pytest.mark.parametrize("how", ["as-is", "chained", "dropped"])
def test_run_under_each_treatment(cli: Cli, filled: Path, tmp_path: Path, how: str) -> None:
    """Trade that does not change at all grows only because a code begins; chained, or without the code, it does not."""
    out = tmp_path / "out"
    ran = cli("run", "self-reliance", "--store", filled, "--out", out, "--breaks", how, "--replicates", 5)
    assert ran.code == 0, ran.err
    each = pd.read_csv(out / "tables/breaks.csv").set_index(["group", "breaks"])
    weights = range(1, len(MONTHS) + 1)
    # One of two steady lines of 100 begins in month 25: x' is 1 from there on.
    grown = sum(t for t in weights if t > 24) / sum(weights)
    assert each.loc[(POLYMERS, "as-is"), "growth"] == pytest.approx(grown)
    # The 50 of the part that the list leaves out are lost in the last 12 months.
    shrunk = -0.5 * sum(t for t in weights if t > 96) / sum(weights)
    assert each.loc[(LASERS, "as-is"), "growth"] == pytest.approx(shrunk)
    for group in (POLYMERS, LASERS):
        assert each.loc[(group, "chained"), "growth"] == pytest.approx(0, abs=1e-12)
        assert each.loc[(group, "chained"), "volatility"] == pytest.approx(0, abs=1e-12)
    assert each.loc[(POLYMERS, "dropped"), "growth"] == pytest.approx(0, abs=1e-12)
    assert pd.isna(each.loc[(LASERS, "dropped"), "growth"]), "nothing is left of a group whose only line breaks"
    held = pd.read_csv(out / "tables/patterns.csv").set_index("group")
    for group in (POLYMERS, LASERS):
        growth = each.loc[(group, how), "growth"]
        assert held.loc[group, "growth"] == pytest.approx(growth, abs=1e-12, nan_ok=True)
    assert "What code changes do to the result" in Path(ran.last.removeprefix("report: ")).read_text(encoding="utf-8")


def test_an_unknown_treatment(cli: Cli, filled: Path, tmp_path: Path) -> None:
    ran = cli("run", "self-reliance", "--store", filled, "--out", tmp_path / "out", "--breaks", "mended")
    assert ran.code == 2
    assert "chained" in ran.err
    assert not (tmp_path / "out").exists()


# --- the chart


def frames() -> dict[str, pd.DataFrame]:
    whole = pd.DataFrame({"A": 2e6, "B": 5e9}, index=MONTHS)
    printed = whole.copy()
    printed.loc[MONTHS.year < 2017, "A"] = 1e6
    return {"as-is": printed, "chained": whole, "dropped": printed[["B"]]}


def test_the_chart_draws_each_treatment_and_names_what_is_empty() -> None:
    chart = breaks_chart.before_after(frames(), {"A": (2017,), "B": (2017, 2022)})
    svg = draw(chart)
    for said in ("million USD a month", "billion USD a month", "as-is", "chained", "dropped"):
        assert said in svg
    assert "Nothing left to draw: A (dropped)." in svg
    assert float(svg.split('width="', 1)[1].split('"', 1)[0]) <= theme.WIDTH + 20
    assert json.dumps(chart.to_dict()) == json.dumps(
        breaks_chart.before_after(frames(), {"A": (2017,), "B": (2017, 2022)}).to_dict()
    )


def test_the_chart_smooths_over_twelve_months_that_are_all_reported() -> None:
    series = frames()
    series["as-is"].loc["2020-06", "B"] = None
    data = breaks_chart.before_after(series, {"A": (2017,), "B": (2022,)}).to_dict()["datasets"]
    drawn = {(r["month"], r["treatment"]): r["value"] for rows in data.values() for r in rows
             if "treatment" in r and r["value"] is not None and r["value"] < 3}  # fmt: skip
    assert ("2015-11-01", "as-is") not in drawn
    assert drawn["2015-12-01", "as-is"] == pytest.approx(1.0)
    assert drawn["2017-06-01", "as-is"] == pytest.approx(1.5)
    large = {(r["month"], r["treatment"]): r["value"] for rows in data.values() for r in rows
             if "treatment" in r and r["value"] != drawn.get((r["month"], r["treatment"]))}  # fmt: skip
    assert large["2020-05-01", "as-is"] == pytest.approx(5.0)
    assert large["2020-06-01", "as-is"] is large["2021-05-01", "as-is"] is None
    assert large["2021-06-01", "as-is"] == pytest.approx(5.0)


def test_the_chart_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(ValueError, match="mended"):
        breaks_chart.before_after({"mended": frames()["as-is"]}, {"A": (2017,)})
    with pytest.raises(ValueError, match="no group"):
        breaks_chart.before_after(frames(), {})
