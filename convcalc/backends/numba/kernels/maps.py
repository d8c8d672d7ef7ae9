"""Kernels on blocked maps that are no matrix products: pooling, sums and products, activations, moving channels.

Their common shape: an item is a run of rows of one block; the same rows of all blocks follow one another, so that a
thread that takes a share of the items stays in its own part of the image from one step to the next. Row (d, h) of
block b of a tensor begins at b·block + d·plane + h·row bytes from its first real pixel; pixels are 64 bytes apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.footprint import Array, Axis, Call, entries, lines, shares, steps
from convcalc.backends.numba.jit.ranges import Ranges
from convcalc.backends.numba.jit.simd import (
    BLOCK,
    LANES,
    WIDTH,
    as_float,
    fields,
    fma,
    inline,
    larger,
    larger_of_3,
    larger_of_4,
    load_float,
    load_int,
    load_offset,
    splat,
    store_float,
    vload,
    vmax,
    vmin,
    vstore,
)
from convcalc.backends.numba.kernels.activations import GELU, HARDSWISH, SILU, activation

PIXEL = BLOCK * 4  # bytes
AFFINE, ADD, MULTIPLY = range(3)


@kernel(
    "largest source source_block source_plane source_row target target_block target_plane target_row depths heights "
    "widths out_depth out_height out_width blocks item_rows depth_step height_step width_step empty low high"
)
def pool(record: int, first: int, stop: int, thread: int) -> None:
    """The largest value, or the mean, of a window of every output pixel.

    Three tables (depths, heights, widths) hold (start, stop, divisor) as int32 for each output index of an axis:
    the real pixels a window covers there, `step` apart, and what the sum is divided by. So padding, dilation, ceil
    mode, adaptive and global pooling, nearest upsampling and padding with a constant, `empty`, where a window covers
    nothing, are all this.

    Bounds. Starts and stops lie within the real pixels of the source (`windows.py`); rows and pixels of the target
    are counted to out_depth·out_height and out_width.
    """
    (largest, source, source_block, source_plane, source_row, target, target_block, target_plane, target_row, depths,
     heights, widths, out_depth, out_height, out_width, blocks, item_rows, depth_step, height_step, width_step, empty,
     low, high) = fields(record, 23)  # fmt: skip
    rows = out_depth * out_height
    lowest, highest = splat(as_float(low)), splat(as_float(high))
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        for line in range(begin, min(rows, begin + item_rows)):
            d = depths + 12 * (line // out_height)
            h = heights + 12 * (line % out_height)
            d_start, d_stop = load_offset(d), load_offset(d + 4)
            h_start, h_stop = load_offset(h), load_offset(h + 4)
            area = load_offset(d + 8) * load_offset(h + 8)
            to = (
                target
                + block * target_block
                + (line // out_height) * target_plane
                + (line % out_height) * target_row
            )
            for x in range(out_width):
                w = widths + 12 * x
                w_start, w_stop, w_count = load_offset(w), load_offset(w + 4), load_offset(w + 8)
                nothing = d_start >= d_stop or h_start >= h_stop or w_start >= w_stop
                for lane in range(LANES):
                    at = source + block * source_block + lane * WIDTH * 4
                    value = splat(0.0)
                    if nothing:
                        value = splat(as_float(empty))
                    elif largest:
                        value = vload(at + d_start * source_plane + h_start * source_row + w_start * PIXEL)
                        for i in range(d_start, d_stop, depth_step):
                            for j in range(h_start, h_stop, height_step):
                                p = at + i * source_plane + j * source_row + w_start * PIXEL
                                if width_step == 1 and w_stop - w_start == 2:
                                    value = larger_of_3(value, vload(p), vload(p + PIXEL))
                                elif width_step == 1 and w_stop - w_start == 3:
                                    value = larger_of_4(
                                        value, vload(p), vload(p + PIXEL), vload(p + 2 * PIXEL)
                                    )
                                else:
                                    for k in range(0, w_stop - w_start, width_step):
                                        value = larger(value, vload(p + k * PIXEL))
                    else:
                        for i in range(d_start, d_stop):
                            for j in range(h_start, h_stop):
                                p = at + i * source_plane + j * source_row
                                for k in range(w_start, w_stop):
                                    value = value + vload(p + k * PIXEL)
                        value = value * splat(1.0 / (area * w_count))
                    vstore(to + x * PIXEL + lane * WIDTH * 4, vmin(highest, vmax(lowest, value)))


def _windows(call: Call, name: str, count: int, step: int) -> Array:
    """The places that an axis' windows cover."""
    table = call.table(name, call.values[name], 3 * count).reshape(-1, 3)
    call.needs(step > 0, f"the step within {name} is {step}, and must be at least 1")
    starts, stops = table[:, 0], table[:, 1]
    if step == 1:
        return Ranges.union(starts, stops).places()
    places = starts[:, None] + np.arange(0, int((stops - starts).max(initial=0)), step)
    covered: Array = np.unique(places[places < stops[:, None]])
    return covered


