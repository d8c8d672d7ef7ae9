"""Root mean square normalisation."""

from math import sqrt

import pytest

from convcalc.errors import Misfit

# The mean square of 1 1 3 5 is (1 + 1 + 9 + 25)/4 = 9; with eps 7 the divisor is 4.
VECTOR = [1, -1, 3, 5]
NORMALISED = [0.25, -0.25, 0.75, 1.25]


def test_vector(run):
    assert run("rmsnorm", VECTOR, weights={"weight": [1, 1, 1, 1]}, eps=7) == NORMALISED
    assert run("rmsnorm", VECTOR, weights={"weight": [1, 2, 3, 4]}, eps=7) == [0.25, -0.5, 2.25, 5]


def test_dimensions(run):
    """The same vector along the channels, the last dimension, and as a map."""
    channels = [[[value, 7]] for value in VECTOR]
    assert [row[0][0] for row in run("rmsnorm", channels, affine=False, eps=7)] == NORMALISED
    assert run("rmsnorm", [VECTOR, [0, 0, 0, 0]], affine=False, eps=7, axis="last") == [
        NORMALISED,
        [0, 0, 0, 0],
    ]
    learned = {"weight": [[1, 2], [3, 4]]}
    assert run("rmsnorm", [[[1, -1], [3, 5]]], weights=learned, eps=7, axis=[1, 2]) == [
        [[0.25, -0.5], [2.25, 5]]
    ]


def test_no_mean_is_taken_away(run, close):
    assert run("rmsnorm", [2, 2, 2], affine=False) == close([1, 1, 1])


def test_default_eps_is_pytorchs(bound):
    """torch.finfo(torch.float32).eps."""
    assert bound("rmsnorm", (3,)).eps == 1.1920928955078125e-07


def test_counts(bound, lines):
    (weight,) = bound("rmsnorm", (96, 5, 7), axis=[1, 2]).parameters(((96, 5, 7),))
    assert (weight.name, weight.shape, weight.role, weight.initial) == ("weight", (5, 7), "weight", 1)
    assert lines("rmsnorm", (96, 5, 7), axis=[1, 2]) == {"weights": "5·7 = 35"}
    assert lines("rmsnorm", (96, 5, 7)) == {"weights": "96"}


def test_what_is_large(run, close):
    assert run("rmsnorm", [3e150, 4e150], affine=False) == close([0.6 * sqrt(2), 0.8 * sqrt(2)])


def test_misfits(bound):
    with pytest.raises(Misfit, match="axis 3 is no dimension of 96×5×7"):
        bound("rmsnorm", (96, 5, 7), axis=3)
