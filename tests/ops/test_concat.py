"""Channels side by side."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import Reach


def test_by_hand(run):
    assert run("concat", [[[1, 2]]], [[[3, 4]], [[5, 6]]], [[[7, 8]]]) == [
        [[1, 2]],
        [[3, 4]],
        [[5, 6]],
        [[7, 8]],
    ]
    assert run("concat", [1, 2], [3]) == [1, 2, 3]


def test_inception_3a(bound, lines):
    """Szegedy et al. 2014, table 1: 64 + 128 + 32 + 32 = 256 at 28×28."""
    shapes = [(channels, 28, 28) for channels in (64, 128, 32, 32)]
    assert bound("concat", *shapes).output_shape(tuple(shapes)) == (256, 28, 28)
    assert lines("concat", *shapes) == {"output channels": "64 + 128 + 32 + 32 = 256"}


def test_reach_is_said_for_each_input(bound):
    shapes = ((2, 5, 7), (3, 5, 7), (4, 5, 7))
    operator = bound("concat", *shapes)
    assert [operator.reach(shapes, index)[0] for index in range(3)] == [
        Reach(0),
        Reach(0, start=-2),
        Reach(0, start=-5),
    ]


def test_reach_of_joins_asked_in_turn(bound):
    """The offsets of one join are never those of another."""
    first, second = ((2, 5), (3, 5)), ((7, 5), (1, 5))
    operator = bound("concat", *first)
    for inputs, start in ((first, -2), (second, -7), (first, -2), ((*second,), -7)):
        assert operator.reach(inputs, 1)[0] == Reach(0, start=start)


def test_a_very_wide_join(bound):
    """100,000 inputs of 3 channels: input n begins at channel 3n. The square of that would take minutes."""
    shapes = ((3, 5),) * 100_000
    operator = bound("concat", *shapes)
    assert all(operator.reach(shapes, index)[0] == Reach(0, start=-3 * index) for index in range(100_000))


def test_misfits(bound):
    with pytest.raises(Misfit) as caught:
        bound("concat", (64, 28, 28), (32, 14, 28))
    assert caught.value.message == (
        "concat needs equal sizes, channels apart: branch 1 is 64×28×28, branch 2 is 32×14×28; they differ in height"
    )
    assert (
        caught.value.hint == "give the branches the same strides, and padding that keeps their sizes together"
    )
    with pytest.raises(Misfit, match="branch 1 is 64, branch 2 is 64×1×1") as caught:
        bound("concat", (64,), (64, 1, 1))
    assert caught.value.hint == "flatten all branches or none"


def test_other_dimensions(run):
    """By hand: rows under rows, and columns beside columns."""
    first, second = [[[1, 2]], [[3, 4]]], [[[5, 6]], [[7, 8]]]
    assert run("concat", first, second, axis=1) == [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    assert run("concat", first, second, axis="last") == [[[1, 2, 5, 6]], [[3, 4, 7, 8]]]
    assert run("concat", first, [[[9]], [[0]]], first, axis=-1) == [[[1, 2, 9, 1, 2]], [[3, 4, 0, 3, 4]]]


def test_reach_along_another_dimension(bound, lines):
    shapes = ((2, 5, 7), (2, 3, 7), (2, 4, 7))
    operator = bound("concat", *shapes, axis=-2)
    assert operator.axis == 1
    assert operator.output_shape(shapes) == (2, 12, 7)
    assert operator.reach(shapes, 2) == (Reach(0), Reach(1, start=-8), Reach(2))
    assert lines("concat", *shapes, axis=1) == {"output height": "5 + 3 + 4 = 12"}


def test_one_form_of_each_axis(bound):
    shapes = ((2, 5, 7), (2, 5, 7))
    axes = ["channels", 0, -3, 1, -2, "last", 2, -1]
    assert [bound("concat", *shapes, axis=axis).axis for axis in axes] == [
        "channels", "channels", "channels", 1, 1, "last", "last", "last",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "shapes", "message"),
    [
        (1, ((64, 28, 28), (32, 14, 28)),
         "concat needs equal sizes, height apart: branch 1 is 64×28×28, branch 2 is 32×14×28; they differ in channels"),
        ("last", ((4, 6, 5), (4, 7, 9)),
         "concat needs equal sizes, width apart: branch 1 is 4×6×5, branch 2 is 4×7×9; they differ in height"),
        (3, ((4, 6, 5), (4, 6, 5)), "axis 3 is no dimension of 4×6×5"),
        (-2, ((4,), (5,)), "axis -2 is no dimension of 4"),
    ],
)  # fmt: skip
def test_misfits_along_another_dimension(bound, axis, shapes, message):
    with pytest.raises(Misfit) as caught:
        bound("concat", *shapes, axis=axis)
    assert caught.value.message == message
