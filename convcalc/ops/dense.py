"""Dense (fully connected, linear) layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Example,
    Gradient,
    Inputs,
    Operator,
    Order,
    OutputPart,
    Parameter,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._dot import Rows, dot
from convcalc.ops._fields import choice, flag, integer
from convcalc.ops._working import equation
from convcalc.ops.conv import Conv
from convcalc.shapes import Shape, show

BLOCK = 256  # units whose weights are taken together


@dataclass(frozen=True, kw_only=True)
class Dense(Operator):
    """Fully connected layer: weight·x + bias. (features) → (units); with axis: last, (…, features) → (…, units).

    Weight (units, features); bias (units).
    """

    kind: ClassVar[str] = "dense"
    torch_module: ClassVar[str] = "Linear"
    torch_function: ClassVar[str] = "linear"
    saves: ClassVar[str] = "input"
    role: ClassVar[str] = "dense"
    main: ClassVar[str | None] = "units"
    channels_field: ClassVar[str | None] = "units"
    example: ClassVar[Example | None] = Example(
        "- flatten\n- dense: 4096", (256, 6, 6), "dense --weights '1 2; 3 4' --bias '0 100' '5 6'"
    )

    units: int = integer(doc="output features")
    bias: bool = flag(True, doc="add a learned bias to each unit")
    axis: str | None = choice("last", default=None, doc="last: apply to the last dimension at each position")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit for a map, which must be flattened first."""
        shape = inputs[0]
        if len(shape) > 1 and self.axis is None:
            raise Misfit(
                f"dense needs a vector, the input is {show(shape)}",
                f"put flatten before it ({prod(shape):,} features), or set axis: last to act on the last "
                f"dimension ({shape[-1]:,} features)",
            )
        return self

    def output_shape(self, inputs: Inputs) -> Shape:
        """(…, units)."""
        return (*inputs[0][:-1], self.units)

    def weight_factors(self, inputs: Inputs) -> tuple[int, ...]:
        """features·units."""
        return (inputs[0][-1], self.units)

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight (units, features), bias (units)."""
        features = inputs[0][-1]
        weight = Parameter("weight", (self.units, features), "weight", fan_in=features)
        return (weight, Parameter("bias", (self.units,), "bias")) if self.bias else (weight,)

    def macs(self, inputs: Inputs) -> int:
        """The number of weights times the number of positions."""
        return prod(self.weight_factors(inputs)) * prod(inputs[0][:-1])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All features at the same position."""
        return (*(Reach(dimension) for dimension in range(len(inputs[0]) - 1)), WHOLE)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """Weights, biases and MACs."""
        factors = self.weight_factors(inputs)
        lines = [Working("weights", equation(factors))]
        if self.bias:
            lines.append(Working("biases", f"{self.units:,}"))
        macs = f"{self.macs(inputs):,}"
        if len(inputs[0]) > 1:
            macs = f"{prod(factors):,} · {show(inputs[0][:-1])} = {macs}"
        return (*lines, Working("MACs", macs))

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if features are stored last; a convolution with kernel 1 if they are stored first."""
        if order[-1] == len(order) - 1:
            return Reordered(self, order)
        if order[-1] == 0 and len(order) <= 4:
            return Reordered(Conv(filters=self.units, kernel=1, bias=self.bias), order)
        return None

    def smallest_part(self, inputs: Inputs) -> int | None:
        """A single unit; None if units are the last dimension of a map, and hence not its channels."""
        return 1 if len(inputs[0]) == 1 else None

    def part(self, inputs: Inputs, channels: range) -> OutputPart:
        """A dense layer with some of the units, which read all features."""
        return OutputPart(dataclasses.replace(self, units=len(channels)), range(inputs[0][0]))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Computes a dot product per unit, some units at a time: there may be a hundred million weights."""
        (*lead, features), values = inputs[0]
        vectors = [values[i : i + features] for i in range(0, len(values), features)]
        weight = weights["weight"]
        bias = weights["bias"] if self.bias else [0] * self.units
        columns = []
        for first in range(0, self.units, BLOCK):
            units = range(first, min(first + BLOCK, self.units))
            rows = Rows([weight[u * features : (u + 1) * features] for u in units], values, len(vectors))
            for unit, products in zip(units, rows.times(vectors), strict=True):
                columns.append([product + bias[unit] for product in products])
        return Tensor((*lead, self.units), list(chain.from_iterable(zip(*columns, strict=True))))

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """input: the transposed weight matrix times δ; weight: the outer product of δ and the input; bias: δ."""
        shape, values = inputs[0]
        features, units, weight = shape[-1], self.units, weights["weight"]
        vectors = [values[i : i + features] for i in range(0, len(values), features)]
        deltas = [gradient.values[i : i + units] for i in range(0, len(gradient.values), units)]
        back = [dot(delta, weight[feature::features]) for delta in deltas for feature in range(features)]
        across = [
            sum(delta[unit] * vector[feature] for delta, vector in zip(deltas, vectors, strict=True))
            for unit in range(units)
            for feature in range(features)
        ]
        found = {
            "input": Gradient(Tensor(shape, back), "the transposed matrix times δ"),
            "weight": Gradient(Tensor((units, features), across), "δ of each unit times each input"),
        }
        if self.bias:
            sums = [sum(delta[unit] for delta in deltas) for unit in range(units)]
            found["bias"] = Gradient(
                Tensor((units,), sums), "δ itself" if len(deltas) == 1 else "the sum of δ"
            )
        return found
