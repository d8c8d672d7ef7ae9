"""The pooling kernel: the largest value or the mean of windows, and whatever else is windows that tables describe; and
the mean of a map whose sums are there already.

A window is a product of three ranges, one per axis, so three short tables say where all windows of a map lie. Items
are rows of a block as in `pointwise`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.footprint import Array, KernelCall, entries, map_axes, shares, steps
from convcalc.backends.numba.jit.intrinsics import (
    eload,
    estore,
    larger,
    larger_of_3,
    larger_of_4,
    load_row,
    row_bytes,
    splat,
    vload,
    vmax,
    vmin,
)
from convcalc.backends.numba.jit.ranges import Ranges
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, LANES, PIXEL
from convcalc.backends.numba.jit.target import WIDTH


class PoolWindow(NamedTuple):
    """A row of a table of windows along one axis: the real pixels covered, and what this axis divides a sum by."""

    start: int
    stop: int
    divisor: int


WINDOW = row_bytes(PoolWindow)


@inline
def _largest_of_row(value: Any, at: int, count: int, step: int) -> Any:
    """The largest of `value` and of `count` neighbours from an address on, every step-th of them."""
    if step == 1 and count == 2:
        return larger_of_3(value, eload(at), eload(at + PIXEL))
    if step == 1 and count == 3:
        return larger_of_4(value, eload(at), eload(at + PIXEL), eload(at + 2 * PIXEL))
    for k in range(0, count, step):
        value = larger(value, eload(at + k * PIXEL))
    return value


@inline
def _largest(at: int, deep: Any, high: Any, wide: Any, plane: int, row: int, steps: Any) -> Any:
    """The largest value of a window, not a number where one of its pixels is none."""
    value = eload(at + deep.start * plane + high.start * row + wide.start * PIXEL)
    for d in range(deep.start, deep.stop, steps[0]):
        for h in range(high.start, high.stop, steps[1]):
            begin = at + d * plane + h * row + wide.start * PIXEL
            value = _largest_of_row(value, begin, wide.stop - wide.start, steps[2])
    return value


@inline
def _mean(at: int, deep: Any, high: Any, wide: Any, plane: int, row: int) -> Any:
    """The sum of a window over the product of its divisors."""
    value = splat(0.0)
    for d in range(deep.start, deep.stop):
        for h in range(high.start, high.stop):
            for w in range(wide.start, wide.stop):
                value = value + eload(at + d * plane + h * row + w * PIXEL)
    return value * splat(1.0 / (deep.divisor * high.divisor * wide.divisor))


@kernel
def pool(
    first: int, stop: int, thread: int, *, largest: int, source: int, source_block: int, source_plane: int,
    source_row: int, target: int, target_block: int, target_plane: int, target_row: int, depths: int,
    heights: int, widths: int, out_depth: int, out_height: int, out_width: int, blocks: int, item_rows: int,
    depth_step: int, height_step: int, width_step: int, empty: float, low: float, high: float,
) -> None:  # fmt: skip
    """The largest value, or the mean, of a window of every output pixel.

    depths, heights and widths hold a `PoolWindow` for each output index of an axis; of a largest value's window only
    every step-th pixel counts. So padding, dilation, ceil mode, adaptive and global pooling, nearest upsampling, and
    padding with a constant, `empty`, where a window covers nothing, are all this.

    Bounds. Starts and stops lie within the real pixels of the source (`pool_windows.py`); rows and pixels of the
    target are counted to out_depth·out_height and out_width.
    """
    lowest, highest = splat(low), splat(high)
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        for line in range(begin, min(out_depth * out_height, begin + item_rows)):
            d, h = line // out_height, line % out_height
            deep, tall = load_row(depths + d * WINDOW, PoolWindow), load_row(heights + h * WINDOW, PoolWindow)
            to = target + block * target_block + d * target_plane + h * target_row
            for x in range(out_width):
                wide = load_row(widths + x * WINDOW, PoolWindow)
                nothing = deep.start >= deep.stop or tall.start >= tall.stop or wide.start >= wide.stop
                for lane in range(LANES):
                    inside = lane * WIDTH * ELEMENT
                    at = source + block * source_block + inside
                    if nothing:
                        value = splat(empty)
                    elif largest:
                        steps = depth_step, height_step, width_step
                        value = _largest(at, deep, tall, wide, source_plane, source_row, steps)
                    else:
                        value = _mean(at, deep, tall, wide, source_plane, source_row)
                    estore(to + x * PIXEL + inside, vmin(highest, vmax(lowest, value)))


@kernel
def mean_of_sums(
    first: int, stop: int, thread: int, *, sums: int, parts: int, blocks: int, share: float, target: int,
    target_block: int, low: float, high: float,
) -> None:  # fmt: skip
    """The mean of each channel, from its sums over parts of the map: `share` of their sum. An item is one block.

    Bounds. sums holds whole blocks of floats for every part, target one pixel.
    """
    lowest, highest = splat(low), splat(high)
    for block in range(first, stop):
        for lane in range(LANES):
            total = splat(0.0)
            for part in range(parts):
                total = total + vload(sums + (part * blocks + block) * BLOCK * 4 + lane * WIDTH * 4)
            to = target + block * target_block + lane * WIDTH * ELEMENT
            estore(to, vmin(highest, vmax(lowest, total * splat(share))))


@mean_of_sums.footprint
def mean_of_sums_footprint(call: KernelCall) -> None:
    """The sums of the items' blocks, part after part, and their pixel of the target."""
    parts = steps("blocks", max(0, call.parts), call.blocks * BLOCK * 4)
    call.reads("sums", call.sums, call.items * BLOCK * 4, parts)
    call.writes("target", call.target, call.pixel_bytes, steps("target_block", call.items, call.target_block))


def _covered(call: KernelCall, name: str, count: int, step: int) -> Array:
    """The places that an axis' windows cover."""
    table = call.table_rows(name, call.values[name], PoolWindow, count)
    call.needs(step > 0, f"the step within {name} is {step}, and must be at least 1")
    starts, stops = table[:, 0], table[:, 1]
    if step == 1:
        return Ranges.union(starts, stops).places()
    places = starts[:, None] + np.arange(0, int((stops - starts).max(initial=0)), step)
    covered: Array = np.unique(places[places < stops[:, None]])
    return covered


@pool.footprint
def pool_footprint(call: KernelCall) -> None:
    """The windows of every output pixel, which are products of three ranges."""
    call.positive("out_height")
    steps_of = (call.depth_step, call.height_step, call.width_step) if call.largest else (1, 1, 1)
    for blocks, rows in shares(call, call.item_rows, call.out_depth * call.out_height):
        planes = int(rows[-1]) // call.out_height + 1
        across = _covered(call, "widths", max(0, call.out_width), steps_of[2])
        deep = _covered(call, "depths", planes, steps_of[0])
        down = _covered(call, "heights", min(call.out_height, int(rows[-1]) + 1), steps_of[1])
        call.reads(
            "source", call.source, call.pixel_bytes, entries("widths", across * call.pixel_bytes),
            entries("heights", down * call.source_row), entries("depths", deep * call.source_plane),
            steps("source_block", blocks, call.source_block),
        )  # fmt: skip
        size = call.out_width, call.out_height
        call.writes("target", call.target, call.pixel_bytes, *map_axes(call, "target", rows, blocks, size))
