"""Depthwise convolutions as steps."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.sizes import BLOCK, PIXELS
from convcalc.backends.numba.kernels.depthwise import ROW_TAPS, ROW_TILES, depthwise, depthwise_rows
from convcalc.backends.numba.layout import Array, as_elements, blocks_of, run_table, tap_offsets
from convcalc.backends.numba.lower.affine import Affine
from convcalc.backends.numba.lower.direct import CACHE, ITEMS, finish_of, source_table, target_table
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for, padded_vector
from convcalc.backends.numba.lower.pool import is_averaged
from convcalc.backends.numba.passes.algorithm import ConvPlan
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import MapView, Ref, Step, Word


class Cut(NamedTuple):
    """A kernel for a depthwise convolution, its own parameters, and the parts that each block is cut into."""

    kernel: Kernel
    values: dict[str, Word]
    parts: int


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
    if overlaps(plan) and source.layout.element == 2:
        weights = _paired(weights, plan.kernel[2])
    values: dict[str, Word] = {
        "weights": weights, "block_weights": weights.nbytes // blocks,
        "bias": padded_vector(affine.offset, blocks * BLOCK),
        "source_block": source.layout.block, "target_block": target.layout.block, "blocks": blocks,
        "low": layer.low, "high": layer.high,
    }  # fmt: skip
    cut = _by_rows if overlaps(plan) else _by_tables
    kernel, own, chunks = cut(low, plan, source, target)
    pixels = target_table(target.layout)
    if kernel is not depthwise:
        pixels -= target.layout.first  # its target is the first real pixel
    values |= own | finish_of(low, layer, target, pixels) | {"sums": 0}
    writes = [target.span]
    if layer.function is not None and is_averaged(low.fusion, layer.value):
        sums = low.new_sums(layer.value, layer.node, blocks, chunks)
        values["sums"] = sums.place
        writes.append(sums.span)
    low.program.add(
        Step(
            kernel_for(kernel, source, target), values, blocks * chunks, (source.span,), writes, layer.node.index,
            macs=layer.macs, weight_bytes=weights.nbytes,
        )
    )  # fmt: skip


def _paired(weights: Array, taps: int) -> Array:
    """Weights [block][tap][channel] as `depthwise_rows` reads them for maps of bfloat16: of each kernel's row, pairs of
    taps in bfloat16 as words, then the last one as floats."""
    rows = weights.reshape(len(weights), -1, taps, BLOCK)
    pairs = as_elements(rows[:, :, :-1], 2).reshape(*rows.shape[:2], taps // 2, 2, BLOCK).astype(np.uint32)
    words = pairs[..., 0, :] | pairs[..., 1, :] << 16
    return np.concatenate([words.view(np.float32), rows[:, :, -1:]], axis=2)


def overlaps(plan: ConvPlan) -> bool:
    """Whether neighbouring windows along a row share pixels, in maps wide enough for a tile of them."""
    return (
        plan.kernel[0] == 1
        and plan.kernel[2] in ROW_TAPS
        and plan.stride[0] == plan.stride[2] == plan.dilation[2] == 1
        and plan.output[0] == 1
        and plan.output[2] >= ROW_TILES[-1]
    )


def _by_rows(low: Lowering, plan: ConvPlan, source: MapView, target: MapView) -> Cut:
    """Rows of windows that overlap, each tap read once for a tile of pixels."""
    layout = source.layout
    shift = sum((h - b) * s for h, b, s in zip(layout.before, plan.halo.before, layout.strides, strict=True))
    _, rows, width = plan.output
    item_rows = low.item_rows(rows, width * layout.pixel)
    values: dict[str, Word] = {
        "height": plan.kernel[1], "source": Ref(source.buffer, source.offset + shift),
        "source_step": layout.row * plan.stride[1], "source_row": layout.row * plan.dilation[1],
        "target": target.real, "target_row": target.layout.row, "width": width, "rows": rows, "item_rows": item_rows,
    }  # fmt: skip
    return Cut(depthwise_rows[plan.kernel[2]], values, -(-rows // item_rows))


def _by_tables(low: Lowering, plan: ConvPlan, source: MapView, target: MapView) -> Cut:
    """Any windows, found through tables of pixels and taps."""
    pixels = prod(plan.output)
    items = max(1, -(-ITEMS * low.threads // blocks_of(plan.channels)))
    chunk = max(PIXELS, -(-pixels // items))
    chunk = min(chunk, max(8 * PIXELS, CACHE // 4 // (source.layout.pixel * prod(plan.stride))))
    chunk = -(-chunk // PIXELS) * PIXELS
    if chunk >= pixels:
        chunk = pixels
    layout = source.layout
    values: dict[str, Word] = {
        "taps": run_table([0], tap_offsets(plan.kernel, plan.dilation, layout.strides)), "tap_count": plan.taps,
        "source": source.corner, "source_pixels": source_table(plan, layout), "target": target.corner,
        "target_pixels": target_table(target.layout), "pixels": pixels, "chunk_pixels": chunk,
    }  # fmt: skip
    return Cut(depthwise, values, -(-pixels // chunk))
