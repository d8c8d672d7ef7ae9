"""The identity function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Inputs, Operator, Order, Reordered, Tensor


@dataclass(frozen=True, kw_only=True)
class Identity(Operator):
    """Returns its input unchanged."""

    kind: ClassVar[str] = "identity"
    torch_module: ClassVar[str] = "Identity"
    passes_gradient: ClassVar[bool] = True
    onnx_operator: ClassVar[str] = "Identity"
    pointwise: ClassVar[bool] = True
    is_passing: ClassVar[bool] = True

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator; the storage order does not matter."""
        return Reordered(self, order)

    def view(self, inputs: Inputs, strides: Sequence[int]) -> tuple[int, ...] | None:
        """The same strides."""
        return tuple(strides)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Returns its input unchanged."""
        return inputs[0]
