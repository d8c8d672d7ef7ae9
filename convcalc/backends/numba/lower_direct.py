"""What convolutions by register tiles share: tables, weights in the tile's order, and the cut into items."""

from __future__ import annotations

import numpy as np

from convcalc.backends.numba import kernels_conv, kernels_weights
from convcalc.backends.numba.choice import Conv
from convcalc.backends.numba.fusion import Layer
from convcalc.backends.numba.kernels_maps import finish
from convcalc.backends.numba.layout import Array, Layout, blocks_of, pixel_table
from convcalc.backends.numba.lower_maps import activation_of
from convcalc.backends.numba.lowering import Lowering, padded_vector
from convcalc.backends.numba.program import Ref, Span, Step, View, Word, word
from convcalc.backends.numba.simd import BLOCK, PIXELS, TILE
from convcalc.backends.numba.tile import sweep

CACHE = 1 << 20  # a core's second-level cache
ITEMS = 4  # items per thread that keep all threads busy to the end
REUSE = 64  # pixels for which it is worth reading a weight from memory


class Tables:
    """A sweep's record and the tables it points to, kept in memory together."""

    def __init__(self, **values: Word) -> None:
        self.keep: list[object] = []
        self.target_pixels = values["target_pixels"]
        words = {name: word(value, self.keep) for name, value in values.items()}
        self.record = np.array(sweep.record(words), np.int64)


def tiles_of(filters: int, width: int = TILE) -> int:
    """Tiles of output channels."""
    return -(-filters // width)


def tile_width(filters: int, groups: int) -> int:
    """Filters of a tile: narrow groups are not put together, as each tile reads the channels of all its groups."""
    return BLOCK if groups > 1 and (filters // groups) % TILE else TILE


def group_blocks(channels: int, filters: int, groups: int) -> tuple[Array, int]:
    """Per tile, the first in block it reads; and how many blocks each tile reads: those of its filters' groups."""
    total = blocks_of(channels)
    width = tile_width(filters, groups)
    count = tiles_of(filters, width)
    if groups == 1:
        return np.zeros(count, np.int32), total
    depth, share = channels // groups, filters // groups
    spans = []
    for tile in range(count):
        last = min(filters, (tile + 1) * width) - 1
        low = (tile * width // share) * depth // BLOCK
        high = ((last // share + 1) * depth - 1) // BLOCK
        spans.append((low, high + 1))
    most = max(high - low for low, high in spans)
    return np.array([min(low, total - most) for low, _ in spans], np.int32), most


def pack_weights(
    low: Lowering,
    layer: Layer,
    factor: Array,
    tile_blocks: Array,
    in_blocks: int,
    depth: int,
    taps: Array,
    steps: tuple[int, int, int],
    groups: int,
    channels: int,
    filters: int,
) -> Ref:
    """A place for a layer's weights as the register tile reads them, and the step that puts them there.

    steps: from one filter, channel and group to the next in the stored weights.
    """
    width = tile_width(filters, groups)
    size = 4 * in_blocks * len(taps) * depth * blocks_of(filters) * BLOCK
    buffer = low.setup.buffer(size, f"{layer.node.name} weights", kept=True)
    values: dict[str, Word] = {
        "source": low.parameter(layer.node, "weight"), "target": Ref(buffer),
        "factors": padded_vector(factor, tiles_of(filters, width) * width, 1.0), "filters": filters,
        "depth": depth, "in_blocks": in_blocks, "tile_blocks": tile_blocks,
        "group_depth": channels // groups, "group_filters": filters // groups, "filter_step": steps[0],
        "channel_step": steps[1], "group_step": steps[2], "taps": len(taps), "tap_table": taps,
        "tile_width": width,
    }  # fmt: skip
    low.setup.add(
        Step(
            kernels_weights.pack_weights,
            values,
            tiles_of(filters, width) * in_blocks,
            (),
            (Span(buffer, 0, buffer.size),),
        )
    )
    return Ref(buffer)


def finish_of(low: Lowering, layer: Layer, target: View, pixels: Word) -> dict[str, Word]:
    """The parameters for an activation after a convolution; pixels: the convolution's own table."""
    if layer.function is None:
        return {"finish": 0, "finish_record": 0}
    function, slope = activation_of(layer.function)
    values = {
        "function": function, "slope": slope, "target_pixels": pixels, "target_block": target.layout.block,
    }  # fmt: skip
    words = {name: word(value, low.keep) for name, value in values.items()}
    return {"finish": finish, "finish_record": np.array(finish.record(words), np.int64)}


def residual_of(low: Lowering, layer: Layer) -> View | None:
    """The map a layer adds to its result."""
    return None if layer.residual is None else low.view(layer.residual, layer.node)


def cut(pixels: int, plane_bytes: int, weight_bytes: int, tiles: int, threads: int) -> tuple[int, int]:
    """(pixels of a chunk, tiles of an item) of a direct convolution.

    Many weights on a small plane: each item takes one tile over as much of the plane as is worth reading the weights
    for, so that they are read once, or by few threads that each stay in a part of the plane. Else each item takes a
    chunk that stays in cache while all tiles pass over it.
    """
    if weight_bytes > CACHE // 4 and plane_bytes <= CACHE and tiles >= 3 * threads:
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


def add_direct(
    low: Lowering,
    layer: Layer,
    source: View,
    target: View,
    tables: Tables,
    weights: Ref,
    row_count: int,
    bias: Array,
    tile_sources: Array,
    pixels: int,
    width: int,
) -> None:
    """The step of a convolution by register tiles; row_count rows of `width` weights per tile."""
    residual = residual_of(low, layer)
    layout = target.layout
    tiles = tiles_of(layout.channels, width)
    weight_bytes = 4 * row_count * layout.blocks * BLOCK
    chunk, item_tiles = cut(pixels, source.layout.size, weight_bytes, tiles, low.threads)
    values: dict[str, Word] = {
        "sweep": sweep, "sweep_record": tables.record, "weights": weights, "tile_weights": 4 * row_count * width,
        "bias": padded_vector(bias, tiles * width), "source": source.corner, "tile_sources": tile_sources,
        "target": target.corner, "tile_target": width // BLOCK * layout.block,
        "residual": residual.corner if residual else 0,
        "tile_residual": width // BLOCK * residual.layout.block if residual else 0, "pixels": pixels,
        "chunk_pixels": chunk, "tiles": tiles, "item_tiles": item_tiles, "blocks": layout.blocks,
        "tile_blocks": width // BLOCK,
    }  # fmt: skip
    values |= finish_of(low, layer, target, tables.target_pixels)
    items = -(-pixels // chunk) * -(-tiles // item_tiles)
    reads = [source.span] + ([residual.span] if residual else [])
    step = Step(kernels_conv.direct, values, items, reads, (target.span,), layer.node.index)
    step.weight_bytes = weight_bytes
    low.keep.append(tables)
    low.program.add(step)


def target_table(layout: Layout) -> Array:
    """Every real pixel of a map, in order."""
    corner = [range(b, b + n) for b, n in zip(layout.before, layout.spatial, strict=True)]
    return pixel_table(layout.strides, corner)


def source_table(conv: Conv, layout: Layout) -> Array:
    """Where each output pixel's window begins in the padded input."""
    places = [
        range(h - b, h - b + o * s, s)
        for h, b, o, s in zip(layout.before, conv.before, conv.output, conv.stride, strict=True)
    ]
    return pixel_table(layout.strides, places)
