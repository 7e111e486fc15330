"""The study of a control's aftermath: what is gathered, what is measured, what is said, real controls of graphite."""

import datetime

import numpy as np
import pandas as pd
import pytest

import autarky
from autarky import codes, registry
from autarky.errors import AutarkyError, CardError, CodeError, MeasureError, NoDataError
from autarky.models.event_study import Event
from autarky.studies._control_event import measured
from autarky.studies._control_event.exports import gather
from autarky.tables import Ledger

STUDY = registry.study("control-event")
MONTHS = pd.period_range("2017-01", "2024-12", freq="M")
BASE = {"USA": 50.0, "JPN": 30.0, "DEU": 20.0}
EVENT = Event(datetime.date(2023, 12, 1), datetime.date(2023, 10, 20))
OPTIONS = {"effective": "2023-12-01", "announced": "2023-10-20", "codes": "250410", "partners": 3}


def panel(seed=1):
    """Exports of 250410 to three partners; the USA gets nothing from 2023-12 on, JPN has more, HKG is new."""
    random = np.random.default_rng(seed)
    rows = []
    for month in MONTHS:
        for partner, base in BASE.items():
            controlled = month >= pd.Period("2023-12", "M")
            if controlled and partner == "USA":
                continue
            level = 80.0 if controlled and partner == "JPN" else base
            value = 1e6 * level * np.exp(random.normal(scale=0.05))
            rows.append((str(month), partner, "250410", value, value / 2))
        if month >= pd.Period("2024-01", "M"):
            rows.append((str(month), "HKG", "250410", 5e5, 2.5e5))
        rows.append((str(month), "DEU", "380110", 7e5, 0.0))
    return pd.DataFrame(rows, columns=["period", "partner", "product", "value_usd", "weight_kg"])


def read(frame, tmp_path, name="panel.csv"):
    path = tmp_path / name
    frame.to_csv(path, index=False)
    values = {"reporter": "CHN", "flow": "export", "nomenclature": "HS2017", "valuation": "FOB", "source": "made-up"}
    return autarky.read("tidy", path, values={k: v for k, v in values.items() if k not in frame})


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    return read(panel(), tmp_path_factory.mktemp("panel"))


def run(flows, **options):
    return STUDY.run(flows, flows.table.get_backend(), **{**OPTIONS, **options})


def frames_of(findings):
    return {t.name: t.frame for t in findings.tables}


@pytest.fixture(scope="module")
def found(flows):
    return run(flows, targets="USA")


def gathered(flows, wanted=("250410",), absent="zero"):
    ledger = Ledger()
    return gather(flows, flows.table.get_backend(), wanted, "CHN", None, absent, (None, None), ledger), ledger


def test_a_partner_without_a_row_had_no_trade_where_others_had(flows):
    held, ledger = gathered(flows)
    values = held.products["250410"].values
    assert (values.loc["2023-12":, "USA"] == 0).all()
    assert held.products["250410"].filled.to_dict() == {"DEU": 0, "HKG": 84, "JPN": 0, "USA": 13}
    line = next(x for x in ledger.lines if x.step == "absent partners")
    assert (line.rows_out - line.rows_in, line.value_in) == (97, line.value_out)
    absent, _ = gathered(flows, absent="absent")
    assert absent.products["250410"].values.loc["2023-12":, "USA"].isna().all()
    assert (absent.products["250410"].filled == 0).all()


def test_a_month_without_any_trade_stays_absent(tmp_path):
    frame = panel()
    frame = frame[(frame["period"] != "2022-05") | (frame["product"] != "250410")]
    held, _ = gathered(read(frame, tmp_path))
    exports = held.products["250410"]
    assert exports.values.loc["2022-05"].isna().all()
    assert pd.isna(exports.total.loc["2022-05", "value_usd"])


def test_what_weighs_nothing_has_no_price(tmp_path):
    frame = panel()
    odd = (frame["product"] == "250410") & (frame["period"] == "2022-05") & (frame["partner"] == "DEU")
    frame.loc[odd, "weight_kg"] = 0.0
    held, ledger = gathered(read(frame, tmp_path), ("250410", "380110"))
    exports = held.products["250410"]
    assert pd.isna(exports.weights.loc["2022-05", "DEU"])
    assert pd.isna(exports.series("price_usd_kg", "DEU")["2022-05"])
    # The others' price is 2 in every month; the value without a weight does not enter it.
    assert exports.total["price_usd_kg"].dropna().to_numpy() == pytest.approx(2.0)
    assert exports.unweighed == pytest.approx(frame.loc[odd, "value_usd"].sum() / exports.total["value_usd"].sum())
    assert held.products["380110"].total["price_usd_kg"].isna().all()
    assert held.products["380110"].unweighed == 1.0
    assert "97 months by partner have a value and weigh nothing" in next(
        x.note for x in ledger.lines if "zero" in x.step
    )


