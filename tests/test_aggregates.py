"""Aggregates by end use: sums, what is never added together, mirrors, months, shares of GDP, editions."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import annual_rows as rows
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autarky import aggregates, annual, conversion, end_use, reader, watchlists
from autarky.errors import CodeError, MeasureError, NoDataError, TableError
from autarky.placement import CATEGORIES, UNCLASSIFIED
from autarky.studies._self_reliance import end_use as end_use_part
from autarky.tables import Condition, Flows, Ledger

PANEL = "comtrade-usa-china-annual-hs2-4-6-*.parquet"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows.tables(tmp_path_factory.mktemp("end-use"))


@pytest.fixture(scope="module")
def un(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows.un(tmp_path_factory.mktemp("un"))


def by_end_use(flows: Flows, reference: Path, reporter: str = "CHN", **options: Any) -> aggregates.Aggregates:
    return aggregates.by_end_use(flows, flows.table.get_backend(), reporter, reference=reference, **options)


def values(found: aggregates.Aggregates, year: int = 2020, flow: str = "import") -> dict[str, float]:
    own = found.frame[(found.frame["year"] == year) & (found.frame["flow"] == flow)]
    return dict(zip(own["category"], own["value_usd"], strict=True))


# --- which product is where


def test_every_category_and_what_is_in_none(tables: Path) -> None:
    flows = rows.flows(rows.year(2020, p010129=1, p854231=2, p848620=4, p870310=8, p930599=16, p999999=32, p123456=64))
    found = by_end_use(flows, tables)
    assert values(found) == {"raw": 1, "intermediate": 2, "capital": 4, "consumption": 8, UNCLASSIFIED: 112}
    assert dict(zip(found.unmapped["product"], found.unmapped["why"], strict=True)) == {
        "123456": "in no table of end use",
        "999999": "goods not specified",
        "930599": "BEC4 7: in none of the four categories",
    }
    assert found.frame["share"].sum() == pytest.approx(1)
    assert list(found.frame["category"]) == list(CATEGORIES)
    # Passenger cars are mixed in BEC4.
    assert found.assumed.to_dict("records") == [
        {
            "year": 2020,
            "flow": "import",
            "assumption": "mixed category",
            "value_usd": 8.0,
            "share": pytest.approx(8 / 127),
        }
    ]
    cars = found.frame[found.frame["category"] == "consumption"].iloc[0]
    assert (cars["assumed_usd"], cars["assumed_share"]) == (8, 1)


def test_two_uses_first_and_split(tables: Path) -> None:
    flows = rows.flows(rows.year(2020, p851712=100, p271111=10, p854231=1))
    first = by_end_use(flows, tables, nomenclature="BEC5")
    half = by_end_use(flows, tables, nomenclature="BEC5", dual_use="split")
    assert values(first)["consumption"] == 110
    assert values(half)["consumption"] == 55
    assert (values(half)["capital"], values(half)["raw"], values(half)["intermediate"]) == (50, 5, 1)
    for found in (first, half):
        assert found.frame["value_usd"].sum() == 111
        assert found.assumed["value_usd"].sum() == 110
        assert set(found.assumed["assumption"]) == {"dual use"}
    with pytest.raises(CodeError, match="dual use 'separate': expected first or split"):
        by_end_use(flows, tables, dual_use="separate")
    with pytest.raises(CodeError, match="'SITC4' has no end use"):
        by_end_use(flows, tables, nomenclature="SITC4")


amounts = st.lists(st.floats(0, 1e12), min_size=len(rows.USES), max_size=len(rows.USES))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts, st.sampled_from(["BEC4", "BEC5"]), st.sampled_from(["first", "split"]))
def test_agrees_with_the_conversion_of_flows(tables: Path, amounts: list[float], target: str, policy: str) -> None:
    flows = rows.flows([{"product": u[0], "value_usd": v} for u, v in zip(rows.USES, amounts, strict=True)])
    own = values(by_end_use(flows, tables, nomenclature=target, dual_use=policy))
    assert own == pytest.approx(converted(flows, target, policy, tables), rel=1e-12)
    assert sum(own.values()) == pytest.approx(sum(amounts), rel=1e-12)


def converted(flows: Flows, target: str, policy: str, reference: Path) -> dict[str, float]:
    """Return category → value by the conversion of flows, product by product."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = conversion.convert(flows, target, dual_use=policy, reference=reference).flows.table.execute()
    sums = dict.fromkeys(CATEGORIES, 0.0)
    for row in table.itertuples():
        known = row.nomenclature == target
        sums[(end_use.big_category(row.product, target) if known else None) or UNCLASSIFIED] += row.value_usd
    return sums


