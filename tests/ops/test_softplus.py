"""ln(1 + e^(beta·x))/beta."""

from math import log


def test_onnx(run, close):
    """ONNX Softplus, softplus_example."""
    assert run("softplus", [-1, 0, 1]) == close([0.31326166, 0.69314718, 1.3132616])


def test_by_hand_and_far_out(run, close):
    assert run("softplus", [[log(3), 5000, -5000]]) == close([[log(4), 5000, 0]])


def test_beta_and_threshold(run, close):
    """With beta 2, e^(2·ln 3/2) = 3. Above the threshold it is x itself."""
    assert run("softplus", [log(3) / 2, 0], beta=2) == close([log(4) / 2, log(2) / 2])
    assert run("softplus", [1.5, 2.5, -9], beta=2, threshold=-20) == [1.5, 2.5, -9]
    assert run("softplus", [1, 2], threshold=1) == close([1.3132616875, 2])
