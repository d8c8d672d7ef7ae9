"""A learned factor per channel (ConvNeXt's layer scale; Touvron et al. 2021, CaiT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Inputs, Operator, Order, Parameter, Reordered, Tensor, Working
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Scale(Operator):
    """weight·x, channel by channel. Weight (C)."""

    kind: ClassVar[str] = "scale"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "initial"
    pointwise: ClassVar[bool] = True

    initial: float = number(1.0, doc="the factor training starts from")

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight (C)."""
        return (Parameter("weight", inputs[0][:1], "weight", initial=self.initial),)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """One weight per channel."""
        return (Working("weights", f"{inputs[0][0]:,}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, where the channels are stored first."""
        return Reordered(self, order) if order[0] == 0 else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """weight·x."""
        shape, values = inputs[0]
        plane = len(values) // shape[0]
        result: list[Any] = []
        for channel, factor in enumerate(weights["weight"]):
            result += [value * factor for value in values[channel * plane : (channel + 1) * plane]]
        return Tensor(shape, result)
