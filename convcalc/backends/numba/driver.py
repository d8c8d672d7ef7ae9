"""The driver: threads walk one table of steps together, without a lock.

A step is a kernel, its record, a number of items, and how many steps at the table's start must be complete before it
may begin. Each thread has a share of a step's items, the same part of all of them in every step, so that it finds in
its own cache what it wrote there: processors that do not share a cache are slow to fetch from one another. Whoever has
done its share helps with those of the others: items are taken by adding to a share's counter, so a thread that the
system took away does not hold up the others, and a thread that never arrives is not waited for. An item's result is
the same whoever computes it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from convcalc.backends.numba.cache import kernel
from convcalc.backends.numba.simd import (
    atomic_add,
    atomic_load,
    call,
    fields,
    give_way,
    inline,
    load_int,
    pause,
    store_int,
    ticks,
)

STEP = 4  # int64s of a step: kernel, record, items, steps before
LINE = 8  # int64s of a cache line
CLOSED = 1 << 40
PATIENCE = 4000  # spins before another thread may have the processor


@inline
def _wait(address: int, wanted: int) -> None:
    """Until the counter at an address has reached `wanted`."""
    spins = 0
    while atomic_load(address) < wanted:
        spins += 1
        if spins > PATIENCE:
            give_way()
        else:
            pause()


@kernel("table threads gate taken taken_row done clock")
def drive(record: int, thread: int, first: int, stop: int) -> None:
    """Walk steps first..stop of a table; thread 0 returns when all are complete.

    gate: two counters, of helpers that came in and that went out; thread 0 closes it when it is through, so that a
    helper that comes later finds nothing to do. taken: a counter per thread, taken_row bytes apart, and step; done: one
    per step. clock: thread 0 notes the time after each step, `first` at place 0.

    Bounds. Counters and clock have one place per step of the table, the clock one more; thread < threads.
    """
    table, threads, gate, taken, taken_row, done, clock = fields(record, 7)
    if thread > 0 and atomic_add(gate, 1) < 0:
        return
    if thread == 0:
        store_int(clock + 8 * first, ticks())
    complete = first
    for step in range(first, stop):
        function, its_record, items, before = fields(table + 8 * STEP * step, 4)
        while complete < before:
            _wait(done + 8 * complete, load_int(table + 8 * (STEP * complete + 2)))
            complete += 1
        count = 0
        for turn in range(threads):
            other = (thread + turn) % threads
            begin = (items * other + threads - 1) // threads
            share = (items * (other + 1) + threads - 1) // threads - begin
            counter = taken + other * taken_row + 8 * step
            if turn and atomic_load(counter) >= share:
                continue
            item = atomic_add(counter, 1)
            while item < share:
                call(function, (its_record, begin + item, begin + item + 1, thread))
                count += 1
                item = atomic_add(counter, 1)
        if count:
            atomic_add(done + 8 * step, count)
        if thread == 0:
            store_int(clock + 8 * (step + 1), ticks())
    if thread == 0:
        while complete < stop:
            _wait(done + 8 * complete, load_int(table + 8 * (STEP * complete + 2)))
            complete += 1
        store_int(clock + 8 * stop, ticks())
        helpers = atomic_add(gate, -CLOSED)
        _wait(gate + 8, helpers)
    else:
        atomic_add(gate + 8, 1)


class Job(NamedTuple):
    """What a helper is to call, and the processor the caller runs on, or −1."""

    function: Callable[[int, int, int], None]
    thread: int
    first: int
    stop: int
    processor: int


class Helpers:
    """Threads that wait for a call to run; they live until stopped or as long as the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._queues: list[SimpleQueue[Job | None]] = []

    def start(self, count: int, function: Callable[[int, int, int], None], first: int, stop: int) -> None:
        """Have `count` threads, numbered from 1, call function(thread, first, stop)."""
        processor = _processor()
        with self._lock:
            while len(self._queues) < count:
                queue: SimpleQueue[Job | None] = SimpleQueue()
                thread = threading.Thread(target=_serve, args=(queue,), daemon=True, name="convcalc")
                thread.start()
                self._threads.append(thread)
                self._queues.append(queue)
            for number, queue in enumerate(self._queues[:count], 1):
                queue.put(Job(function, number, first, stop, processor))

    def stop(self) -> None:
        """End them all; the next start makes new ones. Before a fork, so that none is lost in the middle of it."""
        with self._lock:
            for queue in self._queues:
                queue.put(None)
            for thread in self._threads:
                thread.join()
            self._queues.clear()
            self._threads.clear()


def _serve(queue: SimpleQueue[Job | None]) -> None:
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    avoided = -1
    while job := queue.get():
        if job.processor != avoided and allowed - {job.processor}:
            # A thread that is woken may be put beside the one that woke it, and stay there for the whole run.
            with suppress(OSError):
                os.sched_setaffinity(0, allowed - {job.processor})
            avoided = job.processor
        job.function(job.thread, job.first, job.stop)
        del job  # or the plan's memory would be kept until the next one


def _find_processor() -> Callable[[], int]:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            found: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
            return found
    return lambda: -1


_processor = _find_processor()  # the number of the processor this thread runs on
helpers = Helpers()
_PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)  # a call through it lets go of Python's lock


class Table:
    """Steps ready to run: int64 rows of kernel, record, items, steps before."""

    def __init__(self, rows: list[tuple[int, int, int, int]], keep: object, threads: int) -> None:
        self.rows = np.array(rows, np.int64).reshape(-1, STEP)
        count = len(rows)
        self.threads = threads
        self.clock = np.zeros(count + 1, np.int64)
        self._counters = np.zeros(
            (threads + 1, -(-count // LINE) * LINE), np.int64
        )  # taken of each thread, done
        self._gate = np.zeros(2, np.int64)
        self._keep = keep  # the memory the records point into
        values = {
            "table": self.rows.ctypes.data, "threads": threads, "gate": self._gate.ctypes.data,
            "taken": self._counters.ctypes.data, "taken_row": self._counters.strides[0],
            "done": self._counters[threads:].ctypes.data, "clock": self.clock.ctypes.data,
        }  # fmt: skip
        self._record = np.array(drive.record(values), np.int64)
        self._address = self._record.ctypes.data
        self._drive = _PROTOTYPE(drive.address)

    def run(self, first: int, stop: int) -> None:
        """Run steps first..stop on this thread and threads − 1 helpers."""
        if first == stop:
            return
        self._counters[:, first:stop] = 0
        if self.threads > 1:
            self._gate[1] = 0
            self._gate[0] = 0  # opens it: last
            helpers.start(self.threads - 1, self._walk, first, stop)
        self._walk(0, first, stop)

    def _walk(self, thread: int, first: int, stop: int) -> None:
        self._drive(self._address, thread, first, stop)