def test_a_product_without_a_value_is_not_zero(tables: Path) -> None:
    found = by_end_use(rows.flows(rows.year(2020, p854231=None, p848620=4)), tables)
    own = found.frame.set_index("category")
    assert pd.isna(own.loc["intermediate", "value_usd"])
    assert own.loc["intermediate", "flag"] == "no product of this category has a value"
    assert own.loc[UNCLASSIFIED, "value_usd"] == 0
    assert own.loc["capital", "share"] == 1


# --- what is never added together


def test_only_six_digits_count_and_the_printed_total_is_compared(tables: Path) -> None:
    flows = rows.flows(rows.year(2020, pTOTAL=10, p85=9, p8542=9, p854231=9))
    found = by_end_use(flows, tables)
    assert values(found)["intermediate"] == 9
    assert found.years["total_usd"].tolist() == [10]
    (caution,) = found.cautions
    assert "add up to 9 USD, the printed total is 10 (-10.00%)" in caution
    assert by_end_use(rows.flows(rows.year(2020, pTOTAL=9, p854231=9)), tables).cautions == ()


def test_world_total_or_partners_never_both(tables: Path) -> None:
    world, usa, deu = (
        {"product": "854231", "value_usd": v, "partner": p} for v, p in ((10, "WLD"), (4, "USA"), (5, "DEU"))
    )
    assert values(by_end_use(rows.flows([world, usa, deu]), tables))["intermediate"] == 10
    found = by_end_use(rows.flows([usa, deu]), tables)
    assert values(found)["intermediate"] == 9
    assert found.years["partners"].tolist() == [2]
    assert values(by_end_use(rows.flows([world, usa, deu]), tables, partner="USA"))["intermediate"] == 4


def test_a_year_of_partners_among_years_of_totals_is_null_with_a_reason(tables: Path) -> None:
    flows = rows.flows(
        [{"product": "854231", "value_usd": 10, "year": 2019},
         {"product": "854231", "value_usd": 4, "year": 2020, "partner": "USA"}]
    )  # fmt: skip
    found = by_end_use(flows, tables)
    own = found.frame[found.frame["year"] == 2020]
    assert own["value_usd"].isna().all()
    assert own["flag"].str.contains("world total is not reported").all()


def test_two_sources_or_two_editions_of_one_year_are_refused(tables: Path) -> None:
    two = [{"product": "854231", "value_usd": 1, "source": s} for s in ("a", "b")]
    with pytest.raises(TableError, match="two sources"):
        by_end_use(rows.flows(two), tables)
    assert values(by_end_use(rows.flows(two), tables, source="b"))["intermediate"] == 1
    editions = [{"product": "854231", "value_usd": 1, "nomenclature": n} for n in ("HS2012", "HS2017")]
    with pytest.raises(TableError, match="two code systems"):
        by_end_use(rows.flows(editions), tables)


def test_both_flows_apart(tables: Path) -> None:
    flows = rows.flows([{"product": "854231", "value_usd": v, "flow": f} for v, f in ((3, "import"), (5, "export"))])
    found = by_end_use(flows, tables)
    assert (values(found)["intermediate"], values(found, flow="export")["intermediate"]) == (3, 5)
    assert set(by_end_use(flows, tables, flow="export").frame["flow"]) == {"export"}


# --- published BEC rows


def test_published_rows_are_preferred_and_headings_not_counted_twice(tables: Path) -> None:
    own = {"1": 111, "11": 111, "111": 11, "112": 100, "41": 4, "42": 2, "4": 6, "TOTAL": 117}
    published = [{"product": p, "value_usd": v, "nomenclature": "BEC4"} for p, v in own.items()]
    hs = rows.year(2020, p854231=7) + rows.year(2021, p854231=8)
    found = by_end_use(rows.flows(published + hs), tables)
    assert values(found) == {"raw": 11, "intermediate": 2, "capital": 4, "consumption": 100, UNCLASSIFIED: 0}
    assert values(found, 2021)["intermediate"] == 8
    assert found.cautions == ()
    # For the other classification the HS rows of 2020 are what there is.
    assert values(by_end_use(rows.flows(published + hs), tables, nomenclature="BEC5"))["intermediate"] == 7


def test_a_heading_that_is_not_the_sum_of_its_parts_is_named(tables: Path) -> None:
    own = {"11": 120, "111": 11, "112": 100}
    flows = rows.flows([{"product": p, "value_usd": v, "nomenclature": "BEC4"} for p, v in own.items()])
    found = by_end_use(flows, tables)
    assert found.cautions == (
        "BEC4 11, import 2020: its parts add up to 111 USD, the heading is 120; the parts are counted",
    )


