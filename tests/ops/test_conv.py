"""Convolution. Examples with a source are the lecture's, or those of the ONNX operator tests ("ONNX Conv")."""

from fractions import Fraction
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.errors import Misfit
from convcalc.ops import Tensor
from convcalc.ops.conv import BLOCK, Conv


class Symbol:
    """A sum of products of letters: `Symbol("a") * Symbol("w")`."""

    def __init__(self, *terms):
        self.terms = sorted(terms)

    def __mul__(self, other):
        return Symbol(*(one + two for one in self.terms for two in other.terms))

    def __add__(self, other):
        return self if other == 0 else Symbol(*self.terms, *other.terms)

    __radd__ = __add__

    def __str__(self):
        return "+".join(self.terms)


def test_toy_example_in_letters(run):
    image = [[[Symbol(letter) for letter in row] for row in ("abcd", "efgh", "ijkl")]]
    kernel = [[[[Symbol(letter) for letter in row] for row in ("wx", "yz")]]]
    (result,) = run("conv", image, weights={"weight": kernel}, filters=1, kernel=2, bias=False)
    assert [[str(value) for value in row] for row in result] == [
        ["aw+bx+ey+fz", "bw+cx+fy+gz", "cw+dx+gy+hz"],
        ["ew+fx+iy+jz", "fw+gx+jy+kz", "gw+hx+ky+lz"],
    ]


def test_one_dimension_smooths_the_lecture_signal(run):
    signal = [Fraction(n, 100) for n in (100, 110, 120, 140, 170, 180, 190, 210, 220, 240, 250, 270)]
    weight = [Fraction(n, 100) for n in (1, 1, 2, 2, 4, 40, 50)]
    (result,) = run("conv", [signal], weights={"weight": [[weight]]}, filters=1, kernel=7, bias=False)
    assert result == [Fraction(n, 1000) for n in (1811, 1967, 2112, 2269, 2413, 2569)]


