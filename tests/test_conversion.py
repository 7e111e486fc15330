"""Conversion: which code becomes which, what is conserved, what is an assumption, what is refused."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autarky import codes, conversion, end_use, engine, joining, measure, reader, references, weights
from autarky.errors import AutarkyError, CodeError, CoverageWarning, NoDataError, TableError
from autarky.mapping import TARGETS, Mapping, mapping
from autarky.references.checks import HS
from autarky.settle import coverage_of
from autarky.tables import COLUMNS, Condition, Flows, Origin

Row = tuple[Any, ...]
Made = Callable[..., Flows]


# --- a small reference by hand, and the real one

PAIRS = """from_rev,to_rev,from_code,to_code
2022,2017,010121,010121
2022,2017,854231,854231
2022,2017,854151,851712
2022,2017,854159,850000
2022,2017,271111,271111
2022,2017,870310,870310
2022,2017,870321,870310
2017,2012,010121,010121
2017,2012,854231,854231
2017,2012,851712,851712
2017,2012,271111,271111
2017,2012,870310,870310
2012,2007,010121,010110
2012,2007,010129,010110
2012,2007,854231,854231
2012,2007,851712,851712
2012,2007,271111,271111
2012,2007,870310,870310
"""
RELATED = """from_rev,to_rev,from_code,to_code,relationship
2022,2017,010121,010121,1:1
2022,2017,854231,854231,1:1
2022,2017,854151,851712,n:n
2022,2017,854151,902519,n:n
2022,2017,854159,850000,1:1
2022,2017,271111,271111,1:1
2022,2017,870310,870310,n:1
2022,2017,870321,870310,n:1
2017,2012,010121,010121,1:1
2017,2012,854231,854231,1:1
2017,2012,851712,851712,1:1
2017,2012,271111,271111,1:1
2017,2012,870310,870310,1:1
2012,2007,010121,010110,n:1
2012,2007,010129,010110,n:1
2012,2007,854231,854231,1:1
2012,2007,851712,851712,1:1
2012,2007,271111,271111,1:1
2012,2007,870310,870310,1:1
"""
_USE = (
    "HS,HS6,BEC5Code1,BEC5Code2,BEC5EndUse,BEC5Category,"
    "BEC5Processing,BEC5Specification,BEC5Durability,BEC4Code,BEC4ENDUSE,BEC4INT,BEC4CONS,BEC4CAP"
)
USES = [
    ("010121", "712010", "", "CAP", "41"),
    ("010129", "1111", "", "INT", "111"),
    ("854231", "611220", "", "INT", "42"),
    ("851712", "613202", "612020", "CONS/CAP", "41"),
    ("271111", "213101", "2111", "CONS/INT", "322"),
    ("870310", "513202", "512020", "CONS/CAP", "51"),
]
CROSS = """HS92,HS96,HS02,HS07,HS12,HS17,HS22,BEC4,BEC5,SITC1,SITC2,SITC3,SITC4
854211,854211,854221,854231,854231,854231,854231,42,611220,7293,77645,77642,77642
010111,010111,010110,010110,010121,010121,010121,41,712010,0015,0015,00151,0015
010111,010111,010110,010110,010129,010129,010129,41,712010,0015,0015,00152,0019
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a reference of a few codes: HS2022 → HS2017 → HS2012 → HS2007, end use of HS2012 and HS2017, cross."""
    files = tmp_path_factory.mktemp("files")
    use = [f"H{n},{c},{one},{two},{use},x,,,,{bec4},{use},1,0,0" for n in (4, 5) for c, one, two, use, bec4 in USES]
    texts = {"pairs": PAIRS, "related": RELATED, "use": "\n".join([_USE, *use, ""]), "cross": CROSS}
    for name, text in texts.items():
        (files / f"{name}.csv").write_text(text, encoding="utf-8")
    where = tmp_path_factory.mktemp("reference")
    references.add(files, where)
    return where


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a reference with the UN's own tables, which are not part of the repository."""
    source = Path(__file__).parents[2] / "shared" / "reference"
    if not source.is_dir():
        pytest.skip(f"no UN tables here: {source} is absent (they are not part of the repository)")
    where = tmp_path_factory.mktemp("un")
    references.add(source, where)
    return where


