"""x, or slope·x below 0."""


def test_onnx(run, close):
    """ONNX LeakyRelu, leakyrelu_example."""
    assert run("leaky_relu", [-1, 0, 1], slope=0.1) == close([-0.1, 0, 1])


def test_default_slope(run, close):
    assert run("leaky_relu", [[-200, 3]]) == close([[-2, 3]])
