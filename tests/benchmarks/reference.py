"""Multiply-accumulates a second and core of the reference backend, against what Python's own loops reach.

    python tests/benchmarks/reference.py

One process, so one core: AlexNet's convolutions as the lecture counts them. `dot` is the dot product of two lists of
floats alone, by `sum(map(mul, …))` under Python 3.11 and `math.sumprod` from 3.12 on: what bounds the backend; it
depends on how Python was built. `nested loop` is a first program's. 60 million a second are wanted under Python 3.11
and 150 million under 3.13; on a Zen 4 `dot` itself gives 48 to 62 and 110.
"""

from __future__ import annotations

import platform
import random
import time
from math import prod
from statistics import median

import convcalc
from convcalc.ops._base import Tensor
from convcalc.ops._sliding import dot


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

    def peer() -> float:
        start = time.perf_counter()
        nested(values, weights, channels, size, kernel, rows=4)
        return 4 * (size - kernel + 1) * channels * kernel**2 / (time.perf_counter() - start)

    def bound() -> float:
        start = time.perf_counter()
        for _ in range(500):
            dot(values[: len(weights)], weights)
        return 500 * len(weights) / (time.perf_counter() - start)

    print(f"Python {platform.python_version()}, million MACs a second of one core")
    print(f"{'layer':8} {'MACs':>12} {'ours':>8} {'dot':>8} {'ratio':>6} {'nested loop':>12} {'ratio':>6}")
    spent = done = 0.0
    bounds = []
    for node in network.graph:
        if node.kind != "conv":
            continue
        tensor = Tensor(node.input_shapes[0], [source.random() for _ in range(prod(node.input_shapes[0]))])
        parameters = {p.name: [source.random() for _ in range(prod(p.shape))] for p in node.parameters}
        macs = node.op.macs(node.input_shapes)
        rates, peers, dots = [], [], []
        for _ in range(3):
            start = time.perf_counter()
            node.op.forward([tensor], parameters)
            rates.append(macs / (time.perf_counter() - start))
            peers.append(peer())
            dots.append(bound())
        rate, slow, best = median(rates), median(peers), median(dots)
        bounds.append(best)
        spent, done = spent + macs / rate, done + macs
        cells = f"{rate / 1e6:>8.1f} {best / 1e6:>8.1f} {rate / best:>6.2f}"
        print(f"{node.name:8} {macs:>12,} {cells} {slow / 1e6:>12.1f} {rate / slow:>6.1f}")
    rate, best = done / spent, median(bounds)
    print(f"{'all':8} {done:>12,.0f} {rate / 1e6:>8.1f} {best / 1e6:>8.1f} {rate / best:>6.2f}")


if __name__ == "__main__":
    main()