@pytest.fixture
def made() -> Made:
    """Return flows of rows (nomenclature, product, value), with other columns by name."""

    def flows(*rows: Row, **columns: Any) -> Flows:
        fixed = {"period": datetime.date(2020, 1, 1), "freq": "A", "reporter": "CHN", "partner": "DEU", "area": None}
        fixed |= {"flow": "import", "weight_kg": None, "valuation": "CIF", "source": "made"}
        frame = pd.DataFrame(
            [fixed | dict(zip(("nomenclature", "product", "value_usd"), r, strict=True)) for r in rows]
        )
        frame = frame.assign(**columns)
        con = engine.connect()
        table = engine.lookup(con, {c: [None if v != v else v for v in frame[c]] for c in COLUMNS})
        table = table.mutate(area=table.area.cast("string"), weight_kg=table.weight_kg.cast("float64"))
        table = table.mutate(value_usd=table.value_usd.cast("float64"))
        origin = Origin("made", "made", "us", "https://example.org", "none")
        return Flows(table, (), (origin,), coverage_of(con, table, {}))

    return flows


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        yield


def rows(flows: Flows) -> dict[tuple[str, str], float]:
    """Return (nomenclature, product) → value."""
    frame = flows.table.execute()
    return {(r.nomenclature, r.product): r.value_usd for r in frame.itertuples()}


def link(found: Any) -> dict[str, str]:
    return dict(zip(found.links["from_code"], found.links["to_code"], strict=True))


# --- between editions


def test_later_to_earlier_by_the_sheet(made: Made, tiny: Path) -> None:
    flows = made(("HS2022", "870310", 1.0), ("HS2022", "870321", 2.0), ("HS2022", "010121", 4.0))
    done = conversion.convert(flows, "HS2017", reference=tiny)
    assert rows(done.flows) == {("HS2017", "870310"): 3.0, ("HS2017", "010121"): 4.0}
    assert (done.rows, done.value, done.assumption_share) == ((3, 2), (7.0, 7.0), 0.0)
    assert list(done.flows.table.columns) == list(COLUMNS)
    assert list(done.flows.coverage["level"]) == [6]
    assert done.flows.coverage["value_usd"].sum() == 7.0
    (line,) = done.flows.ledger.lines
    assert (line.step, line.rows_in, line.rows_out) == ("convert to HS2017", 3, 2)
    assert "HS2022 → HS2017" in line.note


def test_override_counts_as_an_assumption(made: Made, tiny: Path) -> None:
    flows = made(("HS2022", "854151", 1.0), ("HS2022", "010121", 3.0))
    with pytest.warns(CoverageWarning, match=r"25\.000% of it through an assumption \(override 25\.000%\)"):
        done = conversion.convert(flows, "HS2017", reference=tiny)
    assert rows(done.flows) == {("HS2017", "854150"): 1.0, ("HS2017", "010121"): 3.0}


def test_override_only_while_the_sheet_prints_what_it_mends(made: Made, tiny: Path) -> None:
    # The sheet of this reference prints 850000 for 854159; the override mends 851712.
    done = conversion.convert(made(("HS2022", "854159", 1.0)), "HS2017", reference=tiny)
    assert rows(done.flows) == {("HS2017", "850000"): 1.0}
    assert not done.assumed


def test_a_way_over_other_editions_is_named(made: Made, tiny: Path) -> None:
    done = conversion.convert(made(("HS2022", "854231", 1.0)), "HS2007", reference=tiny)
    assert rows(done.flows) == {("HS2007", "854231"): 1.0}
    assert "HS2022 → HS2017 → HS2012 → HS2007" in done.flows.ledger.lines[-1].note


def test_identical_edition(made: Made, tiny: Path) -> None:
    done = conversion.convert(made(("HS2012", "123456", 1.5)), "HS2012", reference=tiny)
    assert rows(done.flows) == {("HS2012", "123456"): 1.5}
    assert "HS2012 already" in done.flows.ledger.lines[-1].note


def test_earlier_to_later_exact_or_refused(made: Made, tiny: Path) -> None:
    exact = conversion.convert(made(("HS2007", "854231", 1.0)), "HS2012", reference=tiny)
    assert rows(exact.flows) == {("HS2012", "854231"): 1.0}
    with pytest.raises(
        CodeError, match=r"1 codes of HS2007 \(5 USD\) lead to several of HS2012: 010110 → 010121, 010129"
    ):
        conversion.convert(made(("HS2007", "010110", 5.0), ("HS2007", "854231", 1.0)), "HS2012", reference=tiny)


