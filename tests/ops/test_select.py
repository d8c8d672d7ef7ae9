"""Listed indices of one dimension."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import SCATTERED, Reach

GRID = [
    [[1, 2, 3], [4, 5, 6]],
    [[7, 8, 9], [10, 11, 12]],
    [[13, 14, 15], [16, 17, 18]],
    [[19, 20, 21], [22, 23, 24]],
]


def test_by_hand(run):
    """NumPy's x[[2, 0, 0]], x[:, [1]] and x[..., [-1, 0]]."""
    assert run("select", GRID, indices=[2, 0, 0]) == [GRID[2], GRID[0], GRID[0]]
    assert run("select", GRID, indices=[1], axis=1) == [
        [[4, 5, 6]],
        [[10, 11, 12]],
        [[16, 17, 18]],
        [[22, 23, 24]],
    ]
    assert run("select", GRID, indices=[-1, 0], axis="last") == [[[r[2], r[0]] for r in c] for c in GRID]
    assert run("select", [5, 6, 7], indices=[1, -1, 1]) == [6, 7, 6]


def test_a_grouped_convolution_then_reads_channels_of_its_own(run):
    """Two filters of 1×1 on channels 0 and 3, and 1 and 2: 0.5·x0 − x3 and 2·x1 + x2."""
    chosen = run("select", GRID, indices=[0, 3, 1, 2])
    weights = {"weight": [[[[0.5]], [[-1]]], [[[2]], [[1]]]]}
    assert run("conv", chosen, weights=weights, filters=2, kernel=1, groups=2, bias=False) == [
        [[-18.5, -19, -19.5], [-20, -20.5, -21]],
        [[27, 30, 33], [36, 39, 42]],
    ]


def test_bound_indices_count_from_the_beginning(bound, lines):
    operator = bound("select", (6, 14, 12), indices=[0, -1, 4])
    assert (operator.indices, operator.axis) == ((0, 5, 4), "channels")
    assert operator.output_shape(((6, 14, 12),)) == (3, 14, 12)
    assert operator.macs(((6, 14, 12),)) == 0
    assert operator.parameters(((6, 14, 12),)) == ()
    assert operator.reach(((6, 14, 12),)) == (SCATTERED, Reach(1), Reach(2))
    assert lines("select", (6, 14, 12), indices=[0, -1, 4]) == {"output channels": "3 indices of 6"}


@pytest.mark.parametrize(
    ("shape", "axis", "index", "what"),
    [((6, 14, 12), 0, 6, "channels"), ((6, 14, 12), 0, -7, "channels"), ((6, 14, 12), 1, 14, "height")],
)
def test_out_of_range(bound, shape, axis, index, what):
    with pytest.raises(Misfit, match=f"index {index} of {what} of an input with {shape[axis]}") as caught:
        bound("select", shape, indices=[0, index], axis=axis)
    assert f"0 to {shape[axis] - 1}" in caught.value.hint
