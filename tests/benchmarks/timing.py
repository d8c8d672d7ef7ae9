"""Paired timings: two things in turn, A B A B …, so that a machine that changes speed changes both."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def processor_seconds(work: Callable[[], object]) -> float:
    """User and system time of the processes that one call starts and waits for: other work on the machine hardly
    changes it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def paired(
    a: Callable[[], object],
    b: Callable[[], object],
    runs: int,
    clock: Callable[[Callable[[], object]], float] = seconds,
) -> tuple[float, float, float]:
    """Median seconds of a, of b, and the median of the ratios a/b run by run, after a warm-up of each."""
    a()
    b()
    pairs = [(clock(a), clock(b)) for _ in range(runs)]
    return median(x for x, _ in pairs), median(y for _, y in pairs), median(x / y for x, y in pairs)


# As installed: with compiled modules, whatever the surroundings say.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def command(arguments: Sequence[str]) -> Callable[[], object]:
    """A whole process of this Python, output thrown away."""

    def run() -> object:
        return subprocess.run(
            [sys.executable, *arguments], stdout=subprocess.DEVNULL, env=ENVIRONMENT, check=True
        )

    return run


def peak_memory(arguments: Sequence[str]) -> float:
    """The most memory a process of this Python held, in MB."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def row(*cells: object, widths: Sequence[int] = (44, 12, 12, 10)) -> None:
    """A line of the printed table."""
    texts = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
    print(
        "  ".join(
            f"{text:<{w}}" if n == 0 else f"{text:>{w}}"
            for n, (text, w) in enumerate(zip(texts, widths, strict=False))
        )
    )
