"""Everything that is no matrix product as steps: pooling, joins, activations, normalisation, moving channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from convcalc.backends.numba.jit.simd import BLOCK
from convcalc.backends.numba.kernels import norm as kernels_norm
from convcalc.backends.numba.kernels import pointwise
from convcalc.backends.numba.kernels.activations import FUNCTIONS
from convcalc.backends.numba.kernels.copies import Channel, gather
from convcalc.backends.numba.kernels.pool import Window, pool
from convcalc.backends.numba.layout import blocks_of, triple
from convcalc.backends.numba.lower import pool_windows as windows
from convcalc.backends.numba.lower.lowering import Lowering, padded_vector
from convcalc.backends.numba.passes.channel_moves import aligned
from convcalc.backends.numba.passes.fusion import BOUNDS, Layer
from convcalc.backends.numba.runtime.program import ByteSpan, Ref, Step, View, Word
from convcalc.graph import Node
from convcalc.shapes import pads, per_axis


def _rows(low: Lowering, view: View) -> tuple[dict[str, Word], int]:
    """The parameters for walking a map's rows, and the number of items."""
    depth, height, width = view.layout.spatial
    rows = depth * height
    blocks, item_rows = view.layout.blocks, low.item_rows(rows, width * 4 * BLOCK)
    values: dict[str, Word] = {"height": height, "width": width, "rows": rows}
    return values | {"blocks": blocks, "item_rows": item_rows}, blocks * -(-rows // item_rows)


def _source(low: Lowering, layer: Layer, place: int = 0) -> View:
    return low.view(low.fusion.alias[layer.node.inputs[place]], layer.node)


def _bounds(layer: Layer) -> dict[str, Word]:
    return {"low": layer.low, "high": layer.high}


def lower_pool(low: Lowering, layer: Layer) -> None:
    """Whatever is a largest value or a mean over windows that are a product of ranges; see `kernels/pool.py`."""
    node = layer.node
    op: Any = node.op
    spatial = node.input_shapes[0][1:]
    rank = len(spatial)
    steps: tuple[int, ...] = (1,) * rank
    empty = 0.0
    if node.kind in ("maxpool", "avgpool"):
        count_padding = node.kind == "maxpool" or op.count_padding
        axes = [windows.sliding(axis, count_padding) for axis in op.axes(node.input_shapes)]
        if node.kind == "maxpool":
            steps = per_axis(op.dilation, rank, "dilation")
    elif node.kind == "global_avgpool":
        axes = [[Window(0, size, size)] for size in spatial]
    elif node.kind == "adaptive_avgpool":
        sizes = per_axis(op.size, rank, "size")
        axes = [windows.adaptive(n, m) for n, m in zip(spatial, sizes, strict=True)]
    elif node.kind == "upsample":
        scales = per_axis(op.scale, rank, "scale")
        axes = [windows.repeated(n, scale) for n, scale in zip(spatial, scales, strict=True)]
    else:
        empty = op.value
        axes = [windows.padded(n, *pads(op.padding, axis, rank)) for axis, n in enumerate(spatial)]
    axes = [[Window(0, 1, 1)]] * (3 - rank) + axes
    source, target = _source(low, layer), low.target(layer.value, node)
    out = target.layout.spatial
    item_rows = low.item_rows(
        out[0] * out[1], source.layout.size // source.layout.blocks // (out[0] * out[1])
    )
    tables: list[Word] = [windows.table(axis) for axis in axes]
    values: dict[str, Word] = {"largest": int(node.kind == "maxpool"), "empty": empty, "item_rows": item_rows}
    values["blocks"] = target.layout.blocks
    values |= source.strides("source") | target.strides("target") | _bounds(layer)
    values |= dict(zip(("depths", "heights", "widths"), tables, strict=True))
    values |= dict(zip(("out_depth", "out_height", "out_width"), out, strict=True))
    values |= dict(zip(("depth_step", "height_step", "width_step"), triple(steps), strict=True))
    items = target.layout.blocks * -(-out[0] * out[1] // item_rows)
    low.program.add(Step(pool, values, items, (source.span,), (target.span,), node.index))


def _combine(
    low: Lowering,
    layer: Layer,
    mode: int,
    source: View,
    other: View | None,
    target: View,
    scale: Word = 0,
    shift: Word = 0,
    bounded: bool = True,
) -> None:
    rows, items = _rows(low, target)
    values = rows | {"mode": mode, "scale": scale, "shift": shift, "other_pixel": 64}
    values |= source.strides("source") | (other or source).strides("other") | target.strides("target")
    values |= _bounds(layer) if bounded else {"low": -np.inf, "high": np.inf}
    if other:
        sizes = zip(
            ("other_plane", "other_row", "other_pixel"),
            other.layout.spatial,
            target.layout.spatial,
            strict=True,
        )
        values |= {name: 0 for name, own, full in sizes if own != full}
    reads = [source.span, other.span] if other else [source.span]
    low.program.add(Step(pointwise.combine, values, items, reads, (target.span,), layer.node.index))


def lower_add(low: Lowering, layer: Layer) -> None:
    """A sum, two inputs at a time."""
    views = [_source(low, layer, place) for place in range(len(layer.node.inputs))]
    target = low.target(layer.value, layer.node)
    total = views[0]
    for place, view in enumerate(views[1:], 2):
        _combine(low, layer, pointwise.ADD, total, view, target, bounded=place == len(views))
        total = target


def multiplies_in_kernel(shapes: tuple[tuple[int, ...], ...]) -> bool:
    """Whether one input has the full shape and the others all its channels."""
    full = tuple(map(max, zip(*shapes, strict=True)))
    return full in shapes and all(shape[0] == full[0] for shape in shapes)


def lower_multiply(low: Lowering, layer: Layer) -> None:
    """A product, two inputs at a time, the full-sized one first."""
    node = layer.node
    full = node.output_shape
    views = [_source(low, layer, place) for place in range(len(node.inputs))]
    first = next(place for place, shape in enumerate(node.input_shapes) if shape == full)
    views.insert(0, views.pop(first))
    target = low.target(layer.value, node)
    total = views[0]
    for place, view in enumerate(views[1:], 2):
        _combine(low, layer, pointwise.MULTIPLY, total, view, target, bounded=place == len(views))
        total = target


def lower_affine(low: Lowering, layer: Layer) -> None:
    """A batchnorm or scale that no convolution took in."""
    source, target = _source(low, layer), low.target(layer.value, layer.node)
    factor, offset = low.normalisation(layer.node)
    lanes = target.layout.blocks * BLOCK
    _combine(
        low,
        layer,
        pointwise.AFFINE,
        source,
        None,
        target,
        padded_vector(factor, lanes),
        padded_vector(offset, lanes),
    )


def lower_activation(low: Lowering, layer: Layer) -> None:
    """An activation that nothing took in: a bound, or one of the functions."""
    node = layer.node
    source, target = _source(low, layer), low.target(layer.value, node)
    if node.kind in BOUNDS:
        layer.low, layer.high = BOUNDS[node.kind]
        lanes = target.layout.blocks * BLOCK
        one, nothing = np.ones(lanes, np.float32), np.full(lanes, -0.0, np.float32)  # −0 + −0 is −0
        _combine(low, layer, pointwise.AFFINE, source, None, target, one, nothing)
        return
    function, slope = activation_of(node)
    add_activation(
        low, node, source, target, function, low.parameter(node, "weight") if node.kind == "prelu" else slope
    )


def activation_of(node: Node) -> tuple[int, float]:
    """An activation's number in FUNCTIONS, and its parameter."""
    op: Any = node.op
    name = node.kind
    if name == "gelu" and op.approximate == "tanh":
        name = "gelu_tanh"
    slope = {"leaky_relu": "slope", "elu": "alpha"}.get(name)
    return FUNCTIONS.index(name), float(getattr(op, slope)) if slope else 0.0


def add_activation(low: Lowering, node: Node, source: View, target: View, function: int, slope: Any) -> None:
    """The step of one of FUNCTIONS; slope: its parameter, one or one per channel."""
    slopes = np.zeros(target.layout.blocks * BLOCK, np.float32)
    if np.size(slope) > 1:
        slopes[: np.size(slope)] = slope
    else:
        slopes[:] = slope
    rows, items = _rows(low, target)
    values = rows | {"function": function, "slopes": slopes}
    values |= source.strides("source") | target.strides("target")
    low.program.add(Step(pointwise.activate, values, items, (source.span,), (target.span,), node.index))


def lower_lrn(low: Lowering, layer: Layer) -> None:
    """Local response normalisation."""
    node = layer.node
    op: Any = node.op
    source, target = _source(low, layer), low.target(layer.value, node)
    depth, height, width = target.layout.spatial
    values: dict[str, Word] = {
        "height": height, "width": width, "blocks": target.layout.blocks, "channels": node.output_shape[0],
        "size": op.size, "factor": op.alpha / op.size, "beta": op.beta, "k": op.k,
    }  # fmt: skip
    values |= source.strides("source") | target.strides("target")
    low.program.need_scratch(4 * (2 * (op.size + BLOCK) + target.layout.blocks * BLOCK))
    low.program.add(
        Step(kernels_norm.lrn, values, depth * height, (source.span,), (target.span,), node.index)
    )


def lower_across(low: Lowering, layer: Layer) -> None:
    """softmax and layernorm over the channels."""
    node = layer.node
    op: Any = node.op
    source, target = _source(low, layer), low.target(layer.value, node)
    depth, height, width = target.layout.spatial
    channels = node.output_shape[0]
    values: dict[str, Word] = {"height": height, "width": width, "channels": channels}
    values |= source.strides("source") | target.strides("target")
    kernel = kernels_norm.softmax
    if node.kind == "layernorm":
        kernel = kernels_norm.layernorm
        lanes = target.layout.blocks * BLOCK
        for name, initial in (("weight", 1.0), ("bias", 0.0)):
            own = low.parameter(node, name) if op.affine else np.full(channels, initial)
            values[name] = padded_vector(own, lanes)
        values["eps"] = op.eps
    low.program.add(Step(kernel, values, depth * height, (source.span,), (target.span,), node.index))


def lower_concat(low: Lowering, layer: Layer) -> None:
    """Nothing, where all parts were written in place; else copies of those that were not."""
    node = layer.node
    values = [low.fusion.alias[source] for source in node.inputs]
    counts = [low.shape(value)[0] for value in values]
    if layer.value in low.moves.unmade or not aligned(counts) or len(node.output_shape) == 1:
        lower_move(low, layer)
        return
    views = [low.view(value, node) for value in values]
    target = low.target(layer.value, node)
    place = 0
    for view, count in zip(views, counts, strict=True):
        at = target.offset + place // BLOCK * target.layout.block
        if view.buffer is not target.buffer or view.offset != at:
            part = View(target.buffer, replace(target.layout, channels=count), at)
            _gather(low, layer, [(view, channel) for channel in range(count)], part)
        place += count


def lower_move(low: Lowering, layer: Layer) -> None:
    """Nothing, where the channels are already there or only further moves read them; else a copy of each."""
    if layer.value in low.moves.unmade:
        return
    views: dict[int, View] = {}
    origins = low.moves.origins(layer)
    for value, _ in origins:
        if value not in views:
            views[value] = low.view(value, layer.node)
    target = low.target(layer.value, layer.node)
    if layer.node.kind != "slice" or views[origins[0][0]].buffer is not target.buffer:
        _gather(low, layer, [(views[value], channel) for value, channel in origins], target)


def _gather(low: Lowering, layer: Layer, picks: list[tuple[View, int]], target: View) -> None:
    """Target channel i is channel picks[i][1] of the map picks[i][0]."""
    entries: list[Any] = []
    for view, channel in picks:
        block, lane = divmod(channel, BLOCK)
        real = view.real
        start: Any = Ref(real.buffer, real.offset + block * view.layout.block + 4 * lane)
        entries += Channel(start, view.layout.plane, view.layout.row)
    missing = blocks_of(len(picks)) * BLOCK - len(picks)
    entries += Channel(0, 0, 0) * missing
    table = np.empty(len(entries), object)
    for place, entry in enumerate(entries):
        table[place] = entry
    whole = [_neighbours(picks[first : first + BLOCK]) for first in range(0, len(picks), BLOCK)]
    rows, items = _rows(low, target)
    values = rows | {"table": table, "whole": np.array(whole, np.int64)}
    values |= target.strides("target")
    reads: list[ByteSpan] = list({id(view): view.span for view, _ in picks}.values())
    low.program.add(Step(gather, values, items, reads, (target.span,), layer.node.index))


def _neighbours(picks: list[tuple[View, int]]) -> bool:
    """Whether these are a whole block of channels that lie one after the other in one map.

    That addresses follow one another does not tell: so they do where two buffers are neighbours by chance.
    """
    view, first = picks[0]
    return (
        len(picks) == BLOCK
        and (first % BLOCK == 0 or view.layout.is_vector)
        and all(own is view and channel == first + lane for lane, (own, channel) in enumerate(picks))
    )


def lower_transpose(low: Lowering, layer: Layer) -> None:
    """A copy in another order of dimensions."""
    op: Any = layer.node.op
    low.transpose(layer.value, low.fusion.alias[layer.node.inputs[0]], op.order, layer.node)


def lower_flatten(low: Lowering, layer: Layer) -> None:
    """The same numbers."""
    low.alias_flat(layer.value, low.fusion.alias[layer.node.inputs[0]], layer.node)
