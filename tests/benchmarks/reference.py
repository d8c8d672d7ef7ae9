"""Multiply-accumulates a second of the reference backend, against a nested loop in plain Python.

    python tests/benchmarks/reference.py

One process, AlexNet's convolutions as the lecture counts them. At least 25 million a second are wanted under
Python 3.11 and 40 million from 3.12 on.
"""

from __future__ import annotations

import platform
import random
import time
from math import prod
from statistics import median

import convcalc
from convcalc.ops._base import Tensor


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

    print(f"Python {platform.python_version()}")
    print(f"{'layer':8} {'MACs':>12} {'million MACs/s':>15} {'nested loop':>12} {'ratio':>6}")
    spent = done = 0.0
    for node in network.graph:
        if node.kind != "conv":
            continue
        tensor = Tensor(node.input_shapes[0], [source.random() for _ in range(prod(node.input_shapes[0]))])
        parameters = {p.name: [source.random() for _ in range(prod(p.shape))] for p in node.parameters}
        macs = node.op.macs(node.input_shapes)
        rates, peers = [], []
        for _ in range(3):
            start = time.perf_counter()
            node.op.forward([tensor], parameters)
            rates.append(macs / (time.perf_counter() - start))
            peers.append(peer())
        rate, slow = median(rates), median(peers)
        spent, done = spent + macs / rate, done + macs
        print(f"{node.name:8} {macs:>12,} {rate / 1e6:>15.1f} {slow / 1e6:>12.1f} {rate / slow:>6.1f}")
    print(f"{'all':8} {done:>12,.0f} {done / spent / 1e6:>15.1f}")


if __name__ == "__main__":
    main()
