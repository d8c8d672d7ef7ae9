"""Instance normalisation."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach

# 1 2 3 6 has mean 3 and variance 3.5; with eps 0.5 the divisor is 2. 6 6 6 6 becomes 0.
IMAGE = [[[1, 2], [3, 6]], [[6, 6], [6, 6]], [[6, 3], [2, 1]]]
EXPECTED = [[[-1, -0.5], [0, 1.5]], [[0, 0], [0, 0]], [[1.5, 0], [-0.5, -1]]]


def test_each_channel_by_itself(run):
    assert run("instancenorm", IMAGE, eps=0.5) == EXPECTED


def test_with_weights(run):
    learned = {"weight": [1, 2, 10], "bias": [0, 5, 100]}
    assert run("instancenorm", IMAGE, weights=learned, eps=0.5, affine=True) == [
        [[-1, -0.5], [0, 1.5]], [[5, 5], [5, 5]], [[115, 100], [95, 90]],
    ]  # fmt: skip


def test_it_is_groupnorm_with_a_channel_a_group(run):
    assert run("groupnorm", IMAGE, groups=3, eps=0.5, affine=False) == EXPECTED


def test_counts(bound, lines):
    """PyTorch's default is without weights."""
    assert bound("instancenorm", (96, 5, 7)).parameters(((96, 5, 7),)) == ()
    parameters = bound("instancenorm", (96, 5, 7), affine=True).parameters(((96, 5, 7),))
    assert [(p.name, p.shape, p.role) for p in parameters] == [
        ("weight", (96,), "weight"), ("bias", (96,), "bias"),
    ]  # fmt: skip
    assert lines("instancenorm", (96, 5, 7)) == {}
    assert lines("instancenorm", (96, 5, 7), affine=True) == {"weights": "96", "biases": "96"}


def test_reach(bound):
    shapes = ((6, 5, 7),)
    assert bound("instancenorm", *shapes).reach(shapes) == (Reach(0), WHOLE, WHOLE)


def test_a_vector_is_refused(bound):
    with pytest.raises(Misfit, match="instancenorm needs a map with 1 to 3 spatial dimensions"):
        bound("instancenorm", (6,))
