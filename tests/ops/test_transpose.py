"""Dimensions in another order."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import Reach

IMAGE = [[[1, 2, 3]], [[4, 5, 6]]]  # (2, 1, 3)


def test_channels_last_and_back(run):
    last = run("transpose", IMAGE, order=[1, 2, 0])
    assert last == [[[1, 4], [2, 5], [3, 6]]]
    assert run("transpose", last, order=[2, 0, 1]) == IMAGE


def test_a_vector_and_a_matrix(run):
    assert run("transpose", [1, 2, 3], order=[0]) == [1, 2, 3]
    assert run("transpose", [[1, 2, 3], [4, 5, 6]], order=[1, 0]) == [[1, 4], [2, 5], [3, 6]]


def test_four_dimensions(run):
    """Element (c, d, h, w) = 1000c + 100d + 10h + w goes to (w, c, h, d)."""
    block = [
        [[[1000 * c + 100 * d + 10 * h + w for w in range(5)] for h in range(4)] for d in range(3)]
        for c in range(2)
    ]
    result = run("transpose", block, order=[3, 0, 2, 1])
    assert result == [
        [[[1000 * c + 100 * d + 10 * h + w for d in range(3)] for h in range(4)] for c in range(2)]
        for w in range(5)
    ]


def test_reach_follows(bound):
    assert bound("transpose", (2, 5, 7), order=[1, 2, 0]).reach(((2, 5, 7),)) == (
        Reach(2),
        Reach(0),
        Reach(1),
    )


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [1, 2, 3]])
def test_misfits(bound, order):
    with pytest.raises(Misfit, match="does not name each dimension of 2×5×7 once"):
        bound("transpose", (2, 5, 7), order=order)
