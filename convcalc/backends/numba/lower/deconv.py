"""Deconvolutions as steps: a convolution per phase of the stride."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from convcalc.backends.numba.jit.simd import BLOCK
from convcalc.backends.numba.layout import pixel_table, run_table, triple
from convcalc.backends.numba.lower.direct import add_direct, cut_filters, pack_weights
from convcalc.backends.numba.lower.lowering import Lowering
from convcalc.backends.numba.passes.fusion import Layer


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
    tiles = cut_filters(shape[0], filters, groups)
    offsets = range(0, max(tile.in_blocks for tile in tiles) * layout.block, layout.block)
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
        weights = pack_weights(
            low, layer, factor, tiles, BLOCK, np.array(tap_ids, np.int32), steps, groups, shape[0], filters
        )
        pixels = (
            prod(len(places) for places in targets),
            pixel_table(layout.strides, corner),
            pixel_table(target.layout.strides, real),
        )
        add_direct(low, layer, source, target, tiles, (runs, BLOCK, BLOCK), pixels, weights, bias)
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
