"""Aggregates without semiconductor goods: by the UN's category, once a product, beside what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import annual_rows as rows
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_aggregates import by_end_use, given_of

from autarky import adjusted, reader, watchlists
from autarky.errors import MeasureError, NoDataError
from autarky.studies._self_reliance import adjusted_part

CARD = """
id: mine
title: Mine
source: by hand
nomenclature: GACC8
groups:
  - group: Equipment
    category: Semiconductor Capital
    codes:
      - {code: "84862010", label: oxidation furnaces}
      - {code: "84862021", label: deposition machines}
      - {code: "28046117", label: silicon}
  - group: More equipment
    category: Semiconductor Capital
    codes:
      - {code: "84862031", label: steppers}
  - group: Circuits
    category: Semiconductor Intermediate
    codes:
      - {code: "85423100", label: processors}
      - {code: "90318090", label: measuring instruments}
      - {code: "85423900", label: others}
  - group: Toys
    category: Other Capital
    codes:
      - {code: "95030000", label: toys}
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows.tables(tmp_path_factory.mktemp("end-use"))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> watchlists.WatchList:
    path = tmp_path_factory.mktemp("list") / "mine.yml"
    path.write_text(CARD, encoding="utf-8")
    return watchlists.load(str(path))


def two_years() -> list[dict[str, Any]]:
    first = rows.year(2015, p848620=10, p903180=6, p851712=84, p854231=20, p280461=5, p950300=75)
    return first + rows.year(2024, p848620=30, p903180=10, p851712=60, p854231=40, p280461=10, p950300=50)


def test_subtracted_where_the_un_counts_it(tables: Path, mine: watchlists.WatchList) -> None:
    found = by_end_use(rows.flows(two_years()), tables)
    made = adjusted.adjusted(found, mine, pd.Series({2015: 1000.0, 2024: 2000.0}))
    path = made.path.set_index(["category", "year"])
    capital, intermediate = path.loc[("capital", 2015)], path.loc[("intermediate", 2015)]
    # Measuring instruments are listed as intermediate and counted as capital; silicon the other way round.
    assert (capital["total_usd"], capital["semi_usd"], capital["adjusted_usd"]) == (100, 16, 84)
    assert (intermediate["total_usd"], intermediate["semi_usd"], intermediate["adjusted_usd"]) == (100, 25, 75)
    assert (capital["listed_usd"], intermediate["listed_usd"]) == (15, 26)
    assert capital["semi_share"] == pytest.approx(0.16)
    assert (capital["total_gdp"], capital["semi_gdp"], capital["adjusted_gdp"]) == pytest.approx((0.1, 0.016, 0.084))
    assert made.partial
    differing = made.differing.set_index("product")
    assert differing[["listed", "un", "value_usd"]].to_dict("index") == {
        "903180": {"listed": "intermediate", "un": "capital", "value_usd": 16},
        "280461": {"listed": "capital", "un": "intermediate", "value_usd": 15},
    }


def test_change_over_the_window(tables: Path, mine: watchlists.WatchList) -> None:
    found = by_end_use(rows.flows(two_years()), tables)
    made = adjusted.adjusted(found, mine, pd.Series({2015: 1000.0, 2024: 2000.0}))
    change = made.change.set_index(["category", "measure"])
    assert change.loc[("capital", "value"), "change"] == pytest.approx(60 / 84 - 1)
    assert change.loc[("capital", "share of GDP"), "change"] == pytest.approx(0.03 / 0.084 - 1)
    assert change.loc[("capital", "share of GDP"), "points"] == pytest.approx(0.03 - 0.084)
    none = adjusted.adjusted(found, mine, pd.Series({2015: 1000.0}), until=2024).change.set_index(
        ["category", "measure"]
    )
    assert pd.isna(none.loc[("capital", "share of GDP"), "change"])
    assert none.loc[("capital", "share of GDP"), "flag"] == "no value in 2015 or 2024"
    path = adjusted.adjusted(found, mine, pd.Series({2015: 1000.0})).path.set_index(["category", "year"])
    assert path.loc[("capital", 2024), "flag"] == "no GDP of 2024"
    assert path.loc[("capital", 2024), "adjusted_usd"] == 60


def test_each_code_is_accounted_for(tables: Path, mine: watchlists.WatchList) -> None:
    made = adjusted.adjusted(by_end_use(rows.flows(two_years()), tables), mine)
    match = made.codes.drop_duplicates("code").set_index("code")["match"].to_dict()
    assert match.pop("85423900") == "none"
    assert set(match.values()) == {"partial"}
    assert "95030000" not in match
    assert "adjusted_gdp" not in made.path


amounts = st.lists(st.floats(0, 1e12), min_size=len(rows.USES), max_size=len(rows.USES))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts)
def test_never_more_is_subtracted_than_is_there(tables: Path, mine: watchlists.WatchList, amounts: list[float]) -> None:
    flows = rows.flows([{"product": u[0], "value_usd": v} for u, v in zip(rows.USES, amounts, strict=True)])
    path = adjusted.adjusted(by_end_use(flows, tables), mine).path
    assert (path["adjusted_usd"] >= -1e-9 * path["total_usd"]).all()
    named = dict(zip((u[0] for u in rows.USES), amounts, strict=True))
    semi = sum(named[p] for p in ("848620", "280461", "854231", "903180"))
    assert path["semi_usd"].sum() == pytest.approx(semi, rel=1e-12)
    assert path["listed_usd"].sum() == pytest.approx(semi, rel=1e-12)


