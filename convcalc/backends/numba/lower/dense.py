"""Dense layers as steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels.dense import STREAMS, dense, one_pixel
from convcalc.backends.numba.kernels.weights import copy_weights
from convcalc.backends.numba.layout import Array, blocks_of
from convcalc.backends.numba.lower.affine import Affine
from convcalc.backends.numba.lower.direct import (
    CACHE,
    ITEMS,
    StoredWeights,
    Tile,
    finish_of,
    pack_weights,
    target_table,
    words,
)
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for, padded_vector
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import ByteSpan, MapView, Ref, Step, Word

if TYPE_CHECKING:
    from convcalc.ops.dense import Dense

RUN = 1 << 14  # bytes of weights, read one after the other, with which memory is at its fastest
ITEM_NUMBERS = 1 << 16  # weights that are rounded at once


def lower_dense(low: Lowering, layer: FusedLayer) -> None:
    """A `dense` on a vector, by the weights as they are, or rounded once."""
    node = layer.node
    op = cast("Dense", node.op)
    features, units = node.input_shapes[0][0], op.units
    source = low.flat(low.fusion.alias[node.inputs[0]], node)
    target = low.target(layer.value, node)
    bias = low.parameter(node, "bias") if op.bias else np.zeros(units, np.float32)
    rows = blocks_of(units) * BLOCK
    item = BLOCK
    element = low.dense_element
    while rows // item > 16 * low.threads and item * features * element < CACHE:
        item += BLOCK
    while rows % item:
        item -= BLOCK
    weights: Word = low.parameter(node, "weight")
    if element != 4:
        weights = _round_weights(low, layer, low.parameter(node, "weight"))
    values: dict[str, Word] = {
        "weights": weights, "bias": padded_vector(bias, rows), "source": source, "target": target.corner,
        "features": features, "units": units, "item_units": item, "low": layer.low, "high": layer.high,
    }  # fmt: skip
    reads = (low.flat_span(source, features),)
    low.program.add(
        Step(
            dense.of(element), values, rows // item, reads, (target.span,), node.index, macs=layer.macs,
            weight_bytes=element * features * units,
        )
    )  # fmt: skip


def add_one_pixel(low: Lowering, layer: FusedLayer, source: MapView, target: MapView, affine: Affine) -> None:
    """The step of a convolution of one pixel, whose weights are packed a block of filters after the other."""
    channels, filters = source.layout.channels, target.layout.channels
    blocks, depth = blocks_of(filters), blocks_of(channels)
    tiles = [Tile(block * BLOCK, BLOCK, 0, depth) for block in range(blocks)]
    stored = StoredWeights(channels, filters, 1, channels, 1, 0, np.zeros(1, np.int32))
    weights = pack_weights(low, layer, affine.factor, tiles, BLOCK, stored)
    block, item = weights.size // blocks, STREAMS
    while blocks // item > ITEMS * low.threads and item // STREAMS * block < RUN:
        item += STREAMS
    values: dict[str, Word] = {
        "weights": weights.place, "block_weights": block,
        "bias": padded_vector(affine.offset, blocks * BLOCK), "source": source.corner, "target": target.corner,
        "words": words(channels, source.layout.element),
        "blocks": blocks, "item_blocks": item, "low": layer.low, "high": layer.high,
    }  # fmt: skip
    values |= finish_of(low, layer, target, target_table(target.layout))
    low.program.add(
        Step(
            kernel_for(one_pixel, source, target), values, -(-blocks // item), (source.span,), (target.span,),
            layer.node.index,
            macs=layer.macs, weight_bytes=weights.size,
        )
    )  # fmt: skip


def _round_weights(low: Lowering, layer: FusedLayer, weights: Array) -> Ref:
    """A place for a layer's weights as elements of its kernel, and the step that puts them there."""
    size = low.dense_element * weights.size
    buffer = low.setup.buffer(size, f"{layer.node.name} weights", kept=True)
    values: dict[str, Word] = {
        "source": weights, "target": Ref(buffer), "count": weights.size, "item_count": ITEM_NUMBERS,
    }  # fmt: skip
    items = -(-weights.size // ITEM_NUMBERS)
    span = ByteSpan(buffer, 0, buffer.size)
    kernel = copy_weights.of(low.dense_element)
    low.setup.add(Step(kernel, values, items, (), (span,), layer.node.index))
    return Ref(buffer)