def test_codes_are_matched_at_the_level_of_the_data(flows):
    held, _ = gathered(flows, ("2504101000", "250410", "8112929010"))
    assert held.codes.set_index("code")["match"].to_dict() == {
        "250410": "exact",
        "2504101000": "partial",
        "8112929010": "none",
    }


def test_the_world_total_is_the_total_and_no_partner(tmp_path):
    frame = panel()
    world = frame.groupby(["period", "product"], as_index=False)[["value_usd", "weight_kg"]].sum()
    world[["value_usd", "weight_kg"]] *= 1.25
    held, _ = gathered(read(pd.concat([frame, world.assign(partner="WLD")]), tmp_path))
    plain, _ = gathered(read(frame, tmp_path, "plain.csv"))
    one, other = (g.products["250410"] for g in (held, plain))
    assert set(one.values) == set(BASE) | {"HKG"}
    assert one.total["value_usd"].to_numpy() == pytest.approx(1.25 * other.total["value_usd"].to_numpy())


def test_effects_shares_and_deflection(found):
    frames = frames_of(found)
    after = frames["by-partner"].set_index(["partner", "measure"])
    assert after.loc[("USA", "value_usd"), "share"] == pytest.approx(-1.0)
    assert after.loc[("USA", "value_usd"), "months"] == 12
    assert after.loc[("JPN", "value_usd"), "share_low"] > 0
    assert after.loc[("DEU", "value_usd"), "share_low"] < 0 < after.loc[("DEU", "value_usd"), "share_high"]
    # Months without trade have no price.
    assert after.loc[("USA", "price_usd_kg"), "months"] == 0
    assert "no value in any month" in after.loc[("USA", "price_usd_kg"), "reason"]
    shares = frames["shares"].set_index("partner")
    assert shares["share_before"].sum() == pytest.approx(1.0)
    assert shares["share_after"].sum() == pytest.approx(1.0)
    assert shares["change"].sum() == pytest.approx(0.0, abs=1e-12)
    assert shares["status"].to_dict() == {"USA": "gone", "JPN": "continuing", "DEU": "continuing", "HKG": "new"}
    row = frames["deflection"].iloc[0]
    assert row["outside_before"] == pytest.approx(1 - shares.loc["USA", "share_before"])
    assert row["outside_after"] == 1.0
    assert row["placebo_p"] == pytest.approx(1 / (1 + row["placebos"]))
    assert (row["new_partners"], row["gone_partners"]) == (1, 1)
    assert row["new_share"] == pytest.approx(shares.loc["HKG", "share_after"])


def test_absent_months_hide_a_license_that_is_not_given(flows):
    rows = frames_of(run(flows, absent="absent", partners=2))["by-partner"].set_index(["partner", "measure"])
    held = rows.loc[("USA", "value_usd")]
    assert pd.isna(held["share"])
    assert held["months"] == 0


def test_without_targets_deflection_is_null_with_a_reason(flows):
    exports = gathered(flows)[0].products["250410"]
    table = measured.shares(exports, EVENT)
    row = measured.deflection(exports, EVENT, [], table).iloc[0]
    assert pd.isna(row["change"])
    assert row["reason"] == "no targets named: the control covers every destination"
    other = measured.deflection(exports, EVENT, ["FRA"], table).iloc[0]
    assert "not a partner in the data: FRA" in other["reason"]


def test_a_share_that_moves_in_the_past_too_is_no_surprise(tmp_path):
    frame = panel()
    random = np.random.default_rng(3)
    frame["value_usd"] *= np.exp(random.normal(scale=1.5, size=len(frame)))
    held, _ = gathered(read(frame[frame["partner"] != "HKG"], tmp_path))
    table = measured.shares(held.products["250410"], EVENT).set_index("partner")
    assert table.loc["DEU", "placebo_p"] > 0.1


def test_the_report_says_what_it_did(found):
    text = " ".join(p for s in found.sections for p in s.paragraphs)
    assert "2020-04 to 2023-03" in text
    assert "97 months by partner" in text
    assert "share outside USA" in text
    assert "None" not in text
    assert "nan" not in text
    assert found.parameters["targets"] == "USA"
    named = {i for s in found.sections for i in s.items}
    assert {f.name for f in found.figures} <= named


