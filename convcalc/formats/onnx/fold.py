"""Constant folding: the arithmetic on shapes and weights that exporters leave in a model.

`FOLDS` has, by operator, a function that makes a constant of a node whose inputs are constants: its shape and type at
once, its values when they are asked for. What a node computes from weights is not computed here, only described.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from math import prod
from typing import Any

from convcalc.formats.onnx.calls import (
    Call,
    Invalid,
    Unmapped,
    broadcast,
    normal,
    pieces,
    sliced,
    target_shape,
)
from convcalc.formats.onnx.quantised import dequantise, quantise
from convcalc.formats.onnx.values import FLOATS, MAX_KNOWN, Array, Const, Rule, permuted, picked

Fold = Callable[[Call], "Const | list[Const]"]

# ONNX's numbers of types, by safetensors' names
TYPES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 8: "STR", 9: "BOOL", 10: "F16", 11: "F64",
    12: "U32", 13: "U64", 16: "BF16",
}  # fmt: skip


def consts(call: Call) -> list[Const]:
    """The inputs that are there, which are all constants."""
    return [value for value in call.inputs if isinstance(value, Const)]


def computed(
    call: Call, shape: Sequence[int], rule: Rule, dtype: str | None = None, *, only: int = 0
) -> Const:
    """A constant computed from the node's inputs, by default with the type of the first. only: the number of inputs
    that the rule uses, 0 for all."""
    sources = consts(call)
    const = Const(shape, dtype or sources[0].dtype, sources=sources[: only or None], rule=rule)
    const.call = call
    return const


def expanded(given: Array, shape: Sequence[int]) -> Sequence[Any]:
    """The values repeated to a larger shape."""
    if given.shape == tuple(shape):
        return given.values
    if len(given.values) == 1:
        return [given.values[0]] * prod(shape)
    own = (1,) * (len(shape) - len(given.shape)) + given.shape
    steps = [prod(own[place + 1 :]) for place in range(len(own))]
    offsets: list[Sequence[int]] = [
        range(0, size * step, step) if have == size else [0] * size
        for have, size, step in zip(own, shape, steps, strict=True)
    ]
    return picked(given.values, offsets)


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
        return _only(elementwise(_quotient)(call))
    return _only(
        elementwise(lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0)(call)
    )


def remainder(call: Call) -> Const:
    """The remainder with the divisor's sign, or with fmod the dividend's."""
    if call.integer("fmod", 0):
        return _only(elementwise(lambda a, b: math.fmod(a, b) if b else math.nan)(call))
    if consts(call)[0].dtype in FLOATS:
        return _only(elementwise(lambda a, b: a % b if b and math.isfinite(a) else math.nan)(call))
    return _only(elementwise(lambda a, b: a % b if b else 0)(call))


def _quotient(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if not a or a != a else math.copysign(math.inf, a) * math.copysign(1, b)


def _power(a: float, b: float) -> float:
    try:
        found = a**b
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return math.nan if isinstance(found, complex) else found


def _exp(x: float) -> float:
    return math.exp(x) if x < 709 else math.inf


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def _sigmoid(x: float) -> float:
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
    return _only(elementwise(lambda which, a, b: a if which else b, call.const(1).dtype)(call))


def shape_of(shape: Sequence[int], call: Call) -> Const:
    """A shape as a constant, from `start` to `end`."""
    start, end = call.attribute("start", 0), call.attribute("end")
    sizes = tuple(shape)[start:end]
    return Const((len(sizes),), "I64", values=sizes)


def reshape(call: Call) -> Const:
    """Reshape, Flatten, Squeeze and Unsqueeze: the same values in another shape."""
    source = call.const(0)
    return source.reshaped(reshaped_shape(call, source.shape))


def reshaped_shape(call: Call, shape: Sequence[int]) -> tuple[int, ...]:
    """The output shape of an operator that only gives its input another shape."""
    rank = len(shape)
    if call.op == "Flatten":
        axis = call.integer("axis", 1)
        if not -rank <= axis <= rank:
            raise Invalid(f"axis {axis} of an input with {rank} dimensions")
        axis = axis + rank if axis < 0 else axis
        return (prod(shape[:axis]), prod(shape[axis:]))
    if call.op == "Squeeze":
        axes = call.axes(1, 13)
        dropped = {normal(axis, rank) for axis in axes} if axes is not None else {
            axis for axis, size in enumerate(shape) if size == 1
        }  # fmt: skip
        if any(shape[axis] != 1 for axis in dropped):
            raise Invalid(f"axes {sorted(dropped)} of {list(shape)} are not all 1")
        return tuple(size for axis, size in enumerate(shape) if axis not in dropped)
    if call.op == "Unsqueeze":
        axes = call.axes(1, 13) or []
        wide = rank + len(axes)
        added = {normal(axis, wide) for axis in axes}
        if len(added) < len(axes):
            raise Invalid(f"axes {axes} name a dimension twice")
        sizes = iter(shape)
        return tuple(1 if axis in added else next(sizes) for axis in range(wide))
    target = call.integers("shape") if call.opset < 5 else call.whole(1)
    return target_shape(target or (), shape, bool(call.integer("allowzero", 0)))


def transpose(call: Call) -> Const:
    """Dimensions in another order."""
    source = call.const(0)
    order = order_of(call, len(source.shape))
    return computed(call, [source.shape[d] for d in order], lambda given: permuted(given[0], order))


def order_of(call: Call, rank: int) -> tuple[int, ...]:
    """Transpose's order of dimensions, reversed by default. Raises Invalid."""
    order = call.integers("perm") or tuple(reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        raise Invalid(f"perm {list(order)} does not name each of {rank} dimensions once")
    return order


def gather(call: Call) -> Const:
    """Entries of a dimension by index."""
    data, indices = call.const(0), call.const(1)
    axis = normal(call.integer("axis", 0), len(data.shape))
    size, inner = data.shape[axis], prod(data.shape[axis + 1 :])

    def rule(given: Sequence[Array]) -> list[Any]:
        values, wanted = given[0].values, [int(index) for index in given[1].values]
        if any(not -size <= index < size for index in wanted):
            raise Invalid(f"an index outside of {size} entries")
        result: list[Any] = []
        for start in range(0, len(values), max(1, size * inner)):
            for index in wanted:
                first = start + index % size * inner
                result += values[first : first + inner]
        return result

    return computed(call, (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]), rule)


