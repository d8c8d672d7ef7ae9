"""Forms in ONNX of upsample and of adaptive pools.

What Resize and the pools of ONNX cannot say exactly is a product with a constant matrix along each axis, or a Gather.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from math import floor, prod
from typing import Any

from convcalc.formats.onnx.writer_encoding import Attribute
from convcalc.formats.onnx.writer_forms import form
from convcalc.formats.onnx.writer_layer import LayerDraft
from convcalc.formats.onnx.writer_moves import gathered
from convcalc.formats.onnx.writer_network import Value
from convcalc.formats.onnx.writer_normalisation import reduced
from convcalc.ops.adaptive_avgpool import AdaptiveAvgpool
from convcalc.ops.adaptive_maxpool import AdaptiveMaxpool
from convcalc.ops.upsample import Upsample
from convcalc.shapes import Shape

Row = Sequence[tuple[int, float]]  # the pixels that an output reads, each with its share


# -- adaptive pools ---------------------------------------------------------------------------------------------


@form(AdaptiveAvgpool)
def adaptive_avgpool(layer: LayerDraft[AdaptiveAvgpool]) -> Value:
    """GlobalAveragePool for a size of 1; AveragePool if the size divides the input's; else a matrix for each axis."""
    pooled = _evenly(layer, "GlobalAveragePool", "AveragePool")
    if pooled is not None:
        return pooled
    value = layer.x
    for dimension, windows in _windows(layer):
        rows = [[(pixel, 1 / len(window)) for pixel in window] for window in windows]
        value = multiplied(layer, value, dimension, rows)
    return value


@form(AdaptiveMaxpool)
def adaptive_maxpool(layer: LayerDraft[AdaptiveMaxpool]) -> Value:
    """GlobalMaxPool for a size of 1; MaxPool if the size divides the input's; else for each axis the windows, gathered,
    and ReduceMax."""
    pooled = _evenly(layer, "GlobalMaxPool", "MaxPool")
    if pooled is not None:
        return pooled
    value = layer.x
    for dimension, windows in _windows(layer):
        longest = max(map(len, windows))
        places = [window[min(tap, len(window) - 1)] for window in windows for tap in range(longest)]
        before, after = value.shape[:dimension], value.shape[dimension + 1 :]
        apart = layer.reshape(
            gathered(layer, value, dimension, places), (*before, len(windows), longest, *after)
        )
        value = reduced(layer, "ReduceMax", apart, [dimension + 1], keep=False, part="maximum")
    return value


def _evenly(layer: LayerDraft[Any], of_all: str, of_windows: str) -> Value | None:
    """The pool with equal windows, if the output's size divides the input's; the input itself if they are equal."""
    before, after = layer.x.shape[1:], layer.shape[1:]
    if before == after:
        return layer.x
    if set(after) == {1}:
        return layer.add(of_all, [layer.x], layer.shape)
    if any(size % count for size, count in zip(before, after, strict=True)):
        return None
    kernel = [size // count for size, count in zip(before, after, strict=True)]
    return layer.add(of_windows, [layer.x], layer.shape, kernel_shape=kernel, strides=kernel)


def _windows(layer: LayerDraft[Any]) -> list[tuple[int, list[range]]]:
    """The dimensions whose size changes, each with the pixels that its outputs read."""
    sizes = enumerate(zip(layer.x.shape, layer.shape, strict=True))
    return [
        (dimension, [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)])
        for dimension, (size, count) in sizes
        if size != count
    ]


