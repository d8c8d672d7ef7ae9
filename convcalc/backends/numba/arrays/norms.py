"""Normalisations, and softmax. Sums are of float64: a map may have a million values, and their squares may be large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node
from convcalc.ops import axis_dimensions


def layernorm(node: Node, parameters: Parameters) -> ArrayFunction:
    """Over the channels, the last dimension or several."""
    op: Any = node.op
    axes = _axes(node)
    weight, bias = (_along(node, parameters[name]) if op.affine else None for name in ("weight", "bias"))

    def normalise(inputs: Sequence[Array]) -> Array:
        return _learned(_standardised(inputs[0], axes, op.eps), weight, bias)

    return normalise


def rmsnorm(node: Node, parameters: Parameters) -> ArrayFunction:
    """Over the channels, the last dimension or several."""
    op: Any = node.op
    axes = _axes(node)
    weight = _along(node, parameters["weight"]) if op.affine else None

    def normalise(inputs: Sequence[Array]) -> Array:
        square = np.square(inputs[0], dtype=np.float64).mean(axes, keepdims=True)
        return _learned(inputs[0] * (1 / np.sqrt(square + op.eps)).astype(np.float32), weight, None)

    return normalise


def l2norm(node: Node, parameters: Parameters) -> ArrayFunction:
    """Divided by the length of each vector."""
    op: Any = node.op
    axes = _axes(node)

    def normalise(inputs: Sequence[Array]) -> Array:
        length = np.sqrt(np.square(inputs[0], dtype=np.float64).sum(axes, keepdims=True))
        result: Array = inputs[0] / np.maximum(length, op.eps).astype(np.float32)
        return result

    return normalise


def groupnorm(node: Node, parameters: Parameters) -> ArrayFunction:
    """Over each group of channels and all positions."""
    op: Any = node.op
    return _by_groups(node, parameters, op.groups)


def instancenorm(node: Node, parameters: Parameters) -> ArrayFunction:
    """Over all positions of each channel."""
    return _by_groups(node, parameters, node.output_shape[0])


def softmax(node: Node, parameters: Parameters) -> ArrayFunction:
    """Powers of the distance to the largest, so that none overflows."""
    axes = _axes(node)

    def normalise(inputs: Sequence[Array]) -> Array:
        powers = np.exp(inputs[0] - inputs[0].max(axes, keepdims=True))
        result: Array = powers / powers.sum(axes, keepdims=True)
        return result

    return normalise


def _by_groups(node: Node, parameters: Parameters, groups: int) -> ArrayFunction:
    op: Any = node.op
    channels = node.output_shape[0]
    weight, bias = (parameters[name][:, None] if op.affine else None for name in ("weight", "bias"))

    def normalise(inputs: Sequence[Array]) -> Array:
        result = _standardised(inputs[0].reshape(groups, -1), (1,), op.eps)
        return _learned(result.reshape(channels, -1), weight, bias)

    return normalise


def _axes(node: Node) -> tuple[int, ...]:
    op: Any = node.op
    return axis_dimensions(op.axis, len(node.output_shape))


def _along(node: Node, values: Array) -> Array:
    """Numbers for the dimensions normalised over, beside dimensions of 1 for the others."""
    axes = _axes(node)
    return values.reshape([size if place in axes else 1 for place, size in enumerate(node.output_shape)])


def _standardised(values: Array, axes: tuple[int, ...], eps: float) -> Array:
    """(x − mean)/√(variance + eps) over some dimensions."""
    centred = values - values.mean(axes, np.float64, keepdims=True).astype(np.float32)
    variance = np.square(centred, dtype=np.float64).mean(axes, keepdims=True)
    result: Array = centred * (1 / np.sqrt(variance + eps)).astype(np.float32)
    return result


def _learned(values: Array, weight: Array | None, bias: Array | None) -> Array:
    """x·weight + bias, as far as there are any."""
    if weight is not None:
        values = values * weight
    return values if bias is None else values + bias
