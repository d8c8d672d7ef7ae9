"""Layer normalisation (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Inputs,
    Operator,
    Order,
    Parameter,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._fields import choice, number


@dataclass(frozen=True, kw_only=True)
class Layernorm(Operator):
    """(x − mean)/√(variance + eps)·weight + bias over the channels of each position, or the last dimension.

    Weight and bias (n) for n values normalised together; the variance divides by n. The paper's own form,
    over everything but the batch, is this after flatten.
    """

    kind: ClassVar[str] = "layernorm"
    torch_module: ClassVar[str] = "LayerNorm"
    torch_function: ClassVar[str] = "layer_norm"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "axis"
    pointwise: ClassVar[bool] = True

    axis: str = choice("channels", "last", default="channels", doc="the dimension normalised over")
    eps: float = number(1e-5, above=0, doc="added to the variance")

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight (n), bias (n)."""
        count = (inputs[0][self._dimension],)
        return (Parameter("weight", count, "weight", initial=1.0), Parameter("bias", count, "bias"))

    def module_name(self, inputs: Inputs) -> str:
        """LayerNorm acts on the last dimension; over the channels of a map, ConvNeXt has a class of its own."""
        return "LayerNorm2d" if self._dimension == 0 and len(inputs[0]) > 1 else self.torch_module

    @property
    def _dimension(self) -> int:
        return 0 if self.axis == "channels" else -1

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All of the dimension normalised over."""
        walks: list[AxisReach] = [Reach(dimension) for dimension in range(len(inputs[0]))]
        walks[self._dimension] = WHOLE
        return tuple(walks)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """A factor and an offset per value of the dimension."""
        count = f"{inputs[0][self._dimension]:,}"
        return (Working("weights", count), Working("biases", count))

    def reordered(self, order: Order) -> Reordered | None:
        """Over the first or the last dimension, where the one normalised over is stored there."""
        place = order[self._dimension]
        if place not in (0, len(order) - 1):
            return None
        return Reordered(dataclasses.replace(self, axis="last" if place else "channels"), order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Each vector normalised by itself."""
        shape, values = inputs[0]
        length = shape[self._dimension]
        count = len(values) // length
        weight, bias = list(weights["weight"]), list(weights["bias"])
        if self.axis == "last":
            places = [slice(i * length, (i + 1) * length) for i in range(count)]
        else:
            places = [slice(i, None, count) for i in range(count)]
        result: list[Any] = [0] * len(values)
        for place in places:
            vector = values[place]
            mean = sum(vector) / length
            centred = [value - mean for value in vector]
            factor = 1 / sqrt(sum([value * value for value in centred]) / length + self.eps)
            result[place] = [c * factor * w + b for c, w, b in zip(centred, weight, bias, strict=True)]
        return Tensor(shape, result)
