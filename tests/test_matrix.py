import itertools

import pandas as pd
import pytest
from examples import MATRIX, draw

from autarky import matrix


def test_matrix_names_every_group_and_what_it_could_not_place():
    svg = draw(matrix.matrix(MATRIX))
    for group in MATRIX["group"][:3]:
        assert svg.count(f">{group}</text>") == 1
    words = " ".join(svg.replace("</text>", "").split())
    assert "growth is undefined: No base (published: volatility" in words
    assert "Nothing" in words
    for name in ("Import", "Volatile Reduction", "growth 0.5"):
        assert name in svg


def test_matrix_marks_a_published_position_only_beyond_rounding_and_when_it_is_whole():
    apart = matrix._apart(MATRIX.dropna(subset=["growth", "volatility"]))
    assert list(apart["group"]) == ["Up and wild"]
    near = MATRIX.head(1).assign(published_growth=0.804)
    assert matrix._apart(near).empty


@pytest.mark.parametrize("rows", [0, 1])
def test_matrix_of_one_group_or_none(rows):
    nothing = pd.DataFrame({c: [None] for c in matrix.FIGURES}, dtype="object")
    frame = MATRIX.head(rows) if rows else nothing.assign(group="A", pattern=None)
    assert "<svg" in draw(matrix.matrix(frame))


def test_matrix_takes_other_thresholds_names_and_large_figures():
    frame = MATRIX.assign(growth=[0.8, 53.0, -0.9, None, None], pattern=["Own name", *MATRIX["pattern"][1:]])
    svg = draw(matrix.matrix(frame, 0.25, 1.0))
    assert "growth 1<" in svg
    assert ">Own name</text>" in svg
    assert ">50</text>" in svg


def test_scale_keeps_room_and_a_third_below_the_threshold():
    for values in ([-0.2, 2.9], [-0.25, 60.0], [0.0, 0.1]):
        scale = matrix._Scale.fit(values, 0.5, 440, (18, 30))
        assert scale.at(0.5) >= 440 / 3
        assert scale.at(min(values)) >= 18 - 1e-9
        assert scale.at(max(values)) <= 410 + 1e-9
        ticks = [scale.at(t) for t in scale.ticks()]
        assert all(b - a >= 30 for a, b in itertools.pairwise(ticks))


def test_numbers_stand_clear_of_points_and_of_each_other():
    spots = [(100 + 14 * i, 100 + 3 * (i % 3)) for i in range(9)]
    places = matrix._beside(spots, [str(i) for i in range(9)], (440, 440), [])
    boxes = [(*p, 8.5, 12.0) for p in places]
    assert sum(matrix._covered(a, b) for a, b in itertools.combinations(boxes, 2)) == 0
    assert all(matrix._covered(box, (*spot, 9.0, 9.0)) == 0 for box in boxes for spot in spots)
