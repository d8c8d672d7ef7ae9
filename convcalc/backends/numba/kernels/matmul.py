"""Products of matrices that are both computed: a·b with the rows of a as the pixels of the register tile.

b is laid out in tiles of columns, as weights are, by a step of its own; then an item is some rows of a product. They
are copied into scratch memory first, as a register tile may read more rows than there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.footprint import KernelCall, steps
from convcalc.backends.numba.jit.intrinsics import call, load_float, store_float, vload, vstore
from convcalc.backends.numba.jit.sizes import BLOCK, TILE, TILE_BLOCKS
from convcalc.backends.numba.jit.target import WIDTH

TILE_ROW = 4 * TILE  # bytes of a row of a tile of results


@inline
def copy_floats(source: int, step: int, target: int, count: int) -> None:
    """`count` floats, `step` bytes apart, to floats that lie one after the other."""
    done = 0
    if step == 4:
        done = count - count % WIDTH
        for k in range(0, done, WIDTH):
            vstore(target + 4 * k, vload(source + 4 * k))
    for k in range(done, count):
        store_float(target + 4 * k, load_float(source + k * step))


@kernel
def pack_columns(
    first: int, stop: int, thread: int, *, source: int, source_batch: int, source_row: int, source_column: int,
    depth: int, columns: int, tiles: int, packed: int, packed_batch: int,
) -> None:  # fmt: skip
    """(batch, depth, columns) to [batch][tile][depth][column in tile], continued by zeros to whole blocks of columns.

    Item i is tile i % tiles of matrix i // tiles. The source's strides are bytes.

    Bounds. Of a tile, columns < columns are read, and depth rows of whole blocks are written.
    """
    for item in range(first, stop):
        batch, tile = item // tiles, item % tiles * TILE
        real = min(TILE, columns - tile)
        width = (real + BLOCK - 1) // BLOCK * BLOCK
        at = source + batch * source_batch + tile * source_column
        to = packed + batch * packed_batch + 4 * tile * depth
        for k in range(depth):
            copy_floats(at + k * source_row, source_column, to + 4 * k * width, real)
            for column in range(real, width):
                store_float(to + 4 * (k * width + column), 0.0)


@pack_columns.footprint
def pack_columns_footprint(call: KernelCall) -> None:
    """All numbers of the matrices, and their tiles."""
    call.positive("tiles")
    batches, rest = divmod(call.items, call.tiles)
    for first, stop, tiles in ((0, batches, call.tiles), (batches, batches + (rest > 0), rest)):
        columns = min(call.columns, tiles * TILE)
        if first >= stop or columns <= 0:
            continue
        call.reads(
            "source", call.source, 4, steps("source_column", columns, call.source_column),
            steps("source_row", call.depth, call.source_row),
            steps("source_batch", stop - first, call.source_batch, first),
        )  # fmt: skip
        size = 4 * call.depth * (-(-columns // BLOCK) * BLOCK)
        call.writes(
            "packed", call.packed, size, steps("packed_batch", stop - first, call.packed_batch, first)
        )


@kernel
def multiply(
    first: int, stop: int, thread: int, *, sweep: int, sweep_record: int, zeros: int, source: int,
    source_batch: int, source_row: int, source_step: int, packed: int, packed_batch: int, target: int,
    rows: int, depth: int, columns: int, chunk: int, chunks: int, results: int, scratch: int, scratch_bytes: int,
) -> None:  # fmt: skip
    """(batch, rows, depth)·(batch, depth, columns), the second from `pack_columns`, to (batch, rows, columns).

    Item i is chunk i % chunks of product i // chunks, `chunk` rows or those that are left.

    Bounds. Scratch memory holds chunk + PIXELS rows of `depth` floats, and from `results` on as many rows of a tile.
    The tables of the sweep hold chunk pixels and are continued by PIXELS copies of the last.
    """
    lines = scratch + thread * scratch_bytes
    own_results = lines + results
    for item in range(first, stop):
        batch, begin = item // chunks, item % chunks * chunk
        count = min(chunk, rows - begin)
        for row in range(count):
            at = source + batch * source_batch + (begin + row) * source_row
            copy_floats(at, source_step, lines + 4 * row * depth, depth)
        for tile in range(0, columns, TILE):
            real = min(TILE, columns - tile)
            blocks = (real + BLOCK - 1) // BLOCK
            weights = packed + batch * packed_batch + 4 * tile * depth
            call(sweep, (sweep_record, weights, zeros, lines, own_results, 0, 0, count, blocks))
            for row in range(count):
                to = target + 4 * ((batch * rows + begin + row) * columns + tile)
                copy_floats(own_results + row * TILE_ROW, 4, to, real)


def tiles_alike(columns: int) -> Iterator[tuple[int, int, int]]:
    """(first column, blocks, how many) of tiles that are alike, for a number of columns in whole blocks."""
    whole = columns // TILE
    if whole:
        yield 0, TILE_BLOCKS, whole
    if columns % TILE:
        yield whole * TILE, columns % TILE // BLOCK, 1


@multiply.footprint
def multiply_footprint(call: KernelCall) -> None:
    """The rows of the items and their matrix; scratch memory; the rows of the results."""
    call.positive("chunks", "chunk")
    batches, rest = divmod(call.items, call.chunks)
    for first, stop, chunks in ((0, batches, call.chunks), (batches, batches + (rest > 0), rest)):
        rows = min(call.rows, chunks * call.chunk)
        if first >= stop or rows <= 0:
            continue
        call.reads(
            "source", call.source, 4, steps("source_step", call.depth, call.source_step),
            steps("source_row", rows, call.source_row),
            steps("source_batch", stop - first, call.source_batch, first),
        )  # fmt: skip
        for count in {min(call.chunk, rows), rows - (-(-rows // call.chunk) - 1) * call.chunk}:
            _chunk_footprint(call, first, stop, count)
        matrix = 4 * call.rows * call.columns
        call.writes(
            "target", call.target, 4 * rows * call.columns, steps("batch", stop - first, matrix, first)
        )


def _chunk_footprint(call: KernelCall, first: int, stop: int, count: int) -> None:
    """A chunk of `count` rows of some products."""
    results = call.scratch + call.results
    call.writes("scratch", call.scratch, 4 * count * call.depth)
    batch = steps("packed_batch", stop - first, call.packed_batch, first)
    for tile, blocks, tiles in tiles_alike(-(-call.columns // BLOCK) * BLOCK):
        call.calls(
            "sweep", call.sweep, call.sweep_record,
            weights=(call.packed + 4 * tile * call.depth, "packed"), bias=(call.zeros, "zeros"),
            source=(call.scratch, "scratch"), target=(results, "scratch"), residual=(0, ""), first=(0, ""),
            stop=(count, ""), blocks=(blocks, ""),
            along={"weights": (steps("tile", tiles, 4 * TILE * call.depth), batch)},
        )  # fmt: skip
        real = min(call.columns - tile, TILE)
        call.reads("scratch", results, 4 * real, steps("row", count, TILE_ROW))
