"""The largest of the branches at each place."""

from math import inf, isnan, nan

import pytest

from convcalc.errors import Misfit


def test_of_three_branches(run):
    assert run("maximum", [[1, 5, -3]], [[4, 2, -6]], [[3, 3, -9]]) == [[4, 5, -3]]


def test_a_floor_for_each_channel(run):
    assert run("maximum", [[[1, 2, 3]], [[4, 5, 9]]], [[[2]], [[6]]]) == [[[2, 2, 3]], [[6, 6, 9]]]


def test_what_is_no_number_wins(run):
    """As in PyTorch, in whichever branch it is."""
    first, second, third = run("maximum", [nan, 1.0, -inf], [1.0, nan, 2.0])
    assert isnan(first)
    assert isnan(second)
    assert third == 2


def test_misfits(bound):
    with pytest.raises(Misfit, match="maximum needs shapes that are equal, or 1 where they differ") as caught:
        bound("maximum", (6, 5, 7), (6, 1, 6), (6, 4, 7))
    assert caught.value.message.endswith("they differ in height and width")
