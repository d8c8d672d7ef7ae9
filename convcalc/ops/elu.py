"""Exponential linear unit (Clevert, Unterthiner & Hochreiter 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Elu(Pointwise):
    """x for x ≥ 0, alpha·(eˣ − 1) below 0."""

    kind: ClassVar[str] = "elu"
    torch_module: ClassVar[str] = "ELU"
    torch_function: ClassVar[str] = "elu"
    saves: ClassVar[str] = "input"
    main: ClassVar[str | None] = "alpha"

    alpha: float = number(1.0, doc="the output tends to −alpha as x → −∞")

    def element(self, value: Any) -> Any:
        """x for x ≥ 0, alpha·(eˣ − 1) below 0."""
        return self.alpha * expm1(value) if value < 0 else value
