"""Winograd's convolution: F(4×4, 3×3) and F(2×2, 5×5), which differ only in the last step.

The method is that of Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks". A tile of 6×6 input pixels
d and a kernel g of r×r give m×m outputs, m = 7 − r, with 36 products instead of m²·r²:

    Aᵀ [ (G g Gᵀ) ∘ (Bᵀ d B) ] A

1. G g Gᵀ, the transform of the weights, is computed once for a network: `weights.transform_weights`.
2. Bᵀ d B, the transform of the input, by `_input_tile`. Neighbouring tiles overlap by r − 1 pixels.
3. The sum over channels. For each of the 36 places in a tile, called frequencies, it is a matrix product of weights and
   tiles. The register tile that computes every other convolution computes it, with the tiles of the image as its pixels
   and the channels as its runs.
4. Aᵀ … A, the transform back, by `_output_tile`, with bias, residual and bounds.

The matrices follow from six interpolation points p (Toom and Cook). These are 0, ±A1, ±A2 and ∞; ¾ and 1½ for A1 and A2
round a third as much as the usual 1 and 2:

    Aᵀ[i][j] = pⱼⁱ     G[j][k] = pⱼᵏ / Π(pⱼ − pₗ)     Bᵀ[j] = the coefficients of Π(x − pₗ), l ≠ j
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.footprint import AccessAxis, Array, KernelCall, entries, shares, steps
from convcalc.backends.numba.jit.simd import (
    BLOCK,
    LANES,
    PIXEL,
    TILE_BLOCKS,
    WIDTH,
    call,
    fma,
    inline,
    splat,
    vload,
    vmax,
    vmin,
    vstore,
)

SIDE = 6  # pixels of a tile's side
FREQUENCIES = SIDE * SIDE
A1, A2 = 0.75, 1.5
Q1, Q2 = A1 * A1, A2 * A2
C1, C2 = A1 * Q1, A2 * Q2
BOTH, PRODUCT = Q1 + Q2, Q1 * Q2


def kernel_matrix(size: int) -> list[list[float]]:
    """G, 6 × size, for kernels of size × size."""
    points = (0.0, A1, -A1, A2, -A2)
    rows = []
    for point in points:
        scale = 1.0
        for other in points:
            if other != point:
                scale *= point - other
        rows.append([point**power / scale for power in range(size)])
    return [*rows, [0.0] * (size - 1) + [1.0]]


@inline
def _forward(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any) -> Any:
    """Bᵀ d along one dimension, for the points 0, A1, −A1, A2, −A2, ∞.

    Π(x − pₗ) without +p and without −p differ only in the sign of their odd powers, so the two rows are the sum and the
    difference of an even and an odd part.
    """
    even1, odd1 = fma(splat(-Q2), d2, d4), splat(A1) * fma(splat(-Q2), d1, d3)
    even2, odd2 = fma(splat(-Q1), d2, d4), splat(A2) * fma(splat(-Q1), d1, d3)
    zero = fma(splat(PRODUCT), d0, fma(splat(-BOTH), d2, d4))
    infinite = fma(splat(PRODUCT), d1, fma(splat(-BOTH), d3, d5))
    return zero, even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, infinite


@inline
def _column(at: int, row: int) -> Any:
    """Bᵀ d of one column of pixels, `row` bytes apart."""
    d3, d4, d5 = vload(at + 3 * row), vload(at + 4 * row), vload(at + 5 * row)
    return _forward(vload(at), vload(at + row), vload(at + 2 * row), d3, d4, d5)


@inline
def _scatter(to: int, frequency: int, f: Any) -> None:
    """Stores a row of six frequencies, `frequency` bytes apart."""
    vstore(to, f[0])
    vstore(to + frequency, f[1])
    vstore(to + 2 * frequency, f[2])
    vstore(to + 3 * frequency, f[3])
    vstore(to + 4 * frequency, f[4])
    vstore(to + 5 * frequency, f[5])


@inline
def _input_tile(source: int, row: int, target: int, frequency: int) -> None:
    """Bᵀ d B of one tile of one block: 6×6 pixels in rows `row` bytes apart, to 36 places `frequency` bytes apart."""
    for lane in range(LANES):
        at = source + lane * WIDTH * 4
        to = target + lane * WIDTH * 4
        step = SIDE * frequency
        a, b, c = _column(at, row), _column(at + PIXEL, row), _column(at + 2 * PIXEL, row)
        d, e, f = _column(at + 3 * PIXEL, row), _column(at + 4 * PIXEL, row), _column(at + 5 * PIXEL, row)
        _scatter(to, frequency, _forward(a[0], b[0], c[0], d[0], e[0], f[0]))
        _scatter(to + step, frequency, _forward(a[1], b[1], c[1], d[1], e[1], f[1]))
        _scatter(to + 2 * step, frequency, _forward(a[2], b[2], c[2], d[2], e[2], f[2]))
        _scatter(to + 3 * step, frequency, _forward(a[3], b[3], c[3], d[3], e[3], f[3]))
        _scatter(to + 4 * step, frequency, _forward(a[4], b[4], c[4], d[4], e[4], f[4]))
        _scatter(to + 5 * step, frequency, _forward(a[5], b[5], c[5], d[5], e[5], f[5]))


@inline
def _backward4(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> Any:
    """Aᵀ m along one dimension, for 4 outputs."""
    sum1, difference1 = m1 + m2, m1 - m2
    sum2, difference2 = m3 + m4, m3 - m4
    return (
        m0 + sum1 + sum2,
        fma(splat(A1), difference1, splat(A2) * difference2),
        fma(splat(Q1), sum1, splat(Q2) * sum2),
        fma(splat(C1), difference1, fma(splat(C2), difference2, m5)),
    )


@inline
def _backward2(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> Any:
    """Aᵀ m along one dimension, for 2 outputs; given twice, so that the result has the form of `_backward4`."""
    first = m0 + m1 + m2 + m3 + m4
    second = fma(splat(A1), m1 - m2, fma(splat(A2), m3 - m4, m5))
    return first, second, first, second


@inline
def _backward(outputs: int, m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> Any:
    """Aᵀ m along one dimension."""
    if outputs == 4:
        return _backward4(m0, m1, m2, m3, m4, m5)
    return _backward2(m0, m1, m2, m3, m4, m5)


@inline
def _gather(outputs: int, at: int, step: int) -> Any:
    """Aᵀ m of a column of six frequencies, `step` bytes apart."""
    m3, m4, m5 = vload(at + 3 * step), vload(at + 4 * step), vload(at + 5 * step)
    return _backward(outputs, vload(at), vload(at + step), vload(at + 2 * step), m3, m4, m5)


@inline
def _pixel(value: Any, target: int, residual: int, low: Any, high: Any) -> None:
    """Adds the residual to an output pixel, bounds and stores it."""
    if residual:
        value = value + vload(residual)
    vstore(target, vmin(high, vmax(low, value)))


@inline
def _line(f: Any, offset: Any, width: int, target: int, residual: int, low: Any, high: Any) -> None:
    """Stores the first `width` of a row of output pixels."""
    step = PIXEL if residual else 0
    _pixel(f[0] + offset, target, residual, low, high)
    if width > 1:
        _pixel(f[1] + offset, target + PIXEL, residual + step, low, high)
    if width > 2:
        _pixel(f[2] + offset, target + 2 * PIXEL, residual + 2 * step, low, high)
    if width > 3:
        _pixel(f[3] + offset, target + 3 * PIXEL, residual + 3 * step, low, high)


@inline
def _output_tile(
    outputs: int, source: int, frequency: int, bias: int, target: int, row: int, residual: int, residual_row: int,
    height: int, width: int, low: Any, high: Any,
) -> None:  # fmt: skip
    """Aᵀ M A of one tile of one block, plus bias and residual, bounded. Its first height × width pixels are stored."""
    step = SIDE * frequency
    for lane in range(LANES):
        shift = lane * WIDTH * 4
        offset = vload(bias + shift)
        at, to = source + shift, target + shift
        other = residual + shift if residual else 0
        down = residual_row if residual else 0
        a, b = _gather(outputs, at, step), _gather(outputs, at + frequency, step)
        c, d = _gather(outputs, at + 2 * frequency, step), _gather(outputs, at + 3 * frequency, step)
        e, f = _gather(outputs, at + 4 * frequency, step), _gather(outputs, at + 5 * frequency, step)
        _line(_backward(outputs, a[0], b[0], c[0], d[0], e[0], f[0]), offset, width, to, other, low, high)
        if height > 1:
            line = _backward(outputs, a[1], b[1], c[1], d[1], e[1], f[1])
            _line(line, offset, width, to + row, other + down, low, high)
        if height > 2:
            line = _backward(outputs, a[2], b[2], c[2], d[2], e[2], f[2])
            _line(line, offset, width, to + 2 * row, other + 2 * down, low, high)
        if height > 3:
            line = _backward(outputs, a[3], b[3], c[3], d[3], e[3], f[3])
            _line(line, offset, width, to + 3 * row, other + 3 * down, low, high)


@kernel
def winograd_input(
    first: int, stop: int, thread: int, *, source: int, source_block: int, row: int, outputs: int,
    tiles_across: int, tiles: int, item_tiles: int, blocks: int, transformed: int, transformed_block: int,
    frequency: int,
) -> None:  # fmt: skip
    """The transform of the whole input. An item is `item_tiles` tiles of one block.

    Bounds. Tile (y, x) reads 6×6 padded pixels from (y, x)·outputs on. The halo makes the padded input at least
    outputs·(tiles down − 1) + 6 pixels high, and correspondingly wide. Place `tile` < tiles of each frequency and block
    is written.
    """
    for item in range(first, stop):
        block = item % blocks
        begin = item // blocks * item_tiles
        for tile in range(begin, min(tiles, begin + item_tiles)):
            y, x = tile // tiles_across, tile % tiles_across
            at = source + block * source_block + y * outputs * row + x * outputs * BLOCK * 4
            _input_tile(at, row, transformed + block * transformed_block + tile * BLOCK * 4, frequency)


def _tile_places(call: KernelCall, tiles: Array) -> AccessAxis:
    """An axis of the places where the input of some tiles begins."""
    down, across = tiles // call.tiles_across, tiles % call.tiles_across
    offsets = down * call.outputs * call.row + across * call.outputs * PIXEL
    return entries("tile", offsets, int(tiles[0]) if len(tiles) else 0)


@winograd_input.footprint
def winograd_input_footprint(call: KernelCall) -> None:
    """SIDE × SIDE pixels of every tile, and its place in each frequency."""
    call.positive("tiles_across")
    for blocks, tiles in shares(call, call.item_tiles, call.tiles):
        call.reads(
            "source", call.source, SIDE * PIXEL, steps("row", SIDE, call.row), _tile_places(call, tiles),
            steps("source_block", blocks, call.source_block),
        )  # fmt: skip
        call.writes(
            "transformed", call.transformed, PIXEL, entries("tile", tiles * PIXEL, int(tiles[0])),
            steps("transformed_block", blocks, call.transformed_block),
            steps("frequency", FREQUENCIES, call.frequency),
        )  # fmt: skip


@kernel
def winograd(
    first: int, stop: int, thread: int, *, sweep: int, sweep_record: int, weights: int, tile_weights: int,
    frequency_weights: int, zeros: int, bias: int, source: int, source_block: int, row: int, outputs: int,
    tiles_across: int, tiles: int, chunk_tiles: int, item_groups: int, out_tiles: int, blocks: int,
    in_blocks: int, fused: int, transformed: int, transformed_block: int, frequency: int, product_block: int,
    product_frequency: int, target: int, target_block: int, target_row: int, residual: int,
    residual_block: int, residual_row: int, height: int, width: int, low: float, high: float, scratch: int,
    scratch_bytes: int,
) -> None:  # fmt: skip
    """Products and the transform back. An item is some tiles of output channels over one chunk of the image's tiles.

    fused: the input of the chunk is transformed here, into the thread's scratch memory; otherwise `winograd_input` has
    done it.

    Bounds. Reads as in winograd_input. The products of a chunk, chunk_tiles rounded up to a register tile, lie in
    scratch memory for which the plan reserves [36][TILE_BLOCKS][chunk], followed by the transformed chunk if fused.
    Pixels of the target below height and width, of blocks below `blocks`, are written.
    """
    products = scratch + thread * scratch_bytes
    lowest, highest = splat(low), splat(high)
    per_item = (out_tiles + item_groups - 1) // item_groups
    for item in range(first, stop):
        begin = (item // item_groups) * chunk_tiles
        count = min(tiles - begin, chunk_tiles)
        values = transformed + begin * BLOCK * 4
        if fused:
            values = products + FREQUENCIES * product_frequency
            # Step 2
            for block in range(in_blocks):
                for tile in range(count):
                    y, x = (begin + tile) // tiles_across, (begin + tile) % tiles_across
                    at = source + block * source_block + y * outputs * row + x * outputs * BLOCK * 4
                    to = values + block * transformed_block + tile * BLOCK * 4
                    _input_tile(at, row, to, frequency)
        group = (item % item_groups) * per_item
        for t in range(group, min(out_tiles, group + per_item)):
            # Step 3: for each frequency a matrix product, [tiles of the chunk][channels]·[channels][filters].
            tile_blocks = min(TILE_BLOCKS, blocks - t * TILE_BLOCKS)
            for f in range(FREQUENCIES):
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
                for tile in range(count):
                    y, x = (begin + tile) // tiles_across * outputs, (begin + tile) % tiles_across * outputs
                    other = residual
                    if residual:
                        other = residual + block * residual_block + y * residual_row + x * BLOCK * 4
                    _output_tile(
                        outputs, products + b * product_block + tile * BLOCK * 4, product_frequency,
                        bias + block * BLOCK * 4, target + block * target_block + y * target_row + x * BLOCK * 4,
                        target_row, other, residual_row, min(outputs, height - y), min(outputs, width - x), lowest,
                        highest,
                    )  # fmt: skip


@winograd.footprint
def winograd_footprint(call: KernelCall) -> None:
    """The input of every chunk if it is transformed here, its products, and the pixels of its tiles in the target.

    Chunks of the same size are described together.
    """
    call.positive("item_groups", "chunk_tiles", "tiles_across")
    call.needs(call.outputs in (2, 4), f"no transform has tiles of {call.outputs} outputs a side")
    per_item = -(-call.out_tiles // call.item_groups)
    whole, rest = divmod(call.items, call.item_groups)
    parts = ((0, whole, call.out_tiles), (whole, whole + 1, min(call.out_tiles, rest * per_item)))
    for first, stop, out_tiles in parts:
        if first < stop and (out_tiles > 0 or rest):
            _chunks_footprint(call, first, stop, out_tiles)


def _chunks_footprint(call: KernelCall, first: int, stop: int, out_tiles: int) -> None:
    """Chunks first..stop, with the first `out_tiles` tiles of filters."""
    size = call.chunk_tiles
    full = min(stop, max(first, call.tiles // size))  # chunks before it have all their tiles
    for chunks, count in (
        (np.arange(first, full), size),
        (np.arange(full, min(stop, full + 1)), call.tiles - full * size),
    ):
        if len(chunks) and count > 0:
            _products_footprint(call, chunks.astype(np.int64), count, out_tiles)
    tiles = np.arange(first * size, min(call.tiles, stop * size), dtype=np.int64)
    blocks = sum(min(TILE_BLOCKS, max(0, call.blocks - t * TILE_BLOCKS)) for t in range(out_tiles))
    if not len(tiles) or not blocks:
        return
    for parameter in ("residual", "target"):
        base, row = call.values[parameter], call.values[f"{parameter}_row"]
        pixels = entries("tile", _real_pixels(call, tiles, row))
        own = steps(f"{parameter}_block", blocks, call.values[f"{parameter}_block"])
        if parameter == "target":
            call.writes(parameter, base, PIXEL, pixels, own)
        elif base:
            call.reads(parameter, base, PIXEL, pixels, own)
    call.reads("bias", call.bias, blocks * PIXEL)


def _real_pixels(call: KernelCall, tiles: Array, row: int) -> Array:
    """The offsets of the output pixels of some tiles, without those beyond the height and width."""
    y, x = (tiles // call.tiles_across * call.outputs, tiles % call.tiles_across * call.outputs)
    places = np.arange(call.outputs, dtype=np.int64)
    down, across = y[:, None] + places, x[:, None] + places
    real_down = (down < call.height) | (places == 0)  # the first is always written
    real_across = (across < call.width) | (places == 0)
    offsets = down[:, :, None] * row + across[:, None, :] * PIXEL
    found: Array = offsets[real_down[:, :, None] & real_across[:, None, :]]
    return found


def _products_footprint(call: KernelCall, chunks: Array, count: int, out_tiles: int) -> None:
    """The products of chunks of `count` tiles each, and the transforms of their input if these are made here."""
    begins = chunks * call.chunk_tiles
    frequencies = steps("frequency", FREQUENCIES, call.frequency)
    values, source = call.transformed, "transformed"
    along: tuple[AccessAxis, ...] = (frequencies, entries("chunk", begins * PIXEL, int(chunks[0])))
    if call.fused:
        values, source, along = call.scratch + FREQUENCIES * call.product_frequency, "scratch", (frequencies,)
        tiles = (begins[:, None] + np.arange(count)).ravel()
        call.reads(
            "source", call.source, SIDE * PIXEL, steps("row", SIDE, call.row), _tile_places(call, tiles),
            steps("source_block", call.in_blocks, call.source_block),
        )  # fmt: skip
        call.writes(
            "scratch", values, count * PIXEL, steps("transformed_block", call.in_blocks, call.transformed_block),
            frequencies,
        )  # fmt: skip
    products = steps("product_frequency", FREQUENCIES, call.product_frequency)
    blocks_of = [min(TILE_BLOCKS, call.blocks - t * TILE_BLOCKS) for t in range(out_tiles)]
    for blocks in sorted(set(blocks_of)):
        own = np.array([t for t, n in enumerate(blocks_of) if n == blocks], np.int64)
        weights = (
            steps("frequency_weights", FREQUENCIES, call.frequency_weights // TILE_BLOCKS * blocks),
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
                "scratch", call.scratch, count * PIXEL, steps("product_block", blocks, call.product_block), products
            )  # fmt: skip
