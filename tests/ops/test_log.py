"""ln x."""

from math import e, inf, isnan, nan


def test_by_hand(run, close):
    assert run("log", [[1, e, 1 / e], [e**3, 10, 0.5]]) == close(
        [[0, 1, -1], [3, 2.302585093, -0.6931471806]]
    )


def test_of_what_is_not_above_zero(run):
    assert run("log", [0, 0.0, -0.0, inf]) == [-inf, -inf, -inf, inf]
    assert all(map(isnan, run("log", [-1.0, -inf, nan, -1])))
