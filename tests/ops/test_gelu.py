"""x·Φ(x)."""


def test_onnx(run, close):
    """ONNX Gelu, gelu_default_1 and gelu_tanh_1."""
    assert run("gelu", [-1, 0, 1]) == close([-0.15865526, 0, 0.84134474])
    assert run("gelu", [-1, 0, 1], approximate="tanh") == close([-0.15880801, 0, 0.84119199])


def test_far_out(run, close):
    assert run("gelu", [1e200, -1e200], approximate="tanh") == close([1e200, 0])
    assert run("gelu", [1e200, -1e200]) == close([1e200, 0])


def test_from_the_normal_table(run, close):
    """Φ(1.96) = 0.9750021, Φ(2) = 0.9772499."""
    assert run("gelu", [[1.96, 2, -2]]) == close([[1.96 * 0.9750021049, 2 * 0.9772498681, -2 * 0.0227501319]])
