"""Base of adaptive_avgpool and adaptive_maxpool: windows derived from the output size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from operator import mul
from typing import Any, ClassVar

from convcalc.ops._base import WHOLE, AxisReach, Inputs, Operator, Reach, Tensor, Working, ratio
from convcalc.ops._fields import extent
from convcalc.ops._gradients import planes
from convcalc.ops._working import size_working
from convcalc.shapes import PerAxis, Shape, per_axis


@dataclass(frozen=True, kw_only=True)
class AdaptivePooling(Operator):
    """Pools each channel separately to a given output size. (C, *spatial) → (C, *size)."""

    role: ClassVar[str] = "pooling"
    main: ClassVar[str | None] = "size"

    size: PerAxis = extent(doc="output size")

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, *size)."""
        channels, *spatial = self.needs_map(inputs[0])
        return (channels, *per_axis(self.size, len(spatial), "size"))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """The window on each spatial dimension; exact even if windows differ in size."""
        sizes = self.output_shape(inputs)[1:]
        return (
            Reach(0),
            *(_walk(d, n, m) for d, (n, m) in enumerate(zip(inputs[0][1:], sizes, strict=True), 1)),
        )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The output size, and which pixels each output reads."""
        sizes = self.output_shape(inputs)[1:]
        return size_working([_explain(n, m) for n, m in zip(inputs[0][1:], sizes, strict=True)])

    def sizes(self, tensor: Tensor) -> Shape:
        """The output's spatial size."""
        return per_axis(self.size, len(tensor.shape) - 1, "size")

    def reads(self, tensor: Tensor) -> list[list[int]]:
        """The pixels of each output's window, numbered in row-major order."""
        spatial = tensor.shape[1:]
        windows = [
            [range(i * n // m, ((i + 1) * n + m - 1) // m) for i in range(m)]
            for n, m in zip(spatial, self.sizes(tensor), strict=True)
        ]
        steps = [prod(spatial[axis + 1 :]) for axis in range(len(spatial))]
        return [[sum(map(mul, place, steps)) for place in product(*window)] for window in product(*windows)]

    def gathered(self, tensor: Tensor) -> Iterator[list[Any]]:
        """The values in each output's window, channel by channel."""
        reads = self.reads(tensor)
        for pixels in planes(tensor.values, tensor.shape[0]):
            for read in reads:
                yield [pixels[place] for place in read]


def _walk(dimension: int, pixels: int, outputs: int) -> AxisReach:
    if outputs == 1:
        return WHOLE
    # The integers from ⌊i·step⌋ to ⌈(i + 1)·step⌉ − 1 are those above i·step − 1 and below (i + 1)·step.
    # All bounds are multiples of 1/denominator, so the smallest candidate above i·step − 1 is 1/denominator more.
    step = ratio(pixels, outputs)
    lag = ratio(step.denominator - 1, step.denominator)
    return Reach(dimension, step + lag, step, -lag)


def _explain(pixels: int, outputs: int) -> str:
    if pixels % outputs:
        reads = f"output i reads pixels ⌊i·{pixels}/{outputs}⌋ to ⌈(i + 1)·{pixels}/{outputs}⌉ − 1"
    else:
        reads = f"windows of {pixels}/{outputs} = {pixels // outputs}"
    return f"{outputs} as given, {reads}"
