"""A placeholder for operators that convcalc does not support."""

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
    """A layer of which only the output shape is known. It accepts any number of inputs.

    Its weights and MACs are not counted, and a warning says so. A network with unknown layers cannot be run.
    """

    kind: ClassVar[str] = "unknown"
    role: ClassVar[str] = "unknown"
    inputs: ClassVar[tuple[int, int | None]] = (0, None)
    is_known: ClassVar[bool] = False
    example: ClassVar[Example | None] = Example("unknown: {op: Einsum, shape: [96, 14, 14]}")

    op: str = word(doc="name of the operator in its original format")
    shape: tuple[int, ...] = integers(minimum=1, doc="output shape")

    def output_shape(self, inputs: Inputs) -> Shape:
        """The given `shape`."""
        return self.shape

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All of every input, as no smaller reach is certain."""
        return (WHOLE,) * len(inputs[index])

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Always raises ConvcalcError."""
        raise ConvcalcError(f"{self.op} is an operator that convcalc does not know")
