"""Piecewise linear swish (Howard et al. 2019, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Hardswish(Pointwise):
    """x·min(max(x + 3, 0), 6)/6."""

    kind: ClassVar[str] = "hardswish"
    torch_module: ClassVar[str] = "Hardswish"
    torch_function: ClassVar[str] = "hardswish"
    saves: ClassVar[str] = "input"

    def element(self, value: Any) -> Any:
        """x·min(max(x + 3, 0), 6)/6."""
        return value * min(max(value + 3, 0), 6) / 6
