"""The sum of branches."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach


def test_by_hand(run):
    assert run("add", [[1, 2, 3]], [[10, 20, 30]], [[100, 200, 300]]) == [[111, 222, 333]]


def test_the_inputs_are_left_alone(run):
    image = [[1, 2, 3]]
    run("add", image, image)
    assert image == [[1, 2, 3]]


def test_misfits(bound):
    with pytest.raises(Misfit) as caught:
        bound("add", (1024, 14, 14), (512, 28, 28))
    assert caught.value.message == (
        "add needs equal shapes: branch 1 is 1024×14×14, branch 2 is 512×28×28; "
        "they differ in channels, height and width"
    )
    assert caught.value.hint == (
        "branch 1 has stride 2, branch 2 has not: end branch 2 in conv: {filters: 1024, kernel: 1, stride: 2}"
    )
    with pytest.raises(Misfit, match="branch 1 is 64×5×7, branch 2 is 32×5×7") as caught:
        bound("add", (64, 5, 7), (32, 5, 7))
    assert "same number of channels" in caught.value.hint


@pytest.mark.parametrize(
    ("shapes", "where", "hint"),
    [
        # the larger branch needs the stride, whichever it is: 7 = ⌈13/2⌉, 5 = ⌈9/2⌉
        (((8, 13, 9), (16, 7, 5)), "channels, height and width",
         "end branch 1 in conv: {filters: 16, kernel: 1, stride: 2}"),
        (((8, 12), (8, 4)), "length", "end branch 1 in conv: {filters: 8, kernel: 1, stride: 3}"),
        (((8, 12, 6), (8, 4, 3)), "height and width", "give the branches the same strides"),
        (((8, 28, 28), (8, 26, 26)), "height and width", "padding that keeps their sizes together"),
        (((8, 5, 7), (4, 5, 7)), "channels", "a conv with kernel 1 changes it"),
        (((8,), (9,)), "features", "end the branches in the same number of features; a dense layer changes it"),
        (((8, 2, 3, 4), (8, 2, 3, 5)), "width", "give the branches the same strides"),
    ],
)  # fmt: skip
def test_a_misfit_says_which_dimensions_differ_and_what_would_do(bound, shapes, where, hint):
    with pytest.raises(Misfit) as caught:
        bound("add", *shapes)
    assert caught.value.message.endswith(f"; they differ in {where}")
    assert hint in caught.value.hint


def test_a_misfit_of_many_branches_names_two(bound):
    shapes = [(4, 5, 6)] * 1_000
    shapes[700] = (4, 5, 7)
    with pytest.raises(Misfit) as caught:
        bound("add", *shapes)
    assert caught.value.message == (
        "add needs equal shapes: branch 1 is 4×5×6, branch 701 is 4×5×7; they differ in width"
    )


def test_what_the_hint_offers_fits(bound):
    """conv: {filters: 16, kernel: 1, stride: 2} on 8×13×9 gives 16×7×5."""
    assert bound("conv", (8, 13, 9), filters=16, kernel=1, stride=2).output_shape(((8, 13, 9),)) == (16, 7, 5)


def test_a_number_per_channel(run):
    image, offsets = [[[1, 2, 3]], [[4, 5, 6]]], [[[2]], [[10]]]
    assert run("add", image, offsets) == [[[3, 4, 5]], [[14, 15, 16]]]
    assert run("add", offsets, image) == [[[3, 4, 5]], [[14, 15, 16]]]


def test_a_row_and_a_column_make_a_map(run):
    assert run("add", [[[1, 2, 3]]], [[[10], [20]]]) == [[[11, 12, 13], [21, 22, 23]]]


def test_reach_of_what_is_repeated(bound):
    shapes = ((6, 5, 7), (6, 1, 1))
    operator = bound("add", *shapes)
    assert operator.reach(shapes, 0) == (Reach(0), Reach(1), Reach(2))
    assert operator.reach(shapes, 1) == (Reach(0), WHOLE, WHOLE)


def test_what_is_repeated_is_said(lines):
    assert lines("add", (6, 5, 7), (6, 5, 7)) == {}
    assert lines("add", (6, 1, 7), (6, 5, 7), (1, 1, 1)) == {
        "repeated": "branch 1, 6×1×7, branch 3, 1×1×1 → 6×5×7"
    }


@pytest.mark.parametrize(
    ("shapes", "given", "where"),
    [
        (((8, 5, 7), (1, 5, 6)), "branch 1 is 8×5×7, branch 2 is 1×5×6", "width"),
        (((8, 5, 7), (8, 1, 1), (4, 5, 7)), "branch 1 is 8×5×7, branch 2 is 8×1×1, branch 3 is 4×5×7", "channels"),
    ],
)  # fmt: skip
def test_a_misfit_among_dimensions_of_one_says_that_they_fit(bound, shapes, given, where):
    with pytest.raises(Misfit) as caught:
        bound("add", *shapes)
    assert caught.value.message == (
        f"add needs shapes that are equal, or 1 where they differ: {given}; they differ in {where}"
    )


def test_a_misfit_of_many_branches_leaves_out_those_that_are_repeated(bound):
    shapes = [(4, 1, 1)] * 1_000
    shapes[300], shapes[700] = (4, 5, 6), (4, 5, 7)
    with pytest.raises(Misfit) as caught:
        bound("add", *shapes)
    assert "branch 301 is 4×5×6, branch 701 is 4×5×7; they differ in width" in caught.value.message


def test_a_very_wide_join(bound):
    """100,000 inputs, each asked for what is read of it. The square of that would take minutes."""
    shapes = ((3, 5), *((3, 1),) * 99_999)
    operator = bound("add", *shapes)
    assert all(operator.reach(shapes, index) == (Reach(0), WHOLE) for index in range(1, 100_000))
