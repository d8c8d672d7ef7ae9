"""The absolute value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Pointwise


@dataclass(frozen=True, kw_only=True)
class Abs(Pointwise):
    """|x|."""

    kind: ClassVar[str] = "abs"
    torch_function: ClassVar[str] = "abs"
    saves: ClassVar[str] = "input"
    onnx_operator: ClassVar[str] = "Abs"
    example: ClassVar[Example | None] = Example("abs", apply="abs '-4 -2 -0.5 0 0.5 2 4'")

    def element(self, value: Any) -> Any:
        """|x|."""
        return abs(value)
