"""Adaptive max pooling: windows are derived from the output size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._adaptive import AdaptivePooling
from convcalc.ops._base import Example, Tensor
from convcalc.ops.maxpool import largest


@dataclass(frozen=True, kw_only=True)
class AdaptiveMaxpool(AdaptivePooling):
    """Takes the maximum of each channel over windows chosen so that the output has the given size.

    (C, *spatial) → (C, *size). For n input pixels and m outputs on an axis, output i is the maximum of pixels
    ⌊i·n/m⌋ (included) to ⌈(i + 1)·n/m⌉ (excluded), as in PyTorch's AdaptiveMaxPool.
    """

    kind: ClassVar[str] = "adaptive_maxpool"
    torch_module: ClassVar[str] = "AdaptiveMaxPool"
    torch_function: ClassVar[str] = "adaptive_max_pool"
    saves: ClassVar[str] = "input and indices"
    example: ClassVar[Example | None] = Example(
        "adaptive_maxpool: 6", (256, 13, 13), "'adaptive_maxpool: 2' '1 2 3; 4 5 6; 7 8 9'"
    )

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The largest value of each window."""
        found = [largest(window) for window in self.gathered(inputs[0])]
        return Tensor((inputs[0].shape[0], *self.sizes(inputs[0])), found)
