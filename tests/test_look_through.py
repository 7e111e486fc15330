"""Input–output algebra: Miller and Blair's tables, closed forms, identities, bad input, the real table."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autarky import look_through as io
from autarky.errors import AutarkyError, MeasureError, SourceError

pytest.importorskip("pymrio", reason="pymrio is an extra: pip install 'autarky[icio]'")


def table_of(Z, f, labels) -> io.InterCountry:
    """A table whose final demand is one column for each economy, all of it by the first."""
    index = pd.MultiIndex.from_tuples(labels, names=io.NAMES)
    economies = list(dict.fromkeys(e for e, _ in labels))
    Y = pd.DataFrame(0.0, index, economies)
    Y[economies[0]] = f
    Z = pd.DataFrame(np.asarray(Z, dtype=float), index, index)
    return io.table(Z, Y, Z.sum(axis=1) + Y.sum(axis=1))


# Miller, R. E. & Blair, P. D. (2009), Input-Output Analysis, 2nd edition, section 2.3: tables 2.3 and 2.4.
TWO = table_of([[150, 500], [200, 100]], [350, 1700], [("R", "1"), ("R", "2")])
# The same, section 3.3: tables 3.2 to 3.4, two regions with three and two sectors.
REGIONS = table_of(
    [
        [150, 500, 50, 25, 75],
        [200, 100, 400, 200, 100],
        [300, 500, 50, 60, 40],
        [75, 100, 60, 200, 250],
        [50, 25, 25, 150, 100],
    ],
    [200, 1000, 50, 515, 450],
    [("L", "1"), ("L", "2"), ("L", "3"), ("M", "1"), ("M", "2")],
)


def test_two_sectors_of_miller_and_blair():
    found = io.solved(TWO)
    assert list(TWO.x) == [1000, 2000]
    np.testing.assert_allclose(found.A, [[0.15, 0.25], [0.20, 0.05]], atol=1e-12)
    np.testing.assert_array_equal(found.L.round(3), [[1.254, 0.330], [0.264, 1.122]])
    # Final demand of 600 and 1500 needs 1247.52 and 1841.58 of output.
    np.testing.assert_allclose(found.L @ np.array([600, 1500]), [1247.52, 1841.58], atol=0.01)


def test_two_regions_of_miller_and_blair():
    found = io.solved(REGIONS)
    assert list(REGIONS.x) == [1000, 2000, 1000, 1200, 800]
    printed = [
        [1.4234, 0.4652, 0.2909, 0.1917, 0.3041],
        [0.6346, 1.4237, 0.6707, 0.4092, 0.4558],
        [0.6383, 0.5369, 1.3363, 0.2501, 0.3108],
        [0.2672, 0.2000, 0.1973, 1.3406, 0.5473],
        [0.1468, 0.0908, 0.0926, 0.2155, 1.2538],
    ]
    np.testing.assert_array_equal(found.L.round(4), printed)


def test_two_economies_of_one_industry_by_hand():
    # A = [[0.2, 0.1], [0.3, 0.4]], det(I − A) = 0.45, L = [[0.6, 0.1], [0.3, 0.8]]/0.45; v = (0.5, 0.5).
    given_table = table_of([[20, 10], [30, 40]], [70, 30], [("A", "g"), ("B", "g")])
    found = io.solved(given_table)
    np.testing.assert_allclose(found.L, np.array([[0.6, 0.1], [0.3, 0.8]]) / 0.45)
    bought = pd.Series([60.0, 40.0], given_table.Z.index)
    said = io.reliance(found, bought, "B")
    assert said.face_share == pytest.approx(0.4)
    # v_B·(L_BA·60 + L_BB·40)/100 = 0.5·(18 + 32)/45 = 5/9, of which 0.5·18/45 = 0.2 in goods of A.
    assert said.value_added_share == pytest.approx(5 / 9)
    assert said.via["A"] == pytest.approx(20.0)
    # Gross output: A makes (36 + 4)/0.45, B (18 + 32)/0.45.
    assert said.gross_share == pytest.approx(50 / 90)


@st.composite
def tables(draw) -> io.InterCountry:
    count = draw(st.integers(2, 3)) * 2
    cells = st.floats(0, 100, allow_nan=False)
    Z = draw(hnp.arrays(float, (count, count), elements=cells))
    f = draw(hnp.arrays(float, count, elements=st.floats(0, 100)))
    # Enough final demand that every industry adds value and I − A can be inverted.
    f = f + np.maximum(Z.sum(axis=0) - Z.sum(axis=1), 0) + 1
    return table_of(Z, f, [(f"E{i // 2}", f"i{i % 2}") for i in range(count)])


@settings(max_examples=60, deadline=None)
@given(tables(), st.data())
def test_identities(given_table, data):
    found = io.solved(given_table)
    f = given_table.Y.sum(axis=1)
    np.testing.assert_allclose(found.L @ f, given_table.x, rtol=1e-9)
    np.testing.assert_allclose(found.v @ found.L, 1.0, rtol=1e-9)
    # What an industry holds beside inputs is value added: output less the inputs bought.
    np.testing.assert_allclose(found.v * given_table.x, given_table.x - given_table.Z.sum(axis=0), atol=1e-9)
    weights = data.draw(hnp.arrays(float, len(f), elements=st.floats(0, 10)))
    bought = pd.Series(weights + 0.1, f.index)
    assert io.origins(found, bought).sum() == pytest.approx(bought.sum(), rel=1e-9)
    every = {e: io.reliance(found, bought, e) for e in given_table.economies}
    for name in ("face_share", "value_added_share", "gross_share"):
        assert sum(getattr(r, name) for r in every.values()) == pytest.approx(1, rel=1e-9)
    for economy, whole in every.items():
        parts = [io.reliance(found, bought, economy, [i]) for i in given_table.industries]
        for name in ("face_usd", "value_added_usd"):
            assert sum(getattr(p, name) for p in parts) == pytest.approx(getattr(whole, name), rel=1e-9)
        assert whole.via.sum() == pytest.approx(whole.value_added_usd, rel=1e-9)
        assert (whole.via >= -1e-9).all()
        assert whole.value_added_usd == pytest.approx(io.origins(found, bought)[economy].sum(), rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(tables())
def test_look_through_is_the_sum_over_all_stages(given_table):
    """Value that arises at the first stage, in the inputs of it, in their inputs, …: no inverse anywhere."""
    found = io.solved(given_table)
    bought = io.purchases(given_table, "E0")
    stage, arisen = bought.to_numpy(), np.zeros(len(bought))
    for _ in range(20_000):
        arisen += found.v.to_numpy() * stage
        stage = found.A.to_numpy() @ stage
        if stage.sum() < 1e-13 * bought.sum():
            break
    np.testing.assert_allclose(arisen, io.origins(found, bought), rtol=1e-8, atol=1e-8)


def test_economies_that_trade_nothing_rely_on_themselves():
    apart = table_of([[10, 0], [0, 20]], [5, 5], [("A", "g"), ("B", "g")])
    bought = pd.Series([3.0, 0.0], apart.Z.index)
    assert io.reliance(io.solved(apart), bought, "B").value_added_share == 0
    assert io.reliance(io.solved(apart), bought, "A").value_added_share == pytest.approx(1)


def test_without_purchases_the_shares_are_undefined():
    found = io.reliance(io.solved(TWO), pd.Series(0.0, TWO.Z.index), "R")
    assert (found.face_share, found.value_added_share, found.gross_share) == (None, None, None)


def test_inputs_of_industries_are_columns_of_the_table():
    assert list(io.purchases(REGIONS, "M", ["1", "2"])) == [100, 300, 100, 450, 250]
    assert list(io.purchases(REGIONS, "L")) == [200, 1000, 50, 515, 450]


def test_industries_without_output_are_told_and_change_nothing():
    labels = [("R", "1"), ("R", "2"), ("R", "3"), ("R", "4")]
    Z = np.zeros((4, 4))
    Z[:2, :2] = [[150, 500], [200, 100]]
    found = table_of(Z, [350, 1700, 0, -1], labels)
    assert "2 industries have no output (1 of them a negative one" in " ".join(found.notes)
    assert "R/3, R/4" in " ".join(found.notes)
    both = io.solved(found)
    np.testing.assert_allclose(both.L.iloc[:2, :2], io.solved(TWO).L)
    np.testing.assert_allclose(both.L @ found.Y.sum(axis=1), found.x, atol=1e-9)
    assert np.isfinite(both.L.to_numpy()).all()


def test_an_industry_that_buys_and_has_no_output_is_refused():
    with pytest.raises(SourceError, match="R/2 buy inputs and have no output"):
        table_of([[10, 5], [0, 0]], [20, 0], [("R", "1"), ("R", "2")])


def test_output_that_is_not_the_sum_of_its_row_is_refused_and_rounding_is_told():
    Z, Y = TWO.Z, TWO.Y
    with pytest.raises(SourceError, match=r"16\.7% apart .* \(most: R/2\)"):
        io.table(Z, Y, TWO.x * np.array([1.0, 1.3]))
    near = io.table(Z, Y, TWO.x + np.array([0.0, 2.0]))
    assert list(near.x) == [1000, 2000]
    assert "R/2" in near.notes[0]


def test_an_industry_that_uses_up_its_own_output_is_refused():
    with pytest.raises(MeasureError, match="cannot be inverted"):
        io.solved(table_of([[10.0]], [0.0], [("A", "g")]))


def test_unknown_economies_and_industries():
    for call in (
        lambda: io.purchases(REGIONS, "Q"),
        lambda: io.purchases(REGIONS, "L", ["9"]),
        lambda: io.content(io.solved(REGIONS), "Q"),
    ):
        with pytest.raises(MeasureError, match=r"has no (economy|industry) "):
            call()


def archive(path, **changed):
    labels = {"countries": np.array(["A", "B"]), "industries": np.array(["g"])}
    Z, Y = np.array([[20.0, 10], [30, 40]]), np.array([[60.0, 10, 0, 0], [10, 0, 20, 0]])
    arrays = {**labels, "Z": Z, "Y": Y, "x": Z.sum(1) + Y.sum(1), **changed}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def test_an_archive_is_read_with_its_unit_and_its_demand_by_economy(tmp_path):
    found = io.read(archive(tmp_path / "t.npz"))
    assert found.Z.loc[("A", "g"), ("B", "g")] == 10e6
    # Two categories an economy, side by side.
    assert found.Y.to_numpy().tolist() == [[70e6, 0], [10e6, 20e6]]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x": None}, "the arrays x are missing"),
        ({"Z": np.zeros((3, 3))}, r"Z is \(3, 3\)"),
        ({"Y": np.zeros((2, 3))}, "whole number of columns an economy"),
        ({"Z": np.array([[np.nan, 1], [1, 1]])}, "Z hold values that are not numbers"),
        ({"x": np.array([1.0, 1.0])}, "expected x = inputs sold"),
    ],
)
def test_bad_archives(tmp_path, changed, said):
    with pytest.raises(SourceError, match=said):
        io.read(archive(tmp_path / "t.npz", **changed))


def test_files_that_are_no_archive(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        io.read(tmp_path / "none.npz")
    (tmp_path / "t.npz").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="not a NumPy archive"):
        io.read(tmp_path / "t.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(SourceError, match="not a NumPy archive"):
        io.read(tmp_path / "one.npy")


def test_without_pymrio_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymrio", None)
    with pytest.raises(AutarkyError, match=r"pip install 'autarky\[icio\]'"):
        io.solved(TWO)


def test_renaming_economies_changes_names_only():
    other = io.renamed(REGIONS, {"M": "MEX", "Q": "QAT"})
    assert other.economies == ["L", "MEX"]
    assert list(other.Y.columns) == ["L", "MEX"]
    np.testing.assert_array_equal(other.Z, REGIONS.Z)


def test_the_real_table(shared):
    path = shared / "icio" / "wiod2013_2011.npz"
    if not path.is_file():
        pytest.skip(f"no inter-country table here: {path} is absent")
    given_table = io.read(path)
    found = io.solved(given_table)
    f = given_table.Y.sum(axis=1)
    scale = given_table.x.abs().max()
    assert ((found.L @ f) - given_table.x).abs().max() <= 1e-9 * scale
    assert ((found.v @ found.L) - 1).abs().max() <= 1e-9
    assert "22 industries have no output (2 of them a negative one" in " ".join(given_table.notes)
    # In every economy most of final demand is for goods of its own: the columns are in the order of the labels.
    own = [given_table.Y.loc[e, e].sum() / given_table.Y[e].sum() for e in given_table.economies]
    assert min(own) > 0.5
    rows = given_table.Z.index.get_level_values("economy") == "CHN"
    for importer in ("USA", "JPN", "KOR", "DEU"):
        bought = io.purchases(given_table, importer, [f"c{i}" for i in range(3, 17)])
        said = io.reliance(found, bought, "CHN")
        # Another way: the prices at which China's value added is all that is paid, without the inverse.
        paid = np.linalg.solve((np.eye(len(f)) - found.A.to_numpy()).T, np.where(rows, found.v, 0.0))
        assert said.value_added_usd == pytest.approx(float(paid @ bought), rel=1e-9)
        assert 0 < said.face_share < said.value_added_share < said.gross_share < 1
