"""Operators on matrices, signals, letters and named filters: the lecture's worked examples, and by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.errors import ConvcalcError, UsageError
from convcalc.layer.apply import MODES, apply, filter_matrix, per_channel
from convcalc.layer.filters import FILTERS
from convcalc.layer.matrices import Matrix, parse
from convcalc.layer.steps import iter_placements
from convcalc.layer.symbols import written
from convcalc.ops._base import Tensor

POOL = "1 4 2 1; 5 8 3 4; 7 6 4 5; 1 3 1 2"
SIGNAL = "1.00 1.10 1.20 1.40 1.70 1.80 1.90 2.10 2.20 2.40 2.50 2.70"
WEIGHTS = ".01 .01 .02 .02 .04 .4 .5"


def typed(text: str) -> Matrix:
    return parse(text, "INPUT")


def rows(tensor: Tensor) -> str:
    """A one-channel output as it is typed."""
    width = tensor.shape[-1]
    texts = [written(value, minus="-") for value in tensor.values]
    return "; ".join(" ".join(texts[i : i + width]) for i in range(0, len(texts), width))


@pytest.mark.parametrize(
    ("entry", "result"),
    [
        ("maxpool: {kernel: 2, stride: 2}", "8 4; 7 5"),
        ("maxpool: 2", "8 4; 7 5"),
        ("maxpool: {F: 2, S: 1}", "8 8 4; 8 8 5; 7 6 5"),
        # (1 + 4 + 5 + 8)/4, (2 + 1 + 3 + 4)/4, (7 + 6 + 1 + 3)/4, (4 + 5 + 1 + 2)/4
        ("avgpool: 2", "4.5 2.5; 4.25 3"),
    ],
)
def test_pooling_as_in_the_lecture(entry: str, result: str) -> None:
    assert rows(apply(entry, typed(POOL).tensor).output) == result


def test_the_lecture_s_letters() -> None:
    done = apply("conv", typed("a b c d; e f g h; i j k ℓ").tensor, [typed("w x; y z")])
    assert done.output.shape == (1, 2, 3)
    assert [written(value) for value in done.output.values] == [
        "aw + bx + ey + fz", "bw + cx + fy + gz", "cw + dx + gy + hz",
        "ew + fx + iy + jz", "fw + gx + jy + kz", "gw + hx + ky + ℓz",
    ]  # fmt: skip


def test_the_lecture_s_signal() -> None:
    """s_6 … s_11, exactly (the lecture's last three are misprints)."""
    done = apply("conv", typed(SIGNAL).tensor, [typed(WEIGHTS)])
    assert rows(done.output) == "1.811 1.967 2.112 2.269 2.413 2.569"


def test_the_same_signal_as_a_true_convolution() -> None:
    """s_t = Σ x_{t−a}·w_{−a}: the weights in the order of a, and the first result is s_6."""
    reverse = " ".join(WEIGHTS.split()[::-1])
    done = apply("conv", typed(SIGNAL).tensor, [typed(reverse)], mode="convolution")
    assert rows(done.output) == "1.811 1.967 2.112 2.269 2.413 2.569"
    assert done.first_pixel() == (6,)


@pytest.mark.parametrize(
    ("name", "middle"),
    # the pixel 5 amid 1 2 3 / 4 5 6 / 7 8 10, by hand: the sum is 46
    [
        ("identity", "5"), ("blur", "46/9"), ("gaussian", "81/16"), ("sharpen", "5"), ("edges", "1"),
        ("sobel-x", "9"), ("sobel-y", "25"), ("emboss", "31"),
    ],
)  # fmt: skip
def test_named_filters_by_hand(name: str, middle: str) -> None:
    done = apply("conv", typed("1 2 3; 4 5 6; 7 8 10").tensor, [filter_matrix(name)], names=(name,))
    assert done.output.values == [Fraction(middle)]


def test_the_lecture_s_filters() -> None:
    assert FILTERS["blur"].values == ((Fraction(1, 9),) * 3,) * 3
    assert FILTERS["sharpen"].rows == ((0, -1, 0), (-1, 5, -1), (0, -1, 0))
    assert FILTERS["edges"].rows == ((1, 1, 1), (1, -8, 1), (1, 1, 1))


@pytest.mark.parametrize("name", FILTERS)
def test_filters_keep_brightness_or_erase_it(name: str) -> None:
    """On a plain picture every filter gives the same plain picture, or, one for edges, nothing."""
    flat = Tensor((3, 4, 5), [7] * 60)
    done = apply("conv", flat, [filter_matrix(name)], names=(name,))
    assert set(done.output.values) <= ({0} if name in ("edges", "sobel-x", "sobel-y") else {7})


def test_several_filters_give_several_maps() -> None:
    kernels = [typed("1 0; 0 0"), typed("0 0; 0 1")]
    done = apply("conv", typed("1 2; 3 4").tensor, kernels, bias=[10, Fraction(1, 2)])
    assert done.output == Tensor((2, 1, 1), [11, Fraction(9, 2)])


def test_a_filter_spans_the_depth() -> None:
    """Two planes on two channels: 1·1 + 2·10 = 21; one plane serves both: 1·1 + 2·1 = 3."""
    source = typed("1|2").tensor
    assert apply("conv", source, [typed("1|10")]).output.values == [21]
    assert apply("conv", source, [typed("1")]).output.values == [3]


def test_per_channel_keeps_the_channels_of_each_filter_together() -> None:
    source = typed("1 2|3 4|5 6").tensor
    kernels = [typed("1"), typed("10")] * 3
    done = apply("conv: {groups: 3}", source, kernels)
    assert [one.values for one in per_channel(done, 2)] == [[1, 2, 3, 4, 5, 6], [10, 20, 30, 40, 50, 60]]


def test_the_modes_on_one_kernel() -> None:
    """By hand, on 1 0 2 / 0 3 0 / 4 0 5 with 1 2 / 3 4; the turned kernel is 4 3 / 2 1.

    Of an even kernel, centred reads a from −1 to 0: S[0,0] = I[1,1]·K[0,0] + I[1,0]·K[0,1] + I[0,1]·K[1,0] +
    I[0,0]·K[1,1] = 3·1 + 0·2 + 0·3 + 1·4 = 7.
    """
    source, kernel = typed("1 0 2; 0 3 0; 4 0 5").tensor, typed("1 2; 3 4")
    results = {mode: apply("conv", source, [kernel], mode=mode) for mode in MODES}
    assert rows(results["correlation"].output) == "13 13; 18 23"
    assert rows(results["convolution"].output) == "7 12; 17 17"
    assert rows(results["centred"].output) == "7 12; 17 17"
    firsts = {mode: done.first_pixel() for mode, done in results.items()}
    assert firsts == {"correlation": (0, 0), "convolution": (1, 1), "centred": (0, 0)}


@pytest.mark.parametrize(
    ("mode", "result", "first"),
    [
        ("correlation", "9 8 7; 6 5 4; 3 2 1", (0, 0)),
        ("convolution", "1 2 3; 4 5 6; 7 8 9", (2, 2)),
        ("centred", "1 2 3; 4 5 6; 7 8 9", (1, 1)),
    ],
)
def test_a_single_one_gives_the_kernel_back(mode: str, result: str, first: tuple[int, int]) -> None:
    """The lecture's centred formula has I[i − a] beside K[m/2 + a]: an impulse at (2, 2) gives the kernel around it."""
    impulse = typed("0 0 0 0 0; 0 0 0 0 0; 0 0 1 0 0; 0 0 0 0 0; 0 0 0 0 0").tensor
    done = apply("conv", impulse, [typed("1 2 3; 4 5 6; 7 8 9")], mode=mode)
    assert (rows(done.output), done.first_pixel()) == (result, first)


def test_letters_of_the_centred_formula() -> None:
    """S[1,1] of a 3×3 image: the kernel's last letter lies on the image's first."""
    done = apply("conv", typed("a b c; d e f; g h i").tensor, [typed("q r s; t u v; w x y")], mode="centred")
    (total,) = done.output.values
    assert written(total) == "ay + bx + cw + dv + eu + ft + gs + hr + iq"
    assert done.first_pixel() == (1, 1)


def test_steps_of_the_centred_formula() -> None:
    """On 1 2 3 4 with 10 20 30: S[1] = I[2]·10 + I[1]·20 + I[0]·30 = 30 + 40 + 30, in the window's order."""
    done = apply("conv", typed("1 2 3 4").tensor, [typed("10 20 30")], mode="centred")
    assert [(step.working, step.value) for step in iter_placements(done)] == [
        ("1·30 + 2·20 + 3·10", 100),
        ("2·30 + 3·20 + 4·10", 160),
    ]
    assert done.first_pixel() == (1,)


integers = st.integers(-9, 9)


@st.composite
def maps(draw: st.DrawFn) -> tuple[Matrix, Matrix, int, int]:
    """An input, a kernel that fits it, a stride and a dilation."""
    height, width = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 2))
    tall = dilation * (height - 1) + 1 + draw(st.integers(0, 4))
    wide = dilation * (width - 1) + 1 + draw(st.integers(0, 4))

    def plane(rows: int, columns: int) -> Matrix:
        return Matrix((tuple(tuple(draw(integers) for _ in range(columns)) for _ in range(rows)),))

    return plane(tall, wide), plane(height, width), draw(st.integers(1, 3)), dilation


