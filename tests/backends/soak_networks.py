"""Many generated networks on both backends; not in the normal run.

    python tests/backends/soak_networks.py --networks 2000 --seed 1 [--mix transpositions] [--small] [--several]

The networks are run in a child process. When it crashes, or a network takes too long, that network's seed is printed
and a new child goes on with the next. Exit 1 if any network failed. `--show SEED` prints a network.
"""

from __future__ import annotations

import argparse
import faulthandler
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent))

from generated import MIXES, check, network, small_machine

SECONDS = 60  # for one network


def work(mix: str, first: int, stop: int, small: bool, several: bool) -> None:
    """The child: a line when a network begins and one when it is done."""
    for seed in range(first, stop):
        print("begin", seed, flush=True)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            with small_machine() if small else nullcontext():
                check(network(Random(seed), mix, several), seed)
        except Exception as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            print("failed", seed, text[:300], flush=True)
        else:
            print("done", seed, flush=True)


def soak(mix: str, first: int, stop: int, small: bool, several: bool) -> int:
    """Run networks first to stop − 1; the number that failed."""
    failures, done, began = 0, 0, time.monotonic()
    while first < stop:
        command = [
            sys.executable,
            __file__,
            "--child",
            "--mix",
            mix,
            *["--small"] * small,
            *["--several"] * several,
        ]
        command += ["--seed", str(first), "--networks", str(stop - first)]
        seed = first
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                word, number, *text = line.split(" ", 2)
                seed = int(number)
                if word == "begin":
                    continue
                done += 1
                if word == "failed":
                    failures += 1
                    print(f"{mix} seed {seed}: {text[0].rstrip()}", flush=True)
            first = seed + 1
        if child.returncode != 0:
            done += 1
            failures += 1
            print(f"{mix} seed {seed}: the process ended with {child.returncode}", flush=True)
    print(f"{mix}: {done} networks, {failures} failed, {time.monotonic() - began:.0f} s", flush=True)
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=2000)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first network; the next has the next seed"
    )
    parser.add_argument("--mix", choices=[*MIXES, "all"], default="transpositions")
    parser.add_argument(
        "--small", action="store_true", help="as if caches were tiny: more and smaller pieces"
    )
    parser.add_argument("--several", action="store_true", help="of several inputs and outputs")
    parser.add_argument("--show", type=int, metavar="SEED", help="print this network and run nothing")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.show is not None:
        for node in network(Random(options.show), options.mix, options.several):
            print(node.index, node.kind, node.inputs, node.output_shape, node.op.shown_fields())
        return 0
    stop = options.seed + options.networks
    if options.child:
        work(options.mix, options.seed, stop, options.small, options.several)
        return 0
    mixes = list(MIXES) if options.mix == "all" else [options.mix]
    return int(sum(soak(mix, options.seed, stop, options.small, options.several) for mix in mixes) > 0)


if __name__ == "__main__":
    sys.exit(main())
