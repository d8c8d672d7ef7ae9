"""Batch normalisation at inference."""

from math import prod


def test_by_hand(run):
    """Variances 3 and 15 with eps 1: divide by 2 and by 4."""
    weights = {"weight": [1, 10], "bias": [0, 0.5], "running_mean": [1, 4], "running_var": [3, 15]}
    image = [[[1, 3, 5]], [[4, 8, 0]]]
    assert run("batchnorm", image, weights=weights, eps=1) == [[[0, 1, 2]], [[0.5, 10.5, -9.5]]]


def test_onnx_example(run, close):
    """ONNX BatchNormalization, epsilon 1e-5."""
    weights = {"weight": [1, 1.5], "bias": [0, 1], "running_mean": [0, 3], "running_var": [1, 1.5]}
    result = run("batchnorm", [[[-1, 0, 1]], [[2, 3, 4]]], weights=weights)
    assert result == close([[[-0.999995, 0, 0.999995]], [[-0.22474074, 1, 2.2247407]]])


def test_on_a_vector_without_learned_numbers(run):
    weights = {"running_mean": [1, 2, 3], "running_var": [3, 3, 15]}
    assert run("batchnorm", [3, 2, 7], weights=weights, affine=False, eps=1) == [1, 0, 1]


def test_statistics_are_buffers(bound):
    """ResNet's first: 64 weights and 64 biases learned, 128 numbers kept."""
    parameters = bound("batchnorm", (64, 112, 112)).parameters(((64, 112, 112),))
    sizes = {(p.name, p.role, prod(p.shape), p.initial) for p in parameters}
    assert sizes == {
        ("weight", "weight", 64, 1),
        ("bias", "bias", 64, 0),
        ("running_mean", "buffer", 64, 0),
        ("running_var", "buffer", 64, 1),
    }


def test_working(lines):
    assert lines("batchnorm", (64, 5, 7)) == {"weights": "64", "biases": "64", "buffers": "2·64 = 128"}
    assert lines("batchnorm", (64, 5, 7), affine=False) == {"buffers": "2·64 = 128"}
