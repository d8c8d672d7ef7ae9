"""What bfloat16 costs: the outputs of networks in bfloat16 against the same in float32.

    pip install -e ".[dev]"
    python tests/benchmarks/precision.py [NETWORK | MODEL.onnx ...] [--like ARCH] [--input SHAPE] [--weights FILE]
                                         [--images FILE ...] [--cuts 4] [--seed 0] [--markdown]

Without networks: all that are bundled, with random weights from the seed; a model file has its own. Each runs on
rectangles cut at random out of the images (by default the cat in tests/data), once with the transforms that are taken
by themselves, F(2×2), and once with F(4×4); networks whose input is no picture run on random numbers.

Printed are, of the first output (of what its softmax is given, if it ends in one) and the worst of the cuts: the rms of
the differences over the rms in float32, and the largest difference over the largest number; and in how many cuts the
likeliest five classes are the same, in any order, and the likeliest. "same" stands where F(4×4) gives the same numbers,
as no layer uses it.
"""

from __future__ import annotations

import argparse
import gc
import random
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

import convcalc
from convcalc.backends import Run, Values, Winograd
from convcalc.backends.numba import prepare
from convcalc.graph import Graph
from convcalc.inference.classes import class_output, classifies
from convcalc.inference.inputs import InputValues, read_sample, samples_of
from convcalc.inference.like import prepared_like
from convcalc.inference.precision import PrecisionCheck, compare_precisions
from convcalc.inference.runner import choose_weights
from convcalc.language import bundled
from convcalc.ops.softmax import Softmax

WINOGRADS: tuple[Winograd, ...] = ("auto", "f4")
PHOTO = Path(__file__).parent.parent / "data" / "chelsea.png"


class Cost(NamedTuple):
    """What bfloat16 costs with one kind of transform. same_top5, same_top1: cuts, or None without classes."""

    relative_rms: float
    relative_largest: float
    same_top5: int | None
    same_top1: int | None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--like", metavar="ARCH")
    parser.add_argument("--input", metavar="SHAPE")
    parser.add_argument("--weights", metavar="FILE")
    parser.add_argument("--images", nargs="+", default=[str(PHOTO)])
    parser.add_argument("--cuts", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    header = [
        "network",
        "F(2×2): rms",
        "largest",
        "top 5",
        "first",
        "F(4×4): rms",
        "largest",
        "top 5",
        "first",
    ]
    print(_line(header, options.markdown))
    if options.markdown:
        print("| --- |" + " ---: |" * (len(header) - 1))
    for name in options.networks or bundled.members():
        net = convcalc.load(name, input_shape=options.input, seed=options.seed)
        cells = _cells(net, options)
        print(_line([name.removesuffix(".onnx").rpartition("/")[2] if name.endswith(".onnx") else name, *cells],
                    options.markdown), flush=True)  # fmt: skip
        gc.collect()


def _cells(net: Any, options: argparse.Namespace) -> list[str]:
    graph = net.graph if options.like is None else prepared_like(net.graph, options.like)[0]
    weights = choose_weights(graph, options.weights, options.seed, model=net._model)
    given = samples(graph, options.images, options.cuts, options.seed)
    read = [values(read_sample(graph, sample)) for sample in samples_of(graph, given)[0]]
    classes = class_output(graph)
    named = classes.name if classifies(graph, classes) else None
    graph = before_softmax(graph)
    plan = prepare(graph, weights)
    expected = [plan.run(numbers) for numbers in read]
    costs = []
    for winograd in WINOGRADS:
        plan = prepare(graph, weights, precision="bf16", winograd=winograd)
        checks = [
            compare_precisions(run, plan.run(numbers), named)
            for run, numbers in zip(expected, read, strict=True)
        ]
        costs.append(cost(checks, expected))
    own, other = (_texts(found, len(read)) for found in costs)
    return [*own, *(["same"] * len(own) if costs[0] == costs[1] else other)]


def before_softmax(graph: Graph) -> Graph:
    """The graph whose outputs are what its last softmax is given: a few large probabilities would hide the rest."""
    outputs = []
    for output in graph.outputs:
        node = graph.nodes[output.node]
        outputs.append(output._replace(node=node.inputs[0]) if isinstance(node.op, Softmax) else output)
    return replace(graph, outputs=tuple(outputs))


def values(inputs: Sequence[InputValues]) -> Values:
    return inputs[0].values if len(inputs) == 1 else {given.name: given.values for given in inputs}


def samples(graph: Any, images: Sequence[str], cuts: int, seed: int) -> list[Any]:
    """So many rectangles of each image, the first of them whole; or as many arrays of random numbers."""
    draw = random.Random(seed)
    shapes = {entry.name: entry.shape for entry in graph.inputs}
    first = next(iter(shapes.values()))
    if len(shapes) == 1 and len(first) == 3 and first[0] in (1, 3):
        found: list[Any] = []
        for path in images:
            with Image.open(path) as opened:
                picture = opened.copy()
            found += [picture, *(_cut(picture, draw) for _ in range(cuts - 1))]
        return found
    return [
        {
            name: _nested([draw.gauss(0, 1) for _ in range(prod(shape))], shape)
            for name, shape in shapes.items()
        }
        for _ in range(cuts * len(images))
    ]


def _cut(picture: Any, draw: random.Random) -> Any:
    """A part of the picture, of 60 to 100 % of either side."""
    width, height = (round(side * draw.uniform(0.6, 1)) for side in picture.size)
    left, top = draw.randint(0, picture.width - width), draw.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def _nested(values: list[float], shape: Sequence[int]) -> Any:
    if len(shape) == 1:
        return values
    step = prod(shape[1:])
    return [_nested(values[start : start + step], shape[1:]) for start in range(0, len(values), step)]


def cost(checks: Sequence[PrecisionCheck], runs: Sequence[Run]) -> Cost:
    """runs: in float32."""
    top5, top1 = ([getattr(check, field) for check in checks] for field in ("same_top5", "same_top1"))
    return Cost(
        max(check.relative_rms or 0.0 for check in checks),
        max(
            (check.largest or 0.0) / (max(map(abs, run.values)) or 1.0)
            for check, run in zip(checks, runs, strict=True)
        ),
        None if None in top5 else sum(top5),
        None if None in top1 else sum(top1),
    )


def _texts(found: Cost, cuts: int) -> list[str]:
    counts = ["–" if count is None else f"{count} of {cuts}" for count in found[2:]]
    return [_percent(found.relative_rms), _percent(found.relative_largest), *counts]


def _percent(value: float) -> str:
    return f"{100 * value:.{2 if value < 0.1 else 3}g} %"


def _line(cells: Sequence[str], markdown: bool) -> str:
    if markdown:
        return f"| {' | '.join(cells)} |"
    return f"{cells[0]:42}" + "".join(f"{cell:>13}" for cell in cells[1:])


if __name__ == "__main__":
    main()
