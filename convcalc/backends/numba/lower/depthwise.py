"""Depthwise convolutions as steps."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from convcalc.backends.numba.jit.simd import BLOCK, PIXELS
from convcalc.backends.numba.kernels.depthwise import ROW_TAPS, ROW_TILES, depthwise, depthwise_rows
from convcalc.backends.numba.layout import Array, blocks_of, run_table, tap_offsets
from convcalc.backends.numba.lower.direct import CACHE, ITEMS, finish_of, source_table, target_table
from convcalc.backends.numba.lower.lowering import Lowering, padded_vector
from convcalc.backends.numba.passes.algorithm import Conv
from convcalc.backends.numba.passes.fusion import Layer
from convcalc.backends.numba.runtime.program import Ref, Step, View, Word


def add_depthwise(
    low: Lowering, layer: Layer, conv: Conv, source: View, target: View, factor: Array, bias: Array
) -> None:
    """The step of a convolution with one filter per channel."""
    blocks = blocks_of(conv.channels)
    kernels = np.zeros((blocks * BLOCK, conv.taps), np.float32)
    kernels[: conv.channels] = (
        low.parameter(layer.node, "weight").reshape(conv.channels, conv.taps) * factor[:, None]
    )
    weights = np.ascontiguousarray(kernels.reshape(blocks, BLOCK, conv.taps).transpose(0, 2, 1))
    values: dict[str, Word] = {
        "weights": weights, "block_weights": 4 * BLOCK * conv.taps, "bias": padded_vector(bias, blocks * BLOCK),
        "source_block": source.layout.block, "target_block": target.layout.block, "blocks": blocks,
        "low": layer.low, "high": layer.high,
    }  # fmt: skip
    cut = _by_rows if overlaps(conv) else _by_tables
    kernel, own, chunks = cut(low, conv, source, target)
    pixels = target_table(target.layout)
    if kernel is not depthwise:
        pixels -= target.layout.first  # its target is the first real pixel
    values |= own | finish_of(low, layer, target, pixels)
    step = Step(kernel, values, blocks * chunks, (source.span,), (target.span,), layer.node.index)
    step.weight_bytes = weights.nbytes
    low.program.add(step)


def overlaps(conv: Conv) -> bool:
    """Whether neighbouring windows along a row share pixels, in maps wide enough for a tile of them."""
    return (
        conv.kernel[0] == 1
        and conv.kernel[2] in ROW_TAPS
        and conv.stride[0] == conv.stride[2] == conv.dilation[2] == 1
        and conv.output[0] == 1
        and conv.output[2] >= ROW_TILES[-1]
    )


def _by_rows(low: Lowering, conv: Conv, source: View, target: View) -> tuple[Any, dict[str, Word], int]:
    """The kernel, its own parameters, and the parts each block is cut into."""
    layout = source.layout
    shift = sum((h - b) * s for h, b, s in zip(layout.before, conv.before, layout.strides, strict=True))
    _, rows, width = conv.output
    item_rows = low.item_rows(rows, width * 4 * BLOCK)
    values: dict[str, Word] = {
        "height": conv.kernel[1], "source": Ref(source.buffer, source.offset + shift),
        "source_step": layout.row * conv.stride[1], "source_row": layout.row * conv.dilation[1],
        "target": target.real, "target_row": target.layout.row, "width": width, "rows": rows, "item_rows": item_rows,
    }  # fmt: skip
    return depthwise_rows[conv.kernel[2]], values, -(-rows // item_rows)


def _by_tables(low: Lowering, conv: Conv, source: View, target: View) -> tuple[Any, dict[str, Word], int]:
    """The kernel, its own parameters, and the parts each block is cut into."""
    pixels = prod(conv.output)
    items = max(1, -(-ITEMS * low.threads // blocks_of(conv.channels)))
    chunk = max(PIXELS, -(-pixels // items))
    chunk = min(chunk, max(8 * PIXELS, CACHE // 4 // (64 * prod(conv.stride))))
    chunk = -(-chunk // PIXELS) * PIXELS
    if chunk >= pixels:
        chunk = pixels
    layout = source.layout
    values: dict[str, Word] = {
        "taps": run_table([0], tap_offsets(conv.kernel, conv.dilation, layout.strides)), "tap_count": conv.taps,
        "source": source.corner, "source_pixels": source_table(conv, layout), "target": target.corner,
        "target_pixels": target_table(target.layout), "pixels": pixels, "chunk_pixels": chunk,
    }  # fmt: skip
    return depthwise, values, -(-pixels // chunk)
