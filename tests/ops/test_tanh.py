"""Hyperbolic tangent."""

from math import log


def test_onnx(run, close):
    """ONNX Tanh, tanh_example."""
    assert run("tanh", [-1, 0, 1]) == close([-0.76159418, 0, 0.76159418])


def test_by_hand(run, close):
    """tanh ln 2 = (2 − 1/2)/(2 + 1/2)."""
    assert run("tanh", [[log(2), 5000]]) == close([[3 / 5, 1]])
