"""Dense layers."""

from array import array
from fractions import Fraction
from math import prod

import pytest

from convcalc import ops
from convcalc.errors import Misfit
from convcalc.ops._base import Tensor


def test_by_hand(run):
    weights = {"weight": [[1, 2, 3], [4, 5, Fraction(1, 2)]], "bias": [10, 20]}
    assert run("dense", [1, 10, 100], weights=weights, units=2) == [331, 124]
    assert run("dense", [1, 10, 100], weights={"weight": weights["weight"]}, units=2, bias=False) == [
        321,
        104,
    ]


def test_on_the_last_dimension(run):
    """Two positions of three features each, by hand."""
    weights = {"weight": [[1, 2, 3], [0, 0, 1], [1, 0, 0], [0, 1, -1]], "bias": [0, 0, 0, 5]}
    result = run("dense", [[1, 10, 100], [2, 0, 1]], weights=weights, units=4, axis="last")
    assert result == [[321, 100, 1, -85], [5, 1, 2, 4]]


def test_weights_may_be_an_array():
    dense = ops.get("dense")(units=2)
    weights = {"weight": array("f", [1, 2, 3, 4, 5, 6]), "bias": array("f", [0.5, 0])}
    assert dense.forward([Tensor((3,), [1, 0, 2])], weights) == Tensor((2,), [7.5, 16.0])


@pytest.mark.parametrize(
    ("features", "units", "weights"),
    [  # Lecture: LeNet-5, AlexNet, VGG-16, GoogLeNet's replaced layer.
        (400, 120, 48_000),
        (120, 84, 10_080),
        (84, 10, 840),
        (1024, 4096, 4_194_304),
        (4096, 4096, 16_777_216),
        (4096, 1000, 4_096_000),
        (7 * 7 * 512, 4096, 102_760_448),
        (7 * 7 * 1024, 1000, 50_176_000),
    ],
)
def test_counts(bound, features, units, weights):
    shape = (features,)
    operator = bound("dense", shape, units=units)
    weight, bias = operator.parameters((shape,))
    assert (prod(weight.shape), bias.shape) == (weights, (units,))
    assert operator.macs((shape,)) == weights
    assert operator.output_shape((shape,)) == (units,)


def test_macs_on_more_than_one_dimension_count_every_position(bound):
    """ConvNeXt's first block: 96·384 weights at 56·56 positions (Liu et al. 2022)."""
    shape = (56, 56, 96)
    operator = bound("dense", shape, units=384, axis="last")
    assert operator.output_shape((shape,)) == (56, 56, 384)
    assert operator.macs((shape,)) == 36_864 * 3_136
    assert operator.parameters((shape,))[0].shape == (384, 96)


def test_working(lines):
    assert lines("dense", (1024,), units=4096) == {
        "weights": "1024·4096 = 4,194,304",
        "biases": "4,096",
        "MACs": "4,194,304",
    }
    assert lines("dense", (5, 7, 96), units=384, axis="last", bias=False) == {
        "weights": "96·384 = 36,864",
        "MACs": "36,864 · 5×7 = 1,290,240",
    }


def test_a_map_that_was_not_flattened(bound):
    with pytest.raises(Misfit, match="dense needs a vector, the input is 256×2×3") as caught:
        bound("dense", (256, 2, 3), units=10)
    assert caught.value.hint == (
        "put flatten before it (1,536 features), or set axis: last to act on the last dimension (3 features)"
    )
