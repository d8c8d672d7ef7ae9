"""The product of branches."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach


def test_element_by_element(run):
    assert run("multiply", [[1, 2, 3]], [[10, 20, 30]], [[2, 2, 2]]) == [[20, 80, 180]]


def test_a_factor_per_channel(run):
    """Hu et al. 2017, equation 4; the factors may come first."""
    image, factors = [[[1, 2, 3]], [[4, 5, 6]]], [[[2]], [[10]]]
    assert run("multiply", image, factors) == [[[2, 4, 6]], [[40, 50, 60]]]
    assert run("multiply", factors, image) == [[[2, 4, 6]], [[40, 50, 60]]]


def test_both_inputs_may_stretch(run):
    assert run("multiply", [[[1, 2, 3]]], [[[1]], [[10]]]) == [[[1, 2, 3]], [[10, 20, 30]]]


def test_reach_of_what_is_stretched(bound):
    shapes = ((6, 5, 7), (6, 1, 1))
    operator = bound("multiply", *shapes)
    assert operator.reach(shapes, 0) == (Reach(0), Reach(1), Reach(2))
    assert operator.reach(shapes, 1) == (Reach(0), WHOLE, WHOLE)


@pytest.mark.parametrize("other", [(5, 1, 1), (6,), (6, 5, 6)])
def test_misfits(bound, other):
    with pytest.raises(
        Misfit, match="multiply needs shapes that are equal, or 1 where they differ: branch 1 is"
    ):
        bound("multiply", (6, 5, 7), other)
