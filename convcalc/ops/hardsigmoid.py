"""Piecewise linear sigmoid (Howard et al. 2019, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Inputs, Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Hardsigmoid(Pointwise):
    """min(max(alpha·x + beta, 0), 1); with the paper's 1/6 and 1/2 that is min(max(x + 3, 0), 6)/6.

    PyTorch uses the paper's constants; the default alpha of ONNX is 0.2, as it was in Keras 2.
    """

    kind: ClassVar[str] = "hardsigmoid"
    torch_module: ClassVar[str] = "Hardsigmoid"
    torch_function: ClassVar[str] = "hardsigmoid"
    saves: ClassVar[str] = "input"

    alpha: float = number(1 / 6, doc="slope of the linear part")
    beta: float = number(0.5, doc="output at x = 0")

    @property
    def is_papers(self) -> bool:
        """Whether alpha and beta are the paper's constants, which PyTorch and the compiled kernels use."""
        return self.alpha == 1 / 6 and self.beta == 0.5

    def module_name(self, inputs: Inputs) -> str:
        """Hardsigmoid, if alpha and beta are the paper's; else ""."""
        return self.torch_module if self.is_papers else ""

    def element(self, value: Any) -> Any:
        """min(max(alpha·x + beta, 0), 1)."""
        if self.is_papers:
            return min(max(value + 3, 0), 6) / 6
        return min(max(value * self.alpha + self.beta, 0), 1)
