"""Max pooling. "ONNX MaxPool" are the examples of the ONNX operator's documentation."""

from fractions import Fraction

import pytest

from convcalc.errors import Misfit

LECTURE = [[[1, 4, 2, 1], [5, 8, 3, 4], [7, 6, 4, 5], [1, 3, 1, 2]]]
SQUARE = [[list(range(row, row + 5)) for row in range(1, 26, 5)]]
SIXTEEN = [[list(range(row, row + 4)) for row in range(1, 17, 4)]]


def test_lecture(run):
    assert run("maxpool", LECTURE, kernel=2, stride=2) == [[[8, 4], [7, 5]]]
    assert run("maxpool", LECTURE, kernel=2, stride=1) == [[[8, 8, 4], [8, 8, 5], [7, 6, 5]]]


def test_the_stride_defaults_to_the_kernel(run, bound):
    assert run("maxpool", LECTURE, kernel=2) == [[[8, 4], [7, 5]]]
    assert bound("maxpool", (1, 4, 6), kernel=[2, 3]).shown_fields()["stride"] == [2, 3]


def test_onnx(run):
    assert run("maxpool", SQUARE, kernel=5, stride=1, padding=2)[0] == [
        [13, 14, 15, 15, 15],
        [18, 19, 20, 20, 20],
        *[[23, 24, 25, 25, 25]] * 3,
    ]
    assert run("maxpool", SQUARE, kernel=3, stride=2, padding="same") == [
        [[7, 9, 10], [17, 19, 20], [22, 24, 25]]
    ]
    assert run("maxpool", SIXTEEN, kernel=3, stride=2, rounding="ceil") == [[[11, 12], [15, 16]]]
    assert run("maxpool", SIXTEEN, kernel=2, stride=1, dilation=2) == [[[11, 12], [15, 16]]]


def test_padding_never_counts(run):
    """All values are negative, so a padding of zeros would win."""
    image = [[[-1, -2, -3], [-4, -5, -6]]]
    result = run("maxpool", image, kernel=[2, 3], stride=[1, 2], padding=[[1, 0], [0, 1]])
    assert result == [[[-1], [-1]]]
    result = run("maxpool", image, kernel=[2, 2], stride=[1, 2], padding=[[1, 0], [0, 1]])
    assert result == [[[-1, -3], [-1, -3]]]


def test_fractions_stay_fractions(run):
    (result,) = run("maxpool", [[Fraction(-1, 3), Fraction(-1, 2), Fraction(-1, 7)]], kernel=2, stride=1)
    assert result == [Fraction(-1, 3), Fraction(-1, 7)]
    assert all(isinstance(value, Fraction) for value in result)


def test_ceil_keeps_and_drops(run):
    """5 pixels, kernel 2, stride 2: ceil adds a window on the last pixel. With a pixel of padding on each
    side that window would start in the padding, and is dropped (PyTorch's rule)."""
    row = [[1, 2, 3, 4, 5]]
    assert run("maxpool", row, kernel=2, stride=2) == [[2, 4]]
    assert run("maxpool", row, kernel=2, stride=2, rounding="ceil") == [[2, 4, 5]]
    assert run("maxpool", row, kernel=2, stride=2, padding=1, rounding="ceil") == [[1, 3, 5]]
    assert run("maxpool", [[1, 2]], kernel=3, stride=2, rounding="ceil") == [[2]]  # ⌈(2 − 3)/2⌉ + 1 = 1


def test_an_inception_pool_in_ceil_mode(bound):
    """GoogLeNet: 112 → 56 with kernel 3, stride 2, ceil; floor gives 55 (Szegedy et al. 2014, table 1)."""
    shape = (64, 112, 112)
    for rounding, size in (("ceil", 56), ("floor", 55)):
        operator = bound("maxpool", shape, kernel=3, stride=2, rounding=rounding)
        assert operator.output_shape((shape,)) == (64, size, size)
        assert operator.macs((shape,)) == 0
        assert operator.parameters((shape,)) == ()


def test_working(lines):
    cut_off = lines("maxpool", (1, 2), kernel=3, stride=2, rounding="ceil")
    assert cut_off == {"output size": "⌈(2 − 3 + 2·0)/2⌉ + 1 = 1"}
    dropped = lines("maxpool", (1, 5), kernel=2, stride=2, padding=1, rounding="ceil")["output size"]
    assert dropped == (
        "⌈(5 − 2 + 2·1)/2⌉ + 1 − 1 = 3, 5/2 leaves remainder 1, "
        "a last window would start in the padding and is dropped"
    )
    assert lines("maxpool", (96, 55, 55), kernel=3, stride=2) == {"output size": "(55 − 3 + 2·0)/2 + 1 = 27"}
    assert lines("maxpool", (1, 6), kernel=3, stride=2)["output size"] == (
        "⌊(6 − 3 + 2·0)/2⌋ + 1 = 2, 3/2 leaves remainder 1, the last 1 pixel never covered"
    )


def test_a_window_of_padding_only_is_refused(bound):
    with pytest.raises(Misfit, match="reads padding only"):
        bound("maxpool", (1, 5), kernel=2, padding=2)
    with pytest.raises(Misfit, match="reads padding only"):  # taps left and right of the only pixel
        bound("maxpool", (1, 1), kernel=2, stride=1, dilation=2, padding=1)
    with pytest.raises(Misfit, match="leaves remainder 1, and rounding is exact"):
        bound("maxpool", (1, 6), kernel=3, stride=2, rounding="exact").output_shape(((1, 6),))
    with pytest.raises(Misfit, match="not a vector"):
        bound("maxpool", (6,), kernel=3)
