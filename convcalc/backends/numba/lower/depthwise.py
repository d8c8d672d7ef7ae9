"""Depthwise convolutions as steps."""

from __future__ import annotations

from math import prod

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK, PIXELS
from convcalc.backends.numba.kernels.depthwise import ROW_TAPS, depthwise, depthwise_rows
from convcalc.backends.numba.layout import Array, as_words, blocks_of, run_table, tap_offsets
from convcalc.backends.numba.lower.affine import Affine
from convcalc.backends.numba.lower.direct import CACHE, ITEMS, source_table, target_table
from convcalc.backends.numba.lower.lowering import Lowering
from convcalc.backends.numba.lower.rows import add_parts, add_rows, has_rows
from convcalc.backends.numba.passes.algorithm import ConvPlan
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import MapView, Word


def add_depthwise(
    low: Lowering, layer: FusedLayer, plan: ConvPlan, source: MapView, target: MapView, affine: Affine
) -> None:
    """The step of a convolution with one filter per channel."""
    blocks = blocks_of(plan.channels)
    kernels = np.zeros((blocks * BLOCK, plan.taps), np.float32)
    kernels[: plan.channels] = (
        low.parameter(layer.node, "weight").reshape(plan.channels, plan.taps) * affine.factor[:, None]
    )
    weights = np.ascontiguousarray(kernels.reshape(blocks, BLOCK, plan.taps).transpose(0, 2, 1))
    if has_rows(plan, ROW_TAPS, (1,)):
        taps = plan.kernel[2]
        if source.layout.element == 2:
            weights = _paired(weights, taps)
        add_rows(low, layer, plan, source, target, depthwise_rows[taps], weights, affine.offset)
    else:
        _add_by_tables(low, layer, plan, source, target, weights, affine.offset)


def _paired(weights: Array, taps: int) -> Array:
    """Weights [block][tap][channel] as `depthwise_rows` reads them for maps of bfloat16: of each kernel's row, pairs of
    taps in bfloat16 as words, then the last one as floats."""
    rows = weights.reshape(len(weights), -1, taps, BLOCK)
    words = as_words(rows[:, :, :-1:2], rows[:, :, 1::2])
    return np.concatenate([words, rows[:, :, -1:]], axis=2)


def _add_by_tables(
    low: Lowering,
    layer: FusedLayer,
    plan: ConvPlan,
    source: MapView,
    target: MapView,
    weights: Array,
    bias: Array,
) -> None:
    """Any windows, found through tables of pixels and taps."""
    pixels = prod(plan.output)
    items = max(1, -(-ITEMS * low.threads // blocks_of(plan.channels)))
    chunk = max(PIXELS, -(-pixels // items))
    chunk = min(chunk, max(8 * PIXELS, CACHE // 4 // (source.layout.pixel * prod(plan.stride))))
    chunk = -(-chunk // PIXELS) * PIXELS
    if chunk >= pixels:
        chunk = pixels
    layout, targets = source.layout, target_table(target.layout)
    values: dict[str, Word] = {
        "taps": run_table([0], tap_offsets(plan.kernel, plan.dilation, layout.strides)), "tap_count": plan.taps,
        "source": source.corner, "source_pixels": source_table(plan, layout), "target": target.corner,
        "target_pixels": targets, "pixels": pixels, "chunk_pixels": chunk,
    }  # fmt: skip
    parts = -(-pixels // chunk)
    add_parts(low, layer, source, target, depthwise, values, targets, parts, weights, bias)
