"""x/(1 + e⁻ˣ)."""

from math import log


def test_by_hand(run, close):
    """At ±ln 3 the logistic function is 3/4 and 1/4."""
    result = run("silu", [[0, log(3), -log(3), 5000, -5000]])
    assert result == close([[0, log(3) * 3 / 4, -log(3) / 4, 5000, 0]])
