"""min(max(x + 3, 0), 6)/6: PyTorch's, not ONNX's default slope of 1/5."""

from fractions import Fraction


def test_by_hand(run):
    values = [Fraction(n) for n in (-4, -3, -1, 0, 2, 3, 9)]
    expected = [0, 0, Fraction(1, 3), Fraction(1, 2), Fraction(5, 6), 1, 1]
    assert run("hardsigmoid", [values]) == [expected]
