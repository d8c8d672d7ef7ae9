"""The natural logarithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Pointwise
from convcalc.ops._ieee import logarithm


@dataclass(frozen=True, kw_only=True)
class Log(Pointwise):
    """Natural logarithm ln x: −∞ at 0, NaN below 0."""

    kind: ClassVar[str] = "log"
    torch_function: ClassVar[str] = "log"
    saves: ClassVar[str] = "input"
    onnx_operator: ClassVar[str] = "Log"
    example: ClassVar[Example | None] = Example("log", apply="log '0.25 0.5 1 2 4 10' --decimals 4")

    def element(self, value: Any) -> Any:
        """Natural logarithm ln x: −∞ at 0, NaN below 0."""
        return logarithm(value)
