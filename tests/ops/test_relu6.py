"""min(max(x, 0), 6)."""

from fractions import Fraction


def test_by_hand(run):
    assert run("relu6", [[-1, 0, 2, 6, 6.5, Fraction(13, 2), Fraction(1, 2)]]) == [
        [0, 0, 2, 6, 6, 6, Fraction(1, 2)]
    ]
