"""Dropout (Srivastava et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Operator, Order, Reordered, Tensor
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Dropout(Operator):
    """Zeroes a fraction `rate` of its input in training; at inference, as here, it returns its input unchanged."""

    kind: ClassVar[str] = "dropout"
    torch_module: ClassVar[str] = "Dropout"
    torch_function: ClassVar[str] = "dropout"
    main: ClassVar[str | None] = "rate"
    pointwise: ClassVar[bool] = True
    is_passing: ClassVar[bool] = True

    rate: float = number(0.5, minimum=0, maximum=1, doc="fraction zeroed in training; no effect at inference")

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator; the storage order does not matter."""
        return Reordered(self, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The input."""
        return inputs[0]
