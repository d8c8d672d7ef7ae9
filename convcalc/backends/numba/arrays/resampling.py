"""Maps of another size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node

# Per tap, for each output of an axis the pixel that is read and its share; 0 where nothing is.
Taps = list[tuple[Array, Array]]


def upsample(node: Node, parameters: Parameters) -> ArrayFunction:
    """Pixels repeated, or interpolated along one axis after the other."""
    op: Any = node.op
    axes = op.taps(node.input_shapes[0])
    if op.mode == "nearest":
        places = np.ix_(
            np.arange(node.input_shapes[0][0]), *([pixel for ((pixel, _),) in axis] for axis in axes)
        )
        return lambda inputs: inputs[0][places]
    return _interpolation([_by_tap(axis) for axis in axes])


def _by_tap(outputs: Sequence[Sequence[tuple[int, float]]]) -> Taps:
    count = max(map(len, outputs))
    filled = [[*taps, *[(taps[0][0], 0.0)] * (count - len(taps))] for taps in outputs]
    return [
        (np.array([pixel for pixel, _ in tap]), np.array([share for _, share in tap], np.float32))
        for tap in zip(*filled, strict=True)
    ]


def _interpolation(axes: Sequence[Taps]) -> ArrayFunction:
    """Pixels without a share are left out: 0·∞ would not be a number."""

    def interpolate(inputs: Sequence[Array]) -> Array:
        result = inputs[0]
        for axis, taps in enumerate(axes, 1):
            along = np.moveaxis(result, axis, -1)
            mixed = np.zeros((*along.shape[:-1], len(taps[0][0])), np.float32)
            for pixel, share in taps:
                read = np.flatnonzero(share)
                mixed[..., read] += along[..., pixel[read]] * share[read]
            result = np.moveaxis(mixed, -1, axis)
        return result

    return interpolate
