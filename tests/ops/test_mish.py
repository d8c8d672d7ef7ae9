"""x·tanh(ln(1 + eˣ)), with tanh(ln u) = (u² − 1)/(u² + 1)."""

from math import log


def test_by_hand(run, close):
    """At ln 2, u = 3: (9 − 1)/(9 + 1). At 0, u = 2. At −ln 2, u = 3/2: (9/4 − 1)/(9/4 + 1) = 5/13."""
    result = run("mish", [[0, log(2), -log(2), 5000, -5000]])
    assert result == close([[0, log(2) * 4 / 5, -log(2) * 5 / 13, 5000, 0]])
