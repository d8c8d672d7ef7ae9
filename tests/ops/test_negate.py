"""−x."""

from fractions import Fraction
from math import copysign, inf, isnan, nan

from convcalc.layer.symbols import Expression


def test_by_hand(run):
    assert run("negate", [[-3, 0, 2], [-0.5, Fraction(-2, 3), -inf]]) == [
        [3, 0, -2],
        [0.5, Fraction(2, 3), inf],
    ]
    assert copysign(1, run("negate", [0.0])[0]) == -1
    assert isnan(run("negate", [nan])[0])


def test_letters(run):
    assert run("negate", [Expression.letter("a", 2)]) == [Expression.letter("a", -2)]
