"""Mish (Misra 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log1p, tanh
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Mish(Pointwise):
    """x·tanh(ln(1 + eˣ)), without overflow."""

    kind: ClassVar[str] = "mish"
    torch_module: ClassVar[str] = "Mish"
    torch_function: ClassVar[str] = "mish"
    saves: ClassVar[str] = "input"

    def element(self, value: Any) -> Any:
        """x·tanh(ln(1 + eˣ)), without overflow."""
        return value * tanh(max(value, 0) + log1p(exp(-abs(value))))
