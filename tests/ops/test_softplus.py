"""ln(1 + eˣ)."""

from math import log


def test_onnx(run, close):
    """ONNX Softplus, softplus_example."""
    assert run("softplus", [-1, 0, 1]) == close([0.31326166, 0.69314718, 1.3132616])


def test_by_hand_and_far_out(run, close):
    assert run("softplus", [[log(3), 5000, -5000]]) == close([[log(4), 5000, 0]])
