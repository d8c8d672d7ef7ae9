"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node


def layernorm(node: Node, parameters: Parameters) -> ArrayFunction:
    """Over the channels, or over the last dimension."""
    op: Any = node.op
    axis = 0 if op.axis == "channels" else -1
    rank = len(node.output_shape)
    along = (-1, *(1 for _ in range(rank - 1))) if axis == 0 else (-1,)
    weight, bias = parameters["weight"].reshape(along), parameters["bias"].reshape(along)

    def normalise(inputs: Sequence[Array]) -> Array:
        centred = inputs[0] - inputs[0].mean(axis=axis, keepdims=True)
        deviation = np.sqrt((centred * centred).mean(axis=axis, keepdims=True) + op.eps)
        result: Array = centred / deviation * weight + bias
        return result

    return normalise
