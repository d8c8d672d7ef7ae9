"""Resampling to another size by interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import floor, prod
from typing import Any, ClassVar, NamedTuple, Self

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, AxisReach, Example, Inputs, Reach, Tensor, Working, ratio
from convcalc.ops._fields import choice, flag, scale
from convcalc.ops._sized import Sized
from convcalc.ops._working import size_working
from convcalc.shapes import Shape, per_axis

# Radius around an output's centre within which pixels are read, in pixels.
RADIUS = {"bilinear": 1, "bicubic": 2}
CUBIC = Fraction(-3, 4)  # Keys's coefficient a, as in PyTorch

Taps = list[tuple[int, float]]  # pixels and their weights


@dataclass(frozen=True, kw_only=True)
class Upsample(Sized):
    """Resizes each spatial axis by `scale` or to a given size. (C, *spatial) → (C, *⌊size·scale⌋).

    nearest copies pixel ⌊o/scale⌋ to output o; if the size is given, scale is out/in. bilinear and bicubic
    interpolate along each axis at position (o + ½)/scale − ½, or with align_corners at o·(in − 1)/(out − 1), which
    aligns the first and last pixels of input and output. Pixels beyond the border repeat the border. bicubic uses
    the kernel of Keys (1981) with a = −0.75.

    The modes are those of PyTorch, including linear and trilinear in 1 and 3 dimensions, but scales and positions
    are exact fractions instead of 32-bit floats. nearest and bilinear leave an axis unchanged if `scale` does not
    change its length.
    """

    kind: ClassVar[str] = "upsample"
    enlarges: ClassVar[bool] = True
    torch_module: ClassVar[str] = "Upsample"
    torch_function: ClassVar[str] = "interpolate"
    main: ClassVar[str | None] = "scale"
    example: ClassVar[Example | None] = Example(
        "upsample: 2", (64, 14, 14), "'upsample: {scale: 2, mode: bilinear}' '1 2; 3 4'"
    )

    scale: float | tuple[float, ...] | None = scale(None, doc="scale factor; alternatively give a size")
    mode: str = choice("nearest", "bilinear", "bicubic", default="nearest", doc="interpolation mode")
    align_corners: bool = flag(
        False, doc="align the corner pixels of input and output (bilinear and bicubic)"
    )

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if the fields contradict each other."""
        size = self.sizes(inputs)
        if (size is None) == (self.scale is None):
            has = "neither scale nor size nor like" if size is None else "scale besides its size"
            raise Misfit(f"upsample has {has}", "give one of them: scale: 2, size: [14, 14] or like: a_layer")
        if self.align_corners and self.mode == "nearest":
            raise Misfit("align_corners says nothing of mode: nearest", "use it with bilinear or bicubic")
        return self

    def _factors(self, rank: int) -> list[Fraction]:
        """The scale of each spatial axis, where there is one. Raises Misfit if it has another number of axes."""
        assert self.scale is not None
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,) * rank
        if len(scales) != rank:
            per_axis((1,) * len(scales), rank, "scale")  # raises Misfit with the number needed
        return [_exact(factor) for factor in scales]

    def _output(self, shape: Shape) -> tuple[int, ...]:
        """The output size of each spatial axis. Raises Misfit if it is 0."""
        spatial = shape[1:]
        size = self.sizes((shape,))
        if size is None:
            factors = self._factors(len(spatial))
            size = tuple(
                n * factor.numerator // factor.denominator for n, factor in zip(spatial, factors, strict=True)
            )
        if 0 in size:
            raise Misfit(
                f"an axis of {spatial[size.index(0)]} is scaled to nothing", "use a larger scale, or size"
            )
        return size

    def _axes(self, shape: Shape) -> list[_Axis]:
        """The resampling of each spatial axis."""
        spatial, size = shape[1:], self._output(shape)
        if self.scale is None:
            steps = [Fraction(n, m) for n, m in zip(spatial, size, strict=True)]
        else:
            steps = [1 / factor for factor in self._factors(len(spatial))]
            if self.mode != "bicubic":  # as in PyTorch, an axis that keeps its size is not resampled
                steps = [
                    step if n != m else Fraction(1) for n, m, step in zip(spatial, size, steps, strict=True)
                ]
        corners = self.align_corners
        return [_axis(n, m, step, corners) for n, m, step in zip(spatial, size, steps, strict=True)]

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, *⌊size·scale⌋), or (C, *size) as given."""
        return (inputs[0][0], *self._output(inputs[0]))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """nearest: a single pixel; bilinear: pixels less than 1 from the centre; bicubic: less than 2."""
        axes = enumerate(self._axes(inputs[0]), 1)
        if self.mode == "nearest":
            return (Reach(0), *(_nearest(dimension, axis.step) for dimension, axis in axes))
        return (Reach(0), *(_around(dimension, axis, RADIUS[self.mode]) for dimension, axis in axes))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`14·2 = 28`, `⌊15·1.5⌋ = 22`; `28 like encoder.conv1`."""
        axes = self._axes(inputs[0])
        if self.scale is None:
            return size_working([f"{axis.output} {self.given}" for axis in axes])
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,) * len(axes)
        texts = []
        for axis, factor in zip(axes, scales, strict=True):
            product = f"{axis.size}·{factor:.15g}"
            whole = axis.size * _exact(factor) == axis.output
            texts.append(f"{product} = {axis.output}" if whole else f"⌊{product}⌋ = {axis.output}")
        return size_working(texts)

    def steps(self, shape: Shape) -> tuple[Fraction, ...]:
        """The distance of two outputs on each spatial axis, in pixels of the input (corners not aligned)."""
        return tuple([axis.step for axis in self._axes(shape)])

    def taps(self, shape: Shape) -> list[list[Taps]]:
        """Per spatial axis and output, the pixels read and their weights; pixels with weight 0 are omitted."""
        mix = {"nearest": _repeat, "bilinear": _linear, "bicubic": _cubic}[self.mode]
        return [[mix(axis, output) for output in range(axis.output)] for axis in self._axes(shape)]

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Computes each output as a weighted sum of pixels, one axis at a time."""
        (channels, *spatial), values = inputs[0]
        axes = self.taps(inputs[0].shape)
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


class _Axis(NamedTuple):
    """An axis of `size` pixels resampled to `output` pixels: output o is centred at (rise·o + offset)/parts, or with
    nearest reads pixel ⌊o·step⌋."""

    size: int
    output: int
    step: Fraction
    rise: int
    offset: int
    parts: int

    def centre(self, output: int) -> Fraction:
        """The centre of an output, in input pixels."""
        return Fraction(self.rise * output + self.offset, self.parts)


def _axis(size: int, output: int, step: Fraction, corners: bool) -> _Axis:
    if corners:
        pace = Fraction(size - 1, output - 1) if output > 1 else Fraction(0)
        return _Axis(size, output, step, pace.numerator, 0, pace.denominator)
    p, q = step.numerator, step.denominator  # (o + ½)·p/q − ½
    return _Axis(size, output, step, 2 * p, p - q, 2 * q)


def _exact(factor: float) -> Fraction:
    """The simplest fraction that rounds to the same 64-bit float: 2/3 for 0.6666666666666666."""
    for digits in range(1, 9):
        found = Fraction(factor).limit_denominator(10**digits)
        if found == factor or float(found) == factor:
            return found
    return Fraction(factor)


def _repeat(axis: _Axis, output: int) -> Taps:
    return [(floor(output * axis.step), 1)]


def _linear(axis: _Axis, output: int) -> Taps:
    centre = max(Fraction(0), axis.centre(output))
    left = floor(centre)
    right = min(left + 1, axis.size - 1)
    share = float(centre - left)
    return [(left, 1)] if left == right or not share else [(left, 1 - share), (right, share)]


def _cubic(axis: _Axis, output: int) -> Taps:
    """Four pixels; those beyond the border are replaced by the border pixel."""
    centre = axis.centre(output)
    first = floor(centre) - 1
    shares: dict[int, Fraction] = {}
    for tap in range(first, first + 4):
        pixel = min(max(tap, 0), axis.size - 1)
        shares[pixel] = shares.get(pixel, Fraction(0)) + _keys(abs(centre - tap))
    return [(pixel, float(share) if share != 1 else 1) for pixel, share in shares.items() if share]


def _keys(distance: Fraction) -> Fraction:
    """The cubic kernel of Keys (1981), for distances of at most 2."""
    if distance <= 1:
        return ((CUBIC + 2) * distance - (CUBIC + 3)) * distance**2 + 1
    return ((CUBIC * distance - 5 * CUBIC) * distance + 8 * CUBIC) * distance - 4 * CUBIC


def _nearest(dimension: int, step: Fraction) -> Reach:
    """⌊o·p/q⌋ is the only integer in (o·p/q − 1, o·p/q]; it exceeds o·p/q − 1 by at least 1/q."""
    return Reach(
        dimension, 1, ratio(step.numerator, step.denominator), ratio(1 - step.denominator, step.denominator)
    )


def _around(dimension: int, axis: _Axis, radius: int) -> AxisReach:
    """Pixels i with −radius < i − (rise·o + offset)/parts < radius.

    Multiplied by parts, all terms are integers. The smallest candidate for parts·i − rise·o exceeds
    offset − radius·parts by 1, or by 2 if parts, rise and that bound are all even.
    """
    if axis.rise == 0:  # a single output or pixel
        return WHOLE if axis.size == 1 else Reach(dimension)
    first = axis.offset - radius * axis.parts + 1
    if axis.rise % 2 == axis.parts % 2 == 0:
        first += first % 2
    end = axis.offset + radius * axis.parts
    parts = axis.parts
    return Reach(dimension, ratio(end - first, parts), ratio(axis.rise, parts), ratio(first, parts))
