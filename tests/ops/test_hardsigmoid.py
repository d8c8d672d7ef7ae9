"""min(max(x + 3, 0), 6)/6, which is PyTorch's, or min(max(alpha·x + beta, 0), 1)."""

from fractions import Fraction
from math import isnan, nan


def test_by_hand(run):
    values = [Fraction(n) for n in (-4, -3, -1, 0, 2, 3, 9)]
    expected = [0, 0, Fraction(1, 3), Fraction(1, 2), Fraction(5, 6), 1, 1]
    assert run("hardsigmoid", [values]) == [expected]


def test_onnx(run, close):
    """ONNX HardSigmoid, hardsigmoid_example: alpha 0.5, beta 0.6; and with its default slope of 1/5."""
    assert run("hardsigmoid", [-1, 0, 1], alpha=0.5, beta=0.6) == close([0.1, 0.6, 1])
    assert run("hardsigmoid", [-3, -1, 0, 2, 3], alpha=0.2) == close([0, 0.3, 0.5, 0.9, 1])


def test_what_is_no_number(run):
    assert isnan(run("hardsigmoid", [nan])[0])
    assert isnan(run("hardsigmoid", [nan], alpha=0.2)[0])


def test_its_name_in_pytorch(bound):
    assert bound("hardsigmoid", (3,)).module_name(((3,),)) == "Hardsigmoid"
    assert bound("hardsigmoid", (3,), alpha=0.2).module_name(((3,),)) == ""
