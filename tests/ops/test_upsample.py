"""Upsampling."""

from fractions import Fraction

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import Reach


def test_pytorch_documentation(run):
    """torch.nn.Upsample's examples: 1 2 / 3 4, twice as large, nearest and bilinear."""
    image = [[[1.0, 2.0], [3.0, 4.0]]]
    assert run("upsample", image, scale=2) == [[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]
    assert run("upsample", image, scale=2, mode="bilinear") == [
        [
            [1.0, 1.25, 1.75, 2.0],
            [1.5, 1.75, 2.25, 2.5],
            [2.5, 2.75, 3.25, 3.5],
            [3.0, 3.25, 3.75, 4.0],
        ]
    ]


def test_each_axis_by_its_own_factor(run):
    image = [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]
    assert run("upsample", image, scale=[1, 2]) == [
        [[1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6]],
        [[7, 7, 8, 8, 9, 9], [10, 10, 11, 11, 12, 12]],
    ]


def test_linear_by_a_factor_of_three(run, close):
    """Centres at −1/3, 0, 1/3, 2/3, 1, 4/3; the border is repeated."""
    assert run("upsample", [[3, 6]], scale=3, mode="bilinear") == close([[3, 3, 4, 5, 6, 6]])


def test_reach(bound):
    nearest = bound("upsample", (1, 5), scale=3).reach(((1, 5),))
    assert nearest[1] == Reach(1, 1, Fraction(1, 3), Fraction(-2, 3))
    by_one = bound("upsample", (1, 5), scale=1, mode="bilinear").reach(((1, 5),))
    assert by_one[1] == Reach(1)


def test_working(lines):
    assert lines("upsample", (3, 5, 7), scale=2) == {"output height": "5·2 = 10", "output width": "7·2 = 14"}


def test_misfits(bound):
    with pytest.raises(Misfit, match="scale has 3 values, the input has 2 spatial dimensions"):
        bound("upsample", (3, 5, 7), scale=[1, 2, 3]).output_shape(((3, 5, 7),))
    with pytest.raises(Misfit, match="upsample needs a map"):
        bound("upsample", (3,), scale=2).output_shape(((3,),))
