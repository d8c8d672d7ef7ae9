"""Rectified linear unit with a learned slope (He et al. 2015, Delving Deep into Rectifiers)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Inputs, Operator, Order, Parameter, Reordered, Tensor, Working
from convcalc.ops._fields import flag, number


@dataclass(frozen=True, kw_only=True)
class Prelu(Operator):
    """x for x ≥ 0, weight·x below 0. Weight (1), or (C) with per_channel."""

    kind: ClassVar[str] = "prelu"
    torch_module: ClassVar[str] = "PReLU"
    torch_function: ClassVar[str] = "prelu"
    saves: ClassVar[str] = "input"
    role: ClassVar[str] = "activation"
    pointwise: ClassVar[bool] = True

    per_channel: bool = flag(False, doc="learn a slope per channel instead of a shared slope")
    initial: float = number(0.25, doc="initial slope for training")

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight (1) or (C)."""
        count = inputs[0][0] if self.per_channel else 1
        return (Parameter("weight", (count,), "weight", initial=self.initial),)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The number of slopes."""
        return (Working("weights", f"{self.parameters(inputs)[0].shape[0]:,}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the channels are stored first or all share one slope, else None."""
        return Reordered(self, order) if order[0] == 0 or not self.per_channel else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """x for x ≥ 0, slope·x below 0."""
        shape, values = inputs[0]
        plane = len(values) // shape[0]
        slopes = weights["weight"] if self.per_channel else [weights["weight"][0]] * shape[0]
        result: list[Any] = []
        for channel, slope in enumerate(slopes):
            channel_values = values[channel * plane : (channel + 1) * plane]
            result += [value * slope if value < 0 else value for value in channel_values]
        return Tensor(shape, result)
