"""The error function."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Erf(Pointwise):
    """2/√π·∫e^(−t²) dt from 0 to x."""

    kind: ClassVar[str] = "erf"
    torch_function: ClassVar[str] = "erf"
    saves: ClassVar[str] = "input"
    onnx_operator: ClassVar[str] = "Erf"

    def element(self, value: Any) -> Any:
        """2/√π·∫e^(−t²) dt from 0 to x."""
        return erf(value)
