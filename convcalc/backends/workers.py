"""Processes that share what they were forked with: a map over items on several processors, without a copy of the
graph or the weights. Where there is no fork, the plain map.

Each worker has a pipe of its own, and there is no thread: one that dies, as when memory runs out, is noticed at
once and holds nobody up. (The standard library's pools wait for ever, always or now and then.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from convcalc.errors import ConvcalcError

ENDING = (1, 2, 15)  # SIGHUP, SIGINT, SIGTERM, wherever there is a fork
Spread = Callable[[Iterable[Any]], Iterator[Any]]


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Whether a process can be split in two here."""
    import multiprocessing

    return os.name == "posix" and "fork" in multiprocessing.get_all_start_methods()


@contextmanager
def forked(workers: int, function: Callable[[Any], Any]) -> Iterator[Spread | None]:
    """A map of the function over items, results in order, by so many forked workers; None where one process is as
    good. Items and results are pickled; the function and all that it holds are not.

    The map raises what the function raises, and ConvcalcError when a worker is ended from outside.
    """
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
        yield lambda items: _spread(items, pipes)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals that end a program wait meanwhile: a worker begins without the parent's way to answer them, and the
    parent knows of each worker that it has."""
    import signal

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spread(items: Iterable[Any], pipes: list[Any]) -> Iterator[Any]:
    """Keep every worker busy; give the results in the items' order."""
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
            "a worker process was ended from outside, perhaps for want of memory",
            hint="--threads 1 needs less",
        ) from None


def _serve(pipe: Any, others: list[Any], function: Callable[[Any], Any]) -> None:
    """In a worker: jobs until the pipe ends. A signal to the whole group, as from Ctrl-C, is the parent's to answer."""
    import signal

    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    for other in others:  # the parent's ends, forked along: with these open its death would go unnoticed
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