@pool.footprint
def pool_footprint(call: Call) -> None:
    """The windows of every output pixel, which are products of three ranges."""
    call.positive("out_height")
    steps_of = (call.depth_step, call.height_step, call.width_step) if call.largest else (1, 1, 1)
    for blocks, rows in shares(call, call.item_rows, call.out_depth * call.out_height):
        planes = int(rows[-1]) // call.out_height + 1
        across = _windows(call, "widths", max(0, call.out_width), steps_of[2])
        deep = _windows(call, "depths", planes, steps_of[0])
        high = min(call.out_height, int(rows[-1]) + 1)
        down = _windows(call, "heights", high, steps_of[1])
        call.reads(
            "source", call.source, PIXEL, entries("widths", across * PIXEL),
            entries("heights", down * call.source_row), entries("depths", deep * call.source_plane),
            steps("source_block", blocks, call.source_block),
        )  # fmt: skip
        call.writes(
            "target", call.target, PIXEL, steps("pixel", call.out_width, PIXEL),
            lines(rows, call.out_height, call.target_plane, call.target_row),
            steps("target_block", blocks, call.target_block),
        )  # fmt: skip


@kernel(
    "mode source source_block source_plane source_row other other_block other_plane other_row other_pixel scale "
    "shift target target_block target_plane target_row height width rows blocks item_rows low high"
)
def combine(record: int, first: int, stop: int, thread: int) -> None:
    """source·scale + shift per channel, source + other, or source·other, bounded by low and high.

    other's strides are 0 along an axis it is repeated over.

    Bounds. Rows < rows and pixels < width of blocks the plan counted; scale and shift hold whole blocks.
    """
    (mode, source, source_block, source_plane, source_row, other, other_block, other_plane, other_row, other_pixel,
     scale, shift, target, target_block, target_plane, target_row, height, width, rows, blocks, item_rows, low,
     high) = fields(record, 23)  # fmt: skip
    lowest, highest = splat(as_float(low)), splat(as_float(high))
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        for line in range(begin, min(rows, begin + item_rows)):
            d, h = line // height, line % height
            at = source + block * source_block + d * source_plane + h * source_row
            too = other + block * other_block + d * other_plane + h * other_row
            to = target + block * target_block + d * target_plane + h * target_row
            for lane in range(LANES):
                inside = lane * WIDTH * 4
                if mode == AFFINE:
                    a = vload(scale + block * PIXEL + inside)
                    b = vload(shift + block * PIXEL + inside)
                    for x in range(width):
                        value = fma(vload(at + x * PIXEL + inside), a, b)
                        vstore(to + x * PIXEL + inside, vmin(highest, vmax(lowest, value)))
                elif mode == ADD:
                    for x in range(width):
                        value = vload(at + x * PIXEL + inside) + vload(too + x * other_pixel + inside)
                        vstore(to + x * PIXEL + inside, vmin(highest, vmax(lowest, value)))
                else:
                    for x in range(width):
                        value = vload(at + x * PIXEL + inside) * vload(too + x * other_pixel + inside)
                        vstore(to + x * PIXEL + inside, vmin(highest, vmax(lowest, value)))


def _map(call: Call, prefix: str, rows: Array, blocks: int, pixel: int = PIXEL) -> tuple[Axis, ...]:
    """The axes of some rows of some blocks of a map: pixels, rows, blocks."""
    strides = call.values
    return (
        steps(f"{prefix}_pixel", call.width, pixel),
        lines(rows, call.height, strides[f"{prefix}_plane"], strides[f"{prefix}_row"]),
        steps(f"{prefix}_block", blocks, strides[f"{prefix}_block"]),
    )


