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
from convcalc.ops._saved import Saved, made


@dataclass(frozen=True, kw_only=True)
class Groupnorm(Operator):
    """Normalises each group of C/groups channels: (x − mean)/√(variance + eps)·weight + bias.

    Mean and variance are taken over all positions and channels of the group; the variance is the biased estimator.
    Weight and bias have shape (C). groups: 1 normalises over the whole map; groups: C is instancenorm.
    """

    kind: ClassVar[str] = "groupnorm"
    abbreviation: ClassVar[str] = "gn"
    torch_module: ClassVar[str] = "GroupNorm"
    torch_function: ClassVar[str] = "group_norm"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "groups"
    pointwise: ClassVar[bool] = True
    example: ClassVar[Example | None] = Example("groupnorm: 32", (64, 28, 28))

    groups: int = integer(doc="number of groups the channels are split into")
    eps: float = number(1e-5, above=0, doc="added to the variance for numerical stability")
    affine: bool = flag(True, doc="learn a scale and a bias per channel")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if `groups` does not divide the channels."""
        channels = inputs[0][0]
        if channels % self.groups:
            raise Misfit(
                f"{self.groups} groups do not divide {channels} channels", f"use a divisor of {channels}"
            )
        return self

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight and bias if affine: (C) each."""
        return factor_and_offset(inputs[0][:1], self.affine)

    def keeps_positions(self, inputs: Inputs) -> bool:
        """Always False: the statistics are taken over all positions."""
        return False

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All channels of the same group, at all positions."""
        channels, *positions = inputs[0]
        return (group_walk(channels, channels, self.groups), *(WHOLE for _ in positions))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The number of channels per group, and a weight and a bias per channel."""
        channels = inputs[0][0]
        together = Working("channels a group", f"{channels}/{self.groups} = {channels // self.groups}")
        return (together, *(count_working(inputs[0][:1], "weights", "biases") if self.affine else ()))

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the channels are stored first, else None."""
        return Reordered(self, order) if order[0] == 0 else None

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input, and mean and inverse deviation of each group."""
        return (Saved("input", 0), made("mean and deviation", 2 * self.groups))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Normalises one group after another."""
        return by_groups(inputs[0], self.groups, self.eps, weights)
