"""The smallest of the branches at each place."""

from math import inf, isnan, nan

import pytest

from convcalc.errors import Misfit


def test_of_three_branches(run):
    assert run("minimum", [[1, 5, -3]], [[4, 2, -6]], [[3, 3, -9]]) == [[1, 2, -9]]


def test_a_ceiling_for_each_channel(run):
    assert run("minimum", [[[1, 2, 3]], [[4, 5, 9]]], [[[2]], [[6]]]) == [[[1, 2, 2]], [[4, 5, 6]]]


def test_what_is_no_number_wins(run):
    """As in PyTorch, in whichever branch it is."""
    first, second, third = run("minimum", [nan, 1.0, inf], [1.0, nan, 2.0])
    assert isnan(first)
    assert isnan(second)
    assert third == 2


def test_misfits(bound):
    with pytest.raises(Misfit, match="minimum needs shapes that are equal, or 1 where they differ") as caught:
        bound("minimum", (6, 5), (7, 5))
    assert caught.value.message.endswith("they differ in channels")
