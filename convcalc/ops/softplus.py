"""Softplus (Dugas et al. 2000)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log1p
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Softplus(Pointwise):
    """ln(1 + eˣ), without overflow."""

    kind: ClassVar[str] = "softplus"
    torch_module: ClassVar[str] = "Softplus"
    torch_function: ClassVar[str] = "softplus"

    def element(self, value: Any) -> Any:
        """ln(1 + eˣ), without overflow."""
        return max(value, 0) + log1p(exp(-abs(value)))
