"""A parallel map over forked processes, which share what their parent has, such as a graph and its weights, instead of
copying it. Without fork, the caller does the work itself.

Each worker has its own pipe, and no threads are involved: a worker that dies, for example when memory runs out, is
noticed at once and blocks nobody. (The pools of the standard library can then wait forever.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from convcalc.errors import ConvcalcError

ENDING = (1, 2, 15)  # SIGHUP, SIGINT, SIGTERM; these numbers hold on every platform with fork
Spread = Callable[[Iterable[Any]], Iterator[Any]]


def processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Whether this platform supports fork."""
    import multiprocessing

    return os.name == "posix" and "fork" in multiprocessing.get_all_start_methods()


@contextmanager
def forked(
    workers: int, function: Callable[[Any], Any], *, hint: str = "--threads 1 needs less"
) -> Iterator[Spread | None]:
    """A map of the function over items, in order, on this many forked workers; None for fewer than two workers or
    without fork. Items and results are pickled; the function and everything that it refers to are not. The map
    raises what the function raises, and ConvcalcError with this hint if a worker is killed from outside."""
    import multiprocessing

    if workers < 2 or not can_fork():
        yield None
        return
    context = multiprocessing.get_context("fork")
    pipes: list[Any] = []
    processes = []
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, [*pipes, ours], function), daemon=True)
            with _signals_held():
                process.start()
                processes.append(process)
            theirs.close()
            pipes.append(ours)
        yield lambda items: _spread(items, pipes, hint)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


@contextmanager
def _signals_held() -> Iterator[None]:
    """Blocks terminating signals while a worker starts, so that it never runs the parent's signal handlers and is never
    missing from the list of workers that the parent cleans up."""
    import signal

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spread(items: Iterable[Any], pipes: list[Any], hint: str) -> Iterator[Any]:
    """Keeps every worker busy and yields the results in the order of the items."""
    from multiprocessing.connection import wait

    waiting = enumerate(items)
    idle: list[Any] = list(pipes)
    busy: set[Any] = set()
    done: dict[int, Any] = {}
    due = 0
    try:
        while True:
            while idle and (job := next(waiting, None)) is not None:
                pipe = idle.pop()
                pipe.send(job)
                busy.add(pipe)
            while due in done:
                yield done.pop(due)
                due += 1
            if not busy:
                return
            ready: list[Any] = list(wait(list(busy)))
            for pipe in ready:
                number, result, error = pipe.recv()
                if isinstance(error, Exception):
                    raise error
                done[number] = result
                busy.remove(pipe)
                idle.append(pipe)
    except (EOFError, ConnectionError):
        raise ConvcalcError(
            "a worker process was ended from outside, perhaps for want of memory", hint=hint
        ) from None


def _serve(pipe: Any, others: list[Any], function: Callable[[Any], Any]) -> None:
    """The worker's loop: runs jobs until the pipe closes. Leaves signals such as Ctrl-C to the parent."""
    import signal

    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    for other in others:  # inherited copies of the parent's ends: left open, they would hide its death
        other.close()
    try:
        while True:
            number, item = pipe.recv()
            answer: tuple[int, Any, Exception | None]
            try:
                answer = (number, function(item), None)
            except Exception as error:
                answer = (number, None, error)
            pipe.send(answer)
    except (EOFError, ConnectionError):
        return
