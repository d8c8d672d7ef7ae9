"""The reciprocal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Pointwise
from convcalc.ops._ieee import quotient


@dataclass(frozen=True, kw_only=True)
class Reciprocal(Pointwise):
    """1/x; ∞ at 0."""

    kind: ClassVar[str] = "reciprocal"
    torch_function: ClassVar[str] = "reciprocal"
    saves: ClassVar[str] = "output"
    onnx_operator: ClassVar[str] = "Reciprocal"
    example: ClassVar[Example | None] = Example("reciprocal", apply="reciprocal '-4 -2 -0.5 0.5 1 2 4'")

    def element(self, value: Any) -> Any:
        """1/x; ∞ at 0."""
        return quotient(1, value)
