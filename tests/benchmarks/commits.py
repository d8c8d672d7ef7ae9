"""Two commits of convcalc against each other: forward passes, whole commands.

    python tests/benchmarks/commits.py BEFORE [AFTER] [--networks lenet5,resnet18] [--threads 1] [--rounds 9]
    python tests/benchmarks/commits.py BEFORE [AFTER] --command "show resnet152" [--rounds 21]

BEFORE and AFTER are git revisions, or folders with checkouts; AFTER is this working tree by default. Revisions are
laid out in a temporary folder, compile their own kernels there, and are run by this Python, so that what they need is
installed. Rounds alternate between the two, so that a machine that changes speed changes both. A round of a network
is a process that runs it for half a second, 5 times at least, after runs that are not counted, weights random, and
gives the median.
Printed are the medians over the rounds and the median of the ratios round by round, after/before: above 1 it became
slower. A ratio that differs from 1 by less than its spread, also printed, says nothing.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from timing import ENVIRONMENT, row, seconds

ROOT = Path(__file__).parent.parent.parent
LEAST_RUNS, LEAST_SECONDS = 5, 0.5  # of a network in a round
WIDTHS = (34, 12, 12, 8, 16)
WORK = """
import random, statistics, sys, time
from array import array
from math import prod
from convcalc.backends.numba import prepare
from convcalc.language.load import load_graph
from convcalc.weights.load import random_weights

name, threads, runs, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
graph = load_graph(name)
weights = random_weights(graph, 1)
plan = prepare(graph, weights, threads)
draw = random.Random(2)
image = array("f", [draw.gauss(0, 1) for _ in range(prod(graph.input_shape))])
for _ in range(2):
    plan.run(image)
times = []
while len(times) < runs or sum(times) < length:
    start = time.perf_counter()
    plan.run(image)
    times.append(time.perf_counter() - start)
print(statistics.median(times))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before")
    parser.add_argument("after", nargs="?", default=str(ROOT))
    parser.add_argument("--networks", default="lenet5,resnet18")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--command", action="append", help="a command of convcalc instead of networks; repeatable"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before = checkout(options.before, Path(folder) / "before")
        after = checkout(options.after, Path(folder) / "after")
        row("", "before, ms", "after, ms", "ratio", "middle half", widths=WIDTHS)
        if options.command:
            for command in options.command:
                words = ["-m", "convcalc", *command.split()]
                compare(
                    command, lambda place, words=words: whole(place, words), before, after, options.rounds
                )
            return
        for name in options.networks.split(","):
            words = ["-c", WORK, name, str(options.threads), str(LEAST_RUNS), str(LEAST_SECONDS)]
            compare(name, lambda place, words=words: float(run(place, words)), before, after, options.rounds)


def checkout(revision: str, place: Path) -> Path:
    """The folder with a checkout: the one named, or a revision's files laid out at `place`."""
    if Path(revision).is_dir():
        return Path(revision).resolve()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", revision], capture_output=True)
    if archive.returncode:
        raise SystemExit(f"{revision} is neither a folder nor a revision: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(place, filter="data")
    return place


def run(place: Path, words: list[str]) -> str:
    """What a process of this Python prints that uses the checkout at `place`."""
    surroundings = {**ENVIRONMENT, "PYTHONPATH": str(place)}
    surroundings.pop("CONVCALC_CHECKED", None)
    with (
        tempfile.TemporaryDirectory() as elsewhere
    ):  # the working folder comes first on the path of `python -m`
        done = subprocess.run(
            [sys.executable, *words], env=surroundings, cwd=elsewhere, stdout=subprocess.PIPE, text=True
        )
    if done.returncode:
        raise SystemExit(f"{place}: {' '.join(words[-3:])} failed")
    return done.stdout


def whole(place: Path, words: list[str]) -> float:
    """Seconds of a whole process."""
    return seconds(lambda: run(place, words))


def compare(name: str, measure: Callable[[Path], float], before: Path, after: Path, rounds: int) -> None:
    """Print a line: medians, the median ratio, and the quartiles of the ratios."""
    for place in (before, after):  # compiles what is missing
        measure(place)
    pairs = []
    for number in range(rounds):
        order = (before, after) if number % 2 == 0 else (after, before)
        found = {place: measure(place) for place in order}
        pairs.append((found[before], found[after]))
    ratios = [new / old for old, new in pairs]
    low, _, high = quantiles(ratios, n=4)
    old, new = (median(times) for times in zip(*pairs, strict=True))
    row(name, 1000 * old, 1000 * new, median(ratios), f"{low:.3f} … {high:.3f}", widths=WIDTHS)


if __name__ == "__main__":
    main()
