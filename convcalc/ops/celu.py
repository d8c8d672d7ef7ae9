"""Continuously differentiable exponential linear unit (Barron 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Celu(Pointwise):
    """x for x ≥ 0, alpha·(e^(x/alpha) − 1) below 0."""

    kind: ClassVar[str] = "celu"
    torch_module: ClassVar[str] = "CELU"
    torch_function: ClassVar[str] = "celu"
    saves: ClassVar[str] = "input"
    main: ClassVar[str | None] = "alpha"

    alpha: float = number(1.0, above=0, doc="the output tends to −alpha as x → −∞")

    def element(self, value: Any) -> Any:
        """x for x ≥ 0, alpha·(e^(x/alpha) − 1) below 0."""
        return self.alpha * expm1(value / self.alpha) if value < 0 else value
