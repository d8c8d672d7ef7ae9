"""A range of channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import AxisReach, Example, Inputs, Operator, Order, Reach, Reordered, Tensor, Working
from convcalc.ops._fields import integer
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Slice(Operator):
    """Channels from `start` up to and without `stop`. (C, *spatial) → (stop − start, *spatial)."""

    kind: ClassVar[str] = "slice"
    role: ClassVar[str] = "reshape"
    example: ClassVar[Example | None] = Example("slice: {start: 32, stop: 64}", (64, 28, 28))

    start: int = integer(0, minimum=0, doc="first channel kept, from 0")
    stop: int | None = integer(None, doc="first channel not kept; default: all that follow are kept")

    def bind(self, inputs: Inputs) -> Self:
        """stop filled in. Raises Misfit for channels that are not there."""
        channels = inputs[0][0]
        stop = channels if self.stop is None else self.stop
        if not self.start < stop <= channels:
            raise Misfit(
                f"channels {self.start} to {stop} of an input with {channels}",
                f"use 0 ≤ start < stop ≤ {channels}; channel `stop` is the first not kept",
            )
        return self if self.stop is not None else dataclasses.replace(self, stop=stop)

    def output_shape(self, inputs: Inputs) -> Shape:
        """(stop − start, *spatial)."""
        assert self.stop is not None
        return (self.stop - self.start, *inputs[0][1:])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """One channel, start further on."""
        return (Reach(0, start=self.start), *(Reach(d) for d in range(1, len(inputs[0]))))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`116 − 58 = 58`."""
        assert self.stop is not None
        return (Working("output channels", f"{self.stop} − {self.start} = {self.stop - self.start}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, where the channels are stored first."""
        return Reordered(self, order) if order[0] == 0 else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The channels' values."""
        (channels, *spatial), values = inputs[0]
        plane = len(values) // channels
        kept = range(channels)[self.start : self.stop]
        return Tensor((len(kept), *spatial), values[kept.start * plane : kept.stop * plane])
