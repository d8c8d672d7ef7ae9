"""Transposed convolution. "ONNX ConvTranspose" are the examples of the ONNX operator's documentation."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.errors import Misfit
from convcalc.ops._base import Tensor

NINE = [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]
ONES = [[[[1] * 3] * 3] * 2]


def test_onnx_plain(run):
    expected = [
        [0, 1, 3, 3, 2],
        [3, 8, 15, 12, 7],
        [9, 21, 36, 27, 15],
        [9, 20, 33, 24, 13],
        [6, 13, 21, 15, 8],
    ]
    result = run("deconv", NINE, weights={"weight": ONES}, filters=2, kernel=3, bias=False)
    assert result == [expected, expected]


def test_onnx_one_dimension(run):
    weights = {"weight": [[[1] * 3] * 2]}
    assert (
        run("deconv", [[0, 1, 2]], weights=weights, filters=2, kernel=3, bias=False) == [[0, 1, 3, 3, 2]] * 2
    )


def test_onnx_same(run):
    result = run(
        "deconv", NINE, weights={"weight": ONES}, filters=2, kernel=3, stride=2, padding="same", bias=False
    )
    assert result[0] == [
        [0, 0, 1, 1, 3, 2],
        [0, 0, 1, 1, 3, 2],
        [3, 3, 8, 5, 12, 7],
        [3, 3, 7, 4, 9, 5],
        [9, 9, 20, 11, 24, 13],
        [6, 6, 13, 7, 15, 8],
    ]


def test_onnx_dilation(run):
    image = [[[3, 8, 1], [9, 5, 7], [3, 2, 6]]]
    weights = {"weight": [[[[7, 2], [1, 9]]]]}
    assert run("deconv", image, weights=weights, filters=1, kernel=2, dilation=2, bias=False) == [
        [
            [21, 56, 13, 16, 2],
            [63, 35, 67, 10, 14],
            [24, 22, 76, 76, 21],
            [9, 5, 88, 45, 63],
            [3, 2, 33, 18, 54],
        ]
    ]


def test_everything_different(run):
    """1×2 pixels, kernel 2×3, stride 3 and 2, cut (1, 0) and (0, 2), one row added; bias; by hand.

    Uncut, 1·kernel lies at columns 0–2 and 10·kernel at columns 2–4; rows 0–1, and a row of zeros is added.
    """
    weights = {"weight": [[[[1, 2, 3], [4, 5, 6]]]], "bias": [100]}
    fields = {"stride": [3, 2], "padding": [[1, 0], [0, 2]], "output_padding": [1, 0]}
    result = run("deconv", [[[1, 10]]], weights=weights, filters=1, kernel=[2, 3], **fields)
    assert result == [[[104, 105, 100 + 6 + 40], [100, 100, 100]]]


def test_groups(run):
    """4 channels, 2 groups, 1 filter each: channels 1, 2 → filter 1, channels 3, 4 → filter 2."""
    weights = {"weight": [[[1, 2]], [[10, 20]], [[3, 0]], [[0, 5]]]}
    result = run("deconv", [[1], [2], [3], [4]], weights=weights, filters=2, kernel=2, groups=2, bias=False)
    assert result == [[1 + 20, 2 + 40], [9, 20]]


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(5, 3, 2), (5, 4, 2), (5, 2, 2), (5, 2, 3), (4, 5, 1), (4, 4, 1)]
)
def test_same_multiplies_by_the_stride(bound, size, kernel, stride):
    operator = bound("deconv", (1, size), filters=1, kernel=kernel, stride=stride, padding="same")
    assert operator.output_shape(((1, size),)) == (1, size * stride)


@st.composite
def adjoint_cases(draw):
    rank = draw(st.integers(1, 2))

    def per_axis(low, high):
        return [draw(st.integers(low, high)) for _ in range(rank)]

    kernel, stride, dilation = per_axis(1, 3), per_axis(1, 3), per_axis(1, 2)
    pairs = [list(pair) for pair in zip(per_axis(0, 2), per_axis(0, 2), strict=True)]
    padding = draw(st.sampled_from([pairs, "same"]))
    groups = draw(st.integers(1, 2))
    channels, filters = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    spatial = [d * (k - 1) + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True)]
    return (channels, *spatial), filters, kernel, stride, dilation, padding, groups


@given(adjoint_cases(), st.randoms(use_true_random=False))
def test_is_the_transpose_of_convolution(bound, case, random):
    """⟨conv(x), y⟩ = ⟨x, deconv(y)⟩ with the same weights and padding: what "transposed" means. Where the
    stride left a remainder, output_padding picks the input's size."""
    shape, filters, kernel, stride, dilation, padding, groups = case
    same = {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    conv = bound("conv", shape, filters=filters, bias=False, **same)

    def integers(count):
        return [random.randint(-9, 9) for _ in range(count)]

    (weight,) = conv.parameters((shape,))
    weights = {"weight": integers(prod(weight.shape))}
    x = Tensor(shape, integers(prod(shape)))
    forth = conv.forward([x], weights)
    if padding == "same":
        if any(size % step for size, step in zip(shape[1:], stride, strict=True)):
            return
    else:
        sums = [sum(pair) for pair in padding]
        sizes = zip(shape[1:], sums, dilation, kernel, stride, strict=True)
        same["output_padding"] = [(n + p - d * (k - 1) - 1) % s for n, p, d, k, s in sizes]
    deconv = bound("deconv", forth.shape, filters=shape[0], bias=False, **same)
    assert deconv.parameters((forth.shape,))[0].shape == weight.shape
    y = Tensor(forth.shape, integers(prod(forth.shape)))
    back = deconv.forward([y], weights)
    assert back.shape == shape
    assert sum(a * b for a, b in zip(forth.values, y.values, strict=True)) == sum(
        a * b for a, b in zip(x.values, back.values, strict=True)
    )


def test_macs_go_by_the_input_and_groups_divide_once(bound):
    """A U-Net step: 2·2·1024·512 weights, applied at each of 16·16 input pixels, not of 32·32."""
    operator = bound("deconv", (1024, 16, 16), filters=512, kernel=2, stride=2)
    assert operator.output_shape(((1024, 16, 16),)) == (512, 32, 32)
    assert operator.macs(((1024, 16, 16),)) == 2_097_152 * 256
    depthwise = bound("deconv", (8, 5, 7), filters=8, kernel=4, stride=2, padding=1, groups=8)
    assert depthwise.macs(((8, 5, 7),)) == 4 * 4 * 1 * 8 * (5 * 7)
    assert depthwise.parameters(((8, 5, 7),))[0].shape == (8, 1, 4, 4)


def test_weight_layout_is_input_channels_first(bound):
    weight, bias = bound("deconv", (6, 5, 7), filters=4, kernel=[2, 3], groups=2).parameters(((6, 5, 7),))
    assert (weight.shape, bias.shape) == ((6, 2, 2, 3), (4,))


def test_working(lines):
    assert lines("deconv", (1024, 16, 16), filters=512, kernel=2, stride=2) == {
        "output size": "(16 − 1)·2 + 2 − 2·0 = 32",
        "weights": "(2·2·1024)·512 = 2,097,152",
        "biases": "512",
        "MACs": "2,097,152 · 16×16 input positions = 536,870,912",
    }
    uneven = lines("deconv", (2, 5, 7), filters=4, kernel=3, stride=2, groups=2, dilation=[1, 2],
                   padding=[[0, 1], [1, 1]], output_padding=1)  # fmt: skip
    assert uneven["output height"] == "(5 − 1)·2 + 3 − (0 + 1) + 1 = 11"
    assert uneven["output width"] == "(7 − 1)·2 + (2·(3 − 1) + 1) − 2·1 + 1 = 16"
    assert uneven["depth of a filter"] == "2/2 = 1"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"groups": 2}, "2 groups do not divide 3 input channels"),
        ({"groups": 3}, "3 groups do not divide 4 filters"),
        ({"output_padding": 1}, "output_padding 1 is not below the stride 1"),
        ({"padding": "same", "output_padding": 1}, "leaves output_padding nothing to say"),
        ({"padding": 4}, "padding 4 \\+ 4 cuts off all 7 output pixels"),
        ({"padding": [1, 2, 3]}, "padding has 3 values"),
    ],
)
def test_misfits(bound, fields, message):
    with pytest.raises(Misfit, match=message) as caught:
        bound("deconv", (3, 5, 6), filters=4, kernel=3, **fields).output_shape(((3, 5, 6),))
    assert caught.value.hint