FILTERS = {
    "blur": [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "edges": [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Image 1 2 4 0 / 3 5 1 2 / 2 0 6 7, by hand.
        ("blur", [[1 + 2 + 4 + 3 + 5 + 1 + 2 + 0 + 6, 2 + 4 + 0 + 5 + 1 + 2 + 0 + 6 + 7]]),
        ("sharpen", [[5 * 5 - 2 - 3 - 1 - 0, 5 * 1 - 4 - 5 - 2 - 6]]),
        ("edges", [[24 - 9 * 5, 27 - 9 * 1]]),
    ],
)
def test_image_filters(run, name, expected):
    image = [[[1, 2, 4, 0], [3, 5, 1, 2], [2, 0, 6, 7]]]
    weights = {"weight": [[FILTERS[name]]]}
    assert run("conv", image, weights=weights, filters=1, kernel=3, bias=False) == [expected]


@pytest.mark.parametrize(("name", "kept"), [("blur", 9), ("sharpen", 1), ("edges", 0)])
def test_filters_on_an_even_area(run, name, kept):
    weights = {"weight": [[FILTERS[name]]]}
    result = run("conv", [[[7] * 5] * 4], weights=weights, filters=1, kernel=3, bias=False)
    assert result == [[[7 * kept] * 3] * 2]


def test_padding_and_stride(run):
    """ONNX Conv, basic_conv_with_padding and conv_with_strides_and_asymmetric_padding."""
    ones = {"weight": [[[[1] * 3] * 3]]}
    square = [[list(range(row, row + 5)) for row in range(0, 25, 5)]]
    assert run("conv", square, weights=ones, filters=1, kernel=3, padding=1, bias=False) == [
        [
            [12, 21, 27, 33, 24],
            [33, 54, 63, 72, 51],
            [63, 99, 108, 117, 81],
            [93, 144, 153, 162, 111],
            [72, 111, 117, 123, 84],
        ]
    ]
    tall = [[list(range(row, row + 5)) for row in range(0, 35, 5)]]
    result = run("conv", tall, weights=ones, filters=1, kernel=3, stride=2, padding=[1, 0], bias=False)
    assert result == [[[21, 33], [99, 117], [189, 207], [171, 183]]]


def test_everything_different(run):
    """2 channels, 2×3 input, kernel 1×2, stride 1 and 2, padding (0, 1) and (1, 0), by hand."""
    image = [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]
    weights = {"weight": [[[[1, 10]], [[100, 1000]]], [[[2, 0]], [[0, 3]]]], "bias": [0.5, -1]}
    result = run(
        "conv", image, weights=weights, filters=2, kernel=[1, 2], stride=[1, 2], padding=[[0, 1], [1, 0]]
    )
    first = [[10 * 1 + 1000 * 7, 2 + 30 + 800 + 9000], [40 + 10000, 5 + 60 + 1100 + 12000], [0, 0]]
    second = [[3 * 7, 2 * 2 + 3 * 9], [3 * 10, 2 * 5 + 3 * 12], [0, 0]]
    assert result == [
        [[value + 0.5 for value in row] for row in first],
        [[value - 1 for value in row] for row in second],
    ]


def test_groups_split_both_sides(run):
    image = [[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]]
    weight = [[[[1]], [[10]]], [[[2]], [[0]]], [[[0]], [[1]]], [[[1]], [[1]]], [[[3]], [[0]]], [[[0]], [[5]]]]
    result = run("conv", image, weights={"weight": weight}, filters=6, kernel=1, groups=2, bias=False)
    assert result == [[[31, 42]], [[2, 4]], [[3, 4]], [[12, 14]], [[15, 18]], [[35, 40]]]


def test_depthwise_takes_filters_from_the_input(bound):
    operator = bound("conv", (6, 5, 7), depthwise=True, kernel=3)
    assert (operator.filters, operator.groups) == (6, 6)
    assert operator.parameters(((6, 5, 7),))[0].shape == (6, 1, 3, 3)
    assert operator.macs(((6, 5, 7),)) == 3 * 3 * 6 * (3 * 5)


def test_dilation_reads_every_other_pixel(run):
    weights = {"weight": [[[1, 10, 100]]]}
    result = run("conv", [[1, 2, 3, 4, 5, 6]], weights=weights, filters=1, kernel=3, dilation=2, bias=False)
    assert result == [[1 + 30 + 500, 2 + 40 + 600]]


def test_three_dimensions(run):
    """A 2×2×2 kernel of ones sums the whole 2×2×3 block in two halves."""
    block = [[[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]]
    weights = {"weight": [[[[[1, 1]] * 2] * 2]]}
    result = run("conv", block, weights=weights, filters=1, kernel=2, bias=False)
    assert result == [[[[1 + 2 + 4 + 5 + 7 + 8 + 10 + 11, 2 + 3 + 5 + 6 + 8 + 9 + 11 + 12]]]]


def test_even_kernel_under_same_pads_after(run):
    """The output is as long as the input, and the odd zero comes last."""
    weights = {"weight": [[[1, 10]]]}
    result = run("conv", [[1, 2, 3]], weights=weights, filters=1, kernel=2, padding="same", bias=False)
    assert result == [[1 + 20, 2 + 30, 3]]


def matrix(run, shape, filters, weight, **fields):
    """The dense matrix (outputs, inputs) of a convolution: its answers to images with a single 1."""
    columns = []
    for hot in range(prod(shape)):
        pixels = [int(place == hot) for place in range(prod(shape))]
        image = [pixels[i : i + shape[1]] for i in range(0, len(pixels), shape[1])]
        result = run("conv", [image], weights={"weight": weight}, filters=filters, bias=False, **fields)
        columns.append([value for plane in result for row in plane for value in row])
    return [list(row) for row in zip(*columns, strict=True)]


def test_a_convolution_is_a_sparse_dense_layer_with_tied_weights(run):
    """Lecture: of a 4×4 image, a 2×2 kernel's first unit reads pixels 1, 2, 5, 6 only."""
    rows = matrix(run, (4, 4), 1, [[[[2, 3], [5, 7]]]], kernel=2)
    assert len(rows) == 9
    assert rows[0] == [2, 3, 0, 0, 5, 7, *[0] * 10]
    assert all(sorted(filter(None, row)) == [2, 3, 5, 7] for row in rows)


@settings(max_examples=25)
@given(st.lists(st.integers(-9, 9), min_size=20, max_size=20))
def test_the_dense_layer_with_that_matrix_agrees(run, values):
    weight = [[[[2, -3, 1], [5, 7, 4]]], [[[1, 0, 6], [-2, 8, 3]]]]
    fields = {"kernel": [2, 3], "stride": [1, 2], "padding": [[1, 0], [0, 2]]}
    rows = matrix(run, (4, 5), 2, weight, **fields)
    image = [values[i : i + 5] for i in range(0, 20, 5)]
    convolved = run("conv", [image], weights={"weight": weight}, filters=2, bias=False, **fields)
    dense = run("dense", values, weights={"weight": rows}, units=len(rows), bias=False)
    assert [value for plane in convolved for row in plane for value in row] == dense


@pytest.mark.parametrize(
    ("shape", "fields", "output", "weights", "biases", "macs"),
    [  # Lecture, AlexNet and LeNet-5; MACs by hand.
        ((3, 227, 227), {"filters": 96, "kernel": 11, "stride": 4}, (96, 55, 55), 34_848, 96, 105_415_200),
        ((96, 27, 27), {"filters": 256, "kernel": 5}, (256, 23, 23), 614_400, 256, 325_017_600),
        ((256, 11, 11), {"filters": 384, "kernel": 3}, (384, 9, 9), 884_736, 384, 71_663_616),
        ((1, 32, 32), {"filters": 6, "kernel": 5}, (6, 28, 28), 150, 6, 117_600),
        ((6, 14, 14), {"filters": 16, "kernel": 5}, (16, 10, 10), 2_400, 16, 240_000),
        # Krizhevsky 2012: two groups halve the depth: 5·5·48·256 = 307,200 weights; × 27·27 MACs.
        (
            (96, 27, 27),
            {"filters": 256, "kernel": 5, "padding": 2, "groups": 2},
            (256, 27, 27),
            307_200,
            256,
            223_948_800,
        ),
    ],
)
def test_counts(bound, shape, fields, output, weights, biases, macs):
    operator = bound("conv", shape, **fields)
    assert operator.output_shape((shape,)) == output
    weight, bias = operator.parameters((shape,))
    assert (prod(weight.shape), prod(bias.shape)) == (weights, biases)
    assert operator.macs((shape,)) == macs


def test_biases_are_not_macs(bound):
    with_bias, without = (bound("conv", (3, 5, 7), filters=2, kernel=3, bias=bias) for bias in (True, False))
    assert with_bias.macs(((3, 5, 7),)) == without.macs(((3, 5, 7),)) == 3 * 3 * 3 * 2 * (3 * 5)


def test_working_with_remainder_gaps_and_dilation(lines):
    """Each axis on its own line: height (9 − 2 + 1)/3 in whole steps, width with a window of 2·(3 − 1) + 1."""
    fields = {"kernel": [2, 3], "stride": [3, 1], "dilation": [1, 2], "padding": [[1, 0], [0, 0]]}
    worked = lines("conv", (4, 9, 8), filters=6, groups=2, bias=False, **fields)
    assert worked == {
        "output height": "⌊(9 − 2 + 1 + 0)/3⌋ + 1 = 3, 8/3 leaves remainder 2, the last 2 pixels never covered, "
        "2 pixels between windows never covered",
        "output width": "(8 − (2·(3 − 1) + 1) + 2·0)/1 + 1 = 4",
        "depth of a filter": "4/2 = 2",
        "weights": "(2·3·2)·6 = 72",
        "MACs": "72 · 3×4 = 864",
    }


def test_working(lines):
    assert lines("conv", (3, 227, 227), filters=96, kernel=11, stride=4) == {
        "output size": "(227 − 11 + 2·0)/4 + 1 = 55",
        "weights": "(11·11·3)·96 = 34,848",
        "biases": "96",
        "MACs": "34,848 · 55×55 = 105,415,200",
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel": 3}, "conv needs filters"),
        ({"kernel": 3, "filters": 4, "groups": 2}, "2 groups do not divide 3 input channels"),
        ({"kernel": 3, "filters": 4, "groups": 3}, "3 groups do not divide 4 filters"),
        ({"kernel": 3, "depthwise": True, "groups": 2}, "depthwise means one group per input channel"),
        ({"kernel": 8, "filters": 4}, "a window of 8 does not fit an axis of 5"),
        ({"kernel": [1, 2, 3], "filters": 4}, "kernel has 3 values, the input has 2 spatial dimensions"),
    ],
)
def test_misfits(bound, fields, message):
    with pytest.raises(Misfit, match=message) as caught:
        bound("conv", (3, 5, 7), **fields).output_shape(((3, 5, 7),))
    assert caught.value.hint


def test_a_vector_is_no_map(bound):
    with pytest.raises(Misfit, match="conv needs a map with 1 to 3 spatial dimensions, not 1×2×3×4×5"):
        bound("conv", (1, 2, 3, 4, 5), filters=4, kernel=1)
    with pytest.raises(Misfit, match="conv needs a map with 1 to 3 spatial dimensions, not a vector of 10"):
        bound("conv", (10,), filters=4, kernel=3)


def test_windows_beyond_the_first_block():
    channels, height, width, kernel = 590, 9, 10, (3, 2)  # 3,540 weights a filter: 14 windows a block, of 63
    values = [(place * 7 % 31 - 15) / 4 for place in range(channels * height * width)]
    weight = [(place * 5 % 23 - 11) / 8 for place in range(2 * channels * 6)]
    conv = Conv(filters=2, kernel=kernel, bias=False)
    got = conv.forward([Tensor((channels, height, width), values)], {"weight": weight})
    assert got.shape == (2, 7, 9)
    assert 63 * channels * 6 > 4 * BLOCK
    for f, row, column in [(0, 0, 0), (1, 1, 4), (0, 1, 5), (1, 3, 8), (0, 6, 8)]:
        wanted = sum(
            values[(c * height + row + i) * width + column + j] * weight[((f * channels + c) * 3 + i) * 2 + j]
            for c in range(channels)
            for i in range(3)
            for j in range(2)
        )
        assert got.values[(f * 7 + row) * 9 + column] == wanted  # sums of multiples of 1/32 are exact
