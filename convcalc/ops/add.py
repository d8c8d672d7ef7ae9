"""The sum of branches (He et al. 2015: a residual and its shortcut)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.ops._base import Example, Inputs, Operator, Order, Reordered, Tensor, mismatch


@dataclass(frozen=True, kw_only=True)
class Add(Operator):
    """The sum, element by element, of inputs of equal shape."""

    kind: ClassVar[str] = "add"
    torch_function: ClassVar[str] = "add"
    role: ClassVar[str] = "join"
    inputs: ClassVar[tuple[int, int | None]] = (2, None)
    example: ClassVar[Example | None] = Example(
        "add:\n  - - conv: {filters: 64, kernel: 3, padding: 1}\n  - []", (64, 28, 28)
    )

    def bind(self, inputs: Inputs) -> Self:
        """Unchanged. Raises Misfit when shapes differ."""
        if len(set(inputs)) > 1:
            raise mismatch("add needs equal shapes", inputs)
        return self

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, in any order."""
        return Reordered(self, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The sum."""
        result = inputs[0].values
        for tensor in inputs[1:]:
            result = [a + b for a, b in zip(result, tensor.values, strict=True)]
        return Tensor(inputs[0].shape, result)
