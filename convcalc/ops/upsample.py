"""Upsampling by whole factors, without weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import floor, prod
from typing import Any, ClassVar

from convcalc.ops._base import AxisReach, Example, Inputs, Operator, Reach, Tensor, Working, ratio
from convcalc.ops._fields import choice, extent
from convcalc.ops._working import size_working
from convcalc.shapes import PerAxis, Shape, per_axis


@dataclass(frozen=True, kw_only=True)
class Upsample(Operator):
    """Each axis `scale` times as long. (C, *spatial) → (C, *(size·scale)).

    nearest repeats pixels. bilinear interpolates along each axis between pixel centres, the border repeated
    (PyTorch's bilinear with align_corners=False; linear and trilinear on 1 and 3 dimensions).
    """

    kind: ClassVar[str] = "upsample"
    torch_module: ClassVar[str] = "Upsample"
    torch_function: ClassVar[str] = "interpolate"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "scale"
    example: ClassVar[Example | None] = Example(
        "upsample: 2", (64, 14, 14), "'upsample: {scale: 2, mode: bilinear}' '1 2; 3 4'"
    )

    scale: PerAxis = extent(doc="factor")
    mode: str = choice("nearest", "bilinear", default="nearest", doc="repeat pixels or interpolate")

    def _scales(self, shape: Shape) -> tuple[int, ...]:
        return per_axis(self.scale, len(self.needs_map(shape)) - 1, "scale")

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, *(size·scale))."""
        channels, *spatial = inputs[0]
        return (channels, *(n * s for n, s in zip(spatial, self._scales(inputs[0]), strict=True)))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """nearest: pixel ⌊o/scale⌋; bilinear: the pixels less than 1 from (o + ½)/scale − ½."""
        walk = _nearest if self.mode == "nearest" else _linear
        return (Reach(0), *(walk(d, scale) for d, scale in enumerate(self._scales(inputs[0]), 1)))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`14·2 = 28`."""
        sizes = zip(inputs[0][1:], self._scales(inputs[0]), strict=True)
        return size_working([f"{size}·{scale} = {size * scale}" for size, scale in sizes])

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Each output pixel a sum of (pixel, share) along each axis."""
        (channels, *spatial), values = inputs[0]
        mix = _repeat if self.mode == "nearest" else _interpolate
        scales = per_axis(self.scale, len(spatial), "scale")
        axes = [mix(size, scale) for size, scale in zip(spatial, scales, strict=True)]
        steps = [prod(spatial[axis + 1 :]) for axis in range(len(spatial))]
        plane = prod(spatial)
        sums = []
        for mixes in product(*axes):
            terms = []
            for taps in product(*mixes):
                place = sum(pixel * step for (pixel, _), step in zip(taps, steps, strict=True))
                terms.append((place, prod(share for _, share in taps)))
            sums.append(terms)
        result: list[Any] = []
        for channel in range(channels):
            pixels = values[channel * plane : (channel + 1) * plane]
            if self.mode == "nearest":
                result += [pixels[place] for ((place, _),) in sums]
            else:
                result += [sum([pixels[place] * share for place, share in terms]) for terms in sums]
        return Tensor((channels, *map(len, axes)), result)


Taps = list[tuple[int, float]]


def _repeat(size: int, scale: int) -> list[Taps]:
    return [[(pixel, 1)] for pixel in range(size) for _ in range(scale)]


def _interpolate(size: int, scale: int) -> list[Taps]:
    result: list[Taps] = []
    for pixel in range(size):
        for step in range(scale):
            centre = max(Fraction(0), pixel + Fraction(2 * step + 1, 2 * scale) - Fraction(1, 2))
            left = floor(centre)
            right = min(left + 1, size - 1)
            share = float(centre - left)
            whole = left == right or not share
            result.append([(left, 1)] if whole else [(left, 1 - share), (right, share)])
    return result


def _nearest(dimension: int, scale: int) -> Reach:
    return Reach(dimension, 1, ratio(1, scale), ratio(1 - scale, scale))


def _linear(dimension: int, scale: int) -> Reach:
    # Pixels i with −1 < i − ((2o + 1)/(2·scale) − ½) < 1. Times 2·scale all terms are whole numbers, and the
    # smallest 2·scale·i above 2o + 1 − 3·scale is 1 more, or 2 more where that number is even too.
    first = 2 - 3 * scale + scale % 2
    return Reach(dimension, ratio(1 + scale - first, 2 * scale), ratio(1, scale), ratio(first, 2 * scale))
