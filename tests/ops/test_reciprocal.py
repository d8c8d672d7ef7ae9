"""1/x."""

from fractions import Fraction
from math import inf, isnan, nan


def test_by_hand(run):
    given = [[-4, 8, 1], [0.5, Fraction(-2, 3), -inf]]
    assert run("reciprocal", given) == [[-0.25, 0.125, 1], [2, Fraction(-3, 2), 0]]


def test_of_zero_as_ieee_has_it(run):
    assert run("reciprocal", [0.0, -0.0, 0, Fraction(0)]) == [inf, -inf, inf, inf]
    assert isnan(run("reciprocal", [nan])[0])
