"""x, or alpha·(eˣ − 1) below 0."""

from math import log


def test_onnx(run, close):
    """ONNX Elu, elu_example."""
    assert run("elu", [-1, 0, 1], alpha=2) == close([-1.2642411, 0, 1])


def test_by_hand(run, close):
    """e^(−ln 2) = 1/2 and e^(−ln 4) = 1/4."""
    assert run("elu", [[-log(2), -log(4), 3]]) == close([[-1 / 2, -3 / 4, 3]])
