"""The convolution kernel around the register tile.

A layer's work is divided into items, which threads take one after the other; the result of an item does not depend on
the thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.footprint import KernelCall
from convcalc.backends.numba.jit.intrinsics import call, load_row, row_bytes
from convcalc.backends.numba.jit.sizes import PIXELS
from convcalc.backends.numba.kernels.tile import swept

IN_CACHE = (
    8 * PIXELS
)  # pixels of a tile that stay in the first-level cache until their activation is computed


class TileRow(NamedTuple):
    """A row of `direct`'s table of tiles.

    sweep_record: of the sweep that computes it; weights, source: bytes from where all weights and the source begin to
    the tile's own weights and to the channels it reads; block, blocks: its first block of filters, and how many it
    has, at most TILE_BLOCKS; lane: bytes from that block's first filter to the tile's; bias: bytes from where all
    biases begin to the tile's own; narrow: whether it ends with half a block, so that `narrow_sweep` computes it.
    """

    sweep_record: int
    weights: int
    source: int
    block: int
    blocks: int
    lane: int = 0
    bias: int = 0
    narrow: int = 0


TILE_ROW = row_bytes(TileRow)


@kernel
def direct(
    first: int, stop: int, thread: int, *, sweep: int, narrow: int, tile_table: int, tiles: int, item_tiles: int,
    weights: int, bias: int, source: int, target: int, target_block: int, residual: int, residual_block: int,
    pixels: int, chunk_pixels: int, finish: int, finish_record: int,
) -> None:  # fmt: skip
    """A convolution. An item is `item_tiles` tiles of output channels over one chunk of the output's pixels.

    tile_table holds a `TileRow` for each tile.

    Bounds. sweep stays within bounds for the pixels of its tables. A chunk is chunk_pixels of them, clipped to
    `pixels`; either chunk_pixels is at least PIXELS, a register tile's, or the chunk is the whole plane. finish, 0 for
    none, is called for the pixels and blocks just written, which are whole: no tile begins in the middle of a block.
    """
    groups = (tiles + item_tiles - 1) // item_tiles
    for item in range(first, stop):
        begin = (item // groups) * chunk_pixels
        end = min(pixels, begin + chunk_pixels)
        tile = (item % groups) * item_tiles
        piece = IN_CACHE if finish else chunk_pixels
        for t in range(tile, min(tiles, tile + item_tiles)):
            own = load_row(tile_table + t * TILE_ROW, TileRow)
            to = target + own.block * target_block + own.lane
            other = residual + own.block * residual_block + own.lane if residual else 0
            for pixel in range(begin, end, piece):
                until = min(end, pixel + piece)
                call(
                    narrow if own.narrow else sweep,
                    (
                        own.sweep_record,
                        weights + own.weights,
                        bias + own.bias,
                        source + own.source,
                        to,
                        other,
                        pixel,
                        until,
                        own.blocks,
                    ),
                )
                if finish:
                    call(finish, (finish_record, to, pixel, until, own.blocks, 0))


def _pieces(first: int, stop: int, chunk: int, piece: int) -> Iterator[tuple[int, int]]:
    """The pixels of the sweeps over the chunks first to stop; sweeps that join without overlap count as one."""
    start = first
    for begin in range(first, stop, chunk):
        for pixel in range(begin, min(stop, begin + chunk), piece):
            until = min(stop, begin + chunk, pixel + piece)
            if swept(pixel, until) > until:
                if start < pixel:
                    yield start, pixel
                yield pixel, until
                start = until
    if start < stop:
        yield start, stop


@direct.footprint
def direct_footprint(call: KernelCall) -> None:
    """The table of tiles, and what the sweeps of its tiles touch."""
    call.positive("tiles", "item_tiles", "chunk_pixels")
    groups = -(-call.tiles // call.item_tiles)
    whole, rest = divmod(call.items, groups)
    parts = ((0, whole, call.tiles), (whole, whole + 1, min(call.tiles, rest * call.item_tiles)))
    for first, stop, count in parts:
        begin, end = first * call.chunk_pixels, min(call.pixels, stop * call.chunk_pixels)
        if first == stop or count == 0:
            continue
        table = call.table_rows("tile_table", call.tile_table, TileRow, count)
        piece = IN_CACHE if call.finish else call.chunk_pixels
        for own in map(TileRow._make, table.tolist()):
            to = call.target + own.block * call.target_block + own.lane
            other = call.residual + own.block * call.residual_block + own.lane if call.residual else 0
            bias = call.bias + own.bias
            call.needs(own.narrow in (0, 1), f"tile_table says narrow: {own.narrow}, and must say 0 or 1")
            kind = "narrow" if own.narrow else "sweep"
            for pixel, until in _pieces(begin, end, call.chunk_pixels, piece):
                call.calls(
                    kind, call.values[kind], own.sweep_record,
                    weights=(call.weights + own.weights, "weights"), bias=(bias, "bias"),
                    source=(call.source + own.source, "source"), target=(to, "target"),
                    residual=(other, "residual"), first=(pixel, ""), stop=(until, ""), blocks=(own.blocks, ""),
                )  # fmt: skip
            if call.finish and begin < end:
                call.calls(
                    "finish", call.finish, call.finish_record,
                    target=(to, "target"), first=(begin, ""), stop=(end, ""), blocks=(own.blocks, ""), sums=(0, ""),
                )  # fmt: skip
