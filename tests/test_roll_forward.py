"""Roll-forward, bridge and validation: closed forms, identities, absence, a user's table, two real publishers."""

from __future__ import annotations

from pathlib import Path

import annual_rows as rows
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky import adjusted, aggregates, reader, roll_forward
from autarky.errors import MeasureError, SourceError
from autarky.placement import UNCLASSIFIED
from autarky.studies._self_reliance import end_use_tables

PANEL = "us-exports-to-china-monthly-hs6-2013-01_2021-02.parquet"


def monthly(
    values: list[float], start: str = "2019-01", category: str = "capital", flow: str = "import"
) -> pd.DataFrame:
    months = pd.period_range(start, periods=len(values), freq="M")
    return pd.DataFrame({"month": months, "flow": "import", "category": "capital", "value_usd": values})


def base(value: float, category: str = "capital", year: int = 2019) -> pd.DataFrame:
    return pd.DataFrame({"year": [year], "flow": ["import"], "category": [category], "value_usd": [value]})


def indices(values: list[float], start: str = "2020-01") -> pd.DataFrame:
    return monthly(values, start).rename(columns={"value_usd": "index"})


# --- indices and roll-forward


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.9, 3), st.floats(1, 1e12), st.integers(1, 5))
def test_constant_growth_compounds(growth: float, value: float, years: int) -> None:
    found = roll_forward.roll(base(value), indices([100 * (1 + growth)] * 12 * years), range(2020, 2020 + years))
    assert found["value_usd"].tolist() == pytest.approx([value * (1 + growth) ** n for n in range(1, years + 1)])


positive = st.lists(st.floats(1e-3, 1e9), min_size=36, max_size=36)


@settings(max_examples=40, deadline=None)
@given(positive)
def test_indices_of_a_series_carry_its_years_exactly(values: list[float]) -> None:
    series = monthly(values)
    years = np.array(values).reshape(3, 12).sum(axis=1)
    found = roll_forward.roll(base(years[0]), roll_forward.indices_from_monthly(series), [2020, 2021])
    assert found["value_usd"].tolist() == pytest.approx(list(years[1:]), rel=1e-12)
    annual = pd.concat([base(v, year=2019 + i) for i, v in enumerate(years)])
    checked = roll_forward.validate(annual, roll_forward.indices_from_monthly(series), 2019, [2020, 2021])
    assert checked["residual"].abs().max() < 1e-12


def test_an_index_is_a_percentage_of_the_mean_of_the_year_before() -> None:
    found = roll_forward.indices_from_monthly(monthly([10.0] * 12 + [12.0, 5.0]))
    assert found["index"].tolist() == [120, 50]
    assert list(found["month"].astype(str)) == ["2020-01", "2020-02"]


def test_an_index_needs_all_months_of_the_year_before() -> None:
    gap = roll_forward.indices_from_monthly(monthly([10.0] * 11 + [np.nan] + [12.0] * 12 + [1.0, np.nan]))
    assert gap["index"].isna().iloc[:12].all()
    assert set(gap["flag"].iloc[:12]) == {"2019 has 11 of 12 months"}
    assert gap["index"].iloc[12] == pytest.approx(100 / 12)
    assert gap["flag"].iloc[13] == "the month is not reported"
    none = roll_forward.indices_from_monthly(monthly([0.0] * 12 + [12.0]))
    assert (none["index"].isna().all(), none["flag"].iloc[0]) == (True, "2019 is zero")


def test_half_100_half_120_is_ten_percent_more() -> None:
    found = roll_forward.roll(base(1200), indices([100, 120] * 6), [2020])
    assert found["value_usd"].tolist() == [pytest.approx(1320)]


def test_a_year_with_eleven_indices_is_null_and_so_is_the_next() -> None:
    found = roll_forward.roll(base(1200), indices([100.0] * 11 + [np.nan] + [100.0] * 12), [2020, 2021])
    assert found["value_usd"].isna().all()
    assert found["flag"].tolist() == ["2020 has 11 of 12 indices"] * 2


