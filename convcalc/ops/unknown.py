"""The place of an operator that convcalc does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.errors import ConvcalcError
from convcalc.ops._base import WHOLE, AxisReach, Example, Inputs, Operator, Tensor
from convcalc.ops._fields import integers, word
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Unknown(Operator):
    """A layer of which nothing is known but its output's shape. It may read any number of layers.

    Its weights and MACs are not counted, of which a warning tells, and a network with such layers cannot be run.
    """

    kind: ClassVar[str] = "unknown"
    role: ClassVar[str] = "unknown"
    inputs: ClassVar[tuple[int, int | None]] = (0, None)
    is_known: ClassVar[bool] = False
    example: ClassVar[Example | None] = Example("unknown: {op: Einsum, shape: [96, 14, 14]}")

    op: str = word(doc="what the operator is called elsewhere")
    shape: tuple[int, ...] = integers(minimum=1, doc="the shape of its output")

    def output_shape(self, inputs: Inputs) -> Shape:
        """shape."""
        return self.shape

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All of every input: nothing less is certain."""
        return (WHOLE,) * len(inputs[index])

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Raises ConvcalcError."""
        raise ConvcalcError(f"{self.op} is an operator that convcalc does not know")
