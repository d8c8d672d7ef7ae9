"""The window formula, against numbers worked by hand and against sliding a window by brute force."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.errors import Misfit
from convcalc.shapes import Axis, axes, elements, needed_padding, pads, per_axis, show


@pytest.mark.parametrize(
    ("axis", "output"),
    [
        # Lecture: W1 − F + 1, then + 2P, then the stride.
        (Axis(7, 3), 5),
        (Axis(7, 3, before=1, after=1), 7),
        (Axis(7, 3, 2, before=1, after=1), 4),
        # AlexNet, LeNet-5 and VGG of the lecture.
        (Axis(227, 11, 4), 55),
        (Axis(55, 3, 2), 27),
        (Axis(27, 5), 23),
        (Axis(23, 3, 2), 11),
        (Axis(5, 3, 2), 2),
        (Axis(32, 5), 28),
        (Axis(28, 2, 2), 14),
        (Axis(224, 3, before=1, after=1), 224),
        # ResNet's first layers (He et al. 2015, table 1), and ZFNet's 7×7 with stride 4: (227 − 7)/4 + 1.
        (Axis(224, 7, 2, before=3, after=3), 112),
        (Axis(112, 3, 2, before=1, after=1), 56),
        (Axis(227, 7, 4), 56),
        # Floor drops the last partial step; ceil keeps it, unless it would start in the trailing padding.
        (Axis(6, 3, 2), 2),
        (Axis(6, 3, 2, rounding="ceil"), 3),
        (Axis(112, 3, 2, rounding="ceil"), 56),
        (Axis(5, 2, 2, before=1, after=1, rounding="ceil"), 3),
        (Axis(5, 2, 2, before=0, after=1, rounding="ceil"), 3),
        (Axis(5, 3, 3, before=1, after=1, rounding="ceil"), 2),
        (Axis(6, 3, 3, before=1, after=1, rounding="ceil"), 3),
        (Axis(2, 3, 2, rounding="ceil"), 1),  # PyTorch's ⌈(2 − 3)/2⌉ + 1
        # Dilation: extent D(F − 1) + 1.
        (Axis(7, 3, dilation=2), 3),
        (Axis(7, 3, 2, dilation=3), 1),
        (Axis(33, 3, dilation=12, before=12, after=12), 33),
        # Padding on one side only.
        (Axis(7, 3, 2, before=0, after=1), 3),
        (Axis(7, 3, 2, before=2, after=1), 4),
        # A window as large as the axis.
        (Axis(7, 7), 1),
        (Axis(1, 1), 1),
    ],
)
def test_output(axis, output):
    assert axis.output == output


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "before", "after", "output"),
    [  # out = ceil(in/stride); the odd pixel goes after, as in TensorFlow's SAME.
        (5, 3, 1, 1, 1, 1, 5),
        (5, 2, 1, 1, 0, 1, 5),
        (6, 4, 1, 1, 1, 2, 6),
        (7, 3, 2, 1, 1, 1, 4),
        (8, 3, 2, 1, 0, 1, 4),
        (224, 7, 2, 1, 2, 3, 112),
        (5, 2, 1, 3, 1, 2, 5),
        (8, 1, 4, 1, 0, 0, 2),
        (9, 1, 4, 1, 0, 0, 3),
    ],
)
def test_same(size, kernel, stride, dilation, before, after, output):
    (axis,) = axes((3, size), kernel, stride, dilation, "same")
    assert (axis.before, axis.after, axis.output) == (before, after, output)


def test_dilation_in_valid():
    """A kernel of 3 with dilation 2 is 5 wide: 10 − 5 + 1, not 10 − 3 + 1."""
    (axis,) = axes((3, 10), 3, 1, 2, "valid")
    assert axis.output == 6


def test_each_axis_by_itself():
    height, width = axes((3, 5, 8), (2, 3), (1, 2), (1, 2), ((1, 0), (0, 3)))
    assert height == Axis(5, 2, 1, 1, 1, 0)
    assert width == Axis(8, 3, 2, 2, 0, 3)
    assert (height.output, width.output) == (5, 4)
    depth, height, width = axes((3, 4, 5, 6), 2, (1, 2, 3), padding=(0, 1, 2))
    assert [(axis.stride, axis.before, axis.after) for axis in (depth, height, width)] == [
        (1, 0, 0),
        (2, 1, 1),
        (3, 2, 2),
    ]


@pytest.mark.parametrize(
    ("axis", "uncovered"),
    [
        (Axis(227, 11, 4), (0, 0)),
        (Axis(6, 3, 2), (0, 1)),  # the last column is never read
        (Axis(23, 3, 2), (0, 0)),
        (Axis(10, 1, 3), (6, 0)),  # reads 0 3 6 9
        (Axis(11, 1, 3), (6, 1)),
        (Axis(11, 2, 4), (4, 1)),  # reads 0–1, 4–5, 8–9
        (Axis(5, 2, dilation=4), (3, 0)),  # reads 0 and 4 only
        (Axis(7, 3, 2, before=0, after=1), (0, 0)),
        (Axis(6, 3, 2, rounding="ceil"), (0, 0)),
    ],
)
def test_uncovered(axis, uncovered):
    assert axis.uncovered() == uncovered


@pytest.mark.parametrize("axis", [Axis(227, 11, 4), Axis(7, 3, 2, before=1, after=1)])
def test_exact_rounding_accepts_what_divides(axis):
    assert axis._replace(rounding="exact").output == axis.output


def test_exact_rounding_refuses_a_remainder():
    with pytest.raises(Misfit, match=r"\(6 − 3 \+ 0\)/2 leaves remainder 1, and rounding is exact"):
        assert Axis(6, 3, 2, rounding="exact").output


@pytest.mark.parametrize(
    ("axis", "message", "hint"),
    [
        (
            Axis(1, 3, 2, rounding="ceil"),
            "a window of 3 does not fit an axis of 1",
            "of at most 1, or padding",
        ),
        (
            Axis(5, 7),
            "a window of 7 does not fit an axis of 5",
            "a kernel of at most 5, or padding of at least 1",
        ),
        (
            Axis(5, 8),
            "a window of 8 does not fit an axis of 5",
            "a kernel of at most 5, or padding of at least 2",
        ),
        (
            Axis(5, 9, before=1, after=0),
            "a window of 9 does not fit an axis of 5 with padding 1 \\+ 0",
            "a kernel of at most 6, or padding of at least 2",
        ),
        (
            Axis(5, 3, dilation=4),
            "a window of 9 does not fit an axis of 5",
            "a kernel of at most 2, or padding of at least 2",
        ),
    ],
)
def test_a_window_that_does_not_fit(axis, message, hint):
    with pytest.raises(Misfit, match=message) as caught:
        assert axis.output
    assert hint in caught.value.hint
    padding = needed_padding(axis)
    axis = axis._replace(rounding="floor")
    assert axis._replace(before=padding, after=padding).output >= 1
    if padding:
        with pytest.raises(Misfit):
            assert axis._replace(before=padding - 1, after=padding - 1).output


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((4096,), {"kernel": 3}, "needs 1 to 3 spatial dimensions, the input 4096 has 0"),
        ((3, 4, 5, 6, 7), {"kernel": 3}, "needs 1 to 3 spatial dimensions, the input 3×4×5×6×7 has 4"),
        ((3, 5, 7), {"kernel": (3,)}, "kernel has 1 values, the input has 2 spatial dimensions"),
        ((3, 5), {"kernel": 3, "stride": (1, 2)}, "stride has 2 values, the input has 1 spatial dimension"),
        ((3, 5, 7), {"kernel": 3, "padding": (1, 1, 1)}, "padding has 3 values, the input has 2"),
    ],
)
def test_misfits(shape, arguments, message):
    with pytest.raises(Misfit, match=message):
        axes(shape, **arguments)


def test_small_helpers():
    assert per_axis(3, 2, "kernel") == (3, 3)
    assert per_axis((3, 4), 2, "kernel") == (3, 4)
    assert pads(((1, 2), 3), 0, 2) == (1, 2)
    assert pads(((1, 2), 3), 1, 2) == (3, 3)
    assert pads("valid", 0, 2) == (0, 0)
    assert elements((96, 55, 55)) == 290_400
    assert show((96, 55, 55)) == "96×55×55"


def slid(axis):
    """The pixels each window reads, found by moving a window until it leaves the padded axis."""
    windows = []
    start = 0
    reads = [tap * axis.dilation for tap in range(axis.kernel)]
    line = [None] * axis.before + list(range(axis.size)) + [None] * axis.after
    while start + reads[-1] < len(line):
        windows.append([line[start + read] for read in reads])
        start += axis.stride
    overhang = start + reads[-1] + 1 - len(line)
    if axis.rounding == "ceil" and overhang < axis.stride and start < axis.before + axis.size:
        windows.append([line[start + read] if start + read < len(line) else None for read in reads])
    return windows


generated = st.builds(
    Axis,
    size=st.integers(1, 20),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 6),
    dilation=st.integers(1, 3),
    before=st.integers(0, 4),
    after=st.integers(0, 4),
    rounding=st.sampled_from(["floor", "ceil"]),
)


@settings(max_examples=400)
@given(generated)
def test_sliding_a_window_agrees(axis):
    windows = slid(axis)
    if not windows:
        with pytest.raises(Misfit):
            assert axis.output
        return
    assert axis.output == len(windows)
    read = {pixel for window in windows for pixel in window} - {None}
    # Trailing pixels lie after the end of the last window; those it skips by dilation lie between.
    last = windows[-1]
    end = (len(windows) - 1) * axis.stride + axis.dilation * (axis.kernel - 1) - axis.before
    trailing = [pixel for pixel in range(axis.size) if pixel > end]
    between = [pixel for pixel in range(axis.size) if pixel <= end and pixel not in read]
    assert len(last) == axis.kernel
    assert axis.uncovered() == (len(between), len(trailing))


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 5), st.integers(1, 3))
def test_same_is_the_size_over_the_stride_rounded_up(size, kernel, stride, dilation):
    (axis,) = axes((1, size), kernel, stride, dilation, "same")
    assert axis.output == -(-size // stride)
    assert axis.after - axis.before in (0, 1)
    assert axis.output == len(slid(axis))


def test_the_lectures_alexnet_from_end_to_end():
    """227 → 55 → 27 → 23 → 11 → 9 → 7 → 5 → 2, then 2·2·256 = 1,024 features."""
    size, found = 227, []
    for kernel, stride in ((11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)):
        size = Axis(size, kernel, stride).output
        found.append(size)
    assert found == [55, 27, 23, 11, 9, 7, 5, 2]
    assert prod((size, size, 256)) == 1024