@combine.footprint
def combine_footprint(call: Call) -> None:
    """All pixels of two maps, or of one and its factors."""
    call.positive("height")
    for blocks, rows in shares(call, call.item_rows, call.rows):
        if call.mode == AFFINE:
            call.reads("scale", call.scale, blocks * PIXEL)
            call.reads("shift", call.shift, blocks * PIXEL)
        else:
            call.reads("other", call.other, PIXEL, *_map(call, "other", rows, blocks, call.other_pixel))
        call.reads("source", call.source, PIXEL, *_map(call, "source", rows, blocks))
        call.writes("target", call.target, PIXEL, *_map(call, "target", rows, blocks))


@kernel(
    "function slopes source source_block source_plane source_row target target_block target_plane target_row height "
    "width rows blocks item_rows"
)
def activate(record: int, first: int, stop: int, thread: int) -> None:
    """One of `functions.FUNCTIONS`, element by element; slopes holds a parameter per channel, in whole blocks.

    Bounds. As for combine.
    """
    (function, slopes, source, source_block, source_plane, source_row, target, target_block, target_plane, target_row,
     height, width, rows, blocks, item_rows) = fields(record, 15)  # fmt: skip
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        for line in range(begin, min(rows, begin + item_rows)):
            d, h = line // height, line % height
            at = source + block * source_block + d * source_plane + h * source_row
            to = target + block * target_block + d * target_plane + h * target_row
            for lane in range(LANES):
                inside = lane * WIDTH * 4
                slope = vload(slopes + block * PIXEL + inside)
                for x in range(width):
                    value = vload(at + x * PIXEL + inside)
                    vstore(to + x * PIXEL + inside, activation(function, value, slope))


@activate.footprint
def activate_footprint(call: Call) -> None:
    """All pixels of two maps, and a parameter per channel."""
    call.positive("height")
    for blocks, rows in shares(call, call.item_rows, call.rows):
        call.reads("slopes", call.slopes, blocks * PIXEL)
        call.reads("source", call.source, PIXEL, *_map(call, "source", rows, blocks))
        call.writes("target", call.target, PIXEL, *_map(call, "target", rows, blocks))


def _pass_of(function: int | None) -> Any:
    """The loop of `finish` for one function, which is then no question in it; None: for any."""

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
    ) -> None:
        for block in range(blocks):
            base = target + block * target_block
            for pixel in range(first, stop):
                at = base + load_offset(pixels + 4 * pixel)
                for lane in range(LANES):
                    place = at + lane * WIDTH * 4
                    value = vload(place)
                    if function is None:
                        vstore(place, activation(any_function, value, slope))
                    else:
                        vstore(place, activation(function, value, slope))

    return work


_silu, _hardswish, _gelu, _any = (_pass_of(one) for one in (SILU, HARDSWISH, GELU, None))


@kernel("function slope target_pixels target_block")
def finish(record: int, target: int, first: int, stop: int, blocks: int) -> None:
    """An activation in place on pixels first..stop of a table and some blocks: what a convolution has just written.

    Bounds. Those of the convolution's own target.
    """
    function, slope_bits, pixels, target_block = fields(record, 4)
    slope = splat(as_float(slope_bits))
    if function == SILU:
        _silu(function, slope, target, target_block, pixels, first, stop, blocks)
    elif function == HARDSWISH:
        _hardswish(function, slope, target, target_block, pixels, first, stop, blocks)
    elif function == GELU:
        _gelu(function, slope, target, target_block, pixels, first, stop, blocks)
    else:
        _any(function, slope, target, target_block, pixels, first, stop, blocks)


@finish.footprint
def finish_footprint(call: Call) -> None:
    """Some pixels of some blocks, read and written."""
    if call.blocks <= 0 or call.first >= call.stop:
        return
    table = call.table("target_pixels", call.target_pixels + 4 * call.first, call.stop - call.first)
    places = (
        entries("target_pixels", table, call.first),
        steps("target_block", call.blocks, call.target_block),
    )
    call.reads("target", call.target, PIXEL, *places)
    call.writes("target", call.target, PIXEL, *places)