def test_equal_weights(made: Made, tiny: Path) -> None:
    done = conversion.convert(made(("HS2007", "010110", 5.0)), "HS2012", weights="equal", reference=tiny)
    assert rows(done.flows) == {("HS2012", "010121"): 2.5, ("HS2012", "010129"): 2.5}
    assert done.assumed == {"weights": 5.0}


def test_weights_by_overlap(made: Made, tiny: Path) -> None:
    periods = [datetime.date(y, 1, 1) for y in (2011, 2012, 2012, 2012, 2013)]
    flows = made(
        ("HS2007", "010110", 8.0),
        ("HS2007", "010110", 4.0),
        ("HS2012", "010121", 1.0),
        ("HS2012", "010129", 3.0),
        ("HS2012", "010121", 9.0),
        period=periods,
    )
    done = conversion.convert(flows, "HS2012", weights="overlap", reference=tiny)
    frame = done.flows.table.execute()
    found = {(r.period.year, r.product): r.value_usd for r in frame.itertuples()}
    # 2011 as 2012 was; 2012 as reported in HS2012, not twice.
    assert found == {(2011, "010121"): 2.0, (2011, "010129"): 6.0, (2012, "010121"): 1.0, (2012, "010129"): 3.0,
                     (2013, "010121"): 9.0}  # fmt: skip
    assert done.set_aside == (1, 4.0)
    assert [line.step for line in done.flows.ledger.lines] == ["set aside", "convert to HS2012"]


def test_overlap_does_not_hand_out_a_large_code_again() -> None:
    # Telephones touch chips in the correlation; the chips of the new edition are those of the old one all the same.
    pairs = pd.DataFrame(
        {"from_code": ["phone", "phone", "radio", "radio"], "to_code": ["phone", "chip", "radio", "chip"]}
    )
    links = pd.DataFrame({"from_code": ["chip"], "to_code": ["chip"], "weight": [1.0], "assumption": [None]})
    found = Mapping(links, pairs.assign(weight=0.5), ("HS2012", "HS2017"))
    codes_ = ["phone", "radio", "chip"]
    used = pd.DataFrame({"reporter": "CHN", "flow": "import", "code": codes_})
    here = used.assign(year=2016, value_usd=[100.0, 40.0, 80.0])
    there = used.assign(year=2017, value_usd=[90.0, 44.0, 86.0])
    shares, none = weights.overlap(found, "HS2017", used, here, there)
    got = {(r.from_code, r.to_code): r.weight for r in shares.itertuples()}
    assert none.empty
    assert got["phone", "phone"] == pytest.approx(0.9, abs=0.05)
    assert got["radio", "radio"] > 0.95
    assert got["phone", "phone"] + got["phone", "chip"] == pytest.approx(1, rel=1e-12)


def test_overlap_that_cannot_be_derived(made: Made, tiny: Path) -> None:
    with pytest.raises(
        CodeError, match=r"hold no value in HS2012 of any code that could follow: CHN import 010110 \(8 USD\)"
    ):
        conversion.convert(made(("HS2007", "010110", 8.0)), "HS2012", weights="overlap", reference=tiny)
    done = conversion.convert(made(("HS2007", "010110", 8.0)), "HS2012", weights="overlap,equal", reference=tiny)
    assert rows(done.flows) == {("HS2012", "010121"): 4.0, ("HS2012", "010129"): 4.0}
    with pytest.raises(CodeError, match="convert to an HS edition that the store"):
        conversion.convert(made(("HS2007", "010110", 8.0)), "BEC4", weights="overlap", reference=tiny)


def test_the_same_flow_in_two_nomenclatures_is_refused(made: Made, tiny: Path) -> None:
    flows = made(("HS2007", "854231", 1.0), ("HS2012", "854231", 1.0))
    with pytest.raises(TableError, match="the same flow is there in HS2007, HS2012"):
        conversion.convert(flows, "HS2017", reference=tiny)


def test_several_editions_each_by_its_own_tables(made: Made, tiny: Path) -> None:
    years = [datetime.date(y, 1, 1) for y in (2012, 2017, 2022)]
    flows = made(("HS2012", "010129", 1.0), ("HS2017", "851712", 2.0), ("HS2022", "870321", 4.0), period=years)
    done = conversion.convert(flows, "HS2007", reference=tiny)
    assert rows(done.flows) == {("HS2007", "010110"): 1.0, ("HS2007", "851712"): 2.0, ("HS2007", "870310"): 4.0}


