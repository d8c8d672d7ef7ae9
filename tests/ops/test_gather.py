"""Entries of a table by fixed indices."""

import pytest

from convcalc import ops
from convcalc.errors import Misfit
from convcalc.ops._base import SCATTERED, Reach


def test_by_hand(run):
    table = [[1, 2], [3, 4], [5, 6]]
    assert run("gather", table, [2, 0], indices="i") == [[5, 6], [1, 2]]
    assert run("gather", table, [[0, 1], [1, 1], [2, 0]], indices="i") == [
        [[1, 2], [3, 4]],
        [[3, 4], [3, 4]],
        [[5, 6], [1, 2]],
    ]


def test_along_another_axis(run):
    """ONNX's Gather, axis 1."""
    table = [[1, 2, 3], [4, 5, 6]]
    assert run("gather", table, [2, 0, 2, 1], indices="i", axis=1) == [[3, 1, 3, 2], [6, 4, 6, 5]]
    assert run("gather", [[[1], [2]], [[3], [4]]], [[1, 0, 1]], indices="i", axis=1) == [
        [[[2], [1], [2]]],
        [[[4], [3], [4]]],
    ]


def test_reach(bound):
    shapes = ((4, 9, 3), (2, 5))
    operator = bound("gather", *shapes, indices="i", axis=1)
    assert operator.output_shape(shapes) == (4, 2, 5, 3)
    assert operator.reach(shapes, 0) == (Reach(0), SCATTERED, Reach(3))
    assert operator.reach(shapes, 1) == (Reach(1), Reach(2))
    assert operator.macs(shapes) == 0


def test_misfits(bound):
    with pytest.raises(Misfit, match="axis 2 is no dimension of 4×9"):
        bound("gather", (4, 9), (2, 5), indices="i", axis=2)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (None, "the network's input"),
        (ops.get("relu")(), "a relu"),
        (ops.get("constant")(rule="log_relative_positions", window=(2, 3)), "a log_relative_positions"),
    ],
)
def test_indices_come_from_a_constant(source, what):
    operator = ops.get("gather")(indices="i")
    with pytest.raises(Misfit) as caught:
        operator.check_sources([None, source])
    assert (
        caught.value.message
        == f"gather takes its indices from a constant that holds indices, not from {what}"
    )
