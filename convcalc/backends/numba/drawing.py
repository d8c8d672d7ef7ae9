"""Random weights drawn by a kernel, with the bits that `convcalc.weights.initialise` gives.

Helpers draw while the rest of this backend is imported, in which time one of them makes a hundred million numbers.
Where the kernel is not on the disk yet, `convcalc.weights` draws in that time: nobody waits for a compiler first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.kernels.draw import ROOM, DrawnTensor, draw
from convcalc.backends.numba.runtime.driver import drive, post, worker_loop
from convcalc.backends.numba.runtime.linker import link
from convcalc.backends.numba.runtime.program import ALIGN, Arena, Buffer, ByteSpan, Program, Ref, Step
from convcalc.weights.drawn import DrawnNumbers
from convcalc.weights.initialise import generator, number_table
from convcalc.weights.load import Weights

NEEDED: tuple[Kernel, ...] = (draw, drive, post, worker_loop)


def begin_drawing(weights: Weights, threads: int) -> Drawing | DrawingThread | None:
    """Lets others begin to draw a network's random weights; None if there is nothing to draw. threads: as many draw by
    the kernel, one of which is this one when it comes to `finish`."""
    drawn = weights.drawn
    if drawn is None or not drawn.pending:
        return None
    return Drawing(drawn, threads) if all(kernel.load() for kernel in NEEDED) else DrawingThread(drawn)


class DrawingThread:
    """Random numbers that are being drawn without the kernel."""

    def __init__(self, drawn: DrawnNumbers) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(drawn.draw)

    def finish(self) -> None:
        """Waits until all is drawn."""
        with self._pool:
            self._future.result()


class Drawing:
    """Random numbers that are being drawn by the kernel."""

    def __init__(self, drawn: DrawnNumbers, threads: int) -> None:
        self._drawn = drawn
        self._program = program = Program()
        wanted = drawn.wanted
        words = _parts(program, "generators", [ROOM] * len(wanted))
        targets = _parts(program, "random numbers", [entry.size for entry in wanted])
        tables = {fan_in: number_table(fan_in) for fan_in in {entry.fan_in for entry in wanted}}
        rows = np.empty((len(wanted), len(DrawnTensor._fields)), object)
        for row, entry, own, target in zip(rows, wanted, words, targets, strict=True):
            row[:] = _place(own), tables[entry.fan_in], _place(target), entry.size
        program.given.extend(words)
        program.add(Step(draw, {"tensors": rows}, len(wanted), words, [*words, *targets]))
        program.wanted.extend(targets)
        self._arena = arena = Arena(program, threads)
        for entry, own in zip(wanted, words, strict=True):
            state = generator(entry.name, entry.seed)
            arena.floats(_place(own), len(state)).view(np.uint32)[:] = state
        self._numbers = [
            arena.floats(_place(target), entry.size) for entry, target in zip(wanted, targets, strict=True)
        ]
        self._table = link(program, arena, threads)
        self._table.begin(0, 1)

    def finish(self) -> None:
        """Helps until all is drawn, and hands the numbers over."""
        self._table.complete(0, 1)
        self._drawn.take([numbers.data for numbers in self._numbers])


def _parts(program: Program, name: str, counts: Sequence[int]) -> list[ByteSpan]:
    """Places for so many numbers of 4 bytes each, aligned, in a new buffer."""
    starts = [0, *accumulate((4 * count // ALIGN + 1) * ALIGN for count in counts)]
    buffer: Buffer = program.buffer(starts[-1], name, kept=True)
    return [ByteSpan(buffer, start, start + 4 * count) for start, count in zip(starts, counts, strict=False)]


def _place(part: ByteSpan) -> Ref:
    return Ref(part.buffer, part.start)
