"""Folding of operators that move values or give them another shape."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
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
from convcalc.formats.onnx.fold_tools import computed, consts, expanded
from convcalc.formats.onnx.values import MAX_KNOWN, Array, Const, permuted, picked


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


def same(call: Call) -> Const:
    """The input. PyTorch's exporter writes Identity of an initialiser for another with equal values: it is a tensor of
    its own, not a shared one."""
    source = call.const(0)
    if source.tensor is None or call.op != "Identity":
        return source
    return Const(source.shape, source.dtype, tensor=replace(source.tensor, name=call.node.outputs[0]))
