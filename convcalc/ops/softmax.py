"""Softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, ClassVar

from convcalc.ops._base import WHOLE, AxisReach, Inputs, Operator, Order, Reach, Reordered, Tensor


@dataclass(frozen=True, kw_only=True)
class Softmax(Operator):
    """eˣ/Σeˣ over the channels: of a vector, or at each position of a map."""

    kind: ClassVar[str] = "softmax"
    torch_module: ClassVar[str] = "Softmax"
    torch_function: ClassVar[str] = "softmax"
    role: ClassVar[str] = "activation"
    pointwise: ClassVar[bool] = True

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All channels."""
        return (WHOLE, *(Reach(dimension) for dimension in range(1, len(inputs[0]))))

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, where the channels are stored first."""
        return Reordered(self, order) if order[0] == 0 else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Powers of the distance to the largest, so that none overflows."""
        shape, values = inputs[0]
        plane = len(values) // shape[0]
        result: list[Any] = [0] * len(values)
        for position in range(plane):
            vector = values[position::plane]
            largest = max(vector)
            powers = [exp(value - largest) for value in vector]
            total = sum(powers)
            result[position::plane] = [power / total for power in powers]
        return Tensor(shape, result)
