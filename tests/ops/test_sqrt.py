"""√x."""

from math import copysign, inf, isnan, nan


def test_by_hand(run):
    assert run("sqrt", [[0, 1, 4], [0.25, 2.25, 1e10]]) == [[0, 1, 2], [0.5, 1.5, 1e5]]


def test_of_what_is_below_zero(run):
    assert all(map(isnan, run("sqrt", [-1.0, -inf, nan])))
    assert run("sqrt", [inf]) == [inf]
    assert copysign(1, run("sqrt", [-0.0])[0]) == -1  # IEEE 754, 5.4.1
