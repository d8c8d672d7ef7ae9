"""Leaky rectified linear unit (Maas, Hannun & Ng 2013)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class LeakyRelu(Pointwise):
    """x for x ≥ 0, slope·x below 0."""

    kind: ClassVar[str] = "leaky_relu"
    torch_module: ClassVar[str] = "LeakyReLU"
    torch_function: ClassVar[str] = "leaky_relu"
    saves: ClassVar[str] = "input"
    main: ClassVar[str | None] = "slope"

    slope: float = number(0.01, doc="slope below 0")

    def derivative(self, value: Any) -> Any:
        """1 above 0, else the slope."""
        return self.slope if value <= 0 else 1

    def element(self, value: Any) -> Any:
        """x for x ≥ 0, slope·x below 0."""
        return value * self.slope if value < 0 else value
