"""Convolutions, deconvolutions and dense layers as steps."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from convcalc.backends.numba import kernels_conv, kernels_weights, kernels_winograd
from convcalc.backends.numba.choice import Conv
from convcalc.backends.numba.functions import FUNCTIONS
from convcalc.backends.numba.fusion import Layer
from convcalc.backends.numba.kernels_maps import finish
from convcalc.backends.numba.kernels_winograd import FREQUENCIES, TEMPORARY, kernel_matrix
from convcalc.backends.numba.layout import (
    Array,
    Layout,
    blocks_of,
    pixel_table,
    run_table,
    tap_offsets,
    triple,
)
from convcalc.backends.numba.lower_maps import add_activation
from convcalc.backends.numba.lowering import Lowering, padded_vector
from convcalc.backends.numba.program import Ref, Span, Step, View, Word, word
from convcalc.backends.numba.simd import BLOCK, PIXELS, TILE, TILE_BLOCKS
from convcalc.backends.numba.tile import sweep
from convcalc.graph import Node

CACHE = 1 << 20  # a core's second-level cache
ITEMS = 4  # items per thread that keep all threads busy to the end


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


def activation_of(node: Node) -> tuple[int, float]:
    """An activation's number in FUNCTIONS, and its parameter."""
    op: Any = node.op
    name = node.kind
    if name == "gelu" and op.approximate == "tanh":
        name = "gelu_tanh"
    slope = {"leaky_relu": "slope", "elu": "alpha"}.get(name)
    return FUNCTIONS.index(name), float(getattr(op, slope)) if slope else 0.0


def residual_of(low: Lowering, layer: Layer) -> View | None:
    """The map a layer adds to its result."""
    return None if layer.residual is None else low.view(layer.residual, layer.node)


def cut(pixels: int, plane_bytes: int, weight_bytes: int, tiles: int, threads: int) -> tuple[int, int]:
    """(pixels of a chunk, tiles of an item) of a direct convolution.

    Many weights on a small plane: each item takes one tile over the whole plane, so that every weight is read once.
    Else each item takes a chunk that stays in cache while all tiles pass over it.
    """
    if weight_bytes > CACHE // 4 and plane_bytes <= CACHE and tiles >= 3 * threads:
        return pixels, 1
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


def lower_conv(low: Lowering, layer: Layer) -> None:
    """A `conv` by the kernel chosen for it."""
    conv = low.convs[layer.value]
    node = layer.node
    factor, bias = low.factors(layer, conv.filters, node.op.bias)  # type: ignore[attr-defined]
    if conv.algorithm == "interleaved":
        source = low.interleaved(node)
    else:
        source = low.view(low.fusion.alias[node.inputs[0]], node)
    if layer.residual is not None:
        low.view(layer.residual, node)
    target = low.target(layer.value, node)
    if conv.algorithm == "depthwise":
        _depthwise(low, layer, conv, source, target, factor, bias)
    elif conv.algorithm == "winograd":
        _winograd(low, layer, conv, source, target, factor, bias)
        low.program.steps[-1].macs = node.op.macs(node.input_shapes)
        if layer.function is not None:
            add_activation(low, layer.function, target, target, *activation_of(layer.function))
        return
    else:
        _direct(low, layer, conv, source, target, factor, bias)
    low.program.steps[-1].macs = node.op.macs(node.input_shapes)


def _source_table(conv: Conv, layout: Layout) -> Array:
    """Where each output pixel's window begins in the padded input."""
    places = [
        range(h - b, h - b + o * s, s)
        for h, b, o, s in zip(layout.before, conv.before, conv.output, conv.stride, strict=True)
    ]
    return pixel_table(layout.strides, places)


