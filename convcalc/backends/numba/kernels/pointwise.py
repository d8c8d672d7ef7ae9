"""Kernels that compute each number from those at the same place: sums, products, affine maps, activations.

Their common shape, which `pool` and the copies share: an item is a run of rows of one block; the same rows of all
blocks follow one another, so that a thread that takes a share of the items stays in its own part of the image from one
step to the next. Row (d, h) of block b of a tensor begins at b·block + d·plane + h·row bytes from its first real pixel.
"""

from __future__ import annotations

from math import nan
from typing import Any

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.footprint import KernelCall, entries, map_axes, shares, steps
from convcalc.backends.numba.jit.intrinsics import (
    below,
    eload,
    estore,
    fma,
    larger,
    load_offset,
    splat,
    vload,
    vmax,
    vmin,
    vstore,
)
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, LANES, PIXEL
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.kernels.activations import GELU, HARDSWISH, SILU, activation

# Modes of `combine`: a factor and an offset per channel, and the joins of two maps. A further join is a number here
# and a branch in `_joined`.
AFFINE, ADD, MULTIPLY, SUBTRACT, DIVIDE, MAXIMUM, MINIMUM = range(7)


@inline
def _joined(mode: int, a: Any, b: Any) -> Any:
    """The join of a mode. Where one of both is NaN, so are the larger and the smaller. A mode without a branch gives
    NaN, which every test of the operator sees."""
    if mode == SUBTRACT:
        return a - b
    if mode == DIVIDE:
        return a / b
    if mode == MAXIMUM:
        return larger(a, b)
    if mode == MINIMUM:
        zero = splat(0.0)
        return zero - larger(zero - a, zero - b)
    return splat(nan)


@kernel
def combine(
    first: int, stop: int, thread: int, *, mode: int, source: int, source_block: int, source_plane: int,
    source_row: int, source_pixel: int, other: int, other_block: int, other_plane: int, other_row: int,
    other_pixel: int, scale: int, shift: int, target: int, target_block: int, target_plane: int, target_row: int,
    height: int, width: int, rows: int, blocks: int, item_rows: int, low: float, high: float,
) -> None:  # fmt: skip
    """source·scale + shift per channel, or a join of source and other, bounded by low and high.

    The strides of source and other are 0 along axes over which they are broadcast. For DIVIDE, shift is above ½ in the
    lanes that no channel uses: they become 1, as 0/0 would be NaN.

    Bounds. Rows < rows and pixels < width of the blocks of the items are read and written; scale and shift hold whole
    blocks.
    """
    lowest, highest = splat(low), splat(high)
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        for line in range(begin, min(rows, begin + item_rows)):
            d, h = line // height, line % height
            at = source + block * source_block + d * source_plane + h * source_row
            too = other + block * other_block + d * other_plane + h * other_row
            to = target + block * target_block + d * target_plane + h * target_row
            for lane in range(LANES):
                inside, own = lane * WIDTH * ELEMENT, block * BLOCK * 4 + lane * WIDTH * 4
                if mode == AFFINE:
                    a = vload(scale + own)
                    b = vload(shift + own)
                    for x in range(width):
                        value = fma(eload(at + x * PIXEL + inside), a, b)
                        estore(to + x * PIXEL + inside, vmin(highest, vmax(lowest, value)))
                elif mode == ADD:
                    for x in range(width):
                        value = eload(at + x * source_pixel + inside) + eload(too + x * other_pixel + inside)
                        estore(to + x * PIXEL + inside, vmin(highest, vmax(lowest, value)))
                elif mode == MULTIPLY:
                    for x in range(width):
                        value = eload(at + x * source_pixel + inside) * eload(too + x * other_pixel + inside)
                        estore(to + x * PIXEL + inside, vmin(highest, vmax(lowest, value)))
                else:
                    unused = splat(0.0)
                    if mode == DIVIDE:
                        unused = vload(shift + own)
                    for x in range(width):
                        value = _joined(
                            mode, eload(at + x * source_pixel + inside), eload(too + x * other_pixel + inside)
                        )
                        value = below(unused, splat(0.5), value, splat(1.0))
                        estore(to + x * PIXEL + inside, vmin(highest, vmax(lowest, value)))


@combine.footprint
def combine_footprint(call: KernelCall) -> None:
    """All pixels of the maps, and the scale and shift of each channel."""
    call.positive("height")
    for blocks, rows in shares(call, call.item_rows, call.rows):
        if call.mode == AFFINE:
            call.reads("scale", call.scale, blocks * BLOCK * 4)
            call.reads("shift", call.shift, blocks * BLOCK * 4)
            call.reads("source", call.source, call.pixel_bytes, *map_axes(call, "source", rows, blocks))
        else:
            if call.mode == DIVIDE:
                call.reads("shift", call.shift, blocks * BLOCK * 4)
            for name in ("source", "other"):
                axes = map_axes(call, name, rows, blocks, pixel=call.values[f"{name}_pixel"])
                call.reads(name, call.values[name], call.pixel_bytes, *axes)
        call.writes("target", call.target, call.pixel_bytes, *map_axes(call, "target", rows, blocks))


