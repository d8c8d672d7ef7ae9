"""max(x, 0)."""

from fractions import Fraction
from math import inf, isnan, nan


def test_by_hand(run):
    image = [[[-1, 0, 2]], [[0.5, -0.5, Fraction(1, 3)]]]
    assert run("relu", image) == [[[0, 0, 2]], [[0.5, 0, Fraction(1, 3)]]]


def test_infinity_and_not_a_number(run):
    low, high, neither = run("relu", [-inf, inf, nan])
    assert (low, high) == (0, inf)
    assert isnan(neither)