def test_unmapped_stays_what_it_was(made: Made, tiny: Path) -> None:
    flows = made(("HS2022", "999998", 3.0), ("HS2022", "010121", 1.0))
    with pytest.warns(
        CoverageWarning, match=r"1 codes unmapped and left as they are \(3 USD\): HS2022 999998 \(3 USD\)"
    ):
        done = conversion.convert(flows, "HS2017", reference=tiny)
    assert rows(done.flows) == {("HS2022", "999998"): 3.0, ("HS2017", "010121"): 1.0}
    # So it cannot slip into a sum.
    with pytest.raises(TableError, match="two code systems"):
        measure.measure(done.flows, ["count"], ["reporter"])
    kept = done.flows.where([Condition.parse("nomenclature=HS2017")])
    assert measure.measure(kept, ["count"], ["reporter"]).table.execute()["value"].tolist() == [1]


def test_goods_not_specified_stay_so(made: Made, tiny: Path) -> None:
    flows = made(("HS2022", "999999", 3.0))
    assert rows(codes.convert(flows, "HS2007", reference=tiny)) == {("HS2007", "999999"): 3.0}
    assert rows(codes.convert(flows, "BEC4", reference=tiny)) == {("HS2022", "999999"): 3.0}


def test_no_value_and_no_weight_are_not_zero(made: Made, tiny: Path) -> None:
    flows = made(("HS2022", "870310", None), ("HS2022", "870321", None), weight_kg=[2.0, None])
    frame = conversion.convert(flows, "HS2017", reference=tiny).flows.table.execute()
    assert frame["value_usd"].isna().tolist() == [True]
    assert frame["weight_kg"].isna().tolist() == [True]
    whole = made(("HS2022", "870310", None), ("HS2022", "870321", 1.0), weight_kg=[2.0, 3.0])
    frame = conversion.convert(whole, "HS2017", reference=tiny).flows.table.execute()
    assert (frame["value_usd"].tolist(), frame["weight_kg"].tolist()) == ([1.0], [5.0])


def test_two_valuations_in_one_row_are_unknown(made: Made, tiny: Path) -> None:
    flows = made(("HS2022", "870310", 1.0), ("HS2022", "870321", 1.0), valuation=["CIF", "FOB"])
    frame = conversion.convert(flows, "HS2017", reference=tiny).flows.table.execute()
    assert frame["valuation"].tolist() == ["unknown"]


def test_areas_partners_and_flows_stay_apart(made: Made, tiny: Path) -> None:
    flows = made(
        *[("HS2022", "870310", float(v)) for v in (1, 2, 4, 8)],
        area=[None, "CN-GD", None, None],
        partner=["WLD", "WLD", "DEU", "DEU"],
        flow=["import", "import", "import", "export"],
    )
    done = conversion.convert(flows, "HS2017", reference=tiny)
    assert sorted(done.flows.table.execute()["value_usd"]) == [1.0, 2.0, 4.0, 8.0]
    assert len(done.flows.coverage) == 4


@pytest.mark.parametrize(
    ("rows_", "to", "error", "said"),
    [
        ([("HS2022", "01", 1.0)], "HS2017", TableError, "2-digit rows; only 6-digit.*--where level=6"),
        ([("HS2022", "TOTAL", 1.0)], "HS2017", TableError, "totals; only 6-digit"),
        ([("GACC8", "85423100", 1.0)], "HS2017", CodeError, "GACC8 cannot be converted to HS2017"),
        ([("HS2022", "010121", 1.0)], "HS2013", CodeError, "cannot convert to 'HS2013'; expected HS1992"),
        ([("HS2022", "010121", 1.0)], "GACC8", CodeError, "cannot convert to 'GACC8'"),
        ([("HS1996", "010111", 1.0)], "HS1992", CodeError, "conversion-HS1996-HS1992.*Two ways to get it"),
    ],
)  # fmt: skip
def test_refused(made: Made, tiny: Path, rows_: list[Row], to: str, error: type[AutarkyError], said: str) -> None:
    with pytest.raises(error, match=said):
        conversion.convert(made(*rows_), to, reference=tiny)


