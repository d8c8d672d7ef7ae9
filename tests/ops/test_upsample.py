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


def test_corners_in_the_corners(run, close):
    """torch.nn.Upsample's example with align_corners=True; and by hand, 3 outputs over 2 pixels at 0, ½, 1."""
    image = [[[1.0, 2.0], [3.0, 4.0]]]
    fields = {"mode": "bilinear", "align_corners": True}
    assert run("upsample", image, scale=2, **fields) == [
        close(
            [
                [1, 4 / 3, 5 / 3, 2],
                [5 / 3, 2, 7 / 3, 8 / 3],
                [7 / 3, 8 / 3, 3, 10 / 3],
                [3, 10 / 3, 11 / 3, 4],
            ]
        )
    ]
    assert run("upsample", [[6, 8]], size=3, **fields) == close([[6, 7, 8]])
    assert run("upsample", [[6, 8, 4]], size=1, **fields) == [[6]]
    assert run("upsample", [[6]], size=3, **fields) == [[6, 6, 6]]


IMAGE = [[[1, 2, 4], [8, 16, 32]], [[3, 9, 27], [81, 243, 729]]]


def test_a_size_of_any_ratio(run, close):
    """Two rows to three, three columns to four or two: what torch 2.14's interpolate gives."""
    assert run("upsample", IMAGE, size=[3, 4], mode="bilinear") == close(
        [
            [[1, 1.625, 2.75, 4], [4.5, 7.3125, 12.375, 18], [8, 13, 22, 32]],
            [[3, 6.75, 15.75, 27], [42, 94.5, 220.5, 378], [81, 182.25, 425.25, 729]],
        ]
    )
    small = [[[1, 2], [1, 2], [8, 16]], [[3, 9], [3, 9], [81, 243]]]
    assert run("upsample", IMAGE, size=[3, 2]) == small
    assert run("upsample", IMAGE, scale=[1.5, 0.7]) == small


def test_a_scale_that_is_no_whole_number(run, close):
    """⌊5·1.3⌋ = 6 pixels at (o + ½)/1.3 − ½, as torch 2.14 has them: not those of size 6."""
    expected = [[1, 21.5 / 13, 37 / 13, 62 / 13, 102 / 13, 180 / 13]]
    assert run("upsample", [[1, 2, 4, 8, 16]], scale=1.3, mode="bilinear") == close(expected)
    assert run("upsample", [[1, 2, 4, 8]], scale=1.2, mode="bilinear") == [[1, 2, 4, 8]]


def test_bicubic(run, close):
    """By hand, a = −¾: at distances ¼, ¾, 1¼, 1¾ the shares are 225/256, 67/256, −27/256, −9/256. torch 2.14 gives
    the same, and the second."""
    assert run("upsample", [[0, 64]], scale=2, mode="bicubic") == [[-6.75, 14.5, 49.5, 70.75]]
    fields = {"size": [3, 2], "mode": "bicubic", "align_corners": True}
    assert run("upsample", IMAGE[:1], **fields) == [close([[1, 4], [4.5, 18], [8, 32]])]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"scale": 1.5}, "⌊7·1.5⌋ = 10"),
        ({"scale": 2 / 3}, "⌊7·0.666666666666667⌋ = 4"),
        ({"size": 9}, "9 as given"),
    ],
)
def test_working_of_other_sizes(lines, fields, line):
    assert line in lines("upsample", (3, 5, 7), **fields).values()


def test_a_third_is_a_third(bound):
    """2/3 as a 64-bit number is a little less: ⌊9·2/3⌋ is 6 all the same."""
    assert bound("upsample", (2, 9), scale=2 / 3).output_shape(((2, 9),)) == (2, 6)
    assert bound("upsample", (2, 100), scale=0.29).output_shape(((2, 100),)) == (2, 29)


def test_sizes_contradict(bound):
    for fields, message in (
        ({}, "upsample has neither scale nor size nor like"),
        ({"scale": 2, "size": 8}, "upsample has scale besides its size"),
        ({"scale": 2, "align_corners": True}, "align_corners says nothing of mode: nearest"),
        ({"like": "conv1"}, "there is no layer conv1 here whose size upsample could take"),
    ):
        with pytest.raises(Misfit, match=message):
            bound("upsample", (3, 5, 7), **fields)
    with pytest.raises(Misfit, match="an axis of 3 is scaled to nothing"):
        bound("upsample", (2, 3), scale=0.25).output_shape(((2, 3),))


def test_reach(bound):
    nearest = bound("upsample", (1, 5), scale=3).reach(((1, 5),))
    assert nearest[1] == Reach(1, 1, Fraction(1, 3), Fraction(-2, 3))
    by_one = bound("upsample", (1, 5), scale=1, mode="bilinear").reach(((1, 5),))
    assert by_one[1] == Reach(1)
    # 3 of 5 outputs a pixel further: pixels above (6·o − 2)/10 − 1 and below 1 more; within 2 for bicubic
    shape = ((1, 3),)
    assert bound("upsample", (1, 3), size=5).reach(shape)[1] == Reach(1, 1, Fraction(3, 5), Fraction(-4, 5))
    linear = bound("upsample", (1, 3), size=5, mode="bilinear").reach(shape)[1]
    assert linear == Reach(1, Fraction(18, 10), Fraction(3, 5), -1)
    corners = bound("upsample", (1, 3), size=5, mode="bicubic", align_corners=True).reach(shape)[1]
    assert corners == Reach(1, Fraction(7, 2), Fraction(1, 2), Fraction(-3, 2))


def test_working(lines):
    assert lines("upsample", (3, 5, 7), scale=2) == {"output height": "5·2 = 10", "output width": "7·2 = 14"}


def test_misfits(bound):
    with pytest.raises(Misfit, match="scale has 3 values, the input has 2 spatial dimensions"):
        bound("upsample", (3, 5, 7), scale=[1, 2, 3]).output_shape(((3, 5, 7),))
    with pytest.raises(Misfit, match="upsample needs a map"):
        bound("upsample", (3,), scale=2).output_shape(((3,),))
