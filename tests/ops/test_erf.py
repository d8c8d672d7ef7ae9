"""The error function."""

from math import inf, isnan, nan


def test_published(run, close):
    """Abramowitz & Stegun 1964, table 7.1, to ten places."""
    values = [0.1124629160, 0.5204998778, 0.8427007929, 0.9661051465, 0.9953222650]
    assert run("erf", [0.1, 0.5, 1, 1.5, 2]) == close(values)
    assert run("erf", [[-0.1, -0.5], [-1, 0]]) == close([[-0.1124629160, -0.5204998778], [-0.8427007929, 0]])


def test_far_out(run):
    assert run("erf", [30.0, inf, -inf]) == [1, 1, -1]
    assert isnan(run("erf", [nan])[0])
