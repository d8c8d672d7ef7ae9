"""The microkernel: PIXELS × VECTORS accumulators that stay in registers while a window's products are added up.

    for run in runs:                       # contiguous parts of a window: the row of a kernel in one block of channels
        for k in range(run_length):        # the words of a run, of four bytes: channels, then columns
            for p in pixels:               # unrolled, with the accumulators in registers
                sum[p] += source[pixel[p] + run + k] · weights[k]      # a word times VECTORS registers

A word is a float, or two elements of bfloat16, whose two products are added to a float32 sum by one instruction.

Every convolution is this loop. A table of pixels says where the window of each output pixel begins, a table of runs
what a window consists of. So stride, padding (zeros around the data), dilation, groups, one to three dimensions, a
flattened 7×7 plane, the phases of a deconvolution and Winograd's products need no kernel of their own. Blocking for
registers and the outer product of one column with one row are those of Goto & van de Geijn 2008 for matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from convcalc.backends.numba.jit.cache import Kernel, kernel
from convcalc.backends.numba.jit.declare import inline, intrinsic
from convcalc.backends.numba.jit.emit import (
    FLOAT,
    INT,
    SHORT,
    emit_dot,
    emit_fma,
    emit_load,
    emit_load_elements,
    emit_local,
    emit_loop,
    emit_max,
    emit_min,
    emit_prefetch,
    emit_splat,
    emit_store,
    emit_store_elements,
    word_type,
)
from convcalc.backends.numba.jit.footprint import KernelCall, entries, steps
from convcalc.backends.numba.jit.sizes import BLOCK, CACHE_LINE, FEW, HALF, PIXELS, TILE, TILE_BLOCKS
from convcalc.backends.numba.jit.target import WIDTH

UNROLL = 8  # steps of k without a branch
AHEAD = 128  # steps of k by which weights are prefetched; memory takes about as long to answer


def _integer(value: int) -> ir.Constant:
    return ir.Constant(INT, value)


def _offset(builder: ir.IRBuilder, table: ir.Value, place: ir.Value | int) -> ir.Value:
    """Entry `place` of a table of int32, as int64."""
    index = _integer(place) if isinstance(place, int) else place
    address = builder.add(table, builder.mul(index, _integer(4)))
    return builder.sext(emit_load(builder, address, ir.IntType(32)), INT)


def _widths(columns: int) -> list[int]:
    """The floats of each register that so many columns need: full ones, and at most one of half a block."""
    return [WIDTH] * (columns // WIDTH) + [HALF] * (columns % WIDTH > 0)


def _emit_tile(
    builder: ir.IRBuilder,
    element: int,
    pixels: int,
    columns: int,
    arguments: Sequence[ir.Value],
) -> None:
    """Emits a tile; see `_tile` for the arguments. element: bytes of one."""
    (runs, run_count, run_length, last_length, weights, bias, source, source_pixels,
     target, target_pixels, target_block, residual, residual_pixels, residual_block, fetched, pace,
     wide, low, high, fill) = arguments  # fmt: skip
    widths = _widths(columns)
    firsts = [sum(widths[:v]) for v in range(len(widths))]  # the column that each register begins with
    kinds = [ir.VectorType(FLOAT, width) for width in widths]
    of_bfloat16 = element == 2
    word = word_type(element)
    words = [ir.VectorType(word, width) for width in widths]
    multiply = emit_dot if of_bfloat16 else emit_fma
    # Half a block of bfloat16 is four words
    unroll = UNROLL // 2 if of_bfloat16 and columns == HALF else UNROLL

    def register(row: ir.Value, v: int, kinds: Sequence[ir.Type] = kinds) -> ir.Value:
        """Register v of a row of columns."""
        return emit_load(builder, builder.add(row, _integer(4 * firsts[v])), kinds[v])

    def channel(base: ir.Value, block_bytes: ir.Value, column: int, element: int = element) -> ir.Value:
        """The address of a column of a pixel, counted through its blocks."""
        block, lane = divmod(column, BLOCK)
        address = builder.add(base, _integer(element * lane))
        return builder.add(address, builder.mul(block_bytes, _integer(block))) if block else address

    registers = range(len(widths))
    starts = [builder.add(source, _offset(builder, source_pixels, p)) for p in range(pixels)]
    first = [register(bias, v) for v in registers]
    sums = [[emit_local(builder, value) for value in first] for _ in range(pixels)]
    weight, later = emit_local(builder, weights), emit_local(builder, fetched)
    lines = range(0, columns * 4, CACHE_LINE)
    apart = builder.udiv(pace, _integer(len(lines)))

    def step(places: Sequence[ir.Value], k: ir.Value, steps: int) -> None:
        """Some steps of k: weights are loaded once for all pixels, inputs broadcast one by one."""
        at = builder.load(weight)
        fetched = builder.load(later)
        k_bytes = builder.mul(k, _integer(4))
        for u in range(steps):
            row = [register(builder.add(at, _integer(u * columns * 4)), v, words) for v in registers]
            for line in range(len(lines)):
                emit_prefetch(builder, builder.add(fetched, builder.mul(apart, _integer(line))))
            fetched = builder.add(fetched, pace)
            for p, place in enumerate(places):
                address = builder.add(builder.add(place, k_bytes), _integer(4 * u))
                value = emit_load(builder, address, word)
                for v in registers:
                    own = emit_splat(builder, value, widths[v])
                    builder.store(multiply(builder, own, row[v], builder.load(sums[p][v])), sums[p][v])
        builder.store(builder.add(at, _integer(steps * columns * 4)), weight)
        builder.store(fetched, later)

    last = builder.sub(run_count, _integer(1))
    with emit_loop(builder, run_count) as run:
        length = builder.select(builder.icmp_signed("<", run, last), run_length, last_length)
        whole = builder.udiv(length, _integer(unroll))
        done = builder.mul(whole, _integer(unroll))
        shift = _offset(builder, runs, run)
        places = [builder.add(start, shift) for start in starts]
        with emit_loop(builder, whole) as many:
            step(places, builder.mul(many, _integer(unroll)), unroll)
        with emit_loop(builder, builder.sub(length, done)) as rest:
            step(places, builder.add(done, rest), 1)

    with builder.if_then(builder.icmp_signed("!=", residual, _integer(0))):
        for p, row in enumerate(sums):
            base = builder.add(residual, _offset(builder, residual_pixels, p))
            for v, place in enumerate(row):
                address = channel(base, residual_block, firsts[v])
                other = emit_load_elements(builder, element, address, kinds[v])
                builder.store(builder.fadd(builder.load(place), other), place)
    bounds = [(emit_splat(builder, low, width), emit_splat(builder, high, width)) for width in widths]

    def finish(element: int) -> None:
        """Stores the bounded sums as elements of so many bytes."""
        for p, row in enumerate(sums):
            base = builder.add(target, _offset(builder, target_pixels, p))
            for v, place in enumerate(row):
                lowest, highest = bounds[v]
                value = emit_min(builder, highest, emit_max(builder, lowest, builder.load(place)))
                address = channel(base, target_block, firsts[v], element)
                emit_store_elements(builder, element, address, value)

    if of_bfloat16:
        with builder.if_else(builder.icmp_signed("!=", wide, _integer(0))) as (as_floats, as_elements):
            with as_floats:
                finish(4)
            with as_elements:
                finish(2)
    else:
        finish(4)
    if columns % BLOCK:
        nothing = ir.Constant(ir.VectorType(SHORT if of_bfloat16 else FLOAT, HALF), [0] * HALF)
        with builder.if_then(builder.icmp_signed("!=", fill, _integer(0))):
            for p in range(pixels):
                base = builder.add(target, _offset(builder, target_pixels, p))
                emit_store(builder, channel(base, target_block, columns), nothing)


def _tile(pixels: int, columns: int) -> Any:
    """The intrinsic for one size of tile: so many output pixels, and so many output channels as its columns.

    Its arguments are int64 but the two bounds.

    runs: a table of run_count byte offsets of runs, each of run_length words, but the last one of last_length.
    weights: a row of `columns` words for each of these words; bias: a row of floats. The window of output pixel p
    begins at source + source_pixels[p]; its first channel block is written to target + target_pixels[p], the next one
    target_block bytes further on. residual, addressed by tables of its own and 0 if there is none, is added; then
    values are bounded by low and high. For each word, `pace` bytes are prefetched from `fetched` on. wide: not 0 if the
    target's numbers are floats, whatever the elements of maps are. fill: where the columns end with half a block, not 0
    if the other half is set to 0.
    """

    @intrinsic("int " * 17 + "float float int -> none", by_element=True)
    def tile(builder: ir.IRBuilder, element: int, *arguments: ir.Value) -> None:
        _emit_tile(builder, element, pixels, columns, arguments)

    return tile


ONE_SIZE = TILE_BLOCKS == 1  # a tile is one block wide, so there is no narrower one


@inline
def _tile_pixels(left: int) -> int:
    """The pixels of the next tile where so many are left.

    Large tiles, and small ones where one or two of these finish what is left with less waste. The last tile moves
    back so that it ends at the last pixel: its first pixels are computed twice, with the same result.
    """
    if left >= PIXELS and not PIXELS < left <= 2 * FEW:
        return PIXELS
    if left > FEW and left <= 2 * FEW and left != PIXELS:
        return FEW
    if left > FEW:
        return PIXELS
    return FEW


@inline
def _tile_count(first: int, stop: int) -> int:
    """The tiles of a sweep."""
    count = 0
    while first < stop:
        first += _tile_pixels(stop - first)
        count += 1
    return count


@inline
def _reading_ahead(
    weights: int, row: int, words: int, next_weights: int, first: int, stop: int
) -> tuple[int, int, int]:
    """(where the first tile of a sweep prefetches from, by how many bytes for each word, how many bytes further on the
    next tile does). row: bytes of weights of a word; words: of a window."""
    if next_weights:
        pace = row // _tile_count(first, stop)
        return weights + words * row, pace, words * pace
    return weights + AHEAD * row, row, 0


def _sweep(name: str, missing: int) -> Kernel:
    """The kernel for tiles whose last block lacks so many of its channels."""
    columns, single_columns = TILE - missing, BLOCK - missing
    many, few, many_single, few_single = (
        _tile(pixels, count) for count in (columns, single_columns) for pixels in (PIXELS, FEW)
    )

    def sweep(
        weights: int, bias: int, source: int, target: int, residual: int, first: int, stop: int, blocks: int, *,
        runs: int, run_count: int, run_length: int, last_length: int, source_pixels: int, target_pixels: int,
        target_block: int, residual_pixels: int, residual_block: int, next_weights: int, wide: int, low: float,
        high: float, fill: int,
    ) -> None:  # fmt: skip
        """Output pixels first..stop of one tile of `blocks` channel blocks.

        next_weights: not 0 if the next sweep's weights lie behind this one's and are not in cache. Then each tile
        prefetches a part of these, so that memory has the time of all tiles; the first one alone would wait for it.
        Otherwise tiles prefetch weights of their own, AHEAD rows further on. wide: not 0 if the target's numbers are
        floats, whatever the elements of maps are. fill: for a tile that ends with half a block, not 0 if the other
        half, whose products would be with weights of 0, is set to 0; else it is not touched.

        Bounds. Reads of source lie at source + source_pixels[p] + runs[r] + 4·k, which the plan has made lie in the
        padded input for every p of the table, r < run_count and k < run_length. Tiles begin at first at the earliest
        and end at stop, except where stop − first is below the tile's size: then pixels up to first + PIXELS are
        computed, so every table is continued by PIXELS copies of its last entry (`layout.pixel_table`).
        """
        single = (not ONE_SIZE) and blocks == 1
        words = (run_count - 1) * run_length + last_length
        row = 4 * (single_columns if single else columns)
        fetched, pace, onward = _reading_ahead(weights, row, words, next_weights, first, stop)
        pixel = first
        while pixel < stop:
            count = _tile_pixels(stop - pixel)
            at = pixel if stop - pixel >= count else max(first, stop - count)
            arguments = (
                runs, run_count, run_length, last_length, weights, bias, source, source_pixels + 4 * at, target,
                target_pixels + 4 * at, target_block, residual, residual_pixels + 4 * at, residual_block, fetched,
                pace, wide, low, high, fill,
            )  # fmt: skip
            if single:
                if count == PIXELS:
                    many_single(*arguments)
                else:
                    few_single(*arguments)
            elif count == PIXELS:
                many(*arguments)
            else:
                few(*arguments)
            pixel += count
            fetched += onward

    sweep.__name__ = name
    made = kernel(sweep)

    @made.footprint
    def sweep_footprint(call: KernelCall) -> None:
        """The tables from the first pixel on, their windows, the weights of all runs, the target's blocks; of a last
        half block that is filled all of it."""
        blocks = 1 if call.blocks == 1 else TILE_BLOCKS
        call.needs(missing > 0 or call.fill == 0, "fill says half a block, which no tile of whole blocks has")
        if missing:
            _swept_footprint(call, blocks - 1, BLOCK - missing)
        else:
            _swept_footprint(call, blocks, 0)

    return made


def swept(first: int, stop: int) -> int:
    """Where the pixels end that sweep computes for first..stop: beyond stop if a tile is larger than the rest."""
    left = stop - first
    if left <= 0:
        return first
    count = PIXELS if left >= PIXELS or left > 2 * FEW else FEW
    return max(stop, first + count)


def _swept_footprint(call: KernelCall, count: int, rest: int) -> None:
    """A sweep over tiles of `count` whole blocks and `rest` channels of one more."""
    end = swept(call.first, call.stop)
    pixels = end - call.first
    if pixels <= 0:
        return
    lengths = [call.run_length] * max(0, call.run_count - 1) + [call.last_length] * (call.run_count > 0)
    call.needs(min(lengths, default=0) >= 0, "a run's length is negative")
    from_first = 4 * call.first

    def table(name: str) -> Any:
        return call.table(name, call.values[name] + from_first, pixels)

    row = 4 * (count * BLOCK + rest)
    element = 4 if call.wide else call.element_bytes
    whole = BLOCK * element
    call.reads("bias", call.bias, row)
    call.reads("weights", call.weights, sum(lengths) * row)
    starts, targets = table("source_pixels"), table("target_pixels")
    others = table("residual_pixels") if call.residual else None
    runs = call.table("runs", call.runs, len(lengths))
    kept = call.stop - call.first  # pixels beyond these affect no result
    written = whole if rest and call.fill else element * rest
    for used, part, begin in ((True, slice(kept), call.first), (False, slice(kept, None), call.stop)):
        source = entries("source_pixels", starts[part], begin)
        run, last = entries("runs", runs[:-1]), entries("runs", runs[-1:], len(runs) - 1)
        call.reads("source", call.source, 4 * call.run_length, source, run, used=used)
        call.reads("source", call.source, 4 * call.last_length, source, last, used=used)
        for channels, tail, first, blocks in ((BLOCK, whole, 0, count), (rest, written, count, 1)):
            if others is not None:
                places = entries("residual_pixels", others[part], begin)
                residual = steps("residual_block", blocks, call.residual_block, first)
                call.reads(
                    "residual", call.residual, call.element_bytes * channels, places, residual, used=used
                )
            places = entries("target_pixels", targets[part], begin)
            target = steps("target_block", blocks, call.target_block, first)
            call.writes("target", call.target, tail, places, target, used=used)


sweep = _sweep("sweep", 0)
narrow_sweep = _sweep("narrow_sweep", HALF)  # its tiles end with half a block
