"""The first branch less the second."""

import pytest

from convcalc.errors import Misfit


def test_by_hand(run):
    assert run("subtract", [[1, 2, 3]], [[10, 30, 50]]) == [[-9, -28, -47]]


def test_the_mean_of_each_channel_taken_away(run):
    """Either may have the dimensions of 1."""
    image, means = [[[1, 2, 3]], [[4, 5, 9]]], [[[2]], [[6]]]
    assert run("subtract", image, means) == [[[-1, 0, 1]], [[-2, -1, 3]]]
    assert run("subtract", means, image) == [[[1, 0, -1]], [[2, 1, -3]]]


def test_misfits(bound):
    message = (
        "subtract needs shapes that are equal, or 1 where they differ: branch 1 is 6×5×7, branch 2 is 6×5×3; "
    )
    with pytest.raises(Misfit) as caught:
        bound("subtract", (6, 5, 7), (6, 5, 3))
    assert caught.value.message == message + "they differ in width"
