"""A factor per channel that is learned (ConvNeXt's layer scale; Touvron et al. 2021, CaiT), or a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import Inputs, Operator, Order, Parameter, Reordered, Tensor, Working
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Scale(Operator):
    """weight·x, channel by channel, weight (C); or value·x with a constant, which is no weight."""

    kind: ClassVar[str] = "scale"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "initial"
    pointwise: ClassVar[bool] = True
    is_channel_affine: ClassVar[bool] = True

    initial: float = number(1.0, doc="the factor training starts from")
    value: float | None = number(None, doc="a constant factor for all, instead of a learned one per channel")

    def bind(self, inputs: Inputs) -> Self:
        """Unchanged. Raises Misfit where it is given both kinds of factor."""
        if self.value is not None and self.initial != 1:
            raise Misfit(
                f"scale is given value {self.value:g} and initial {self.initial:g}",
                "value is a constant factor, initial where a learned one starts; keep one of them",
            )
        return self

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight (C); none with value."""
        if self.value is not None:
            return ()
        return (Parameter("weight", inputs[0][:1], "weight", initial=self.initial),)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """One weight per channel."""
        return () if self.value is not None else (Working("weights", f"{inputs[0][0]:,}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, where the channels are stored first or one factor serves all."""
        return Reordered(self, order) if order[0] == 0 or self.value is not None else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """weight·x, or value·x."""
        shape, values = inputs[0]
        if self.value is not None:
            return Tensor(shape, [value * self.value for value in values])
        plane = len(values) // shape[0]
        result: list[Any] = []
        for channel, factor in enumerate(weights["weight"]):
            result += [value * factor for value in values[channel * plane : (channel + 1) * plane]]
        return Tensor(shape, result)
