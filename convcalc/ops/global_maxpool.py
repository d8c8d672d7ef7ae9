"""Global max pooling (Oquab, Bottou, Laptev & Sivic 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Inputs, Tensor, Working
from convcalc.ops._global import GlobalPooling
from convcalc.ops._working import values_read
from convcalc.ops.maxpool import largest


@dataclass(frozen=True, kw_only=True)
class GlobalMaxpool(GlobalPooling):
    """Takes the maximum of each channel over all positions. (C, *spatial) → (C, 1, …, 1)."""

    kind: ClassVar[str] = "global_maxpool"
    torch_module: ClassVar[str] = "AdaptiveMaxPool"
    torch_function: ClassVar[str] = "amax"
    saves: ClassVar[str] = "input and indices"
    onnx_operator: ClassVar[str] = "GlobalMaxPool"
    example: ClassVar[Example | None] = Example(
        "global_maxpool", (1024, 7, 7), "global_maxpool '1 2 3; 4 5 6; 7 8 9'"
    )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The number of values per maximum."""
        return values_read("values per maximum", inputs[0][1:])

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The maximum of each channel."""
        (channels, *spatial), values = inputs[0]
        plane = len(values) // channels
        found = [largest(values[c * plane : (c + 1) * plane]) for c in range(channels)]
        return Tensor((channels, *(1 for _ in spatial)), found)
