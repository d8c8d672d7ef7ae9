"""A range of one dimension."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import Reach

IMAGE = [[[c, 10 * c]] for c in range(1, 6)]


def test_by_hand(run):
    assert run("slice", IMAGE, start=1, stop=3) == [[[2, 20]], [[3, 30]]]
    assert run("slice", IMAGE, stop=1) == [[[1, 10]]]
    assert run("slice", IMAGE, start=4) == [[[5, 50]]]
    assert run("slice", [1, 2, 3], start=1) == [2, 3]


def test_halves_side_by_side_are_the_whole(run):
    """A ShuffleNet unit splits its channels and joins them again (Ma et al. 2018, figure 3c)."""
    assert run("concat", run("slice", IMAGE, stop=2), run("slice", IMAGE, start=2)) == IMAGE


GRID = [[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], [[13, 14, 15, 16], [17, 18, 19, 20], [21, 22, 23, 24]]]


def test_any_axis_as_numpy_has_it(run):
    """x[:, 1:3], x[:, :, ::2], x[..., -3:-1], x[:, ::-1], x[..., 2:0:-1], x[..., 2::-2] of numpy."""
    assert run("slice", GRID, axis=1, start=1, stop=3) == [channel[1:3] for channel in GRID]
    assert run("slice", GRID, axis=2, step=2) == [[row[::2] for row in channel] for channel in GRID]
    assert run("slice", GRID, axis=-1, start=-3, stop=-1) == [
        [row[1:3] for row in channel] for channel in GRID
    ]
    assert run("slice", GRID, axis=1, step=-1) == [channel[::-1] for channel in GRID]
    assert run("slice", GRID, axis=2, start=2, stop=0, step=-1) == [[[r[2], r[1]] for r in c] for c in GRID]
    assert run("slice", GRID, axis=2, start=2, step=-2) == [[[r[2], r[0]] for r in c] for c in GRID]


def test_bound_fields_count_from_the_beginning(bound):
    operator = bound("slice", (5, 1, 4), axis=-1, start=-3, stop=-1)
    assert (operator.axis, operator.start, operator.stop) == ("last", 1, 3)


def test_reach(bound):
    assert bound("slice", (5, 7), axis=1, start=-2, step=-3).reach(((5, 7),)) == (
        Reach(0),
        Reach(1, 1, -3, 5),
    )


def test_working(lines):
    assert lines("slice", (116, 5, 7), start=58) == {"output channels": "116 − 58 = 58"}
    assert lines("slice", (116, 5, 7), axis=2, step=2) == {"output width": "⌈(7 − 0)/2⌉ = 4"}
    assert lines("slice", (3, 9), axis=1, start=7, stop=1, step=-2) == {"output length": "(7 − 1)/2 = 3"}
    assert lines("slice", (3, 9), axis=1, step=-1) == {"output length": "8 + 1 = 9"}


@pytest.mark.parametrize(("start", "stop"), [(0, 6), (3, 3), (5, None), (4, 2)])
def test_misfits(bound, start, stop):
    with pytest.raises(Misfit, match="of an input with 5"):
        bound("slice", (5, 1, 2), start=start, stop=stop)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"axis": 3}, "axis 3 is no dimension of 5×1×2"),
        ({"axis": -4}, "axis -4 is no dimension of 5×1×2"),
        ({"step": 0}, "a step of 0 gets nowhere"),
        ({"axis": 2, "start": -3}, "width from -3 of an input with 2"),
        ({"start": 1, "stop": 3, "step": -1}, "channels from 1 to 3 in steps of -1 of an input with 5"),
    ],
)
def test_other_misfits(bound, fields, message):
    with pytest.raises(Misfit, match=message):
        bound("slice", (5, 1, 2), **fields)
