"""Softmax (Bridle 1990)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, ClassVar, Self

from convcalc.ops import _axes
from convcalc.ops._base import Inputs, Tensor
from convcalc.ops._fields import along


@dataclass(frozen=True, kw_only=True)
class Softmax(_axes.AlongAxes):
    """eˣ/Σeˣ along one dimension: by default the channels, separately at each position of a map."""

    kind: ClassVar[str] = "softmax"
    torch_module: ClassVar[str] = "Softmax"
    torch_function: ClassVar[str] = "softmax"
    saves: ClassVar[str] = "output"
    role: ClassVar[str] = "activation"

    axis: str | int = along(doc="dimension along which outputs sum to 1")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `axis` in canonical form. Raises Misfit if the input has no such dimension."""
        return dataclasses.replace(self, axis=_axes.settled_one(self.axis, inputs[0]))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Subtracts the maximum before exponentiation, which prevents overflow."""
        shape, values = inputs[0]
        result: list[Any] = [0] * len(values)
        for places in _axes.vectors(_axes.dimensions(self.axis, len(shape)), shape):
            vector = [values[place] for place in places]
            largest = max(vector)
            powers = [exp(value - largest) for value in vector]
            total = sum(powers)
            for place, power in zip(places, powers, strict=True):
                result[place] = power / total
        return Tensor(shape, result)
