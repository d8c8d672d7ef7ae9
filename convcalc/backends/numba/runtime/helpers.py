"""Helper threads, which wait for tables of steps and walk them with their caller.

A helper thread waits for work outside Python, because it might otherwise have to wait for Python's lock. It polls its
slot, into which an assignment is put, for about a millisecond, since waking a thread takes about as long as a small
network; then it sleeps until a byte is written into its pipe. Before that it is moved away from the processor on which
its caller runs: some systems wake a thread where its waker is, and the two would take turns there for milliseconds.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Protocol

import numpy as np

from convcalc.backends.numba.runtime.driver import (
    ASLEEP,
    BUSY,
    ENDED,
    SLOT,
    SPINS_BEFORE_SLEEP,
    Assignment,
    drive,
    native,
    post,
    worker_loop,
)


class Offer(Protocol):
    """A table of steps. address: of its record."""

    address: int


@cache
def _own_processor() -> Callable[[], int] | None:
    """A function for the processor that this thread runs on, where the system has one."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


def other_processors() -> frozenset[int]:
    """The processors that this thread may run on, without the one it does; none where the system does not tell."""
    own = _own_processor()
    return frozenset(os.sched_getaffinity(0)) - {own()} if own else frozenset()


class Helper:
    """A thread that walks tables of steps."""

    def __init__(self) -> None:
        self.offered: Offer | None = None  # kept alive until the helper has left it
        self._slot = np.zeros(SLOT, np.int64)
        self._answer = np.zeros(1, np.int64)
        self._reading, self._writing = os.pipe()
        self._processors: frozenset[int] = frozenset()  # on which it may run, once it was moved
        self._thread = threading.Thread(target=self._work, daemon=True, name="convcalc")
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether it is walking a table."""
        return bool(self._slot[0] == BUSY)

    def call(self, table: Offer, thread: int, first: int, stop: int) -> None:
        """Makes it walk steps first..stop as number `thread`, unless it is busy with another table. Not reentrant."""
        if not self.busy:
            self.offered = table
            self._slot[1:5] = Assignment(table.address, thread, first, stop)
            self._post(BUSY)

    def end(self) -> None:
        """Ends the thread and waits for that."""
        while self._thread.is_alive():
            self._post(ENDED)
            self._thread.join(0.001)
        os.close(self._reading)
        os.close(self._writing)

    def _post(self, state: int) -> None:
        native(post)(self._slot.ctypes.data, state, self._answer.ctypes.data, 0)
        if self._answer[0] == ASLEEP:
            self._move(other_processors())
            os.write(self._writing, b"\0")

    def _move(self, processors: frozenset[int]) -> None:
        """Lets it run on these processors alone, if any."""
        thread = self._thread.native_id
        if thread and processors and processors != self._processors:
            with suppress(OSError):  # where that is not allowed, the system alone decides
                os.sched_setaffinity(thread, processors)
            self._processors = processors

    def _work(self) -> None:
        native(worker_loop)(self._slot.ctypes.data, drive.address, SPINS_BEFORE_SLEEP, self._reading)
        while self._slot[0] != ENDED:  # on systems where the loop cannot sleep
            os.read(self._reading, 1)
            native(worker_loop)(self._slot.ctypes.data, drive.address, SPINS_BEFORE_SLEEP, self._reading)


class Helpers:
    """The helper threads of this process, kept between runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._helpers: list[Helper] = []

    def start(self, count: int, table: Offer, first: int, stop: int) -> None:
        """Makes `count` helpers, numbered from 1, walk steps first..stop, except those that are busy."""
        with self._lock:
            if not self._helpers:
                atexit.register(self.stop)
            while len(self._helpers) < count:
                self._helpers.append(Helper())
            for number, helper in enumerate(self._helpers[:count], 1):
                helper.call(table, number, first, stop)

    def release(self) -> None:
        """Drops the tables that helpers have left, so that a plan's memory is not kept until the next run."""
        with self._lock:
            for helper in self._helpers:
                if not helper.busy:
                    helper.offered = None

    def stop(self) -> None:
        """Ends all helpers; the next start makes new ones. Called before a fork, which copies no threads."""
        with self._lock:
            for helper in self._helpers:
                helper.end()
            self._helpers.clear()


helpers = Helpers()