def test_no_flows(made: Made, tiny: Path) -> None:
    empty = made(("HS2022", "010121", 1.0)).where([Condition.parse("reporter=DEU")])
    with pytest.raises(NoDataError):
        conversion.convert(empty, "HS2017", reference=tiny)
    # What the coverage cannot tell shows only in the rows.
    none = made(("HS2022", "010121", 1.0)).where([Condition.parse("partner=FRA")])
    with pytest.raises(NoDataError):
        conversion.convert(none, "HS2017", reference=tiny)


def test_public_function(made: Made, tiny: Path) -> None:
    assert rows(codes.convert(made(("HS2022", "870321", 1.0)), "HS2017", reference=tiny)) == {("HS2017", "870310"): 1.0}


# --- tables of weights


@pytest.mark.parametrize(
    "header",
    ["from_code,to_code,weight", "code.source,code.target,weight", "to_code,weight,from_code", "source,target,share"],
)
def test_weights_from_a_file(made: Made, tiny: Path, tmp_path: Path, header: str) -> None:
    values = {"from": "010110", "source": "010110", "weight": "", "share": ""}
    lines = [header]
    for code, share in (("010121", "0.25"), ("010129", "0.75")):
        names = header.replace("code.", "").replace("_code", "").split(",")
        lines.append(",".join(share if n in ("weight", "share") else values.get(n, code) for n in names))
    path = tmp_path / "weights.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    done = conversion.convert(made(("HS2007", "010110", 8.0)), "HS2012", weights=path, reference=tiny)
    assert rows(done.flows) == {("HS2012", "010121"): 2.0, ("HS2012", "010129"): 6.0}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([("010110", "010121", 0.5), ("010110", "010129", 0.4)], r"do not sum to one: row 1 '010110 = 0.9'"),
        ([("010110", "010121", 0.5), ("010110", "010121", 0.5)], r"same pair stands in it again: row 2 '010110 →"),
        ([("10110", "010121", 1.0)], r"from_code is not a code: row 1 '10110'.*was a leading zero lost"),
        ([("010110", "999998", 1.0)], r"to_code is not a code of HS2012: row 1 '999998'"),
        ([("010110", "010121", -0.5), ("010110", "010129", 1.5)], r"is not a weight: row 1 '-0.5', row 2 '1.5'"),
        ([("010110", "010121", "x")], r"is not a weight: row 1 'x'"),
        ([("010110", "010121", float("nan"))], r"is not a weight: row 1 ''"),
        ([("010110", "010121", "inf")], r"is not a weight"),
    ],
)  # fmt: skip
def test_bad_weights(made: Made, tiny: Path, table: list[Row], said: str) -> None:
    frame = pd.DataFrame(table, columns=["from_code", "to_code", "weight"])
    with pytest.raises(CodeError, match=said):
        conversion.convert(made(("HS2007", "010110", 8.0)), "HS2012", weights=frame, reference=tiny)


def test_bad_tables_of_weights(made: Made, tiny: Path) -> None:
    flows = made(("HS2007", "010110", 8.0))
    one = {"from_code": ["010110"], "to_code": ["010121"], "weight": [1.0]}
    with pytest.raises(CodeError, match="has no column weight"):
        conversion.convert(flows, "HS2012", weights={"from_code": [], "to_code": []}, reference=tiny)
    with pytest.raises(CodeError, match="to_nomenclature does not exist: row 1 'HS2013'"):
        conversion.convert(flows, "HS2012", weights=one | {"to_nomenclature": ["HS2013"]}, reference=tiny)
    with pytest.raises(CodeError, match="holds no weights from HS2007 to HS2012"):
        conversion.convert(flows, "HS2012", weights=one | {"to_nomenclature": ["HS2017"]}, reference=tiny)
    with pytest.raises(CodeError, match="there is no such file"):
        conversion.convert(flows, "HS2012", weights="nosuch.csv", reference=tiny)
    several = made(
        ("HS2007", "010110", 8.0), ("HS2017", "854231", 8.0), period=[datetime.date(y, 1, 1) for y in (1, 2)]
    )
    with pytest.raises(CodeError, match="add a column from_nomenclature"):
        conversion.convert(several, "HS2012", weights=one, reference=tiny)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.floats(0.001, 1e3), min_size=2, max_size=2),
    values=st.lists(st.floats(0, 1e12), min_size=1, max_size=4),
    slack=st.floats(-9e-7, 9e-7),
)
def test_value_is_conserved(made: Made, tiny: Path, parts: list[float], values: list[float], slack: float) -> None:
    shares = [p / sum(parts) for p in parts]
    shares[0] = min(max(shares[0] + slack, 0.0), 1.0)
    table = {"from_code": ["010110"] * 2, "to_code": ["010121", "010129"], "weight": shares}
    products = ["010110", "854231", "271111", "999999"]
    flows = made(*[("HS2007", p, v) for p, v in zip(products, values, strict=False)])
    done = conversion.convert(flows, "HS2012", weights=table, reference=tiny)
    assert sum(rows(done.flows).values()) == pytest.approx(sum(values), rel=1e-12)
    assert done.value[1] == pytest.approx(done.value[0], rel=1e-12)


