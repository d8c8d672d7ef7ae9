"""x, or a learned slope times x below 0."""

from fractions import Fraction

IMAGE = [[[-4, 0, 2]], [[-8, 6, -2]]]


def test_one_slope(run, bound):
    assert run("prelu", IMAGE, weights={"weight": [Fraction(1, 4)]}) == [
        [[-1, 0, 2]],
        [[-2, 6, Fraction(-1, 2)]],
    ]
    assert bound("prelu", (2, 1, 3)).parameters(((2, 1, 3),))[0].shape == (1,)


def test_a_slope_per_channel(run, bound, lines):
    result = run("prelu", IMAGE, weights={"weight": [3, 5]}, per_channel=True)
    assert result == [[[-12, 0, 2]], [[-40, 6, -10]]]
    assert lines("prelu", (64, 5, 7), per_channel=True) == {"weights": "64"}


def test_starts_from_a_quarter(bound):
    """He et al. 2015, section 2.1: aᵢ is initialised to 0.25."""
    (weight,) = bound("prelu", (2, 5)).parameters(((2, 5),))
    assert (weight.role, weight.initial) == ("weight", 0.25)
