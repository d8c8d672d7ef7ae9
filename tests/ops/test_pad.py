"""A margin around each channel."""

import pytest

from convcalc import ops
from convcalc.errors import Misfit
from convcalc.ops._base import Reach
from convcalc.ops._fields import FieldError


def test_by_hand(run):
    image = [[[1, 2, 3]], [[4, 5, 6]]]
    assert run("pad", image, padding=[[1, 0], [0, 2]]) == [
        [[0] * 5, [1, 2, 3, 0, 0]],
        [[0] * 5, [4, 5, 6, 0, 0]],
    ]
    assert run("pad", [[1, 2]], padding=1, value=-0.5) == [[-0.5, 1, 2, -0.5]]


def test_pad_then_valid_is_padding(run):
    """What a convolution's padding means."""
    image = [[[1, 2, 3], [4, 5, 6]]]
    weights = {"weight": [[[[1, 10], [100, 1000]]]]}
    fields = {"filters": 1, "kernel": 2, "bias": False}
    padding = [[1, 0], [2, 1]]
    padded = run("pad", image, padding=padding)
    assert run("conv", padded, weights=weights, **fields) == run(
        "conv", image, weights=weights, padding=padding, **fields
    )


def test_working_and_reach(lines, bound):
    padding = [[1, 2], [3, 0]]
    assert lines("pad", (3, 224, 224), padding=3) == {"output size": "224 + 3 + 3 = 230"}
    assert lines("pad", (3, 5, 7), padding=padding)["output height"] == "5 + 1 + 2 = 8"
    walks = bound("pad", (3, 5, 7), padding=padding).reach(((3, 5, 7),))
    assert walks == (Reach(0), Reach(1, start=-1), Reach(2, start=-3))


def test_same_and_valid_mean_nothing_here(bound):
    with pytest.raises(FieldError, match=r"needs an integer, or a list of integers or .* not 'same'"):
        ops.get("pad").fields()["padding"].kind.check("same")
    with pytest.raises(Misfit, match="padding has 1 values, the input has 2 spatial dimensions"):
        bound("pad", (3, 5, 7), padding=[1]).output_shape(((3, 5, 7),))
