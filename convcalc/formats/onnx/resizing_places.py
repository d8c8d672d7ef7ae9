"""Where the outputs of Resize lie in its input: sizes, scales and the pixels' places."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from convcalc.formats.onnx.calls import Activation, Call, Invalid, Unmapped, decimal, normal


class Target(NamedTuple):
    """The output's sizes, and the scales where they are given; both for all dimensions."""

    sizes: tuple[int, ...]
    scales: tuple[float, ...] | None

    def is_exact(self, shape: Sequence[int]) -> bool:
        """Whether the scales give whole numbers of pixels."""
        return self.scales is None or all(
            n * s == m for n, s, m in zip(shape, self.scales, self.sizes, strict=True)
        )

    def scale(self, axis: int, size: int) -> Fraction:
        """The scale of a dimension with `size` pixels."""
        return (
            Fraction(self.sizes[axis], size) if self.scales is None else Fraction(decimal(self.scales[axis]))
        )


def target_of(call: Call, x: Activation, old: bool, batch: int) -> Target:
    """The output's sizes. `axes` names the dimensions that are given; a policy keeps the aspect ratio."""
    rank = len(x.shape)
    sizes = None if old else call.whole(3)
    scales = _scales(call, old)
    given = call.integers("axes")
    axes = list(range(rank)) if given is None else [normal(axis, rank) for axis in given]
    numbers = sizes or scales
    if numbers is None or len(numbers) != len(axes):
        raise Invalid("neither scales nor sizes for each dimension")
    by_axis = dict(zip(axes, numbers, strict=True))
    if given is None and by_axis[0] == batch and sizes:
        by_axis[0] = 1
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    if sizes and policy != "stretch":
        ratios = [by_axis[axis] / x.shape[axis] for axis in axes]
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        by_axis = {axis: floor(x.shape[axis] * ratio + 0.5) for axis in axes}
        factors = tuple(ratio if axis in by_axis else 1.0 for axis in range(rank))
        return Target(tuple(int(by_axis.get(axis, n)) for axis, n in enumerate(x.shape)), factors)
    if sizes:
        return Target(tuple(int(by_axis.get(axis, n)) for axis, n in enumerate(x.shape)), None)
    factors = tuple(float(by_axis.get(axis, 1.0)) for axis in range(rank))
    return Target(tuple(floor(n * s) for n, s in zip(x.shape, factors, strict=True)), factors)


def _scales(call: Call, old: bool) -> list[float] | None:
    """The scale of each dimension; None if sizes are given instead."""
    if call.op == "Upsample" and call.opset < 9:
        given = call.attribute("scales")
        return list(given) if given else None
    numbers = call.numbers(1 if old else 2)
    return numbers or None


def centre(
    place: int, n: int, m: int, scale: Fraction, places: str, crop: tuple[Fraction, Fraction] | None = None
) -> Fraction:
    """The pixel, maybe between two, that an output pixel takes. n, m: pixels of input and output; crop: the part of the
    input that tf_crop_and_resize takes, where 0 and 1 are its ends. Raises Unmapped for an unknown rule."""
    half = Fraction(1, 2)
    if places == "asymmetric":
        return place / scale
    if places == "align_corners":
        span = n * scale - 1 if floor(n * scale) == m else Fraction(m - 1)
        return Fraction(place * (n - 1)) / span if m > 1 else Fraction(0)
    if places == "tf_half_pixel_for_nn":
        return (place + half) / scale
    if places == "half_pixel" or (places == "pytorch_half_pixel" and m > 1):
        return (place + half) / scale - half
    if places == "pytorch_half_pixel":
        return Fraction(0)
    if places == "half_pixel_symmetric":
        return Fraction(n, 2) * (1 - m / (n * scale)) + (place + half) / scale - half
    if places == "tf_crop_and_resize" and crop is not None:
        start, end = crop
        if m == 1:
            return (start + end) / 2 * (n - 1)
        return start * (n - 1) + place * (end - start) * (n - 1) / (m - 1)
    raise Unmapped(f"pixels' places by {places}")


def rounded(centre: Fraction, rounding: str) -> int:
    """The pixel nearest to a place, by the rule of `nearest_mode`."""
    half = Fraction(1, 2)
    if rounding == "floor":
        return floor(centre)
    if rounding == "ceil":
        return ceil(centre)
    return ceil(centre - half) if rounding == "round_prefer_floor" else floor(centre + half)
