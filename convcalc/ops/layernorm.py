"""Layer normalisation (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.ops import _axes
from convcalc.ops._base import AxisReach, Inputs, Operator, Order, Parameter, Reordered, Tensor, Working
from convcalc.ops._fields import along, flag, number
from convcalc.ops._normalisation import count_working, factor_and_offset, standardised
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Layernorm(Operator):
    """(x − mean)/√(variance + eps)·weight + bias over the channels of each position, the last dimension, or several.

    Weight and bias have the shape of what is normalised together: (C), or (C, H, W) with axis: [0, 1, 2], the
    paper's own form; the variance divides by their number.
    """

    kind: ClassVar[str] = "layernorm"
    torch_module: ClassVar[str] = "LayerNorm"
    torch_function: ClassVar[str] = "layer_norm"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "axis"
    pointwise: ClassVar[bool] = True

    axis: str | int | tuple[int, ...] = along(several=True, doc="the dimensions normalised over together")
    eps: float = number(1e-5, above=0, doc="added to the variance")
    affine: bool = flag(True, doc="learn a factor and an offset per value")

    def bind(self, inputs: Inputs) -> Self:
        """The axis in one form. Raises Misfit where the input has none such."""
        return dataclasses.replace(self, axis=_axes.settled(self.axis, inputs[0]))

    def dimensions(self, shape: Shape) -> tuple[int, ...]:
        """The dimensions normalised over together, ascending."""
        return _axes.dimensions(self.axis, len(shape))

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight and bias where affine, of the shape normalised over."""
        return factor_and_offset(_axes.sizes(self.axis, inputs[0]), self.affine)

    def module_name(self, inputs: Inputs) -> str:
        """LayerNorm acts on the last dimensions; over the channels of a map, ConvNeXt has a class of its own."""
        found, rank = self.dimensions(inputs[0]), len(inputs[0])
        if found == tuple(range(rank - len(found), rank)):
            return self.torch_module
        return "LayerNorm2d" if found == (0,) else ""

    def keeps_positions(self, inputs: Inputs) -> bool:
        """Over the channels only."""
        return _axes.dimensions(self.axis, len(inputs[0])) == (0,)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All of the dimensions normalised over."""
        return _axes.reach_over(self.dimensions(inputs[0]), len(inputs[0]))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """A factor and an offset per value normalised together."""
        if not self.affine:
            return ()
        return count_working(_axes.sizes(self.axis, inputs[0]), "weights", "biases")

    def reordered(self, order: Order) -> Reordered | None:
        """Along the dimensions where they are stored."""
        return _axes.moved(self, self.axis, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Each vector normalised by itself."""
        shape, values = inputs[0]
        result: list[Any] = [0] * len(values)
        for places in _axes.vectors(self.dimensions(shape), shape):
            vector = standardised([values[place] for place in places], self.eps)
            if self.affine:
                triples = zip(vector, weights["weight"], weights["bias"], strict=True)
                vector = [value * weight + bias for value, weight, bias in triples]
            for place, value in zip(places, vector, strict=True):
                result[place] = value
        return Tensor(shape, result)
