"""What convolutions by register tiles share: tables, weights in the tile's order, and the cut into items."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.sizes import BLOCK, HALF, PIXELS, TILE, TILE_BLOCKS
from convcalc.backends.numba.kernels import conv as kernels_conv
from convcalc.backends.numba.kernels import weights as kernels_weights
from convcalc.backends.numba.kernels.pointwise import finish
from convcalc.backends.numba.kernels.tile import narrow_sweep, sweep
from convcalc.backends.numba.kernels.weights import PackedTile
from convcalc.backends.numba.layout import Array, Layout, blocks_of, pixel_table
from convcalc.backends.numba.lower.activation import function_of
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for, padded_vector
from convcalc.backends.numba.passes.algorithm import ConvPlan
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import ByteSpan, MapView, Ref, Step, Word, record_of

CACHE = 1 << 20  # a core's second-level cache
MAX_PLANE = 4 * CACHE  # bytes of a map that may be read again and again, from the third-level cache
ITEMS = 4  # items per thread that keep all threads busy to the end
FEW_WEIGHTS = 1 << 16  # bytes that are not worth reading before a sweep needs them
REUSE = 64  # pixels for which it is worth reading a weight from memory


def words(channels: int, element: int) -> int:
    """Words of four bytes that so many channels of a pixel take, in elements of so many bytes."""
    return -(-channels * element // 4)


def inner_record(kernel: Kernel, lowering: Lowering, /, **values: Word) -> Array:
    """The record of a kernel that another one calls; it and the tables it points to are kept with the program."""
    return record_of(kernel, values, lowering.program.keep)


def tiles_of(filters: int) -> int:
    """Tiles of output channels."""
    return -(-filters // TILE)


class Tile(NamedTuple):
    """Filters that read the same channels: the first one, a multiple of HALF, and how many columns of registers they
    take, which is one too; the first channel, and how many blocks of channels from there on.
    """

    filter: int
    columns: int
    channel: int
    in_blocks: int

    @property
    def narrow(self) -> bool:
        """Whether it ends with half a block."""
        return self.columns % BLOCK > 0


def cut_filters(channels: int, filters: int, groups: int) -> list[Tile]:
    """Tiles as wide as registers allow. A block may hold filters of several groups: it reads all their channels.

    Where no more than the first half of the last block holds filters, the tile ends there.
    """
    depth, share = channels // groups, filters // groups
    tiles: list[Tile] = []
    for block in range(blocks_of(filters)):
        last = min(filters, (block + 1) * BLOCK) - 1
        first_in = (block * BLOCK // share) * depth // BLOCK
        in_blocks = blocks_of((last // share + 1) * depth) - first_in
        before = tiles[-1] if tiles else None
        if before and before.columns < TILE_BLOCKS * BLOCK and before[2:] == (first_in * BLOCK, in_blocks):
            tiles[-1] = before._replace(columns=before.columns + BLOCK)
        else:
            tiles.append(Tile(block * BLOCK, BLOCK, first_in * BLOCK, in_blocks))
    left = filters - tiles[-1].filter
    tiles[-1] = tiles[-1]._replace(columns=-(-left // HALF) * HALF)
    return tiles


def cut_groups(channels: int, filters: int, groups: int) -> list[Tile]:
    """Tiles of half a block that read half a block, which stands for a block of theirs; none if some would read more.

    A whole block of filters of two or more groups reads a whole block, and half of the products are with 0.
    """
    depth, share = channels // groups, filters // groups
    tiles = []
    for first in range(0, filters, HALF):
        last = min(filters, first + HALF) - 1
        begin, end = first // share * depth, (last // share + 1) * depth
        channel = begin - begin % HALF
        if end > channel + HALF:
            return []
        tiles.append(Tile(first, HALF, channel, 1))
    return tiles


class StoredWeights(NamedTuple):
    """A convolution's weights as its file has them, and which of its kernel's places are wanted.

    filter_step, channel_step, group_step: numbers from one filter, channel within a group, and group to the next.
    taps: the wanted places of the kernel, as distances from its first.
    """

    channels: int
    filters: int
    groups: int
    filter_step: int
    channel_step: int
    group_step: int
    taps: Array


class Packed(NamedTuple):
    """A layer's weights as its tiles read them: where they are, where each tile's begin there, bytes in all."""

    place: Ref
    offsets: list[int]
    size: int


def pack_weights(
    low: Lowering,
    layer: FusedLayer,
    factor: Array,
    tiles: list[Tile],
    depth: int,
    stored: StoredWeights,
    name: str = "weight",
) -> Packed:
    """A place for a layer's weights as the register tile reads them, and the step that puts them there.

    factor: what each filter is multiplied by; depth: channels of a block, in whole words; name: of the parameter.
    """
    taps = stored.taps
    sizes = [low.element * tile.in_blocks * len(taps) * depth * tile.columns for tile in tiles]
    offsets = [0, *accumulate(sizes)]
    buffer = low.setup.buffer(offsets[-1], f"{layer.node.name} weights", kept=True)
    values: dict[str, Word] = {
        "source": low.parameter(layer.node, name), "target": Ref(buffer),
        "factors": padded_vector(factor, blocks_of(stored.filters) * BLOCK, 1.0), "filters": stored.filters,
        "depth": depth,
        "tiles": np.array([PackedTile(*tile, offset) for tile, offset in zip(tiles, offsets, strict=False)], np.int64),
        "group_depth": stored.channels // stored.groups, "group_filters": stored.filters // stored.groups,
        "filter_step": stored.filter_step, "channel_step": stored.channel_step, "group_step": stored.group_step,
        "taps": len(taps), "tap_table": taps,
    }  # fmt: skip
    span = ByteSpan(buffer, 0, buffer.size)
    kernel = kernels_weights.pack_weights.of(low.element)
    low.setup.add(Step(kernel, values, len(tiles), (), (span,), layer.node.index))
    return Packed(Ref(buffer), offsets[:-1], offsets[-1])


def finish_of(low: Lowering, layer: FusedLayer, target: MapView, pixels: Word) -> dict[str, Word]:
    """The parameters for an activation after a convolution; pixels: the convolution's own table."""
    if layer.function is None:
        return {"finish": 0, "finish_record": 0}
    function = function_of(layer.function)
    kernel = kernel_for(finish, target)
    record = inner_record(
        kernel, low, function=function.number, slope=function.parameter, target_pixels=pixels,
        target_block=target.layout.block,
    )  # fmt: skip
    return {"finish": kernel, "finish_record": record}


