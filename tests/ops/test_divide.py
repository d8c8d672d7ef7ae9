"""The first branch divided by the second."""

from fractions import Fraction
from math import inf, isnan, nan

import pytest

from convcalc.errors import Misfit


def test_by_hand(run):
    assert run("divide", [[1, 2, 3]], [[2, -4, 8]]) == [[0.5, -0.5, 0.375]]


def test_fractions_stay_exact(run):
    assert run("divide", [Fraction(1), Fraction(2)], [Fraction(3), Fraction(7)]) == [
        Fraction(1, 3),
        Fraction(2, 7),
    ]


def test_each_channel_by_a_number(run):
    image, sizes = [[[1, 2, 3]], [[4, 5, 9]]], [[[2]], [[8]]]
    assert run("divide", image, sizes) == [[[0.5, 1, 1.5]], [[0.5, 0.625, 1.125]]]


def test_by_zero_as_ieee_has_it(run):
    assert run("divide", [1.0, -1.0, 1.0, -1.0, inf], [0.0, 0.0, -0.0, -0.0, 0.0]) == [
        inf,
        -inf,
        -inf,
        inf,
        inf,
    ]
    assert all(map(isnan, run("divide", [0.0, nan, inf, 0], [0.0, 0.0, inf, 0])))


def test_misfits(bound):
    with pytest.raises(Misfit, match="divide needs shapes that are equal, or 1 where they differ") as caught:
        bound("divide", (6, 5, 7), (3, 5, 7))
    assert caught.value.message.endswith("they differ in channels")