# --- end use and SITC


@pytest.mark.parametrize(
    ("dual", "expected"),
    [
        ("first", {"513202": 8.0, "611220": 1.0}),
        ("split", {"513202": 4.0, "512020": 4.0, "611220": 1.0}),
        ("separate", {"513202+512020": 8.0, "611220": 1.0}),
    ],
)
def test_dual_use(made: Made, tiny: Path, dual: str, expected: dict[str, float]) -> None:
    flows = made(("HS2022", "870321", 8.0), ("HS2022", "854231", 1.0))
    done = conversion.convert(flows, "BEC5", dual_use=dual, reference=tiny)
    assert rows(done.flows) == {("BEC5", code): v for code, v in expected.items()}
    assert done.assumed == ({} if dual == "separate" else {"dual use": 8.0})


def test_dual_use_policy_must_exist(made: Made, tiny: Path) -> None:
    with pytest.raises(CodeError, match="dual use 'both': expected first, split, separate"):
        conversion.convert(made(("HS2022", "854231", 1.0)), "BEC5", dual_use="both", reference=tiny)


def test_end_use_of_an_earlier_edition(made: Made, tiny: Path) -> None:
    assert rows(codes.convert(made(("HS2007", "854231", 1.0)), "BEC4", reference=tiny)) == {("BEC4", "42"): 1.0}
    with pytest.raises(CodeError, match="010110 → 111, 41"):
        codes.convert(made(("HS2007", "010110", 1.0)), "BEC4", reference=tiny)


def test_bec_codes_of_several_lengths_are_measured_by_product(made: Made, tiny: Path) -> None:
    flows = codes.convert(made(("HS2022", "854231", 1.0), ("HS2022", "271111", 1.0)), "BEC4", reference=tiny)
    found = measure.measure(flows, ["count"], ["product"], over="partner").table.execute()
    assert sorted(found["product"]) == ["322", "42"]


def test_sitc_only_where_single_valued(made: Made, tiny: Path) -> None:
    assert rows(codes.convert(made(("HS2007", "854231", 1.0)), "SITC4", reference=tiny)) == {("SITC4", "77642"): 1.0}
    with pytest.raises(CodeError, match="010110 → 0015, 0019"):
        codes.convert(made(("HS2007", "010110", 1.0)), "SITC4", reference=tiny)


@pytest.mark.parametrize(
    ("bec", "nomenclature", "expected"),
    [
        ("42", "BEC4", ("intermediate",)),
        ("41", "BEC4", ("capital",)),
        ("322", "BEC4", ("intermediate",)),
        ("111", "BEC4", ("raw",)),
        ("122", "BEC4", ("consumption",)),
        ("51", "BEC4", ("consumption", "capital")),
        ("7", "BEC4", ()),
        ("611220", "BEC5", ("intermediate",)),
        ("613202", "BEC5", ("consumption",)),
        ("113101", "BEC5", ("consumption",)),
        ("2111", "BEC5", ("raw",)),
        ("213101+2111", "BEC5", ("consumption", "raw")),
    ],
)
def test_big_categories(bec: str, nomenclature: str, expected: tuple[str, ...]) -> None:
    assert end_use.big_categories(bec, nomenclature) == expected
    assert end_use.big_category(bec, nomenclature) == (expected[0] if expected else None)


def test_big_category_of_what_is_none() -> None:
    with pytest.raises(CodeError, match="BEC4 has no basic category '99'"):
        end_use.big_category("99", "BEC4")
    with pytest.raises(CodeError, match="has no end use"):
        end_use.big_category("42", "HS2012")


