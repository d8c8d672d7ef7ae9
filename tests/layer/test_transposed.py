"""Transposed convolutions by themselves: sizes against PyTorch's formula and by brute force, solutions against every
candidate, matrices against the operator's own forward pass."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.errors import UsageError
from convcalc.layer.size import size
from convcalc.layer.spread import complete, solve
from convcalc.layer.unroll_transposed import unroll_transposed
from convcalc.layer.windows import KnownSpread
from convcalc.ops import Tensor


@pytest.mark.parametrize(
    ("sizes", "fields", "output"),
    [  # shapes that torch.nn.ConvTranspose2d 2.14 gives
        ("14x9", {"kernel": (3, 5), "stride": (2, 3), "padding": (1, 2)}, (27, 25)),
        ("14x9", {"kernel": (3, 5), "stride": (2, 3), "padding": (1, 2), "output_padding": (1, 2)}, (28, 27)),
        ("7x6", {"kernel": (2, 3), "dilation": (3, 2), "stride": 1, "output_padding": (2, 1)}, (12, 11)),
        ("5x4", {"kernel": 4, "stride": 2, "padding": 1}, (10, 8)),
    ],
)
def test_sizes_are_pytorchs(sizes: str, fields: dict[str, Any], output: tuple[int, ...]) -> None:
    assert size(sizes, transposed=True, **fields).output_shape == output


def test_the_working_ends_in_the_convolution_that_goes_back() -> None:
    steps = size(14, kernel=3, stride=2, padding=1, output_padding=1, transposed=True).axes[0].steps()
    assert [(step.what, step.text) for step in steps] == [
        ("stride", "(14 − 1)·2 + 1 = 27"),
        ("kernel", "26 + 3 = 29"),
        ("size", "26 + 3 − 2·1 + 1 = 28"),
        ("back", "⌊(28 − 3 + 2·1)/2⌋ + 1 = 14"),
    ]


LIMIT = 7


@pytest.mark.parametrize("output", range(1, 24))
def test_solutions_are_all_there_are(output: int) -> None:
    """Every window of small numbers, output paddings by the one that PyTorch allows: below max(stride, dilation)."""
    for kernel, stride, dilation, pad in product((1, 2, 3, 5), (1, 2, 3), (1, 2), (0, 1, 2)):
        known = KnownSpread(kernel=kernel, stride=stride, dilation=dilation, padding=(pad, pad))
        wanted = {
            (candidate, extra)
            for candidate in range(1, 40)
            for extra in range(max(stride, dilation))
            if (candidate - 1) * stride + dilation * (kernel - 1) + 1 - 2 * pad + extra == output
        }
        assert {(s.value, s.axis.extra) for s in solve("input", output, known)} == wanted
        for given_size in range(1, LIMIT):
            known = known._replace(input=given_size, padding=None)
            pads = {
                (before, after, extra)
                for before in range(40)
                for after in (before, before + 1)
                for extra in range(max(stride, dilation))
                if (given_size - 1) * stride + dilation * (kernel - 1) + 1 - before - after + extra == output
            }
            found = solve("padding", output, known)
            assert {(s.axis.before, s.axis.after, s.axis.extra) for s in found} == pads


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 7), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3),
    st.sampled_from(("kernel", "stride", "dilation", "output_padding")),
)  # fmt: skip
def test_what_was_hidden_is_found(
    size: int, kernel: int, stride: int, dilation: int, pad: int, extra: int, unknown: str
) -> None:
    whole = KnownSpread(size, kernel, (pad, pad), stride, dilation, min(extra, max(stride, dilation) - 1))
    output = (size - 1) * stride + dilation * (kernel - 1) + 1 - 2 * pad + (whole.output_padding or 0)
    if output < 1:
        return
    found = solve(unknown, output, whole._replace(**{unknown: None}))
    given_nothing = (unknown == "stride" and size == 1) or (unknown == "dilation" and kernel == 1)
    if given_nothing:
        assert not found
    else:
        assert getattr(whole, unknown) in {solution.value for solution in found}
    assert all(complete(whole._replace(**{unknown: s.value})).output == output for s in found)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4)), st.integers(1, 3), st.integers(1, 3),
    st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(st.integers(1, 3), st.integers(1, 2)),
    st.integers(1, 2), st.integers(0, 1),
)  # fmt: skip
def test_the_matrix_times_the_input_is_the_output(
    sizes: tuple[int, int], channels: int, filters: int, kernel: tuple[int, int], stride: tuple[int, int],
    dilation: int, pad: int,
) -> None:  # fmt: skip
    try:
        layer = unroll_transposed(
            sizes, kernel=kernel, stride=stride, dilation=dilation, padding=((pad, 0), (0, pad)),
            channels=channels, filters=filters,
        )  # fmt: skip
    except UsageError:  # everything is cropped
        return
    counts = layer.counts
    weights = [3 + 2 * place for place in range(counts.weights)]
    values = [1 + place * place for place in range(counts.inputs)]
    rows = [[0] * counts.inputs for _ in range(counts.outputs)]
    for index, row in enumerate(layer.entries()):
        for column, weight in row:
            rows[index][column] += weights[weight - 1]
    product_ = [sum(a * b for a, b in zip(row, values, strict=True)) for row in rows]
    computed = layer.op.forward([Tensor(layer.input_shape, values)], {"weight": weights})
    assert computed.shape == layer.output_shape
    assert product_ == list(computed.values)
    assert sum(map(bool, layer.matrix())) == counts.active


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["14", "-F", "3", "--output-padding", "1"], "--output-padding needs --transposed"),
        (
            ["14", "-F", "3", "-S", "2", "--transposed", "--output-padding", "2"],
            "output_padding 2 is not below",
        ),
        (["14", "-F", "3", "-S", "2", "--transposed", "--output-padding", "-1"], "--output-padding"),
        (["14", "-F", "3", "--rounding", "ceil", "--transposed"], "rounds nothing"),
        (["14", "-F", "3", "--output", "14", "--solve", "output_padding"], "--solve"),
        (["2", "-F", "3", "-P", "3", "--transposed"], "cuts off all"),
        (
            ["14", "-F", "3", "-P", "same", "--output", "99", "--transposed", "--solve", "kernel"],
            "padding same",
        ),
    ],
)
def test_wrong_questions_are_refused(convcalc: Any, options: list[str], message: str) -> None:
    done = convcalc("size", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_no_solution_names_what_would_do(convcalc: Any) -> None:
    done = convcalc("size", "14", "-F", "3", "-S", "2", "--output", "500", "--transposed")
    assert done.returncode == 1
    assert "no padding gives 500" in done.stdout
    assert "input 249 would" in done.stdout
    assert "kernel 474 would" in done.stdout


def test_python_has_both() -> None:
    assert convcalc.size(14, kernel=4, stride=2, padding=1, transposed=True).to_dict()["transposed"] is True
    found = convcalc.size(kernel=4, stride=2, padding=1, output=28, transposed=True)
    assert [solution.value for solution in found.answers[0].solutions] == [14]
    # a kernel 1 2 set two apart: 1·x, 2·x, 1·y, 2·y
    assert convcalc.matrix("1x2", weights="1 2", stride=2, transposed=True).matrix().tolist() == [
        1,
        0,
        2,
        0,
        0,
        1,
        0,
        2,
    ]
