"""Global average pooling (Lin, Chen & Yan 2013)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from convcalc.ops._base import Example, Gradient, Inputs, Tensor, Working
from convcalc.ops._global import GlobalPooling
from convcalc.ops._working import product


@dataclass(frozen=True, kw_only=True)
class GlobalAvgpool(GlobalPooling):
    """Averages each channel over all positions. (C, *spatial) → (C, 1, …, 1)."""

    kind: ClassVar[str] = "global_avgpool"
    torch_module: ClassVar[str] = "AdaptiveAvgPool"
    torch_function: ClassVar[str] = "mean"
    onnx_operator: ClassVar[str] = "GlobalAveragePool"
    example: ClassVar[Example | None] = Example(
        "global_avgpool", (1024, 7, 7), "global_avgpool '1 2 3; 4 5 6; 7 8 9'"
    )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The number of values per mean."""
        spatial = inputs[0][1:]
        return (Working("values per mean", f"{product(spatial)} = {prod(spatial):,}"),)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The mean of each channel."""
        (channels, *spatial), values = inputs[0]
        plane = prod(spatial)
        means = [sum(values[c * plane : (c + 1) * plane]) / plane for c in range(channels)]
        return Tensor((channels, *(1 for _ in spatial)), means)

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Distributes the δ of each channel evenly over its pixels."""
        shape = inputs[0].shape
        plane = prod(shape[1:])
        result = [delta / plane for delta in gradient.values for _ in range(plane)]
        return {
            "input": Gradient(
                Tensor(shape, result), "each δ, divided by the channel's pixels, goes to all of them"
            )
        }
