"""Backward passes against PyTorch, whose values are handed in, and against finite differences, exactly.

`tests/data/backward/pytorch.json` holds what PyTorch 2 gave in float64 for the numbers that `numbers` makes here.
"""

from __future__ import annotations

import json
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc import ops
from convcalc.ops import Tensor

FOUND = json.loads((Path(__file__).parent.parent / "data/backward/pytorch.json").read_text())
CASES = FOUND["cases"]


def numbers(shape: Any, seed: int, below: int) -> Tensor:
    """The numbers that PyTorch was given: whole ones divided by a power of two, so that both have them exactly."""
    count = prod(shape)
    values = [Fraction((i * (7 + 2 * seed) + 3 * seed + (i * i) % 11) % 23 - 11, below) for i in range(count)]
    return Tensor(tuple(shape), values)


def operator(case: dict[str, Any]) -> ops.Operator:
    """The bound operator of a case."""
    kind = ops.get(case["kind"])
    fields = case.get("fields")
    if fields is None:
        fields = {
            "filters": case["weights"][0],
            "kernel": case["weights"][2:],
            **{key: case[key] for key in ("padding", "stride", "dilation", "groups") if key in case},
        }
    infos = kind.fields()
    made = kind(**{name: infos[name].kind.check(value) for name, value in fields.items()})
    return made.bind((tuple(case["shape"]),))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_gradients_are_pytorch_s(case: dict[str, Any]) -> None:
    op = operator(case)
    source, delta = numbers(case["shape"], 1, 4), numbers(case["output"], 5, 2)
    weights = {}
    if case["kind"] == "conv":
        weights = {
            "weight": numbers(case["weights"], 2, 8).values,
            "bias": numbers(case["weights"][:1], 3, 2).values,
        }
    assert op.forward([source], weights).shape == delta.shape
    found = op.backward([source], weights, delta)
    assert set(found) == set(case["gradients"])
    for name, values in case["gradients"].items():
        assert [float(value) for value in found[name].tensor.values] == pytest.approx(
            values, rel=1e-12, abs=1e-12
        )
    assert found["input"].tensor.shape == source.shape


def test_of_equal_maxima_the_first_takes_the_gradient() -> None:
    op = ops.get("maxpool")(kernel=2, stride=1)
    source = Tensor((1, 3, 3), [1, 3, 3, 3, 2, 3, 0, 3, 3])
    found = op.backward([source], {}, Tensor((1, 2, 2), [1, 2, 4, 8]))
    assert list(found["input"].tensor.values) == FOUND["ties"]


def test_dense_is_pytorch_s() -> None:
    op = ops.get("dense")(units=3)
    weights = {"weight": numbers((3, 5), 2, 8).values, "bias": numbers((3,), 3, 2).values}
    found = op.backward([numbers((5,), 1, 4)], weights, numbers((3,), 5, 2))
    for name, values in FOUND["dense"].items():
        assert list(map(float, found[name].tensor.values)) == values


def test_batchnorm_is_pytorch_s_in_training() -> None:
    op = ops.get("batchnorm")()
    source = numbers((3, 2, 5), 1, 4)
    kept = {"weight": numbers((3,), 2, 8).values, "bias": numbers((3,), 3, 2).values}
    weights = op.in_training([source], {**kept, "running_mean": [0] * 3, "running_var": [1] * 3})
    output = op.forward([source], weights)
    assert list(map(float, output.values)) == pytest.approx(
        FOUND["batchnorm"]["output"], rel=1e-12, abs=1e-12
    )
    found = op.backward([source], weights, numbers((3, 2, 5), 5, 2))
    for name in ("input", "weight", "bias"):
        values = list(map(float, found[name].tensor.values))
        assert values == pytest.approx(FOUND["batchnorm"][name], rel=1e-11, abs=1e-11)


# -- finite differences: a convolution is linear in its input and in its kernel, so a difference of any size is exact


def loss(op: ops.Operator, source: Tensor, weights: Any, delta: Tensor) -> Any:
    """δ times the output: a loss whose gradient at the output is δ."""
    output = op.forward([source], weights)
    return sum(value * slope for value, slope in zip(output.values, delta.values, strict=True))


def check_differences(op: ops.Operator, source: Tensor, weights: dict[str, list[Any]], delta: Tensor) -> None:
    found = op.backward([source], weights, delta)
    before = loss(op, source, weights, delta)
    for place in range(len(source.values)):
        moved = [*source.values]
        moved[place] += 1
        assert (
            loss(op, Tensor(source.shape, moved), weights, delta) - before
            == found["input"].tensor.values[place]
        )
    for name, values in weights.items():
        for place in range(len(values)):
            moved = [*values]
            moved[place] += 1
            after = loss(op, source, {**weights, name: moved}, delta)
            assert after - before == found[name].tensor.values[place]


@st.composite
def convolutions(draw: Any) -> tuple[ops.Operator, Tensor]:
    rank = draw(st.integers(1, 2))
    groups = draw(st.integers(1, 2))
    shape = (groups * draw(st.integers(1, 2)), *(draw(st.integers(1, 5)) for _ in range(rank)))
    kernel, stride, dilation = (tuple(draw(st.integers(1, most)) for _ in range(rank)) for most in (3, 3, 2))
    padding = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(rank))
    padding = tuple(
        (before, after + max(0, d * (k - 1) + 1 - before - after - size))
        for (before, after), d, k, size in zip(padding, dilation, kernel, shape[1:], strict=True)
    )
    op = ops.get("conv")(
        filters=groups * draw(st.integers(1, 2)),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        groups=groups,
        rounding=draw(st.sampled_from(["floor", "ceil"])),
    ).bind((shape,))
    return op, numbers(shape, draw(st.integers(1, 9)), 3)


@given(convolutions(), st.integers(1, 9))
@settings(max_examples=20)
def test_a_convolution_s_gradients_are_its_differences(made: Any, seed: int) -> None:
    op, source = made
    shapes = {parameter.name: parameter.shape for parameter in op.parameters((source.shape,))}
    weights = {name: [*numbers(shape, seed, 7).values] for name, shape in shapes.items()}
    delta = numbers(op.output_shape((source.shape,)), seed + 1, 5)
    check_differences(op, source, weights, delta)


@pytest.mark.parametrize(
    ("kind", "fields", "shape"),
    [
        ("avgpool", {"kernel": (3, 2), "stride": (2, 1), "padding": ((1, 0), (0, 1))}, (2, 5, 4)),
        ("avgpool", {"kernel": 3, "stride": 2, "rounding": "ceil"}, (2, 6, 7)),
        ("adaptive_avgpool", {"size": (3, 2)}, (2, 5, 7)),
        ("global_avgpool", {}, (3, 2, 5)),
        ("flatten", {}, (2, 3, 4)),
    ],
)
def test_means_gradients_are_their_differences(kind: str, fields: Any, shape: Any) -> None:
    op = ops.get(kind)(**fields).bind((shape,))
    check_differences(op, numbers(shape, 2, 3), {}, numbers(op.output_shape((shape,)), 3, 5))


def test_dense_s_gradients_are_its_differences() -> None:
    op = ops.get("dense")(units=2, axis="last")
    weights = {"weight": [*numbers((2, 4), 1, 3).values], "bias": [*numbers((2,), 2, 3).values]}
    check_differences(op, numbers((3, 4), 3, 5), weights, numbers((3, 2), 4, 7))