def test_what_cannot_be_subtracted_is_refused(tables: Path, mine: watchlists.WatchList) -> None:
    published = rows.flows([{"product": "41", "value_usd": 1, "nomenclature": "BEC4"}])
    with pytest.raises(MeasureError, match="published BEC4 rows; ingest 6-digit HS rows"):
        adjusted.adjusted(by_end_use(published, tables), mine)
    with pytest.raises(NoDataError, match="none of the 7 semiconductor codes of mine"):
        adjusted.adjusted(by_end_use(rows.flows(rows.year(2020, p950300=1)), tables), mine)
    with pytest.raises(MeasureError, match="has no category Semiconductor Capital"):
        adjusted.adjusted(
            by_end_use(rows.flows(rows.year(2020, p950300=1)), tables), watchlists.load("naughton-fang-2025-batch2")
        )


# --- beside what is printed


def of(printed: pd.DataFrame, figure: str, year: int, unit: str = "share of GDP") -> float:
    own = printed[(printed["figure"] == figure) & (printed["year"] == year) & (printed["unit"] == unit)]
    return float(own["value"].item())


def test_the_printed_figures_hang_together_but_for_one() -> None:
    printed = adjusted.published().values
    left = {y: of(printed, "capital without semiconductors", y) for y in (2015, 2023, 2024)}
    semi = {y: of(printed, "semiconductor capital", y) for y in (2015, 2023, 2024)}
    change = of(printed, "capital without semiconductors", 2024, "change")
    assert left[2024] / left[2015] - 1 == pytest.approx(change, abs=0.005)
    for year, tolerance in ((2015, 0.003), (2023, 0.002)):
        share = semi[year] / (semi[year] + left[year])
        assert share == pytest.approx(of(printed, "semiconductor capital", year, "share of capital"), abs=tolerance)
    # 19 billion US dollars at 0.14% of GDP would be a GDP of 13.6 trillion; China's of 2024 was near 18.7.
    implied = of(printed, "semiconductor capital", 2024, "USD") / semi[2024]
    assert implied == pytest.approx(13.57e12, rel=1e-3)


def test_printed_beside_computed(tables: Path, mine: watchlists.WatchList) -> None:
    gdp = pd.Series({2015: 1000.0, 2024: 2000.0})
    found = by_end_use(rows.flows(two_years()), tables)
    made = adjusted.adjusted(found, mine, gdp)
    totals = pd.DataFrame({"year": [2015, 2024], "category": ["capital", "all"], "share_of_gdp": [0.1, 0.1]})
    table = adjusted.beside(adjusted.published().values, made, totals).set_index(["figure", "unit", "year"])["computed"]
    assert table["capital without semiconductors", "share of GDP", 2015] == pytest.approx(0.084)
    assert table["capital without semiconductors", "change", 2024] == pytest.approx(0.03 / 0.084 - 1)
    assert table["intermediate without semiconductors", "share of GDP", 2024] == pytest.approx(0.025)
    assert table["semiconductor capital", "USD", 2024] == 40
    assert table["semiconductor capital", "share of capital", 2015] == pytest.approx(0.16)
    assert table["semiconductor intermediate", "share of GDP", 2015] == pytest.approx(0.025)
    assert (table["capital", "share of GDP", 2015], table["total", "share of GDP", 2024]) == (0.1, 0.1)
    assert pd.isna(table["capital without semiconductors", "share of GDP", 2023])


# --- the part of the study


def test_the_part_says_what_it_lacks(tables: Path) -> None:
    flows = rows.flows([{"product": "41", "value_usd": 1, "nomenclature": "BEC4"}])
    part = adjusted_part.part(given_of(flows, "CHN", None), reference=tables)
    assert not part.tables
    assert "published BEC4 rows" in part.sections[0].paragraphs[0]


def test_the_part_on_real_data(shared: Path, tmp_path: Path) -> None:
    un = rows.un(tmp_path / "un")
    flows = reader.read("comtrade", [*sorted((shared / "us-china").glob("comtrade-usa-china-annual-*.parquet"))])

    class Macro:
        def gdp_usd(self, area: str, source: str | None = None) -> pd.Series:
            found = pd.Series({y: 1e13 for y in range(2015, 2025)})
            found.attrs["how"] = "as reported"
            return found

    part = adjusted_part.part(given_of(flows, "CHN", "USA", Macro()), mirror=True, reference=un)
    names = {t.name: t for t in part.tables}
    (section,) = part.sections
    assert set(section.items) <= {*names, *(f.name for f in part.figures)}
    for table in part.tables:
        assert sorted(table.frame.columns) == sorted(c.name for c in table.columns), table.name
    path = names["adjusted-path"].frame
    assert len(path) == 20
    assert (path["adjusted_usd"] < path["total_usd"]).all()
    assert (path["adjusted_gdp"] * 1e13).tolist() == pytest.approx(path["adjusted_usd"].tolist())
    words = " ".join(section.paragraphs)
    assert "together they imply a GDP of 13.6 trillion USD (the GDP used here is 10.0 trillion)" in words
    assert "difference says nothing against either" in words
    assert "upper bound" in part.sure[0]
