"""Our kernels against the machine's peak, per layer shape.

    python tests/benchmarks/layers.py [--threads 2,1] [--rounds 5]

The peak is the register tile's own rate on data in the nearest cache, measured in the same minutes; memory's rate is
that of reading weights too many for any cache. A layer's GFLOP/s count what the network multiplies, so Winograd's
layers may exceed the peak. `of roof` is the share of what the peak and memory's rate together allow at the layer's
arithmetic intensity.
"""

from __future__ import annotations

import argparse
import random
from array import array
from math import prod
from typing import Any

from convcalc.backends.numba.plan import prepare
from convcalc.backends.numba.profile import measured_peaks, profile_plan
from convcalc.graph import Builder, Graph, single_input
from convcalc.ops import get
from convcalc.weights.load import random_weights

LAYERS: list[tuple[str, tuple[int, ...], str, dict[str, Any]]] = [
    ("first, 7×7 stride 2", (3, 224, 224), "conv", {"filters": 64, "kernel": 7, "stride": 2, "padding": 3}),
    ("first, 11×11 stride 4", (3, 227, 227), "conv", {"filters": 96, "kernel": 11, "stride": 4}),
    ("first, 3×3", (3, 224, 224), "conv", {"filters": 64, "kernel": 3, "padding": 1}),
    ("3×3", (64, 224, 224), "conv", {"filters": 64, "kernel": 3, "padding": 1}),
    ("3×3", (128, 112, 112), "conv", {"filters": 128, "kernel": 3, "padding": 1}),
    ("3×3", (256, 56, 56), "conv", {"filters": 256, "kernel": 3, "padding": 1}),
    ("3×3", (512, 28, 28), "conv", {"filters": 512, "kernel": 3, "padding": 1}),
    ("3×3", (256, 14, 14), "conv", {"filters": 256, "kernel": 3, "padding": 1}),
    ("3×3", (512, 7, 7), "conv", {"filters": 512, "kernel": 3, "padding": 1}),
    ("5×5", (96, 27, 27), "conv", {"filters": 256, "kernel": 5, "padding": 2}),
    ("3×3 stride 2", (128, 56, 56), "conv", {"filters": 128, "kernel": 3, "stride": 2, "padding": 1}),
    ("1×1", (64, 56, 56), "conv", {"filters": 256, "kernel": 1}),
    ("1×1", (512, 28, 28), "conv", {"filters": 128, "kernel": 1}),
    ("1×1", (256, 14, 14), "conv", {"filters": 1024, "kernel": 1}),
    ("1×1", (2048, 7, 7), "conv", {"filters": 512, "kernel": 1}),
    ("3×3 in 32 groups", (256, 28, 28), "conv", {"filters": 256, "kernel": 3, "padding": 1, "groups": 32}),
    ("depthwise 3×3", (192, 56, 56), "conv", {"depthwise": True, "kernel": 3, "padding": 1}),
    ("depthwise 7×7", (192, 28, 28), "conv", {"depthwise": True, "kernel": 7, "padding": 3}),
    ("deconv 2×2 stride 2", (256, 28, 28), "deconv", {"filters": 128, "kernel": 2, "stride": 2}),
    ("dense", (4096,), "dense", {"units": 4096}),
    ("maxpool 3×3 stride 2", (64, 112, 112), "maxpool", {"kernel": 3, "stride": 2, "padding": 1}),
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for threads in map(int, options.threads.split(",")):
        peaks = measured_peaks(threads)
        memory = peaks.rates[-1].bytes_per_second
        print(
            f"\n{threads} threads: {peaks.flops / 1e9:.0f} GFLOP/s, {memory / 1e9:.1f} GB/s read from memory"
        )
        heads = ("GFLOP/s", "of peak", "of roof")
        print(
            f"{'layer':24} {'input':>12} {'filters':>7} {'kernel':10} {'ms':>8}",
            *(f"{head:>8}" for head in heads),
        )
        for name, shape, kind, fields in LAYERS:
            builder = Builder(single_input(shape), 10)
            # a layer before and one after it, so that its input and output are laid out as within a network
            before = builder.add("before", get("relu")(), (-1,)) if shape[0] > 3 and len(shape) > 1 else -1
            last = builder.add(name, get(kind)(**fields), (before,))
            if len(shape) > 1:
                last = builder.add("after", get("global_avgpool")(), (last,))
            graph = Graph.of("layer", shape, builder.nodes, last)
            values = array("f", [random.gauss(0, 1) for _ in range(prod(shape))])
            plan = prepare(graph, random_weights(graph, 1), threads)
            profiles = [profile_plan(plan, values, 9, peaks) for _ in range(options.rounds)]
            rows = [row for profile in profiles for row in profile.rows if row.name == name]
            row = min(rows, key=lambda row: row.seconds)
            share = profiles[0].share(row)
            cells = [
                f"{name:24}", f"{'×'.join(map(str, shape)):>12}", f"{fields.get('filters', ''):>7}",
                f"{row.kernels[-1]:10}", f"{row.seconds * 1e3:8.3f}", f"{row.flops_per_second / 1e9:8.1f}",
                f"{row.flops_per_second / peaks.flops:8.0%}", "       –" if share is None else f"{share:8.0%}",
            ]  # fmt: skip
            print(*cells, flush=True)


if __name__ == "__main__":
    main()
