"""Backward passes as they are typed: the lecture's letters, modes, shapes, steps, gradient descent, LeNet-5."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import pytest

import convcalc
from convcalc.errors import UsageError
from convcalc.layer.backward import backward
from convcalc.layer.symbols import written
from convcalc.ops import Tensor
from tests.ops.test_gradients import numbers

DATA = Path(__file__).parent.parent / "data/backward"
MODES = ("correlation", "convolution", "centred")


def texts(found: Any, name: str) -> list[str]:
    return [written(value) for value in found.passes[0].gradients[name].tensor.values]


def test_the_lecture_s_toy_example_in_letters() -> None:
    """Each worked by hand from s11 = aw + bx + ey + fz, s12 = bw + cx + fy + gz, …"""
    found = convcalc.apply("a b c d; e f g h; i j k l", weights="w x; y z", backward=True)
    assert texts(found, "weight") == [
        "a·δ11 + b·δ12 + c·δ13 + e·δ21 + f·δ22 + g·δ23",
        "b·δ11 + c·δ12 + d·δ13 + f·δ21 + g·δ22 + h·δ23",
        "e·δ11 + f·δ12 + g·δ13 + i·δ21 + j·δ22 + k·δ23",
        "f·δ11 + g·δ12 + h·δ13 + j·δ21 + k·δ22 + l·δ23",
    ]
    assert texts(found, "bias") == ["δ11 + δ12 + δ13 + δ21 + δ22 + δ23"]
    assert texts(found, "input")[:6] == [
        "δ11·w", "δ11·x + δ12·w", "δ12·x + δ13·w", "δ13·x",
        "δ11·y + δ21·w", "δ11·z + δ12·y + δ21·x + δ22·w",
    ]  # fmt: skip
    contract = found.to_dict()["gradients"]
    assert contract["input"]["as"] == {
        "operation": "full convolution of δ with the kernel turned by 180°",
        "turned": True, "stride": 1, "padding": [[1, 1], [1, 1]], "dilation": 1, "zeros_between": 0,
    }  # fmt: skip
    assert contract["weight"]["as"]["operation"] == "correlation of the input with δ"
    assert contract["weight"]["shape"] == [1, 1, 2, 2]
    assert contract["bias"]["as"] is None


@pytest.mark.parametrize("mode", MODES)
def test_in_every_mode_the_gradients_are_those_of_the_kernel_as_typed(mode: str) -> None:
    """Against differences of the output, which are exact: it is linear in the input and in the kernel."""
    source = [[1, 4, 2, 0], [5, 8, 3, 1], [7, 6, 4, 2]]
    kernel = [[2, -1, 3], [0, 5, 1]]
    delta = [[1, 0, -2, 3], [4, -1, 2, 1]]
    options: dict[str, Any] = {"mode": mode, "padding": "1+0x0+2", "stride": "2x1"}

    def loss(inputs: Any, weights: Any) -> Any:
        output = convcalc.apply(inputs, weights=weights, **options).to_dict()["output"]["values"][0]
        return sum(
            a * b for row, slopes in zip(output, delta, strict=True) for a, b in zip(row, slopes, strict=True)
        )

    found = convcalc.apply(source, weights=kernel, gradient=delta, backward=True, **options).to_dict()[
        "gradients"
    ]
    before = loss(source, kernel)
    for place, wanted in ((source, found["input"]["values"][0]), (kernel, found["weight"]["values"][0][0])):
        for i, row in enumerate(place):
            for j in range(len(row)):
                row[j] += 1
                assert loss(source, kernel) - before == wanted[i][j]
                row[j] -= 1


def test_lenet5_s_first_layer_is_pytorch_s_to_the_last_digit() -> None:
    """tests/data/backward/lenet5-conv1.json: PyTorch's in float64, to three decimals, where the exact numbers end."""

    def lists(shape: Any, seed: int, below: int) -> Any:
        values = [str(float(value)) for value in numbers(shape, seed, below).values]
        width = shape[-1]
        rows = [" ".join(values[i : i + width]) for i in range(0, len(values), width)]
        height = shape[-2] if len(shape) > 1 else 1
        return ["; ".join(rows[i : i + height]) for i in range(0, len(rows), height)]

    found = convcalc.apply(
        "conv",
        lists((32, 32), 1, 10)[0],
        weights=lists((6, 5, 5), 2, 100),
        bias=lists((6,), 3, 10)[0],
        gradient=" | ".join(lists((6, 28, 28), 5, 10)),
        backward=True,
        decimals=3,
    )
    wanted = json.loads((DATA / "lenet5-conv1.json").read_text())
    shapes = {"input": [1, 32, 32], "weight": [6, 1, 5, 5], "bias": [6]}
    value = found.to_dict()["gradients"]
    for name, numbers_of_pytorch in wanted.items():
        assert value[name]["shape"] == shapes[name]
        shown = flat(value[name]["text"])
        assert len(shown) == prod(shapes[name]) == len(numbers_of_pytorch)
        digits = [
            str(int(number)) if number == int(number) else f"{number:.3f}" for number in numbers_of_pytorch
        ]
        assert shown == [text.replace("-", "−") for text in digits]


