"""How the fast backend's time grows with pixels and with images.

    pip install -e ".[dev]" onnx onnxruntime
    python tests/benchmarks/growth.py [NETWORK ...] [--threads 2] [--rounds 7]

Per network, inputs of 1, 4, 9 and 16 times as many pixels, one after the other in rounds; printed are medians, and
how much longer an input takes than pixels alone would make it (1.00: linear; below: better). With one thread ONNX
Runtime, where installed, does the same in the same rounds; more of its threads would spin while ours work. Then
folders of 4, 16 and 64 pictures through `Runner`, as `convcalc forward` runs them, reading included.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from forward import start_convcalc, start_onnxruntime

from convcalc.inference.inputs import PictureSource
from convcalc.inference.runner import Runner
from convcalc.language.load import load_graph
from convcalc.weights.load import random_weights

NETWORKS = ["resnet18", "torchvision/googlenet", "torchvision/mobilenet_v2"]
SIDES = (112, 224, 336, 448)
IMAGES = (4, 16, 64)
PHOTOGRAPH = Path(__file__).parent.parent / "data" / "chelsea.png"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    starters: dict[str, Callable[..., Callable[[], Any]]] = {"convcalc": start_convcalc}
    if options.threads == 1 and all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))):
        starters["onnxruntime"] = start_onnxruntime
    for network in options.networks:
        pixels(network, starters, options.threads, options.rounds)
    for network in options.networks:
        images(network, options.threads, options.rounds)


def pixels(network: str, starters: dict[str, Any], threads: int, rounds: int) -> None:
    """Time against pixels."""
    runs: dict[tuple[str, int], Callable[[], Any]] = {}
    for side in SIDES:
        graph = load_graph(network, input_shape=(3, side, side))
        weights = random_weights(graph, 1)
        source = random.Random(1)
        values = array("f", [source.gauss(0, 1) for _ in range(prod(graph.input_shape))])
        for engine, starter in starters.items():
            runs[engine, side] = starter(graph, weights, values, threads)
    times = timed(runs, rounds)
    print(f"\n{network}, {threads} threads")
    print(f"{'input':>9}", *(f"{engine + ' ms':>15} {'of linear':>9}" for engine in starters))
    for side in SIDES:
        cells = []
        for engine in starters:
            own, first = median(times[engine, side]), median(times[engine, SIDES[0]])
            cells.append(f"{own * 1e3:15.2f} {own / first / (side / SIDES[0]) ** 2:9.2f}")
        print(f"{side:>5}×{side:<3}", *cells)


def images(network: str, threads: int, rounds: int) -> None:
    """Time against images."""
    from PIL import Image

    graph = load_graph(network)
    weights = random_weights(graph, 1)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{place}.jpg") for place in range(max(IMAGES))]
        with Image.open(PHOTOGRAPH) as picture:
            for place, path in enumerate(paths):
                picture.convert("RGB").rotate(place).save(path)
        samples = [(PictureSource(graph.inputs[0].name, path),) for path in paths]
        runs: dict[tuple[str, int], Callable[[], Any]] = {}
        for count in IMAGES:
            runner = Runner(graph, weights, backend="numba", threads=threads, images=count)
            runs["convcalc", count] = lambda runner=runner, count=count: list(runner.many(samples[:count]))  # type: ignore[misc]
        times = timed(runs, rounds)
    print(f"\n{network}, {threads} threads\n{'images':>9} {'ms an image':>15} {'of linear':>9}")
    first = median(times["convcalc", IMAGES[0]]) / IMAGES[0]
    for count in IMAGES:
        own = median(times["convcalc", count]) / count
        print(f"{count:9} {own * 1e3:15.2f} {own / first:9.2f}")


def timed(runs: dict[tuple[str, int], Callable[[], Any]], rounds: int) -> dict[tuple[str, int], list[float]]:
    """Seconds of each, in rounds of two runs of which the first is not counted."""
    times: dict[tuple[str, int], list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return times


if __name__ == "__main__":
    main()
