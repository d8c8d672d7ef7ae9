"""The natural logarithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Pointwise
from convcalc.ops._ieee import logarithm


@dataclass(frozen=True, kw_only=True)
class Log(Pointwise):
    """ln x: −∞ of 0, no number of what is below."""

    kind: ClassVar[str] = "log"
    torch_function: ClassVar[str] = "log"
    example: ClassVar[Example | None] = Example("log", apply="log '0.25 0.5 1 2 4 10' --decimals 4")

    def element(self, value: Any) -> Any:
        """ln x: −∞ of 0, no number of what is below."""
        return logarithm(value)
