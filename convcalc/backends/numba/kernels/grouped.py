"""Convolutions in groups of few channels, as many filters in a group as channels: no product is with a weight of 0.

A register of sums belongs to neighbouring filters, of several groups if these are small. What each of them multiplies
next, its own group's channel k, is spread to the lanes of its group once for every input pixel:

    sums   a₀ a₁ a₂ a₃  b₀ b₁ b₂ b₃  c₀ …      groups a, b, c … of four channels
    input  a₁ a₁ a₁ a₁  b₁ b₁ b₁ b₁  c₁ …      k = 1
    weight of a₀, a₁ … for it, a register for each place of the kernel

and serves all windows along the row that read this pixel. Of bfloat16 two neighbouring channels are spread as one word.
Registers that lie within a group read one channel for all lanes, which needs no more than a load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from convcalc.backends.numba.jit.declare import intrinsic
from convcalc.backends.numba.jit.emit import (
    BITS,
    FLOAT,
    INT,
    emit_dot,
    emit_fma,
    emit_load,
    emit_local,
    emit_loop,
    emit_max,
    emit_min,
    emit_prefetch,
    emit_splat,
    emit_store_elements,
    word_type,
)
from convcalc.backends.numba.jit.sizes import BLOCK, CACHE_LINE, HALF, WORD, Sized
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.kernels.rows import rows_kernel

GROUP_TAPS = 3  # the width of the kernels that there is a tile for
GROUP_DEPTHS = (4, 8, BLOCK)  # channels of a group, and
GROUP_STRIDES = (1, 2)  # strides along the row that there are kernels for
UNROLL = 4  # words of a group without a branch


def register_floats(depth: int) -> Sized:
    """The floats of a tile's registers, for groups of so many channels.

    Two groups of eight fill a register of 16; yet floats are spread to one of 8 by loads alone, and processors do two
    such products at once as fast as one of 16. Of bfloat16 that is slower than to spread words within registers of 16.
    """
    return Sized(HALF if depth == HALF and WIDTH > HALF else WIDTH, WIDTH)


def weight_row(depth: int) -> Sized:
    """Bytes of a block's weights for a row of the kernel."""
    words = GROUP_TAPS * BLOCK * depth
    return Sized(4 * words, 2 * words)


def _emit_tile(
    builder: ir.IRBuilder, element: int, pixels: int, stride: int, depth: int, arguments: Sequence[ir.Value]
) -> None:
    """Emits a tile of one register per pixel; see `rows.rows_kernel` for the arguments. element: bytes of one."""
    rows, weights, bias, source, source_row, target, low, high = arguments
    floats = register_floats(depth).of(element)
    words = depth // WORD.of(element)
    word = word_type(element)
    columns = (pixels - 1) * stride + GROUP_TAPS
    multiply = emit_dot if element == 2 else emit_fma

    def add(address: ir.Value, distance: int) -> ir.Value:
        return builder.add(address, ir.Constant(INT, distance))

    def times(index: ir.Value, distance: int) -> ir.Value:
        return builder.mul(index, ir.Constant(INT, distance))

    first = emit_load(builder, bias, ir.VectorType(FLOAT, floats))
    sums = [emit_local(builder, first) for _ in range(pixels)]

    def spread(pixel: ir.Value, k: int) -> ir.Value:
        """In each lane word k of its group."""
        if depth >= floats:
            return emit_splat(builder, emit_load(builder, add(pixel, 4 * k), word), floats)
        own = emit_load(builder, pixel, ir.VectorType(word, floats // WORD.of(element)))
        lanes = [lane // depth * words + k for lane in range(floats)]
        order = ir.Constant(ir.VectorType(BITS, floats), lanes)
        return builder.shuffle_vector(own, ir.Constant(own.type, ir.Undefined), order)

    def step(first: ir.Value, weights: ir.Value, k: int) -> None:
        """The products with word k of each group, by one row of the kernel; weights: for word 0."""
        begin = k * GROUP_TAPS
        kind = ir.VectorType(word, floats)
        row = [emit_load(builder, add(weights, 4 * BLOCK * (begin + tap)), kind) for tap in range(GROUP_TAPS)]
        for column in range(columns):
            value = spread(add(first, column * BLOCK * element), k)
            for tap, weight in enumerate(row):
                pixel, between = divmod(column - tap, stride)
                if not between and 0 <= pixel < pixels:
                    total = builder.load(sums[pixel])
                    builder.store(multiply(builder, value, weight, total), sums[pixel])

    with emit_loop(builder, rows) as row:
        first = builder.add(source, builder.mul(row, source_row))
        for line in range(0, columns * BLOCK * element, CACHE_LINE):  # what the next tile of the row reads
            emit_prefetch(builder, add(first, columns * BLOCK * element + line))
        own = builder.add(weights, times(row, weight_row(depth).of(element)))
        if depth < floats:
            for k in range(words):
                step(first, own, k)
        else:
            together = min(words, UNROLL)
            with emit_loop(builder, ir.Constant(INT, words // together)) as some:
                word_bytes = times(some, 4 * together)
                weight_bytes = times(some, 4 * BLOCK * GROUP_TAPS * together)
                for k in range(together):
                    step(builder.add(first, word_bytes), builder.add(own, weight_bytes), k)
    lowest, highest = (emit_splat(builder, bound, floats) for bound in (low, high))
    for pixel, place in enumerate(sums):
        value = emit_min(builder, highest, emit_max(builder, lowest, builder.load(place)))
        emit_store_elements(builder, element, add(target, pixel * BLOCK * element), value)


def _tile(pixels: int, stride: int, depth: int) -> Any:
    """The intrinsic for so many pixels; see `rows.rows_kernel` for its arguments."""

    @intrinsic("int int int int int int float float -> none", by_element=True)
    def tile(builder: ir.IRBuilder, element: int, *arguments: ir.Value) -> None:
        _emit_tile(builder, element, pixels, stride, depth, arguments)

    return tile


def _kernel(stride: int, depth: int) -> Any:
    """`grouped` for one stride along the rows and one number of channels in a group.

    weights: for each row of the kernel and word of a group, GROUP_TAPS rows of a word for each filter of the block.
    """
    return rows_kernel(
        f"grouped{depth}" + (f"_by{stride}" if stride > 1 else ""),
        lambda pixels: _tile(pixels, stride, depth),
        GROUP_TAPS,
        weight_row(depth),
        stride=stride,
        depth=depth,
        floats=register_floats(depth),
    )


grouped = {(stride, depth): _kernel(stride, depth) for stride in GROUP_STRIDES for depth in GROUP_DEPTHS}
