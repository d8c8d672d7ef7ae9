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
    saves: ClassVar[str] = "output"
    onnx_operator: ClassVar[str] = "Tanh"

    backward_words: ClassVar[str] = "δ·(1 − t²), with t the output"

    def derivative(self, value: Any) -> Any:
        """1 − tanh² x."""
        return 1 - tanh(value) ** 2

    def element(self, value: Any) -> Any:
        """tanh x."""
        return tanh(value)
