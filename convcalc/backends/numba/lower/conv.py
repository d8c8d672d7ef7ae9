"""Convolutions as steps."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, cast

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK, HALF
from convcalc.backends.numba.layout import run_table, tap_offsets
from convcalc.backends.numba.lower.activation import add_function, function_of
from convcalc.backends.numba.lower.affine import Affine
from convcalc.backends.numba.lower.dense import add_one_pixel
from convcalc.backends.numba.lower.depthwise import add_depthwise
from convcalc.backends.numba.lower.direct import (
    Pixels,
    Runs,
    StoredWeights,
    Tile,
    add_direct,
    cut_filters,
    cut_groups,
    pack_weights,
    source_table,
    target_table,
    words,
)
from convcalc.backends.numba.lower.grouped import add_grouped, in_small_groups
from convcalc.backends.numba.lower.lowering import Lowering
from convcalc.backends.numba.lower.winograd import add_winograd
from convcalc.backends.numba.passes.algorithm import ConvPlan
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import MapView

if TYPE_CHECKING:
    from convcalc.ops.conv import Conv


def lower_conv(low: Lowering, layer: FusedLayer) -> None:
    """A `conv` by the kernel chosen for it."""
    plan = cast(ConvPlan, low.plans[layer.value])
    node = layer.node
    affine = low.affine(layer, plan.filters, cast("Conv", node.op).bias)
    value = low.fusion.alias[node.inputs[0]]
    source = low.interleaved(value, node) if plan.algorithm == "interleaved" else low.view(value, node)
    if layer.residual is not None:
        low.view(layer.residual, node)
    target = low.target(layer.value, node)
    if plan.algorithm == "depthwise":
        add_depthwise(low, layer, plan, source, target, affine)
    elif in_small_groups(layer, plan, source.layout.element):
        add_grouped(low, layer, plan, source, target, affine)
    elif plan.algorithm == "winograd":
        add_winograd(low, layer, plan, source, target, affine)
        if layer.function is not None:
            add_function(low, layer.function, target, target, function_of(layer.function))
    elif _is_one_pixel(layer, plan, source, target):
        add_one_pixel(low, layer, source, target, affine)
    else:
        _add_direct(low, layer, plan, source, target, affine)


def _is_one_pixel(layer: FusedLayer, plan: ConvPlan, source: MapView, target: MapView) -> bool:
    """Whether a convolution is a vector times a matrix, as those of squeeze-and-excitation are."""
    return source.layout.is_pixel and target.layout.is_pixel and plan.groups == 1 and layer.residual is None


def _add_direct(
    low: Lowering, layer: FusedLayer, plan: ConvPlan, source: MapView, target: MapView, affine: Affine
) -> None:
    """A convolution by register tiles; an interleaved image has one block, as deep as it has channels."""
    layout = source.layout
    tiles, depth = cut_filters(plan.channels, plan.filters, plan.groups), BLOCK
    halves: list[Tile] = []
    if plan.groups > 1 and layer.function is None:  # a function takes whole blocks
        halves = cut_groups(plan.channels, plan.filters, plan.groups)
    if halves:
        tiles, depth = halves, HALF
    if layout.interleaved:
        tiles, depth = [tile._replace(in_blocks=1) for tile in tiles], layout.lanes
    offsets = range(0, max(tile.in_blocks for tile in tiles) * layout.block, layout.block)
    if plan.dilation[2] == 1 and not halves:  # a kernel's row is one run
        taps = tap_offsets((*plan.kernel[:2], 1), plan.dilation, layout.strides)
        length = words(plan.kernel[2] * depth, layout.element)
    else:
        taps = tap_offsets(plan.kernel, plan.dilation, layout.strides)
        length = words(depth, layout.element)
    last_length = length
    if plan.taps == 1 and plan.groups == 1 and not layout.interleaved:
        last_length = words(BLOCK - -plan.channels % BLOCK, layout.element)  # without unused channels
    share, group_depth = plan.filters // plan.groups, plan.channels // plan.groups
    stored = StoredWeights(
        channels=plan.channels,
        filters=plan.filters,
        groups=plan.groups,
        filter_step=group_depth * plan.taps,
        channel_step=plan.taps,
        group_step=share * group_depth * plan.taps,
        taps=np.arange(plan.taps, dtype=np.int32),
    )
    weights = pack_weights(low, layer, affine.factor, tiles, depth, stored)
    runs = Runs(run_table(offsets, taps), length, last_length)
    pixels = Pixels(prod(plan.output), source_table(plan, layout), target_table(target.layout))
    add_direct(low, layer, source, target, tiles, runs, pixels, weights, affine.offset, layer.macs)
