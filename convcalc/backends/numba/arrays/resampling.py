"""Maps of another size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node


class Mix(NamedTuple):
    """Along one axis and for each output: the pixel before it, the pixel after it, and that one's share."""

    left: Array
    right: Array
    share: Array


def upsample(node: Node, parameters: Parameters) -> ArrayFunction:
    """Pixels repeated, or interpolated along one axis after the other."""
    op: Any = node.op
    sizes = list(zip(node.input_shapes[0][1:], node.output_shape[1:], strict=True))
    if op.mode == "nearest":
        return _taken([np.arange(to) // (to // size) for size, to in sizes])
    return _interpolation([_mix(size, to // size) for size, to in sizes])


def _taken(places: Sequence[Array]) -> ArrayFunction:
    def take(inputs: Sequence[Array]) -> Array:
        result = inputs[0]
        for axis, place in enumerate(places, 1):
            result = result.take(place, axis)
        return result

    return take


def _mix(size: int, scale: int) -> Mix:
    """Between pixel centres, the border repeated."""
    centres = np.maximum(0.0, (np.arange(size * scale) + 0.5) / scale - 0.5)
    left = np.minimum(centres.astype(np.int64), size - 1)
    return Mix(left, np.minimum(left + 1, size - 1), (centres - left).astype(np.float32))


def _interpolation(axes: Sequence[Mix]) -> ArrayFunction:
    """Pixels without a share are left out: 0·∞ would not be a number."""

    def interpolate(inputs: Sequence[Array]) -> Array:
        result = inputs[0]
        for axis, (left, right, share) in enumerate(axes, 1):
            result = np.moveaxis(result, axis, -1)
            mixed = result[..., left]
            between = np.flatnonzero((share > 0) & (left < right))
            part = share[between]
            mixed[..., between] = mixed[..., between] * (1 - part) + result[..., right[between]] * part
            result = np.moveaxis(mixed, -1, axis)
        return result

    return interpolate
