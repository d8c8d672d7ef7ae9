"""Rare operators outside the kernels: by NumPy on whole arrays, or at last by the operator's own forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import mul
from typing import Any

import numpy as np

from convcalc.backends.numba.layout import Array
from convcalc.backends.numba.lower.lowering import HostFunction, Lowering
from convcalc.backends.numba.lower.maps import multiplies_in_kernel
from convcalc.graph import Node
from convcalc.ops import Tensor

ANY_RANK = frozenset({"flatten", "reshape", "dropout", "identity"})


def is_host(node: Node, known: frozenset[str]) -> bool:
    """Whether no kernel computes the node. known: the kinds that have one."""
    op: Any = node.op
    if node.kind not in known:
        return True
    if node.kind not in ANY_RANK and any(len(shape) > 4 for shape in (*node.input_shapes, node.output_shape)):
        return True
    if node.kind == "multiply":
        return not multiplies_in_kernel(node.input_shapes)
    if node.kind == "layernorm":
        return bool(op.axis == "last" and len(node.output_shape) > 1)
    if node.kind == "dense":
        return len(node.output_shape) > 1
    return bool(node.kind == "upsample" and op.mode == "bilinear")


def spreads_what_is_no_number(node: Node, parameters: Mapping[str, Sequence[float]]) -> bool:
    """Whether the kernel would multiply weights that are infinite or no number with the zeros around its input, and
    so give no number where nothing but such zeros is read."""
    return node.kind == "deconv" and not np.isfinite(np.asarray(parameters["weight"], np.float32)).all()


def has_numpy(node: Node) -> bool:
    """Whether NumPy computes it here, so that the slow reference forward is not needed."""
    return node.kind in ("transpose", "multiply", "layernorm", "dense", "upsample")


def host_function(low: Lowering, node: Node) -> HostFunction:
    """What computes the node from its inputs' arrays."""
    op: Any = node.op
    if node.kind == "transpose":
        return lambda inputs: inputs[0].transpose(op.order)
    if node.kind == "multiply":
        return lambda inputs: reduce(mul, inputs)
    if node.kind == "dense":
        weight = low.parameter(node, "weight").reshape(op.units, -1)
        bias = low.parameter(node, "bias") if op.bias else np.zeros(op.units, np.float32)
        return lambda inputs: inputs[0] @ weight.T + bias
    if node.kind == "layernorm" and op.axis == "last":
        return _layernorm(low.parameter(node, "weight"), low.parameter(node, "bias"), op.eps)
    if node.kind == "upsample" and op.mode == "bilinear":
        sizes = zip(node.input_shapes[0][1:], node.output_shape[1:], strict=True)
        return _interpolation([_mix(size, to // size) for size, to in sizes])
    parameters = {name: list(values) for name, values in low.weights.nodes[node.index].items()}

    def reference(inputs: Sequence[Array]) -> Array:
        tensors = [Tensor(one.shape, one.astype(np.float64).ravel().tolist()) for one in inputs]
        return np.array(op.forward(tensors, parameters).values, np.float32)

    return reference


def _layernorm(weight: Array, bias: Array, eps: float) -> HostFunction:
    def normalise(inputs: Sequence[Array]) -> Array:
        centred = inputs[0] - inputs[0].mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
        result: Array = centred / deviation * weight + bias
        return result

    return normalise


def _mix(size: int, scale: int) -> tuple[Array, Array, Array]:
    """(pixel before each output, pixel after it, that one's share): between pixel centres, the border repeated."""
    centres = np.maximum(0.0, (np.arange(size * scale) + 0.5) / scale - 0.5)
    left = np.minimum(centres.astype(np.int64), size - 1)
    return left, np.minimum(left + 1, size - 1), (centres - left).astype(np.float32)


def _interpolation(axes: list[tuple[Array, Array, Array]]) -> HostFunction:
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
