"""Negation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Pointwise


@dataclass(frozen=True, kw_only=True)
class Negate(Pointwise):
    """−x."""

    kind: ClassVar[str] = "negate"
    torch_function: ClassVar[str] = "neg"
    onnx_operator: ClassVar[str] = "Neg"
    example: ClassVar[Example | None] = Example("negate", apply="negate '-4 -2 -0.5 0 0.5 2 4'")

    def element(self, value: Any) -> Any:
        """−x."""
        return -value
