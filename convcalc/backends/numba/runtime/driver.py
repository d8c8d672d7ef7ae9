"""The driver: threads walk one table of steps together, without a lock.

A step is a kernel, its record, a number of items, and how many steps at the table's start must be complete before it
may begin. Each thread has a share of a step's items, the same part of all of them in every step, so that it finds in
its own cache what it wrote there: processors that do not share a cache are slow to fetch from one another. Whoever has
done its share helps with those of the others: items are taken by adding to a share's counter, so a thread that the
system took away does not hold up the others, and a thread that never arrives is not waited for. An item's result is
the same whoever computes it.

A helper waits for runs outside Python, as whoever holds Python's lock may have to be waited for: it looks at its slot,
into which a run is put, for a while without sleeping, since waking takes about as long as a small network; then it
sleeps until a byte is written into its pipe.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel, kernel
from convcalc.backends.numba.jit.footprint import Call, steps
from convcalc.backends.numba.jit.simd import (
    atomic_add,
    atomic_load,
    atomic_replace,
    atomic_store,
    call,
    inline,
    load_row,
    pause,
    row_bytes,
    store_int,
    ticks,
    wait_for_byte,
    yield_cpu,
)

LINE = 8  # int64s of a cache line
CLOSED = 1 << 40
PATIENCE = 4000  # spins before another thread may have the processor


class StepRow(NamedTuple):
    """A row of a table of steps: the addresses of a kernel and of its record, its number of items, and how many steps
    at the table's start must be complete before it may begin."""

    kernel: int
    record: int
    items: int
    before: int


STEP_ROW = row_bytes(StepRow)


class Assignment(NamedTuple):
    """What a helper's slot asks for: to walk steps first..stop of the table with this record, as this thread."""

    record: int
    thread: int
    first: int
    stop: int


@inline
def _wait(address: int, wanted: int) -> None:
    """Until the counter at an address has reached `wanted`."""
    spins = 0
    while atomic_load(address) < wanted:
        spins += 1
        if spins > PATIENCE:
            yield_cpu()
        else:
            pause()


@kernel
def drive(
    thread: int, first: int, stop: int, *, table: int, threads: int, gate: int, taken: int, taken_row: int,
    done: int, clock: int,
) -> None:  # fmt: skip
    """Walk steps first..stop of a table; thread 0 returns when all are complete.

    gate: two counters, of helpers that came in and that went out; thread 0 closes it when it is through, so that a
    helper that comes later finds nothing to do. taken: a counter per thread, taken_row bytes apart, and step; done: one
    per step. clock: thread 0 notes the time after each step, `first` at place 0.

    Bounds. Counters and clock have one place per step of the table, the clock one more; thread < threads.
    """
    if thread > 0 and atomic_add(gate, 1) < 0:
        return
    if thread == 0:
        store_int(clock + 8 * first, ticks())
    complete = first
    for step in range(first, stop):
        own = load_row(table + step * STEP_ROW, StepRow)
        while complete < own.before:
            _wait(done + 8 * complete, load_row(table + complete * STEP_ROW, StepRow).items)
            complete += 1
        count = 0
        for turn in range(threads):
            other = (thread + turn) % threads
            begin = (own.items * other + threads - 1) // threads
            share = (own.items * (other + 1) + threads - 1) // threads - begin
            counter = taken + other * taken_row + 8 * step
            if turn and atomic_load(counter) >= share:
                continue
            item = atomic_add(counter, 1)
            while item < share:
                call(own.kernel, (own.record, begin + item, begin + item + 1, thread))
                count += 1
                item = atomic_add(counter, 1)
        if count:
            atomic_add(done + 8 * step, count)
        if thread == 0:
            store_int(clock + 8 * (step + 1), ticks())
    if thread == 0:
        while complete < stop:
            _wait(done + 8 * complete, load_row(table + complete * STEP_ROW, StepRow).items)
            complete += 1
        store_int(clock + 8 * stop, ticks())
        helpers = atomic_add(gate, -CLOSED)
        _wait(gate + 8, helpers)
    else:
        atomic_add(gate + 8, 1)


@drive.footprint
def drive_footprint(call: Call) -> None:
    """Steps first..stop of the table and what is counted of them."""
    count, first = call.stop - call.first, 8 * call.first
    call.reads("table", call.values["table"] + STEP_ROW * call.first, STEP_ROW * count)
    call.writes("gate", call.gate, 16)
    threads = steps("thread", call.threads, call.taken_row)
    call.writes("taken", call.taken + first, 8 * count, threads)
    call.writes("done", call.done + first, 8 * count)
    call.writes("clock", call.clock + first, 8 * (count + 1))


ASLEEP, WAITING, BUSY, ENDED = range(4)  # what a slot's first int64 says
SLOT = 6  # int64s of a slot: its state, what `drive` is called with, and room for a byte from the pipe
AWAKE = 20_000  # spins of a helper before it sleeps: about a millisecond


@kernel
def worker_loop(slot: int, function: int, spins: int, pipe: int) -> None:
    """A helper's life: calls `function` (`drive`) with what is put into its slot, until it is ended.

    Where threads cannot sleep by themselves it returns when it should.

    Bounds. A slot has SLOT int64s.
    """
    while True:
        state = atomic_load(slot)
        if state == ENDED:
            return
        if state == BUSY:
            given = load_row(slot + 8, Assignment)
            call(function, (given.record, given.thread, given.first, given.stop))
            atomic_store(slot, WAITING)
            left = spins
            while left > 0 and atomic_load(slot) == WAITING:
                pause()
                left -= 1
            atomic_replace(slot, WAITING, ASLEEP)
        elif wait_for_byte(pipe, slot + 40) == 0:
            return