def gather_nd(call: Call) -> Const:
    """Entries by vectors of indices, in each of the leading batch dimensions by itself."""
    data, indices = call.const(0), call.const(1)
    lead = call.integer("batch_dims", 0)
    if not indices.shape or not 0 <= lead < min(len(data.shape), len(indices.shape)):
        raise Invalid(f"indices of {list(indices.shape)} into {list(data.shape)}")
    depth = indices.shape[-1]
    own = data.shape[lead:]
    inner, size = prod(own[depth:]), prod(own)
    count = prod(indices.shape[lead:])

    def rule(given: Sequence[Array]) -> list[Any]:
        result: list[Any] = []
        for sample in range(prod(data.shape[:lead])):
            for place in _places(given[1].values[sample * count : (sample + 1) * count], depth, own):
                start = sample * size + place
                result += given[0].values[start : start + inner]
        return result

    return computed(call, (*indices.shape[:-1], *own[depth:]), rule)


REDUCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "none": lambda old, new: new, "add": operator.add, "mul": operator.mul, "max": max, "min": min,
}  # fmt: skip


def scatter_nd(call: Call) -> Const:
    """The data with entries replaced."""
    data, indices = call.const(0), call.const(1)
    combine = REDUCTIONS.get(call.text("reduction", "none"))
    if combine is None or not indices.shape:
        raise Unmapped("another reduction")
    depth = indices.shape[-1]
    inner = prod(data.shape[depth:])

    def rule(given: Sequence[Array]) -> list[Any]:
        result = list(given[0].values)
        for number, start in enumerate(_places(given[1].values, depth, data.shape)):
            new = given[2].values[number * inner : (number + 1) * inner]
            result[start : start + inner] = map(combine, result[start : start + inner], new)
        return result

    return computed(call, data.shape, rule)