def flat(values: Any) -> list[str]:
    return [text for value in values for text in flat(value)] if isinstance(values, list) else [values]


def test_fractions_stay_exact() -> None:
    found = convcalc.apply("1/3 2 1/7; 4 5 1/6", weights="1/2 1; 1 1/3", gradient="1/5 1/9", backward=True)
    weight = found.passes[0].gradients["weight"].tensor.values
    assert weight[0] == Fraction(1, 3) * Fraction(1, 5) + 2 * Fraction(1, 9)
    assert written(weight[0], decimal=False) == "13/45"


def test_a_step_of_gradient_descent() -> None:
    """By hand: the kernel's gradient of '1 2 3; 4 5 6' and δ = 1 2 is 1 + 4, 2 + 6, 4 + 10, 5 + 12."""
    found = convcalc.apply("1 2 3; 4 5 6", weights="1 0; 0 -1", gradient="1 2", backward=True, rate="1/10")
    updated = found.passes[0].updated
    assert updated["weight"].values == [Fraction(1, 2), Fraction(-4, 5), Fraction(-7, 5), Fraction(-27, 10)]
    assert updated["bias"].values == [Fraction(-3, 10)]


def test_a_step_in_a_mode_that_turns_starts_from_the_kernel_as_typed() -> None:
    """S[0,0] = Σ I[1−a, 1−b]·K[a,b]: K[a,b]'s gradient is δ·I[1−a, 1−b]."""
    found = convcalc.apply(
        "1 2; 3 4", weights="10 20; 30 40", gradient="1;", backward=True, rate=1, mode="convolution"
    )
    assert found.passes[0].updated["weight"].values == [10 - 4, 20 - 3, 30 - 2, 40 - 1]


