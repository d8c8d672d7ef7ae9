"""Folding of arithmetic: on each number, along dimensions, products of matrices."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import prod
from typing import Any

from convcalc.formats.onnx.calls import (
    Call,
    Invalid,
    Unmapped,
    broadcast,
    normal,
)
from convcalc.formats.onnx.fold_tools import TYPES, Fold, computed, consts, expanded, only
from convcalc.formats.onnx.values import FLOATS, Array, Const, permuted


def elementwise(function: Callable[..., Any], dtype: str | None = None) -> Fold:
    """A function of one number of each input."""

    def fold(call: Call) -> Const:
        shape = broadcast(*(const.shape for const in consts(call)))

        def rule(given: Sequence[Array]) -> list[Any]:
            return list(map(function, *(expanded(array, shape) for array in given)))

        return computed(call, shape, rule, dtype)

    return fold


def divided(call: Call) -> Const:
    """Division, which truncates integers towards 0."""
    if consts(call)[0].dtype in FLOATS:
        return only(elementwise(quotient)(call))
    return only(
        elementwise(lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0)(call)
    )


def remainder(call: Call) -> Const:
    """The remainder with the divisor's sign, or with fmod the dividend's."""
    if call.integer("fmod", 0):
        return only(elementwise(lambda a, b: math.fmod(a, b) if b else math.nan)(call))
    if consts(call)[0].dtype in FLOATS:
        return only(elementwise(lambda a, b: a % b if b and math.isfinite(a) else math.nan)(call))
    return only(elementwise(lambda a, b: a % b if b else 0)(call))


def quotient(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if not a or a != a else math.copysign(math.inf, a) * math.copysign(1, b)


def power(a: float, b: float) -> float:
    try:
        found = a**b
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return math.nan if isinstance(found, complex) else found


def exponential(x: float) -> float:
    return math.exp(x) if x < 709 else math.inf


def logarithm(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x)) if x > -745 else 0.0


def cast(call: Call) -> Const:
    """Conversion to another type; floats to integers truncate."""
    dtype = TYPES.get(call.integer("to", 0))
    if call.op == "CastLike":
        dtype = call.const(1).dtype
    (source, *_) = consts(call)
    if dtype is None or "STR" in (dtype, source.dtype):
        raise Unmapped("a conversion to or from a type without numbers of 8 bits or more")
    if dtype == source.dtype or (dtype in FLOATS and source.dtype in FLOATS):
        return source

    def rule(given: Sequence[Array]) -> list[Any]:
        values = given[0].values
        if dtype == "BOOL":
            return [int(value != 0) for value in values]
        if dtype in FLOATS:
            return list(map(float, values))
        return [int(value) if math.isfinite(value) else 0 for value in values]

    return computed(call, source.shape, rule, dtype, only=1)


def where(call: Call) -> Const:
    """The second input where the first is true, else the third."""
    return only(elementwise(lambda which, a, b: a if which else b, call.const(1).dtype)(call))


def cumsum(call: Call) -> Const:
    """Running sums along a dimension."""
    source = call.const(0)
    axis = normal((call.whole(1) or [0])[0], len(source.shape))
    exclusive, reverse = bool(call.integer("exclusive", 0)), bool(call.integer("reverse", 0))
    size, inner = source.shape[axis], prod(source.shape[axis + 1 :])

    def rule(given: Sequence[Array]) -> list[Any]:
        result = list(given[0].values)
        for start in range(0, len(result), max(1, size * inner)):
            for column in range(start, start + inner):
                places = slice(column, start + size * inner, inner)
                numbers = result[places][::-1] if reverse else result[places]
                sums = [0, *accumulate(numbers)][:-1] if exclusive else list(accumulate(numbers))
                result[places] = sums[::-1] if reverse else sums
        return result

    return computed(call, source.shape, rule, only=1)


def reduced(function: Callable[[Sequence[Any]], Any], since: int = 18) -> Fold:
    """A function of all values along some dimensions."""

    def fold(call: Call) -> Const:
        source = call.const(0)
        rank = len(source.shape)
        axes = call.axes(1, since)
        over = sorted({normal(axis, rank) for axis in axes}) if axes else list(range(rank))
        if not axes and call.integer("noop_with_empty_axes", 0):
            over = []
        rest = [axis for axis in range(rank) if axis not in over]
        keep = call.integer("keepdims", 1)
        shape = [
            1 if axis in over else size for axis, size in enumerate(source.shape) if keep or axis not in over
        ]
        length = prod(source.shape[axis] for axis in over)

        def rule(given: Sequence[Array]) -> list[Any]:
            values = permuted(given[0], [*rest, *over])
            count = prod(source.shape[axis] for axis in rest)
            if not length and function in (max, min):
                return [_extreme(function is min, source.dtype)] * count
            return [function(values[place * length : (place + 1) * length]) for place in range(count)]

        return computed(call, shape, rule, only=1)

    return fold


def _extreme(largest: bool, dtype: str) -> float:
    """The minimum, or the maximum, of no values."""
    if dtype in FLOATS:
        return math.inf if largest else -math.inf
    if dtype == "BOOL":
        return int(largest)
    raise Unmapped("the largest or smallest of no integers")


def matmul(call: Call) -> Const:
    """Matrix products; leading dimensions are repeated as needed."""
    a, b = call.const(0), call.const(1)
    if min(len(a.shape), len(b.shape)) < 2 or a.shape[-1] != b.shape[-2]:
        raise Unmapped("a product of vectors")
    lead = broadcast(a.shape[:-2], b.shape[:-2])
    (rows, inner), columns = a.shape[-2:], b.shape[-1]

    def rule(given: Sequence[Array]) -> list[Any]:
        left = expanded(given[0], (*lead, rows, inner))
        right = expanded(given[1], (*lead, inner, columns))
        result: list[Any] = []
        for number in range(prod(lead)):
            first = number * inner * columns
            turned = [right[first + column : first + inner * columns : columns] for column in range(columns)]
            for row in range(rows):
                start = (number * rows + row) * inner
                vector = left[start : start + inner]
                result += [sum(map(operator.mul, vector, column)) for column in turned]
        return result

    return computed(call, (*lead, rows, columns), rule)


def batchnorm(call: Call) -> Const:
    """Batch normalisation of weights (weight standardisation of NF-nets), by given statistics."""
    source = call.const(0)
    if call.integer("training_mode", 0) or len(source.shape) < 2:
        raise Unmapped("statistics of the input")
    eps = call.number("epsilon", 1e-5)
    inner = prod(source.shape[2:])

    def rule(given: Sequence[Array]) -> list[Any]:
        values, weight, bias, mean, variance = (array.values for array in given)
        factors = [w / math.sqrt(v + eps) for w, v in zip(weight, variance, strict=True)]
        offsets = [b - m * f for b, m, f in zip(bias, mean, factors, strict=True)]
        channels = len(factors)
        return [
            value * factors[place // inner % channels] + offsets[place // inner % channels]
            for place, value in enumerate(values)
        ]

    return computed(call, source.shape, rule)


def trilu(call: Call) -> Const:
    """The upper or lower triangle of matrices, 0 elsewhere."""
    source = call.const(0)
    if len(source.shape) < 2:
        raise Invalid("a triangle of a vector")
    rows, columns = source.shape[-2:]
    (shift,) = call.whole(1) or [0]
    upper = bool(call.integer("upper", 1))

    def rule(given: Sequence[Array]) -> list[Any]:
        kept = []
        for place, value in enumerate(given[0].values):
            distance = place % columns - place // columns % rows
            kept.append(value if (distance >= shift if upper else distance <= shift) else 0)
        return kept

    return computed(call, source.shape, rule, only=1)


def clip(call: Call) -> Const:
    """Values between two bounds."""
    low, high = call.attribute("min"), call.attribute("max")
    if call.opset >= 11:
        low, high = ((bound[0] if bound else None) for bound in (call.numbers(1), call.numbers(2)))

    def rule(given: Sequence[Array]) -> list[Any]:
        values: Sequence[Any] = given[0].values
        if low is not None:
            values = [max(value, low) for value in values]
        return [min(value, high) for value in values] if high is not None else list(values)

    return computed(call, call.const(0).shape, rule, only=1)


def truth(function: Callable[..., Any]) -> Fold:
    return elementwise(lambda *values: int(function(*values)), "BOOL")


def guarded(function: Callable[[float], float]) -> Fold:
    """A function of one number that is NaN outside of its domain."""

    def safe(x: float) -> float:
        try:
            return function(x)
        except (ValueError, OverflowError):
            return math.nan

    return elementwise(safe)


def length_of(values: Sequence[Any]) -> float:
    return math.sqrt(sum(value * value for value in values))