@worker_loop.footprint
def worker_loop_footprint(call: Call) -> None:
    """A slot."""
    call.writes("slot", call.slot, 8 * SLOT)


@kernel
def post(slot: int, state: int, answer: int, _: int) -> None:
    """Gives a helper that waits or sleeps another state; answer: which of the two it was in, or BUSY.

    Bounds. A slot has SLOT int64s, the answer is one.
    """
    before = atomic_replace(slot, WAITING, state)
    if before == ASLEEP:
        before = atomic_replace(slot, ASLEEP, state)
    store_int(answer, before)


@post.footprint
def post_footprint(call: Call) -> None:
    """A slot's state, and the answer."""
    call.writes("slot", call.slot, 8)
    call.writes("answer", call.answer, 8)


class Helper:
    """A thread that walks tables."""

    def __init__(self) -> None:
        self.offered: StepTable | None = None  # kept in memory until the helper is through with it
        self._slot = np.zeros(SLOT, np.int64)
        self._answer = np.zeros(1, np.int64)
        self._reading, self._writing = os.pipe()
        self._allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        self._avoided = -1
        self._thread = threading.Thread(target=self._serve, daemon=True, name="convcalc")
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether it has a table."""
        return bool(self._slot[0] == BUSY)

    def call(self, table: StepTable, thread: int, first: int, stop: int) -> None:
        """Have it walk steps first..stop as number `thread`, unless it is at another table. One caller at a time."""
        if not self.busy:
            self._avoid(_processor())
            self.offered = table
            self._slot[1:5] = Assignment(table.address, thread, first, stop)
            self._post(BUSY)

    def end(self) -> None:
        """Have it end, and wait for that."""
        while self._thread.is_alive():
            self._post(ENDED)
            self._thread.join(0.001)
        os.close(self._reading)
        os.close(self._writing)

    def _post(self, state: int) -> None:
        _native(post)(self._slot.ctypes.data, state, self._answer.ctypes.data, 0)
        if self._answer[0] == ASLEEP:
            os.write(self._writing, b"\0")

    def _avoid(self, processor: int) -> None:
        """Keep off the caller's processor: the system may put a thread beside the one that woke it, and leave both
        there for a whole run while another processor has nothing to do."""
        if processor != self._avoided and self._allowed - {processor}:
            with suppress(OSError):
                os.sched_setaffinity(self._thread.native_id or 0, self._allowed - {processor})
            self._avoided = processor

    def _serve(self) -> None:
        _native(worker_loop)(self._slot.ctypes.data, drive.address, AWAKE, self._reading)
        while self._slot[0] != ENDED:  # where it sleeps here
            os.read(self._reading, 1)
            _native(worker_loop)(self._slot.ctypes.data, drive.address, AWAKE, self._reading)


class Helpers:
    """Threads that wait for a table to walk; they live until ended or as long as the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._helpers: list[Helper] = []

    def start(self, count: int, table: StepTable, first: int, stop: int) -> None:
        """Have `count` helpers, numbered from 1, walk steps first..stop; those that are not at another table."""
        with self._lock:
            if not self._helpers:
                atexit.register(self.stop)
            while len(self._helpers) < count:
                self._helpers.append(Helper())
            for number, helper in enumerate(self._helpers[:count], 1):
                helper.call(table, number, first, stop)

    def release(self) -> None:
        """Let go of tables that helpers are through with, or a plan's memory would be kept until the next run."""
        with self._lock:
            for helper in self._helpers:
                if not helper.busy:
                    helper.offered = None

    def stop(self) -> None:
        """End them all; the next start makes new ones. Before a fork, so that none is lost in the middle of it."""
        with self._lock:
            for helper in self._helpers:
                helper.end()
            self._helpers.clear()


def _find_processor() -> Callable[[], int]:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            found: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
            return found
    return lambda: -1


_processor = _find_processor()  # the number of the processor this thread runs on
helpers = Helpers()
_PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)  # a call through it lets go of Python's lock


@cache
def _native(kernel: Kernel) -> Callable[[int, int, int, int], None]:
    """A kernel that is called from Python."""
    return _PROTOTYPE(kernel.address)


class StepTable:
    """Steps ready to run. keep: what must not be freed before, the memory that records point into."""

    def __init__(self, rows: Sequence[StepRow], keep: object, threads: int) -> None:
        self.rows = np.array(rows, np.int64).reshape(-1, len(StepRow._fields))
        count = len(rows)
        self.threads = threads
        self.clock = np.zeros(count + 1, np.int64)
        # A row of counters for each thread, of the items taken from its share, and one of the items done.
        self._counters = np.zeros((threads + 1, -(-count // LINE) * LINE), np.int64)
        self._gate = np.zeros(2, np.int64)
        self._keep = keep
        self.arrays = {
            "table": self.rows, "gate": self._gate, "taken": self._counters[:threads],
            "done": self._counters[threads:], "clock": self.clock,
        }  # fmt: skip
        values = {name: array.ctypes.data for name, array in self.arrays.items()}
        values |= {"threads": threads, "taken_row": self._counters.strides[0]}
        self.record = drive.record(values, int)
        self.address = self.record.ctypes.data
        self._drive = _native(drive)

    def run(self, first: int, stop: int) -> None:
        """Run steps first..stop on this thread and threads − 1 helpers."""
        if first == stop:
            return
        self._counters[:, first:stop] = 0
        if self.threads > 1:
            self._gate[1] = 0
            self._gate[0] = 0  # opens it: last
            helpers.start(self.threads - 1, self, first, stop)
        self._drive(self.address, 0, first, stop)
        if self.threads > 1:
            helpers.release()
