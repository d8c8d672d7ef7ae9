"""QuantizeLinear and DequantizeLinear with their float meaning.

On weights they are computed: the layers have the numbers that the quantised model computes with. On activations they
are left out, so what rounding does to the numbers between layers is not computed; a note says so.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from math import prod
from typing import Any, NamedTuple

from convcalc.formats.onnx.calls import Call, Invalid, Unmapped, normal
from convcalc.formats.onnx.numbers import BITS, INTEGERS, TYPES
from convcalc.formats.onnx.values import Array, Const
from convcalc.shapes import Shape

MIN_RUN = 64  # values with one scale, from where a table of all 256 results pays


class Scales(NamedTuple):
    """How the scales of a tensor lie on it: seen as outer × size × inner, each `block` of the middle dimension has
    `inner` scales in each outer part if there are `blocks`, else one. single: one scale for all."""

    outer: int
    size: int
    inner: int
    block: int
    blocks: bool
    single: bool

    def runs(self, values: array[int]) -> Iterator[tuple[array[int], int]]:
        """Each run of `inner` values and the index of its scale, without blocks."""
        for number in range(self.outer * self.size):
            yield values[number * self.inner : (number + 1) * self.inner], number % self.size

    def rows(self, scales: Sequence[float], zeros: Sequence[float]) -> Iterator[tuple[Any, Any]]:
        """Scales and zero points for each run of `inner` numbers, as iterables."""
        parts = -(-self.size // self.block)
        for outer in range(self.outer):
            for place in range(self.size):
                if self.blocks:
                    start = (outer * parts + place // self.block) * self.inner
                    yield scales[start : start + self.inner], zeros[start : start + self.inner]
                else:
                    index = 0 if self.single else place
                    yield repeat(scales[index]), repeat(zeros[index])


def scales_of(shape: Shape, scale: Shape, axis: int, block: int) -> Scales:
    """The layout of scales: a single one, one for each index of `axis`, or one for each block along it (ONNX operators,
    DequantizeLinear-21). Raises Invalid if the shapes do not fit."""
    if prod(scale) == 1 and len(scale) <= 1:
        return Scales(1, 1, prod(shape), 1, blocks=False, single=True)
    axis = normal(axis, len(shape))
    outer, size, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    if len(scale) == 1 and not block:
        if scale[0] != size:
            raise Invalid(f"{scale[0]} scales for axis {axis} of a tensor {list(shape)}")
        return Scales(outer, size, inner, 1, blocks=False, single=False)
    if block < 1 or tuple(scale) != (*shape[:axis], -(-size // block), *shape[axis + 1 :]):
        raise Invalid(f"scales {list(scale)} do not fit a tensor {list(shape)} in blocks of {block}")
    return Scales(outer, size, inner, block, blocks=True, single=False)


def dequantised(
    values: Sequence[float], scales: Sequence[float], zeros: Sequence[float] | None, layout: Scales
) -> array[float]:
    """(values − zeros)·scales, as 32-bit floats."""
    result = array("f")
    if zeros is None:
        zeros = array("f", [0]) * len(scales)
    if isinstance(values, array) and values.itemsize == 1 and not layout.blocks and layout.inner >= MIN_RUN:
        for integers, index in layout.runs(values):
            result.frombytes(_translated(integers, scales[index], zeros[index]))
        return result
    rows = layout.rows(scales, zeros)
    for start, (scale, zero) in zip(range(0, len(values), max(1, layout.inner)), rows, strict=True):
        run = values[start : start + layout.inner]
        result.extend([(v - z) * s for v, s, z in zip(run, scale, zero, strict=False)])
    return result


def _translated(values: array[int], scale: float, zero: float) -> bytes:
    """(values − zero)·scale of integers of one byte, as the bytes of 32-bit floats: those of each of the 256 values are
    looked up, which `bytes.translate` does at once for all values."""
    signed = values.typecode == "b"
    table = array(
        "f", [((byte - 256 if signed and byte > 127 else byte) - zero) * scale for byte in range(256)]
    )
    entries, data, size = table.tobytes(), values.tobytes(), table.itemsize
    result = bytearray(size * len(data))
    for place in range(size):
        result[place::size] = data.translate(entries[place::size])
    return bytes(result)


def quantised(
    values: Sequence[float],
    scales: Sequence[float],
    zeros: Sequence[float] | None,
    layout: Scales,
    dtype: str,
) -> list[int]:
    """values/scales rounded to the nearest integer, halves to even, plus zeros, within the bounds of the type."""
    bits = BITS[dtype]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype[0] == "I" else (0, (1 << bits) - 1)
    result: list[int] = []
    rows = layout.rows(scales, zeros if zeros is not None else [0] * len(scales))
    for start, (scale, zero) in zip(range(0, len(values), max(1, layout.inner)), rows, strict=True):
        run = values[start : start + layout.inner]
        quotients = array("f", [v / s if s else 0.0 for v, s in zip(run, scale, strict=False)])
        # beyond 32 bits in any case after the clamp, and round() refuses infinities
        result += [
            min(high, max(low, round(min(max(q, -1e10), 1e10)) + int(z)))
            for q, z in zip(quotients, zero, strict=False)
        ]
    return result


def _inputs(call: Call) -> tuple[Const, Const, Const | None, Scales]:
    """The tensor, its scales, its zero points and their layout."""
    values, scale, zero = call.const(0), call.const(1), call.optional(2)
    if zero is not None and zero.shape != scale.shape and zero.count != scale.count:
        raise Invalid(f"zero points {list(zero.shape)} for scales {list(scale.shape)}")
    block = call.integer("block_size", 0)
    return values, scale, zero, scales_of(values.shape, scale.shape, call.integer("axis", 1), block)


def dequantise(call: Call) -> Const:
    """DequantizeLinear of weights: a tensor of floats, computed when it is asked for."""
    values, scale, zero, layout = _inputs(call)

    def rule(given: Sequence[Array]) -> Sequence[Any]:
        return dequantised(given[0].values, given[1].values, given[2].values if zero else None, layout)

    return _computed(call, values, scale, zero, "F32", rule)


def quantise(call: Call) -> Const:
    """QuantizeLinear of weights: integers, computed when they are asked for."""
    values, scale, zero, layout = _inputs(call)
    dtype = zero.dtype if zero is not None else TYPES.get(call.integer("output_dtype", 0) or 2, "")
    if dtype not in INTEGERS:
        raise Unmapped(f"weights rounded to {dtype or 'an unknown type'}")

    def rule(given: Sequence[Array]) -> Sequence[Any]:
        zeros = given[2].values if zero else None
        return quantised(given[0].values, given[1].values, zeros, layout, dtype)

    return _computed(call, values, scale, zero, dtype, rule)


def _computed(
    call: Call,
    values: Const,
    scale: Const,
    zero: Const | None,
    dtype: str,
    rule: Callable[[Sequence[Array]], Sequence[Any]],
) -> Const:
    sources = (values, scale) if zero is None else (values, scale, zero)
    const = Const(values.shape, dtype, sources=sources, rule=rule)
    const.call = call
    const.learned = values.count > 1
    const.known = const.known and values.count <= 1
    return const
