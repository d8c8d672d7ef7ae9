"""Mapping of Resize and Upsample: by the rules of PyTorch's `interpolate`, or nearest pixels picked one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Invalid, Unmapped, Value, decimal, normal
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.moves import pick
from convcalc.formats.onnx.windows import maps, per_axis

Handler = Callable[[Mapper, Call], "Value | Sequence[Value | None]"]
MODES = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}


class Target(NamedTuple):
    """The output's sizes, and the scales where they are given; both for all dimensions."""

    sizes: tuple[int, ...]
    scales: tuple[float, ...] | None

    def is_exact(self, shape: Sequence[int]) -> bool:
        """Whether the scales give whole numbers of pixels."""
        return self.scales is None or all(
            n * s == m for n, s, m in zip(shape, self.scales, self.sizes, strict=True)
        )


def resize(mapper: Mapper, call: Call) -> Value:
    """Resize and Upsample."""
    x = maps(mapper, call)
    mode = MODES.get(call.text("mode", "nearest"))
    old = call.op == "Upsample" or call.opset < 11
    places = "asymmetric" if old else call.text("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else call.text("nearest_mode", "round_prefer_floor")
    target = _target(call, x, old, mapper.batch)
    if call.integer("antialias", 0) or call.integer("exclude_outside", 0):
        raise Unmapped("antialiasing or exclude_outside")
    if mode is None or (mode == "bicubic" and call.number("cubic_coeff_a", -0.75) != -0.75):
        raise Unmapped("another interpolation than PyTorch's")
    if target.sizes[:2] != x.shape[:2] or min(target.sizes) < 1:
        raise Unmapped("resizing of the batch or of channels")
    if places == "tf_crop_and_resize":
        raise Unmapped("pixels' places by tf_crop_and_resize")
    spatial, output = x.shape[2:], target.sizes[2:]
    exact = target.is_exact(x.shape)
    if spatial == output and exact:
        return x
    whole = all(m % n == 0 for n, m in zip(spatial, output, strict=True))
    if mode == "nearest":
        by_ratio = (places, rounding) == ("asymmetric", "floor")
        if not by_ratio and not (
            whole and exact and (places, rounding) == ("half_pixel", "round_prefer_floor")
        ):
            return _picked(mapper, call, x, target, places, rounding)
    elif places == "pytorch_half_pixel" and 1 in output:
        raise Unmapped("a single pixel by pytorch_half_pixel")
    elif places not in ("half_pixel", "pytorch_half_pixel", "align_corners") and not (
        places == "half_pixel_symmetric" and exact
    ):
        raise Unmapped(f"pixels' places by {places}")
    elif places == "align_corners" and not exact:
        raise Unmapped("align_corners to a size that is no whole number of pixels")
    fields: dict[str, object] = {"mode": mode, "align_corners": places == "align_corners"}
    if target.scales is None and not whole:
        fields["size"] = per_axis(output)
    elif target.scales is None:
        fields["scale"] = per_axis([m // n for n, m in zip(spatial, output, strict=True)])
    else:
        factors = [int(s) if float(s).is_integer() else decimal(float(s)) for s in target.scales[2:]]
        fields["scale"] = factors[0] if len(set(factors)) == 1 else tuple(factors)
    layer = mapper.add(call, operator("upsample", **fields), [x.layer])
    return Activation(layer, (1, *mapper.draft.shape(layer)), 0)


def _target(call: Call, x: Activation, old: bool, batch: int) -> Target:
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


def _picked(
    mapper: Mapper, call: Call, x: Activation, target: Target, places: str, rounding: str
) -> Activation:
    """Nearest pixels by another rule than PyTorch's, as slices of each axis."""
    for axis in range(2, len(x.shape)):
        n, m = x.shape[axis], target.sizes[axis]
        scale = Fraction(m, n) if target.scales is None else Fraction(decimal(target.scales[axis]))
        centres = [_centre(place, n, m, scale, places) for place in range(m)]
        x = pick(mapper, call, x, axis, [min(max(_rounded(c, rounding), 0), n - 1) for c in centres])
    return x


def _centre(place: int, n: int, m: int, scale: Fraction, places: str) -> Fraction:
    """The pixel, maybe between two, that an output pixel takes. Raises Unmapped for an unknown rule."""
    half = Fraction(1, 2)
    if places == "asymmetric":
        return place / scale
    if places == "align_corners":
        return Fraction(place * (n - 1), m - 1) if m > 1 else Fraction(0)
    if places == "tf_half_pixel_for_nn":
        return (place + half) / scale
    if places == "half_pixel" or (places == "pytorch_half_pixel" and m > 1):
        return (place + half) / scale - half
    if places == "pytorch_half_pixel":
        return Fraction(0)
    raise Unmapped(f"nearest pixels by {places}")


def _rounded(centre: Fraction, rounding: str) -> int:
    half = Fraction(1, 2)
    if rounding == "floor":
        return floor(centre)
    if rounding == "ceil":
        return ceil(centre)
    return ceil(centre - half) if rounding == "round_prefer_floor" else floor(centre + half)


HANDLERS: dict[str, Handler] = {"Resize": resize, "Upsample": resize}
