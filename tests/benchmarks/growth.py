"""How the fast backend's time grows with the work: with pixels, channels, layers, images and threads.

    python tests/benchmarks/growth.py [NETWORK ...] [--threads 2] [--rounds 7] [--of pixels,channels,layers,…]

pixels: inputs of 1, 4, 9 and 16 times as many pixels. channels: ten 3×3 convolutions of 32 to 256 channels, whose
MACs grow with the square. layers: 8 to 128 such convolutions of 64 channels. images: folders of 4, 16 and 64 pictures
through `Runner`, as `convcalc forward` runs them, reading included. threads: 1 up to as many as there are processors,
each of which has that part of the work.

The cases of a table run in turn, round by round. Printed are medians; `of linear`, how much longer a case takes than
the first one's time times the ratio of their work (1.00: linear; below: better); and the exponent of the work with
which time grows, fitted to all cases (1.00: linear).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from math import log
from pathlib import Path
from statistics import linear_regression, median
from typing import Any, NamedTuple

from engines import SEED, load_model, model_of, start_convcalc

from convcalc.graph import Builder, Graph, single_input
from convcalc.inference.inputs import PictureSource
from convcalc.inference.runner import Runner
from convcalc.language.load import load_graph
from convcalc.ops import get
from convcalc.processes import processors
from convcalc.weights.load import random_weights

NETWORKS = ["resnet18", "torchvision/googlenet", "torchvision/mobilenet_v2"]
SIDES = (112, 224, 336, 448)
CHANNELS = (32, 64, 128, 256)
LAYERS = (8, 32, 128)
IMAGES = (4, 16, 64)
PHOTOGRAPH = Path(__file__).parent.parent / "data" / "chelsea.png"


class Case(NamedTuple):
    """work: what its time is to be proportional to, in any unit."""

    label: str
    work: float
    run: Callable[[], Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--of", default="pixels,channels,layers,images,threads")
    options = parser.parse_args()
    kinds, threads = options.of.split(","), options.threads
    said = f"{threads} thread{'s' * (threads != 1)}"
    for network in options.networks if "pixels" in kinds else ():
        table(f"{network}, {said}", "pixels", pixels(network, threads), options.rounds)
    if "channels" in kinds:
        cases = [chain(f"{count}", 10, count, threads) for count in CHANNELS]
        table(f"ten 3×3 convolutions on 56×56, {said}", "channels", cases, options.rounds)
    if "layers" in kinds:
        cases = [chain(f"{count}", count, 64, threads) for count in LAYERS]
        table(f"3×3 convolutions of 64 channels on 56×56, {said}", "layers", cases, options.rounds)
    for network in options.networks if "images" in kinds else ():
        with tempfile.TemporaryDirectory() as folder:
            table(f"{network}, {said}", "images", images(network, threads, folder), options.rounds)
    for network in options.networks if "threads" in kinds else ():
        counts = range(1, processors() + 1)
        cases = [network_case(f"{count}", network, count, work=1 / count) for count in counts]
        table(network, "threads", cases, options.rounds)


def pixels(network: str, threads: int) -> list[Case]:
    """The network on squares of several sizes; the work is the pixels."""
    return [network_case(f"{side}×{side}", network, threads, side, side**2) for side in SIDES]


def network_case(label: str, network: str, threads: int, side: int | None = None, work: float = 1) -> Case:
    """One run of a bundled network. side: of its input, in pixels."""
    return Case(label, work, start_convcalc(load_model(network, side=side), threads))


def chain(label: str, layers: int, channels: int, threads: int) -> Case:
    """3×3 convolutions one after the other, with ReLU; the work is their MACs."""
    shape = (channels, 56, 56)
    builder = Builder(single_input(shape), 4 * layers)
    last = -1
    for place in range(layers):
        conv = get("conv")(filters=channels, kernel=3, padding=1)
        last = builder.add(f"conv{place}", conv, (last,))
        last = builder.add(f"relu{place}", get("relu")(), (last,))
    last = builder.add("pool", get("global_avgpool")(), (last,))
    graph = Graph.of("chain", shape, builder.nodes, last)
    return Case(label, graph.macs, start_convcalc(model_of(graph), threads))


def images(network: str, threads: int, folder: str) -> list[Case]:
    """Folders of pictures; the work is how many."""
    from PIL import Image

    graph = load_graph(network)
    weights = random_weights(graph, SEED)
    paths = [str(Path(folder) / f"{place}.jpg") for place in range(max(IMAGES))]
    with Image.open(PHOTOGRAPH) as picture:
        for place, path in enumerate(paths):
            picture.convert("RGB").rotate(place).save(path)
    samples = [(PictureSource(graph.inputs[0].name, path),) for path in paths]
    cases = []
    for count in IMAGES:
        runner = Runner(graph, weights, backend="numba", threads=threads, images=count)

        def run(runner: Runner = runner, count: int = count) -> None:
            list(runner.many(samples[:count]))

        cases.append(Case(f"{count}", count, run))
    return cases


def table(title: str, what: str, cases: Sequence[Case], rounds: int) -> None:
    """Runs the cases and prints how their times grow."""
    times = [median(seconds) for seconds in timed([case.run for case in cases], rounds)]
    print(f"\n{title}\n{what:>12} {'work':>8} {'ms':>10} {'of linear':>10}")
    for case, seconds in zip(cases, times, strict=True):
        work = case.work / cases[0].work
        print(f"{case.label:>12} {work:8.2f} {seconds * 1e3:10.2f} {seconds / times[0] / work:10.2f}")
    if len(cases) > 1:
        slope = linear_regression([log(case.work) for case in cases], [log(t) for t in times]).slope
        print(f"{'exponent':>12} {slope:30.2f}", flush=True)


def timed(runs: Iterable[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Seconds of each, in rounds of two runs of which the first is not counted."""
    runs = list(runs)
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, seconds in zip(runs, times, strict=True):
            run()
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
    return times


if __name__ == "__main__":
    main()
