"""Dimensions in another order."""

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
    """Output dimension i is input dimension order[i]; 0 is the channels. [1, 2, 0]: (C, H, W) → (H, W, C)."""

    kind: ClassVar[str] = "transpose"
    torch_module: ClassVar[str] = "Permute"  # of torchvision.ops
    torch_function: ClassVar[str] = "permute"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "order"
    example: ClassVar[Example | None] = Example("transpose: [1, 2, 0]", (64, 28, 28))

    order: tuple[int, ...] = integers(doc="the input's dimensions in their new order, 0 the channels")

    def bind(self, inputs: Inputs) -> Self:
        """Unchanged. Raises Misfit unless each of the input's dimensions is named once."""
        rank = len(inputs[0])
        if sorted(self.order) != list(range(rank)):
            raise Misfit(
                f"order {list(self.order)} does not name each dimension of {show(inputs[0])} once",
                f"use each of {', '.join(map(str, range(rank)))} once",
            )
        return self

    def output_shape(self, inputs: Inputs) -> Shape:
        """The input's dimensions in order."""
        return tuple(inputs[0][dimension] for dimension in self.order)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Each dimension is walked by the one it became."""
        return tuple(Reach(self.order.index(dimension)) for dimension in range(len(inputs[0])))

    def reordered(self, order: Order) -> Reordered | None:
        """Nothing to compute: the stored tensor stays, and its dimensions are read in another order."""
        return Reordered(Identity(), tuple(order[dimension] for dimension in self.order))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The last output dimension strides through the input, once per place of the others."""
        shape, values = inputs[0]
        steps = [prod(shape[dimension + 1 :]) for dimension in self.order]
        *lead, last = [range(0, shape[d] * step, step) for d, step in zip(self.order, steps, strict=True)]
        result: list[Any] = []
        for place in product(*lead):
            start = sum(place)
            result += values[start : start + last.stop : last.step]
        return Tensor(tuple(shape[dimension] for dimension in self.order), result)
