"""The exponential function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Pointwise
from convcalc.ops._ieee import exponential


@dataclass(frozen=True, kw_only=True)
class Exp(Pointwise):
    """eˣ."""

    kind: ClassVar[str] = "exp"
    torch_function: ClassVar[str] = "exp"
    saves: ClassVar[str] = "output"
    onnx_operator: ClassVar[str] = "Exp"
    example: ClassVar[Example | None] = Example("exp", apply="exp '-4 -2 -1 -0.5 0 0.5 1 2 4' --decimals 4")

    def element(self, value: Any) -> Any:
        """eˣ."""
        return exponential(value)