@kernel
def activate(
    first: int, stop: int, thread: int, *, function: int, slopes: int, source: int, source_block: int,
    source_plane: int, source_row: int, target: int, target_block: int, target_plane: int, target_row: int,
    height: int, width: int, rows: int, blocks: int, item_rows: int,
) -> None:  # fmt: skip
    """One of `activations.ACTIVATIONS` of each number; slopes holds a parameter for each channel, in whole blocks.

    Bounds. As for combine.
    """
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        for line in range(begin, min(rows, begin + item_rows)):
            d, h = line // height, line % height
            at = source + block * source_block + d * source_plane + h * source_row
            to = target + block * target_block + d * target_plane + h * target_row
            for lane in range(LANES):
                inside = lane * WIDTH * ELEMENT
                slope = vload(slopes + block * BLOCK * 4 + lane * WIDTH * 4)
                for x in range(width):
                    value = eload(at + x * PIXEL + inside)
                    estore(to + x * PIXEL + inside, activation(function, value, slope))


@activate.footprint
def activate_footprint(call: KernelCall) -> None:
    """All pixels of both maps, and a parameter for each channel."""
    call.positive("height")
    for blocks, rows in shares(call, call.item_rows, call.rows):
        call.reads("slopes", call.slopes, blocks * BLOCK * 4)
        call.reads("source", call.source, call.pixel_bytes, *map_axes(call, "source", rows, blocks))
        call.writes("target", call.target, call.pixel_bytes, *map_axes(call, "target", rows, blocks))


def _pass_of(function: int | None) -> Any:
    """The loop of `finish`, compiled for one function; None: for any of them, with a comparison for each register."""

    @inline
    def computed(any_function: int, value: Any, slope: Any) -> Any:
        if function is None:
            return activation(any_function, value, slope)
        return activation(function, value, slope)

    @inline
    def work(
        any_function: int,
        slope: Any,
        target: int,
        target_block: int,
        pixels: int,
        first: int,
        stop: int,
        blocks: int,
        sums: int,
    ) -> None:
        for block in range(blocks):
            for lane in range(LANES):
                base = target + block * target_block + lane * WIDTH * ELEMENT
                if not sums:  # an addition to one register, pixel after pixel, is not free
                    for pixel in range(first, stop):
                        at = base + load_offset(pixels + 4 * pixel)
                        estore(at, computed(any_function, eload(at), slope))
                    continue
                total = splat(0.0)
                for pixel in range(first, stop):
                    at = base + load_offset(pixels + 4 * pixel)
                    value = computed(any_function, eload(at), slope)
                    estore(at, value)
                    total = total + value
                vstore(sums + block * BLOCK * 4 + lane * WIDTH * 4, total)

    return work


_silu, _hardswish, _gelu, _any = map(_pass_of, (SILU, HARDSWISH, GELU, None))


@kernel
def finish(
    target: int, first: int, stop: int, blocks: int, sums: int, *, function: int, slope: float, target_pixels: int,
    target_block: int,
) -> None:  # fmt: skip
    """An activation in place, on pixels first..stop of a table and some blocks, which a convolution has just written.

    sums: where the sum of each channel over these pixels goes, before it is rounded to elements; 0 for none.

    Bounds. As for the target of the convolution; sums holds whole blocks of floats.
    """
    slopes = splat(slope)
    if function == SILU:
        _silu(function, slopes, target, target_block, target_pixels, first, stop, blocks, sums)
    elif function == HARDSWISH:
        _hardswish(function, slopes, target, target_block, target_pixels, first, stop, blocks, sums)
    elif function == GELU:
        _gelu(function, slopes, target, target_block, target_pixels, first, stop, blocks, sums)
    else:
        _any(function, slopes, target, target_block, target_pixels, first, stop, blocks, sums)


@finish.footprint
def finish_footprint(call: KernelCall) -> None:
    """The pixels of the blocks, which are read and written."""
    if call.blocks <= 0 or call.first >= call.stop:
        return
    table = call.table("target_pixels", call.target_pixels + 4 * call.first, call.stop - call.first)
    places = (
        entries("target_pixels", table, call.first),
        steps("target_block", call.blocks, call.target_block),
    )
    call.reads("target", call.target, call.pixel_bytes, *places)
    call.writes("target", call.target, call.pixel_bytes, *places)
    if call.sums:
        call.writes("sums", call.sums, call.blocks * BLOCK * 4)
