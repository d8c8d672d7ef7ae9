"""x·min(max(x + 3, 0), 6)/6 (Howard et al. 2019, section 5.2)."""

from fractions import Fraction


def test_by_hand(run):
    values = [Fraction(n) for n in (-4, -3, -1, 0, 2, 3, 9)]
    assert run("hardswish", [values]) == [[0, 0, Fraction(-1, 3), 0, Fraction(5, 3), 3, 9]]
