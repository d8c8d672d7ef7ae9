"""Adaptive average pooling: windows are derived from the output size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from convcalc.ops._adaptive import AdaptivePooling
from convcalc.ops._base import Example, Gradient, Inputs, Tensor
from convcalc.ops._gradients import planes
from convcalc.ops._saved import Saved


@dataclass(frozen=True, kw_only=True)
class AdaptiveAvgpool(AdaptivePooling):
    """Averages each channel over windows chosen so that the output has the given size.

    (C, *spatial) → (C, *size). For n input pixels and m outputs on an axis, output i is the mean of pixels ⌊i·n/m⌋
    (included) to ⌈(i + 1)·n/m⌉ (excluded), as in PyTorch's AdaptiveAvgPool.
    """

    kind: ClassVar[str] = "adaptive_avgpool"
    torch_module: ClassVar[str] = "AdaptiveAvgPool"
    torch_function: ClassVar[str] = "adaptive_avg_pool"
    example: ClassVar[Example | None] = Example(
        "adaptive_avgpool: 6", (256, 13, 13), "'adaptive_avgpool: 2' '1 2 3; 4 5 6; 7 8 9'"
    )

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input; nothing for a single pixel, which PyTorch computes as a mean."""
        return () if set(self.output_shape(inputs)[1:]) == {1} else (Saved("input", 0),)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The mean of each window."""
        means = [sum(window) / len(window) for window in self.gathered(inputs[0])]
        return Tensor((inputs[0].shape[0], *self.sizes(inputs[0])), means)

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Distributes each δ evenly over the pixels of its window."""
        shape = inputs[0].shape
        reads = self.reads(inputs[0])
        result: list[Any] = []
        for deltas in planes(gradient.values, shape[0]):
            sums: list[Any] = [0] * prod(shape[1:])
            for read, delta in zip(reads, deltas, strict=True):
                for place in read:
                    sums[place] += delta / len(read)
            result += sums
        return {
            "input": Gradient(
                Tensor(shape, result), "each δ, divided by the pixels of its window, goes to all of them"
            )
        }