def test_big_table_is_complete_and_sourced() -> None:
    for row in codes.rows_of("end_use_big"):
        assert row["source"]
        assert row["note"]
        assert row["basis"] in ("printed", "SNA", "assumed")
        assert {row["big"], row["also"]} <= {"", *end_use.BIG}
        assert row["also"] == "" or row["basis"] == "assumed"


def test_grouping_some_codes_or_all_gives_the_same(made: Made) -> None:
    """Codes with a successor of their own are not grouped; that must not show."""
    flows = made(("HS2022", "000001", 1.0), ("HS2022", "000002", 2.0), ("HS2022", "000003", 4.0),
                 ("HS2017", "000001", 8.0), ("HS2017", "000002", None), ("HS2017", "000003", 16.0),
                 partner=["DEU", "DEU", "DEU", "FRA", "FRA", "FRA"], valuation=["CIF", "FOB", "CIF"] * 2,
                 weight_kg=[1.0, 2.0, None, 4.0, 8.0, 16.0])  # fmt: skip
    con = flows.table.get_backend()
    # The same code is another thing in each edition: 000002 goes alone in one, and joins 000001 in the other.
    pairs = [("HS2022", "000001", "A", 1.0), ("HS2022", "000002", "B", 1.0), ("HS2022", "000003", "C", 0.25),
             ("HS2022", "000003", "D", 0.75), ("HS2017", "000001", "B", 1.0), ("HS2017", "000002", "B", 1.0),
             ("HS2017", "000003", "E", 1.0)]  # fmt: skip
    links = pd.DataFrame(pairs, columns=["from_nomenclature", "from_code", "to_code", "weight"])
    links = links.assign(to_nomenclature="HS2012")
    assert 0 < joining._shared(links).mean() < 0.5
    found = joining.joined(con, flows.table, links, flows.coverage).execute()
    got = {(r.partner, r.product): (r.value_usd, r.weight_kg, r.valuation) for r in found.itertuples()}
    assert len(got) == len(found)
    expected = {("DEU", "A"): (1.0, 1.0, "CIF"), ("DEU", "B"): (2.0, 2.0, "FOB"), ("DEU", "C"): (1.0, None, "CIF"),
                ("DEU", "D"): (3.0, None, "CIF"), ("FRA", "B"): (8.0, 12.0, "unknown"),
                ("FRA", "E"): (16.0, 16.0, "CIF")}  # fmt: skip
    assert {k: tuple(None if v != v else v for v in row) for k, row in got.items()} == expected


# --- the UN's own tables


@pytest.mark.parametrize("edition", HS)
@pytest.mark.parametrize(
    ("code", "bec4", "bec5"),
    [(f"8542{d}", "42", "611220") for d in (31, 32, 33, 39)]
    + [("851713", "41", "613202"), ("271111", "322", "213101"), ("210390", "122", "113101")],
)
def test_expected_end_use_in_every_edition(real: Path, edition: str, code: str, bec4: str, bec5: str) -> None:
    held = references.load("nomenclature", real, nomenclature=edition).to_pandas()
    if code not in set(held["code"]):
        assert code.startswith(("8542", "851713"))  # the others are in every edition
        return
    assert link(mapping(edition, "BEC4", "first", real))[code] == bec4
    assert link(mapping(edition, "BEC5", "first", real))[code] == bec5
    assert "consumption" == end_use.big_category(bec4, "BEC4") == end_use.big_category(bec5, "BEC5") or code != "210390"


# In no table of the UN: goods not specified, monetary gold and coin, three codes that correlations forget; and
# 2710.11 … 2710.99 as the lists of 1992 and 1996 print them (the HS had 2710.00 alone until 2002).
NOWHERE = {"999999", "710820", "711890", "291636", "300219", "380999"}
OIL = {f"2710{d}" for d in range(11, 100)}
# SITC1 holds no gold, nor waste of it.
GOLD = {"710811", "710812", "710813", "710900", "711210", "711230", "711291"}