def test_a_heading_without_its_parts_has_no_end_use(tables: Path) -> None:
    flows = rows.flows([{"product": "1", "value_usd": 5, "nomenclature": "BEC4"}])
    found = by_end_use(flows, tables)
    assert values(found)[UNCLASSIFIED] == 5
    assert "no basic category '1'" in found.unmapped["why"].iloc[0]


# --- mirror


def test_the_mirror_is_taken_only_when_asked_for(tables: Path) -> None:
    flows = rows.flows(
        [{"product": "854231", "value_usd": 3, "flow": "export"}, {"product": "848620", "value_usd": 5}],
        reporter="USA", partner="CHN", valuation="FOB",
    )  # fmt: skip
    with pytest.raises(NoDataError, match=r"no rows on imports of CHN with USA, but USA may report.*mirror=True"):
        by_end_use(flows, tables, partner="USA", flow="import")
    found = by_end_use(flows, tables, partner="USA", flow="import", mirror=True)
    assert values(found)["intermediate"] == 3
    assert set(found.frame["flow"]) == {"import"}
    assert found.years["valuation"].tolist() == ["FOB"]
    assert "mirror: its exports stand for imports" in found.ledger.lines[0].note
    both = by_end_use(flows, tables, partner="USA", mirror=True)
    assert values(both, flow="export")["capital"] == 5
    with pytest.raises(MeasureError, match="name the partner"):
        by_end_use(flows, tables, mirror=True)


# --- months


def test_twelve_months_are_a_year_and_eleven_are_not(tables: Path) -> None:
    flows = rows.flows(rows.months(2019, "854231", [1.0] * 12) + rows.months(2020, "854231", [1.0] * 11, first=2))
    found = by_end_use(flows, tables)
    assert values(found, 2019)["intermediate"] == 12
    own = found.frame[found.frame["year"] == 2020]
    assert own["value_usd"].isna().all()
    assert set(own["flag"]) == {"11 of 12 months; absent: 2020-01"}
    assert found.ledger.lines[0].value_in - found.ledger.lines[0].value_out == 11
    joint = by_end_use(flows, tables, combined=[("2020-01", "2020-02")])
    assert values(joint)["intermediate"] == 11


def test_annual_rows_come_before_months(tables: Path) -> None:
    flows = rows.flows(rows.year(2020, p854231=100) + rows.months(2020, "854231", [1.0] * 12))
    assert values(by_end_use(flows, tables))["intermediate"] == 100
    assert values(by_end_use(flows, tables, freq="M"))["intermediate"] == 12


def test_by_month(tables: Path) -> None:
    flows = rows.flows(rows.months(2020, "851712", [1.0, 2.0]) + rows.months(2020, "854231", [7.0], first=4))
    found = aggregates.monthly_by_end_use(
        flows, flows.table.get_backend(), "CHN", nomenclature="BEC5", dual_use="split", reference=tables
    )
    wide = found.pivot(index="month", columns="category", values="value_usd")
    assert len(wide) == 4
    assert wide["capital"].tolist()[:2] == [0.5, 1.0]
    assert wide["consumption"].tolist()[:2] == [0.5, 1.0]
    assert wide.loc["2020-03"].isna().all()
    assert wide.loc["2020-04", "intermediate"] == 7


# --- shares of GDP


def test_share_of_gdp() -> None:
    frame = pd.DataFrame({"year": [2019, 2020, 2021], "value_usd": [5.0, 5.0, None], "flag": [None, None, "11 of 12"]})
    found = aggregates.as_share_of_gdp(frame, pd.Series({2019: 100.0, 2021: 100.0}))
    assert found["share_of_gdp"].iloc[0] == 0.05
    assert found["share_of_gdp"].iloc[1:].isna().all()
    assert pd.isna(found["flag"].iloc[0])
    assert found["flag"].tolist()[1:] == ["no GDP of 2020", "11 of 12"]


# --- editions, on the UN's own tables


def test_each_year_goes_by_its_own_edition(un: Path) -> None:
    flows = rows.flows(
        [{"year": 2016, "product": "851712", "value_usd": 1, "nomenclature": "HS2012"},
         {"year": 2023, "product": "851713", "value_usd": 2, "nomenclature": "HS2022"},
         {"year": 2023, "product": "854231", "value_usd": 4, "nomenclature": "HS2022"}]
    )  # fmt: skip
    found = by_end_use(flows, un)
    assert values(found, 2016)["capital"] == 1
    own = values(found, 2023)
    assert (own["intermediate"], own["capital"], own[UNCLASSIFIED]) == (4, 2, 0)
    assert found.cautions == ()


