"""Group normalisation (Wu & He 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Parameter,
    Reordered,
    Tensor,
    Working,
    group_walk,
)
from convcalc.ops._fields import flag, integer, number
from convcalc.ops._normalisation import by_groups, count_working, factor_and_offset


@dataclass(frozen=True, kw_only=True)
class Groupnorm(Operator):
    """(x − mean)/√(variance + eps)·weight + bias, with the mean and variance of a group of C/groups channels.

    They are over all positions. Weight and bias (C); the variance divides by the number of values. groups: 1
    normalises over the whole map, groups: C is instancenorm.
    """

    kind: ClassVar[str] = "groupnorm"
    torch_module: ClassVar[str] = "GroupNorm"
    torch_function: ClassVar[str] = "group_norm"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "groups"
    pointwise: ClassVar[bool] = True
    example: ClassVar[Example | None] = Example("groupnorm: 32", (64, 28, 28))

    groups: int = integer(doc="how many groups the channels form")
    eps: float = number(1e-5, above=0, doc="added to the variance")
    affine: bool = flag(True, doc="learn a factor and an offset per channel")

    def bind(self, inputs: Inputs) -> Self:
        """Unchanged. Raises Misfit when groups do not divide the channels."""
        channels = inputs[0][0]
        if channels % self.groups:
            raise Misfit(
                f"{self.groups} groups do not divide {channels} channels", f"use a divisor of {channels}"
            )
        return self

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight and bias where affine: (C) each."""
        return factor_and_offset(inputs[0][:1], self.affine)

    def keeps_positions(self, inputs: Inputs) -> bool:
        """Never: the statistics are of all positions."""
        return False

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All channels of its group, at all positions."""
        channels, *positions = inputs[0]
        return (group_walk(channels, channels, self.groups), *(WHOLE for _ in positions))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """What is normalised together, and a factor and an offset per channel."""
        channels = inputs[0][0]
        together = Working("channels a group", f"{channels}/{self.groups} = {channels // self.groups}")
        return (together, *(count_working(inputs[0][:1], "weights", "biases") if self.affine else ()))

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, where the channels are stored first."""
        return Reordered(self, order) if order[0] == 0 else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Group after group."""
        return by_groups(inputs[0], self.groups, self.eps, weights)
