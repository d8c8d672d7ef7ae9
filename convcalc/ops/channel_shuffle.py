"""Channel shuffle (Zhang et al. 2017, ShuffleNet)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    SCATTERED,
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
)
from convcalc.ops._fields import integer


@dataclass(frozen=True, kw_only=True)
class ChannelShuffle(Operator):
    """Interleaves groups of channels: the first channel of each group, then the second of each, and so on.

    Output channel j·groups + i is input channel i·C/groups + j.
    """

    kind: ClassVar[str] = "channel_shuffle"
    torch_module: ClassVar[str] = "ChannelShuffle"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "groups"
    example: ClassVar[Example | None] = Example("channel_shuffle: 4", (64, 28, 28))

    groups: int = integer(doc="number of groups the channels are split into")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if `groups` does not divide the channels."""
        channels = inputs[0][0]
        if channels % self.groups:
            raise Misfit(
                f"{self.groups} groups do not divide {channels} channels", f"use a divisor of {channels}"
            )
        return self

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A single channel; the channels are SCATTERED, since their order changes."""
        return (SCATTERED, *(Reach(dimension) for dimension in range(1, len(inputs[0]))))

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the channels are stored first, else None."""
        return Reordered(self, order) if order[0] == 0 else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The channels in their new order."""
        shape, values = inputs[0]
        channels = shape[0]
        plane = len(values) // channels
        share = channels // self.groups
        result: list[Any] = []
        for place in range(share):
            for channel in range(place, channels, share):
                result += values[channel * plane : (channel + 1) * plane]
        return Tensor(shape, result)
