"""Channels laid out as pixels (Shi et al. 2016, equation 4)."""

import pytest

from convcalc.errors import Misfit


def test_torch(run):
    """torch.nn.functional.pixel_shuffle of 1 … 24 as 12×1×2, by 2."""
    image = [[[2 * channel + 1, 2 * channel + 2]] for channel in range(12)]
    assert run("pixel_shuffle", image, factor=2) == [
        [[1, 3, 2, 4], [5, 7, 6, 8]],
        [[9, 11, 10, 12], [13, 15, 14, 16]],
        [[17, 19, 18, 20], [21, 23, 22, 24]],
    ]


def test_on_one_dimension_and_three(run):
    assert run("pixel_shuffle", [[1, 2], [3, 4], [5, 6]], factor=3) == [[1, 3, 5, 2, 4, 6]]
    one = [[[[channel]]] for channel in range(8)]
    assert run("pixel_shuffle", one, factor=2) == [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]


def test_the_other_way_round(run):
    image = [[[row * 6 + column + 100 * c for column in range(6)] for row in range(4)] for c in range(3)]
    assert run("pixel_shuffle", run("pixel_unshuffle", image, factor=2), factor=2) == image


def test_by_reshape_and_transpose(run):
    """[C, r, r, H, W], then [0, 3, 1, 4, 2], then [C, r·H, r·W]."""
    image = [[[100 * c + 10 * y + x for x in range(2)] for y in range(3)] for c in range(18)]
    parts = run("transpose", run("reshape", image, shape=[2, 3, 3, 3, 2]), order=[0, 3, 1, 4, 2])
    assert run("pixel_shuffle", image, factor=3) == run("reshape", parts, shape=[2, 9, 6])


def test_working_and_misfits(lines, bound):
    assert lines("pixel_shuffle", (36, 5, 7), factor=3) == {
        "output channels": "36/3² = 4",
        "output height": "5·3 = 15",
        "output width": "7·3 = 21",
    }
    with pytest.raises(Misfit, match="pixel_shuffle by 2 makes one channel of 4, and 6 is no multiple of 4"):
        bound("pixel_shuffle", (6, 5, 7), factor=2)
    with pytest.raises(Misfit, match="pixel_shuffle needs a map"):
        bound("pixel_shuffle", (6,), factor=2)