@kernel("table whole target target_block target_plane target_row height width rows blocks item_rows")
def gather(record: int, first: int, stop: int, thread: int) -> None:
    """Each target channel copied from its own place: concatenation, slices and shuffles that no view can express.

    table: three int64 per target channel, in whole blocks: the address of its first real pixel, bytes between
    planes, bytes between rows; the address 0 gives zeros. whole: an int64 per block, not 0 where its channels are
    neighbours in one map, which are copied together.

    Bounds. A channel's source has the target's spatial size, so pixels < width of rows < rows exist there.
    """
    (table, whole, target, target_block, target_plane, target_row, height, width, rows, blocks, item_rows) = (
        fields(record, 11)
    )
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        lanes = table + block * BLOCK * 24
        together = load_int(whole + 8 * block) != 0
        for line in range(begin, min(rows, begin + item_rows)):
            d, h = line // height, line % height
            to = target + block * target_block + d * target_plane + h * target_row
            if together:
                at = load_int(lanes) + d * load_int(lanes + 8) + h * load_int(lanes + 16)
                for x in range(width):
                    for lane in range(LANES):
                        vstore(to + x * PIXEL + lane * WIDTH * 4, vload(at + x * PIXEL + lane * WIDTH * 4))
                continue
            for lane in range(BLOCK):
                entry = lanes + 24 * lane
                start = load_int(entry)
                at = start + d * load_int(entry + 8) + h * load_int(entry + 16)
                for x in range(width):
                    value = as_float(0) if start == 0 else load_float(at + x * PIXEL)
                    store_float(to + x * PIXEL + lane * 4, value)


@gather.footprint
def gather_footprint(call: Call) -> None:
    """Every channel where it lies: a block at once where its channels are neighbours."""
    call.positive("height")
    for blocks, rows in shares(call, call.item_rows, call.rows):
        table = call.values["table"]
        whole = call.table("whole", call.values["whole"], blocks, np.int64)
        for block, neighbours in enumerate(whole.tolist()):
            first = block * BLOCK
            count = 1 if neighbours else BLOCK  # of a whole block the first channel tells
            starts = call.table("table", table + 24 * first, count, np.int64, 24)
            for place, start in enumerate(starts.tolist(), first):
                plane, row = call.table("table", table + 24 * place + 8, 2, np.int64).tolist()
                if start:
                    entry = entries("table", np.zeros(1, np.int64), place)
                    call.reads(
                        "", start, PIXEL if neighbours else 4, steps("pixel", call.width, PIXEL),
                        lines(rows, call.height, plane, row), entry,
                    )  # fmt: skip
        call.writes("target", call.target, PIXEL, *_map(call, "target", rows, blocks))


@inline
def _clear(at: int, count: int) -> None:
    """`count` bytes set to 0, a multiple of 4."""
    whole = count - count % (WIDTH * 4)
    for k in range(0, whole, WIDTH * 4):
        vstore(at + k, splat(0.0))
    for k in range(whole, count, 4):
        store_float(at + k, 0.0)


@kernel(
    "target block_bytes plane row depth height width depth_before height_before width_before inner_depth "
    "inner_height inner_width pixel"
)
def halo(record: int, first: int, stop: int, thread: int) -> None:
    """Zeros around the real pixels of block i: what convolutions read as padding.

    Bounds. depth × height × width padded pixels of `pixel` bytes are the whole block; the inner ones are left alone.
    """
    (target, block_bytes, plane, row, depth, height, width, depth_before, height_before, width_before, inner_depth,
     inner_height, inner_width, pixel) = fields(record, 14)  # fmt: skip
    for block in range(first, stop):
        for d in range(depth):
            for h in range(height):
                at = target + block * block_bytes + d * plane + h * row
                real = depth_before <= d < depth_before + inner_depth
                real = real and height_before <= h < height_before + inner_height
                _clear(at, width_before * pixel if real else width * pixel)
                if real:
                    right = (width_before + inner_width) * pixel
                    _clear(at + right, width * pixel - right)


@halo.footprint
def halo_footprint(call: Call) -> None:
    """All padded rows of a block, but of those with real pixels only what lies beside these."""
    rows = np.arange(max(0, call.depth) * max(0, call.height), dtype=np.int64)
    call.needs(call.pixel % 4 == 0, f"a pixel of {call.pixel} bytes is no whole number of floats")
    if not len(rows):
        return
    deep, high = rows // call.height - call.depth_before, rows % call.height - call.height_before
    real = (deep >= 0) & (deep < call.inner_depth) & (high >= 0) & (high < call.inner_height)
    blocks = steps("block_bytes", call.items, call.block_bytes)
    right = (call.width_before + call.inner_width) * call.pixel
    for part, first, size in (
        (rows[~real], 0, call.width * call.pixel),
        (rows[real], 0, call.width_before * call.pixel),
        (rows[real], right, call.width * call.pixel - right),
    ):
        places = lines(part, call.height, call.plane, call.row)
        call.writes("target", call.target + first, size, places, blocks)


