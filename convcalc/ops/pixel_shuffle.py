"""Pixel shuffle: rearranges channels into pixels, for sub-pixel convolution (Shi et al. 2016)."""

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
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class PixelShuffle(Operator):
    """Rearranges groups of factor² channels into a single channel with factor×factor pixels per input pixel.

    (C·factor², H, W) → (C, factor·H, factor·W): channel c·factor² + y·factor + x of a pixel becomes row y, column x
    of its block in channel c. In 1 or 3 dimensions a group has factor or factor³ channels.
    """

    kind: ClassVar[str] = "pixel_shuffle"
    enlarges: ClassVar[bool] = True
    torch_module: ClassVar[str] = "PixelShuffle"
    torch_function: ClassVar[str] = "pixel_shuffle"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "factor"
    example: ClassVar[Example | None] = Example("pixel_shuffle: 2", (64, 14, 14))

    factor: int = integer(doc="factor by which each axis grows")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if the group size does not divide the channels."""
        channels, *spatial = self.needs_map(inputs[0])
        group = self.factor ** len(spatial)
        if channels % group:
            raise Misfit(
                f"pixel_shuffle by {self.factor} makes one channel of {group}, "
                f"and {channels} is no multiple of {group}",
                f"use a multiple of {group} channels before it",
            )
        return self

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C/factor², factor·H, factor·W)."""
        channels, *spatial = inputs[0]
        return (channels // self.factor ** len(spatial), *(self.factor * size for size in spatial))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All channels of the group, although only one is read; the input pixel that contains the output."""
        rank = len(inputs[0]) - 1
        group = self.factor**rank
        pace, start = ratio(1, self.factor), ratio(1 - self.factor, self.factor)
        return (Reach(0, group, group), *(Reach(d, 1, pace, start) for d in range(1, rank + 1)))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`256/2² = 64` channels, `14·2 = 28`."""
        channels, *spatial = inputs[0]
        group = self.factor ** len(spatial)
        text = f"{channels}/{self.factor}{'⁰¹²³'[len(spatial)]} = {channels // group}"
        sizes = [f"{size}·{self.factor} = {size * self.factor}" for size in spatial]
        return (Working("output channels", text), *size_working(sizes))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Moves each value to its new place."""
        (channels, *spatial), values = inputs[0]
        factor, plane = self.factor, prod(spatial)
        group = factor ** len(spatial)
        output = [size * factor for size in spatial]
        result: list[Any] = []
        for channel in range(0, channels, group):
            for place in product(*map(range, output)):
                part = pixel = 0
                for at, size in zip(place, spatial, strict=True):
                    pixel = pixel * size + at // factor
                    part = part * factor + at % factor
                result.append(values[(channel + part) * plane + pixel])
        return Tensor((channels // group, *output), result)
