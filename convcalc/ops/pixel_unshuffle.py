"""Pixel unshuffle: rearranges pixels into channels, the inverse of pixel_shuffle (Shi et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import AxisReach, Example, Inputs, Operator, Reach, Tensor, Working, ratio
from convcalc.ops._fields import integer
from convcalc.ops._working import size_working
from convcalc.shapes import Shape, show


@dataclass(frozen=True, kw_only=True)
class PixelUnshuffle(Operator):
    """Rearranges each block of factor×factor pixels into a single pixel with factor² channels.

    (C, factor·H, factor·W) → (C·factor², H, W): row y, column x of a block in channel c becomes channel
    c·factor² + y·factor + x. In 1 or 3 dimensions the number of channels grows by factor or factor³.
    """

    kind: ClassVar[str] = "pixel_unshuffle"
    torch_module: ClassVar[str] = "PixelUnshuffle"
    torch_function: ClassVar[str] = "pixel_unshuffle"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "factor"
    example: ClassVar[Example | None] = Example(
        "pixel_unshuffle: 2", (3, 224, 224), "'pixel_unshuffle: 2' '1 2 3 4; 5 6 7 8'"
    )

    factor: int = integer(doc="factor by which each axis shrinks")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if the factor does not divide every axis."""
        spatial = self.needs_map(inputs[0])[1:]
        if any(size % self.factor for size in spatial):
            raise Misfit(
                f"pixel_unshuffle by {self.factor} of a map of {show(spatial)}, which it does not divide",
                "pad or crop the map first",
            )
        return self

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C·factor², H/factor, W/factor)."""
        channels, *spatial = inputs[0]
        return (channels * self.factor ** len(spatial), *(size // self.factor for size in spatial))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Its own channel; all pixels of the factor×factor block, although only one is read."""
        rank = len(inputs[0]) - 1
        group = self.factor**rank
        channel = Reach(0, 1, ratio(1, group), ratio(1 - group, group))
        return (channel, *(Reach(d, self.factor, self.factor) for d in range(1, rank + 1)))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`3·2² = 12` channels, `224/2 = 112`."""
        channels, *spatial = inputs[0]
        count = channels * self.factor ** len(spatial)
        text = f"{channels}·{self.factor}{'⁰¹²³'[len(spatial)]} = {count}"
        sizes = [f"{size}/{self.factor} = {size // self.factor}" for size in spatial]
        return (Working("output channels", text), *size_working(sizes))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Every factor-th pixel of every factor-th row, from each start."""
        (channels, *spatial), values = inputs[0]
        plane = prod(spatial)
        steps = [prod(spatial[axis + 1 :]) for axis in range(len(spatial))]
        axes = [range(0, size * step, self.factor * step) for size, step in zip(spatial, steps, strict=True)]
        parts = product(*(range(0, self.factor * step, step) for step in steps))
        offsets = [sum(part) for part in parts]
        places = [sum(place) for place in product(*axes)]
        result: list[Any] = []
        for channel in range(channels):
            for offset in offsets:
                start = channel * plane + offset
                result += [values[start + place] for place in places]
        return Tensor((channels * len(offsets), *map(len, axes)), result)
