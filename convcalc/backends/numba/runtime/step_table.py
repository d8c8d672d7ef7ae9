"""Tables of steps: what the driver's kernels walk, with the counters that they keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convcalc.backends.numba.jit.footprint import Array
from convcalc.backends.numba.jit.sizes import CACHE_LINE
from convcalc.backends.numba.runtime.driver import StepRow, drive, native
from convcalc.backends.numba.runtime.helpers import helpers

LINE = CACHE_LINE // 8  # int64s of a cache line


class StepTable:
    """Steps ready to run. keep: what must stay alive, the memory that records point into."""

    def __init__(self, rows: Sequence[StepRow], keep: object, threads: int) -> None:
        self.rows = np.array(rows, np.int64).reshape(-1, len(StepRow._fields))
        count = len(rows)
        self.threads = threads
        # Rows of counters: for each thread of the items taken from its share, one of the items done, and for each
        # thread of its time.
        self._counters = np.zeros((2 * threads + 1, -(-count // LINE) * LINE), np.int64)
        self._gate = np.zeros(2, np.int64)
        self._keep = keep
        self.arrays = {
            "table": self.rows, "gate": self._gate, "taken": self._counters[:threads],
            "done": self._counters[threads : threads + 1], "clock": self._counters[threads + 1 :],
        }  # fmt: skip
        values = {name: array.ctypes.data for name, array in self.arrays.items()}
        values |= {"threads": threads, "counter_row": self._counters.strides[0]}
        self.record = drive.record(values, int)
        self.address = self.record.ctypes.data
        self._drive = native(drive)

    def run(self, first: int, stop: int) -> None:
        """Runs steps first..stop on this thread and threads − 1 helpers."""
        if first != stop:
            self.begin(first, stop)
            self.complete(first, stop)

    def begin(self, first: int, stop: int) -> None:
        """Lets the helpers begin with steps first..stop; this thread may do something else until `complete`."""
        self._counters[:, first:stop] = 0
        if self.threads > 1:
            self._gate[1] = 0
            self._gate[0] = 0  # last: this opens the gate
            helpers.start(self.threads - 1, self, first, stop)

    def complete(self, first: int, stop: int) -> None:
        """Helps with the steps that have begun, until all are complete."""
        self._drive(self.address, 0, first, stop)
        if self.threads > 1:
            helpers.release()

    def ticks(self, first: int, stop: int) -> Array:
        """The time that all threads together spent on each of steps first..stop in their last run, in ticks of the
        processor's clock."""
        times = self._counters[self.threads + 1 :, first:stop]
        total: Array = times.sum(0) if self.threads > 1 else times[0].copy()
        return total
