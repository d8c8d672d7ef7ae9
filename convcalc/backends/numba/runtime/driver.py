"""The driver: kernels by which threads walk one table of steps together, without locks.

A step is a kernel, its record, a number of items, and how many steps at the table's start must be complete before it
may begin. Each thread has a share of a step's items, the same part in every step, so that it finds in its own cache
what it wrote there: fetching from another core's cache is slow. A thread that has finished its share helps with the
others'. Items are taken by adding to a share's counter, so a thread that the system suspends does not hold up the
others, and a thread that never arrives is not waited for. An item's result does not depend on the thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from convcalc.backends.numba.jit.cache import Kernel, kernel
from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.footprint import KernelCall, steps
from convcalc.backends.numba.jit.intrinsics import call, load_int, load_row, row_bytes, store_int
from convcalc.backends.numba.jit.threads import (
    atomic_add,
    atomic_load,
    atomic_replace,
    atomic_store,
    pause,
    ticks,
    wait_for_byte,
    yield_cpu,
)

CLOSED = 1 << 40
SPINS_BEFORE_YIELD = 4000


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
    """Spins until the counter at an address has reached `wanted`."""
    spins = 0
    while atomic_load(address) < wanted:
        spins += 1
        if spins > SPINS_BEFORE_YIELD:
            yield_cpu()
        else:
            pause()


@inline
def _count(place: int, last: int) -> int:
    """Adds the time since `last` to an int64, and returns the time."""
    now: int = ticks()
    store_int(place, load_int(place) + now - last)
    return now


@inline
def _await(table: int, done: int, step: int, clock: int, last: int) -> int:
    """Waits until a step is complete, and counts that time to the step. Returns the time."""
    items = load_row(table + step * STEP_ROW, StepRow).items
    if atomic_load(done + 8 * step) >= items:
        return last
    _wait(done + 8 * step, items)
    return _count(clock + 8 * step, last)


@kernel
def drive(
    thread: int, first: int, stop: int, *, table: int, threads: int, gate: int, taken: int, done: int,
    clock: int, counter_row: int,
) -> None:  # fmt: skip
    """Walks steps first..stop of a table; thread 0 returns when all are complete.

    gate: two counters, of the helpers that entered and that left; thread 0 closes it when all steps are complete, so
    that a helper that comes late does nothing. taken, clock: a counter for each thread, counter_row bytes apart, and
    step; done: one for each step. To its own counters of the clock a thread adds the time that it spends on a step: at
    its items, or waiting for others to complete it.

    Bounds. Counters have one place per step of the table; thread < threads.
    """
    if thread > 0 and atomic_add(gate, 1) < 0:
        return
    clock += thread * counter_row
    last = ticks()
    complete = first
    for step in range(first, stop):
        own = load_row(table + step * STEP_ROW, StepRow)
        while complete < own.before:
            last = _await(table, done, complete, clock, last)
            complete += 1
        count = 0
        for turn in range(threads):
            other = (thread + turn) % threads
            begin = (own.items * other + threads - 1) // threads
            share = (own.items * (other + 1) + threads - 1) // threads - begin
            counter = taken + other * counter_row + 8 * step
            if turn and atomic_load(counter) >= share:
                continue
            item = atomic_add(counter, 1)
            while item < share:
                call(own.kernel, (own.record, begin + item, begin + item + 1, thread))
                count += 1
                item = atomic_add(counter, 1)
        if count:
            atomic_add(done + 8 * step, count)
        last = _count(clock + 8 * step, last)
    if thread == 0:
        while complete < stop:
            last = _await(table, done, complete, clock, last)
            complete += 1
        helpers = atomic_add(gate, -CLOSED)
        _wait(gate + 8, helpers)
    else:
        atomic_add(gate + 8, 1)


@drive.footprint
def drive_footprint(call: KernelCall) -> None:
    """The rows of steps first..stop and their counters."""
    count, first = call.stop - call.first, 8 * call.first
    call.reads("table", call.values["table"] + STEP_ROW * call.first, STEP_ROW * count)
    call.writes("gate", call.gate, 16)
    threads = steps("thread", call.threads, call.counter_row)
    call.writes("taken", call.taken + first, 8 * count, threads)
    call.writes("done", call.done + first, 8 * count)
    call.writes("clock", call.clock + call.thread * call.counter_row + first, 8 * count)


ASLEEP, WAITING, BUSY, ENDED = range(4)  # states of a helper, the first int64 of its slot
SLOT = 6  # int64s of a slot: the state, an `Assignment`, and room for a byte from the pipe
SPINS_BEFORE_SLEEP = 20_000  # about a millisecond


@kernel
def worker_loop(slot: int, function: int, spins: int, pipe: int) -> None:
    """The loop of a helper thread: calls `function` (`drive`) with each assignment in its slot, until it is ended.

    On systems where it cannot sleep here, it returns instead, and Python waits for the byte.

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
def worker_loop_footprint(call: KernelCall) -> None:
    """A slot."""
    call.writes("slot", call.slot, 8 * SLOT)


@kernel
def post(slot: int, state: int, answer: int, _: int) -> None:
    """Changes the state of a helper that waits or sleeps; answer receives its state before.

    Bounds. A slot has SLOT int64s, the answer is one.
    """
    before = atomic_replace(slot, WAITING, state)
    if before == ASLEEP:
        before = atomic_replace(slot, ASLEEP, state)
    store_int(answer, before)


@post.footprint
def post_footprint(call: KernelCall) -> None:
    """The state in the slot, and the answer."""
    call.writes("slot", call.slot, 8)
    call.writes("answer", call.answer, 8)


_PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)  # a call through it releases Python's lock


@cache
def native(kernel: Kernel) -> Callable[[int, int, int, int], None]:
    """A kernel as a function that Python can call."""
    return _PROTOTYPE(kernel.address)