def test_roll_says_what_is_missing() -> None:
    with pytest.raises(MeasureError, match=r"no index for import raw; the indices are for import capital"):
        roll_forward.roll(base(1, "raw"), indices([100.0] * 12), [2020])
    with pytest.raises(MeasureError, match="follow one another"):
        roll_forward.roll(base(1), indices([100.0] * 12), [2020, 2022])
    with pytest.raises(MeasureError, match="no column flow"):
        roll_forward.roll(base(1), indices([100.0] * 12).drop(columns="flow"), [2020])
    with pytest.raises(MeasureError, match="base year 2018"):
        roll_forward.validate(base(1), indices([100.0] * 12), 2018, [2019])


# --- a user's table


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "indices.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    return path


def test_a_users_table_is_read(tmp_path: Path) -> None:
    text = "Month,Category,Flow,Index\n" + "".join(f"2020-{m:02},capital,import,110\n" for m in range(1, 13))
    found = roll_forward.read_indices(written(tmp_path, text))
    assert roll_forward.roll(base(100), found, [2020])["value_usd"].tolist() == [pytest.approx(110)]
    empty = roll_forward.read_indices(written(tmp_path, "month,category,index\n2020-01,capital,\n"))
    assert empty["index"].isna().all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("month,index\n2020-01,1\n", "no column category"),
        ("month,category,index\n2020-13,capital,100\n", r"row 2: month '2020-13' \(expected 2024-01\)"),
        ("month,category,index\n2020-01,capital,1e2x\n", "row 2: index '1e2x'"),
        ("month,category,index\n2020-01,capital,-5\n", "row 2: index '-5'"),
        ("month,category,index\n2020-01,capital,1\n2020-01,capital,2\n", "more than one index for 2020-01 capital"),
        ("month,category,flow,index\n2020-01,capital,imports,1\n", "row 2: flow 'imports'"),
        ("", "not a readable"),
    ],
)
def test_a_malformed_table_is_refused_by_row(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        roll_forward.read_indices(written(tmp_path, text))


# --- bridge


def years(values: dict[int, float | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {"year": list(values), "flow": "import", "category": "capital", "value_usd": list(values.values())}
    )


def test_bridge_by_hand() -> None:
    made = roll_forward.bridge(
        years({2021: 110, 2022: 120, 2023: 130}),
        years({2021: 100, 2022: 100, 2023: 100, 2024: 200}),
        [2021, 2022, 2023],
    )
    assert made.ratios["residual"].tolist() == pytest.approx([0.1, 0.2, 0.3])
    spread = made.spread.iloc[0]
    assert (spread["years"], spread["mean"], spread["low"], spread["high"]) == pytest.approx((3, 0.2, 0.1, 0.3))
    assert spread["sd"] == pytest.approx(np.std([0.1, 0.2, 0.3], ddof=1))
    estimate = made.estimates.iloc[0]
    assert estimate["year"] == 2024
    assert (estimate["value_usd"], estimate["low_usd"], estimate["high_usd"]) == pytest.approx((240, 220, 260))


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 100), st.lists(st.floats(1, 1e12), min_size=4, max_size=4))
def test_a_constant_ratio_is_bridged_exactly(ratio: float, values: list[float]) -> None:
    five = dict(zip(range(2021, 2025), values, strict=True))
    made = roll_forward.bridge(years({y: ratio * v for y, v in five.items()}), years(five), [2021, 2022, 2023], [2024])
    estimate = made.estimates.iloc[0]
    for name in ("value_usd", "low_usd", "high_usd"):
        assert estimate[name] == pytest.approx(ratio * values[3], rel=1e-9)


def test_bridge_without_a_value_has_a_reason() -> None:
    made = roll_forward.bridge(years({2021: 1, 2022: 1}), years({2021: 0, 2022: None, 2023: 5}), [2021, 2022])
    assert made.ratios["residual"].isna().all()
    assert made.ratios["flag"].notna().all()
    assert made.estimates["value_usd"].isna().all()
    assert made.estimates["flag"].iloc[0].startswith("no BEC5 value, or no residual")
    with pytest.raises(MeasureError, match="2020 must be in both"):
        roll_forward.bridge(years({2021: 1}), years({2021: 1}), [2020])


