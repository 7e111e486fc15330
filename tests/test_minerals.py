"""Lists of critical minerals against the table that they are from, and set operations on them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Cli
from hypothesis import given
from hypothesis import strategies as st

from autarky import controls, minerals, registry
from autarky.errors import CardError

TESTIMONY = "002_7720988ca16688b8.txt"


def test_lists_are_those_of_appendix_b(shared: Path) -> None:
    path = shared.parent / "seeds" / TESTIMONY
    if not path.is_file():
        pytest.skip(f"the testimony is not here: {path} is absent (it is not part of the repository)")
    text = path.read_text(encoding="utf-8")
    table = text[text.index("## Appendix B") : text.index("## Appendix B") + 2000].partition("*\\*")[0]
    rows = [[*line.split("\t"), ""][:3] for line in table.splitlines() if re.match(r"[A-Z][a-z/ ]+\t", line)]
    assert len(rows) == 47
    for column, name in ((1, "CN"), (2, "US")):
        there = {row[0]: row[column] for row in rows if "✓" in row[column]}
        held = minerals.load(name).minerals
        assert [m.printed for m in held] == list(there)
        for mineral in held:
            assert (mineral.qualification or "") == there[mineral.printed].strip("✓ *")
            assert mineral.fuel == ("*" in there[mineral.printed])


def test_counts_that_the_source_states() -> None:
    """Endnote 29 counts 24 minerals; note a counts 50, the rare earths one by one and without the list of another
    department."""
    assert len(minerals.load("CN").minerals) == 24
    held = minerals.load("US").minerals
    assert sum(len(m.members) or 1 for m in held if m.qualification != "DOE list only") == 50
    assert {name: len(minerals.load(name).names()["rare earth elements"].members) for name in ("CN", "US")} == {
        "CN": 17,
        "US": 16,
    }


def test_compare() -> None:
    frame = minerals.compare("CN", "US").set_index("mineral")
    sizes = frame["set"].value_counts().to_dict()
    assert sizes == {"both": 13, "only CN": 11, "only US": 23}
    assert frame.loc["gallium", "set"] == "only US"
    assert frame.loc["molybdenum", "set"] == "only CN"
    assert frame.loc["graphite", "qualification_CN"] == "Crystalline"
    elements = minerals.compare("CN", "US", members=True).set_index("mineral")["set"]
    assert elements["promethium"] == "only CN"
    assert elements["samarium"] == "both"
    assert "rare earth elements" not in elements


def write(folder: Path, id: str, *names: Any, **fields: Any) -> str:
    rows = [
        n if isinstance(n, dict) else {"mineral": n, "printed": n, "qualification": None, "fuel": False, "members": []}
        for n in names
    ]
    content = {"id": id, "title": id, "printed": id, "issuer": "JPN", "source": {"document": "mine", "where": "p. 1"},
               "reviewed": "2040-01-01", "notes": [], "minerals": rows, **fields}  # fmt: skip
    path = folder / f"{id}.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


NAMES = st.lists(st.sampled_from(["tin", "zinc", "gold", "iron", "lead"]), unique=True, min_size=1)


@given(NAMES, NAMES)
def test_sets_are_sets(tmp_path_factory: pytest.TempPathFactory, one: list[str], other: list[str]) -> None:
    folder = tmp_path_factory.mktemp("lists")
    found = minerals.compare(write(folder, "A", *one), write(folder, "B", *other)).set_index("mineral")["set"].to_dict()
    expected = {"both": set(one) & set(other), "only A": set(one) - set(other), "only B": set(other) - set(one)}
    assert found == {name: group for group, names in expected.items() for name in names}


def test_three_lists(tmp_path: Path) -> None:
    found = minerals.compare("CN", "US", write(tmp_path, "JP", "tin", "zinc", "lead")).set_index("mineral")["set"]
    assert [found[n] for n in ("tin", "zinc", "lead", "gold")] == ["all", "only US, JP", "only JP", "only CN"]


def test_hosts_are_those_of_the_method() -> None:
    hosts = minerals.hosts()
    assert {m: hosts[m] for m in ("gallium", "germanium", "indium", "tellurium", "platinum")} == {
        "gallium": ("aluminum",),
        "germanium": ("zinc",),
        "indium": ("zinc",),
        "tellurium": ("copper",),
        "platinum": ("nickel", "copper"),
    }
    known = {n for name in registry.names("minerals") for n in minerals.load(name).names()}
    assert {*hosts, *(h for held in hosts.values() for h in held)} <= known


def test_controlled_minerals_are_in_appendix_a() -> None:
    frame = minerals.frame("US").set_index("mineral")
    assert frame.loc["gallium", "controlled"]
    assert frame.loc["rare earth elements", "controlled_hs6"] == "280530 284690 382499 848690"
    assert not frame.loc["tin", "controlled"]
    known = {
        n for name in registry.names("minerals") for m in minerals.load(name).minerals for n in (m.mineral, *m.members)
    }
    products = {i.product for a in controls.load().actions.values() for i in a.items}
    # What is controlled and is no mineral.
    assert products - known == {"superhard materials", "lithium batteries"}


@pytest.mark.parametrize(
    ("rows", "fields", "said"),
    [
        (["tin", "tin"], {}, "tin stands in it more than once"),
        ([{"mineral": "tin"}], {}, "`fuel` is missing"),
        ([dict.fromkeys(("printed", "qualification", "fuel", "members")) | {"mineral": "tin"}], {}, "list of members"),
        (["tin"], {"color": "red"}, "`color` is not a field"),
    ],
)  # fmt: skip
def test_bad_lists(tmp_path: Path, rows: list[Any], fields: dict[str, Any], said: str) -> None:
    with pytest.raises(CardError, match=said):
        minerals.load(write(tmp_path, "mine", *rows, **fields))


@pytest.mark.parametrize("names", [("CN",), ("CN", "CN"), ("CN", "US", "CN")])
def test_compare_needs_two_lists(names: tuple[str, ...]) -> None:
    with pytest.raises(CardError, match="two different lists"):
        minerals.compare(*names)


def test_commands(cli: Cli) -> None:
    ran = cli("minerals", "compare", "CN", "US", "--format", "csv")
    assert ran.last == "47 minerals: both 13, only CN 11, only US 23"
    assert len(ran.rows) == 47
    ran = cli("minerals", "compare", "CN", "US", "--format", "json")
    assert {r["mineral"]: r["in_CN"] for r in json.loads(ran.out)}["gold"] is True
    ran = cli("minerals", "list", "--format", "csv")
    assert len(ran.rows) == 24 + 36
    assert "Tungsten" in cli("minerals", "list", "CN", "--format", "table").out
    ran = cli("minerals", "compare", "CN", "XX", "--format", "csv")
    assert ran.code == 2
    assert "there are CN, US" in ran.last
