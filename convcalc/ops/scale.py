"""Scaling by a learned factor per channel (layer scale: Touvron et al. 2021, CaiT; ConvNeXt) or by a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import Inputs, Operator, Order, Parameter, Reordered, Tensor, Working
from convcalc.ops._fields import number
from convcalc.ops._saved import Saved


@dataclass(frozen=True, kw_only=True)
class Scale(Operator):
    """Multiplies each channel by a learned weight (C), or the whole input by the constant `value`."""

    kind: ClassVar[str] = "scale"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "initial"
    pointwise: ClassVar[bool] = True
    is_channel_affine: ClassVar[bool] = True

    initial: float = number(1.0, doc="initial factor for training")
    value: float | None = number(None, doc="constant factor, instead of a learned factor per channel")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if both kinds of factor are given."""
        if self.value is not None and self.initial != 1:
            raise Misfit(
                f"scale is given value {self.value:g} and initial {self.initial:g}",
                "value is a constant factor, initial where a learned one starts; keep one of them",
            )
        return self

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight (C); none if `value` is given."""
        if self.value is not None:
            return ()
        return (Parameter("weight", inputs[0][:1], "weight", initial=self.initial),)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """One weight per channel."""
        return () if self.value is not None else (Working("weights", f"{inputs[0][0]:,}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the channels are stored first or the factor is a scalar, else None."""
        return Reordered(self, order) if order[0] == 0 or self.value is not None else None

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input of a learned factor; nothing for a constant."""
        return (Saved("input", 0),) if self.value is None else ()

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
