"""Winograd convolutions as steps."""

from __future__ import annotations

import numpy as np

from convcalc.backends.numba.jit.simd import BLOCK, FEW, PIXELS, TILE, TILE_BLOCKS
from convcalc.backends.numba.kernels import weights as kernels_weights
from convcalc.backends.numba.kernels import winograd as kernels_winograd
from convcalc.backends.numba.kernels.tile import sweep
from convcalc.backends.numba.kernels.winograd import FREQUENCIES, kernel_matrix
from convcalc.backends.numba.layout import Array, blocks_of, pixel_table, run_table
from convcalc.backends.numba.lower.direct import CACHE, inner_record, residual_of, tiles_of
from convcalc.backends.numba.lower.lowering import Lowering, padded_vector
from convcalc.backends.numba.passes.algorithm import Conv
from convcalc.backends.numba.passes.fusion import Layer
from convcalc.backends.numba.runtime.program import ByteSpan, Ref, Step, View, Word


def winograd(
    low: Lowering, layer: Layer, conv: Conv, source: View, target: View, factor: Array, bias: Array
) -> None:
    layout, to = source.layout, target.layout
    residual = residual_of(low, layer)
    ins, outs = blocks_of(conv.channels), blocks_of(conv.filters)
    down, across = conv.tiles
    tiles = down * across
    fused, chunk, groups = cut_tiles(tiles, ins, tiles_of(conv.filters), low.threads)
    held = max(PIXELS, chunk) if fused else tiles + PIXELS  # a register tile may read past the last
    transformed_block = held * 64
    frequency = ins * transformed_block + 64
    product_block = max(PIXELS, chunk) * 64
    product_frequency = TILE_BLOCKS * product_block + 64
    low.program.need_scratch(FREQUENCIES * product_frequency + (FREQUENCIES * frequency if fused else 0))
    weights = _transform_weights(low, layer, conv, factor)
    pixels = pixel_table((0, 0, 64), (range(1), range(1), range(max(PIXELS, chunk))))
    runs = run_table(range(0, ins * transformed_block, transformed_block), [0])
    products = inner_record(
        sweep, low, runs=runs, run_count=ins, run_length=BLOCK, last_length=BLOCK, source_pixels=pixels,
        target_pixels=pixels, target_block=product_block, residual_pixels=0, residual_block=0, low=-np.inf, high=np.inf,
    )  # fmt: skip
    # A tile begins where the first output's window does, which a wider halo moves inwards.
    shift = sum((h - b) * s for h, b, s in zip(layout.before, conv.before, layout.strides, strict=True))
    begin = Ref(source.buffer, source.offset + shift)
    common: dict[str, Word] = {
        "source": begin, "source_block": layout.block, "row": layout.row, "outputs": conv.outputs,
        "tiles_across": across, "tiles": tiles, "transformed_block": transformed_block, "frequency": frequency,
    }  # fmt: skip
    transformed: Word = 0
    read = source.span
    if not fused:
        buffer = low.program.buffer(FREQUENCIES * frequency, f"{layer.node.name} transformed")
        transformed, read = Ref(buffer), ByteSpan(buffer, 0, buffer.size)
        item_tiles = max(1, -(-tiles * ins // (8 * low.threads * ins)))
        values = common | {"transformed": transformed, "item_tiles": item_tiles, "blocks": ins}
        low.program.add(
            Step(
                kernels_winograd.winograd_input, values, ins * -(-tiles // item_tiles), (source.span,), (read,),
                layer.node.index,
            )
        )  # fmt: skip
    depth = ins * BLOCK
    values = common | {
        "sweep": sweep, "sweep_record": products, "weights": weights,
        "tile_weights": 4 * FREQUENCIES * depth * TILE, "frequency_weights": 4 * depth * TILE,
        "zeros": np.zeros(TILE, np.float32), "bias": padded_vector(bias, outs * BLOCK), "chunk_tiles": chunk,
        "item_groups": groups, "out_tiles": tiles_of(conv.filters), "blocks": outs, "in_blocks": ins,
        "fused": int(fused), "transformed": transformed, "product_block": product_block,
        "product_frequency": product_frequency, "target": target.real, "target_block": to.block, "target_row": to.row,
        "residual": residual.real if residual else 0, "residual_block": residual.layout.block if residual else 0,
        "residual_row": residual.layout.row if residual else 0, "height": conv.output[1], "width": conv.output[2],
        "low": layer.low, "high": layer.high,
    }  # fmt: skip
    reads = [read] + ([residual.span] if residual else [])
    step = Step(
        kernels_winograd.winograd,
        values,
        -(-tiles // chunk) * groups,
        reads,
        (target.span,),
        layer.node.index,
    )
    step.weight_bytes = 4 * FREQUENCIES * depth * outs * BLOCK
    low.program.add(step)


def cut_tiles(tiles: int, ins: int, out_tiles: int, threads: int) -> tuple[bool, int, int]:
    """(whether a chunk transforms its own input, tiles of a chunk, items per chunk).

    Large planes of few channels: a chunk's input, transformed, stays in cache while all output tiles pass over it.
    Else the whole input is transformed first, and an item is one output tile over a chunk whose products stay in
    cache; smaller chunks where that makes too few items for the threads.
    """
    whole = FREQUENCIES * ins * tiles * 64
    if whole > 8 * CACHE or (tiles >= 16 * PIXELS and ins * TILE_BLOCKS <= 8):
        chunk = int(CACHE * 0.6 / (FREQUENCIES * 64 * (ins + TILE_BLOCKS)))
        chunk = max(PIXELS, chunk // PIXELS * PIXELS)
        return True, min(chunk, tiles), 1
    most = max(PIXELS, int(CACHE * 0.35 / (FREQUENCIES * 64 * TILE_BLOCKS)))
    count = -(-tiles // most)
    if threads > 1:
        count = max(count, min(-(-3 * threads // out_tiles), tiles // FEW))
    chunk = -(-tiles // count)
    chunk = -(-chunk // PIXELS) * PIXELS if chunk > FEW else FEW
    return False, min(chunk, tiles), out_tiles


def _transform_weights(low: Lowering, layer: Layer, conv: Conv, factor: Array) -> Ref:
    ins, outs = blocks_of(conv.channels), blocks_of(conv.filters)
    size = 4 * FREQUENCIES * ins * BLOCK * outs * BLOCK
    buffer = low.setup.buffer(size, f"{layer.node.name} weights", kept=True)
    side = conv.kernel[2]
    values: dict[str, Word] = {
        "source": low.parameter(layer.node, "weight"), "target": Ref(buffer),
        "factors": padded_vector(factor, tiles_of(conv.filters) * TILE, 1.0),
        "matrix": np.array(kernel_matrix(side), np.float32), "size": side, "channels": conv.channels,
        "filters": conv.filters, "in_blocks": ins,
    }  # fmt: skip
    items = tiles_of(conv.filters) * ins
    span = ByteSpan(buffer, 0, buffer.size)
    low.setup.add(Step(kernels_weights.transform_weights, values, items, (), (span,), layer.node.index))
    return Ref(buffer)
