"""Winograd's convolution: F(4×4, 3×3) and F(2×2, 5×5), which share everything but the last step.

A tile of 6×6 input pixels d and a kernel g give m×m outputs, m = 7 − r, with 36 products instead of m²·r²:

    Aᵀ [ (G g Gᵀ) ∘ (Bᵀ d B) ] A

The products of one frequency (place in the 6×6) are a matrix product over channels, done by the same register tile as
every other convolution, with tiles of the image as its pixels. Interpolation points are 0, ±A1, ±A2 and ∞: ¾ and 1½
round a third as much as the customary 1 and 2. The matrices follow from the points (Lavin & Gray 2015; Toom, Cook):

    Aᵀ[i][j] = pⱼⁱ     G[j][k] = pⱼᵏ / Π(pⱼ − pₗ)     Bᵀ[j] = the coefficients of Π(x − pₗ), l ≠ j
"""

from __future__ import annotations

from typing import Any

from convcalc.backends.numba.cache import kernel
from convcalc.backends.numba.simd import (
    BLOCK,
    LANES,
    TILE_BLOCKS,
    WIDTH,
    as_float,
    call,
    fields,
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
TEMPORARY = FREQUENCIES * BLOCK * 4  # bytes a thread needs for a half-done tile


def kernel_matrix(size: int) -> list[list[float]]:
    """G: 6 × size, for a kernel of that size."""
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
    """Bᵀ d along one dimension. The rows of +p and −p share their even and odd parts."""
    even1, odd1 = fma(splat(-Q2), d2, d4), splat(A1) * fma(splat(-Q2), d1, d3)
    even2, odd2 = fma(splat(-Q1), d2, d4), splat(A2) * fma(splat(-Q1), d1, d3)
    zero = fma(splat(PRODUCT), d0, fma(splat(-BOTH), d2, d4))
    infinite = fma(splat(PRODUCT), d1, fma(splat(-BOTH), d3, d5))
    return zero, even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, infinite


@inline
def _input_tile(source: int, row: int, temporary: int, target: int, frequency: int) -> None:
    """Bᵀ d B of one tile of one block: 6×6 pixels, `row` bytes apart, to 36 places, `frequency` bytes apart."""
    for lane in range(LANES):
        at = source + lane * WIDTH * 4
        to = target + lane * WIDTH * 4
        for x in range(SIDE):
            p = at + x * BLOCK * 4
            f = _forward(
                vload(p), vload(p + row), vload(p + 2 * row), vload(p + 3 * row), vload(p + 4 * row),
                vload(p + 5 * row),
            )  # fmt: skip
            t = temporary + x * WIDTH * 4
            for y in range(SIDE):
                vstore(t + y * SIDE * WIDTH * 4, f[y])
        for y in range(SIDE):
            t = temporary + y * SIDE * WIDTH * 4
            step = WIDTH * 4
            f = _forward(
                vload(t), vload(t + step), vload(t + 2 * step), vload(t + 3 * step), vload(t + 4 * step),
                vload(t + 5 * step),
            )  # fmt: skip
            o = to + y * SIDE * frequency
            for x in range(SIDE):
                vstore(o + x * frequency, f[x])


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
    """Aᵀ m along one dimension, for 2 outputs; given twice, to be shaped like the other."""
    one = m0 + m1 + m2 + m3 + m4
    two = fma(splat(A1), m1 - m2, fma(splat(A2), m3 - m4, m5))
    return one, two, one, two


@inline
def _backward(outputs: int, at: int, step: int) -> Any:
    """Aᵀ m of the six registers from `at`, `step` bytes apart."""
    m0, m1, m2 = vload(at), vload(at + step), vload(at + 2 * step)
    m3, m4, m5 = vload(at + 3 * step), vload(at + 4 * step), vload(at + 5 * step)
    if outputs == 4:
        return _backward4(m0, m1, m2, m3, m4, m5)
    return _backward2(m0, m1, m2, m3, m4, m5)


@inline
def _output_tile(
    outputs: int, source: int, frequency: int, temporary: int, bias: int, target: int, row: int, residual: int,
    residual_row: int, height: int, width: int, low: Any, high: Any,
) -> None:  # fmt: skip
    """Aᵀ M A of one tile of one block, plus bias and residual, bounded; its first height × width pixels written."""
    for lane in range(LANES):
        shift = lane * WIDTH * 4
        for x in range(SIDE):
            f = _backward(outputs, source + shift + x * frequency, SIDE * frequency)
            for y in range(outputs):
                vstore(temporary + (y * SIDE + x) * WIDTH * 4, f[y])
        offset = vload(bias + shift)
        for y in range(height):
            f = _backward(outputs, temporary + y * SIDE * WIDTH * 4, WIDTH * 4)
            for x in range(width):
                value = f[x] + offset
                if residual:
                    value = value + vload(residual + shift + y * residual_row + x * BLOCK * 4)
                vstore(target + shift + y * row + x * BLOCK * 4, vmin(high, vmax(low, value)))


@kernel(
    "source source_block row outputs tiles_across tiles item_tiles transformed transformed_block frequency scratch "
    "scratch_bytes"
)
def winograd_input(record: int, first: int, stop: int, thread: int) -> None:
    """The transform of the whole input: item i is `item_tiles` tiles of one block.

    Bounds. Tile (y, x) reads 6×6 padded pixels from (y, x)·outputs: the plan's halo makes the padded input at least
    outputs·(tiles down − 1) + 6 high, and as wide. It writes place `tile` < tiles of each frequency and block.
    """
    (source, source_block, row, outputs, tiles_across, tiles, item_tiles, transformed, transformed_block, frequency,
     scratch, scratch_bytes) = fields(record, 12)  # fmt: skip
    groups = (tiles + item_tiles - 1) // item_tiles
    temporary = scratch + thread * scratch_bytes
    for item in range(first, stop):
        block = item // groups
        begin = (item % groups) * item_tiles
        for tile in range(begin, min(tiles, begin + item_tiles)):
            y, x = tile // tiles_across, tile % tiles_across
            at = source + block * source_block + y * outputs * row + x * outputs * BLOCK * 4
            _input_tile(
                at, row, temporary, transformed + block * transformed_block + tile * BLOCK * 4, frequency
            )


@kernel(
    "sweep sweep_record weights tile_weights frequency_weights zeros bias source source_block row outputs "
    "tiles_across tiles chunk_tiles item_groups out_tiles blocks in_blocks fused transformed transformed_block "
    "frequency product_block product_frequency target target_block target_row residual residual_block residual_row "
    "height width low high scratch scratch_bytes"
)
def winograd(record: int, first: int, stop: int, thread: int) -> None:
    """Products and the transform back: item i is some tiles of output channels over one chunk of the image's tiles.

    fused: the chunk's input is transformed here, into the thread's scratch memory; else winograd_input did it.

    Bounds. Reads as in winograd_input. The products of a chunk, chunk_tiles rounded up to a register tile, lie in
    scratch memory sized for it by the plan: [36][TILE_BLOCKS][chunk], after the temporary and, where fused, the
    transformed chunk. Of the target, pixels below height and width are written, of blocks below `blocks`.
    """
    (sweep, sweep_record, weights, tile_weights, frequency_weights, zeros, bias, source, source_block, row, outputs,
     tiles_across, tiles, chunk_tiles, item_groups, out_tiles, blocks, in_blocks, fused, transformed,
     transformed_block, frequency, product_block, product_frequency, target, target_block, target_row, residual,
     residual_block, residual_row, height, width, low, high, scratch, scratch_bytes) = fields(record, 36)  # fmt: skip
    temporary = scratch + thread * scratch_bytes
    products = temporary + TEMPORARY
    lowest, highest = splat(as_float(low)), splat(as_float(high))
    per_item = (out_tiles + item_groups - 1) // item_groups
    for item in range(first, stop):
        begin = (item // item_groups) * chunk_tiles
        count = min(tiles - begin, chunk_tiles)
        values = transformed + begin * BLOCK * 4
        if fused:
            values = products + FREQUENCIES * product_frequency
            for block in range(in_blocks):
                for tile in range(count):
                    y, x = (begin + tile) // tiles_across, (begin + tile) % tiles_across
                    at = source + block * source_block + y * outputs * row + x * outputs * BLOCK * 4
                    to = values + block * transformed_block + tile * BLOCK * 4
                    _input_tile(at, row, temporary, to, frequency)
        one = (item % item_groups) * per_item
        for t in range(one, min(out_tiles, one + per_item)):
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
                for tile in range(count):
                    y, x = (begin + tile) // tiles_across * outputs, (begin + tile) % tiles_across * outputs
                    other = residual
                    if residual:
                        other = residual + block * residual_block + y * residual_row + x * BLOCK * 4
                    _output_tile(
                        outputs, products + b * product_block + tile * BLOCK * 4, product_frequency, temporary,
                        bias + block * BLOCK * 4, target + block * target_block + y * target_row + x * BLOCK * 4,
                        target_row, other, residual_row, min(outputs, height - y), min(outputs, width - x), lowest,
                        highest,
                    )  # fmt: skip