@pytest.mark.parametrize("edition", HS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_code_converts_or_is_named(real: Path, edition: str, target: str) -> None:
    if edition == target:
        return
    frame = references.load("nomenclature", real, nomenclature=edition).to_pandas()
    held = set(frame.loc[frame["level"] == 6, "code"])
    found = mapping(edition, target, "first", real)
    sums = found.links.groupby("from_code")["weight"].sum()
    assert (sums - 1).abs().max() < 1e-12
    lost = NOWHERE | (OIL if edition in ("HS1992", "HS1996") else set()) | (GOLD if target == "SITC1" else set())
    assert held - found.known <= lost
    ambiguous = held & set(found.candidates["from_code"]) - set(found.links["from_code"])
    if target in HS and HS.index(target) < HS.index(edition):
        assert not ambiguous
        assert held <= set(sums.index)
    shares = found.candidates.groupby("from_code")["weight"].sum()
    assert len(shares) == 0 or (shares - 1).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("edition", "target", "ambiguous"),
    [("HS2007", "BEC4", 1), ("HS2022", "BEC4", 0), ("HS1992", "BEC4", 43), ("HS1992", "BEC5", 79)],
)
def test_few_codes_have_no_single_end_use(real: Path, edition: str, target: str, ambiguous: int) -> None:
    found = mapping(edition, target, "first", real)
    assert len(set(found.candidates["from_code"]) - set(found.links["from_code"])) == ambiguous


def test_overrides_of_chips_and_waste(real: Path) -> None:
    found = link(mapping("HS2022", "HS2017", "first", real))
    assert (found["854151"], found["854159"], found["852411"]) == ("854150", "854150", "901380")
    assert "854231" not in {found[c] for c in ("854921", "854931", "854991")}
    uses = link(mapping("HS2022", "BEC4", "first", real))
    assert uses["854151"] == uses["854159"] == "42"


@pytest.mark.parametrize(
    ("lists", "yes", "no"), [("naughton-fang-2025-batch1", 56, 30), ("naughton-fang-2025-batch2", 11, 10)]
)
def test_agreement_with_a_watch_list(real: Path, lists: str, yes: int, no: int) -> None:
    frame = end_use.agreement(lists, real)
    assert len(frame) == yes + no
    assert frame["bec4"].notna().all()
    assert frame["agrees_bec4"].value_counts().to_dict() == {"yes": yes, "no": no}
    chips = frame[frame["hs6"].isin(["854231", "854232", "854233", "854239"])]
    assert len(chips) == 0 or set(chips["big_bec4"]) == set(chips["big_bec5"]) == {"intermediate"}


@pytest.fixture(scope="module")
def baci() -> Flows:
    path = Path(__file__).parents[2] / "shared" / "data" / "baci"
    if not path.is_dir():
        pytest.skip(f"no BACI panel here: {path} is absent (it is not part of the repository)")
    return reader.read("baci", path)


@pytest.mark.parametrize("there", ["HS2012", "HS2022"])
def test_round_trip_conserves_value(baci: Flows, real: Path, there: str) -> None:
    out = conversion.convert(baci, there, weights="equal", reference=real)
    back = conversion.convert(out.flows, "HS1992", reference=real)
    assert out.value[1] == pytest.approx(out.value[0], rel=1e-12)
    assert back.value[1] == pytest.approx(out.value[0], rel=1e-12)
    assert out.unmapped.empty
    assert set(back.flows.coverage["nomenclature"]) == {"HS1992"}
    assert back.flows.files == baci.files
    assert out.assumption_share is not None
    assert 0.005 < out.assumption_share < 0.01


def test_round_trip_without_weights_is_refused_by_name(baci: Flows, real: Path) -> None:
    with pytest.raises(CodeError, match=r"8 codes of HS1992 \(324,735,366,665 USD\).*711290 → 711230, 711299"):
        conversion.convert(baci, "HS2012", reference=real)


def test_converted_categories_of_several_lengths_can_be_added(shared: Path, tmp_path: Path) -> None:
    """BEC 41 and 111 exclude each other; a share over categories is a figure, not a mixture of levels."""
    tables = tmp_path / "reference"
    references.add([shared.parent / "reference" / "unsd-hs2017-bec5-bec4.parquet"], tables)
    path = tmp_path / "panel.csv"
    path.write_text("period,partner,product,value_usd\n2020,USA,854231,3\n2020,USA,271111,1\n", encoding="utf-8")
    flows = reader.read("tidy", path, values={"reporter": "CHN", "flow": "import", "nomenclature": "HS2017"})
    done = codes.convert(flows, "BEC4", reference=tables)
    found = measure.measure(done, ["herfindahl"], ["reporter"], over="product").table
    assert engine.rows(found.get_backend(), found)["value"].to_pylist() == [pytest.approx(0.625)]
