"""Global average pooling (Lin, Chen & Yan 2013)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Example,
    Gradient,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._working import product
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class GlobalAvgpool(Operator):
    """The mean of each channel. (C, *spatial) → (C, 1, …, 1)."""

    kind: ClassVar[str] = "global_avgpool"
    torch_module: ClassVar[str] = "AdaptiveAvgPool"
    torch_function: ClassVar[str] = "mean"
    role: ClassVar[str] = "pooling"
    example: ClassVar[Example | None] = Example(
        "global_avgpool", (1024, 7, 7), "global_avgpool '1 2 3; 4 5 6; 7 8 9'"
    )

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, 1, …, 1)."""
        channels, *spatial = self.needs_map(inputs[0])
        return (channels, *(1 for _ in spatial))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All pixels of its channel."""
        return (Reach(0), *(WHOLE for _ in inputs[0][1:]))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """How many values a mean is of."""
        spatial = inputs[0][1:]
        return (Working("values per mean", f"{product(spatial)} = {prod(spatial):,}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, where the channels are stored first."""
        return Reordered(self, order) if order[0] == 0 else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The mean of each channel."""
        (channels, *spatial), values = inputs[0]
        plane = prod(spatial)
        means = [sum(values[c * plane : (c + 1) * plane]) / plane for c in range(channels)]
        return Tensor((channels, *(1 for _ in spatial)), means)

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Each channel's δ, divided by its pixels, goes to all of them."""
        shape = inputs[0].shape
        plane = prod(shape[1:])
        result = [delta / plane for delta in gradient.values for _ in range(plane)]
        return {
            "input": Gradient(
                Tensor(shape, result), "each δ, divided by the channel's pixels, goes to all of them"
            )
        }
