"""Kernels that lay weights out, once per network: for the register tile, or transformed for Winograd."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.footprint import KernelCall, entries, steps
from convcalc.backends.numba.jit.intrinsics import (
    as_float,
    estore,
    load_float,
    load_offset,
    load_row,
    row_bytes,
    store_element,
    vload,
)
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, TILE, WORD
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.kernels.transforms import OUTPUTS


class PackedTile(NamedTuple):
    """A row of `pack_weights`' table: a tile's first filter and its columns, the first channel it reads and how many
    blocks of channels from there on, and where in the target its weights begin, in bytes."""

    filter: int
    columns: int
    channel: int
    in_blocks: int
    offset: int


PACKED_TILE = row_bytes(PackedTile)


@kernel
def pack_weights(
    first: int, stop: int, thread: int, *, source: int, target: int, factors: int, filters: int, depth: int,
    tiles: int, group_depth: int, group_filters: int, filter_step: int, channel_step: int, group_step: int,
    taps: int, tap_table: int,
) -> None:  # fmt: skip
    """[filters][channels][taps] to [tile][in block][tap][channel in block][filter in tile], times factors.

    The source is floats. Where elements are bfloat16, two neighbouring channels of a filter are one word of the target.

    Item i is a tile, described by a `PackedTile` of `tiles`. The tiles of a grouped convolution have zeros where a
    filter does not read a channel. depth is the number of channels of a block, as the tiles count them.

    Bounds. Only filters < filters and the channels of their own group are read. Of the target, in_blocks · taps ·
    depth · columns elements are written for each tile, which is what the plan has reserved; depth is whole words.
    """
    for item in range(first, stop):
        tile = load_row(tiles + item * PACKED_TILE, PackedTile)
        width = tile.columns
        for t in range(width):
            own = tile.filter + t
            group = own // group_filters
            factor = load_float(factors + 4 * own)
            for c in range(tile.in_blocks * depth):
                channel = tile.channel + c - group * group_depth
                inside = own < filters and 0 <= channel < group_depth
                base = source + 4 * (
                    group * group_step + (own - group * group_filters) * filter_step + channel * channel_step
                )
                words = c // depth * taps * (depth // WORD) + c % depth // WORD
                to = target + tile.offset + 4 * words * width + ELEMENT * (c % WORD)
                for tap in range(taps):
                    value = as_float(0)
                    if inside:
                        value = load_float(base + 4 * load_offset(tap_table + 4 * tap)) * factor
                    store_element(to + 4 * (tap * (depth // WORD) * width + t), value)


@pack_weights.footprint
def pack_weights_footprint(call: KernelCall) -> None:
    """The filters and channels of each tile, group by group, and all memory that is reserved for its weights."""
    call.positive("group_filters", "depth")
    depth = call.depth
    table = call.table_rows("tiles", call.tiles, PackedTile, call.items)
    for item, tile in enumerate(map(PackedTile._make, table.tolist())):
        first, width = tile.filter, max(0, tile.columns)
        call.reads("factors", call.factors + 4 * first, 4 * width)
        size = call.element_bytes * max(0, tile.in_blocks) * call.taps * depth * width
        call.writes("target", call.target, size, entries("tiles", np.array([tile.offset]), item))
        taken = (tile.channel, tile.channel + tile.in_blocks * depth)
        groups = range(
            first // call.group_filters, (min(first + width, call.filters) - 1) // call.group_filters + 1
        )
        for group in groups:
            begin = max(first, group * call.group_filters) - group * call.group_filters
            end = (
                min(first + width, call.filters, (group + 1) * call.group_filters)
                - group * call.group_filters
            )
            low = max(0, taken[0] - group * call.group_depth)
            high = min(call.group_depth, taken[1] - group * call.group_depth)
            if begin >= end or low >= high:
                continue
            taps = call.table("tap_table", call.tap_table, max(0, call.taps))
            call.reads(
                "source", call.source + 4 * group * call.group_step, 4, entries("tap_table", 4 * taps),
                steps("channel_step", high - low, 4 * call.channel_step, low),
                steps("filter_step", end - begin, 4 * call.filter_step, begin),
            )  # fmt: skip


@kernel
def copy_weights(
    first: int, stop: int, thread: int, *, source: int, target: int, count: int, item_count: int
) -> None:
    """Floats as elements, in the same order. An item is `item_count` of them.

    Bounds. The first `count` are read and written.
    """
    for item in range(first, stop):
        begin = item * item_count
        end = min(count, begin + item_count)
        whole = end - (end - begin) % WIDTH
        for k in range(begin, whole, WIDTH):
            estore(target + ELEMENT * k, vload(source + 4 * k))
        for k in range(whole, end):
            store_element(target + ELEMENT * k, load_float(source + 4 * k))


@copy_weights.footprint
def copy_weights_footprint(call: KernelCall) -> None:
    """The numbers of all items."""
    count = max(0, min(call.count, call.items * call.item_count))
    call.reads("source", call.source, 4 * count)
    call.writes("target", call.target, call.element_bytes * count)


@kernel
def transform_weights(
    first: int, stop: int, thread: int, *, source: int, target: int, factors: int, matrix: int, side: int,
    size: int, channels: int, filters: int, in_blocks: int,
) -> None:  # fmt: skip
    """Winograd's transform of the weights, G g Gᵀ of every kernel g, times its filter's factor.

    The result is elements laid out as [tile][side²][channel][filter in tile], where side is that of a tile of pixels;
    of bfloat16, two neighbouring channels of a filter are one word. An item is one block of channels of one tile of
    filters. size is the kernel's side, matrix the side × size floats of G (`transforms.kernel_matrix`).

    Bounds. Only filters < filters and channels < channels are read; beyond them zeros are written, up to whole blocks
    of channels and filters.
    """
    for item in range(first, stop):
        tile, block = item // in_blocks, item % in_blocks
        width = min(TILE, (filters - tile * TILE + BLOCK - 1) // BLOCK * BLOCK)
        depth = in_blocks * BLOCK
        to = target + ELEMENT * tile * side * side * depth * TILE
        for t in range(width):
            own = tile * TILE + t
            for i in range(BLOCK):
                channel = block * BLOCK + i
                inside = own < filters and channel < channels
                base = source + 4 * (own * channels + channel) * size * size
                for y in range(side):
                    # Row y of G g, then of (G g) Gᵀ
                    half0 = half1 = half2 = half3 = half4 = 0.0
                    if inside:
                        for k in range(size):
                            g = load_float(matrix + 4 * (y * size + k))
                            row = base + 4 * k * size
                            half0 += g * load_float(row)
                            half1 += g * load_float(row + 4)
                            half2 += g * load_float(row + 8)
                            if size == 5:
                                half3 += g * load_float(row + 12)
                                half4 += g * load_float(row + 16)
                    for x in range(side):
                        g = matrix + 4 * x * size
                        value = half0 * load_float(g) + half1 * load_float(g + 4) + half2 * load_float(g + 8)
                        if size == 5:
                            value += half3 * load_float(g + 12) + half4 * load_float(g + 16)
                        if inside:
                            value *= load_float(factors + 4 * own)
                        word = ((y * side + x) * (depth // WORD) + channel // WORD) * width + t
                        store_element(to + 4 * word + ELEMENT * (channel % WORD), value)


@transform_weights.footprint
def transform_weights_footprint(call: KernelCall) -> None:
    """All numbers of the kernels, and the memory of each tile's filters for the channels of the items."""
    call.positive("in_blocks")
    side, depth = call.side, call.in_blocks * BLOCK
    call.needs(side in OUTPUTS, f"no transform has tiles of {side} pixels a side")
    area, element = side * side, call.element_bytes
    taps = 5 if call.size == 5 else 3
    whole, rest = divmod(call.items, call.in_blocks)
    for tile, blocks in [*((tile, call.in_blocks) for tile in range(whole)), (whole, rest)]:
        left = call.filters - tile * TILE
        width = min(TILE, (left + BLOCK - 1) // BLOCK * BLOCK)
        if width <= 0 or blocks == 0:
            continue
        channels = blocks * BLOCK
        call.writes(
            "target", call.target + element * tile * area * depth * TILE, element * channels * width,
            steps("frequency", area, element * depth * width),
        )  # fmt: skip
        channels = min(channels, call.channels)
        filters = min(width, left)
        if channels > 0 and filters > 0:
            call.reads("matrix", call.matrix, 4 * taps, steps("size", side, 4 * call.size))
            call.reads("matrix", call.matrix, 4 * side * call.size)
            call.reads("factors", call.factors + 4 * tile * TILE, 4 * filters)
            kernel_bytes = 4 * call.size * call.size
            call.reads(
                "source", call.source, 4 * taps, steps("row", call.size, 4 * call.size),
                steps("channel", channels, kernel_bytes),
                steps("filter", filters, call.channels * kernel_bytes, tile * TILE),
            )  # fmt: skip
