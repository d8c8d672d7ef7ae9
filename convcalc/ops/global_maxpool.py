"""Global max pooling (Oquab, Bottou, Laptev & Sivic 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._working import values_read
from convcalc.ops.maxpool import largest
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class GlobalMaxpool(Operator):
    """The largest value of each channel. (C, *spatial) → (C, 1, …, 1)."""

    kind: ClassVar[str] = "global_maxpool"
    torch_module: ClassVar[str] = "AdaptiveMaxPool"
    torch_function: ClassVar[str] = "amax"
    role: ClassVar[str] = "pooling"
    example: ClassVar[Example | None] = Example(
        "global_maxpool", (1024, 7, 7), "global_maxpool '1 2 3; 4 5 6; 7 8 9'"
    )

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, 1, …, 1)."""
        channels, *spatial = self.needs_map(inputs[0])
        return (channels, *(1 for _ in spatial))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All pixels of its channel."""
        return (Reach(0), *(WHOLE for _ in inputs[0][1:]))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """How many values the largest is of."""
        return values_read("values per maximum", inputs[0][1:])

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, where the channels are stored first."""
        return Reordered(self, order) if order[0] == 0 else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The largest value of each channel."""
        (channels, *spatial), values = inputs[0]
        plane = len(values) // channels
        found = [largest(values[c * plane : (c + 1) * plane]) for c in range(channels)]
        return Tensor((channels, *(1 for _ in spatial)), found)
