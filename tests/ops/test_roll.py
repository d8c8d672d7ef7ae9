"""Dimensions turned round."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import Reach

IMAGE = [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]


def test_torch(run):
    """torch.roll(x, (1, -1), (0, 2)) of 1 … 12 as 2×2×3, batch left out."""
    assert run("roll", IMAGE, shift=[1, -1], axis=[0, -1]) == [
        [[8, 9, 7], [11, 12, 10]],
        [[2, 3, 1], [5, 6, 4]],
    ]


def test_by_hand(run):
    assert run("roll", [[1, 2, 3, 4]], shift=1) == [[4, 1, 2, 3]]
    assert run("roll", [[1, 2, 3, 4]], shift=-9) == [[2, 3, 4, 1]]
    assert run("roll", [1, 2, 3], shift=2, axis=0) == [2, 3, 1]
    assert run("roll", IMAGE, shift=[1, -1], axis=[2, 0]) == run("roll", IMAGE, shift=[-1, 1], axis=[0, 2])


def test_reach_and_working(bound, lines):
    """The shorter way round: 6 on of 7 is 1 back."""
    assert bound("roll", (4, 7, 5), shift=[6, -2]).reach(((4, 7, 5),)) == (
        Reach(0), Reach(1, start=1, beyond="circular"), Reach(2, start=2, beyond="circular"),
    )  # fmt: skip
    assert lines("roll", (4, 7, 5), shift=[6, -2]) == {
        "height": "output i is input i − 6, of 7 in a circle",
        "width": "output i is input i + 2, of 5 in a circle",
    }


def test_misfits(bound):
    for shape, fields, message in (
        ((4, 7, 5), {"shift": [1, 2, 3]}, "shift has 3 values, for 2 dimensions: height, width"),
        ((4, 7, 5), {"shift": 1, "axis": -4}, "axis -4 is no dimension of 4×7×5"),
        ((4,), {"shift": 1}, "roll of a vector has no spatial dimensions"),
    ):
        with pytest.raises(Misfit, match=message):
            bound("roll", shape, **fields)
