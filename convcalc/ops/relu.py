"""Rectified linear unit (Nair & Hinton 2010)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from convcalc.ops._base import Pointwise, Tensor


@dataclass(frozen=True, kw_only=True)
class Relu(Pointwise):
    """max(x, 0)."""

    kind: ClassVar[str] = "relu"
    torch_module: ClassVar[str] = "ReLU"
    torch_function: ClassVar[str] = "relu"
    saves: ClassVar[str] = "output"
    onnx_operator: ClassVar[str] = "Relu"

    backward_words: ClassVar[str] = "δ where the input is above 0, else 0"

    def derivative(self, value: Any) -> int:
        """1 above 0, else 0."""
        return 0 if value <= 0 else 1

    @property
    def bound(self) -> tuple[float, float]:
        """(0, ∞)."""
        return 0.0, inf

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """max(x, 0); NaN stays NaN."""
        return Tensor(inputs[0].shape, [0 if value < 0 else value for value in inputs[0].values])
