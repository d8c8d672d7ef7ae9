"""The square root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Pointwise
from convcalc.ops._ieee import square_root


@dataclass(frozen=True, kw_only=True)
class Sqrt(Pointwise):
    """√x: NaN below 0."""

    kind: ClassVar[str] = "sqrt"
    torch_function: ClassVar[str] = "sqrt"
    saves: ClassVar[str] = "output"
    onnx_operator: ClassVar[str] = "Sqrt"
    example: ClassVar[Example | None] = Example("sqrt", apply="sqrt '0 0.25 1 2 4 9' --decimals 4")

    def element(self, value: Any) -> Any:
        """√x: NaN below 0."""
        return square_root(value)
