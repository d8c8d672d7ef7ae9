"""Hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass
from math import tanh
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Tanh(Pointwise):
    """tanh x."""

    kind: ClassVar[str] = "tanh"
    torch_module: ClassVar[str] = "Tanh"
    torch_function: ClassVar[str] = "tanh"

    def element(self, value: Any) -> Any:
        """tanh x."""
        return tanh(value)
