"""Processes that share what they were forked with: a map over items on several processors, without a copy of the
graph or the weights. Where there is no fork, the plain map."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from convcalc.errors import ConvcalcError

Spread = Callable[[Iterable[Any]], Iterator[Any]]

_function: Callable[[Any], Any] | None = None  # in a worker: what it was forked with


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def forked(workers: int, function: Callable[[Any], Any]) -> Iterator[Spread | None]:
    """A map of the function over items, results in order, by so many forked workers; None where one process is as
    good. Items and results are pickled; the function and all that it holds are not.

    The map raises ConvcalcError when a worker is ended from outside, as when memory runs out.
    """
    import multiprocessing

    if workers < 2 or os.name != "posix" or "fork" not in multiprocessing.get_all_start_methods():
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _start, (function,))

    def spread(items: Iterable[Any]) -> Iterator[Any]:
        try:
            yield from pool.map(_apply, items)
        except BrokenProcessPool:
            raise ConvcalcError(
                "a worker process was ended from outside, perhaps for want of memory",
                hint="--threads 1 needs less",
            ) from None

    try:
        yield spread
    finally:
        pool.shutdown(cancel_futures=True)


def _start(function: Callable[[Any], Any]) -> None:
    """Hold the function; end quietly on Ctrl-C, which the parent reports."""
    import signal

    global _function
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _function = function


def _apply(item: Any) -> Any:
    assert _function is not None
    return _function(item)