def _places(indices: Sequence[int], depth: int, shape: Sequence[int]) -> list[int]:
    """The row-major place of each vector of indices."""
    steps = [prod(shape[axis + 1 :]) for axis in range(depth)]
    found = []
    for first in range(0, len(indices), max(1, depth)):
        vector = indices[first : first + depth]
        if any(not -size <= index < size for index, size in zip(vector, shape, strict=False)):
            raise Invalid(f"an index outside of {list(shape)}")
        found.append(
            sum(index % size * step for index, size, step in zip(vector, shape, steps, strict=False))
        )
    return found


def concat(call: Call) -> Const:
    """Inputs joined along a dimension."""
    given_shapes = [const.shape for const in consts(call)]
    axis = normal(call.integer("axis", 0), len(given_shapes[0]))
    first = given_shapes[0]
    if len({(*shape[:axis], *shape[axis + 1 :], len(shape)) for shape in given_shapes}) > 1:
        raise Invalid(f"shapes {given_shapes} do not fit each other")
    total = sum(shape[axis] for shape in given_shapes)

    def rule(given: Sequence[Array]) -> list[Any]:
        lengths = [prod(array.shape[axis:]) for array in given]
        result: list[Any] = []
        for row in range(prod(first[:axis])):
            for array, length in zip(given, lengths, strict=True):
                result += array.values[row * length : (row + 1) * length]
        return result

    return computed(call, (*first[:axis], total, *first[axis + 1 :]), rule)


def slice_(call: Call) -> Const:
    """Parts of dimensions."""
    source = call.const(0)
    kept = sliced(call, len(source.shape), source.shape)
    return _selected(call, kept)


def split(call: Call) -> list[Const]:
    """Consecutive parts of a dimension."""
    source = call.const(0)
    axis = normal(call.integer("axis", 0), len(source.shape))
    found, start = [], 0
    for size in pieces(call, source.shape[axis]):
        kept = [range(length) for length in source.shape]
        kept[axis] = range(start, start + size)
        found.append(_selected(call, kept))
        start += size
    return found


def _selected(call: Call, kept: Sequence[range]) -> Const:
    source = call.const(0)
    steps = [prod(source.shape[axis + 1 :]) for axis in range(len(source.shape))]
    offsets = [
        range(part.start * step, part.stop * step, part.step * step)
        for part, step in zip(kept, steps, strict=True)
    ]
    return computed(call, list(map(len, kept)), lambda given: picked(given[0].values, offsets), only=1)


def range_(call: Call) -> Const:
    """Numbers from start up to limit, in steps."""
    start, limit, delta = (
        numbers[0] for numbers in (call.numbers(0), call.numbers(1), call.numbers(2)) if numbers
    )
    count = max(0, math.ceil((limit - start) / delta)) if delta else 0
    if count > MAX_KNOWN:
        raise Unmapped(f"a range of {count:,} numbers")
    return Const((count,), call.const(0).dtype, values=[start + place * delta for place in range(count)])


def constant_of_shape(call: Call) -> Const:
    """One value, repeated."""
    shape = call.whole(0) or []
    tensor = call.tensor("value")
    value, dtype = (tensor.values()[0], tensor.dtype) if tensor is not None else (0.0, "F32")
    count = prod(shape)
    if min(shape, default=0) < 0:
        raise Invalid(f"a shape of {shape}")
    return Const(shape, dtype, rule=lambda given: [value] * count)


def expand(call: Call) -> Const:
    """Dimensions of 1, repeated."""
    source = call.const(0)
    shape = broadcast(source.shape, call.whole(1) or [])
    return computed(call, shape, lambda given: expanded(given[0], shape), only=1)


def tile(call: Call) -> Const:
    """All dimensions, repeated as a whole."""
    source, times = call.const(0), call.whole(1) or []
    steps = [prod(source.shape[axis + 1 :]) for axis in range(len(source.shape))]
    offsets = [
        list(range(0, size * step, step)) * count
        for size, step, count in zip(source.shape, steps, times, strict=True)
    ]
    return computed(call, list(map(len, offsets)), lambda given: picked(given[0].values, offsets), only=1)


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


def constant(call: Call) -> Const:
    """A constant written as a node."""
    for name, dtype in (("value_float", "F32"), ("value_int", "I64")):
        value = call.attribute(name)
        if value is not None:
            return Const((), dtype, values=(value,))
    for name, dtype in (("value_floats", "F32"), ("value_ints", "I64")):
        values = call.attribute(name)
        if values is not None:
            return Const((len(values),), dtype, values=tuple(values))
    tensor = call.tensor("value")
    if tensor is None:
        raise Unmapped("a constant that is neither a tensor nor numbers")
    return Const(tensor.shape, tensor.dtype, tensor=tensor)