@pytest.mark.parametrize(
    ("arguments", "options", "gradient", "message"),
    [
        (["1 2 3; 4 5 6"], {"weights": "1 0; 0 1"}, "1 2; 3 4", "--gradient is 2×2; the output is 1×2"),
        (["1 2 3 4"], {"weights": ["1 0", "0 1"]}, "1 2 3", "the output is 2×3"),
        (["dense", "5 6"], {"weights": "1 2; 3 4; 5 6"}, "1 2", "the output is 3"),
    ],
)
def test_a_gradient_of_another_shape_is_told_the_right_one(
    arguments: list[str], options: Any, gradient: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        convcalc.apply(*arguments, **options, gradient=gradient, backward=True)


@pytest.mark.parametrize(
    ("arguments", "gradient", "shape"),
    [
        (["global_avgpool", "1 2; 3 4 | 5 6; 7 8"], "4 8", [2, 1, 1]),
        (["global_avgpool", "1 2; 3 4 | 5 6; 7 8"], "4 | 8", [2, 1, 1]),
        (["maxpool: {kernel: [2, 1]}", "1 2 3; 4 5 6"], "1 2 3", [1, 1, 3]),
        (["avgpool: 2", "1 2 3 4"], "1 2", [1, 2]),
    ],
)
def test_a_row_serves_for_an_output_of_one_row(arguments: list[str], gradient: str, shape: list[int]) -> None:
    found = convcalc.apply(*arguments, gradient=gradient, backward=True).to_dict()
    assert found["gradient"]["shape"] == shape


@pytest.mark.parametrize("name", ["lrn", "softmax", "dropout"])
def test_what_has_no_backward_pass_says_what_has(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} has no backward pass here") as error:
        convcalc.apply(name, "1 2 3", backward=True)
    assert "maxpool" in str(error.value.hint)


def test_pools_and_relu_need_numbers_and_pass_letters_on() -> None:
    with pytest.raises(UsageError, match="cannot work on letters"):
        convcalc.apply("relu", "a b", backward=True)
    found = convcalc.apply("relu", "1 0 -1 2", backward=True)
    assert texts(found, "input") == ["δ1", "0", "0", "δ4"]
    with pytest.raises(UsageError, match="sigmoid need numbers"):
        convcalc.apply("sigmoid", "1 2", backward=True)


def test_a_gradient_of_very_many_letters_is_refused_at_once() -> None:
    source = "; ".join(" ".join("1" for _ in range(60)) for _ in range(60))
    with pytest.raises(UsageError, match="3,364 letters is too long to read"):
        convcalc.apply(source, weights="1 2 3; 4 5 6; 7 8 9", backward=True)


@pytest.mark.parametrize("option", [{"gradient": "1 2"}, {"rate": 1}])
def test_options_of_the_backward_pass_need_it(option: Any) -> None:
    with pytest.raises(UsageError, match="goes with --backward"):
        convcalc.apply("maxpool: 2", "1 2; 3 4", **option)


def test_the_steps_of_a_convolution_add_up_to_its_gradients() -> None:
    found = convcalc.apply(
        "1 2 3 4; 5 6 7 8 | 0 1 0 1; 1 0 1 0",
        weights=["1 2 | 3 4", "5 6 | 7 8"],
        gradient="1 2 3; 4 5 6 | 7 8 9; 1 2 3",
        backward=True,
        steps=True,
    )
    steps = found.passes[0].steps
    assert [step.value for step in steps["input"]] == list(found.passes[0].gradients["input"].tensor.values)
    assert sorted(step.value for step in steps["weight"]) == sorted(
        found.passes[0].gradients["weight"].tensor.values
    )
    assert found.to_dict()["steps"][0]["gradient"] == "input"


@pytest.mark.parametrize(
    "entry",
    ["maxpool: {kernel: 2, stride: 1}", "avgpool: {kernel: [1, 2], stride: 1, padding: [[0, 0], [1, 0]]}"],
)
@pytest.mark.parametrize("gradient", [None, "numbers"])
def test_the_steps_of_a_pool_add_up_to_its_gradient(entry: str, gradient: str | None) -> None:
    source = "1 4 2; 5 8 3"
    shape = convcalc.apply(entry, source).to_dict()["output"]["shape"]
    delta = None
    if gradient is not None:
        count = iter(range(1, 100))
        delta = "; ".join(" ".join(str(next(count)) for _ in range(shape[2])) for _ in range(shape[1])) + ";"
    found = convcalc.apply(entry, source, gradient=delta, backward=True, steps=True)
    moves = found.passes[0].moves
    assert len(moves) == shape[1] * shape[2]
    sums = [sum(values[1:], values[0]) for values in zip(*(move.share.values for move in moves), strict=True)]
    assert sums == list(found.passes[0].gradients["input"].tensor.values)
    assert "step 1 of" in found.to_text("table")
    assert len(found.to_dict()["steps"]) == len(moves)


def test_the_transposed_matrix_gives_the_same_gradients() -> None:
    weights, delta = ["1 2 0; 3 -1 4", "0 1 5; 1/2 2 1"], "1 2 3; 4 5 6 | 0 1 0; 1 0 2"
    options: dict[str, Any] = {
        "weights": weights,
        "gradient": delta,
        "stride": "2x1",
        "padding": "1x0",
        "backward": True,
    }
    by_matrix = convcalc.matrix("3x5", **options).to_dict()["gradients"]
    letters = "; ".join(" ".join(f"x{row * 5 + column + 1}" for column in range(5)) for row in range(3))
    by_convolution = convcalc.apply(letters, **options).to_dict()["gradients"]
    assert by_matrix["input"]["text"] == by_convolution["input"]["text"]
    assert by_matrix["weight"]["shape"] == by_convolution["weight"]["shape"]
    terms = [
        [sorted(text.split(" + ")) for text in flat(found["weight"]["text"])]
        for found in (by_matrix, by_convolution)
    ]
    assert terms[0] == terms[1]


def test_a_letter_of_the_gradient_that_is_typed_too_is_refused() -> None:
    with pytest.raises(UsageError, match="δ12 is a letter of the gradient too"):
        convcalc.apply("1 2 3; 4 5 6", weights="a δ12; c d", backward=True)
    with pytest.raises(UsageError, match="δ1 is a letter of the gradient too"):
        convcalc.apply("dense: 1", "a δ1", weights="p q", backward=True)
    with pytest.raises(UsageError, match="δ11 is a letter of the gradient too"):
        convcalc.matrix("2x3", weights="a b; c δ11", backward=True)
    given = convcalc.apply("1 2 3; 4 5 6", weights="a δ12; c d", gradient="p q", backward=True)
    assert given.to_dict()["gradients"]["input"]["text"][0][0][0] == "pa"


def test_a_backward_pass_that_would_take_minutes_in_fractions_is_refused() -> None:
    """4 weights at 1199·1199 positions, forward and once for either gradient."""
    small = convcalc.apply("1 2; 3 4", weights="5 6; 7 8").applications[0]
    large = dataclasses.replace(small, source=Tensor((1, 1200, 1200), [0] * 1_440_000))
    with pytest.raises(UsageError, match="17,251,212 multiplications are more than apply --backward does"):
        backward(large)
