"""min(max(x, min), max)."""

from math import inf, isnan, nan

import pytest

from convcalc.errors import Misfit


def test_onnx(run):
    """ONNX Clip, clip_example, and its default_min and default_max."""
    assert run("clip", [-2, 0, 2], min=-1, max=1) == [-1, 0, 1]
    assert run("clip", [-1, 0, 1], min=0) == [0, 0, 1]
    assert run("clip", [-1, 0, 1], max=0) == [-1, 0, 0]


def test_where_min_exceeds_max(run):
    """ONNX Clip, clip_min_greater_than_max: max wins, as in PyTorch."""
    assert run("clip", [-2, 0, 6], min=2, max=1) == [1, 1, 1]


def test_infinities_and_what_is_no_number(run):
    first, second, third = run("clip", [inf, -inf, nan], min=-1.5, max=2)
    assert (first, second) == (2, -1.5)
    assert isnan(third)


def test_relu6_is_one(run):
    values = [-3.0, -0.0, 0.5, 6.0, 7.0]
    assert run("clip", values, min=0, max=6) == run("relu6", values)


def test_without_a_bound(bound):
    with pytest.raises(Misfit, match="clip needs min, max or both"):
        bound("clip", (3, 5, 7))


def test_its_name_in_pytorch(bound):
    assert bound("clip", (3,), min=-1, max=1).module_name(((3,),)) == "Hardtanh"
    assert bound("clip", (3,), min=-1).module_name(((3,),)) == ""
