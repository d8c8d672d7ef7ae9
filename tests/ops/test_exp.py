"""eˣ."""

from math import e, inf, isnan, log, nan


def test_by_hand(run, close):
    assert run("exp", [[0, 1, -1], [log(2), log(0.25), 2]]) == close([[1, e, 1 / e], [2, 0.25, e * e]])


def test_far_out(run):
    """The largest float is about e^709.8."""
    assert run("exp", [710.0, 1e30, inf, -1000.0, -inf]) == [inf, inf, inf, 0, 0]
    assert isnan(run("exp", [nan])[0])
