"""A part of each map, cut out."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import Reach

IMAGE = [[list(range(row, row + 5)) for row in range(10, 50, 10)]]


def test_by_hand(run):
    assert run("crop", IMAGE, size=[1, 2], offset=[2, 3]) == [[[33, 34]]]
    assert run("crop", IMAGE, size=[2, 3]) == [[[21, 22, 23], [31, 32, 33]]]
    assert run("crop", [[1, 2, 3, 4], [5, 6, 7, 8]], size=1) == [[2], [6]]  # of 3 left out, one before


def test_u_net_crops(bound, lines):
    """Ronneberger et al. 2015, figure 1: 64² to 56², 136² to 104², 280² to 200², 568² to 392²."""
    for before, after in ((64, 56), (136, 104), (280, 200), (568, 392)):
        shape = (3, before, before)
        assert bound("crop", shape, size=after).output_shape((shape,)) == (3, after, after)
    assert lines("crop", (64, 568, 568), size=392) == {"output size": "568 − 88 − 88 = 392"}
    assert lines("crop", (2, 6, 9), size=[5, 4])["output height"] == "6 − 0 − 1 = 5"


def test_reach(bound):
    shape = (2, 6, 9)
    assert bound("crop", shape, size=[4, 2], offset=[1, 5]).reach((shape,)) == (
        Reach(0), Reach(1, start=1), Reach(2, start=5),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "crop needs size or like"),
        ({"size": [7, 1]}, "7 pixels do not lie within an axis of 6"),
        ({"size": [2, 3], "offset": [0, 7]}, "3 pixels from pixel 7 on do not lie within an axis of 9"),
        ({"size": 1, "offset": 6}, "1 pixel from pixel 6 on does not lie within an axis of 6"),
        ({"size": [1, 2, 3]}, "size has 3 values, the input has 2 spatial dimensions"),
    ],
)
def test_misfits(bound, fields, message):
    with pytest.raises(Misfit, match=message):
        bound("crop", (2, 6, 9), **fields)