def residual_of(low: Lowering, layer: FusedLayer) -> MapView | None:
    """The map a layer adds to its result."""
    return None if layer.residual is None else low.view(layer.residual, layer.node)


def cut(pixels: int, plane_bytes: int, weight_bytes: int, tiles: int, threads: int) -> tuple[int, int]:
    """(pixels of a chunk, tiles of an item) of a direct convolution.

    Many weights on a small plane: each item takes one tile over as much of the plane as is worth reading the weights
    for, so that they are read once, or by few threads that each stay in a part of the plane. Small is a plane that fits
    into cache, or up to MAX_PLANE one of at most a third of the weights' bytes: reading that again for each tile from
    the next cache is cheaper than reading those for each chunk, and a chunk of what pixels are left over would take as
    long as a whole one. Else each item takes a chunk that stays in cache while all tiles pass over it.
    """
    small = max(CACHE, min(MAX_PLANE, weight_bytes // 3))
    if weight_bytes > CACHE // 4 and plane_bytes <= small and tiles >= 3 * threads:
        parts = max(n for n in range(1, threads + 1) if threads % n == 0 and (n == 1 or pixels >= n * REUSE))
        chunk = -(-pixels // (parts * PIXELS)) * PIXELS
        return (chunk if parts > 1 else pixels), 1
    chunk = min(pixels, max(2 * PIXELS, int(pixels * (CACHE / 4) / max(1, plane_bytes))))
    chunk = min(chunk, max(2 * PIXELS, -(-pixels // (ITEMS * threads))))
    chunk = max(PIXELS, -(-chunk // PIXELS) * PIXELS)
    chunks = -(-pixels // chunk)
    if chunks == 1:
        chunk = pixels
    groups = min(tiles, max(1, -(-ITEMS * threads // chunks)))
    return chunk, -(-tiles // groups)


class Runs(NamedTuple):
    """What a window reads, as runs of words of four bytes that lie one after the other.

    starts: where each run begins, block after block for the tile that reads most; length: of each in words;
    last_length: of those of the last block, whose unused channels need not be read.
    """

    starts: Array
    length: int
    last_length: int


class Pixels(NamedTuple):
    """A convolution's output pixels: how many, and for each where its window begins and where its result goes."""

    number: int
    sources: Array
    targets: Array


def add_direct(
    low: Lowering,
    layer: FusedLayer,
    source: MapView,
    target: MapView,
    tiles: list[Tile],
    runs: Runs,
    pixels: Pixels,
    weights: Packed,
    bias: Array,
    macs: int,
) -> None:
    """The step of a convolution by register tiles. macs: as the network counts them."""
    residual = residual_of(low, layer)
    layout = target.layout
    deepest = max(tile.in_blocks for tile in tiles)
    common: dict[str, Word] = {
        "runs": runs.starts, "run_length": runs.length, "last_length": runs.last_length,
        "source_pixels": pixels.sources, "target_pixels": pixels.targets, "target_block": layout.block,
        "residual_pixels": target_table(residual.layout) if residual else 0,
        "residual_block": residual.layout.block if residual else 0, "next_weights": int(weights.size > FEW_WEIGHTS),
        "wide": 0, "low": layer.low, "high": layer.high,
    }  # fmt: skip
    whole_sweep, own_narrow = (kernel_for(kernel, source, target) for kernel in (sweep, narrow_sweep))
    element = source.layout.element
    records: dict[tuple[int, bool, bool], Array] = {}

    def record(tile: Tile) -> Array:
        """The record of the sweep that computes a tile; tiles of one kind share it."""
        # Whether the other half of its last block is no other tile's
        alone = tile.narrow and tile is tiles[-1] and tile.filter % BLOCK == 0
        kind = (tile.in_blocks, tile.narrow, alone)
        if kind not in records:
            values = common | {"run_count": len(runs.starts) // deepest * tile.in_blocks, "fill": int(alone)}
            records[kind] = inner_record(own_narrow if tile.narrow else whole_sweep, low, **values)
        return records[kind]

    entries = [
        kernels_conv.TileRow(
            sweep_record=record(tile).ctypes.data,
            weights=offset,
            source=tile.channel // BLOCK * source.layout.block + tile.channel % BLOCK * element,
            block=tile.filter // BLOCK,
            blocks=blocks_of(tile.columns),
            lane=tile.filter % BLOCK * element,
            bias=4 * tile.filter,
            narrow=int(tile.narrow),
        )
        for tile, offset in zip(tiles, weights.offsets, strict=True)
    ]
    chunk, item_tiles = cut(pixels.number, source.layout.size, weights.size, len(tiles), low.threads)
    # Where nothing calls narrow_sweep, it need not be compiled.
    narrow = own_narrow if any(tile.narrow for tile in tiles) else whole_sweep
    values: dict[str, Word] = {
        "sweep": whole_sweep, "narrow": narrow, "tile_table": np.array(entries, np.int64),
        "tiles": len(tiles), "item_tiles": item_tiles,
        "weights": weights.place, "bias": padded_vector(bias, layout.blocks * BLOCK), "source": source.corner,
        "target": target.corner, "target_block": layout.block, "residual": residual.corner if residual else 0,
        "residual_block": residual.layout.block if residual else 0, "pixels": pixels.number, "chunk_pixels": chunk,
    }  # fmt: skip
    values |= finish_of(low, layer, target, pixels.targets)
    items = -(-pixels.number // chunk) * -(-len(tiles) // item_tiles)
    reads = [source.span] + ([residual.span] if residual else [])
    low.program.add(
        Step(
            kernels_conv.direct, values, items, reads, (target.span,), layer.node.index, macs=macs,
            weight_bytes=weights.size,
        )
    )  # fmt: skip


def target_table(layout: Layout) -> Array:
    """Every real pixel of a map, in order."""
    corner = [range(b, b + n) for b, n in zip(layout.before, layout.spatial, strict=True)]
    return pixel_table(layout.strides, corner)


def source_table(plan: ConvPlan, layout: Layout) -> Array:
    """Where each output pixel's window begins in the padded input."""
    places = [
        range(h - b, h - b + o * s, s)
        for h, b, o, s in zip(layout.before, plan.halo.before, plan.output, plan.stride, strict=True)
    ]
    return pixel_table(layout.strides, places)
