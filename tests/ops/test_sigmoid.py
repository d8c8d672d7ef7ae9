"""1/(1 + e⁻ˣ)."""

from math import log


def test_onnx(run, close):
    """ONNX Sigmoid, sigmoid_example."""
    assert run("sigmoid", [-1, 0, 1]) == close([0.26894143, 0.5, 0.7310586])


def test_by_hand_and_far_out(run, close):
    assert run("sigmoid", [[log(3), -log(3), 5000, -5000]]) == close([[3 / 4, 1 / 4, 1, 0]])
