"""scale·x, or scale·alpha·(eˣ − 1) below 0."""

from math import exp, isnan, log, nan


def test_onnx(run, close):
    """ONNX Selu, selu_example: alpha 2, gamma 3."""
    assert run("selu", [-1, 0, 1], alpha=2, scale=3) == close([-3.79272318, 0, 3])


def test_defaults_are_the_papers(run, bound, close):
    """Klambauer et al. 2017, section 2: λ ≈ 1.0507 and α ≈ 1.6733."""
    operator = bound("selu", (3,))
    assert (round(operator.scale, 4), round(operator.alpha, 4)) == (1.0507, 1.6733)
    assert run("selu", [2, -log(2), -1000]) == close([2.1014020, -0.8790497, -1.7580993])


def test_they_keep_mean_0_and_variance_1(bound):
    """The fixed point that the paper derives them from, by the sum over a fine grid of a normal distribution."""
    element = bound("selu", (3,)).element
    points = [-12 + step / 500 for step in range(12_001)]
    weights = [exp(-x * x / 2) / (500 * 2.5066282746310002) for x in points]
    values = [element(x) for x in points]
    mean = sum(w * value for w, value in zip(weights, values, strict=True))
    square = sum(w * value * value for w, value in zip(weights, values, strict=True))
    assert abs(mean) < 1e-6
    assert abs(square - 1) < 1e-6


def test_what_is_no_number(run):
    assert isnan(run("selu", [nan])[0])
