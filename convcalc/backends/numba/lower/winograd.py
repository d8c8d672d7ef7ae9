"""Winograd convolutions as steps.

Yₜ = Aᵀ [ Σ꜀ (G g꜀ Gᵀ) ∘ (Bᵀ d꜀ₜ B) ] A for every tile t of the image (`kernels.transforms` has the matrices; Lavin &
Gray 2015, "Fast algorithms for convolutional neural networks", equation 12). For each of the side² frequencies f of a
tile of side×side pixels the sum over channels c is a matrix product, M[f][k][t] = Σ꜀ U[f][k][c]·V[f][c][t], which the
register tile of all other convolutions computes: channels are its runs, tiles its pixels.

In memory: U is [tile of filters][f][channel][filters of the tile], laid out once; V is [f][channel block][tile][16]
and M is [f][filter block][tile][16]. Each frequency of V and M is 64 bytes more than its blocks: were it a multiple of
4096, the places that a transform writes would share cache sets.
"""

from __future__ import annotations

from math import inf, prod

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK, FEW, PIXELS, TILE, TILE_BLOCKS
from convcalc.backends.numba.kernels import weights as kernels_weights
from convcalc.backends.numba.kernels import winograd as kernels_winograd
from convcalc.backends.numba.kernels.tile import sweep
from convcalc.backends.numba.kernels.transforms import PRODUCT, kernel_matrix
from convcalc.backends.numba.layout import Array, blocks_of, pixel_table, run_table
from convcalc.backends.numba.lower.affine import Affine
from convcalc.backends.numba.lower.direct import (
    CACHE,
    FEW_WEIGHTS,
    inner_record,
    residual_of,
    tiles_of,
    words,
)
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for, padded_vector
from convcalc.backends.numba.passes.algorithm import ConvPlan
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import ByteSpan, MapView, Ref, Step, Word