def multiplied(layer: LayerDraft[Any], value: Value, dimension: int, rows: Sequence[Row]) -> Value:
    """The value with one dimension multiplied by a constant matrix, given by the entries of its rows."""
    size, rest = value.shape[dimension], value.shape[dimension + 1 :]
    shape = (*value.shape[:dimension], len(rows), *rest)
    matrix = [0.0] * (len(rows) * size)
    last = not rest
    for output, row in enumerate(rows):
        for pixel, share in row:
            matrix[pixel * len(rows) + output if last else output * size + pixel] += float(share)
    name = f"matrix_{dimension}"
    if last:
        return layer.add("MatMul", [value, layer.floats(name, matrix, (size, len(rows)))], shape, "matmul")
    constant = layer.floats(name, matrix, (len(rows), size))
    if len(rest) == 1:
        return layer.add("MatMul", [constant, value], shape, "matmul")
    flat = layer.reshape(value, (*value.shape[: dimension + 1], prod(rest)))
    return layer.reshape(
        layer.add("MatMul", [constant, flat], (*shape[: dimension + 1], prod(rest)), "matmul"), shape
    )


# -- upsample -----------------------------------------------------------------------------------------------------


@form(Upsample)
def upsample(layer: LayerDraft[Upsample]) -> Value:
    """Resize from opset 11 on, if it gives the same size and reads the same pixels; else nearest by a Gather for each
    axis, the other modes by a matrix."""
    op, x = layer.op, layer.x
    if layer.opset >= 11:
        scales = _scales(op, x.shape, layer.shape)
        if scales is not None:
            return _resize(layer, scales)
    value = x
    for dimension, taps in enumerate(op.taps(x.shape), 1):
        if taps == [[(place, 1)] for place in range(x.shape[dimension])]:
            continue
        if op.mode == "nearest":
            value = gathered(layer, value, dimension, [row[0][0] for row in taps])
        else:
            value = multiplied(layer, value, dimension, taps)
    return value


def _resize(layer: LayerDraft[Upsample], scales: Sequence[float]) -> Value:
    op = layer.op
    if op.mode == "nearest":
        attributes: dict[str, Attribute] = {"mode": "nearest", "nearest_mode": "floor"}
        positions = "asymmetric"
    else:
        attributes = {"mode": "linear" if op.mode == "bilinear" else "cubic"}
        positions = "align_corners" if op.align_corners else "half_pixel"
    if op.mode == "bicubic":
        attributes["cubic_coeff_a"] = -0.75
    roi = layer.floats("roi", [], (0,)) if layer.opset < 13 else ""  # not used, but to be there before
    factors = layer.floats("scales", [1, 1, *scales], (len(scales) + 2,))
    return layer.add(
        "Resize", [layer.x, roi, factors], layer.shape, coordinate_transformation_mode=positions, **attributes
    )


def _scales(op: Upsample, before: Shape, after: Shape) -> list[float] | None:
    """The factors of the spatial axes for Resize, or None if it does not fit. linear and cubic are for two axes, which
    is what runtimes have."""
    if op.mode != "nearest" and len(before) != 3:
        return None
    if before == after and any(step != 1 for step in op.steps(before)):
        return None  # ONNX Runtime copies a map whose size stays the same
    found = []
    for size, output, step in zip(before[1:], after[1:], op.steps(before), strict=True):
        near = _float32(1 / step)
        scale = next((s for s in (near, _next_float32(near)) if _fits(op, size, output, step, s)), None)
        if scale is None:
            return None
        found.append(scale)
    return found


def _fits(op: Upsample, size: int, output: int, step: Fraction, scale: float) -> bool:
    """Whether a factor gives the right size and, for nearest, the right pixels, in 32-bit floats and exactly."""
    if floor(_float32(size * scale)) != output or floor(size * scale) != output:
        return False
    if op.mode != "nearest":
        return True
    return all(floor(_float32(place / scale)) == floor(place * step) for place in range(output))


def _float32(number: Fraction | float) -> float:
    """The nearest 32-bit float."""
    return float(struct.unpack("<f", struct.pack("<f", float(number)))[0])


def _next_float32(number: float) -> float:
    """The next larger 32-bit float than a positive one."""
    return float(
        struct.unpack("<f", struct.pack("<I", struct.unpack("<I", struct.pack("<f", number))[0] + 1))[0]
    )
