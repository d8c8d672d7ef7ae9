"""Batch normalisation at inference."""

from math import inf, isnan, prod

from convcalc.ops._base import Tensor


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


def test_frozen_nothing_is_learned(bound, run, lines):
    """torchvision.ops.FrozenBatchNorm2d: four buffers; (x − mean)/√variance·weight + bias with its eps of 0."""
    operator = bound("batchnorm", (64, 5, 7), frozen=True, eps=0)
    assert {(p.name, p.role) for p in operator.parameters(((64, 5, 7),))} == {
        (name, "buffer") for name in ("weight", "bias", "running_mean", "running_var")
    }
    assert lines("batchnorm", (64, 5, 7), frozen=True) == {"buffers": "4·64 = 256"}
    weights = {"weight": [1, 10], "bias": [0, 0.5], "running_mean": [1, 4], "running_var": [4, 16]}
    image = [[[1, 3, 5]], [[4, 8, 0]]]
    output = run("batchnorm", image, weights=weights, eps=0, frozen=True)
    assert output == [[[0, 1, 2]], [[0.5, 10.5, -9.5]]]


def test_frozen_only_the_factor_is_in_the_gradient(bound):
    """δ·weight/√variance: 10/4 of the second channel's. Training changes neither statistics nor learned numbers."""
    shape = (2, 1, 3)
    operator = bound("batchnorm", shape, eps=0, frozen=True)
    weights = {"weight": [1, 10], "bias": [0, 0.5], "running_mean": [1, 4], "running_var": [4, 16]}
    x, delta = Tensor(shape, [1, 3, 5, 4, 8, 0]), Tensor(shape, [2, 0, 4, 1, 2, 3])
    assert operator.in_training([x], weights) == weights
    found = operator.backward([x], weights, delta)
    assert set(found) == {"input"}
    assert found["input"].tensor == Tensor(shape, [1, 0, 2, 2.5, 5, 7.5])


def test_a_variance_of_zero(run):
    """As torch.nn.functional.batch_norm: x/√0 − mean/√0, [[NaN, NaN], [NaN, −∞]]."""
    weights = {"running_mean": [0, 2], "running_var": [0, 0]}
    output = run("batchnorm", [[2.0, 0.0], [3.0, -1.0]], weights=weights, eps=0, affine=False)
    assert [isnan(value) for row in output for value in row] == [True, True, True, False]
    assert output[1][1] == -inf
