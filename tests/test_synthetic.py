"""The synthetic panel reproduces table C1 and the levels of the text, whatever else it invents."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from autarky import synthetic

CARDS = Path(__file__).parents[1] / "src" / "autarky" / "data" / "watchlists"
GROUPS: list[dict[str, Any]] = [
    group
    for name in ("naughton-fang-2025-batch1", "naughton-fang-2025-batch2")
    for group in yaml.safe_load((CARDS / f"{name}.yml").read_text(encoding="utf-8"))["groups"]
]
ROWS = {row["code"]: row for group in GROUPS for row in group["codes"]}
BATCH1 = [group for group in GROUPS if group["published"]]


@pytest.fixture(scope="module")
def flows() -> pd.DataFrame:
    frame = synthetic.panel().to_pandas()
    return frame.assign(period=pd.to_datetime(frame["period"]))


def monthly(flows: pd.DataFrame, groups: list[dict[str, Any]]) -> pd.Series:
    codes = [row["code"] for group in groups for row in group["codes"]]
    series = flows[flows["product"].isin(codes)].groupby("period")["value_usd"].sum()
    assert list(series.index) == list(pd.date_range("2015-01-01", "2024-12-01", freq="MS"))
    return series


def category(flows: pd.DataFrame, name: str) -> pd.Series:
    return monthly(flows, [group for group in BATCH1 if group["category"] == name])


def pattern(values: np.ndarray) -> tuple[float, float]:
    """V and G as printed in section 4 of the paper, written out."""
    mean = sum(values) / len(values)
    deviation = (sum((x - mean) ** 2 for x in values) / (len(values) - 1)) ** 0.5
    weighted = sum(t * (x - values[0]) / values[0] for t, x in enumerate(values, start=1))
    return deviation / mean, weighted / sum(range(1, len(values) + 1))


@pytest.mark.parametrize("group", BATCH1, ids=lambda group: group["group"])
def test_volatility_and_growth_are_those_of_table_c1(flows: pd.DataFrame, group: dict[str, Any]) -> None:
    v, g = pattern(monthly(flows, [group]).to_numpy())
    assert v == pytest.approx(group["published"]["volatility"], abs=1e-9)
    assert g == pytest.approx(group["published"]["growth"], abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_every_seed_reaches_table_c1(seed: int) -> None:
    frame = synthetic.panel(seed).to_pandas()
    for group in BATCH1:
        codes = [row["code"] for row in group["codes"]]
        series = frame[frame["product"].isin(codes)].groupby("period")["value_usd"].sum().to_numpy()
        v, g = pattern(series)
        assert (round(v, 2), round(g, 2)) == (group["published"]["volatility"], group["published"]["growth"])


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["group"])
def test_the_first_month_is_no_outlier(flows: pd.DataFrame, group: dict[str, Any]) -> None:
    series = monthly(flows, [group]).to_numpy()
    assert 0.65 < series[0] / series[1:6].mean() < 1.35


def test_levels_of_integrated_circuits(flows: pd.DataFrame) -> None:
    series = category(flows, "Semiconductor Intermediate") / 1e9
    assert series["2015"].max() < 20
    assert series.max() == pytest.approx(35, abs=1)
    assert pd.Timestamp("2021-09-01") <= series.idxmax() <= pd.Timestamp("2022-03-01")
    assert series["2022-10":"2022-12"].mean() == pytest.approx(20, abs=1.5)
    assert series["2024-07":].between(25, 30).all()


def test_levels_of_semiconductor_capital_goods(flows: pd.DataFrame) -> None:
    series = category(flows, "Semiconductor Capital") / 1e9
    assert series.idxmax() == pd.Timestamp("2024-12-01")
    assert series.max() == pytest.approx(4.5, abs=0.1)
    change = series.groupby(series.index.year).mean().pct_change().dropna()
    # Section 5 of the paper: a slight fall in 2022 in an otherwise steady rise.
    assert (change.drop(2022) > 0).all()
    assert -0.05 < change[2022] < 0.05
    assert series["2022-07":"2022-12"].mean() < series["2022-01":"2022-06"].mean()


@pytest.mark.parametrize("name", ["Other Capital", "Other Intermediate"])
def test_other_goods_are_lower_in_2024_than_in_2015(flows: pd.DataFrame, name: str) -> None:
    series = category(flows, name)
    assert series["2024"].sum() < series["2015"].sum()


def test_other_capital_goods_peak_in_2018_and_2021(flows: pd.DataFrame) -> None:
    series = category(flows, "Other Capital")
    yearly = series.groupby(series.index.year).sum()
    peaks = [year for year in range(2016, 2024) if yearly[year] > max(yearly[year - 1], yearly[year + 1])]
    assert peaks == [2018, 2021]


def test_lithography_multiplies_more_than_elevenfold(flows: pd.DataFrame) -> None:
    series = monthly(flows, [group for group in GROUPS if group["group"] == "Lithography for Electronics"])
    assert series.max() / series.iloc[0] > 11


def test_levels_of_batch_2(flows: pd.DataFrame) -> None:
    series = monthly(flows, [group for group in GROUPS if not group["published"]]) / 1e9
    assert series["2015"].mean() < 1.0
    assert pd.Timestamp("2018-05-01") <= series.idxmax() <= pd.Timestamp("2018-09-01")
    assert 1.4 < series.max() < 1.5
    assert series["2019-03":"2020-06"].max() < 1.25
    rebound = series["2020-12":"2021-06"].max()
    assert 0.9 * series.max() < rebound < series.max()
    yearly = series.groupby(series.index.year).mean()
    assert yearly[2021] > yearly[2022] > yearly[2023] > yearly[2024]


def test_every_code_trades_in_every_month_of_its_window_and_in_no_other(flows: pd.DataFrame) -> None:
    assert set(flows["product"]) == set(ROWS)
    for code, months in flows.groupby("product")["period"]:
        since, until = ROWS[code]["since"] or 2015, ROWS[code]["until"] or 2024
        assert months.min() == pd.Timestamp(since, 1, 1)
        assert months.max() == pd.Timestamp(until, 12, 1)
        assert months.nunique() == 12 * (until - since + 1)


@pytest.mark.parametrize(
    ("before", "after", "year"),
    [
        (["85423300"], ["85423310", "85423390"], 2016),
        (["85423900"], ["85423910", "85423990"], 2016),
        (["90151000"], ["90151010"], 2023),
        (["84775990"], ["84775900"], 2022),
        (["84561000"], ["84561100"], 2022),
    ],
)
def test_a_successor_goes_on_at_the_level_of_its_predecessor(
    flows: pd.DataFrame, before: list[str], after: list[str], year: int
) -> None:
    group = next(group for group in GROUPS if any(row["code"] == before[0] for row in group["codes"]))
    whole = monthly(flows, [group])
    old = flows[flows["product"].isin(before)].groupby("period")["value_usd"].sum() / whole
    new = flows[flows["product"].isin(after)].groupby("period")["value_usd"].sum() / whole
    assert new[str(year)].mean() == pytest.approx(old[str(year - 1)].mean(), rel=0.2)


def test_schema_and_values(flows: pd.DataFrame) -> None:
    table = synthetic.panel()
    assert table.schema.names == ["period", "partner", "product", "value_usd", "weight_kg"]
    assert table.schema.types == [pa.date32(), pa.string(), pa.string(), pa.float64(), pa.float64()]
    assert np.isfinite(flows["value_usd"]).all()
    assert (flows["value_usd"] > 0).all()
    assert [table.column(name).null_count for name in table.schema.names[:4]] == [0, 0, 0, 0]
    weight = table.column("weight_kg")
    assert 0 < weight.null_count < 0.05 * len(weight)
    known = np.array(weight.drop_null())
    assert np.isfinite(known).all()
    assert (known > 0).all()
    assert table.column("period")[0].as_py() == datetime.date(2015, 1, 1)
    assert not flows.duplicated(["period", "partner", "product"]).any()


def test_partners(flows: pd.DataFrame) -> None:
    pycountry = pytest.importorskip("pycountry")
    assert set(flows["partner"]) <= {country.alpha_3 for country in pycountry.countries} - {"CHN"}
    assert flows.groupby("product")["partner"].nunique().between(8, 20).all()
    present = flows.groupby("product").size()
    possible = flows.groupby("product")["partner"].nunique() * flows.groupby("product")["period"].nunique()
    assert 0.8 < present.sum() / possible.sum() < 0.95, "some partner-months are missing, most are not"


def test_the_seed_decides() -> None:
    assert synthetic.panel(7).equals(synthetic.panel(7))
    assert not synthetic.panel(7).equals(synthetic.panel(8))


def test_importing_the_module_is_cheap() -> None:
    """Beyond what the package itself imports, the module brings nothing heavy along."""
    code = (
        "import sys, autarky, autarky.errors; before = set(sys.modules); import autarky.synthetic; "
        "print(sorted({'numpy', 'pyarrow', 'scipy', 'yaml'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
