"""The identity function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Operator, Order, Reordered, Tensor


@dataclass(frozen=True, kw_only=True)
class Identity(Operator):
    """Returns its input unchanged."""

    kind: ClassVar[str] = "identity"
    torch_module: ClassVar[str] = "Identity"
    onnx_operator: ClassVar[str] = "Identity"
    pointwise: ClassVar[bool] = True
    is_passing: ClassVar[bool] = True

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator; the storage order does not matter."""
        return Reordered(self, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Returns its input unchanged."""
        return inputs[0]