def _only(found: Const | list[Const]) -> Const:
    assert isinstance(found, Const)
    return found


def same(call: Call) -> Const:
    """The input. PyTorch's exporter writes Identity of an initialiser for another with equal values: it is a tensor of
    its own, not a shared one."""
    source = call.const(0)
    if source.tensor is None or call.op != "Identity":
        return source
    return Const(source.shape, source.dtype, tensor=replace(source.tensor, name=call.node.outputs[0]))


def _truth(function: Callable[..., Any]) -> Fold:
    return elementwise(lambda *values: int(function(*values)), "BOOL")


def _guarded(function: Callable[[float], float]) -> Fold:
    """A function of one number that is NaN outside of its domain."""

    def safe(x: float) -> float:
        try:
            return function(x)
        except (ValueError, OverflowError):
            return math.nan

    return elementwise(safe)


def _l2(values: Sequence[Any]) -> float:
    return math.sqrt(sum(value * value for value in values))


FOLDS: dict[str, Fold] = {
    "Abs": elementwise(abs), "Add": elementwise(operator.add), "And": _truth(lambda a, b: a and b),
    "BatchNormalization": batchnorm, "Cast": cast, "CastLike": cast, "Ceil": elementwise(math.ceil), "Clip": clip,
    "Concat": concat, "Constant": constant, "ConstantOfShape": constant_of_shape, "Cos": elementwise(math.cos),
    "CumSum": cumsum, "DequantizeLinear": dequantise, "Div": divided, "Dropout": same, "Equal": _truth(operator.eq),
    "Erf": elementwise(math.erf),
    "Exp": elementwise(_exp), "Expand": expand, "Flatten": reshape, "Floor": elementwise(math.floor), "Gather": gather,
    "GatherND": gather_nd, "Greater": _truth(operator.gt), "GreaterOrEqual": _truth(operator.ge), "Identity": same,
    "Less": _truth(operator.lt), "LessOrEqual": _truth(operator.le),
    "Log": elementwise(_log), "MatMul": matmul,
    "Max": elementwise(lambda *v: max(v)), "Min": elementwise(lambda *v: min(v)), "Mod": remainder,
    "Mul": elementwise(operator.mul), "Neg": elementwise(operator.neg), "Not": _truth(operator.not_),
    "Or": _truth(lambda a, b: a or b), "Pow": elementwise(_power), "QuantizeLinear": quantise, "Range": range_,
    "Reciprocal": elementwise(lambda x: _quotient(1, x)), "ReduceL2": reduced(_l2), "ReduceMax": reduced(max),
    "ReduceMean": reduced(lambda values: sum(values) / len(values)), "ReduceMin": reduced(min),
    "ReduceProd": reduced(prod), "ReduceSum": reduced(sum, 13), "Relu": elementwise(lambda x: max(x, 0)),
    "Reshape": reshape, "Round": elementwise(round), "ScatterND": scatter_nd,
    "Shape": lambda call: shape_of(call.const(0).shape, call), "Sigmoid": elementwise(_sigmoid),
    "Sign": elementwise(lambda x: (x > 0) - (x < 0)), "Sin": elementwise(math.sin),
    "Size": lambda call: Const((), "I64", values=(call.const(0).count,)), "Slice": slice_, "Split": split,
    "Sqrt": elementwise(lambda x: math.sqrt(x) if x >= 0 else math.nan), "Squeeze": reshape,
    "Sub": elementwise(operator.sub), "Sum": elementwise(lambda *v: sum(v)), "Tanh": elementwise(math.tanh),
    "Tile": tile, "Transpose": transpose, "Trilu": trilu,
    **{name.capitalize(): _guarded(getattr(math, name)) for name in
       ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "sinh", "tan")},
    "IsNaN": elementwise(lambda x: int(x != x), "BOOL"), "Unsqueeze": reshape, "Where": where,
    "Xor": _truth(lambda a, b: bool(a) != bool(b)),
}  # fmt: skip
