"""Multiply-accumulates a second and core of the reference backend, against what Python's own loops reach.

    python tests/benchmarks/reference.py

One process, so one core, and the processor's time, so that others on the machine count less: AlexNet's convolutions as
the lecture counts them, with random weights. `dist` is `math.dist` of two tuples alone, which bounds the backend; `dot`
the dot product of two lists by `sum(map(mul, …))` under Python 3.11 and `math.sumprod` from 3.12 on. Both depend on how
Python was built. `nested loop` is a first program's.
"""

from __future__ import annotations

import platform
import random
from collections.abc import Callable, Iterable
from functools import partial
from math import dist, prod
from statistics import median
from time import process_time

import convcalc
from convcalc.ops._base import Tensor
from convcalc.ops._dot import dot


def nested(
    values: list[float], weights: list[float], channels: int, size: int, kernel: int, rows: int
) -> list[float]:
    """One filter over the first rows, as a first program would say it; stride 1, no padding."""
    out = []
    for row in range(rows):
        for column in range(size - kernel + 1):
            total = 0.0
            for channel in range(channels):
                for i in range(kernel):
                    for j in range(kernel):
                        total += (
                            values[(channel * size + row + i) * size + column + j]
                            * weights[(channel * kernel + i) * kernel + j]
                        )
            out.append(total)
    return out


def main() -> None:
    network = convcalc.load("alexnet")
    source = random.Random(1)
    channels, size, kernel = 96, 27, 5
    values = [source.random() for _ in range(channels * size * size)]
    weights = [source.random() for _ in range(channels * kernel * kernel)]

    def rate(count: int, run: Callable[[], object]) -> float:
        """Multiply-accumulates a second, of `count`."""
        start = process_time()
        run()
        return count / (process_time() - start)

    length = len(weights)
    pair = values[:length], weights
    places = tuple(pair[0]), tuple(weights)
    peers: dict[str, tuple[int, Callable[[], object]]] = {
        "dist": (2000 * length, lambda: [dist(*places) for _ in range(2000)]),
        "dot": (500 * length, lambda: [dot(*pair) for _ in range(500)]),
        "nested loop": (
            4 * (size - kernel + 1) * length,
            lambda: nested(values, weights, channels, size, kernel, rows=4),
        ),
    }
    print(f"Python {platform.python_version()}, million MACs a second of one core")
    print(f"{'layer':8} {'MACs':>13} {'ours':>8}", *(f"{name:>11} {'ratio':>6}" for name in peers))

    def row(name: str, macs: float, ours: float, others: Iterable[float]) -> None:
        cells = (f"{other / 1e6:>11.1f} {ours / other:>6.2f}" for other in others)
        print(f"{name:8} {macs:>13,.0f} {ours / 1e6:>8.1f}", *cells)

    spent = done = 0.0
    table = []
    for node in network.graph:
        if node.kind != "conv":
            continue
        tensor = Tensor(node.input_shapes[0], [source.random() for _ in range(prod(node.input_shapes[0]))])
        parameters = {p.name: [source.gauss(0, 0.03) for _ in range(prod(p.shape))] for p in node.parameters}
        macs = node.op.macs(node.input_shapes)
        forward = partial(node.op.forward, [tensor], parameters)
        rounds = [(rate(macs, forward), *(rate(*peer) for peer in peers.values())) for _ in range(3)]
        ours, *others = map(median, zip(*rounds, strict=True))
        row(node.name, macs, ours, others)
        table.append(others)
        spent, done = spent + macs / ours, done + macs
    row("all", done, done / spent, map(median, zip(*table, strict=True)))


if __name__ == "__main__":
    main()