# --- validation


def test_residuals_by_hand_and_their_sums() -> None:
    annual = pd.concat(
        [base(100), base(110, year=2020), base(100, year=2021), base(50, "raw"), base(40, "raw", year=2020)]
    )
    table = pd.concat([indices([100.0] * 24), indices([100.0] * 24).assign(category="raw")])
    found = roll_forward.validate(annual, table, 2019, [2020, 2021]).set_index(["year", "flow", "category"])
    assert found.loc[(2020, "import", "capital"), "residual"] == pytest.approx(100 / 110 - 1)
    assert found.loc[(2020, "import", "all"), "residual"] == pytest.approx(150 / 150 - 1)
    # Raw goods have no value in 2021, so neither side of that year's sum holds them.
    assert found.loc[(2021, "import", "raw"), "flag"] == "no actual value"
    assert found.loc[(2021, "import", "all"), "residual"] == pytest.approx(0)
    pooled = found.loc[found.index.get_level_values("year").isna()].reset_index()
    whole = pooled[(pooled["flow"] == "all") & (pooled["category"] == "all")]
    assert whole["residual"].tolist() == pytest.approx([250 / 250 - 1])


def test_from_the_actual_year_before() -> None:
    annual = pd.concat([base(100), base(200, year=2020), base(200, year=2021)])
    chained, rebased = (
        roll_forward.validate(annual, indices([100.0] * 24), 2019, [2020, 2021], rebased=r) for r in (False, True)
    )
    assert chained["projected_usd"].iloc[1] == pytest.approx(100)
    assert rebased["projected_usd"].iloc[1] == pytest.approx(200)


def test_beside_the_printed_residuals() -> None:
    annual = pd.concat([base(100), base(102, year=2020)])
    checked = roll_forward.validate(annual, indices([100.0] * 12), 2019, [2020])
    table = end_use_tables.residuals(checked, checked, adjusted.published()).set_index("flow")
    assert table["printed"].to_dict() == {"all": 0.003, "import": 0.012, "export": 0.006}
    assert table.loc["import", "chained"] == pytest.approx(100 / 102 - 1)
    assert table.loc["import", "mean_absolute"] == pytest.approx(1 - 100 / 102)
    assert pd.isna(table.loc["export", "chained"])


def test_two_publishers_agree_when_each_year_is_in_its_own_edition(
    shared: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Comtrade's values of 2015, carried on by the Census Bureau's months, are Comtrade's of 2016 to 2020."""
    un = rows.un(tmp_path_factory.mktemp("un"))
    census = pd.read_parquet(shared / "us-china" / PANEL)
    parts = []
    for edition, chosen in (("HS2012", census["period"] < "2017"), ("HS2017", census["period"] >= "2017")):
        path = tmp_path / f"{edition}.csv"
        census[chosen].rename(columns={"hs6": "product"}).to_csv(path, index=False)
        known = {"reporter": "USA", "partner": "CHN", "flow": "export", "nomenclature": edition, "valuation": "FOB"}
        flows = reader.read("tidy", path, values=known)
        parts.append(
            aggregates.monthly_by_end_use(flows, flows.table.get_backend(), "USA", partner="CHN", reference=un)
        )
    months = pd.concat(parts, ignore_index=True)
    files = sorted((shared / "us-china").glob("comtrade-usa-china-annual-hs2-4-6-*.parquet"))
    years = reader.read("comtrade", [*files])
    annual = aggregates.by_end_use(
        years, years.table.get_backend(), "USA", partner="CHN", flow="export", reference=un
    ).frame
    found = roll_forward.validate(annual, roll_forward.indices_from_monthly(months), 2015, range(2016, 2021))
    each = found[found["year"].notna() & (found["category"] != "all") & (found["category"] != UNCLASSIFIED)]
    assert len(each) == 20
    assert each["residual"].abs().max() < 0.015
    pooled = found[found["year"].isna() & (found["flow"] == "export") & (found["category"] == "all")]
    assert pooled["residual"].abs().item() < 0.003
