"""Chains: strict cards, value kept, and the package's own cards against the yearly lists."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autarky import audit, chains, dated, watchlists
from autarky.errors import CardError, CoverageWarning, MeasureError

IDS = ["naughton-fang-2025-batch1", "naughton-fang-2025-batch2"]
LASER, BASKET = "Laser/Optical Measurement Devices", ["90151000", "90151010", "90151090"]
TELECOM = "Telecommunication Equipment"
ONE = {"group": TELECOM, "from": "85177010", "to": "85177910", "year": 2022, "reason": "same name", "source": "lists"}
MANY = {"group": LASER, "basket": BASKET, "years": [2023], "reason": "a split", "source": "lists"}
POLYMER = {**ONE, "group": "Polymers", "from": "39019020", "to": "39014020", "year": 2017}


def card(tmp_path: Path, *rows: Any, **fields: Any) -> str:
    content = {"id": "mine", "title": "Mine", "watchlist": IDS[0], "nomenclature": "GACC8", "reviewed": "2026-01-01",
               "notes": [], "chains": list(rows), **fields}  # fmt: skip
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return str(path)


def frame(*rows: tuple[str | None, str, str, float | None]) -> pd.DataFrame:
    category = {LASER: "Other Capital", TELECOM: "Other Capital", "Polymers": "Other Intermediate"}
    return pd.DataFrame(
        {
            "group": pd.array([g for g, *_ in rows], dtype="str"),
            "category": pd.array([category[g] if g else None for g, *_ in rows], dtype="str"),
            "product": pd.array([p for _, p, _, _ in rows], dtype="str"),
            "period": pd.PeriodIndex([m for _, _, m, _ in rows], freq="M"),
            "value_usd": [v for *_, v in rows],
        }
    )


SERIES = frame(
    (TELECOM, "85177010", "2021-12", 10.0),
    (TELECOM, "85177910", "2022-01", 11.0),
    (LASER, "90151000", "2022-12", 20.0),
    (LASER, "90151010", "2023-01", 3.0),
    (LASER, "90132000", "2023-01", 7.0),
    ("Polymers", "39014020", "2017-01", 5.0),
    (None, "90151090", "2023-01", 18.0),
    (None, "39019020", "2016-12", 4.0),
)


def told(series: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    keys = zip(series["group"], series["product"], series["period"].astype(str), strict=True)
    return dict(zip(keys, series["value_usd"], strict=True))


@pytest.fixture
def mine(tmp_path: Path) -> chains.Chains:
    return chains.load(card(tmp_path, ONE, MANY, POLYMER))


def test_load(mine: chains.Chains) -> None:
    one, many, polymer = mine.chains
    assert (one.kind, one.members, one.unlisted, one.covered) == ("one-to-one", ("85177010", "85177910"), (), True)
    assert (many.kind, many.unlisted, many.covered) == ("basket", ("90151090",), False)
    assert (polymer.category, polymer.product) == ("Other Intermediate", "39014020")
    assert chains.products(mine) == sorted(["85177010", "85177910", *BASKET, "39019020", "39014020"])
    assert mine.frame()["unlisted"].tolist() == ["", "90151090", "39019020"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{**ONE, "from": 85177010}], "code 85177010 is not a string of 8 digits"),
        ([{**ONE, "from": "851770"}], "'851770' is not a string of 8 digits"),
        ([{**ONE, "year": "2022"}], "'2022' is not a year"),
        ([{**ONE, "year": True}], "True is not a year"),
        ([{**ONE, "year": 202}], "202 is not a year"),
        ([{**MANY, "years": [2023, 2017]}], "not a list of years in order"),
        ([{**MANY, "years": 2023}], "not a list of years in order"),
        ([{**MANY, "years": []}], "not a list of years in order"),
        ([{**ONE, "to": "85177010"}], "two codes or more, each once"),
        ([{**ONE, "to": ["85177910", "85177920"]}], "takes one code to one code"),
        ([{**MANY, "basket": ["90151000"]}], "two codes or more"),
        ([{**MANY, "basket": "90151000"}], "a basket is a list"),
        ([ONE, {**ONE, "to": "85177950"}], "85177010 stands in two chains"),
        ([{**ONE, "group": "Nothing"}], "no group 'Nothing'"),
        ([{**ONE, "group": LASER}], "listed in another group"),
        ([{**ONE, "from": "85177020", "to": "85177920"}], "none of its codes is listed"),
        ([{**ONE, "reason": " "}], "`reason` says nothing"),
        ([{k: v for k, v in ONE.items() if k != "source"}], "`source` is missing"),
        ([{**ONE, "share": 0.5}], "`share` is not a field"),
        (["85177010"], "is missing"),
    ],
)
def test_bad_cards(tmp_path: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(CardError, match=said):
        chains.load(card(tmp_path, *rows))


def test_bad_heads(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"there is no card 'none' in chains; there are naughton-fang-2025-batch1"):
        chains.load("none")
    with pytest.raises(CardError, match="no card 'none' in watchlists"):
        chains.load(card(tmp_path, watchlist="none"))
    with pytest.raises(CardError, match="codes of CN8, but"):
        chains.load(card(tmp_path, nomenclature="CN8"))
    with pytest.raises(CardError, match="`colour` is not a field"):
        chains.load(card(tmp_path, colour="red"))


def test_as_is(mine: chains.Chains) -> None:
    assert told(chains.apply(SERIES, mine, "as-is")) == told(SERIES.dropna(subset="group"))


def test_chained(mine: chains.Chains) -> None:
    done = chains.apply(SERIES, mine, "chained")
    assert told(done) == {
        (TELECOM, "85177910", "2021-12"): 10.0,
        (TELECOM, "85177910", "2022-01"): 11.0,
        (LASER, "90151000", "2022-12"): 20.0,
        (LASER, "90151010", "2023-01"): 3.0,
        (LASER, "90151090", "2023-01"): 18.0,
        (LASER, "90132000", "2023-01"): 7.0,
        ("Polymers", "39014020", "2016-12"): 4.0,
        ("Polymers", "39014020", "2017-01"): 5.0,
    }
    assert done.loc[done["product"] == "90151090", "category"].tolist() == ["Other Capital"]
    assert list(done.columns) == list(SERIES.columns)


def test_dropped(mine: chains.Chains) -> None:
    """What the list holds whole stays; what it holds in part goes."""
    assert set(chains.apply(SERIES, mine, "dropped")["product"]) == {"85177010", "85177910", "90132000"}


def test_chained_adds_what_overlaps_and_keeps_null(mine: chains.Chains) -> None:
    both = frame((TELECOM, "85177010", "2022-01", 1.0), (TELECOM, "85177910", "2022-01", 2.0))
    assert told(chains.apply(both, mine, "chained")) == {(TELECOM, "85177910", "2022-01"): 3.0}
    nothing = frame((TELECOM, "85177010", "2022-01", None))
    assert chains.apply(nothing, mine, "chained")["value_usd"].isna().all()


@pytest.mark.parametrize("how", chains.BREAKS)
def test_an_empty_series(mine: chains.Chains, how: str) -> None:
    done = chains.apply(SERIES.head(0), mine, how)
    assert done.empty
    assert list(done.columns) == list(SERIES.columns)


def test_refusals(mine: chains.Chains) -> None:
    with pytest.raises(MeasureError, match="expected as-is, chained, dropped"):
        chains.apply(SERIES, mine, "spliced")
    with pytest.raises(MeasureError, match="90132000 has no group"):
        chains.apply(frame((None, "90132000", "2022-01", 1.0)), mine, "chained")
    partial = frame((LASER, "901510", "2022-01", 1.0))
    with pytest.raises(MeasureError, match="can only be taken as-is"):
        chains.apply(partial, mine, "chained")
    assert len(chains.apply(partial, mine, "as-is")) == 1


def test_with_unlisted(mine: chains.Chains) -> None:
    values = SERIES[["product", "period", "value_usd"]]
    listed = SERIES.dropna(subset="group")
    assert told(chains.apply(chains.with_unlisted(listed, values, mine), mine, "chained")) == told(
        chains.apply(SERIES, mine, "chained")
    )
    assert len(chains.with_unlisted(listed, values.head(0), mine)) == len(listed)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", IDS)
def test_value_is_conserved(name: str, data: st.DataObject) -> None:
    card, listed = chains.load(name), watchlists.load(name)
    groups = {e.code: e.group for e in listed.entries}
    codes = sorted({*groups, *chains.products(card)})
    drawn = data.draw(
        st.dictionaries(
            st.tuples(st.sampled_from(codes), st.integers(0, 119)), st.integers(0, 10**12), min_size=1, max_size=30
        )
    )
    series = pd.DataFrame(
        {
            "group": pd.array([groups.get(c) for c, _ in drawn], dtype="str"),
            "category": pd.array([listed.groups[groups[c]] if c in groups else None for c, _ in drawn], dtype="str"),
            "product": pd.array([c for c, _ in drawn], dtype="str"),
            "period": pd.PeriodIndex([pd.Period("2015-01", "M") + m for _, m in drawn]),
            "value_usd": [float(v) for v in drawn.values()],
        }
    )
    done = chains.apply(series, card, "chained")
    assert done["value_usd"].sum() == series["value_usd"].sum()
    assert done["group"].notna().all()
    assert not done.duplicated(["group", "product", "period"]).any()
    assert chains.apply(series, card, "dropped")["value_usd"].sum() <= series["value_usd"].sum()


def test_every_card_loads() -> None:
    assert chains.names() == IDS
    assert [len(chains.load(name).chains) for name in IDS] == [12, 3]


# The cards against the real lists.


@pytest.mark.parametrize("name", IDS)
def test_the_years_of_the_cards_are_those_of_the_lists(real: Path, name: str) -> None:
    """A one-to-one successor begins as its predecessor ends; a basket's years are those in which its codes begin."""
    held = dated.lists("GACC8", real).groupby("code")["year"].agg(["min", "max"])
    for chain in chains.load(name).chains:
        spans = held.loc[list(chain.members)]
        begins = sorted({int(y) for y in spans["min"]} - {2015})
        assert tuple(begins) == chain.years, chain.members
        assert {int(y) + 1 for y in spans["max"]} - {2024} <= set(begins), chain.members
        if chain.kind == "one-to-one":
            assert spans.loc[chain.members[0], "max"] + 1 == spans.loc[chain.members[1], "min"] == chain.years[0]


@pytest.mark.parametrize("name", IDS)
def test_every_break_is_in_a_chain(real: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        frame = audit.audit(name, reference=real)
    card = chains.load(name)
    broken = frame[frame["finding"].isin(["born", "died"])]
    assert set(broken["code"]) <= set(chains.products(card))
    uncovered = set(broken.loc[~broken["covered"].astype(bool), "code"])
    assert uncovered <= {c for chain in card.chains if not chain.covered for c in chain.members}
