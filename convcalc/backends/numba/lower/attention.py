"""Attention as steps: the projection to queries, keys and values, the heads of all windows, the projection back."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from convcalc.backends.numba.arrays.attention import cosine_factors, projection_factors
from convcalc.backends.numba.jit.sizes import BLOCK, CACHE_LINE, PIXELS, TILE
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.kernels.attention import attend
from convcalc.backends.numba.kernels.tile import sweep
from convcalc.backends.numba.layout import (
    Array,
    as_elements,
    blocks_of,
    map_layout,
    pixel_table,
    run_table,
)
from convcalc.backends.numba.lower.combine import source_of
from convcalc.backends.numba.lower.direct import (
    CACHE,
    Pixels,
    Runs,
    StoredWeights,
    add_direct,
    cut_filters,
    inner_record,
    pack_weights,
    target_table,
    words,
)
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for, padded_vector
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import MapView, Step, Word
from convcalc.ops import Slot

if TYPE_CHECKING:
    from convcalc.ops.attention import Attention

MAX_CHUNK = 4 * PIXELS  # queries whose scores are computed at once, fewer where keys are many


def lower_attention(low: Lowering, layer: FusedLayer) -> None:
    """Attention over the channels of a map. The map it writes has the residual added, if there is one."""
    node = layer.node
    op = cast("Attention", node.op)
    features = node.input_shapes[0][0]
    source = source_of(low, layer)
    if layer.residual is not None:
        low.view(layer.residual, node)
    projected = _new_view(low, layer, 3 * features, "projected")
    gathered = _new_view(low, layer, features, "gathered")
    factor, bias_factor = projection_factors(op, features)
    bias = low.parameter(node, "in_proj_bias") * bias_factor if op.in_bias else np.zeros(3 * features)
    plain = FusedLayer(node=node, value=layer.value)
    _add_projection(low, plain, "in_proj_weight", source, projected, factor, bias)
    _add_heads(low, plain, op, projected, gathered, bias)
    bias = low.parameter(node, "out_proj.bias") if op.out_bias else np.zeros(features)
    target = low.target(layer.value, node)
    _add_projection(low, layer, "out_proj.weight", gathered, target, np.ones(features), bias)


def _new_view(low: Lowering, layer: FusedLayer, channels: int, name: str) -> MapView:
    """A map between the steps."""
    layout = map_layout((channels, *layer.node.input_shapes[0][1:]), element=low.element)
    return MapView(low.program.buffer(layout.size, f"{layer.node.name} {name}"), layout)


def _add_projection(
    low: Lowering, layer: FusedLayer, name: str, source: MapView, target: MapView, factor: Array, bias: Array
) -> None:
    """A matrix (filters, channels) times the channels of each pixel, as a convolution of kernel 1."""
    channels, filters = source.layout.channels, target.layout.channels
    tiles = cut_filters(channels, filters, 1)
    stored = StoredWeights(
        channels=channels, filters=filters, groups=1, filter_step=channels, channel_step=1, group_step=0,
        taps=np.zeros(1, np.int32),
    )  # fmt: skip
    weights = pack_weights(low, layer, factor, tiles, BLOCK, stored, name)
    block = source.layout.block
    length, last_length = (
        words(count, source.layout.element) for count in (BLOCK, BLOCK - -channels % BLOCK)
    )
    runs = Runs(run_table(range(0, blocks_of(channels) * block, block), [0]), length, last_length)
    count = prod(source.layout.spatial)
    pixels = Pixels(count, target_table(source.layout), target_table(target.layout))
    add_direct(
        low, layer, source, target, tiles, runs, pixels, weights, bias, macs=count * channels * filters
    )


def _add_heads(
    low: Lowering, layer: FusedLayer, op: Attention, projected: MapView, gathered: MapView, bias: Array
) -> None:
    """The step between the projections."""
    shape = layer.node.input_shapes[0]
    windows = op.tiles(shape)
    count, heads = len(windows[0]), op.heads
    depth = shape[0] // heads
    cut = _cut(count, depth, projected.layout.element)
    low.program.need_scratch(cut.bytes)
    named = op.named_inputs(layer.node.input_shapes)
    added = {name: low.fusion.alias[layer.node.inputs[place]] for name, place in named.items()}
    flat = {name: low.flat(value, layer.node) for name, value in added.items()}
    per_window = "mask" in named and len(layer.node.input_shapes[named["mask"]]) == 3
    filling = as_elements(padded_vector(bias, blocks_of(len(bias)) * BLOCK), projected.layout.element)
    factors = cosine_factors(op, low.parameters(layer.node))
    values: dict[str, Word] = {
        "sweep": kernel_for(sweep, projected), "zeros": np.zeros(TILE, np.float32), "projected": projected.corner,
        "projected_block": projected.layout.block, "filling": filling,
        "places": _offsets(windows, projected), "target_places": _offsets(windows, gathered), "count": count,
        "heads": heads, "depth": depth, "bias": flat.get("bias", 0), "mask": flat.get("mask", 0),
        "mask_window": 4 * count * count if per_window else 0,
        "parts": _parts(windows) if op.masks_itself(shape) else 0, "target": gathered.corner,
        "target_block": gathered.layout.block, "chunk": cut.chunk, "keys": cut.keys, "values": cut.values,
        "scores": cut.scores, "outputs": cut.outputs, "lines": cut.lines, "inverses": cut.inverses,
    }  # fmt: skip
    values["factors"] = 0 if factors is None else factors.astype(np.float32)
    values |= _records(low, cut, count, depth, projected.layout.element)
    reads = [projected.span, *(low.flat_span(flat[name], prod(low.shape(added[name]))) for name in flat)]
    macs = op.macs(layer.node.input_shapes) - 4 * shape[0] ** 2 * prod(shape[1:])
    low.program.add(
        Step(
            kernel_for(attend, projected, gathered),
            values,
            len(windows) * heads,
            reads,
            (gathered.span,),
            layer.node.index,
            macs=macs,
        )
    )


class _Cut(NamedTuple):
    """Queries of a chunk, and where the parts of scratch memory begin, in bytes; see `attend`."""

    chunk: int
    keys: int
    values: int
    scores: int
    outputs: int
    lines: int
    inverses: int
    bytes: int

    @classmethod
    def of(cls, chunk: int, *sizes: int) -> _Cut:
        """Parts of these sizes, the queries first, one after the other."""
        places = [sum(sizes[:part]) for part in range(1, len(sizes) + 1)]
        return cls(chunk, *places)


def _cut(count: int, depth: int, element: int) -> _Cut:
    """Chunks whose scores take at most a quarter of the second-level cache, or are as small as they may be."""
    score_row, output_row = 64 * blocks_of(count), 64 * blocks_of(depth)
    query_row, value_rows = 4 * words(depth, element), words(count, element)
    chunk = max(PIXELS, min(MAX_CHUNK, CACHE // 4 // score_row) // PIXELS * PIXELS)
    chunk = min(chunk, count)
    rows = chunk + PIXELS  # a register tile may compute more pixels than there are
    return _Cut.of(
        chunk,
        _lines((count + PIXELS) * query_row),
        _lines(score_row * query_row // 4),
        _lines(output_row * value_rows),
        _lines(score_row * rows),
        _lines(output_row * rows),
        _lines(WIDTH * query_row),
        _lines(4 * chunk),
    )


def _lines(size: int) -> int:
    """Bytes, rounded up to whole cache lines."""
    return -(-size // CACHE_LINE) * CACHE_LINE


def _records(low: Lowering, cut: _Cut, count: int, depth: int, element: int) -> dict[str, Word]:
    """The records of the two products' sweeps."""
    score_row, output_row = 64 * blocks_of(count), 64 * blocks_of(depth)

    def record(length: int, source_row: int, target_row: int) -> Array:
        sources, targets = (
            pixel_table((0, 0, row), (range(1), range(1), range(cut.chunk)))
            for row in (source_row, target_row)
        )
        return inner_record(
            sweep.of(element), low, runs=np.zeros(1, np.int32), run_count=1, run_length=length, last_length=length,
            source_pixels=sources, target_pixels=targets, target_block=64, residual_pixels=0, residual_block=0,
            next_weights=0, wide=1, low=-np.inf, high=np.inf, fill=0,
        )  # fmt: skip

    return {
        "scores_record": record(words(depth, element), 4 * words(depth, element), score_row),
        "outputs_record": record(words(count, element), score_row, output_row),
    }


def _offsets(windows: list[list[Slot]], view: MapView) -> Array:
    """Where the pixel of each place of each window is; -1 for a place without a position."""
    pixels = target_table(view.layout)
    places = [-1 if slot.position is None else slot.position for window in windows for slot in window]
    found = np.array(places, np.int64)
    return np.where(found < 0, -1, pixels[found]).astype(np.int32)


def _parts(windows: list[list[Slot]]) -> Array:
    """A number for each place, equal for those of a window that see each other; in rows of whole blocks."""
    numbers: dict[tuple[bool, ...], int] = {}
    count = len(windows[0])
    result = np.zeros((len(windows), blocks_of(count) * BLOCK), np.float32)
    for row, window in zip(result, windows, strict=True):
        row[:count] = [numbers.setdefault(slot.wrapped, len(numbers)) for slot in window]
    return result