def test_one_edition_for_all_years_is_found_out(un: Path) -> None:
    flows = rows.flows(rows.year(2015, p440320=1, p854231=1) + rows.year(2023, p851713=2, p854231=4))
    found = by_end_use(flows, un)
    assert values(found, 2023)[UNCLASSIFIED] == 2
    early, old, new = found.cautions
    assert early == "import 2015 is stored as HS2017, which was not yet in force"
    assert "2015 is stored as HS2017, but 1 of its codes (1 USD; 440320) are in HS2012" in old
    assert "2023 is stored as HS2017, but 1 of its codes (2 USD; 851713) are in HS2022" in new


# --- real data


@pytest.fixture(scope="module")
def real(shared: Path) -> Flows:
    return reader.read("comtrade", [*sorted((shared / "us-china").glob(PANEL))])


@pytest.mark.parametrize("target", ["BEC4", "BEC5"])
def test_real_categories_add_up_to_the_total_and_agree_with_the_conversion(real: Flows, un: Path, target: str) -> None:
    found = by_end_use(real, un, "USA", partner="CHN", nomenclature=target)
    sums = found.frame.groupby(["year", "flow"])["value_usd"].sum()
    totals = found.years.set_index(["year", "flow"])["total_usd"]
    assert len(sums) == 20
    assert (sums / totals).tolist() == pytest.approx([1.0] * 20, rel=1e-9)
    assert found.cautions == ()
    one = real.where([Condition("level", ("6",)), Condition("year", ("2023",)), Condition("flow", ("export",))])
    assert values(found, 2023, "export") == pytest.approx(converted(one, target, "first", un), rel=1e-12)


def test_real_mirror_is_the_other_side(real: Flows, un: Path) -> None:
    own = by_end_use(real, un, "USA", partner="CHN", flow="export")
    mirror = by_end_use(real, un, "CHN", partner="USA", flow="import", mirror=True)
    assert values(mirror, 2020) == values(own, 2020, "export")
    assert (
        annual.annual(real, real.table.get_backend(), "CHN", partner="USA", mirror=True).years["partners"].eq(1).all()
    )


def given_of(flows: Flows, reporter: str, partner: str | None, macro: Any = None) -> Any:
    scope = SimpleNamespace(
        reporter=reporter, partner=partner, listed=watchlists.load("naughton-fang-2025-batch1"), origins=flows.origins
    )
    return SimpleNamespace(
        flows=flows, con=flows.table.get_backend(), scope=scope, macro=macro, ledger=Ledger(), source_line="Data: made."
    )


def test_the_part_says_what_it_lacks(tables: Path) -> None:
    flows = rows.flows(rows.months(2020, "84862031", [1.0], nomenclature="GACC8"))
    part = end_use_part.part(given_of(flows, "CHN", None), reference=tables)
    (section,) = part.sections
    assert "in GACC8" in section.paragraphs[0]
    assert "autarky ingest comtrade" in section.paragraphs[0]
    assert not part.tables


def test_the_part_on_real_data(real: Flows, un: Path) -> None:
    scope = given_of(real, "CHN", "USA")
    part = end_use_part.part(scope, mirror=True, reference=un)
    names = {t.name for t in part.tables}
    assert {"end-use-all", "end-use-imports", "bec-matrix", "bridge", "other-matrix"} <= names
    for section in part.sections:
        assert set(section.items) <= names | {f.name for f in part.figures}
    for table in part.tables:
        assert sorted(table.frame.columns) == sorted(c.name for c in table.columns), table.name
    words = " ".join(p for s in part.sections for p in s.paragraphs)
    assert "Mirror" in words
    assert "FOB" in words
    assert "no gross domestic product" in words
    assert "99" in next(p for p in part.sections[0].paragraphs if "Unclassified" in p)
    tried = next(t.frame for t in part.tables if t.name == "bridge")
    assert set(tried["year"]) == {2024}
    assert tried["actual_usd"].notna().all()
    assert any("end use by BEC4" in line.step for line in scope.ledger.lines)


def test_years_that_are_sums_of_the_months_validate_nothing(tables: Path) -> None:
    flows = rows.flows([r for y in (2018, 2019, 2020) for r in rows.months(y, "854231", [1.0] * 12)])
    part = end_use_part.part(given_of(flows, "CHN", None), reference=tables)
    words = " ".join(p for s in part.sections for p in s.paragraphs)
    assert "sums of these same months, so that the two agree says nothing" in words
    assert "1 to 1 products a year" in words
