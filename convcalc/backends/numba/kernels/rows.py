"""Convolutions in which every block of channels is computed from the same block of the input, row by row.

A tile of neighbouring output pixels reads pixels that overlap, so what is loaded for one of them serves all that read
it. `depthwise` and `grouped` make their kernels of this walk, each with a tile of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convcalc.backends.numba.jit.cache import Kernel, kernel
from convcalc.backends.numba.jit.footprint import KernelCall, entries, shares, steps
from convcalc.backends.numba.jit.intrinsics import call
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, PIXEL, Sized
from convcalc.backends.numba.jit.target import WIDTH

# Pixels of a row whose sums, with a kernel row's weights, fit registers
ROW_TILES = (14, 7) if WIDTH == 16 else (7,)
FLOATS = Sized(WIDTH, WIDTH)  # of a register, whatever elements are


def rows_kernel(
    name: str,
    tile: Callable[[int], Any],
    taps: int,
    weight_row: Sized,
    *,
    stride: int = 1,
    depth: int = 1,
    floats: Sized = FLOATS,
) -> Kernel:
    """The kernel of this name.

    tile: makes the intrinsic for so many pixels of a row; taps, stride: along the rows, where dilation is 1;
    weight_row: bytes of a block's weights for a row of the kernel; depth: channels of a group, BLOCK or a divisor of
    it; floats: that a register of the tile holds.

    The tile's arguments are int64 but the last two. rows: of the kernel; weights: for each of them `weight_row` bytes,
    from this register's channels on; bias, target: of this register's channels; source: where the window of the first
    pixel begins, at the first channel that this register reads, its rows source_row bytes apart; low, high: bounds.
    """
    wide, narrow = tile(ROW_TILES[0]), tile(ROW_TILES[-1])
    most, few = ROW_TILES[0], ROW_TILES[-1]
    registers = Sized(BLOCK // floats, BLOCK // floats.bfloat16)

    def by_rows(
        first: int, stop: int, thread: int, *, height: int, weights: int, block_weights: int, bias: int,
        source: int, source_block: int, source_step: int, source_row: int, target: int, target_block: int,
        target_row: int, width: int, rows: int, item_rows: int, blocks: int, low: float, high: float, finish: int,
        finish_record: int, sums: int,
    ) -> None:  # fmt: skip
        """An item is some rows of one block. sums: of each item, those that `finish` makes; 0 for none.

        Bounds. A tile of `few` or `most` pixels begins at a pixel x with x + its size <= width, and the plan uses this
        kernel only for a width of at least `few`. So it reads input pixels up to (width − 1)·stride + taps − 1, of rows
        that the halo includes, and writes real pixels only. The first channel that a register reads is that of the
        group of its own first channel, which lies in the same block.
        """
        for item in range(first, stop):
            block = item % blocks
            begin = item // blocks * item_rows
            end = min(rows, begin + item_rows)
            for row in range(begin, end):
                for register in range(registers):
                    lane = register * floats
                    own = weights + block * block_weights + 4 * lane
                    offset = bias + 4 * (block * BLOCK + lane)
                    at = source + block * source_block + row * source_step + lane // depth * depth * ELEMENT
                    to = target + block * target_block + row * target_row + lane * ELEMENT
                    x = 0
                    while x < width:
                        size = most if width - x > few and width >= most else few
                        x = min(x, width - size)
                        pixel = x * PIXEL
                        arguments = (
                            height, own, offset, at + stride * pixel, source_row, to + pixel, low, high,
                        )  # fmt: skip
                        if size == most:
                            wide(*arguments)
                        else:
                            narrow(*arguments)
                        x += size
            if finish:
                block_sums = sums + item * BLOCK * 4 if sums else 0
                to = target + block * target_block
                call(finish, (finish_record, to, begin * width, end * width, 1, block_sums))

    by_rows.__name__ = name
    made = kernel(by_rows)

    @made.footprint
    def rows_footprint(call: KernelCall) -> None:
        """The windows of all rows in the blocks of the items."""
        pixel = call.pixel_bytes
        for blocks, rows in shares(call, call.item_rows, call.rows):
            columns = max(call.width, few) if call.width > 0 else 0
            # A row narrower than a tile would begin before its start
            first = min(0, call.width - few) * pixel
            height = max(0, call.height)
            call.reads("bias", call.bias, blocks * BLOCK * 4)
            weights = steps("block_weights", blocks, call.block_weights)
            call.reads("weights", call.weights, height * weight_row.of(call.element_bytes), weights)
            across = ((columns - 1) * stride + taps) * pixel if columns else 0
            call.reads(
                "source", call.source + stride * first, across, steps("source_row", height, call.source_row),
                entries("source_step", rows * call.source_step, int(rows[0])),
                steps("source_block", blocks, call.source_block),
            )  # fmt: skip
            call.writes(
                "target", call.target + first, columns * pixel,
                entries("target_row", rows * call.target_row, int(rows[0])),
                steps("target_block", blocks, call.target_block),
            )  # fmt: skip
            begin, end = int(rows[0]), int(rows[-1]) + 1
            parts = range(begin // call.item_rows, -(-end // call.item_rows))
            finishes(call, blocks, begin * call.width, end * call.width, parts)

    return made


def finishes(call: KernelCall, blocks: int, begin: int, end: int, parts: range) -> None:
    """The calls of `finish`, if there is one, for the pixels begin..end of each block, which are these parts of it."""
    if call.finish:
        for block in range(blocks):
            to = call.target + block * call.target_block
            own = call.sums + (parts.start * call.blocks + block) * BLOCK * 4 if call.sums else 0
            call.calls(
                "finish", call.finish, call.finish_record, target=(to, "target"), first=(begin, ""), stop=(end, ""),
                blocks=(1, ""), sums=(own, "sums"),
            )  # fmt: skip
        if call.sums:  # of the other parts too
            each = steps("blocks", len(parts), call.blocks * BLOCK * 4)
            call.writes("sums", call.sums + parts.start * call.blocks * BLOCK * 4, blocks * BLOCK * 4, each)
