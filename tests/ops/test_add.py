"""The sum of branches."""

import pytest

from convcalc.errors import Misfit


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
        (((8, 5, 7), (8, 1, 1)), "height and width", "multiply takes them, and upsample: [5, 7] first makes 8×1×1"),
        (((8, 1, 1), (8, 5, 5), (8, 5, 5)), "height and width", "upsample: 5 first makes 8×1×1 as large"),
        (((8, 5, 7), (1, 5, 7)), "channels", "adding over dimensions of 1 is not built yet; multiply takes them"),
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
    """conv: {filters: 16, kernel: 1, stride: 2} on 8×13×9 gives 16×7×5; upsample: [5, 7] on 8×1×1 gives 8×5×7."""
    assert bound("conv", (8, 13, 9), filters=16, kernel=1, stride=2).output_shape(((8, 13, 9),)) == (16, 7, 5)
    assert bound("upsample", (8, 1, 1), scale=[5, 7]).output_shape(((8, 1, 1),)) == (8, 5, 7)
