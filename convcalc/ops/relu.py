"""Rectified linear unit (Nair & Hinton 2010)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops.base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Relu(Pointwise):
    """max(x, 0)."""

    kind: ClassVar[str] = "relu"

    def element(self, value: Any) -> Any:
        """max(x, 0)."""
        return value if value > 0 else value * 0
