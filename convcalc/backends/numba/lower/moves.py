"""Layers that move numbers and compute nothing as steps: joins, slices, shuffles, transpositions, reshapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels.copies import Channel, gather
from convcalc.backends.numba.layout import blocks_of
from convcalc.backends.numba.lower.combine import rows_of
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for
from convcalc.backends.numba.passes.channel_moves import aligned
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import ByteSpan, MapView, Ref, Step, Word

if TYPE_CHECKING:
    from convcalc.ops.transpose import Transpose


class Pick(NamedTuple):
    """A channel of a map."""

    view: MapView
    channel: int


def lower_concat(low: Lowering, layer: FusedLayer) -> None:
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
            part = MapView(target.buffer, replace(target.layout, channels=count), at)
            _gather(low, layer, [Pick(view, channel) for channel in range(count)], part)
        place += count


def lower_move(low: Lowering, layer: FusedLayer) -> None:
    """Nothing, where the channels are already there or only further moves read them; else a copy of each."""
    if layer.value in low.moves.unmade:
        return
    views: dict[int, MapView] = {}
    origins = low.moves.origins(layer)
    for value, _ in origins:
        if value not in views:
            views[value] = low.view(value, layer.node)
    target = low.target(layer.value, layer.node)
    home = low.placement.homes.get(layer.value)
    if home is None or home.value not in low.fusion.sources(layer):  # else it is a view of its source
        _gather(low, layer, [Pick(views[value], channel) for value, channel in origins], target)


def _gather(low: Lowering, layer: FusedLayer, picks: Sequence[Pick], target: MapView) -> None:
    """Target channel i is picks[i]."""
    table = np.full((BLOCK * blocks_of(len(picks)), len(Channel._fields)), 0, object)
    for place, (view, channel) in enumerate(picks):
        block, lane = divmod(channel, BLOCK)
        real = view.real
        # One by one, as NumPy would take a Ref for the sequence that it also is
        table[place, 0] = Ref(
            real.buffer, real.offset + block * view.layout.block + view.layout.element * lane
        )
        table[place, 1:] = view.layout.plane, view.layout.row
    whole = [_neighbours(picks[first : first + BLOCK]) for first in range(0, len(picks), BLOCK)]
    rows, items = rows_of(low, target)
    values: dict[str, Word] = rows | {"table": table.ravel(), "whole": np.array(whole, np.int64)}
    values |= target.strides("target")
    reads: list[ByteSpan] = list({id(view): view.span for view, _ in picks}.values())
    kernel = kernel_for(gather, target, *(view for view, _ in picks))
    low.program.add(Step(kernel, values, items, reads, (target.span,), layer.node.index))


def _neighbours(picks: Sequence[Pick]) -> bool:
    """Whether these are a whole block of channels that lie one after the other in one map.

    That addresses follow one another does not tell: so they do where two buffers are neighbours by chance.
    """
    view, first = picks[0]
    return (
        len(picks) == BLOCK
        and (first % BLOCK == 0 or view.layout.is_vector)
        and all(own is view and channel == first + lane for lane, (own, channel) in enumerate(picks))
    )


def lower_transpose(low: Lowering, layer: FusedLayer) -> None:
    """A copy in another order of dimensions."""
    order = cast("Transpose", layer.node.op).order
    low.transpose(layer.value, low.fusion.alias[layer.node.inputs[0]], order, layer.node)


def lower_flatten(low: Lowering, layer: FusedLayer) -> None:
    """The same numbers."""
    low.alias_flat(layer.value, low.fusion.alias[layer.node.inputs[0]], layer.node)
