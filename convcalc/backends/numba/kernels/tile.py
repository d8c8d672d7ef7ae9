"""The microkernel: PIXELS × VECTORS accumulators that stay in registers while a window's products are added up.

    for run in runs:                       # contiguous parts of a window: the row of a kernel in one block of channels
        for k in range(run_length):        # the floats of a run: channels, then columns
            for p in pixels:               # unrolled, with the accumulators in registers
                sum[p] += source[pixel[p] + run + k] · weights[k]      # a float times VECTORS registers

Every convolution is this loop. A table of pixels says where the window of each output pixel begins, a table of runs
what a window consists of. So stride, padding (zeros around the data), dilation, groups, one to three dimensions, a
flattened 7×7 plane, the phases of a deconvolution and Winograd's products need no kernel of their own. Blocking for
registers and the outer product of one column with one row are those of Goto & van de Geijn 2008 for matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.footprint import KernelCall, entries, steps
from convcalc.backends.numba.jit.simd import (
    BLOCK,
    FEW,
    FLOAT,
    INT,
    LANES,
    PIXELS,
    TILE_BLOCKS,
    VECTORS,
    WIDTH,
    emit_fma,
    emit_load,
    emit_local,
    emit_loop,
    emit_max,
    emit_min,
    emit_prefetch,
    emit_splat,
    emit_store,
    intrinsic,
)

UNROLL = 8  # steps of k without a branch
AHEAD = 128  # steps of k by which weights are prefetched; memory takes about as long to answer
LINE = 64  # bytes of a cache line


def _integer(value: int) -> ir.Constant:
    return ir.Constant(INT, value)


def _offset(builder: ir.IRBuilder, table: ir.Value, place: ir.Value | int) -> ir.Value:
    """Entry `place` of a table of int32, as int64."""
    index = _integer(place) if isinstance(place, int) else place
    address = builder.add(table, builder.mul(index, _integer(4)))
    return builder.sext(emit_load(builder, address, ir.IntType(32)), INT)


def _channel(builder: ir.IRBuilder, base: ir.Value, block_bytes: ir.Value, vector: int) -> ir.Value:
    """The address of register `vector` of a pixel, counted through its blocks."""
    block, lane = divmod(vector, LANES)
    address = builder.add(base, _integer(lane * WIDTH * 4))
    return builder.add(address, builder.mul(block_bytes, _integer(block))) if block else address


def _emit_tile(builder: ir.IRBuilder, pixels: int, vectors: int, arguments: Sequence[ir.Value]) -> None:
    """Emits a tile; see `_tile` for the arguments."""
    (runs, run_count, run_length, last_length, weights, bias, source, source_pixels,
     target, target_pixels, target_block, residual, residual_pixels, residual_block, low,
     high) = arguments  # fmt: skip
    starts = [builder.add(source, _offset(builder, source_pixels, p)) for p in range(pixels)]
    first = [emit_load(builder, builder.add(bias, _integer(v * WIDTH * 4))) for v in range(vectors)]
    sums = [[emit_local(builder, value) for value in first] for _ in range(pixels)]
    weight = emit_local(builder, weights)

    def step(places: Sequence[ir.Value], k: ir.Value, steps: int) -> None:
        """Some steps of k: weights are loaded once for all pixels, inputs broadcast one by one."""
        at = builder.load(weight)
        k_bytes = builder.mul(k, _integer(4))
        for u in range(steps):
            row = [
                emit_load(builder, builder.add(at, _integer((u * vectors + v) * WIDTH * 4)))
                for v in range(vectors)
            ]
            for line in range(0, vectors * WIDTH * 4, LINE):
                later = (u + AHEAD) * vectors * WIDTH * 4 + line
                emit_prefetch(builder, builder.add(at, _integer(later)))
            for p, place in enumerate(places):
                address = builder.add(builder.add(place, k_bytes), _integer(4 * u))
                value = emit_splat(builder, emit_load(builder, address, FLOAT))
                for v in range(vectors):
                    builder.store(emit_fma(builder, value, row[v], builder.load(sums[p][v])), sums[p][v])
        builder.store(builder.add(at, _integer(steps * vectors * WIDTH * 4)), weight)

    last = builder.sub(run_count, _integer(1))
    with emit_loop(builder, run_count) as run:
        length = builder.select(builder.icmp_signed("<", run, last), run_length, last_length)
        whole = builder.udiv(length, _integer(UNROLL))
        done = builder.mul(whole, _integer(UNROLL))
        shift = _offset(builder, runs, run)
        places = [builder.add(start, shift) for start in starts]
        with emit_loop(builder, whole) as many:
            step(places, builder.mul(many, _integer(UNROLL)), UNROLL)
        with emit_loop(builder, builder.sub(length, done)) as rest:
            step(places, builder.add(done, rest), 1)

    with builder.if_then(builder.icmp_signed("!=", residual, _integer(0))):
        for p, row in enumerate(sums):
            base = builder.add(residual, _offset(builder, residual_pixels, p))
            for v, place in enumerate(row):
                other = emit_load(builder, _channel(builder, base, residual_block, v))
                builder.store(builder.fadd(builder.load(place), other), place)
    lowest, highest = emit_splat(builder, low), emit_splat(builder, high)
    for p, row in enumerate(sums):
        base = builder.add(target, _offset(builder, target_pixels, p))
        for v, place in enumerate(row):
            value = emit_min(builder, highest, emit_max(builder, lowest, builder.load(place)))
            emit_store(builder, _channel(builder, base, target_block, v), value)


def _tile(pixels: int, vectors: int) -> Any:
    """The intrinsic for one size of tile. Its arguments are int64 but the last two.

    runs: a table of run_count byte offsets of runs, each of run_length floats, but the last one of last_length.
    weights: a row of vectors·WIDTH floats for each of these floats; bias: one such row. The window of output pixel p
    begins at source + source_pixels[p]; its first channel block is written to target + target_pixels[p], the next one
    target_block bytes further on. residual, addressed by tables of its own and 0 if there is none, is added; then
    values are bounded by low and high.
    """

    @intrinsic("int " * 14 + "float float -> none")
    def tile(builder: ir.IRBuilder, *arguments: ir.Value) -> None:
        _emit_tile(builder, pixels, vectors, arguments)

    return tile


_SINGLE = LANES  # registers of one block
tile_many = _tile(PIXELS, VECTORS)
tile_few = _tile(FEW, VECTORS)
tile_many_single = _tile(PIXELS, _SINGLE)
tile_few_single = _tile(FEW, _SINGLE)
ONE_SIZE = TILE_BLOCKS == 1  # a tile is one block wide, so there is no narrower one


@kernel
def sweep(
    weights: int, bias: int, source: int, target: int, residual: int, first: int, stop: int, blocks: int, *,
    runs: int, run_count: int, run_length: int, last_length: int, source_pixels: int, target_pixels: int,
    target_block: int, residual_pixels: int, residual_block: int, low: float, high: float,
) -> None:  # fmt: skip
    """Output pixels first..stop of one tile of `blocks` channel blocks.

    Bounds. Reads of source lie at source + source_pixels[p] + runs[r] + 4·k, which the plan has made lie in the
    padded input for every p of the table, r < run_count and k < run_length. Tiles begin at first at the earliest
    and end at stop, except where stop − first is below the tile's size: then pixels up to first + PIXELS are
    computed, so every table is continued by PIXELS copies of its last entry (`layout.pixel_table`).
    """
    single = (not ONE_SIZE) and blocks == 1
    pixel = first
    while pixel < stop:
        # Large tiles, and small ones where one or two of these finish what is left with less waste. The last tile moves
        # back so that it ends at `stop`: its first pixels are computed twice, with the same result.
        left = stop - pixel
        if left >= PIXELS and not PIXELS < left <= 2 * FEW:
            count = PIXELS
        elif left > FEW and left <= 2 * FEW and left != PIXELS:
            count = FEW
        elif left > FEW:
            count = PIXELS
        else:
            count = FEW
        at = pixel if left >= count else max(first, stop - count)
        arguments = (
            runs, run_count, run_length, last_length, weights, bias, source, source_pixels + 4 * at, target,
            target_pixels + 4 * at, target_block, residual, residual_pixels + 4 * at, residual_block, low, high,
        )  # fmt: skip
        if single:
            if count == PIXELS:
                tile_many_single(*arguments)
            else:
                tile_few_single(*arguments)
        elif count == PIXELS:
            tile_many(*arguments)
        else:
            tile_few(*arguments)
        pixel += count


def swept(first: int, stop: int) -> int:
    """Where the pixels end that sweep computes for first..stop: beyond stop if a tile is larger than the rest."""
    left = stop - first
    if left <= 0:
        return first
    count = PIXELS if left >= PIXELS or left > 2 * FEW else FEW
    return max(stop, first + count)


@sweep.footprint
def sweep_footprint(call: KernelCall) -> None:
    """The tables from the first pixel on, their windows, the weights of all runs, the target's blocks."""
    end = swept(call.first, call.stop)
    pixels = end - call.first
    if pixels <= 0:
        return
    lengths = [call.run_length] * max(0, call.run_count - 1) + [call.last_length] * (call.run_count > 0)
    call.needs(min(lengths, default=0) >= 0, "a run's length is negative")
    count = 1 if call.blocks == 1 else TILE_BLOCKS
    from_first = 4 * call.first

    def table(name: str) -> Any:
        return call.table(name, call.values[name] + from_first, pixels)

    block = BLOCK * 4
    call.reads("bias", call.bias, count * block)
    call.reads("weights", call.weights, sum(lengths) * count * block)
    starts, targets = table("source_pixels"), table("target_pixels")
    others = table("residual_pixels") if call.residual else None
    runs = call.table("runs", call.runs, len(lengths))
    residual = steps("residual_block", count, call.residual_block)
    target = steps("target_block", count, call.target_block)
    kept = call.stop - call.first  # pixels beyond these affect no result
    for used, part, begin in ((True, slice(kept), call.first), (False, slice(kept, None), call.stop)):
        source = entries("source_pixels", starts[part], begin)
        run, last = entries("runs", runs[:-1]), entries("runs", runs[-1:], len(runs) - 1)
        call.reads("source", call.source, 4 * call.run_length, source, run, used=used)
        call.reads("source", call.source, 4 * call.last_length, source, last, used=used)
        if others is not None:
            places = entries("residual_pixels", others[part], begin)
            call.reads("residual", call.residual, block, places, residual, used=used)
        places = entries("target_pixels", targets[part], begin)
        call.writes("target", call.target, block, places, target, used=used)
