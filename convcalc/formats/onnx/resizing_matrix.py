"""Resize where its pixels are blended by other rules than PyTorch's: a product with a constant matrix for each axis."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Invalid, Unmapped, decimal, normal
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.resizing_places import Target, centre, rounded
from convcalc.formats.onnx.values import MAX_KNOWN, Const

Row = dict[int, Fraction]  # the share of each pixel; none of them outside of the input


def blended(mapper: Mapper, call: Call, x: Activation, target: Target, places: str) -> Activation:
    """The axes resized one by one: each is moved to the end and multiplied by a matrix, whose numbers count.

    An output that lies outside of the input by tf_crop_and_resize is `extrapolation_value`: a row of zeros and a bias.
    The shares of all other rows add up to 1, so the axes after it keep that value.
    """
    crops = _crops(call, len(x.shape)) if places == "tf_crop_and_resize" else {}
    value = call.number("extrapolation_value", 0.0)
    for axis in range(2, len(x.shape)):
        n, m = x.shape[axis], target.sizes[axis]
        scale = target.scale(axis, n)
        crop = crops.get(axis, (Fraction(0), Fraction(1))) if crops else None
        centres = [centre(place, n, m, scale, places, crop) for place in range(m)]
        if centres == list(range(n)) and scale >= 1:
            continue
        if n * m > MAX_KNOWN:
            raise Unmapped(f"a matrix of {m:,}×{n:,} for an axis")
        outside = [bool(crops) and not 0 <= c <= n - 1 for c in centres]
        rows = [{} if out else _row(call, c, n, scale) for c, out in zip(centres, outside, strict=True)]
        bias = [value * out for out in outside] if value and any(outside) else None
        x = _multiplied(mapper, call, x, axis, rows, bias)
    return x


def _crops(call: Call, rank: int) -> dict[int, tuple[Fraction, Fraction]]:
    """Start and end of each dimension in the region of interest."""
    numbers = call.numbers(1) or []
    given = call.integers("axes")
    axes = list(range(rank)) if given is None else [normal(axis, rank) for axis in given]
    if len(numbers) != 2 * len(axes):
        raise Invalid(f"a region of {len(numbers)} numbers for {len(axes)} axes")
    ends = [Fraction(decimal(float(number))) for number in numbers]
    return dict(zip(axes, zip(ends[: len(axes)], ends[len(axes) :], strict=True), strict=True))


def _row(call: Call, centre: Fraction, n: int, scale: Fraction) -> Row:
    """The shares of the pixels around a place. With antialiasing a smaller output reads more pixels, by its scale;
    pixels beyond the border repeat the border, or are left out with exclude_outside."""
    mode = call.text("mode", "nearest")
    if mode == "nearest":
        pixel = rounded(centre, call.text("nearest_mode", "round_prefer_floor"))
        return {min(max(pixel, 0), n - 1): Fraction(1)}
    smooth = bool(call.integer("antialias", 0))
    pace = min(Fraction(1), scale) if smooth else Fraction(1)
    reach = (1 if mode == "linear" else 2) / pace
    a = Fraction(call.number("cubic_coeff_a", -0.75))
    without = bool(call.integer("exclude_outside", 0))
    row: Row = {}
    for tap in range(ceil(centre - reach), floor(centre + reach) + 1):
        if without and not 0 <= tap < n:
            continue
        distance = abs(centre - tap) * pace
        share = 1 - distance if mode == "linear" else _keys(distance, a)
        pixel = min(max(tap, 0), n - 1)
        row[pixel] = row.get(pixel, Fraction(0)) + share
    total = sum(row.values())
    if not total:
        raise Unmapped("an output that reads no pixel")
    return {pixel: share / total for pixel, share in row.items()}


def _keys(distance: Fraction, a: Fraction) -> Fraction:
    """The cubic kernel of Keys (1981) with coefficient a, for distances of at most 2."""
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance**2 + 1
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a


def _multiplied(
    mapper: Mapper, call: Call, x: Activation, axis: int, rows: list[Row], bias: list[float] | None
) -> Activation:
    """An axis multiplied by a matrix, as a dense layer on the last dimension between transposes."""
    n, m = x.shape[axis], len(rows)
    matrix = [0.0] * (m * n)
    for place, row in enumerate(rows):
        for pixel, share in row.items():
            matrix[place * n + pixel] = float(share)
    weight = Const((m, n), "F32", values=matrix)
    tensors = {"weight": weight.stored()}
    if bias is not None:
        tensors["bias"] = Const((m,), "F32", values=bias).stored()
    rank = len(x.own)
    own = x.own_axis(axis)
    order = (*(place for place in range(rank) if place != own), own)
    back = tuple(order.index(place) for place in range(rank))
    last = own == rank - 1
    layer = x.layer if last else mapper.add(call, operator("transpose", order=order), [x.layer])
    op = operator("dense", units=m, bias=bias is not None, axis="last")
    layer = mapper.add(call, op, [layer], tensors)
    mapper.constants[layer] = weight
    if not last:
        layer = mapper.add(call, operator("transpose", order=back), [layer])
    return x._replace(layer=layer, shape=(*x.shape[:axis], m, *x.shape[axis + 1 :]))
