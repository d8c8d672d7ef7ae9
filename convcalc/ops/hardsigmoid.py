"""Piecewise linear sigmoid (Howard et al. 2019, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Inputs, Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Hardsigmoid(Pointwise):
    """min(max(alpha·x + beta, 0), 1); with the paper's 1/6 and 1/2 that is min(max(x + 3, 0), 6)/6.

    PyTorch has the paper's; ONNX's default is alpha 0.2, and Keras 2 had alpha 0.2 too.
    """

    kind: ClassVar[str] = "hardsigmoid"
    torch_module: ClassVar[str] = "Hardsigmoid"
    torch_function: ClassVar[str] = "hardsigmoid"

    alpha: float = number(1 / 6, doc="the slope in the middle")
    beta: float = number(0.5, doc="the value at 0")

    @property
    def is_papers(self) -> bool:
        """Whether alpha and beta are the paper's, which PyTorch and the kernels have."""
        return self.alpha == 1 / 6 and self.beta == 0.5

    def module_name(self, inputs: Inputs) -> str:
        """PyTorch has the paper's only."""
        return self.torch_module if self.is_papers else ""

    def element(self, value: Any) -> Any:
        """min(max(alpha·x + beta, 0), 1)."""
        if self.is_papers:
            return min(max(value + 3, 0), 6) / 6
        return min(max(value * self.alpha + self.beta, 0), 1)
