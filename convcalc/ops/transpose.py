"""Permutation of dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import AxisReach, Example, Inputs, Operator, Order, Reach, Reordered, Tensor
from convcalc.ops._fields import integers
from convcalc.ops.identity import Identity
from convcalc.shapes import Shape, show


@dataclass(frozen=True, kw_only=True)
class Transpose(Operator):
    """Permutes dimensions: output dimension i is input dimension order[i]. [1, 2, 0]: (C, H, W) → (H, W, C)."""

    kind: ClassVar[str] = "transpose"
    torch_module: ClassVar[str] = "Permute"  # of torchvision.ops
    torch_function: ClassVar[str] = "permute"
    passes_gradient: ClassVar[bool] = True
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "order"
    example: ClassVar[Example | None] = Example("transpose: [1, 2, 0]", (64, 28, 28))

    order: tuple[int, ...] = integers(doc="input dimensions in their new order; 0 is the channels")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit unless each input dimension is listed once."""
        rank = len(inputs[0])
        if sorted(self.order) != list(range(rank)):
            raise Misfit(
                f"order {list(self.order)} does not name each dimension of {show(inputs[0])} once",
                f"use each of {', '.join(map(str, range(rank)))} once",
            )
        return self

    def output_shape(self, inputs: Inputs) -> Shape:
        """The input dimensions, permuted by `order`."""
        return tuple(inputs[0][dimension] for dimension in self.order)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Each input dimension is read along the output dimension that it becomes."""
        return tuple(Reach(self.order.index(dimension)) for dimension in range(len(inputs[0])))

    def reordered(self, order: Order) -> Reordered | None:
        """The identity with a permuted order: the stored tensor does not change."""
        return Reordered(Identity(), tuple(order[dimension] for dimension in self.order))

    def view(self, inputs: Inputs, strides: Sequence[int]) -> tuple[int, ...] | None:
        """The strides in their new order."""
        return tuple(strides[dimension] for dimension in self.order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Reads the last output dimension as a strided slice of the input, for each place in the others."""
        shape, values = inputs[0]
        steps = [prod(shape[dimension + 1 :]) for dimension in self.order]
        *lead, last = [range(0, shape[d] * step, step) for d, step in zip(self.order, steps, strict=True)]
        result: list[Any] = []
        for place in product(*lead):
            start = sum(place)
            result += values[start : start + last.stop : last.step]
        return Tensor(tuple(shape[dimension] for dimension in self.order), result)