def _direct(
    low: Lowering, layer: Layer, conv: Conv, source: View, target: View, factor: Array, bias: Array
) -> None:
    layout = source.layout
    residual = residual_of(low, layer)
    if layout.interleaved:
        depth, in_blocks, first_blocks = conv.channels, 1, np.zeros(tiles_of(conv.filters), np.int32)
    else:
        depth = BLOCK
        first_blocks, in_blocks = group_blocks(conv.channels, conv.filters, conv.groups)
    offsets = range(0, in_blocks * layout.block, layout.block)
    if conv.dilation[2] == 1:  # a kernel's row is one run
        taps = tap_offsets((*conv.kernel[:2], 1), conv.dilation, layout.strides)
        length = conv.kernel[2] * depth
    else:
        taps = tap_offsets(conv.kernel, conv.dilation, layout.strides)
        length = depth
    runs = run_table(offsets, taps)
    ends_early = (
        conv.taps == 1 and conv.groups == 1 and not layout.interleaved
    )  # the last block's unused channels
    tables = Tables(
        runs=runs,
        run_count=len(runs),
        run_length=length,
        last_length=length - blocks_of(conv.channels) * BLOCK + conv.channels if ends_early else length,
        source_pixels=_source_table(conv, layout),
        target_pixels=target_table(target.layout),
        target_block=target.layout.block,
        residual_pixels=target_table(residual.layout) if residual else 0,
        residual_block=residual.layout.block if residual else 0,
        low=layer.low,
        high=layer.high,
    )
    share, group_depth = conv.filters // conv.groups, conv.channels // conv.groups
    steps = (group_depth * conv.taps, conv.taps, share * group_depth * conv.taps)
    weights = pack_weights(
        low, layer, factor, first_blocks, in_blocks, depth, np.arange(conv.taps, dtype=np.int32), steps,
        conv.groups, conv.channels, conv.filters,
    )  # fmt: skip
    tile_sources = (first_blocks.astype(np.int64) * layout.block).astype(np.int32)
    add_direct(
        low, layer, source, target, tables, weights, len(runs) * length, bias, tile_sources, prod(conv.output),
        tile_width(conv.filters, conv.groups),
    )  # fmt: skip


