"""Series → pattern: closed forms, known answers, seeded bootstrap, combined months."""

import numpy as np
import pandas as pd
import pytest

from autarky import engine, grouping, patterns, screens, watchlists
from autarky.errors import CardError
from autarky.tables import Ledger

RULES = screens.load("naughton-fang-2025")
CON = engine.connect()


def months(values, start="2015-01") -> pd.DataFrame:
    index = pd.period_range(start, periods=len(values), freq="M")
    return pd.DataFrame({"g": np.asarray(values, dtype=float)}, index=index)


@pytest.mark.parametrize(
    ("volatility", "growth", "label"),
    [
        (0.31, 0.51, "Stockpiling or Other Policy Disturbance"),
        (0.30, 0.51, "No Discernable Effect"),
        (0.30, 0.50, "Import Substitution"),
        (0.31, 0.50, "Volatile Reduction of Dependence"),
        (None, 0.5, None),
        (0.3, None, None),
        (0.3, float("nan"), None),
    ],
)
def test_rule_at_its_edges(volatility, growth, label):
    assert RULES.label(volatility=volatility, growth=growth) == label


def test_rule_agrees_with_fourteen_published_labels_of_seventeen():
    """Method §1: all but integrated circuits, medical equipment and aviation follow from the published figures."""
    published = watchlists.load("naughton-fang-2025-batch1").published
    differ = {g for g, p in published.items() if RULES.label(volatility=p.volatility, growth=p.growth) != p.label}
    assert differ == {"Integrated Circuits", "Medical and Bio Precision Equipment", "Aviation and Aerospace"}
    assert len(published) == 17


def test_a_card_with_a_rule_that_does_not_read_is_refused(tmp_path):
    card = tmp_path / "mine.yml"
    card.write_text("id: mine\ntitle: t\nsource: s\nrules:\n- {label: a, volatility: above 0.3}\n", encoding="utf-8")
    with pytest.raises(CardError, match="not a comparison"):
        screens.load(str(card))


def test_a_straight_line_has_no_detrended_volatility():
    line = 1 + 0.05 * np.arange(120)
    assert patterns.detrended_volatility(line) == pytest.approx(0, abs=1e-12)
    assert patterns.detrended_volatility(np.array([1.0, np.nan, 2.0])) is None


def test_detrended_volatility_agrees_with_least_squares():
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    x = 10 + 0.1 * np.arange(60) + rng.normal(size=60)
    residual = sm.OLS(x, sm.add_constant(np.arange(60))).fit().resid
    assert patterns.detrended_volatility(x) == pytest.approx(residual.std(ddof=1) / x.mean(), rel=1e-10)


def test_stl_takes_trend_and_season_away():
    t = np.arange(120)
    clean = 100 + t + 10 * np.sin(2 * np.pi * t / 12)
    assert patterns.stl_volatility(clean) < 1e-3
    assert patterns.stl_volatility(np.where(t == 5, np.nan, clean)) is None
    assert patterns.stl_volatility(clean[:24]) is None


def test_stability_is_seeded_and_tells_clear_from_close():
    rng = np.random.default_rng(0)
    t = np.arange(120)
    clear = 100 + 5 * t + rng.normal(size=120)
    first, again = (patterns.stability(clear, RULES, replicates=200) for _ in range(2))
    assert first == again
    assert first.overall > 0.95
    # A growth index right at the threshold: half of the grid lies on either side of it.
    close = 100 + 100 * 0.75 / 119 * t
    assert patterns.stability(close, RULES, replicates=200).thresholds == pytest.approx(0.5, abs=0.1)
    assert patterns.stability(np.r_[np.nan, clear[1:]], RULES) is None
    assert patterns.stability(clear[:24], RULES) is None


def test_array_figures_are_the_indicators():
    """The bootstrap computes volatility and growth of many series at once; the formulas must not drift apart."""
    rng = np.random.default_rng(1)
    series = months(rng.lognormal(size=50))
    found = patterns.indices(CON, series).loc["g"]
    arrays = patterns._figures(series["g"].to_numpy()[None, :], np.arange(1.0, 51))
    for name in ("volatility", "growth"):
        assert arrays[name][0] == pytest.approx(found[name], rel=1e-12)


def test_indices_of_a_group_without_its_base_month():
    series = months([np.nan, 2, 3, 4])
    found = patterns.indices(CON, series).loc["g"]
    assert found["months"] == 3
    assert pd.isna(found["growth"])
    assert found["growth why"] == "base missing: no value in the first period"


def test_contributions_add_up_to_the_growth_index():
    rng = np.random.default_rng(5)
    calendar = pd.period_range("2015-01", periods=40, freq="M")
    rows = [
        ("g", product, month, float(rng.lognormal()))
        for product in ("a", "b", "c")
        for month in calendar
        if product != "c" or month.month != 1
    ]
    series = pd.DataFrame(rows, columns=["group", "product", "period", "value_usd"])
    totals = series.pivot_table(index="period", columns="group", values="value_usd", aggfunc="sum").reindex(calendar)
    parts = patterns.contributions(series, totals)
    assert parts["contribution"].sum() == pytest.approx(patterns.indices(CON, totals).loc["g", "growth"], rel=1e-12)


def test_combined_months_are_split_as_the_year_before_and_value_is_conserved():
    frame = pd.DataFrame(
        [
            ("x", "2019-01", 30.0),
            ("x", "2019-02", 10.0),
            ("x", "2020-02", 80.0),
            ("y", "2019-02", 5.0),
            ("y", "2020-02", 7.0),
        ],
        columns=["product", "period", "value_usd"],
    )
    frame = frame.assign(period=pd.PeriodIndex(frame["period"], freq="M"))
    ledger = Ledger()
    found, changed = grouping.split_combined(frame, [("2020-01", "2020-02")], ledger)
    values = found.set_index(["product", "period"])["value_usd"]
    assert values["x", pd.Period("2020-01")] == 60
    assert values["x", pd.Period("2020-02")] == 20
    # Nothing tells how to split y: it stays where it was published.
    assert values["y", pd.Period("2020-02")] == 7
    assert changed == ("x",)
    assert found["value_usd"].sum() == frame["value_usd"].sum()
    assert ledger.lines[0].value_in == ledger.lines[0].value_out == 80


def test_a_january_without_trade_in_one_product_is_not_a_combined_month():
    frame = pd.DataFrame(
        [("x", "2019-01", 1.0), ("x", "2019-02", 1.0), ("x", "2020-02", 8.0), ("z", "2020-01", 1.0)],
        columns=["product", "period", "value_usd"],
    )
    frame = frame.assign(period=pd.PeriodIndex(frame["period"], freq="M"))
    _, changed = grouping.split_combined(frame, [("2020-01", "2020-02")], Ledger())
    assert changed == ()


def test_smoothing_needs_nine_months():
    series = months([1.0] * 8 + [3.0] * 16)
    smooth = patterns.smoothed(series)["g"]
    assert smooth.isna().sum() == 8
    assert patterns.normalized(series)["g"].iloc[11] == pytest.approx(1)
    assert patterns.normalized(months([0.0] * 24))["g"].isna().all()
