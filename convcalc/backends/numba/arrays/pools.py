"""One number for many: windows, and whole dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node
from convcalc.shapes import Axis

REDUCTIONS: dict[str, Callable[..., Array]] = {"mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min}


def reduce(node: Node, parameters: Parameters) -> ArrayFunction:
    """A mean, sum, maximum or minimum along dimensions."""
    op: Any = node.op
    over = op.over(len(node.input_shapes[0]))
    return lambda inputs: REDUCTIONS[op.mode](inputs[0], axis=over)


def global_maxpool(node: Node, parameters: Parameters) -> ArrayFunction:
    """The largest of each channel."""
    axes = tuple(range(1, len(node.input_shapes[0])))
    return lambda inputs: np.max(inputs[0], axis=axes)


def adaptive_maxpool(node: Node, parameters: Parameters) -> ArrayFunction:
    """The largest of each window, along one axis after the other."""
    sizes = list(zip(node.input_shapes[0][1:], node.output_shape[1:], strict=True))
    axes = [[slice(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in sizes]

    def pool(inputs: Sequence[Array]) -> Array:
        result = inputs[0]
        for axis, windows in enumerate(axes, 1):
            along = np.moveaxis(result, axis, -1)
            result = np.stack([along[..., window].max(axis=-1) for window in windows], axis)
        return result

    return pool


def avgpool(node: Node, parameters: Parameters) -> ArrayFunction:
    """The sum of each window, divided by what counts."""
    op: Any = node.op
    axes: tuple[Axis, ...] = op.axes(node.input_shapes)
    ends = [(axis.output - 1) * axis.stride + axis.extent - axis.before - axis.size for axis in axes]
    margins = [(0, 0), *((axis.before, max(0, end)) for axis, end in zip(axes, ends, strict=True))]
    divisor: Array = np.array(op.divisor or 1, np.float32)
    if op.divisor is None:
        for place, axis in enumerate(axes):
            along = [-1 if other == place else 1 for other in range(len(axes))]
            divisor = divisor * _counted(axis, op.count_padding).reshape(along)
    taps = [
        (slice(None), *(_tap(axis, number) for axis, number in zip(axes, numbers, strict=True)))
        for numbers in product(*(range(axis.kernel) for axis in axes))
    ]

    def pool(inputs: Sequence[Array]) -> Array:
        padded = np.pad(inputs[0], margins)
        total = padded[taps[0]]
        for tap in taps[1:]:
            total = total + padded[tap]
        result: Array = total / divisor
        return result

    return pool


def _tap(axis: Axis, number: int) -> slice:
    """What one tap of the windows reads of a padded axis."""
    start = number * axis.dilation
    return slice(start, start + (axis.output - 1) * axis.stride + 1, axis.stride)


def _counted(axis: Axis, count_padding: bool) -> Array:
    """How many taps of each window count along an axis."""
    starts = np.arange(axis.output) * axis.stride - axis.before
    taps = starts[:, None] + np.arange(axis.kernel) * axis.dilation
    low, high = (-axis.before, axis.size + axis.after) if count_padding else (0, axis.size)
    counted: Array = ((low <= taps) & (taps < high)).sum(axis=1)
    return counted.astype(np.float32)
