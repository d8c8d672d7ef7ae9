"""Logistic function."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise


@dataclass(frozen=True, kw_only=True)
class Sigmoid(Pointwise):
    """1/(1 + e⁻ˣ), without overflow."""

    kind: ClassVar[str] = "sigmoid"
    torch_module: ClassVar[str] = "Sigmoid"
    torch_function: ClassVar[str] = "sigmoid"
    saves: ClassVar[str] = "output"
    onnx_operator: ClassVar[str] = "Sigmoid"

    backward_words: ClassVar[str] = "δ·s·(1 − s), with s the output"

    def derivative(self, value: Any) -> Any:
        """s·(1 − s)."""
        output = self.element(value)
        return output * (1 - output)

    def element(self, value: Any) -> Any:
        """1/(1 + e⁻ˣ), without overflow."""
        if value < 0:
            power = exp(value)
            return power / (1 + power)
        return 1 / (1 + exp(-value))
