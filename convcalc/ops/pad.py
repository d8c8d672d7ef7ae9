"""A margin around each channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

from convcalc.ops._base import AxisReach, Example, Inputs, Operator, Reach, Tensor, Working
from convcalc.ops._fields import margins, number
from convcalc.ops._sliding import Slide
from convcalc.ops._working import size_working
from convcalc.shapes import Padding, Shape, pads


@dataclass(frozen=True, kw_only=True)
class Pad(Operator):
    """`value` all around. (C, *spatial) → (C, *(before + size + after))."""

    kind: ClassVar[str] = "pad"
    torch_module: ClassVar[str] = "ZeroPad"
    torch_function: ClassVar[str] = "pad"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "padding"
    example: ClassVar[Example | None] = Example("pad: [[0, 1], [0, 1]]", (64, 28, 28), "'pad: 1' '1 2; 3 4'")

    padding: Padding = margins(doc="pixels on each side")
    value: float = number(0.0, doc="what the margin holds")

    def _pads(self, spatial: Sequence[int]) -> list[tuple[int, int]]:
        return [pads(self.padding, index, len(spatial)) for index in range(len(spatial))]

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, *(before + size + after))."""
        channels, *spatial = self.needs_map(inputs[0])
        margins = self._pads(spatial)
        return (channels, *(b + size + a for size, (b, a) in zip(spatial, margins, strict=True)))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """One pixel, or none in the margin."""
        margins = enumerate(self._pads(inputs[0][1:]), 1)
        return (Reach(0), *(Reach(dimension, 1, 1, -before) for dimension, (before, _) in margins))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`224 + 3 + 3 = 230`."""
        spatial = inputs[0][1:]
        margins = zip(spatial, self._pads(spatial), strict=True)
        return size_working([f"{size} + {b} + {a} = {size + b + a}" for size, (b, a) in margins])

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Rows laid into the margin."""
        (channels, *spatial), values = inputs[0]
        fill = int(self.value) if self.value.is_integer() else self.value
        slide = Slide(spatial, 1, 1, 1, self.padding)
        plane = len(values) // channels
        result: list[Any] = []
        for channel in range(channels):
            rows = slide.padded_rows(values[channel * plane : (channel + 1) * plane], fill)
            for place in product(*slide.starts[:-1]):
                result += rows[place]
        return Tensor((channels, *slide.positions), result)
