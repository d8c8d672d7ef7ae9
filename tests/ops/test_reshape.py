"""The same values under another shape."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import SCATTERED, Reach


def test_order_is_kept(run):
    assert run("reshape", [1, 2, 3, 4, 5, 6], shape=[3, 1, 2]) == [[[1, 2]], [[3, 4]], [[5, 6]]]
    assert run("reshape", [[1, 2, 3], [4, 5, 6]], shape=[3, 2]) == [[1, 2], [3, 4], [5, 6]]


def test_one_dimension_is_worked_out(bound, run):
    assert bound("reshape", (4, 6, 5), shape=[8, -1]).shape == (8, 15)
    assert run("reshape", [[1, 2], [3, 4]], shape=[-1]) == [1, 2, 3, 4]


def test_shuffling_channels_is_reshape_transpose_reshape(run):
    """Zhang et al. 2017, section 3.1: (g, n) → transpose → flatten."""
    image = [[[c, 10 * c, 100 * c]] for c in range(1, 7)]
    two = run("reshape", image, shape=[2, 3, 3])
    swapped = run("transpose", two, order=[1, 0, 2])
    assert run("reshape", swapped, shape=[6, 1, 3]) == run("channel_shuffle", image, groups=2)


def test_leading_dimensions_that_stay_are_walked(bound):
    assert bound("reshape", (4, 6, 5), shape=[4, 30]).reach(((4, 6, 5),)) == (Reach(0), SCATTERED, SCATTERED)


def test_working(lines):
    assert lines("reshape", (4, 6), shape=[2, -1]) == {"values": "4·6 = 2·12 = 24"}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([5, 5], "the input 4×6 has 24 values, the shape 5×5 25"),
        ([5, -1], "has 24 values, the shape 5×-1 a multiple of 5"),
        ([-1, -1], "no shape can be -1×-1"),
        ([0, 24], "no shape can be 0×24"),
    ],
)
def test_misfits(bound, shape, message):
    with pytest.raises(Misfit, match=message):
        bound("reshape", (4, 6), shape=shape)
