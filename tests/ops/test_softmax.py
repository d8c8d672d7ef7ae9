"""Softmax. "ONNX Softmax" are the examples of the ONNX operator's documentation."""

from math import e


def test_onnx(run, close):
    assert run("softmax", [-1, 0, 1]) == close([0.09003058, 0.24472848, 0.66524094])
    expected = close([0.032058604, 0.08714432, 0.23688284, 0.6439143])
    assert run("softmax", [0, 1, 2, 3]) == expected
    assert run("softmax", [10000, 10001, 10002, 10003]) == expected


def test_over_the_channels_of_each_position(run, close):
    """Channels 0 and 1 of three positions: differences 0, 1 and −1."""
    result = run("softmax", [[[5, 0, 1]], [[5, 1, 0]]])
    assert result == close([[[1 / 2, 1 / (1 + e), e / (1 + e)]], [[1 / 2, e / (1 + e), 1 / (1 + e)]]])
