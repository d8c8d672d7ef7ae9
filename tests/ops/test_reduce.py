"""A mean, sum, maximum or minimum over whole dimensions."""

from math import inf, nan

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach

IMAGE = [[[1, 2, 3], [4, 5, 9]], [[10, 20, 30], [40, 50, 90]]]


def test_by_hand(run):
    assert run("reduce", IMAGE) == [4, 40]
    assert run("reduce", IMAGE, mode="sum", keep=True) == [[[24]], [[240]]]
    assert run("reduce", IMAGE, mode="max", axis=0) == [[10, 20, 30], [40, 50, 90]]
    assert run("reduce", IMAGE, mode="min", axis=-1) == [[1, 4], [10, 40]]
    assert run("reduce", IMAGE, mode="sum", axis=[2, 0]) == [66, 198]
    assert run("reduce", IMAGE, axis=[0, 1, 2], keep=True) == [[[22]]]
    assert run("reduce", [3, 5, 10], mode="sum", axis=0, keep=True) == [18]


def test_what_is_not_a_number(run):
    """As torch's amin, amax and mean along the second dimension."""
    rows = [[1.0, nan, 3.0], [inf, -inf, 2.0], [inf, 1.0, 1.0]]
    bad = pytest.approx(nan, nan_ok=True)
    assert run("reduce", rows, mode="min") == [bad, -inf, 1]
    assert run("reduce", rows, mode="max") == [bad, inf, inf]
    assert run("reduce", rows) == [bad, bad, inf]


def test_reach(bound):
    shape = (4, 7, 5)
    assert bound("reduce", shape, axis=1).reach((shape,)) == (Reach(0), WHOLE, Reach(1))
    assert bound("reduce", shape, axis=1, keep=True).reach((shape,)) == (Reach(0), WHOLE, Reach(2))


def test_working(lines):
    assert lines("reduce", (4, 7, 5)) == {"values per mean": "7·5 = 35"}
    assert lines("reduce", (4, 7, 5), mode="max", axis=0) == {"values per maximum": "4"}


def test_misfits(bound):
    for shape, fields, message in (
        ((4, 7, 5), {"axis": [0, 1, 2]}, "reduce over all dimensions leaves none"),
        ((4, 7, 5), {"axis": [1, -2]}, r"axis \[1, -2\] names a dimension of 4×7×5 twice"),
        ((4, 7, 5), {"axis": 3}, "axis 3 is no dimension of 4×7×5"),
        ((4,), {}, "reduce of a vector has no spatial dimensions"),
    ):
        with pytest.raises(Misfit, match=message):
            bound("reduce", shape, **fields)