def test_the_command_writes_the_page(cli, tmp_path):
    path = tmp_path / "panel.csv"
    panel().assign(reporter="CHN", flow="export", nomenclature="HS2017").to_csv(path, index=False)
    assert cli("ingest", "tidy", str(path), "--store", str(tmp_path / "store")).code == 0
    options = ["--effective", "2023-12-01", "--announced", "2023-10-20", "--codes", "250410", "--partners", "1"]
    where = ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    assert cli("run", "control-event", *where, *options).code == 0
    assert (tmp_path / "out" / "report.html").is_file()
    windows = pd.read_csv(tmp_path / "out" / "tables" / "windows.csv")
    assert set(windows["window"]) == {"before", "announced", "after"}
    failed = cli("run", "control-event", *where)
    assert failed.code == 2
    assert "give --action ID" in failed.err


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"effective": None}, MeasureError, "give --action"),
        ({"codes": None}, MeasureError, "--codes"),
        ({"action": "no-such"}, CardError, "no action 'no-such'"),
        ({"effective": "2023-02-30"}, MeasureError, "2023-02-30"),
        ({"codes": "85x"}, CodeError, "85x"),
        ({"codes": "999999"}, NoDataError, "none of the codes 999999"),
        ({"issuer": "KOR"}, NoDataError, "no monthly exports of KOR"),
        ({"issuer": "Korea"}, CodeError, "'Korea' is not a country code"),
        ({"targets": "America"}, CodeError, "America"),
        ({"effective": "2018-01-01", "announced": None}, MeasureError, "baseline"),
        ({"after": 0}, MeasureError, "after=0"),
    ],
)
def test_what_cannot_be_asked(flows, options, kind, said):
    with pytest.raises(kind, match=said):
        run(flows, **options)
    assert issubclass(kind, AutarkyError)


@pytest.fixture(scope="module")
def china(shared, tmp_path_factory):
    """China's exports of graphite, gallium and germanium, partners named by their codes."""
    path = shared / "china-minerals" / "china-exports-graphite-gallium-germanium-monthly-2017_2024.csv"
    if not path.is_file():
        pytest.skip(f"no real data here: {path} is absent")
    frame = pd.read_csv(path, dtype={"hs6": str}).rename(columns={"hs6": "product", "quantity_kg": "weight_kg"})
    known = {name: code for code, name in codes.area_names().items()}
    known |= {"USA": "USA", "UAE": "ARE", "Czech Republic": "CZE", "Turkey": "TUR"}
    frame = frame.assign(
        partner=frame["partner"].map(known),
        nomenclature=np.where(frame["period"] < "2022", "HS2017", "HS2022"),
    )
    assert frame["partner"].notna().all()
    return frame, read(frame, tmp_path_factory.mktemp("china"))


def test_natural_graphite_was_bought_ahead_of_the_control(china):
    frame, flows = china
    findings = run(
        flows, action="cn-2023-10-20-graphite", effective=None, announced=None, partners=1, codes="2504101000"
    )
    table = frames_of(findings)["effects"].set_index(["measure", "window"])
    held = frame[(frame["product"] == "250410") & frame["period"].isin(["2023-10", "2023-11"])]
    weight = table.loc[("weight_kg", "announced")]
    assert weight["months"] == 2
    windows = frames_of(findings)["windows"].set_index(["partner", "measure", "window"])
    assert windows.loc[("WLD", "weight_kg", "announced"), "actual"] == pytest.approx(held["weight_kg"].sum())
    # More than foretold between announcement and effect, at no placebo date as clearly; less value after.
    assert weight["share_low"] > 0
    assert weight["placebo_p"] == pytest.approx(1 / (1 + windows.loc[("WLD", "weight_kg", "announced"), "placebos"]))
    assert table.loc[("value_usd", "after"), "share_high"] < 0
    text = " ".join(p for s in findings.sections for p in s.paragraphs)
    assert "HS2017, HS2022" in text
    assert frames_of(findings)["codes"]["match"].tolist() == ["partial"]


def test_the_zero_weights_of_2017_are_not_known(china):
    frame, flows = china
    held, ledger = gathered(flows, ("811292",))
    odd = frame[(frame["product"] == "811292") & (frame["weight_kg"] == 0) & (frame["value_usd"] > 0)]
    assert f"{len(odd)} months by partner have a value and weigh nothing" in ledger.lines[1].note
    assert held.products["811292"].total.loc["2017", "price_usd_kg"].isna().all()
    assert held.products["811292"].total.loc["2018":, "price_usd_kg"].notna().all()
