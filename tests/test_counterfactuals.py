"""Cards of counterfactuals, and the part of the study that fits them, on the synthetic and on the real panel."""

import numpy as np
import pandas as pd
import pytest

import autarky
from autarky import counterfactuals, registry
from autarky.errors import CardError
from autarky.macro import Macro

STUDY = registry.study("self-reliance")
PANEL = "us-china/us-exports-to-china-monthly-hs6-2013-01_2021-02.parquet"
CARD = """
id: mine
title: "Mine"
source: "me"
baseline: ["2015-01", "2018-12"]
regressors: [time]
series:
  - id: one
    title: "One"
    groups: ["Polymers"]
    windows: [{first: "2019-01", last: "2019-12"}]
"""


def write(tmp_path, text=CARD):
    path = tmp_path / "mine.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def frame_of(findings, name):
    return next(t.frame for t in findings.tables if t.name == name)


@pytest.mark.parametrize("name", registry.names("counterfactuals"))
def test_shipped_cards_load(name):
    card = counterfactuals.load(name)
    assert card.series
    assert all(w.first > pd.Period(card.baseline[1], "M") for s in card.series for w in s.windows)


def test_printed_values_stand_on_the_card():
    printed = [w for s in counterfactuals.load("naughton-fang-2025").series for w in s.windows]
    assert [w.published_usd for w in printed] == [124.9e9, -116.1e9, 8.85e9]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["2015-01", "2018-12"]', '["2015-01"]', "expected two months"),
        ('"2018-12"', '"2018-13"', "'2018-13' is not a month"),
        ("regressors: [time]", "regressors: [time, equipment]", "no `equipment:`"),
        ('groups: ["Polymers"]', "products: [0102]", "66 is not a string of digits"),
        ('groups: ["Polymers"]', 'groups: ["Polymers"]\n    products: ["8542"]', "expected one of"),
        ('last: "2019-12"', 'last: "2018-12"', "before it begins"),
        ('title: "Mine"\n', "", "`title` is missing"),
        ('    title: "One"\n', "", "a series lacks `title`"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(tmp_path, old, new, said):
    assert old in CARD
    with pytest.raises(CardError, match=said):
        counterfactuals.load(write(tmp_path, CARD.replace(old, new)))


@pytest.fixture(scope="module")
def flows(shared):
    columns = {"product": "hs6"}
    values = {"reporter": "CHN", "partner": "USA", "flow": "import", "nomenclature": "HS2017", "valuation": "FOB"}
    return autarky.read("tidy", shared / PANEL, columns=columns, values=values)


def test_products_are_added_up_from_the_real_panel_by_their_first_digits(flows, shared):
    found = STUDY.run(flows, flows.table.get_backend(), replicates=20, counterfactual="us-china-2018")
    raw = pd.read_parquet(shared / PANEL).astype({"hs6": "str"})
    ours = frame_of(found, "excess_path")
    for title, heading in (("Integrated circuits (8542)", "8542"), ("Semiconductor machines (8486)", "8486")):
        value = raw[raw["hs6"].str.startswith(heading)].groupby("period")["value_usd"].sum()
        actual = ours[ours["series"] == title].set_index("period")["actual"].dropna()
        assert actual.to_numpy() == pytest.approx(value.to_numpy(), rel=1e-12)


def test_the_excess_of_the_real_panel_is_that_of_plain_least_squares(flows, shared):
    found = STUDY.run(flows, flows.table.get_backend(), replicates=20, counterfactual="us-china-2018")
    table = frame_of(found, "excess").set_index(["series", "last"])
    raw = pd.read_parquet(shared / PANEL).astype({"hs6": "str"})
    by_month = raw.assign(period=pd.PeriodIndex(pd.to_datetime(raw["period"]), freq="M")).groupby("period")

    def total(*prefixes):
        return by_month.apply(lambda g: g.loc[g["hs6"].str.startswith(prefixes), "value_usd"].sum())

    y, equipment = total("8542"), total("690220", "690290", "700200", "841989", "8514")
    x = np.column_stack([np.ones(len(y)), np.arange(1, len(y) + 1), equipment])
    base = y.index <= pd.Period("2017-12", "M")
    beta = np.linalg.lstsq(x[base] / x[base].max(0), y[base], rcond=None)[0] / x[base].max(0)
    window = (y.index >= pd.Period("2018-07", "M")) & (y.index <= pd.Period("2020-12", "M"))
    row = table.loc[("Integrated circuits (8542)", pd.Timestamp("2020-12-01"))]
    assert row["estimate"] == pytest.approx((y - x @ beta)[window].sum(), rel=1e-9)
    assert row["low"] < row["estimate"] < row["high"]


def test_without_gdp_the_report_says_that_the_model_is_another(flows):
    found = STUDY.run(flows, flows.table.get_backend(), replicates=20, counterfactual="us-china-2018")
    words = " ".join(p for s in found.sections for p in s.paragraphs)
    assert "Without GDP" in words
    assert set(frame_of(found, "excess_coefficients")["term"]) == {"intercept", "time", "equipment"}


def test_a_window_beyond_the_data_is_null_with_the_reason(flows, tmp_path):
    text = CARD.replace('last: "2019-12"', 'last: "2024-12"')
    found = STUDY.run(flows, flows.table.get_backend(), replicates=20, counterfactual=write(tmp_path, text))
    row = frame_of(found, "excess").iloc[0]
    assert pd.isna(row["estimate"])
    assert "ends in 2021-01" in row["reason"]


def test_a_baseline_that_the_data_do_not_hold_is_told_and_the_rest_of_the_report_stands(flows, tmp_path):
    text = CARD.replace('["2015-01", "2018-12"]', '["1999-01", "2003-12"]')
    found = STUDY.run(flows, flows.table.get_backend(), replicates=20, counterfactual=write(tmp_path, text))
    section = next(s for s in found.sections if s.heading == "Imports beyond the projection")
    assert "cannot be fitted here" in section.paragraphs[0]
    assert not section.items


def test_two_sources_of_gdp_are_told_apart_and_not_called_none(flows):
    frame = pd.DataFrame(
        {
            **{"name": "gdp_usd", "area": "CHN", "freq": "A", "unit": "USD"},
            "period": [pd.Timestamp(f"{y}-01-01") for y in range(2013, 2022)] * 2,
            "value": [1e13 + y**1.5 * 1e11 for y in range(9)] * 2,
            "source": ["one"] * 9 + ["two"] * 9,
        }
    )
    macro = Macro(frame, (), (), 0)
    options = {"replicates": 20, "counterfactual": "us-china-2018", "macro": macro}
    found = STUDY.run(flows, flows.table.get_backend(), **options)
    said = next(p for s in found.sections for p in s.paragraphs if "Without GDP" in p)
    assert "one" in said
    assert "two" in said
    chosen = STUDY.run(flows, flows.table.get_backend(), gdp_source="two", **options)
    assert "gdp" in set(frame_of(chosen, "excess_coefficients")["term"])
