"""Depthwise convolutions: a filter per channel, so that a register of inputs is multiplied by a register of weights.

Their cost is loads, one for each product, unless neighbouring outputs share them. `depthwise_rows` walks along a row
whose windows overlap and loads each input pixel once for a whole row of the kernel. `depthwise` takes any stride,
dilation and number of axes, with tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from convcalc.backends.numba.jit.cache import Kernel, kernel
from convcalc.backends.numba.jit.declare import intrinsic
from convcalc.backends.numba.jit.emit import (
    BITS,
    INT,
    INT_REGISTER,
    REGISTER,
    SHORT,
    emit_dot,
    emit_fma,
    emit_load,
    emit_load_elements,
    emit_local,
    emit_loop,
    emit_max,
    emit_min,
    emit_splat,
    emit_store_elements,
)
from convcalc.backends.numba.jit.footprint import KernelCall, entries, steps
from convcalc.backends.numba.jit.intrinsics import call
from convcalc.backends.numba.jit.sizes import BLOCK, LANES, PIXELS, Sized
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.kernels.rows import finishes, rows_kernel


@intrinsic("int int int int int int int int float float -> none", by_element=True)
def depthwise_tile(builder: ir.IRBuilder, element: int, *arguments: ir.Value) -> None:
    """PIXELS output pixels of one block: each tap's input registers times that tap's weights."""
    taps, tap_count, weights, bias, source, source_pixels, target, target_pixels, low, high = arguments

    def entry(table: ir.Value, place: ir.Value) -> ir.Value:
        address = builder.add(table, builder.mul(place, ir.Constant(INT, 4)))
        return builder.sext(emit_load(builder, address, ir.IntType(32)), INT)

    def lane(address: ir.Value, place: int, size: int = 4) -> ir.Value:
        return builder.add(address, ir.Constant(INT, place * WIDTH * size))

    starts = [builder.add(source, entry(source_pixels, ir.Constant(INT, p))) for p in range(PIXELS)]
    first = [emit_load(builder, lane(bias, v)) for v in range(LANES)]
    sums = [[emit_local(builder, value) for value in first] for _ in starts]
    with emit_loop(builder, tap_count) as tap:
        shift = entry(taps, tap)
        at = builder.add(weights, builder.mul(tap, ir.Constant(INT, BLOCK * 4)))
        weight = [emit_load(builder, lane(at, v)) for v in range(LANES)]
        for start, row in zip(starts, sums, strict=True):
            pixel = builder.add(start, shift)
            for v, place in enumerate(row):
                value = emit_load_elements(builder, element, lane(pixel, v, element))
                builder.store(emit_fma(builder, value, weight[v], builder.load(place)), place)
    lowest, highest = emit_splat(builder, low), emit_splat(builder, high)
    for p, row in enumerate(sums):
        base = builder.add(target, entry(target_pixels, ir.Constant(INT, p)))
        for v, place in enumerate(row):
            value = emit_min(builder, highest, emit_max(builder, lowest, builder.load(place)))
            emit_store_elements(builder, element, lane(base, v, element), value)


@kernel
def depthwise(
    first: int, stop: int, thread: int, *, taps: int, tap_count: int, weights: int, block_weights: int,
    bias: int, source: int, source_block: int, source_pixels: int, target: int, target_block: int,
    target_pixels: int, pixels: int, chunk_pixels: int, blocks: int, low: float, high: float, finish: int,
    finish_record: int, sums: int,
) -> None:  # fmt: skip
    """A convolution with one filter per channel. An item is one chunk of pixels of one block.

    sums: of each item, those that `finish` makes; 0 for none.

    Bounds. As for sweep: table entries plus tap offsets lie in the padded input. A chunk of fewer than PIXELS pixels
    is the whole plane, whose tables are continued by copies of the last entry.
    """
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * chunk_pixels
        end = min(pixels, begin + chunk_pixels)
        pixel = begin
        while pixel < end:
            at = pixel if end - pixel >= PIXELS else max(begin, end - PIXELS)
            depthwise_tile(
                taps, tap_count, weights + block * block_weights, bias + block * BLOCK * 4,
                source + block * source_block, source_pixels + 4 * at, target + block * target_block,
                target_pixels + 4 * at, low, high,
            )  # fmt: skip
            pixel += PIXELS
        if finish:
            own = sums + item * BLOCK * 4 if sums else 0
            call(finish, (finish_record, target + block * target_block, begin, end, 1, own))


@depthwise.footprint
def depthwise_footprint(call: KernelCall) -> None:
    """The windows of all pixels in the blocks of the items."""
    call.positive("blocks", "chunk_pixels")
    whole, rest = divmod(call.items, call.blocks)
    chunk, pixel = call.chunk_pixels, call.pixel_bytes
    for blocks, first, stop in ((call.blocks, 0, whole), (rest, whole, whole + 1)):
        begin, end = first * chunk, min(call.pixels, stop * chunk)
        if begin >= end or not blocks:
            continue
        last = begin + (end - begin - 1) // chunk * chunk
        reached = (
            max(end, last + PIXELS) if end - last < PIXELS else end
        )  # a chunk of fewer is a tile all the same
        starts = call.table("source_pixels", call.source_pixels + 4 * begin, reached - begin)
        targets = call.table("target_pixels", call.target_pixels + 4 * begin, reached - begin)
        taps = call.table("taps", call.taps, max(0, call.tap_count))
        own = steps("block_weights", blocks, call.block_weights)
        call.reads("weights", call.weights, len(taps) * BLOCK * 4, own)
        call.reads("bias", call.bias, blocks * BLOCK * 4)
        windows = entries("source_pixels", starts, begin)
        call.reads(
            "source", call.source, pixel, windows, entries("taps", taps),
            steps("source_block", blocks, call.source_block),
        )  # fmt: skip
        written = entries("target_pixels", targets, begin)
        call.writes("target", call.target, pixel, written, steps("target_block", blocks, call.target_block))
        finishes(call, blocks, begin, end, range(first, stop))


# --- rows of windows that overlap --------------------------------------------------------------------------------

ROW_TAPS = (3, 5, 7)  # the kernel widths for which there is a kernel


def weight_registers(taps: int, element: int) -> int:
    """Registers that the weights of a kernel's row take: one for each tap, or of bfloat16 one for each pair of
    neighbours and one, of floats, for the last."""
    return taps if element == 4 else taps // 2 + 1


def _emit_row_tile(
    builder: ir.IRBuilder, element: int, pixels: int, taps: int, arguments: Sequence[ir.Value]
) -> None:
    """Emits a tile of one register per pixel; see `rows.rows_kernel` for the arguments. element: bytes of one."""
    rows, weights, bias, source, source_row, target, low, high = arguments

    def place(base: ir.Value, pixel: int, size: int = 4) -> ir.Value:
        return builder.add(base, ir.Constant(INT, pixel * BLOCK * size))

    first = emit_load(builder, bias)
    sums = [emit_local(builder, first) for _ in range(pixels)]

    def add(multiply: Callable[..., ir.Value], pixel: int, value: ir.Value, weight: ir.Value) -> None:
        """Adds a product to the sum of a pixel, if that is one of this tile."""
        if 0 <= pixel < pixels:
            own = sums[pixel]
            builder.store(multiply(builder, value, weight, builder.load(own)), own)

    registers = weight_registers(taps, element)
    kinds = [INT_REGISTER] * (registers - 1) + [REGISTER] if element == 2 else [REGISTER] * registers
    with emit_loop(builder, rows) as row:
        at = builder.add(source, builder.mul(row, source_row))
        weight_row = builder.add(weights, builder.mul(row, ir.Constant(INT, registers * BLOCK * 4)))
        weight = [emit_load(builder, place(weight_row, n), kind) for n, kind in enumerate(kinds)]
        # Each input pixel is loaded once and multiplied by every tap that an output of this tile reads it with.
        if element == 2:
            for column in range(pixels + taps - 2):
                both = _emit_neighbours(builder, place(at, column, element), place(at, column + 1, element))
                for pair in range(registers - 1):
                    add(emit_dot, column - 2 * pair, both, weight[pair])
                upper = builder.and_(both, ir.Constant(INT_REGISTER, [0xFFFF0000] * WIDTH))
                add(emit_fma, column + 2 - taps, builder.bitcast(upper, REGISTER), weight[-1])
        else:
            for column in range(pixels + taps - 1):
                value = emit_load(builder, place(at, column, element))
                for tap in range(taps):
                    add(emit_fma, column - tap, value, weight[tap])
    lowest, highest = emit_splat(builder, low), emit_splat(builder, high)
    for pixel, own in enumerate(sums):
        value = emit_min(builder, highest, emit_max(builder, lowest, builder.load(own)))
        emit_store_elements(builder, element, place(target, pixel, element), value)


def _emit_neighbours(builder: ir.IRBuilder, pixel: ir.Value, following: ir.Value) -> ir.Value:
    """The elements of bfloat16 of two pixels as words, channel by channel, the second's in their upper halves."""
    order = [lane + side * WIDTH for lane in range(WIDTH) for side in (0, 1)]
    lanes = ir.Constant(ir.VectorType(BITS, 2 * WIDTH), order)
    if LANES == 1:  # they are neighbours in memory too
        first = emit_load(builder, pixel, ir.VectorType(SHORT, 2 * WIDTH))
        second = ir.Constant(first.type, ir.Undefined)
    else:
        first, second = (emit_load(builder, at, ir.VectorType(SHORT, WIDTH)) for at in (pixel, following))
    return builder.bitcast(builder.shuffle_vector(first, second, lanes), INT_REGISTER)


def _row_tile(pixels: int, taps: int) -> Any:
    """The intrinsic for so many pixels and taps; see `rows.rows_kernel` for its arguments. weights: for each row of the
    kernel, the registers of `weight_registers`.

    Of bfloat16, two neighbouring pixels of a channel are a word, whose products with two taps are one instruction. The
    last tap, as kernels are of odd width, multiplies floats: its pixel is the upper half of such a word.
    """

    @intrinsic("int int int int int int float float -> none", by_element=True)
    def tile(builder: ir.IRBuilder, element: int, *arguments: ir.Value) -> None:
        _emit_row_tile(builder, element, pixels, taps, arguments)

    return tile


def _rows_kernel(taps: int) -> Kernel:
    """`depthwise_rows` for kernels of one width."""
    weight_row = Sized(*(BLOCK * 4 * weight_registers(taps, element) for element in (4, 2)))
    return rows_kernel(f"depthwise_rows{taps}", lambda pixels: _row_tile(pixels, taps), taps, weight_row)


depthwise_rows = {taps: _rows_kernel(taps) for taps in ROW_TAPS}
