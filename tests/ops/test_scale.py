"""A learned factor per channel, or a constant."""

import pytest

from convcalc.errors import Misfit


def test_by_hand(run):
    assert run("scale", [[[1, 2, 3]], [[4, 5, 6]]], weights={"weight": [10, -1]}) == [
        [[10, 20, 30]],
        [[-4, -5, -6]],
    ]


def test_counts(bound, lines):
    """One weight per channel, no MACs (normalisation-like factors are not counted)."""
    shape = (96, 5, 7)
    operator = bound("scale", shape, initial=1e-6)
    (weight,) = operator.parameters((shape,))
    assert (weight.shape, weight.role, weight.initial) == ((96,), "weight", 1e-6)
    assert operator.macs((shape,)) == 0
    assert lines("scale", shape) == {"weights": "96"}


def test_a_constant(run, bound, lines):
    """Inception-ResNet's factor of residuals (Szegedy et al. 2016, section 3.3): no weights."""
    assert run("scale", [[[1, -2]], [[4, 8]]], value=0.25) == [[[0.25, -0.5]], [[1, 2]]]
    assert bound("scale", (96, 5, 7), value=0.17).parameters(((96, 5, 7),)) == ()
    assert lines("scale", (96, 5, 7), value=0.17) == {}


def test_a_constant_and_a_learned_factor(bound):
    with pytest.raises(Misfit) as caught:
        bound("scale", (96, 5, 7), value=0.17, initial=0.5)
    assert caught.value.message == "scale is given value 0.17 and initial 0.5"
