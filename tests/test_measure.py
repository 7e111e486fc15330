"""Flows → measures: against pandas, refusals, absence, properties."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import autarky
from autarky.errors import MeasureError, NoDataError, TableError
from autarky.measure import measure
from autarky.tables import Condition, parse_period, parse_until

# Every example reads files, so a failure is not shrunk.
QUIET = settings(
    max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PARTNERS = ["USA", "DEU", "JPN", "KOR", "NLD"]


def flows_of(frame: pd.DataFrame, tmp_path, **values: str) -> autarky.Flows:
    path = tmp_path / f"panel-{abs(hash(tuple(frame.columns)))}-{len(list(tmp_path.iterdir()))}.csv"
    frame.to_csv(path, index=False)
    return autarky.read("tidy", path, values={"flow": "import", "nomenclature": "HS2017", **values})


def read(measures) -> pd.DataFrame:
    table = measures.table
    return table.get_backend().con.sql(str(table.get_backend().compile(table))).to_df()


def figures(measures, name: str, keys: list[str]) -> pd.Series:
    frame = read(measures)
    return frame[frame["indicator"] == name].set_index(keys)["value"].astype(float).sort_index()


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = [
        (f"{year}-{month:02}", reporter, partner, product, float(rng.lognormal(10, 2)))
        for year, month, reporter, partner, product in itertools.product(
            (2020, 2021), range(1, 13), ("CHN", "USA"), PARTNERS, ("854231", "854232", "848620")
        )
        if partner != reporter and rng.random() > 0.3
    ]
    return pd.DataFrame(rows, columns=["period", "reporter", "partner", "product", "value_usd"])


@pytest.fixture
def flows(panel, tmp_path):
    return flows_of(panel, tmp_path)


def test_agrees_with_pandas(panel, flows):
    keys = ["reporter", "product"]
    found = measure(flows, ["herfindahl", "entropy", "top_share", "count", "effective_number"], keys)
    totals = panel.groupby([*keys, "partner"])["value_usd"].sum()
    shares = totals / totals.groupby(keys).transform("sum")
    expected = {
        "herfindahl": (shares**2).groupby(keys).sum(),
        "effective_number": 1 / (shares**2).groupby(keys).sum(),
        "entropy": -(shares * np.log(shares)).groupby(keys).sum(),
        "top_share": shares.groupby(keys).max(),
        "count": shares.groupby(keys).size(),
    }
    for name, series in expected.items():
        pd.testing.assert_series_equal(
            figures(found, name, keys), series, check_names=False, rtol=1e-12, check_dtype=False
        )


def test_series_agree_with_pandas(panel, flows):
    found = measure(flows, ["volatility", "growth"], ["reporter"])
    wide = panel.groupby(["period", "reporter"])["value_usd"].sum().unstack()
    t = np.arange(1, len(wide) + 1)
    for name in wide:
        x = wide[name].to_numpy()
        assert figures(found, "volatility", ["reporter"])[name] == pytest.approx(x.std(ddof=1) / x.mean(), rel=1e-12)
        assert figures(found, "growth", ["reporter"])[name] == pytest.approx(
            (t * (x / x[0] - 1)).sum() / t.sum(), rel=1e-9
        )


def test_derived_keys(panel, flows):
    found = measure(flows, ["count"], ["year", "hs4"])
    expected = panel.assign(year=panel["period"].str[:4].astype(int), hs4=panel["product"].str[:4])
    expected = expected.groupby(["year", "hs4"])["partner"].nunique()
    pd.testing.assert_series_equal(
        figures(found, "count", ["year", "hs4"]), expected, check_names=False, check_dtype=False
    )


def test_share_is_a_row_a_partner(flows):
    frame = read(measure(flows, ["share"], ["reporter", "product"]))
    assert set(frame.columns) == {"reporter", "product", "partner", "indicator", "value", "unit", "flag"}
    np.testing.assert_allclose(frame.groupby(["reporter", "product"])["value"].sum(), 1, rtol=1e-12)


def test_a_code_valued_indicator_makes_value_text(flows):
    frame = read(measure(flows, ["top_partner", "top_share"], ["reporter"]))
    assert set(frame.loc[frame["indicator"] == "top_partner", "value"]) <= set(PARTNERS)
    assert frame.loc[frame["indicator"] == "top_share", "value"].astype(float).between(0, 1).all()


def test_absent_is_not_zero_unless_said(tmp_path):
    frame = pd.DataFrame(
        {
            "period": ["2020-01", "2020-03", "2020-02"],
            "reporter": "CHN",
            "partner": ["USA", "USA", "DEU"],
            "product": ["854231", "854231", "848620"],
            "value_usd": [2.0, 4.0, 1.0],
        }
    )
    flows = flows_of(frame, tmp_path)
    absent = figures(measure(flows, ["volatility", "growth"], ["product"]), "growth", ["product"])
    assert absent["854231"] == pytest.approx((1 * 0 + 3 * 1) / (1 + 3))
    assert np.isnan(absent["848620"])
    zero = measure(flows, ["volatility", "growth"], ["product"], absent="zero")
    assert figures(zero, "growth", ["product"])["854231"] == pytest.approx((1 * 0 + 2 * -1 + 3 * 1) / 6)
    assert figures(zero, "volatility", ["product"])["854231"] == pytest.approx(np.std([2, 0, 4], ddof=1) / 2)
    flags = read(zero).query("indicator == 'growth'").set_index("product")["flag"]
    assert flags["848620"] == "base is zero: nothing in the first period"


def test_a_value_that_was_not_reported_stays_out(tmp_path):
    frame = pd.DataFrame(
        {
            "period": "2020",
            "reporter": "CHN",
            "partner": ["USA", "DEU", "JPN"],
            "product": "854231",
            "value_usd": [3.0, 1.0, None],
        }
    )
    found = figures(
        measure(flows_of(frame, tmp_path), ["herfindahl", "count"], ["reporter"]), "herfindahl", ["reporter"]
    )
    assert found["CHN"] == pytest.approx(0.75**2 + 0.25**2)


def mixed(tmp_path, **columns):
    base = {
        "period": "2020",
        "reporter": "CHN",
        "partner": ["USA", "DEU"],
        "product": "854231",
        "value_usd": [3.0, 1.0],
    }
    frame = pd.DataFrame({**base, **columns})
    names = [c for c in ("flow", "nomenclature") if c in frame]
    path = tmp_path / "mixed.csv"
    frame.to_csv(path, index=False)
    values = {"flow": "import", "nomenclature": "HS2017"}
    return autarky.read("tidy", path, values={k: v for k, v in values.items() if k not in names})


@pytest.mark.parametrize(
    ("columns", "message", "remedy"),
    [
        ({"partner": ["USA", "WLD"]}, "world total and its partner rows", "partner!=WLD"),
        ({"product": ["8542", "854231"]}, "aggregate codes and their children", "level=6"),
        ({"area": ["", "CN-GD"]}, "country total and its areas", "area="),
        ({"flow": ["import", "export"]}, "both flows", "flow=import"),
        ({"nomenclature": ["HS2017", "HS2012"]}, "two code systems", "nomenclature=HS2017"),
        ({"period": ["2020", "2020-01"]}, "monthly and annual", "freq=A"),
    ],
)
def test_what_must_not_be_added_is_refused(tmp_path, columns, message, remedy):
    flows = mixed(tmp_path, **columns)
    with pytest.raises(TableError, match=message):
        read(measure(flows, ["herfindahl"], ["reporter"]))
    kept = flows.where([Condition.parse(remedy)])
    assert len(read(measure(kept, ["herfindahl"], ["reporter"]))) == 1


def test_two_sources_of_one_flow_are_refused(tmp_path):
    frame = pd.DataFrame(
        {"period": "2020", "reporter": "CHN", "partner": ["USA", "DEU"], "product": "854231", "value_usd": [3.0, 1.0]}
    )
    for name in ("un", "national"):
        path = tmp_path / f"{name}.csv"
        frame.assign(value_usd=frame["value_usd"] * len(name)).to_csv(path, index=False)
        options = autarky.Options(values={"flow": "import", "nomenclature": "HS2017", "source": name})
        autarky.ingest(tmp_path / "store", "tidy", [path], options)
    flows = autarky.Store(tmp_path / "store").flows(autarky.connect())
    with pytest.raises(
        TableError, match=r"two sources for the same flow: name one with --source \(found national, un\)"
    ):
        measure(flows, ["herfindahl"], ["reporter"])
    one = flows.where([Condition.parse("source=un")])
    assert figures(measure(one, ["herfindahl"], ["reporter"]), "herfindahl", ["reporter"])["CHN"] == pytest.approx(
        0.625
    )
    both = measure(flows, ["count"], ["reporter", "source"])
    assert list(figures(both, "count", ["reporter", "source"])) == [2, 2]


def test_wrong_questions(flows):
    with pytest.raises(MeasureError, match="there is no key 'country'"):
        measure(flows, ["herfindahl"], ["country"])
    with pytest.raises(MeasureError, match="cannot be a key and be looked along"):
        measure(flows, ["herfindahl"], ["partner"])
    with pytest.raises(MeasureError, match="does not fit"):
        measure(flows, ["growth"], ["reporter"], over="partner")
    with pytest.raises(MeasureError, match="asked for twice"):
        measure(flows, ["count", "count"], ["reporter"])
    with pytest.raises(MeasureError, match="key 'reporter' is asked for twice"):
        measure(flows, ["count"], ["reporter", "reporter"])
    with pytest.raises(MeasureError, match="there is no field"):
        Condition.parse("colour=red")
    with pytest.raises(MeasureError, match="expected FIELD=VALUE"):
        Condition.parse("reporter")
    with pytest.raises(NoDataError):
        measure(flows.where([Condition.parse("reporter=BRA")]), ["count"], ["reporter"])


def test_periods():
    assert str(parse_until("2015")) == "2015-12-01"
    assert str(parse_period("2015-03")) == "2015-03-01"
    for bad in ("2015-13", "15", "March"):
        with pytest.raises(MeasureError, match="expected a year"):
            parse_period(bad)


VALUES = st.lists(st.floats(0.1, 1e9), min_size=5, max_size=5)


@given(values=VALUES, other=VALUES)
@QUIET
def test_an_empty_country_changes_nobody_elses_figure(tmp_path, values, other):
    frame = pd.DataFrame(
        {"period": "2020", "reporter": "CHN", "partner": PARTNERS, "product": "854231", "value_usd": values}
    )
    empty = frame.assign(reporter="BRA", value_usd=0.0)
    names = ["herfindahl", "entropy", "top_share", "count", "top_partner"]
    alone = read(measure(flows_of(frame, tmp_path), names, ["reporter"])).set_index("indicator")["value"]
    both = read(measure(flows_of(pd.concat([frame, empty]), tmp_path), names, ["reporter"]))
    same = both[both["reporter"] == "CHN"].set_index("indicator")["value"]
    assert (alone["top_partner"], list(alone.index)) == (same["top_partner"], list(same.index))
    # Threads add in any order: the last digit of a sum is free.
    figures = [name for name in names if name != "top_partner"]
    assert [float(same[name]) for name in figures] == pytest.approx([float(alone[name]) for name in figures], rel=1e-12)


@given(values=VALUES)
@QUIET
def test_value_is_conserved_from_file_to_flows(tmp_path, values):
    frame = pd.DataFrame(
        {"period": "2020", "reporter": "CHN", "partner": PARTNERS, "product": "854231", "value_usd": values}
    )
    flows = flows_of(frame, tmp_path)
    assert flows.coverage["value_usd"].sum() == pytest.approx(sum(values), rel=1e-12)
    line = flows.ledger.lines[-1]
    assert (line.rows_in, line.rows_out) == (5, 5)
    assert line.value_in == pytest.approx(line.value_out, rel=1e-12)
