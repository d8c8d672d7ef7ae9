"""Softplus (Dugas et al. 2000)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log1p
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Softplus(Pointwise):
    """ln(1 + e^(beta·x))/beta, without overflow; x if beta·x exceeds `threshold`, as in PyTorch."""

    kind: ClassVar[str] = "softplus"
    torch_module: ClassVar[str] = "Softplus"
    torch_function: ClassVar[str] = "softplus"
    saves: ClassVar[str] = "input"

    beta: float = number(1.0, above=0, doc="sharpness; larger values are closer to relu")
    threshold: float = number(20.0, doc="the output is x if beta·x exceeds this")

    def element(self, value: Any) -> Any:
        """ln(1 + e^(beta·x))/beta, or x above the threshold."""
        scaled = value * self.beta
        if scaled > self.threshold:
            return value
        return (max(scaled, 0) + log1p(exp(-abs(scaled)))) / self.beta
