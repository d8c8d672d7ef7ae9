"""Weights laid out for the kernels, once per network: for the register tile, or in Winograd's frequencies."""

from __future__ import annotations

from convcalc.backends.numba.cache import kernel
from convcalc.backends.numba.kernels_winograd import SIDE
from convcalc.backends.numba.simd import BLOCK, TILE, fields, load_float, load_offset, store_float


@kernel(
    "source target factors filters depth in_blocks tile_blocks group_depth group_filters "
    "filter_step channel_step group_step taps tap_table tile_width"
)
def pack_weights(record: int, first: int, stop: int, thread: int) -> None:
    """[filters][channels][taps] to [tile][in block][tap][channel in block][filter in tile], times factors.

    Item i is one in block of one tile. A tile's blocks begin at channel tile_blocks[tile]·depth; of a grouped
    convolution it has zeros where a filter does not read a channel. depth is the channels of a block.

    Bounds. Only filters < filters, and channels of their own group, are read. Tile t's target begins at
    t·(in_blocks·taps·depth·tile_width) floats; the last tile is as narrow as what is left, rounded up to a block.
    """
    (source, target, factors, filters, depth, in_blocks, tile_blocks, group_depth, group_filters,
     filter_step, channel_step, group_step, taps, tap_table, tile_width) = fields(record, 15)  # fmt: skip
    for item in range(first, stop):
        tile, block = item // in_blocks, item % in_blocks
        width = min(tile_width, (filters - tile * tile_width + BLOCK - 1) // BLOCK * BLOCK)
        to = target + 4 * (tile * in_blocks * taps * depth * tile_width + block * taps * depth * width)
        first_channel = (load_offset(tile_blocks + 4 * tile) + block) * depth
        for t in range(width):
            one = tile * tile_width + t
            group = one // group_filters
            factor = load_float(factors + 4 * one)
            for i in range(depth):
                channel = first_channel + i - group * group_depth
                inside = one < filters and 0 <= channel < group_depth
                base = source + 4 * (
                    group * group_step + (one - group * group_filters) * filter_step + channel * channel_step
                )
                for tap in range(taps):
                    value = factor * 0
                    if inside:
                        value = load_float(base + 4 * load_offset(tap_table + 4 * tap)) * factor
                    store_float(to + 4 * ((tap * depth + i) * width + t), value)


@kernel("source target factors matrix size channels filters in_blocks")
def transform_weights(record: int, first: int, stop: int, thread: int) -> None:
    """G g Gᵀ of every kernel, times its filter's factor, to [tile][36][channel][filter in tile].

    Item i is one in block of one tile. size is the kernel's side, matrix the 6 × size floats of G.

    Bounds. Only filters < filters and channels < channels are read; beyond them zeros are written, up to whole
    blocks of channels and filters.
    """
    source, target, factors, matrix, size, channels, filters, in_blocks = fields(record, 8)
    for item in range(first, stop):
        tile, block = item // in_blocks, item % in_blocks
        width = min(TILE, (filters - tile * TILE + BLOCK - 1) // BLOCK * BLOCK)
        depth = in_blocks * BLOCK
        to = target + 4 * tile * SIDE * SIDE * depth * TILE
        for t in range(width):
            one = tile * TILE + t
            for i in range(BLOCK):
                channel = block * BLOCK + i
                inside = one < filters and channel < channels
                base = source + 4 * (one * channels + channel) * size * size
                for y in range(SIDE):
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
                    for x in range(SIDE):
                        g = matrix + 4 * x * size
                        value = half0 * load_float(g) + half1 * load_float(g + 4) + half2 * load_float(g + 8)
                        if size == 5:
                            value += half3 * load_float(g + 12) + half4 * load_float(g + 16)
                        if inside:
                            value *= load_float(factors + 4 * one)
                        place = ((y * SIDE + x) * depth + channel) * width + t
                        store_float(to + 4 * place, value)