@given(case=maps(), mode=st.sampled_from(MODES))
def test_every_mode_is_its_formula(case: tuple[Matrix, Matrix, int, int], mode: str) -> None:
    """Each result, at the pixel it stands for, is the sum that the lecture writes, term by term."""
    source, kernel, stride, dilation = case
    done = apply(f"conv: {{stride: {stride}, dilation: {dilation}}}", source.tensor, [kernel], mode=mode)
    first = done.first_pixel()
    assert first is not None
    image, weights = source.planes[0], kernel.planes[0]
    # where the formula's indices a and b begin, what K's index adds to them, and the sign they have in I
    start, shift, sign = {
        "correlation": ((0, 0), (0, 0), 1),
        "convolution": ((0, 0), (0, 0), -1),
        "centred": (
            (-(kernel.height // 2), -(kernel.width // 2)),
            (kernel.height // 2, kernel.width // 2),
            -1,
        ),
    }[mode]
    _, rows_out, columns_out = done.output.shape
    for row in range(rows_out):
        for column in range(columns_out):
            i, j = first[0] + row * stride, first[1] + column * stride
            expected = sum(
                image[i + sign * dilation * a][j + sign * dilation * b] * weights[shift[0] + a][shift[1] + b]
                for a in range(start[0], start[0] + kernel.height)
                for b in range(start[1], start[1] + kernel.width)
            )
            assert done.output.values[row * columns_out + column] == expected


@given(case=maps(), padding=st.integers(0, 2))
def test_steps_add_up_to_the_output(case: tuple[Matrix, Matrix, int, int], padding: int) -> None:
    """Every step covers as many cells as the kernel has, and its working, evaluated, is its value."""
    source, kernel, stride, dilation = case
    entry = f"conv: {{stride: {stride}, dilation: {dilation}, padding: {padding}}}"
    done = apply(entry, source.tensor, [kernel])
    steps = list(iter_placements(done))
    assert [step.value for step in steps] == done.output.values
    for step in steps:
        assert len(set(step.covered)) == kernel.height * kernel.width
        assert eval(step.working.replace("·", "*").replace("−", "-")) == step.value
        image = source.planes[0]
        total = sum(
            image[i][j] * weight
            for (i, j), weight in zip(step.covered, kernel.values, strict=True)
            if 0 <= i < source.height and 0 <= j < source.width
        )
        assert total == step.value


@pytest.mark.parametrize(
    ("entry", "first"),
    [
        ("maxpool: {kernel: 2, padding: 1}", "max(1)"),
        ("avgpool: {kernel: 2, padding: 1}", "mean(0, 0, 0, 1)"),
        ("avgpool: {kernel: 2, padding: 1, count_padding: false}", "mean(1)"),
    ],
)
def test_what_pools_count_of_the_padding(entry: str, first: str) -> None:
    assert next(iter_placements(apply(entry, typed(POOL).tensor))).working == first


def test_a_deconvolution_and_a_dense_layer() -> None:
    """Stride 2: every pixel lays its kernel down beside the others. Dense: (1·1 + 2·2, 1·3 + 2·4)."""
    done = apply("deconv: {stride: 2}", typed("1 2").tensor, [typed("1 10")])
    assert done.output.values == [1, 10, 2, 20]
    vector = Tensor((2,), [1, 2])
    assert apply("dense", vector, [typed("1 2; 3 4")]).output.values == [5, 11]
    assert apply("dense", vector, [typed("1 2"), typed("3 4")]).output.values == [5, 11]
    with pytest.raises(UsageError, match="dense needs 1×2 weights: a row per unit, a column per feature"):
        apply("dense", vector, [typed("1 2 3")])


def test_batchnorm_keeps_what_it_starts_with() -> None:
    """Weight 1, bias 0, mean 0, variance 1: x/√(1 + 1e-5)."""
    (value,) = apply("batchnorm", typed("4").tensor).output.values
    assert value == pytest.approx(4 / (1 + 1e-5) ** 0.5)


@pytest.mark.parametrize(
    ("entry", "source", "filters", "options", "said"),
    [
        ("blurr", "1 2; 3 4", [], {}, "did you mean 'blur'"),
        ("maxpool: 3", "1 2; 3 4", [], {}, "does not fit"),
        ("conv", "1 2; 3 4", ["1 1 1; 1 1 1; 1 1 1"], {}, "a window of 3 does not fit an axis of 2"),
        ("conv: {kernel: 1}", "1 2; 3 4", ["1 1; 1 1"], {}, "the weights given are 2×2"),
        ("conv: {filters: 2}", "1 2; 3 4", ["1 1; 1 1"], {}, "2 filters need 2 kernels, 1 was given"),
        ("conv: {filters: 1, kernel: 1}", "1 2; 3 4", [], {}, "conv needs its weights"),
        ("conv", "1 2; 3 4", ["1", "1 1"], {}, "differ in size"),
        ("conv", "1 2; 3 4", ["1|1"], {}, "filter 1 has 2 planes"),
        ("conv", "1 2; 3 4", ["1"], {"bias": [1, 2]}, "--bias needs 1 values, not 2"),
        ("relu", "1 2; 3 4", ["1"], {}, "relu takes no --weights"),
        ("relu", "1 2; 3 4", [], {"mode": "convolution"}, "--mode is for convolutions"),
        ("relu", "a b; c d", [], {}, "cannot work on letters"),
        ("maxpool: 2", "a b; c d", [], {}, "cannot work on letters"),
        ("dense: 2", "1 2; 3 4", [], {}, "put flatten before it"),
        ("{}", "1", [], {}, "an empty entry"),
        ("", "1", [], {}, "no operator"),
        ("group: {layers: [relu, relu]}", "1", [], {}, "no operator or filter 'group'"),
        ("conv: {kernal: 3}", "1", ["1"], {}, "did you mean 'kernel'"),
        ("upsample: 100000", "1 2; 3 4", [], {}, "more than apply does"),
        ("pad: 2000000000", "1 2; 3 4", [], {}, "the output"),
        ("maxpool: {kernel: 9999999, padding: 4999999}", "1 2; 3 4", [], {}, "more than apply does"),
        ("conv: {padding: 100000000, stride: 200000000}", "1 2; 3 4", ["1"], {}, "too large"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied(
    entry: str, source: str, filters: list[str], options: dict[str, object], said: str
) -> None:
    with pytest.raises(ConvcalcError) as caught:
        apply(entry, typed(source).tensor, [typed(one) for one in filters], **options)  # type: ignore[arg-type]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2; 3", "row 2 has 1 value, row 1 has 2 values"),
        ("1 2; 3 4?", "'4?' in row 2, column 2 is neither a number nor a letter"),
        ("", "no values"),
        (" ; ", "no values"),
        ("1 2|3", "channel 2 is 1×1, channel 1 is 1×2"),
        ("1 2|", "channel 2: no values"),
        ("1 1/0", "'1/0' in row 1, column 2"),
        ("9" * 60, "is neither a number"),
    ],
)
def test_what_is_no_matrix(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        typed(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("1 2 3", (1, 3)),
        ("1 2 3;", (1, 1, 3)),
        ("1,2;3,4", (1, 2, 2)),
        ("1\t2\n3\t4", (1, 2, 2)),
        ("1 2|3 4", (2, 2)),
        ("1 2; 3 4|5 6; 7 8", (2, 2, 2)),
        ("a", (1, 1)),
    ],
)
def test_what_is_one(text: str, shape: tuple[int, ...]) -> None:
    assert typed(text).tensor.shape == shape


def test_exact_work_of_minutes_is_refused_at_once() -> None:
    """(200 − 60 + 1)² outputs of 60² products: 71,571,600 multiplications of fractions."""
    source = Tensor((1, 200, 200), [1] * 40_000)
    kernel = parse(";".join(" ".join("1" * 60) for _ in range(60)), "--weights")
    with pytest.raises(UsageError, match="71,571,600 multiplications are more than apply does"):
        apply("conv", source, [kernel])
