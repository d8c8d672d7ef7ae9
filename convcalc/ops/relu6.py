"""Rectified linear unit with a ceiling (Krizhevsky 2010; MobileNets)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Relu6(Pointwise):
    """min(max(x, 0), 6)."""

    kind: ClassVar[str] = "relu6"
    torch_module: ClassVar[str] = "ReLU6"
    torch_function: ClassVar[str] = "relu6"
    saves: ClassVar[str] = "input"

    backward_words: ClassVar[str] = "δ where the input is between 0 and 6, else 0"

    def derivative(self, value: Any) -> int:
        """1 between 0 and 6, else 0."""
        return 0 if value <= 0 or value >= 6 else 1

    @property
    def bound(self) -> tuple[float, float]:
        """(0, 6)."""
        return 0.0, 6.0

    def element(self, value: Any) -> Any:
        """min(max(x, 0), 6)."""
        return 0 if value < 0 else 6 if value > 6 else value
