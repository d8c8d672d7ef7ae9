"""Sigmoid linear unit, also called swish (Elfwing, Uchibe & Doya 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Silu(Pointwise):
    """x/(1 + e⁻ˣ), without overflow."""

    kind: ClassVar[str] = "silu"
    torch_module: ClassVar[str] = "SiLU"
    torch_function: ClassVar[str] = "silu"
    saves: ClassVar[str] = "input"

    def element(self, value: Any) -> Any:
        """x/(1 + e⁻ˣ), without overflow."""
        if value < 0:
            power = exp(value)
            return value * power / (1 + power)
        return value / (1 + exp(-value))
