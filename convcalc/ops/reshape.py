"""Reshaping of a tensor."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Reordered,
    Tensor,
    Working,
    in_sequence,
    regrouped,
)
from convcalc.ops._fields import integers
from convcalc.ops._saved import view_strides
from convcalc.ops._working import product
from convcalc.shapes import Shape, show


@dataclass(frozen=True, kw_only=True)
class Reshape(Operator):
    """Gives its input a new shape; the order of values is kept. One dimension may be -1, which is then inferred."""

    kind: ClassVar[str] = "reshape"
    torch_function: ClassVar[str] = "reshape"
    passes_gradient: ClassVar[bool] = True
    role: ClassVar[str] = "reshape"
    regroups: ClassVar[bool] = True
    main: ClassVar[str | None] = "shape"
    example: ClassVar[Example | None] = Example(
        "reshape: [64, -1]", (64, 28, 28), "'reshape: [3, 2]' '1 2 3; 4 5 6'"
    )

    shape: tuple[int, ...] = integers(minimum=-1, doc="new shape, channels first; a -1 is inferred")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with -1 resolved. Raises Misfit if the numbers of values differ."""
        total = prod(inputs[0])
        if 0 in self.shape or self.shape.count(-1) > 1:
            raise Misfit(
                f"no shape can be {show(self.shape)}", "give positive dimensions, one of which may be -1"
            )
        known = prod(size for size in self.shape if size != -1)
        if total % known or (-1 not in self.shape and total != known):
            raise Misfit(
                f"the input {show(inputs[0])} has {total:,} values, the shape {show(self.shape)} "
                f"{'a multiple of ' if -1 in self.shape else ''}{known:,}",
                "give a shape with the same product, or -1 for one of its dimensions",
            )
        if -1 not in self.shape:
            return self
        shape = tuple(total // known if size == -1 else size for size in self.shape)
        return dataclasses.replace(self, shape=shape)

    def output_shape(self, inputs: Inputs) -> Shape:
        """The given `shape`."""
        return self.shape

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Each unit reads a single value; unchanged leading dimensions are read one to one."""
        return regrouped(inputs[0], self.shape)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`58·28 = 2·29·28 = 1,624`."""
        total = f"{prod(self.shape):,}"
        return (Working("values", f"{product(inputs[0])} = {product(self.shape)} = {total}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the values are stored in sequence, else None."""
        return Reordered(self, tuple(range(len(self.shape)))) if in_sequence(order) else None

    def view(self, inputs: Inputs, strides: Sequence[int]) -> tuple[int, ...] | None:
        """The strides of the new shape in the same memory, if there are any."""
        return view_strides(inputs[0], strides, self.output_shape(inputs))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The same values."""
        return Tensor(self.shape, inputs[0].values)
