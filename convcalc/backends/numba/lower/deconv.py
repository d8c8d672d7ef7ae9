"""Deconvolutions as steps: a convolution per phase of the stride (see `passes.algorithm.plan_deconv`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import cast

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.layout import pixel_table, run_table
from convcalc.backends.numba.lower.direct import (
    Pixels,
    Runs,
    StoredWeights,
    add_direct,
    cut_filters,
    pack_weights,
    words,
)
from convcalc.backends.numba.lower.lowering import Lowering
from convcalc.backends.numba.passes.algorithm import DeconvPlan
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.graph import Node
from convcalc.ops.deconv import Deconv


def spreads_what_is_not_finite(node: Node, parameters: Mapping[str, Sequence[float]]) -> bool:
    """Whether the kernel would multiply infinite or NaN weights by the zeros around its input, and so give NaN where
    a deconvolution reads nothing."""
    return isinstance(node.op, Deconv) and not np.isfinite(np.asarray(parameters["weight"], np.float32)).all()


def lower_deconv(low: Lowering, layer: FusedLayer) -> None:
    """A `deconv`: for each combination of the axes' phases, the convolution that gives its output pixels."""
    node = layer.node
    op = cast(Deconv, node.op)
    plan = cast(DeconvPlan, low.plans[layer.value])
    channels, filters, groups = node.input_shapes[0][0], op.filters, op.groups
    source = low.view(low.fusion.alias[node.inputs[0]], node)
    target = low.target(layer.value, node)
    layout = source.layout
    affine = low.affine(layer, filters, op.bias)
    tiles = cut_filters(channels, filters, groups)
    offsets = range(0, max(tile.in_blocks for tile in tiles) * layout.block, layout.block)
    taps, share, depth = prod(plan.kernel), filters // groups, channels // groups
    combinations = list(product(*plan.phases))
    for phases in combinations:
        tap_ids = [
            (plane * plan.kernel[1] + row) * plan.kernel[2] + column
            for plane, row, column in product(*(phase.taps for phase in phases))
        ]
        tap_bytes = [
            sum(shift * stride for shift, stride in zip(shifts, layout.strides, strict=True))
            for shifts in product(*(phase.shifts for phase in phases))
        ]
        sources = [
            [before + place for place in phase.sources]
            for before, phase in zip(layout.before, phases, strict=True)
        ]
        targets = [
            [before + place for place in phase.targets]
            for before, phase in zip(target.layout.before, phases, strict=True)
        ]
        stored = StoredWeights(
            channels=channels,
            filters=filters,
            groups=groups,
            filter_step=taps,
            channel_step=share * taps,
            group_step=depth * share * taps,
            taps=np.array(tap_ids, np.int32),
        )
        weights = pack_weights(low, layer, affine.factor, tiles, BLOCK, stored)
        pixels = Pixels(
            prod(len(phase.targets) for phase in phases),
            pixel_table(layout.strides, sources),
            pixel_table(target.layout.strides, targets),
        )
        length = words(BLOCK, layout.element)
        runs = Runs(run_table(offsets, tap_bytes), length, length)
        macs = (
            layer.macs if phases is combinations[-1] else 0
        )  # the network counts them for all phases at once
        add_direct(low, layer, source, target, tiles, runs, pixels, weights, affine.offset, macs)
