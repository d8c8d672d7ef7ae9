"""Local response normalisation across channels."""

from convcalc.ops._base import Reach


def test_by_hand(run, close):
    """Size 3, alpha 3 (so a factor of 1), beta 1, k 1: x/(1 + sum of the neighbours' squares)."""
    image = [[[1, 2]], [[2, 0]], [[3, 1]], [[4, 0]]]
    result = run("lrn", image, size=3, alpha=3, beta=1, k=1)
    assert result == close([[[1 / 6, 2 / 5]], [[2 / 15, 0]], [[3 / 30, 1 / 2]], [[4 / 26, 0]]])


def test_an_even_size_reaches_back(run, close):
    """PyTorch's choice: size//2 channels before, (size − 1)//2 after."""
    assert run("lrn", [1, 2, 3], size=2, alpha=2, beta=1, k=1) == close([1 / 2, 2 / 6, 3 / 14])


def test_a_size_beyond_all_channels(run, close):
    assert run("lrn", [1, 2], size=9, alpha=9, beta=1, k=1) == close([1 / 6, 2 / 6])


def test_the_papers_constants(run, close):
    """Krizhevsky 2012: b = a/(2 + 10⁻⁴·Σ a²)^0.75 over 5 channels; alpha is divided by size here."""
    values = [100, 200, 300, 400, 500, 600]
    result = run("lrn", values, size=5, alpha=5e-4, beta=0.75, k=2)
    sums = [14e4, 30e4, 55e4, 90e4, 86e4, 77e4]
    assert result == close([a / (2 + s / 10_000) ** 0.75 for a, s in zip(values, sums, strict=True)])


def test_reach_is_over_channels_only(bound):
    assert bound("lrn", (7, 3, 5)).reach(((7, 3, 5),)) == (Reach(0, 5, 1, -2), Reach(1), Reach(2))


def test_no_parameters_no_macs(bound):
    operator = bound("lrn", (7, 3, 5))
    assert (operator.parameters(((7, 3, 5),)), operator.macs(((7, 3, 5),))) == ((), 0)