@kernel(
    "source source_channel source_plane source_row source_pixel channels depth height width pixel target "
    "target_block target_plane target_row lanes blocks item_rows"
)
def pack(record: int, first: int, stop: int, thread: int) -> None:
    """Numbers in any order of their dimensions put into a map: item i is some rows of one block of `lanes` channels.

    The source's strides are bytes between channels, planes, rows and pixels as the map has them. lanes is BLOCK
    for a blocked map, and all channels for an interleaved one; pixel is the bytes of a pixel there.

    Bounds. Channels < channels are read, the rest of the last block is filled with zeros.
    """
    (source, source_channel, source_plane, source_row, source_pixel, channels, depth, height, width, pixel, target,
     target_block, target_plane, target_row, lanes, blocks, item_rows) = fields(record, 17)  # fmt: skip
    rows = depth * height
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        for line in range(begin, min(rows, begin + item_rows)):
            d, h = line // height, line % height
            to = target + block * target_block + d * target_plane + h * target_row
            for lane in range(lanes):
                channel = block * lanes + lane
                if channel < channels:
                    at = source + channel * source_channel + d * source_plane + h * source_row
                    for x in range(width):
                        store_float(to + x * pixel + 4 * lane, load_float(at + x * source_pixel))
                else:
                    for x in range(width):
                        store_float(to + x * pixel + 4 * lane, 0.0)


@pack.footprint
def pack_footprint(call: Call) -> None:
    """The channels there are, number by number; whole pixels of the target."""
    call.positive("height")
    for blocks, rows in shares(call, call.item_rows, call.depth * call.height):
        call.reads(
            "source", call.source, 4, steps("source_pixel", call.width, call.source_pixel),
            lines(rows, call.height, call.source_plane, call.source_row),
            steps("source_channel", min(call.channels, blocks * call.lanes), call.source_channel),
        )  # fmt: skip
        target = _map(call, "target", rows, blocks, call.pixel)
        call.writes("target", call.target, 4 * call.lanes, *target)


@kernel(
    "source source_block source_plane source_row channels depth height width target target_channel target_plane "
    "target_row target_pixel"
)
def unpack(record: int, first: int, stop: int, thread: int) -> None:
    """A blocked map as numbers in any order of its dimensions: item i is block i.

    The target's strides are bytes between channels, planes, rows and pixels of the map.

    Bounds. Real pixels and channels < channels are read, channels·depth·height·width floats written.
    """
    (source, source_block, source_plane, source_row, channels, depth, height, width, target, target_channel,
     target_plane, target_row, target_pixel) = fields(record, 13)  # fmt: skip
    for block in range(first, stop):
        for lane in range(min(BLOCK, channels - block * BLOCK)):
            start = target + (block * BLOCK + lane) * target_channel
            for d in range(depth):
                for h in range(height):
                    at = source + block * source_block + d * source_plane + h * source_row + 4 * lane
                    to = start + d * target_plane + h * target_row
                    for x in range(width):
                        store_float(to + x * target_pixel, load_float(at + x * PIXEL))


@unpack.footprint
def unpack_footprint(call: Call) -> None:
    """The channels there are, one float of a pixel each, and their places in the target."""
    rows = np.arange(max(0, call.depth) * max(0, call.height), dtype=np.int64)
    height = max(1, call.height)
    channels = max(0, min(call.channels, call.items * BLOCK))
    for block, count, lanes in ((0, channels // BLOCK, BLOCK), (channels // BLOCK, 1, channels % BLOCK)):
        call.reads(
            "source", call.source, 4 * lanes, steps("pixel", call.width, PIXEL),
            lines(rows, height, call.source_plane, call.source_row),
            steps("source_block", count, call.source_block, block),
        )  # fmt: skip
    call.writes(
        "target", call.target, 4, steps("target_pixel", call.width, call.target_pixel),
        lines(rows, height, call.target_plane, call.target_row),
        steps("target_channel", channels, call.target_channel),
    )  # fmt: skip
