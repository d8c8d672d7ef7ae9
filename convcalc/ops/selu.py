"""Scaled exponential linear unit (Klambauer et al. 2017, Self-normalizing neural networks)."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Selu(Pointwise):
    """scale·x for x ≥ 0, scale·alpha·(eˣ − 1) below 0. The default constants preserve mean 0 and variance 1."""

    kind: ClassVar[str] = "selu"
    torch_module: ClassVar[str] = "SELU"
    torch_function: ClassVar[str] = "selu"
    saves: ClassVar[str] = "input"

    alpha: float = number(1.6732632423543772, doc="the output tends to −scale·alpha as x → −∞")
    scale: float = number(1.0507009873554805, doc="factor of both branches; gamma in ONNX")

    def element(self, value: Any) -> Any:
        """scale·x for x ≥ 0, scale·alpha·(eˣ − 1) below 0."""
        return self.scale * (self.alpha * expm1(value) if value < 0 else value)
