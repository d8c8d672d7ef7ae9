"""Dropout (Srivastava et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from convcalc.ops._base import Inputs, Operator, Order, Reordered, Tensor
from convcalc.ops._fields import choice, number
from convcalc.ops._saved import Saved, made


@dataclass(frozen=True, kw_only=True)
class Dropout(Operator):
    """Zeroes a fraction `rate` of its input in training; at inference, as here, it returns its input unchanged.

    With per: sample a sample's whole tensor is zeroed, so that a residual branch is skipped (stochastic depth, Huang et
    al. 2016).
    """

    kind: ClassVar[str] = "dropout"
    torch_module: ClassVar[str] = "Dropout"
    torch_function: ClassVar[str] = "dropout"
    main: ClassVar[str | None] = "rate"
    pointwise: ClassVar[bool] = True
    is_passing: ClassVar[bool] = True

    rate: float = number(0.5, minimum=0, maximum=1, doc="fraction zeroed in training; no effect at inference")
    per: str = choice(
        "element",
        "channel",
        "sample",
        default="element",
        doc="what is zeroed together; sample: stochastic depth",
    )

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator; the storage order does not matter."""
        return Reordered(self, order)

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The mask, as numbers of the network's type."""
        masked = {"element": inputs[0], "channel": inputs[0][:1], "sample": ()}[self.per]
        return (made("mask", prod(masked)),) if self.rate else ()

    def view(self, inputs: Inputs, strides: Sequence[int]) -> tuple[int, ...] | None:
        """The same strides if nothing is dropped: PyTorch then returns the input itself."""
        return None if self.rate else tuple(strides)

    def module_name(self, inputs: Inputs) -> str:
        """Dropout, Dropout2d of whole channels, or torchvision's StochasticDepth of whole samples."""
        return {
            "element": "Dropout",
            "channel": f"Dropout{len(inputs[0]) - 1}d",
            "sample": "StochasticDepth",
        }[self.per]

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The input."""
        return inputs[0]
