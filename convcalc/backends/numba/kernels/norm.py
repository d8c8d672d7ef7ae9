"""Kernels that normalise across the channels of each pixel: local response and layer normalisation, softmax."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.footprint import AccessAxis, Array, KernelCall, lines, map_axes, steps
from convcalc.backends.numba.jit.intrinsics import (
    below,
    eload,
    estore,
    fma,
    largest_lane,
    load_element,
    load_float,
    splat,
    store_float,
    total,
    vload,
    vmax,
    vsqrt,
    vstore,
)
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, LANES, PIXEL
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.kernels.activations import exponential

MINUS_INFINITY = float("-inf")
MAX_FLOAT = float(np.finfo(np.float32).max)
THREE_QUARTERS = int(np.float32(0.75).view(np.uint32))  # its bits, as in a record


@kernel
def lrn(
    first: int, stop: int, thread: int, *, source: int, source_block: int, source_plane: int, source_row: int,
    target: int, target_block: int, target_plane: int, target_row: int, height: int, width: int, blocks: int,
    channels: int, size: int, factor: float, beta: float, k: float, scratch: int, scratch_bytes: int,
) -> None:  # fmt: skip
    """x/(k + factor·Σx²)^beta with the sum over `size` channels around each. Item i is row i.

    The usual beta, 0.75, needs two square roots: s^0.75 = √s·√√s (Krizhevsky et al. 2012, 3.3, has the formula).

    Bounds. The squares of a pixel's channels lie in scratch memory with size + BLOCK zeros before and after, so that
    unaligned windows of whole registers stay inside; channels beyond `channels` count as zeros.
    """
    line = scratch + thread * scratch_bytes
    margin = (size + BLOCK) * 4
    squares = line + margin
    for place in range(2 * (size + BLOCK) + blocks * BLOCK):
        store_float(line + 4 * place, 0.0)
    for row in range(first, stop):
        at = source + (row // height) * source_plane + (row % height) * source_row
        to = target + (row // height) * target_plane + (row % height) * target_row
        for x in range(width):
            for block in range(blocks):
                for lane in range(LANES):
                    value = eload(at + block * source_block + x * PIXEL + lane * WIDTH * ELEMENT)
                    vstore(squares + block * BLOCK * 4 + lane * WIDTH * 4, value * value)
            for c in range(channels, blocks * BLOCK):
                store_float(squares + 4 * c, 0.0)
            for block in range(blocks):
                for lane in range(LANES):
                    inside = block * BLOCK * 4 + lane * WIDTH * 4
                    around = splat(0.0)
                    for j in range(size):
                        around = around + vload(squares + inside + 4 * (j - size // 2))
                    scale = fma(around, splat(factor), splat(k))
                    value = eload(at + block * source_block + x * PIXEL + lane * WIDTH * ELEMENT)
                    out = to + block * target_block + x * PIXEL + lane * WIDTH * ELEMENT
                    if beta == 0.75:
                        root = vsqrt(scale)
                        estore(out, value / (root * vsqrt(root)))
                    else:
                        vstore(line, scale)
                        for i in range(WIDTH):
                            store_float(line + 4 * i, load_float(line + 4 * i) ** -beta)
                        estore(out, value * vload(line))
                        vstore(line, splat(0.0))


def _pixels(call: KernelCall, prefix: str) -> tuple[AccessAxis, AccessAxis]:
    """The axes of all pixels in the rows of the items."""
    call.positive("height")
    strides, rows = call.values, np.arange(call.items, dtype=np.int64)
    line = lines(rows, call.height, strides[f"{prefix}_plane"], strides[f"{prefix}_row"])
    return steps("pixel", call.width, call.pixel_bytes), line


@lrn.footprint
def lrn_footprint(call: KernelCall) -> None:
    """Whole pixels of both maps, and scratch memory for the channels of a pixel."""
    if call.items <= 0:
        return
    blocks, margin = max(0, call.blocks), (call.size + BLOCK) * 4
    line = call.scratch
    call.writes("scratch", line, max(0, 2 * margin + blocks * BLOCK * 4))
    if call.width <= 0:
        return
    call.reads(
        "source",
        call.source,
        call.pixel_bytes,
        *_pixels(call, "source"),
        steps("source_block", blocks, call.source_block),
    )
    call.writes("scratch", line + margin, blocks * BLOCK * 4)
    unused = max(0, blocks * BLOCK - call.channels)
    call.writes("scratch", line + margin + 4 * call.channels, 4 * unused)
    reach = BLOCK * 4 + 4 * (call.size - 1) if call.size > 0 else 0
    window = line + margin - 4 * (call.size // 2)
    call.reads("scratch", window, reach, steps("block", blocks, BLOCK * 4))
    if call.beta != THREE_QUARTERS:
        call.reads("scratch", line, WIDTH * 4 * (blocks > 0))
    call.writes(
        "target",
        call.target,
        call.pixel_bytes,
        *_pixels(call, "target"),
        steps("target_block", blocks, call.target_block),
    )


@inline
def _real(real: int, lane: int, is_last: bool, value: Any, otherwise: Any) -> Any:
    """A register of a block; in the last block, `otherwise` for the lanes that are no channels."""
    if is_last:
        return below(splat(0.0), vload(real + lane * WIDTH * 4), value, otherwise)
    return value


@kernel
def softmax(
    first: int, stop: int, thread: int, *, source: int, source_block: int, source_plane: int, source_row: int,
    target: int, target_block: int, target_plane: int, target_row: int, height: int, width: int,
    item_width: int, row_items: int, channels: int, real: int,
) -> None:  # fmt: skip
    """eˣ/Σeˣ over the channels of each pixel. The largest x is subtracted first, against overflow.

    Items and bounds as for layernorm.
    """
    blocks = (channels + BLOCK - 1) // BLOCK
    for item in range(first, stop):
        row, begin = item // row_items, item % row_items * item_width
        for x in range(begin, min(width, begin + item_width)):
            at = source + (row // height) * source_plane + (row % height) * source_row + x * PIXEL
            to = target + (row // height) * target_plane + (row % height) * target_row + x * PIXEL
            highest = splat(MINUS_INFINITY)
            for block in range(blocks):
                for lane in range(LANES):
                    value = eload(at + block * source_block + lane * WIDTH * ELEMENT)
                    value = _real(real, lane, block == blocks - 1, value, splat(MINUS_INFINITY))
                    highest = vmax(value, highest)
            shift = splat(largest_lane(highest))
            sums = splat(0.0)
            for block in range(blocks):
                for lane in range(LANES):
                    inside = lane * WIDTH * ELEMENT
                    power = exponential(eload(at + block * source_block + inside) - shift)
                    power = _real(real, lane, block == blocks - 1, power, splat(0.0))
                    sums = sums + power
                    estore(to + block * target_block + inside, power)
            factor = splat(1.0 / total(sums))
            for block in range(blocks):
                for lane in range(LANES):
                    place = to + block * target_block + lane * WIDTH * ELEMENT
                    value = eload(place) * factor
                    estore(place, _real(real, lane, block == blocks - 1, value, splat(0.0)))


def _parts(call: KernelCall) -> Iterator[tuple[Array, tuple[int, int]]]:
    """The rows of the items, and how many pixels of each: whole rows, and a part of one more."""
    call.positive("channels", "height", "row_items")
    rows, rest = divmod(call.items, call.row_items)
    for first, stop, items in ((0, rows, call.row_items), (rows, rows + (rest > 0), rest)):
        width = min(call.width, items * call.item_width)
        if first < stop and width > 0:
            yield np.arange(first, stop, dtype=np.int64), (width, call.height)


@softmax.footprint
def softmax_footprint(call: KernelCall) -> None:
    """Whole pixels of both maps, the target's read again to be divided by their sum."""
    blocks = -(-call.channels // BLOCK)
    for rows, size in _parts(call):
        call.reads("real", call.real, BLOCK * 4)
        call.reads("source", call.source, call.pixel_bytes, *map_axes(call, "source", rows, blocks, size))
        target = map_axes(call, "target", rows, blocks, size)
        call.writes("target", call.target, call.pixel_bytes, *target)
        call.reads("target", call.target, call.pixel_bytes, *target)


@inline
def _sum_of_channels(at: int, block: int, blocks: int, real: int) -> float:
    """The sum of a pixel's channels, by four accumulators, as an addition waits for the one before. real: a block of
    factors, 0 for what the last block holds beyond them."""
    a, b, c, d = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    last = blocks - 1
    whole = last - last % 4
    for lane in range(LANES):
        own = at + lane * WIDTH * ELEMENT
        for k in range(0, whole, 4):
            a = a + eload(own + k * block)
            b = b + eload(own + (k + 1) * block)
            c = c + eload(own + (k + 2) * block)
            d = d + eload(own + (k + 3) * block)
        for k in range(whole, last):
            a = a + eload(own + k * block)
        a = fma(eload(own + last * block), vload(real + lane * WIDTH * 4), a)
    return total((a + b) + (c + d))  # type: ignore[no-any-return]


@inline
def _squares_of_channels(at: int, block: int, blocks: int, mean: float, real: int) -> float:
    """Σ(x − mean)² of a pixel's channels. real: a block of factors, 0 for what the last block holds beyond them."""
    a, b, c, d = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    shift = splat(mean)
    last = blocks - 1
    whole = last - last % 4
    for lane in range(LANES):
        own = at + lane * WIDTH * ELEMENT
        for k in range(0, whole, 4):
            x, y = eload(own + k * block) - shift, eload(own + (k + 1) * block) - shift
            a, b = fma(x, x, a), fma(y, y, b)
            x, y = eload(own + (k + 2) * block) - shift, eload(own + (k + 3) * block) - shift
            c, d = fma(x, x, c), fma(y, y, d)
        for k in range(whole, last):
            x = eload(own + k * block) - shift
            a = fma(x, x, a)
        x = (eload(own + last * block) - shift) * vload(real + lane * WIDTH * 4)
        a = fma(x, x, a)
    return total((a + b) + (c + d))  # type: ignore[no-any-return]


@inline
def _moments_in_double(at: int, block: int, channels: int) -> tuple[float, float]:
    """The mean and the variance of a pixel's channels in float64, where float32 overflows."""
    sum_of_values = 0.0
    for c in range(channels):
        sum_of_values += load_element(at + c // BLOCK * block + c % BLOCK * ELEMENT)
    mean = sum_of_values / channels
    sum_of_squares = 0.0
    for c in range(channels):
        off = load_element(at + c // BLOCK * block + c % BLOCK * ELEMENT) - mean
        sum_of_squares += off * off
    return mean, sum_of_squares / channels


@kernel
def layernorm(
    first: int, stop: int, thread: int, *, source: int, source_block: int, source_plane: int, source_row: int,
    target: int, target_block: int, target_plane: int, target_row: int, height: int, width: int,
    item_width: int, row_items: int, channels: int, weight: int, bias: int, real: int, eps: float,
) -> None:  # fmt: skip
    """(x − mean)/√(variance + eps)·weight + bias over the channels of each pixel.

    An item is item_width pixels of a row, or those that are left; a row has row_items of them.

    Bounds. Whole blocks are read and written; what the source's last block holds beyond `channels` is finite, as in
    every map, and not always 0: a sigmoid's is ½. weight and bias hold whole blocks, with zeros beyond `channels`; real
    holds a block, 1 for each channel of the last block and 0 beyond.
    """
    blocks = (channels + BLOCK - 1) // BLOCK
    for item in range(first, stop):
        row, begin = item // row_items, item % row_items * item_width
        for x in range(begin, min(width, begin + item_width)):
            at = source + (row // height) * source_plane + (row % height) * source_row + x * PIXEL
            to = target + (row // height) * target_plane + (row % height) * target_row + x * PIXEL
            mean = _sum_of_channels(at, source_block, blocks, real) / channels
            variance = _squares_of_channels(at, source_block, blocks, mean, real) / channels
            if not variance < MAX_FLOAT:  # NaN too
                mean, variance = _moments_in_double(at, source_block, channels)
            shift, factor = splat(mean), splat(1.0 / sqrt(variance + eps))
            for block in range(blocks):
                for lane in range(LANES):
                    inside, parameter = lane * WIDTH * ELEMENT, block * BLOCK * 4 + lane * WIDTH * 4
                    value = eload(at + block * source_block + inside) - shift
                    own = vload(weight + parameter) * factor
                    value = fma(value, own, vload(bias + parameter))
                    estore(to + block * target_block + inside, value)


@layernorm.footprint
def layernorm_footprint(call: KernelCall) -> None:
    """Whole pixels of both maps, and the weight and bias of each channel."""
    blocks = -(-call.channels // BLOCK)
    for rows, size in _parts(call):
        call.reads("weight", call.weight, blocks * BLOCK * 4)
        call.reads("bias", call.bias, blocks * BLOCK * 4)
        call.reads("real", call.real, BLOCK * 4)
        call.reads("source", call.source, call.pixel_bytes, *map_axes(call, "source", rows, blocks, size))
        call.writes("target", call.target, call.pixel_bytes, *map_axes(call, "target", rows, blocks, size))
