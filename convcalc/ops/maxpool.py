"""Max pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import Any, ClassVar

from convcalc.ops._base import Example, Gradient, Tensor
from convcalc.ops._gradients import planes, window_pixels
from convcalc.ops._pooling import Pooling
from convcalc.ops._sliding import Slide, pool


@dataclass(frozen=True, kw_only=True)
class Maxpool(Pooling):
    """Takes the maximum of each window in every channel; padding is ignored.

    (C, *spatial) → (C, *positions).
    """

    kind: ClassVar[str] = "maxpool"
    reduction: ClassVar[str] = "max"
    torch_module: ClassVar[str] = "MaxPool"
    torch_function: ClassVar[str] = "max_pool"
    saves: ClassVar[str] = "input and indices"
    example: ClassVar[Example | None] = Example(
        "maxpool: {kernel: 3, stride: 2}",
        (96, 55, 55),
        "'maxpool: {kernel: 2, stride: 2}' '1 4 2 1; 5 8 3 4; 7 6 4 5; 1 3 1 2'",
    )

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Pads with −∞ and takes the maximum of each window."""
        (channels, *spatial), values = inputs[0]
        slide = Slide(spatial, self.kernel, self.step, self.dilation, self.padding, self.rounding)
        result = pool(values, inputs[0].shape, slide, -inf, largest)
        return Tensor((channels, *slide.positions), result)

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Adds each δ to the maximum of its window; in a tie, to the first maximum, as in PyTorch."""
        shape, values = inputs[0]
        slide = Slide(shape[1:], self.kernel, self.step, self.dilation, self.padding, self.rounding)
        windows = [[pixel for pixel in window if pixel is not None] for window in window_pixels(slide)]
        result: list[Any] = []
        for plane, deltas in zip(planes(values, shape[0]), planes(gradient.values, shape[0]), strict=True):
            sums: list[Any] = [0] * len(plane)
            for window, delta in zip(windows, deltas, strict=True):
                sums[max(window, key=plane.__getitem__)] += delta
            result += sums
        how = "each δ goes to the largest value of its window, the first of equal ones"
        return {"input": Gradient(Tensor(shape, result), how)}


def largest(window: Sequence[Any]) -> Any:
    """The maximum of a window; NaN if any value is NaN. Checking the sum first rules NaN out in most cases."""
    found = max(window)
    if isinstance(found, float) and isnan(sum(window)):
        return next((value for value in window if value != value), found)
    return found
