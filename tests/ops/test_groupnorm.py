"""Group normalisation."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach

# 1 2 3 6 has mean 3 and variance (4 + 1 + 0 + 9)/4 = 3.5; with eps 0.5 the divisor is 2.
# 0 4 8 8 has mean 5 and variance (25 + 1 + 9 + 9)/4 = 11; with eps 0.5 the divisor is √11.5.
FIRST = [-1, -0.5, 0, 1.5]
SECOND = [value / 11.5**0.5 for value in (-5, -1, 3, 3)]


def test_two_groups_of_two_channels(run, close):
    image = [[[1, 2]], [[3, 6]], [[0, 4]], [[8, 8]]]
    weights = {"weight": [1, 2, 3, 4], "bias": [0, 10, 20, 30]}
    expected = [
        [[FIRST[0], FIRST[1]]],
        [[FIRST[2] * 2 + 10, FIRST[3] * 2 + 10]],
        [[SECOND[0] * 3 + 20, SECOND[1] * 3 + 20]],
        [[SECOND[2] * 4 + 30, SECOND[3] * 4 + 30]],
    ]
    assert run("groupnorm", image, weights=weights, groups=2, eps=0.5) == [close(part) for part in expected]


def test_one_group_is_the_layer_norm_of_the_whole_map(run, close):
    image = [[[1.0, 2.0, 4.0]], [[3.0, 7.0, 5.0]]]
    whole = run("layernorm", image, axis=[0, 1, 2], affine=False)
    assert run("groupnorm", image, groups=1, affine=False) == [close(part) for part in whole]


def test_a_vector(run):
    assert run("groupnorm", [1, 2, 3, 6], groups=1, eps=0.5, affine=False) == FIRST


def test_counts(bound, lines):
    weight, bias = bound("groupnorm", (96, 5, 7), groups=32).parameters(((96, 5, 7),))
    assert (weight.name, weight.shape, weight.role, weight.initial) == ("weight", (96,), "weight", 1)
    assert (bias.name, bias.shape, bias.role, bias.initial) == ("bias", (96,), "bias", 0)
    assert bound("groupnorm", (96, 5, 7), groups=32, affine=False).parameters(((96, 5, 7),)) == ()
    assert bound("groupnorm", (96, 5, 7), groups=32).macs(((96, 5, 7),)) == 0
    assert lines("groupnorm", (96, 5, 7), groups=32) == {
        "channels a group": "96/32 = 3", "weights": "96", "biases": "96",
    }  # fmt: skip


def test_reach(bound):
    """The group's channels at all positions; with one channel a group, that one."""
    shapes = ((6, 5, 7),)
    assert bound("groupnorm", *shapes, groups=1).reach(shapes) == (WHOLE, WHOLE, WHOLE)
    assert bound("groupnorm", *shapes, groups=6).reach(shapes) == (Reach(0), WHOLE, WHOLE)


def test_misfits(bound):
    with pytest.raises(Misfit, match="4 groups do not divide 6 channels"):
        bound("groupnorm", (6, 5, 7), groups=4)
