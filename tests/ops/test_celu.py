"""x, or alpha·(e^(x/alpha) − 1) below 0."""

from math import isnan, log, nan


def test_by_hand(run, close):
    """With alpha 2, e^(−2·ln 2/2) = 1/2 and e^(−2·ln 4/2) = 1/4."""
    assert run("celu", [[-2 * log(2), -2 * log(4), 3]], alpha=2) == close([[-1, -1.5, 3]])


def test_with_alpha_1_it_is_elu(run):
    values = [-3.0, -0.5, 0.0, 2.0]
    assert run("celu", values) == run("elu", values)


def test_far_out(run):
    assert run("celu", [-1e9, 1e9], alpha=0.5) == [-0.5, 1e9]
    assert isnan(run("celu", [nan])[0])