def add_winograd(
    low: Lowering, layer: FusedLayer, plan: ConvPlan, source: MapView, target: MapView, affine: Affine
) -> None:
    """The steps of a convolution by Winograd's method: where it pays one that transforms the input, and one that
    multiplies and transforms back."""
    layout, to = source.layout, target.layout
    residual = residual_of(low, layer)
    ins, outs = blocks_of(plan.channels), blocks_of(plan.filters)
    down, across = plan.tiles
    tiles, frequencies = down * across, plan.frequencies
    element = layout.element
    value = BLOCK * element  # bytes of a place of V
    fused, chunk, groups = cut_tiles(frequencies, tiles, ins, tiles_of(plan.filters), low.threads, value)
    # V: a chunk's, in each thread's scratch memory, or the whole image's; a register tile may read past the last.
    held = max(PIXELS, chunk) if fused else tiles + PIXELS
    transformed_block = held * value
    frequency = ins * transformed_block + 64
    # M: a chunk's, of one tile of filters, in scratch memory before V.
    product_block = max(PIXELS, chunk) * PRODUCT
    product_frequency = TILE_BLOCKS * product_block + 64
    low.program.need_scratch(frequencies * product_frequency + (frequencies * frequency if fused else 0))
    depth = ins * BLOCK
    weight_bytes = element * frequencies * depth * outs * BLOCK
    weights = _transform_weights(low, layer, plan, affine.factor)
    # The matrix product of one frequency: a run of 16 channels in each block, and pixels that follow one another.
    places = range(1), range(1), range(max(PIXELS, chunk))
    runs = run_table(range(0, ins * transformed_block, transformed_block), [0])
    products = inner_record(
        sweep, low, runs=runs, run_count=ins, run_length=words(BLOCK, element), last_length=words(BLOCK, element),
        source_pixels=pixel_table((0, 0, value), places), target_pixels=pixel_table((0, 0, PRODUCT), places),
        target_block=product_block, residual_pixels=0, residual_block=0, next_weights=int(weight_bytes > FEW_WEIGHTS),
        wide=1, low=-inf, high=inf, fill=0,
    )  # fmt: skip
    # A tile begins where the first output's window does, which a wider halo moves inwards.
    shift = sum(
        (halo - before) * stride
        for halo, before, stride in zip(layout.before, plan.halo.before, layout.strides, strict=True)
    )
    common: dict[str, Word] = {
        "source": Ref(source.buffer, source.offset + shift), "source_block": layout.block, "row": layout.row,
        "outputs": plan.outputs, "tiles_across": across, "tiles": tiles, "transformed_block": transformed_block,
        "frequency": frequency,
    }  # fmt: skip
    transformed: Word = 0
    read = source.span
    if not fused:
        read = _transform_input(low, layer, plan, common, source, ins, frequencies * frequency)
        transformed = Ref(read.buffer)
    values = common | {
        "sweep": sweep.of(element), "sweep_record": products, "weights": weights,
        "tile_weights": element * frequencies * depth * TILE, "frequency_weights": element * depth * TILE,
        "zeros": np.zeros(TILE, np.float32), "bias": padded_vector(affine.offset, outs * BLOCK),
        "chunk_tiles": chunk, "item_groups": groups, "out_tiles": tiles_of(plan.filters), "blocks": outs,
        "in_blocks": ins, "fused": int(fused), "transformed": transformed, "product_block": product_block,
        "product_frequency": product_frequency, "target": target.real, "target_block": to.block, "target_row": to.row,
        "residual": residual.real if residual else 0, "residual_block": residual.layout.block if residual else 0,
        "residual_row": residual.layout.row if residual else 0, "height": plan.output[1], "width": plan.output[2],
        "low": layer.low, "high": layer.high,
    }  # fmt: skip
    reads = [read] + ([residual.span] if residual else [])
    low.program.add(
        Step(
            kernel_for(kernels_winograd.winograd[plan.side], source, target), values, -(-tiles // chunk) * groups,
            reads, (target.span,), layer.node.index, macs=layer.macs, weight_bytes=weight_bytes,
        )
    )  # fmt: skip


def _transform_input(
    low: Lowering,
    layer: FusedLayer,
    plan: ConvPlan,
    common: dict[str, Word],
    source: MapView,
    blocks: int,
    size: int,
) -> ByteSpan:
    """The step that makes Bᵀ d B of every tile of every block, and where it puts them. size: bytes in all."""
    buffer = low.program.buffer(size, f"{layer.node.name} transformed")
    span = ByteSpan(buffer, 0, buffer.size)
    tiles = prod(plan.tiles)
    item_tiles = max(1, -(-tiles // (8 * low.threads)))
    values = common | {"transformed": Ref(buffer), "item_tiles": item_tiles, "blocks": blocks}
    items = blocks * -(-tiles // item_tiles)
    kernel = kernel_for(kernels_winograd.winograd_input[plan.side], source)
    low.program.add(Step(kernel, values, items, (source.span,), (span,), layer.node.index))
    return span


def cut_tiles(
    frequencies: int, tiles: int, ins: int, out_tiles: int, threads: int, value: int
) -> tuple[bool, int, int]:
    """How the products are cut: (whether a chunk transforms its own input, tiles of a chunk, items per chunk).

    value: bytes of a place of V.

    Large planes of few channels: a chunk's input, transformed, stays in cache while all output tiles pass over it.
    Else the whole input is transformed first, and an item is one output tile over a chunk whose products stay in
    cache; smaller chunks where that makes too few items for the threads.
    """
    whole = frequencies * ins * tiles * value
    if whole > 8 * CACHE or (tiles >= 16 * PIXELS and ins * TILE_BLOCKS <= 8):
        chunk = int(CACHE * 0.6 / (frequencies * (ins * value + TILE_BLOCKS * PRODUCT)))
        chunk = max(PIXELS, chunk // PIXELS * PIXELS)
        return True, min(chunk, tiles), 1
    limit = max(PIXELS, int(CACHE * 0.35 / (frequencies * PRODUCT * TILE_BLOCKS)))
    count = -(-tiles // limit)
    if threads > 1:
        count = max(count, min(-(-3 * threads // out_tiles), tiles // FEW))
    chunk = -(-tiles // count)
    chunk = -(-chunk // PIXELS) * PIXELS if chunk > FEW else FEW
    return False, min(chunk, tiles), out_tiles


def _transform_weights(low: Lowering, layer: FusedLayer, plan: ConvPlan, factor: Array) -> Ref:
    """A place for G g Gᵀ of every kernel, times its filter's factor, and the step that makes them."""
    ins, outs = blocks_of(plan.channels), blocks_of(plan.filters)
    size = low.element * plan.frequencies * ins * BLOCK * outs * BLOCK
    buffer = low.setup.buffer(size, f"{layer.node.name} weights", kept=True)
    taps = plan.kernel[2]
    values: dict[str, Word] = {
        "source": low.parameter(layer.node, "weight"), "target": Ref(buffer),
        "factors": padded_vector(factor, tiles_of(plan.filters) * TILE, 1.0),
        "matrix": np.array(kernel_matrix(plan.side, taps), np.float32), "side": plan.side, "size": taps,
        "channels": plan.channels, "filters": plan.filters, "in_blocks": ins,
    }  # fmt: skip
    items = tiles_of(plan.filters) * ins
    span = ByteSpan(buffer, 0, buffer.size)
    kernel = kernels_weights.transform_weights.of(low.element)
    low.setup.add(Step(kernel, values, items, (), (span,), layer.node.index))
    return Ref(buffer)
