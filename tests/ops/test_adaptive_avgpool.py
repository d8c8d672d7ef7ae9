"""Adaptive average pooling, by its definition: output i is the mean of pixels ⌊i·n/m⌋ … ⌈(i + 1)·n/m⌉ − 1."""

from fractions import Fraction

import pytest

from convcalc.errors import Misfit


def test_windows_overlap_where_it_does_not_divide(run):
    """7 pixels in 3: windows 0–2, 2–4, 4–6."""
    pixels = [[Fraction(n) for n in (1, 2, 4, 8, 16, 32, 64)]]
    assert run("adaptive_avgpool", pixels, size=3) == [[Fraction(7, 3), Fraction(28, 3), Fraction(112, 3)]]


def test_windows_repeat_pixels_where_it_enlarges(run):
    """2 pixels in 3: windows 0, 0–1, 1."""
    assert run("adaptive_avgpool", [[4, 8]], size=3) == [[4, 6, 8]]


def test_all_dimensions_different(run):
    image = [[[1, 2, 3, 4], [5, 6, 7, 8]], [[10, 20, 30, 40], [50, 60, 70, 80]]]
    assert run("adaptive_avgpool", image, size=[1, 2]) == [[[3.5, 5.5]], [[35, 55]]]


def test_the_published_alexnet_pool_is_the_identity_on_6_by_6(bound):
    """torchvision's AlexNet and VGG pool to 6×6 and 7×7: nothing to do at their own input sizes."""
    assert bound("adaptive_avgpool", (256, 6, 6), size=6).output_shape(((256, 6, 6),)) == (256, 6, 6)
    assert bound("adaptive_avgpool", (512, 9, 7), size=[7, 6]).output_shape(((512, 9, 7),)) == (512, 7, 6)


def test_working(lines):
    assert lines("adaptive_avgpool", (2, 12, 7), size=[6, 3]) == {
        "output height": "6 as given, windows of 12/6 = 2",
        "output width": "3 as given, output i reads pixels ⌊i·7/3⌋ to ⌈(i + 1)·7/3⌉ − 1",
    }


def test_misfits(bound):
    with pytest.raises(Misfit, match="size has 2 values, the input has 1 spatial dimension"):
        bound("adaptive_avgpool", (3, 5), size=[2, 3]).output_shape(((3, 5),))
    with pytest.raises(Misfit, match="not a vector of 5"):
        bound("adaptive_avgpool", (5,), size=2).output_shape(((5,),))
