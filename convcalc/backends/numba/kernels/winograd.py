"""Winograd's convolution: F(4×4, 3×3) and F(2×2, 5×5) by tiles of 6×6 pixels, F(2×2, 3×3) by tiles of 4×4.

The method is that of Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks". A tile of side×side input
pixels d and a kernel g of r×r give m×m outputs, m = side − r + 1, with side² products instead of m²·r²:

    Aᵀ [ (G g Gᵀ) ∘ (Bᵀ d B) ] A

1. G g Gᵀ, the transform of the weights, is computed once for a network: `weights.transform_weights`.
2. V = Bᵀ d B, the transform of the input, by `transforms.input_register`. Neighbouring tiles overlap by r − 1 pixels.
3. M, the sum over channels. For each of the side² places in a tile, called frequencies, it is a matrix product of
   weights and tiles. The register tile that computes every other convolution computes it, with the tiles of the image
   as its pixels and the channels as its runs.
4. Aᵀ M A, the transform back, by `transforms.output_register`, with bias, residual and bounds.

Which tile pays. F(4×4, 3×3) has a quarter of direct convolution's products, F(2×2, 3×3) four ninths. But F(2×2) has 16
frequencies instead of 36, so its weights take less than half the memory, and a map of 7×7 fills its 16 tiles and the
register tile better than 4 tiles of 4×4 outputs. From 14×14 on F(4×4) is faster in float32.

Rounding, as the largest error over the rms of the result, for 512 channels of 7×7 and random numbers: direct
convolution 7e-6, F(2×2, 3×3) 3e-6, F(4×4, 3×3) 1.4e-5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel, kernel
from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.footprint import AccessAxis, Array, KernelCall, entries, shares, steps
from convcalc.backends.numba.jit.intrinsics import call, splat
from convcalc.backends.numba.jit.sizes import BLOCK, LANES, PIXEL, TILE_BLOCKS
from convcalc.backends.numba.kernels.transforms import (
    OUTPUTS,
    PIXEL_LANE,
    PRODUCT,
    PRODUCT_LANE,
    VALUE,
    VALUE_LANE,
    input_register,
    output_register,
)

BIAS = 4 * BLOCK  # bytes of a block of the bias


def _input_tile(side: int) -> Any:
    """The function for V of one tile of one block, see `transforms.input_register`."""
    register = input_register(side)

    @inline
    def input_tile(source: int, row: int, target: int, frequency: int) -> None:
        for lane in range(LANES):
            register(source + lane * PIXEL_LANE, row, target + lane * VALUE_LANE, frequency)

    return input_tile


def _output_tile(side: int, outputs: int) -> Any:
    """The function for the outputs of one tile of one block, see `transforms.output_register`."""
    register = output_register(side, outputs)

    @inline
    def output_tile(
        source: int, frequency: int, bias: int, target: int, row: int, residual: int, residual_row: int, height: int,
        width: int, low: Any, high: Any,
    ) -> None:  # fmt: skip
        for lane in range(LANES):
            other = residual + lane * PIXEL_LANE if residual else 0
            register(
                source + lane * PRODUCT_LANE, frequency, bias + lane * PRODUCT_LANE, target + lane * PIXEL_LANE, row,
                other, residual_row, height, width, low, high,
            )  # fmt: skip

    return output_tile


def _input_kernel(side: int) -> Kernel:
    """`winograd_input` for tiles of one size."""
    input_tile = _input_tile(side)

    def winograd_input(
        first: int, stop: int, thread: int, *, source: int, source_block: int, row: int, outputs: int,
        tiles_across: int, tiles: int, item_tiles: int, blocks: int, transformed: int, transformed_block: int,
        frequency: int,
    ) -> None:  # fmt: skip
        """The transform of the whole input. An item is `item_tiles` tiles of one block.

        Bounds. Tile (y, x) reads side×side padded pixels from (y, x)·outputs on. The halo makes the padded input at
        least outputs·(tiles down − 1) + side pixels high, and correspondingly wide. Place `tile` < tiles of each
        frequency and block is written.
        """
        for item in range(first, stop):
            block = item % blocks
            begin = item // blocks * item_tiles
            y, x = begin // tiles_across, begin % tiles_across
            for tile in range(begin, min(tiles, begin + item_tiles)):
                at = source + block * source_block + y * outputs * row + x * outputs * PIXEL
                input_tile(at, row, transformed + block * transformed_block + tile * VALUE, frequency)
                x += 1
                if x == tiles_across:
                    y, x = y + 1, 0

    winograd_input.__name__ = f"winograd_input{side}"
    made = kernel(winograd_input)

    @made.footprint
    def winograd_input_footprint(call: KernelCall) -> None:
        """side×side pixels of every tile, and its place in each frequency."""
        call.positive("tiles_across")
        for blocks, tiles in shares(call, call.item_tiles, call.tiles):
            call.reads(
                "source", call.source, side * call.pixel_bytes, steps("row", side, call.row), _tile_places(call, tiles),
                steps("source_block", blocks, call.source_block),
            )  # fmt: skip
            call.writes(
                "transformed", call.transformed, call.pixel_bytes,
                entries("tile", tiles * call.pixel_bytes, int(tiles[0])),
                steps("transformed_block", blocks, call.transformed_block),
                steps("frequency", side * side, call.frequency),
            )  # fmt: skip

    return made


def _product_kernel(side: int) -> Kernel:
    """`winograd` for tiles of one size."""
    most, least = OUTPUTS[side][0], OUTPUTS[side][-1]
    input_tile = _input_tile(side)
    large_tile, small_tile = _output_tile(side, most), _output_tile(side, least)
    frequencies = side * side

    def winograd(
        first: int, stop: int, thread: int, *, sweep: int, sweep_record: int, weights: int, tile_weights: int,
        frequency_weights: int, zeros: int, bias: int, source: int, source_block: int, row: int, outputs: int,
        tiles_across: int, tiles: int, chunk_tiles: int, item_groups: int, out_tiles: int, blocks: int,
        in_blocks: int, fused: int, transformed: int, transformed_block: int, frequency: int, product_block: int,
        product_frequency: int, target: int, target_block: int, target_row: int, residual: int,
        residual_block: int, residual_row: int, height: int, width: int, low: float, high: float, scratch: int,
        scratch_bytes: int,
    ) -> None:  # fmt: skip
        """Products and the transform back. An item is some tiles of filters over one chunk of the image's tiles.

        fused: the input of the chunk is transformed here, into the thread's scratch memory; otherwise `winograd_input`
        has done it.

        Bounds. Reads as in winograd_input. The products of a chunk, chunk_tiles rounded up to a register tile, lie in
        scratch memory for which the plan reserves [side²][TILE_BLOCKS][chunk], followed by the transformed chunk if
        fused. Pixels of the target below height and width, of blocks below `blocks`, are written.
        """
        products = scratch + thread * scratch_bytes
        lowest, highest = splat(low), splat(high)
        per_item = (out_tiles + item_groups - 1) // item_groups
        for item in range(first, stop):
            begin = (item // item_groups) * chunk_tiles
            down, across = begin // tiles_across, begin % tiles_across
            count = min(tiles - begin, chunk_tiles)
            values = transformed + begin * VALUE
            if fused:
                values = products + frequencies * product_frequency
                # Step 2
                for block in range(in_blocks):
                    y, x = down, across
                    for tile in range(count):
                        at = source + block * source_block + y * outputs * row + x * outputs * PIXEL
                        input_tile(at, row, values + block * transformed_block + tile * VALUE, frequency)
                        x += 1
                        if x == tiles_across:
                            y, x = y + 1, 0
            group = (item % item_groups) * per_item
            for t in range(group, min(out_tiles, group + per_item)):
                # Step 3: for each frequency a matrix product, [tiles of the chunk][channels]·[channels][filters].
                tile_blocks = min(TILE_BLOCKS, blocks - t * TILE_BLOCKS)
                for f in range(frequencies):
                    call(
                        sweep,
                        (
                            sweep_record,
                            weights + t * tile_weights + f * (frequency_weights // TILE_BLOCKS) * tile_blocks,
                            zeros,
                            values + f * frequency,
                            products + f * product_frequency,
                            0,
                            0,
                            count,
                            tile_blocks,
                        ),
                    )
                for b in range(tile_blocks):
                    block = t * TILE_BLOCKS + b
                    # Step 4, while the products are in cache
                    y, x = down * outputs, across
                    for tile in range(count):
                        column = x * outputs
                        other = residual
                        if residual:
                            other = residual + block * residual_block + y * residual_row + column * PIXEL
                        arguments = (
                            products + b * product_block + tile * PRODUCT, product_frequency, bias + block * BIAS,
                            target + block * target_block + y * target_row + column * PIXEL, target_row, other,
                            residual_row, height - y, width - column, lowest, highest,
                        )  # fmt: skip
                        if most == least or outputs == most:
                            large_tile(*arguments)
                        else:
                            small_tile(*arguments)
                        x += 1
                        if x == tiles_across:
                            y, x = y + outputs, 0

    winograd.__name__ = f"winograd{side}"
    made = kernel(winograd)

    @made.footprint
    def winograd_footprint(call: KernelCall) -> None:
        """The input of every chunk if it is transformed here, its products, and the pixels of its tiles in the target.

        Chunks of the same size are described together.
        """
        call.positive("item_groups", "chunk_tiles", "tiles_across")
        call.needs(call.outputs in OUTPUTS[side], f"no transform has tiles of {call.outputs} outputs a side")
        per_item = -(-call.out_tiles // call.item_groups)
        whole, rest = divmod(call.items, call.item_groups)
        parts = ((0, whole, call.out_tiles), (whole, whole + 1, min(call.out_tiles, rest * per_item)))
        for first, stop, out_tiles in parts:
            if first < stop and (out_tiles > 0 or rest):
                _chunks_footprint(call, side, first, stop, out_tiles)

    return made


winograd_input = {side: _input_kernel(side) for side in OUTPUTS}
winograd = {side: _product_kernel(side) for side in OUTPUTS}


def _tile_places(call: KernelCall, tiles: Array) -> AccessAxis:
    """An axis of the places where the input of some tiles begins."""
    down, across = tiles // call.tiles_across, tiles % call.tiles_across
    offsets = down * call.outputs * call.row + across * call.outputs * call.pixel_bytes
    return entries("tile", offsets, int(tiles[0]) if len(tiles) else 0)


def _chunks_footprint(call: KernelCall, side: int, first: int, stop: int, out_tiles: int) -> None:
    """Chunks first..stop, with the first `out_tiles` tiles of filters."""
    size = call.chunk_tiles
    full = min(stop, max(first, call.tiles // size))  # chunks before it have all their tiles
    for chunks, count in (
        (np.arange(first, full), size),
        (np.arange(full, min(stop, full + 1)), call.tiles - full * size),
    ):
        if len(chunks) and count > 0:
            _products_footprint(call, side, chunks.astype(np.int64), count, out_tiles)
    tiles = np.arange(first * size, min(call.tiles, stop * size), dtype=np.int64)
    blocks = sum(min(TILE_BLOCKS, max(0, call.blocks - t * TILE_BLOCKS)) for t in range(out_tiles))
    if not len(tiles) or not blocks:
        return
    for parameter in ("residual", "target"):
        base, row = call.values[parameter], call.values[f"{parameter}_row"]
        pixels = entries("tile", _real_pixels(call, tiles, row))
        own = steps(f"{parameter}_block", blocks, call.values[f"{parameter}_block"])
        if parameter == "target":
            call.writes(parameter, base, call.pixel_bytes, pixels, own)
        elif base:
            call.reads(parameter, base, call.pixel_bytes, pixels, own)
    call.reads("bias", call.bias, blocks * BIAS)


def _real_pixels(call: KernelCall, tiles: Array, row: int) -> Array:
    """The offsets of the output pixels of some tiles, without those beyond the height and width."""
    y, x = (tiles // call.tiles_across * call.outputs, tiles % call.tiles_across * call.outputs)
    places = np.arange(call.outputs, dtype=np.int64)
    down, across = y[:, None] + places, x[:, None] + places
    real_down = (down < call.height) | (places == 0)  # the first is always written
    real_across = (across < call.width) | (places == 0)
    offsets = down[:, :, None] * row + across[:, None, :] * call.pixel_bytes
    found: Array = offsets[real_down[:, :, None] & real_across[:, None, :]]
    return found


def _products_footprint(call: KernelCall, side: int, chunks: Array, count: int, out_tiles: int) -> None:
    """The products of chunks of `count` tiles each, and the transforms of their input if these are made here."""
    begins = chunks * call.chunk_tiles
    area = side * side
    frequencies = steps("frequency", area, call.frequency)
    values, source = call.transformed, "transformed"
    along: tuple[AccessAxis, ...] = (frequencies, entries("chunk", begins * call.pixel_bytes, int(chunks[0])))
    if call.fused:
        values, source, along = call.scratch + area * call.product_frequency, "scratch", (frequencies,)
        tiles = (begins[:, None] + np.arange(count)).ravel()
        call.reads(
            "source", call.source, side * call.pixel_bytes, steps("row", side, call.row), _tile_places(call, tiles),
            steps("source_block", call.in_blocks, call.source_block),
        )  # fmt: skip
        call.writes(
            "scratch", values, count * call.pixel_bytes,
            steps("transformed_block", call.in_blocks, call.transformed_block), frequencies,
        )  # fmt: skip
    products = steps("product_frequency", area, call.product_frequency)
    blocks_of = [min(TILE_BLOCKS, call.blocks - t * TILE_BLOCKS) for t in range(out_tiles)]
    for blocks in sorted(set(blocks_of)):
        own = np.array([t for t, n in enumerate(blocks_of) if n == blocks], np.int64)
        weights = (
            steps("frequency_weights", area, call.frequency_weights // TILE_BLOCKS * blocks),
            entries("tile_weights", own * call.tile_weights, int(own[0])),
        )
        call.calls(
            "sweep", call.sweep, call.sweep_record,
            weights=(call.weights, "weights"), bias=(call.zeros, "zeros"), source=(values, source),
            target=(call.scratch, "scratch"), residual=(0, ""), first=(0, ""), stop=(count, ""), blocks=(blocks, ""),
            along={"weights": weights, "source": along, "target": (products,)},
        )  # fmt: skip
        if blocks > 0:
            call.reads(
                "scratch", call.scratch, count * PRODUCT, steps("product_block", blocks, call.product_block), products
            )  # fmt: skip
