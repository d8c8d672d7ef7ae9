"""Average pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from math import prod
from typing import Any, ClassVar

from convcalc.ops._base import Example, Gradient, Tensor
from convcalc.ops._fields import flag, integer
from convcalc.ops._gradients import planes, window_pixels
from convcalc.ops._pooling import Pooling
from convcalc.ops._sliding import Slide, pool
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Avgpool(Pooling):
    """Averages each window of every channel.

    (C, *spatial) → (C, *positions). The divisor follows PyTorch: with count_padding it is the number of pixels in
    the window including padding, otherwise the number of input pixels. Pixels beyond the padding, which occur with
    rounding: ceil, are never counted. If `divisor` is given, all window sums are divided by it instead.
    """

    kind: ClassVar[str] = "avgpool"
    saves: ClassVar[str] = "input"
    reduction: ClassVar[str] = "mean"
    torch_module: ClassVar[str] = "AvgPool"
    torch_function: ClassVar[str] = "avg_pool"
    example: ClassVar[Example | None] = Example(
        "avgpool: {kernel: 3, stride: 2, padding: 1}",
        (64, 28, 28),
        "'avgpool: {kernel: 2, stride: 2}' '1 4 2 1; 5 8 3 4; 7 6 4 5; 1 3 1 2'",
    )

    count_padding: bool = flag(True, doc="include padding in the number of pixels to divide by")

    divisor: int | None = integer(
        None, doc="number to divide every window sum by, instead of the pixel count"
    )

    @property
    def counts_padding(self) -> bool:
        """Whether padding is included in the divisor."""
        return self.count_padding

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Pads with zeros, sums each window and divides by its divisor."""
        (channels, *spatial), values = inputs[0]
        slide = Slide(spatial, self.kernel, self.step, self.dilation, self.padding, self.rounding)
        sums = pool(values, inputs[0].shape, slide, 0, sum)
        divisors = self._divisors(slide)
        means = [value / divisor for value, divisor in zip(sums, cycle(divisors), strict=False)]
        return Tensor((channels, *slide.positions), means)

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Adds each δ, divided by its window's divisor, to every pixel of the window."""
        shape = inputs[0].shape
        slide = Slide(shape[1:], self.kernel, self.step, self.dilation, self.padding, self.rounding)
        divisors = self._divisors(slide)
        windows = list(window_pixels(slide))
        result: list[Any] = []
        for deltas in planes(gradient.values, shape[0]):
            sums: list[Any] = [0] * prod(shape[1:])
            for window, delta, divisor in zip(windows, deltas, divisors, strict=True):
                for pixel in window:
                    if pixel is not None:
                        sums[pixel] += delta / divisor
            result += sums
        how = "each δ, divided by the values of its mean, goes to all of them"
        return {"input": Gradient(Tensor(shape, result), how)}

    def divisors(self, shape: Shape) -> list[int]:
        """The number by which the sum of each window is divided, in row-major order."""
        return self._divisors(
            Slide(shape[1:], self.kernel, self.step, self.dilation, self.padding, self.rounding)
        )

    def _divisors(self, slide: Slide) -> list[int]:
        """The divisor of each window."""
        if self.divisor is not None:
            return [self.divisor] * prod(slide.positions)
        counts = []
        for axis, starts in enumerate(slide.starts):
            first, last = 0, slide.limit[axis]
            if not self.count_padding:
                first = slide.before[axis]
                last = first + slide.spatial[axis]
            gap = slide.dilation[axis]
            taps = range(0, slide.kernel[axis] * gap, gap)
            counts.append([sum(first <= start + tap < last for tap in taps) for start in starts])
        return [prod(count) for count in product(*counts)]
