"""Writes before.safetensors and after.safetensors: weights of net.yaml, and the same with the second block and the head
trained further, while the running statistics of the first block went on too.

Run by hand: python tests/data/finetuned/make.py
"""

from __future__ import annotations

from array import array
from pathlib import Path
from random import Random

import convcalc
from convcalc.weights.safetensors import write

HERE = Path(__file__).parent
FROZEN = ("stem.conv.weight", "stem.norm.weight", "stem.norm.bias")
STEP = {"stem": 0.01, "body": 0.02, "head": 0.2}  # deviation of what training adds


def main() -> None:
    random = Random(12)
    before, after = {}, {}
    for node in convcalc.load(HERE / "net.yaml").graph:
        for parameter in node.parameters:
            key = parameter.key(node.name)
            count = 1
            for size in parameter.shape:
                count *= size
            values = [0.5 + random.random() for _ in range(count)]
            step = 0.0 if key in FROZEN else STEP[key.partition(".")[0]]
            before[key] = (parameter.shape, array("f", values))
            after[key] = (parameter.shape, array("f", [value + random.gauss(0, step) for value in values]))
    write(HERE / "before.safetensors", before)
    write(HERE / "after.safetensors", after)


if __name__ == "__main__":
    main()
