"""Adaptive average pooling: the output's size is given, the windows follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from operator import mul
from typing import Any, ClassVar

from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Example,
    Gradient,
    Inputs,
    Operator,
    Reach,
    Tensor,
    Working,
    ratio,
)
from convcalc.ops._fields import extent
from convcalc.ops._gradients import planes
from convcalc.ops._working import size_working
from convcalc.shapes import PerAxis, Shape, per_axis


@dataclass(frozen=True, kw_only=True)
class AdaptiveAvgpool(Operator):
    """Means over windows that divide each axis as evenly as whole pixels allow.

    (C, *spatial) → (C, *size). Of n pixels and m outputs, output i is the mean of pixels ⌊i·n/m⌋ up to and
    without ⌈(i + 1)·n/m⌉ (PyTorch's AdaptiveAvgPool).
    """

    kind: ClassVar[str] = "adaptive_avgpool"
    torch_module: ClassVar[str] = "AdaptiveAvgPool"
    torch_function: ClassVar[str] = "adaptive_avg_pool"
    role: ClassVar[str] = "pooling"
    main: ClassVar[str | None] = "size"
    example: ClassVar[Example | None] = Example(
        "adaptive_avgpool: 6", (256, 13, 13), "'adaptive_avgpool: 2' '1 2 3; 4 5 6; 7 8 9'"
    )

    size: PerAxis = extent(doc="output size")

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, *size)."""
        channels, *spatial = self.needs_map(inputs[0])
        return (channels, *per_axis(self.size, len(spatial), "size"))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Exact, also where the windows' sizes differ."""
        sizes = self.output_shape(inputs)[1:]
        return (
            Reach(0),
            *(_walk(d, n, m) for d, (n, m) in enumerate(zip(inputs[0][1:], sizes, strict=True), 1)),
        )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """Which pixels an output is the mean of."""
        sizes = self.output_shape(inputs)[1:]
        return size_working([_explain(n, m) for n, m in zip(inputs[0][1:], sizes, strict=True)])

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The mean of each window."""
        (channels, *spatial), values = inputs[0]
        sizes, reads = self._reads(spatial)
        plane = prod(spatial)
        result: list[Any] = []
        for channel in range(channels):
            pixels = values[channel * plane : (channel + 1) * plane]
            result += [sum([pixels[place] for place in read]) / len(read) for read in reads]
        return Tensor((channels, *sizes), result)

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Each δ, divided by the pixels of its window, goes to all of them."""
        shape = inputs[0].shape
        reads = self._reads(shape[1:])[1]
        result: list[Any] = []
        for deltas in planes(gradient.values, shape[0]):
            sums: list[Any] = [0] * prod(shape[1:])
            for read, delta in zip(reads, deltas, strict=True):
                for place in read:
                    sums[place] += delta / len(read)
            result += sums
        return {
            "input": Gradient(
                Tensor(shape, result), "each δ, divided by the pixels of its window, goes to all of them"
            )
        }

    def _reads(self, spatial: Sequence[int]) -> tuple[tuple[int, ...], list[list[int]]]:
        """The output's size, and the pixels that each of its values is the mean of."""
        sizes = per_axis(self.size, len(spatial), "size")
        windows = [
            [range(i * n // m, ((i + 1) * n + m - 1) // m) for i in range(m)]
            for n, m in zip(spatial, sizes, strict=True)
        ]
        steps = [prod(spatial[axis + 1 :]) for axis in range(len(spatial))]
        reads = [[sum(map(mul, place, steps)) for place in product(*window)] for window in product(*windows)]
        return sizes, reads


def _walk(dimension: int, pixels: int, outputs: int) -> AxisReach:
    if outputs == 1:
        return WHOLE
    # Whole numbers from ⌊i·step⌋ to ⌈(i + 1)·step⌉ − 1 are those above i·step − 1 and below (i + 1)·step.
    # In parts of the step's denominator, the first above i·step − 1 is one part more.
    step = ratio(pixels, outputs)
    lag = ratio(step.denominator - 1, step.denominator)
    return Reach(dimension, step + lag, step, -lag)


def _explain(pixels: int, outputs: int) -> str:
    if pixels % outputs:
        reads = f"output i reads pixels ⌊i·{pixels}/{outputs}⌋ to ⌈(i + 1)·{pixels}/{outputs}⌉ − 1"
    else:
        reads = f"windows of {pixels}/{outputs} = {pixels // outputs}"
    return f"{outputs} as given, {reads}"
