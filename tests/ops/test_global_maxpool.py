"""Global max pooling."""

from math import inf, nan

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach


def test_largest_of_each_channel(run):
    image = [[[1, 2, 3], [4, 9, 5]], [[-10, -20, -30], [-40, -50, -60]]]
    assert run("global_maxpool", image) == [[[9]], [[-10]]]
    assert run("global_maxpool", [[1, 7, 3], [6, 5, 4]]) == [[7], [6]]


def test_what_is_not_a_number(run, close):
    """As torch.amax."""
    assert run("global_maxpool", [[1.0, nan, 3.0], [inf, -inf, 2.0]]) == [
        [pytest.approx(nan, nan_ok=True)],
        [inf],
    ]


def test_reach_and_working(bound, lines):
    assert bound("global_maxpool", (4, 7, 5)).reach(((4, 7, 5),)) == (Reach(0), WHOLE, WHOLE)
    assert lines("global_maxpool", (4, 7, 5)) == {"values per maximum": "7·5 = 35"}


def test_a_vector_has_no_pixels(bound):
    with pytest.raises(Misfit, match="global_maxpool needs a map"):
        bound("global_maxpool", (10,)).output_shape(((10,),))
