"""Gaussian error linear unit (Hendrycks & Gimpel 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, pi, sqrt, tanh
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise
from convcalc.ops._fields import choice


@dataclass(frozen=True, kw_only=True)
class Gelu(Pointwise):
    """x·Φ(x), with Φ the cumulative standard normal distribution; or its tanh approximation."""

    kind: ClassVar[str] = "gelu"
    torch_module: ClassVar[str] = "GELU"
    torch_function: ClassVar[str] = "gelu"
    saves: ClassVar[str] = "input"

    approximate: str = choice("none", "tanh", default="none", doc="exact, or the paper's tanh formula")

    def element(self, value: Any) -> Any:
        """x·(1 + erf(x/√2))/2, or x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2."""
        if self.approximate == "tanh":
            return value * (1 + tanh(sqrt(2 / pi) * (value + 0.044715 * value * value * value))) / 2
        return value * (1 + erf(value / sqrt(2))) / 2
