"""Helpers of the normalisation layers: learned scale and bias, and standardisation of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan, prod, sqrt
from typing import Any

from convcalc.ops._base import Parameter, Tensor, Working
from convcalc.shapes import Shape


def factor_and_offset(shape: Shape, affine: bool) -> tuple[Parameter, ...]:
    """weight and bias with this shape if `affine`, else nothing."""
    if not affine:
        return ()
    return (Parameter("weight", shape, "weight", initial=1.0), Parameter("bias", shape, "bias"))


def count_working(shape: Shape, *names: str) -> tuple[Working, ...]:
    """The worked number of weights or biases: `7·5 = 35`, or `96` for a single dimension."""
    text = f"{prod(shape):,}"
    if len(shape) > 1:
        text = f"{'·'.join(map(str, shape))} = {text}"
    return tuple(Working(name, text) for name in names)


def standardised(vector: Sequence[Any], eps: float) -> list[Any]:
    """(x − mean)/√(variance + eps); the variance divides by the number of values."""
    mean = sum(vector) / len(vector)
    centred = [value - mean for value in vector]
    variance = sum([value * value for value in centred]) / len(vector) + eps
    factor = 1 / sqrt(variance) if variance == variance else nan
    return [value * factor for value in centred]


def by_groups(tensor: Tensor, groups: int, eps: float, weights: Mapping[str, Sequence[Any]]) -> Tensor:
    """Standardises each group of channels over all its values, then applies each channel's weight and bias, if any."""
    shape, values = tensor
    length = len(values) // groups
    plane = len(values) // shape[0]
    result: list[Any] = []
    for start in range(0, len(values), length):
        result += standardised(values[start : start + length], eps)
    if not weights:
        return Tensor(shape, result)
    for channel, (weight, bias) in enumerate(zip(weights["weight"], weights["bias"], strict=True)):
        places = slice(channel * plane, (channel + 1) * plane)
        result[places] = [value * weight + bias for value in result[places]]
    return Tensor(shape, result)
