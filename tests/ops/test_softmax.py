"""Softmax. "ONNX Softmax" are the examples of the ONNX operator's documentation."""

from math import e

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach


def test_onnx(run, close):
    assert run("softmax", [-1, 0, 1]) == close([0.09003058, 0.24472848, 0.66524094])
    expected = close([0.032058604, 0.08714432, 0.23688284, 0.6439143])
    assert run("softmax", [0, 1, 2, 3]) == expected
    assert run("softmax", [10000, 10001, 10002, 10003]) == expected


def test_over_the_channels_of_each_position(run, close):
    """Channels 0 and 1 of three positions: differences 0, 1 and −1."""
    result = run("softmax", [[[5, 0, 1]], [[5, 1, 0]]])
    assert result == close([[[1 / 2, 1 / (1 + e), e / (1 + e)]], [[1 / 2, e / (1 + e), 1 / (1 + e)]]])


def test_other_dimensions(run, close):
    """Of 0 1 the powers are 1 and e; along the rows, and along the columns."""
    low, high = 1 / (1 + e), e / (1 + e)
    assert run("softmax", [[[0, 1], [3, 2]]], axis=2) == [close([[low, high], [high, low]])]
    assert run("softmax", [[[0, 3], [1, 2]]], axis=1) == [close([[low, high], [high, low]])]
    assert run("softmax", [[0, 1], [3, 2], [5, 5]], axis="last") == close(
        [[low, high], [high, low], [0.5, 0.5]]
    )


def test_reach(bound):
    shapes = ((6, 5, 7),)
    assert bound("softmax", *shapes).reach(shapes) == (WHOLE, Reach(1), Reach(2))
    assert bound("softmax", *shapes, axis=-1).reach(shapes) == (Reach(0), Reach(1), WHOLE)


def test_a_dimension_that_is_not_there(bound):
    with pytest.raises(Misfit) as caught:
        bound("softmax", (6, 5, 7), axis=3)
    assert caught.value.message == "axis 3 is no dimension of 6×5×7"
    assert caught.value.hint == "use 0, the channels, to 2, or -1, the last"
    with pytest.raises(Misfit) as caught:
        bound("softmax", (6,), axis=1)
    assert caught.value.hint == "a vector has one dimension, 0"
