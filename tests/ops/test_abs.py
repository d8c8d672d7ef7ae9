"""|x|."""

from fractions import Fraction
from math import copysign, inf, isnan, nan


def test_by_hand(run):
    assert run("abs", [[-3, 0, 2], [-0.5, Fraction(-2, 3), -inf]]) == [[3, 0, 2], [0.5, Fraction(2, 3), inf]]
    assert copysign(1, run("abs", [-0.0])[0]) == 1
    assert isnan(run("abs", [nan])[0])
