"""Two classifications of one flow: what moves, what is conserved, the printed card, a user's table."""

from __future__ import annotations

from pathlib import Path

import annual_rows as rows
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autarky import adjusted, annual, reader, reclassified
from autarky.errors import CardError, SourceError
from autarky.mapping import categories
from autarky.reclassified import UNKNOWN

WITS = "wits-printed-naughton-fang-2025"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows.tables(tmp_path_factory.mktemp("end-use"))


@pytest.fixture(scope="module")
def un(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows.un(tmp_path_factory.mktemp("un"))


def of(**products: float) -> pd.DataFrame:
    return pd.DataFrame(
        [{"year": 2020, "flow": "import", "nomenclature": "HS2017", "product": p[1:], "value_usd": v}
         for p, v in products.items()]
    )  # fmt: skip


def written(tmp_path: Path, text: str, name: str = "mine.csv") -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


def test_moves_by_hand(tables: Path) -> None:
    values = of(p851712=60, p271111=20, p950300=15, p854231=5)
    found = reclassified.compare(values, "BEC4", "BEC5", reference=tables)
    moves = found.moves.set_index("product")
    assert list(moves.index) == ["851712", "271111", "950300"]
    assert moves["from"].to_dict() == {"851712": "capital", "271111": "intermediate", "950300": "intermediate"}
    assert set(moves["to"]) == {"consumption"}
    # BEC5 has telephones as capital goods too; it has gas as raw too, but BEC4 does not.
    assert moves["in_part"].to_dict() == {"851712": True, "271111": False, "950300": False}
    assert moves["share"].tolist() == pytest.approx([0.6, 0.2, 0.15])
    assert moves["share_of_moves"].sum() == pytest.approx(1)
    assert reclassified.share_of(found, ["851712", "210390", "271111"], "import") == pytest.approx(80 / 95)
    assert reclassified.share_of(found, ["851712"], "export") is None
    assert found.years["moved_share"].tolist() == pytest.approx([0.95])


amounts = st.lists(st.floats(0, 1e12), min_size=len(rows.USES), max_size=len(rows.USES))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts)
def test_the_matrix_holds_all_value_and_what_moves_is_off_its_diagonal(tables: Path, amounts: list[float]) -> None:
    values = of(**{f"p{u[0]}": v for u, v in zip(rows.USES, amounts, strict=True)})
    found = reclassified.compare(values, "BEC4", "BEC5", reference=tables)
    assert found.matrix["value_usd"].sum() == pytest.approx(sum(amounts), rel=1e-12)
    off = found.matrix[found.matrix["from"] != found.matrix["to"]]["value_usd"].sum()
    assert found.moves["value_usd"].sum() == pytest.approx(off, rel=1e-12)
    same = reclassified.compare(values, "BEC4", "BEC4", reference=tables)
    assert same.moves.empty


# --- the card of what the paper prints


def test_the_printed_card_says_nothing_about_other_products(tables: Path) -> None:
    card = reclassified.load(WITS)
    assert not card.complete
    found = reclassified.compare(of(p271111=1, p854231=2, p848620=4), "BEC4", card, reference=tables)
    moves = found.moves.set_index("product")["to"].to_dict()
    assert moves == {"271111": "consumption", "854231": "capital"}
    unknown = found.matrix[found.matrix["to"] == UNKNOWN]
    assert unknown["value_usd"].tolist() == [4]
    assert found.years[["value_usd", "known_usd", "moved_usd"]].iloc[0].tolist() == [7, 3, 3]


def test_an_edition_of_the_card_counts_only_there(tables: Path) -> None:
    # 851713 is a code of HS2022; in a flow of HS2017 it is nothing.
    found = reclassified.compare(of(p851713=1, p851712=2), "BEC4", reclassified.load(WITS), reference=tables)
    assert found.moves["product"].tolist() == ["851712"]


def test_the_cards_bec4_codes_are_those_of_the_un(un: Path) -> None:
    from autarky import registry

    own = categories("HS2017", "BEC4", un)
    checked = 0
    for product in registry.card("classifications", WITS)["products"]:
        for code in product["codes"]:
            if "HS2017" in code.get("editions", ["HS2017"]):
                assert own[code["code"]] == code["un_bec4"], code
                checked += 1
    assert checked == 7


def test_the_papers_examples_on_real_data(shared: Path, un: Path) -> None:
    flows = reader.read("comtrade", [*sorted((shared / "us-china").glob("comtrade-usa-china-annual-*.parquet"))])
    values = annual.annual(flows, flows.table.get_backend(), "USA", partner="CHN").frame
    found = reclassified.compare(values, "BEC4", "BEC5", reference=un)
    totals = values.groupby("flow")["value_usd"].sum()
    assert found.matrix.groupby("flow")["value_usd"].sum().to_dict() == pytest.approx(totals.to_dict(), rel=1e-12)
    named = {p["code"] for p in adjusted.published().moves["products"]}
    assert "210390" not in set(found.moves["product"])  # consumption in both, though printed as moving
    share = reclassified.share_of(found, named, "import")
    assert share is not None
    assert 0.10 < share < 0.20  # the paper: over 90% of China's differences
    assert found.moves["name"].notna().mean() > 0.99


# --- a user's table


def test_a_users_table(tmp_path: Path, tables: Path) -> None:
    path = written(tmp_path, "product,category\n854231,Capital goods\n848620,capital\n010129,Raw materials\n")
    found = reclassified.compare(of(p854231=1, p848620=2, p010129=3), "BEC4", reclassified.load(path), reference=tables)
    assert found.moves[["product", "from", "to"]].to_numpy().tolist() == [["854231", "intermediate", "capital"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("product,category\n10129,raw\n", "row 2: product '10129'.*a leading zero is lost, write 010129"),
        ("product,category\n854231,raw\n854231,capital\n", "row 3: 854231 stands already in row 2"),
        ("product,category\n854231,services\n", "row 2: category 'services' is not one of raw, intermediate"),
        ("product,category\n85423190,capital\n", "row 2: product '85423190' is not a code of six digits"),
        ("product,category,nomenclature\n854231,capital,HS2021\n", "nomenclature 'HS2021' is not an HS edition"),
        ("code,category\n854231,capital\n", "no column product"),
        ("", "not a readable"),
    ],
)
def test_a_malformed_table_is_refused_by_row(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        reclassified.load(written(tmp_path, text))


def test_a_product_may_differ_by_edition(tmp_path: Path) -> None:
    path = written(tmp_path, "product,category,nomenclature\n854231,capital,HS2017\n854231,raw,HS2022\n")
    assert len(reclassified.load(path).rows) == 2


def test_a_malformed_card_is_refused(tmp_path: Path) -> None:
    text = "id: mine\ntitle: x\ncomplete: true\nproducts:\n  - {name: a, category: capital, codes: [{code: 010121}]}\n"
    with pytest.raises(CardError, match="is not a code of six digits"):
        reclassified.load(written(tmp_path, text, "mine.yml"))
    with pytest.raises(CardError, match="`complete` is missing"):
        reclassified.load(written(tmp_path, "id: mine\ntitle: x\nproducts: []\n", "mine.yml"))
    with pytest.raises(CardError, match="there is no card 'none'"):
        reclassified.load("none")


def test_only_hs_is_compared_product_by_product(tables: Path) -> None:
    with pytest.raises(CardError, match="BEC4 is not HS"):
        reclassified.compare(of(p41=1).assign(nomenclature="BEC4"), "BEC4", "BEC5", reference=tables)
    with pytest.raises(CardError, match="'SITC4'"):
        reclassified.compare(of(p854231=1), "BEC4", "SITC4", reference=tables)
