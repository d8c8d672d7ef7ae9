"""Convolutions and dense layers as steps."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from convcalc.backends.numba.jit.simd import BLOCK
from convcalc.backends.numba.kernels import conv as kernels_conv
from convcalc.backends.numba.layout import Array, blocks_of, run_table, tap_offsets
from convcalc.backends.numba.lower.depthwise import add_depthwise
from convcalc.backends.numba.lower.direct import (
    CACHE,
    add_direct,
    cut_filters,
    pack_weights,
    source_table,
    target_table,
)
from convcalc.backends.numba.lower.lowering import Lowering, padded_vector
from convcalc.backends.numba.lower.maps import activation_of, add_activation
from convcalc.backends.numba.lower.winograd import winograd
from convcalc.backends.numba.passes.algorithm import Conv
from convcalc.backends.numba.passes.fusion import Layer
from convcalc.backends.numba.runtime.program import Step, View, Word


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
        add_depthwise(low, layer, conv, source, target, factor, bias)
    elif conv.algorithm == "winograd":
        winograd(low, layer, conv, source, target, factor, bias)
        low.program.steps[-1].macs = node.op.macs(node.input_shapes)
        if layer.function is not None:
            add_activation(low, layer.function, target, target, *activation_of(layer.function))
        return
    else:
        _direct(low, layer, conv, source, target, factor, bias)
    low.program.steps[-1].macs = node.op.macs(node.input_shapes)


def _direct(
    low: Lowering, layer: Layer, conv: Conv, source: View, target: View, factor: Array, bias: Array
) -> None:
    layout = source.layout
    tiles, depth = cut_filters(conv.channels, conv.filters, conv.groups), BLOCK
    if layout.interleaved:
        tiles, depth = [tile._replace(in_blocks=1) for tile in tiles], conv.channels
    offsets = range(0, max(tile.in_blocks for tile in tiles) * layout.block, layout.block)
    if conv.dilation[2] == 1:  # a kernel's row is one run
        taps = tap_offsets((*conv.kernel[:2], 1), conv.dilation, layout.strides)
        length = conv.kernel[2] * depth
    else:
        taps = tap_offsets(conv.kernel, conv.dilation, layout.strides)
        length = depth
    last_length = length
    if conv.taps == 1 and conv.groups == 1 and not layout.interleaved:
        last_length -= -conv.channels % BLOCK  # the last block's unused channels
    share, group_depth = conv.filters // conv.groups, conv.channels // conv.groups
    steps = (group_depth * conv.taps, conv.taps, share * group_depth * conv.taps)
    weights = pack_weights(
        low, layer, factor, tiles, depth, np.arange(conv.taps, dtype=np.int32), steps, conv.groups, conv.channels,
        conv.filters,
    )  # fmt: skip
    pixels = (prod(conv.output), source_table(conv, layout), target_table(target.layout))
    runs = (run_table(offsets, taps), length, last_length)
    add_direct(low, layer, source, target, tiles, runs, pixels, weights, bias)


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
