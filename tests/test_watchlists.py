"""The two watch-list cards of Naughton and Fang 2025 hold what the paper prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CARDS = ROOT / "src" / "autarky" / "data" / "watchlists"
SEEDS = ROOT.parent / "shared" / "seeds"
CATEGORIES = {
    "Semiconductor Capital",
    "Semiconductor Intermediate",
    "Other Capital",
    "Other Intermediate",
    "Other Consumption",
}
IDS = ["naughton-fang-2025-batch1", "naughton-fang-2025-batch2"]


def card(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CARDS / f"{name}.yml").read_text(encoding="utf-8"))
    return loaded


def rows(name: str) -> list[dict[str, Any]]:
    return [row for group in card(name)["groups"] for row in group["codes"]]


def paper() -> str:
    """The text of the paper; the test is skipped where it is not at hand."""
    found = sorted(SEEDS.glob("000_*.txt"))
    if not found:
        pytest.skip("the text of Naughton and Fang 2025 is not in ../shared/seeds")
    return found[0].read_text(encoding="utf-8")


def test_batch1_counts() -> None:
    assert len(card(IDS[0])["groups"]) == 17
    assert len({row["code"] for row in rows(IDS[0])}) == 86


def test_batch2_counts() -> None:
    assert {row["item"] for row in rows(IDS[1])} == set(range(1, 20))
    assert len({row["code"] for row in rows(IDS[1])}) == 21


def test_the_batches_share_no_code() -> None:
    assert not {row["code"] for row in rows(IDS[0])} & {row["code"] for row in rows(IDS[1])}


@pytest.mark.parametrize("name", IDS)
def test_card_names_itself_and_its_source(name: str) -> None:
    loaded = card(name)
    assert loaded["id"] == name
    assert loaded["nomenclature"] == "GACC8"
    assert isinstance(loaded["reviewed"], str)
    assert isinstance(loaded["source"]["date"], str)
    assert loaded["notes"]
    assert all(isinstance(note, str) for note in loaded["notes"])


@pytest.mark.parametrize("name", IDS)
def test_codes_are_strings_of_eight_digits_without_duplicates(name: str) -> None:
    codes = [row["code"] for row in rows(name)]
    assert all(isinstance(code, str) and re.fullmatch(r"\d{8}", code) for code in codes)
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("name", IDS)
def test_categories_and_drivers(name: str) -> None:
    for group in card(name)["groups"]:
        assert group["category"] in CATEGORIES
        assert set(group["published_drivers"]) <= {row["code"] for row in group["codes"]}


@pytest.mark.parametrize("name", IDS)
def test_windows_are_sane_and_agree_with_what_is_printed(name: str) -> None:
    for row in rows(name):
        since, until = row["since"], row["until"]
        assert since is None or until is None, row
        for year in (since, until):
            assert year is None or (isinstance(year, int) and 2015 <= year <= 2024), row
        if "pre-" in row["printed"] and row["printed"].startswith(row["code"] + " (pre-"):
            assert until == int(row["printed"][-5:-1]) - 1, row
        elif "post-" in row["printed"]:
            assert since == int(row["printed"][-5:-1]), row


def test_every_printed_split_leaves_no_year_out() -> None:
    """A code that ends in a heading is followed by one that begins the year after (90275000 has no successor)."""
    for name in IDS:
        ends = {(row["code"][:4], row["until"] + 1) for row in rows(name) if row["until"]}
        begins = {(row["code"][:4], row["since"]) for row in rows(name) if row["since"]}
        assert begins <= ends
        assert ends - begins <= {("9027", 2022)}


def test_codes_are_those_of_appendix_a_in_the_printed_order() -> None:
    appendix = paper().partition("APPENDIX A:")[2].partition("APPENDIX B:")[0]
    first, _, second = appendix.partition("Batch 2:")
    for name, text in zip(IDS, (first, second), strict=True):
        assert [row["code"] for row in rows(name)] == re.findall(r"\b\d{8}\b", text)
        assert all(row["label"] in text for row in rows(name))


def test_published_figures_are_those_of_table_c1() -> None:
    table = paper().partition("Table C1:")[2]
    printed = {
        name: (float(volatility), float(growth), trend, label)
        for name, volatility, growth, trend, label in re.findall(
            r"^([^\t\n]+)\t(-?\d+\.\d+)\t(-?\d+\.\d+)\t([^\t\n]+)\t([^\t\n]+)$", table, flags=re.MULTILINE
        )
    }
    assert len(printed) == 17
    published = [group["published"] for group in card(IDS[0])["groups"]]
    assert {one["name"] for one in published} == set(printed)
    for one in published:
        assert (one["volatility"], one["growth"], one["trend"], one["label"]) == printed[one["name"]]


def test_table_1_differs_from_appendix_a_for_one_group_only() -> None:
    """The categories follow appendix A; table 1 calls automotive and power systems intermediate."""
    kinds = re.findall(
        r"^\d+ [^\t\n]+\t(Capital|Intermediate|Consumption)[^\t\n]*\t(Semi|Other)$",
        paper().partition("Table 1:")[2],
        flags=re.MULTILINE,
    )
    assert len(kinds) == 17
    table_1 = sorted(f"{'Semiconductor' if semi == 'Semi' else 'Other'} {kind}" for kind, semi in kinds)
    ours = sorted(group["category"] for group in card(IDS[0])["groups"])
    assert ours.count("Other Capital") == table_1.count("Other Capital") + 1
    assert ours.count("Other Intermediate") == table_1.count("Other Intermediate") - 1
