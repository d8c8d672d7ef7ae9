"""Flattening of a map into a vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from convcalc.ops._base import (
    AxisReach,
    Example,
    Gradient,
    Inputs,
    Operator,
    Order,
    Reordered,
    Tensor,
    Working,
    in_sequence,
    regrouped,
)
from convcalc.ops._working import product
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Flatten(Operator):
    """Flattens its input into a vector; the order of values is kept. (C, *spatial) → (C·…)."""

    kind: ClassVar[str] = "flatten"
    torch_module: ClassVar[str] = "Flatten"
    torch_function: ClassVar[str] = "flatten"
    passes_gradient: ClassVar[bool] = True
    role: ClassVar[str] = "reshape"
    regroups: ClassVar[bool] = True
    example: ClassVar[Example | None] = Example("flatten", (256, 6, 6), "flatten '1 2 3; 4 5 6'")

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C·…)."""
        return (prod(inputs[0]),)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Each unit reads a single value; flattening C×1×1 keeps the channels."""
        return regrouped(inputs[0], self.output_shape(inputs))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`256·2·2 = 1,024`."""
        return (Working("output size", f"{product(inputs[0])} = {prod(inputs[0]):,}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the values are stored in sequence, else None."""
        return Reordered(self, (0,)) if in_sequence(order) else None

    def view(self, inputs: Inputs, strides: Sequence[int]) -> tuple[int, ...] | None:
        """One stride if the values lie one after another."""
        from convcalc.ops._saved import view_strides

        return view_strides(inputs[0], strides, self.output_shape(inputs))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The same values."""
        values = inputs[0].values
        return Tensor((len(values),), values)

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Reshapes δ to the input shape."""
        return {"input": Gradient(Tensor(inputs[0].shape, gradient.values), "δ in the input's shape")}