def _depthwise(
    low: Lowering, layer: Layer, conv: Conv, source: View, target: View, factor: Array, bias: Array
) -> None:
    blocks = blocks_of(conv.channels)
    kernels = np.zeros((blocks * BLOCK, conv.taps), np.float32)
    kernels[: conv.channels] = (
        low.parameter(layer.node, "weight").reshape(conv.channels, conv.taps) * factor[:, None]
    )
    weights = np.ascontiguousarray(kernels.reshape(blocks, BLOCK, conv.taps).transpose(0, 2, 1))
    layout = source.layout
    pixels = prod(conv.output)
    items = max(1, -(-ITEMS * low.threads // blocks))
    chunk = max(PIXELS, -(-pixels // items))
    chunk = min(chunk, max(8 * PIXELS, CACHE // 4 // (64 * prod(conv.stride))))
    chunk = -(-chunk // PIXELS) * PIXELS
    if chunk >= pixels:
        chunk = pixels
    chunks = -(-pixels // chunk)
    values: dict[str, Word] = {
        "taps": run_table([0], tap_offsets(conv.kernel, conv.dilation, layout.strides)), "tap_count": conv.taps,
        "weights": weights, "block_weights": 4 * BLOCK * conv.taps, "bias": padded_vector(bias, blocks * BLOCK),
        "source": source.corner, "source_block": layout.block, "source_pixels": _source_table(conv, layout),
        "target": target.corner, "target_block": target.layout.block, "target_pixels": target_table(target.layout),
        "pixels": pixels, "chunk_pixels": chunk, "chunks": chunks, "low": layer.low, "high": layer.high,
    }  # fmt: skip
    values |= finish_of(low, layer, target, values["target_pixels"])
    step = Step(
        kernels_conv.depthwise, values, blocks * chunks, (source.span,), (target.span,), layer.node.index
    )
    step.weight_bytes = weights.nbytes
    low.program.add(step)


def _winograd(
    low: Lowering, layer: Layer, conv: Conv, source: View, target: View, factor: Array, bias: Array
) -> None:
    layout, to = source.layout, target.layout
    residual = residual_of(low, layer)
    ins, outs = blocks_of(conv.channels), blocks_of(conv.filters)
    down, across = conv.tiles
    tiles = down * across
    fused, chunk, groups = _winograd_cut(tiles, ins, tiles_of(conv.filters), low.threads)
    held = max(PIXELS, chunk) if fused else tiles + PIXELS  # a register tile may read past the last
    transformed_block = held * 64
    frequency = ins * transformed_block + 64
    product_block = max(PIXELS, chunk) * 64
    product_frequency = TILE_BLOCKS * product_block + 64
    low.program.need_scratch(
        TEMPORARY + FREQUENCIES * product_frequency + (FREQUENCIES * frequency if fused else 0)
    )
    weights = _transform_weights(low, layer, conv, factor)
    pixels = pixel_table((0, 0, 64), (range(1), range(1), range(max(PIXELS, chunk))))
    runs = run_table(range(0, ins * transformed_block, transformed_block), [0])
    tables = Tables(
        runs=runs, run_count=ins, run_length=BLOCK, last_length=BLOCK, source_pixels=pixels, target_pixels=pixels,
        target_block=product_block, residual_pixels=0, residual_block=0, low=-np.inf, high=np.inf,
    )  # fmt: skip
    low.keep.append(tables)
    # A tile begins where the first output's window does, which a wider halo moves inwards.
    shift = sum((h - b) * s for h, b, s in zip(layout.before, conv.before, layout.strides, strict=True))
    begin = Ref(source.buffer, source.offset + shift)
    common: dict[str, Word] = {
        "source": begin, "source_block": layout.block, "row": layout.row, "outputs": conv.outputs,
        "tiles_across": across, "tiles": tiles, "transformed_block": transformed_block, "frequency": frequency,
    }  # fmt: skip
    transformed: Word = 0
    read = source.span
    if not fused:
        buffer = low.program.buffer(FREQUENCIES * frequency, f"{layer.node.name} transformed")
        transformed, read = Ref(buffer), Span(buffer, 0, buffer.size)
        item_tiles = max(1, -(-tiles * ins // (8 * low.threads * ins)))
        values = common | {"transformed": transformed, "item_tiles": item_tiles}
        low.program.add(
            Step(
                kernels_winograd.winograd_input, values, ins * -(-tiles // item_tiles), (source.span,), (read,),
                layer.node.index,
            )
        )  # fmt: skip
    depth = ins * BLOCK
    values = common | {
        "sweep": sweep, "sweep_record": tables.record, "weights": weights,
        "tile_weights": 4 * FREQUENCIES * depth * TILE, "frequency_weights": 4 * depth * TILE,
        "zeros": np.zeros(TILE, np.float32), "bias": padded_vector(bias, outs * BLOCK), "chunk_tiles": chunk,
        "item_groups": groups, "out_tiles": tiles_of(conv.filters), "blocks": outs, "in_blocks": ins,
        "fused": int(fused), "transformed": transformed, "product_block": product_block,
        "product_frequency": product_frequency, "target": target.real, "target_block": to.block, "target_row": to.row,
        "residual": residual.real if residual else 0, "residual_block": residual.layout.block if residual else 0,
        "residual_row": residual.layout.row if residual else 0, "height": conv.output[1], "width": conv.output[2],
        "low": layer.low, "high": layer.high,
    }  # fmt: skip
    reads = [read] + ([residual.span] if residual else [])
    step = Step(
        kernels_winograd.winograd,
        values,
        -(-tiles // chunk) * groups,
        reads,
        (target.span,),
        layer.node.index,
    )
    step.weight_bytes = 4 * FREQUENCIES * depth * outs * BLOCK
    low.program.add(step)


def _winograd_cut(tiles: int, ins: int, out_tiles: int, threads: int) -> tuple[bool, int, int]:
    """(whether a chunk transforms its own input, tiles of a chunk, items per chunk)."""
    whole = FREQUENCIES * ins * tiles * 64
    if whole > 8 * CACHE or (tiles >= 16 * PIXELS and ins * TILE_BLOCKS <= 8):
        chunk = int(CACHE * 0.6 / (FREQUENCIES * 64 * (ins + TILE_BLOCKS)))
        chunk = max(PIXELS, chunk // PIXELS * PIXELS)
        return True, min(chunk, tiles), 1
    chunk = min(tiles, max(PIXELS, int(CACHE * 0.35 / (FREQUENCIES * 64 * TILE_BLOCKS)) // PIXELS * PIXELS))
    chunk = -(-tiles // -(-tiles // chunk))
    chunk = min(tiles, -(-chunk // PIXELS) * PIXELS)
    return False, chunk, out_tiles


def _transform_weights(low: Lowering, layer: Layer, conv: Conv, factor: Array) -> Ref:
    ins, outs = blocks_of(conv.channels), blocks_of(conv.filters)
    size = 4 * FREQUENCIES * ins * BLOCK * outs * BLOCK
    buffer = low.setup.buffer(size, f"{layer.node.name} weights", kept=True)
    side = conv.kernel[2]
    values: dict[str, Word] = {
        "source": low.parameter(layer.node, "weight"), "target": Ref(buffer),
        "factors": padded_vector(factor, tiles_of(conv.filters) * TILE, 1.0),
        "matrix": np.array(kernel_matrix(side), np.float32), "size": side, "channels": conv.channels,
        "filters": conv.filters, "in_blocks": ins,
    }  # fmt: skip
    items = tiles_of(conv.filters) * ins
    low.setup.add(Step(kernels_weights.transform_weights, values, items, (), (Span(buffer, 0, buffer.size),)))
    return Ref(buffer)


def lower_deconv(low: Lowering, layer: Layer) -> None:
    """A `deconv`: output pixels of equal remainder by the stride form a phase, an ordinary convolution each.

    Output o reads input (o + before − t·dilation)/stride for the taps t where that is whole.
    """
    node = layer.node
    op: Any = node.op
    shape = node.input_shapes[0]
    axes = op.axes(node.input_shapes)
    source = low.view(low.fusion.alias[node.inputs[0]], node)
    target = low.target(layer.value, node)
    layout = source.layout
    filters, groups = op.filters, op.groups
    factor, bias = low.factors(layer, filters, op.bias)
    first_blocks, in_blocks = group_blocks(shape[0], filters, groups)
    offsets = range(0, in_blocks * layout.block, layout.block)
    tile_sources = (first_blocks.astype(np.int64) * layout.block).astype(np.int32)
    phases = [_phases(axis) for axis in axes]
    phases = [[([0], [0], [0], [0])]] * (3 - len(phases)) + phases
    kernel = triple(axis.kernel for axis in axes)
    taps_total = prod(kernel)
    share, depth = filters // groups, shape[0] // groups
    steps = (taps_total, share * taps_total, depth * share * taps_total)
    for parts in product(*phases):
        tap_places, shifts, sources, targets = zip(*parts, strict=True)
        tap_ids = [(a * kernel[1] + b) * kernel[2] + c for a, b, c in product(*tap_places)]
        tap_bytes = [
            sum(n * s for n, s in zip(place, layout.strides, strict=True)) for place in product(*shifts)
        ]
        runs = run_table(offsets, tap_bytes)
        corner = [[h + p for p in places] for h, places in zip(layout.before, sources, strict=True)]
        real = [[h + p for p in places] for h, places in zip(target.layout.before, targets, strict=True)]
        tables = Tables(
            runs=runs, run_count=len(runs), run_length=BLOCK, last_length=BLOCK,
            source_pixels=pixel_table(layout.strides, corner),
            target_pixels=pixel_table(target.layout.strides, real), target_block=target.layout.block,
            residual_pixels=0, residual_block=0, low=layer.low, high=layer.high,
        )  # fmt: skip
        weights = pack_weights(
            low, layer, factor, first_blocks, in_blocks, BLOCK, np.array(tap_ids, np.int32), steps, groups, shape[0],
            filters,
        )  # fmt: skip
        add_direct(
            low, layer, source, target, tables, weights, len(runs) * BLOCK, bias, tile_sources,
            prod(len(places) for places in targets), tile_width(filters, groups),
        )  # fmt: skip
    low.program.steps[-1].macs = op.macs(node.input_shapes)


Phase = tuple[list[int], list[int], list[int], list[int]]


def _phases(axis: Any) -> list[Phase]:
    """One axis' phases: (taps, their shifts on the input, the input's places for shift 0, the output's places)."""
    result = []
    for remainder in range(min(axis.stride, axis.output)):
        count = -(-(axis.output - remainder) // axis.stride)
        taps, shifts = [], []
        for tap in range(axis.kernel):
            distance = remainder + axis.before - tap * axis.dilation
            if distance % axis.stride == 0:
                taps.append(tap)
                shifts.append(distance // axis.stride)
        result.append((taps, shifts, list(range(count)), [remainder + axis.stride * q for q in range(count)]))
    return result


def deconv_halo(axes: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The zeros a deconvolution reads around its input, per axis."""
    before, after = [], []
    for axis in axes:
        reads = [
            place + shift
            for _, shifts, places, _ in _phases(axis)
            for shift in shifts
            for place in (places[0], places[-1])
        ]
        before.append(max(0, -min(reads, default=0)))
        after.append(max(0, max(reads, default=0) - axis.size + 1))
    return tuple(before), tuple(after)


def lower_dense(low: Lowering, layer: Layer) -> None:
    """A `dense` on a vector, by the weights as they are."""
    node = layer.node
    op: Any = node.op
    features, units = node.input_shapes[0][0], op.units
    source = low.flat(low.fusion.alias[node.inputs[0]], node)
    target = low.target(layer.value, node)
    bias = low.parameter(node, "bias") if op.bias else np.zeros(units, np.float32)
    rows = blocks_of(units) * BLOCK
    item = BLOCK
    while rows // item > 16 * low.threads and item * features * 4 < CACHE:
        item += BLOCK
    while rows % item:
        item -= BLOCK
    weights = low.parameter(node, "weight")
    values: dict[str, Word] = {
        "weights": weights, "bias": padded_vector(bias, rows), "source": source, "target": target.corner,
        "features": features, "units": units, "item_units": item, "low": layer.low, "high": layer.high,
    }  # fmt: skip
    reads = (low.flat_span(source, features),)
    step = Step(kernels_conv.dense, values, rows // item, reads, (target.span,), node.index)
    step.macs, step.weight_bytes = op.macs(node.input_shapes), weights.nbytes
    low.program.add(step)
