"""Kernels that move numbers without computing: gathered channels, halos, and maps into and out of other orders.

Items are rows of a block as in `pointwise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.declare import inline, intrinsic
from convcalc.backends.numba.jit.emit import BITS, SHORT, emit_rounded, emit_store
from convcalc.backends.numba.jit.footprint import KernelCall, entries, lines, map_axes, shares, steps
from convcalc.backends.numba.jit.intrinsics import (
    as_float,
    eload,
    estore,
    load_element,
    load_float,
    load_int,
    load_row,
    row_bytes,
    splat,
    store_element,
    store_float,
    vload,
    vstore,
)
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, LANES, PIXEL
from convcalc.backends.numba.jit.target import WIDTH


class Channel(NamedTuple):
    """A row of `gather`'s table: the address of a channel's first real pixel, and bytes between planes and rows."""

    start: int
    plane: int
    row: int


CHANNEL = row_bytes(Channel)


@kernel
def gather(
    first: int, stop: int, thread: int, *, table: int, whole: int, target: int, target_block: int,
    target_plane: int, target_row: int, height: int, width: int, rows: int, blocks: int, item_rows: int,
) -> None:  # fmt: skip
    """Copies each channel of the target from its own place: concatenations, slices and shuffles that no view expresses.

    table: a `Channel` for each of the target's, in whole blocks; one that starts at address 0 gives zeros. whole: an
    int64 for each block, not 0 if its channels are a whole block of one map, which is copied at once.

    Bounds. The source of a channel has the target's spatial size, so that pixels < width of rows < rows exist there.
    """
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        lanes = table + block * BLOCK * CHANNEL
        together = load_int(whole + 8 * block) != 0
        for line in range(begin, min(rows, begin + item_rows)):
            d, h = line // height, line % height
            to = target + block * target_block + d * target_plane + h * target_row
            if together:
                channel = load_row(lanes, Channel)
                at = channel.start + d * channel.plane + h * channel.row
                for x in range(width):
                    for lane in range(LANES):
                        inside = x * PIXEL + lane * WIDTH * ELEMENT
                        estore(to + inside, eload(at + inside))
                continue
            for lane in range(BLOCK):
                channel = load_row(lanes + lane * CHANNEL, Channel)
                at = channel.start + d * channel.plane + h * channel.row
                for x in range(width):
                    value = as_float(0) if channel.start == 0 else load_element(at + x * PIXEL)
                    store_element(to + x * PIXEL + lane * ELEMENT, value)


@gather.footprint
def gather_footprint(call: KernelCall) -> None:
    """Every channel where it lies, or a block at once."""
    call.positive("height")
    for blocks, rows in shares(call, call.item_rows, call.rows):
        table = call.values["table"]
        whole = call.table("whole", call.values["whole"], blocks, np.int64)
        for block, neighbours in enumerate(whole.tolist()):
            first = block * BLOCK
            count = 1 if neighbours else BLOCK  # a whole block is where its first channel is
            channels = call.table_rows("table", table + CHANNEL * first, Channel, count)
            for place, (start, plane, row) in enumerate(channels.tolist(), first):
                if start:
                    entry = entries("table", np.zeros(1, np.int64), place)
                    call.reads(
                        "", start, call.pixel_bytes if neighbours else call.element_bytes,
                        steps("pixel", call.width, call.pixel_bytes), lines(rows, call.height, plane, row), entry,
                    )  # fmt: skip
        call.writes("target", call.target, call.pixel_bytes, *map_axes(call, "target", rows, blocks))


@inline
def _clear(at: int, count: int) -> None:
    """Sets `count` bytes to 0, a multiple of 4."""
    whole = count - count % (WIDTH * 4)
    for k in range(0, whole, WIDTH * 4):
        vstore(at + k, splat(0.0))
    for k in range(whole, count, 4):
        store_float(at + k, 0.0)


@kernel
def halo(
    first: int, stop: int, thread: int, *, target: int, block_bytes: int, plane: int, row: int, depth: int,
    height: int, width: int, depth_before: int, height_before: int, width_before: int, inner_depth: int,
    inner_height: int, inner_width: int, pixel: int,
) -> None:  # fmt: skip
    """Zeros around the real pixels of block i, which convolutions read as padding.

    Bounds. A block is depth × height × width padded pixels of `pixel` bytes; the inner ones are not touched.
    """
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
def halo_footprint(call: KernelCall) -> None:
    """The padded rows of all blocks, without the real pixels."""
    rows = np.arange(max(0, call.depth) * max(0, call.height), dtype=np.int64)
    call.needs(call.pixel % 4 == 0, f"a pixel of {call.pixel} bytes is not a whole number of floats")
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


COLOURS = 3  # channels of most images


@intrinsic("int vector vector vector -> none", by_element=True)
def store_colours(builder: ir.IRBuilder, element: int, address: ir.Value, *colours: ir.Value) -> None:
    """Writes WIDTH pixels of an interleaved map of three channels, each given as a register. Of bfloat16 a pixel has a
    fourth channel, 0, as pixels are whole words."""
    if element == 2:
        nothing = ir.Constant(ir.VectorType(SHORT, WIDTH), [0] * WIDTH)
        parts, channels = [*(emit_rounded(builder, colour) for colour in colours), nothing], COLOURS + 1
    else:
        parts, channels = [*colours, colours[-1]], COLOURS

    def joined(first: ir.Value, second: ir.Value, lanes: Sequence[int]) -> ir.Value:
        return builder.shuffle_vector(
            first, second, ir.Constant(ir.VectorType(BITS, len(lanes)), list(lanes))
        )

    first, second = (joined(*pair, range(2 * WIDTH)) for pair in ((parts[0], parts[1]), (parts[2], parts[3])))
    order = [channel * WIDTH + pixel for pixel in range(WIDTH) for channel in range(channels)]
    emit_store(builder, address, joined(first, second, order))


@kernel
def pack(
    first: int, stop: int, thread: int, *, source: int, source_channel: int, source_plane: int,
    source_row: int, source_pixel: int, channels: int, depth: int, height: int, width: int, pixel: int,
    target: int, target_block: int, target_plane: int, target_row: int, lanes: int, blocks: int,
    item_rows: int,
) -> None:  # fmt: skip
    """Copies a tensor, its dimensions in any order, into a map. An item is some rows of one block of `lanes` channels.

    The source is floats, whatever the elements of the map are. Its strides are the bytes between channels, planes, rows
    and pixels of the map. lanes is BLOCK for a blocked map, and for an interleaved one the number of channels, in whole
    words; pixel is the bytes of a pixel there.

    Bounds. Channels < channels are read; the rest of the last block is filled with zeros.
    """
    rows = depth * height
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_rows
        for line in range(begin, min(rows, begin + item_rows)):
            d, h = line // height, line % height
            to = target + block * target_block + d * target_plane + h * target_row
            begun = 0
            if channels == COLOURS and lanes < BLOCK and source_pixel == 4:
                at = source + d * source_plane + h * source_row
                begun = width - width % WIDTH
                for x in range(0, begun, WIDTH):
                    red, green = vload(at + 4 * x), vload(at + source_channel + 4 * x)
                    store_colours(to + x * pixel, red, green, vload(at + 2 * source_channel + 4 * x))
            for lane in range(lanes):
                channel = block * lanes + lane
                if channel < channels:
                    at = source + channel * source_channel + d * source_plane + h * source_row
                    for x in range(begun, width):
                        store_element(to + x * pixel + ELEMENT * lane, load_float(at + x * source_pixel))
                else:
                    for x in range(begun, width):
                        store_element(to + x * pixel + ELEMENT * lane, 0.0)


@pack.footprint
def pack_footprint(call: KernelCall) -> None:
    """The channels of the source, float by float, and whole pixels of the target."""
    call.positive("height")
    for blocks, rows in shares(call, call.item_rows, call.depth * call.height):
        call.reads(
            "source", call.source, 4, steps("source_pixel", call.width, call.source_pixel),
            lines(rows, call.height, call.source_plane, call.source_row),
            steps("source_channel", min(call.channels, blocks * call.lanes), call.source_channel),
        )  # fmt: skip
        target = map_axes(call, "target", rows, blocks, pixel=call.pixel)
        call.writes("target", call.target, call.element_bytes * call.lanes, *target)


@kernel
def unpack(
    first: int, stop: int, thread: int, *, source: int, source_block: int, source_plane: int, source_row: int,
    channels: int, depth: int, height: int, width: int, target: int, target_channel: int, target_plane: int,
    target_row: int, target_pixel: int,
) -> None:  # fmt: skip
    """Copies a blocked map into a tensor, its dimensions in any order. Item i is block i.

    The target is floats, whatever the elements of the map are. Its strides are the bytes between channels, planes, rows
    and pixels of the map.

    Bounds. Real pixels of channels < channels are read; channels·depth·height·width floats are written.
    """
    for block in range(first, stop):
        for lane in range(min(BLOCK, channels - block * BLOCK)):
            start = target + (block * BLOCK + lane) * target_channel
            for d in range(depth):
                for h in range(height):
                    at = source + block * source_block + d * source_plane + h * source_row + ELEMENT * lane
                    to = start + d * target_plane + h * target_row
                    for x in range(width):
                        store_float(to + x * target_pixel, load_element(at + x * PIXEL))


@unpack.footprint
def unpack_footprint(call: KernelCall) -> None:
    """The channels of the source, without those that fill its last block, and their places in the target."""
    rows = np.arange(max(0, call.depth) * max(0, call.height), dtype=np.int64)
    height = max(1, call.height)
    channels = max(0, min(call.channels, call.items * BLOCK))
    for block, count, lanes in ((0, channels // BLOCK, BLOCK), (channels // BLOCK, 1, channels % BLOCK)):
        call.reads(
            "source", call.source, call.element_bytes * lanes, steps("pixel", call.width, call.pixel_bytes),
            lines(rows, height, call.source_plane, call.source_row),
            steps("source_block", count, call.source_block, block),
        )  # fmt: skip
    call.writes(
        "target", call.target, 4, steps("target_pixel", call.width, call.target_pixel),
        lines(rows, height, call.target_plane, call.target_row),
        steps("target_channel", channels, call.target_channel),
    )  # fmt: skip
