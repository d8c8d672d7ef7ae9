"""Piecewise linear sigmoid (Howard et al. 2019, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Hardsigmoid(Pointwise):
    """min(max(x + 3, 0), 6)/6."""

    kind: ClassVar[str] = "hardsigmoid"
    torch_module: ClassVar[str] = "Hardsigmoid"
    torch_function: ClassVar[str] = "hardsigmoid"

    def element(self, value: Any) -> Any:
        """min(max(x + 3, 0), 6)/6."""
        return min(max(value + 3, 0), 6) / 6
