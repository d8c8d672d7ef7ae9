"""Operators that are a factor and an offset per channel: what folds into a convolution's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from convcalc.backends.numba.layout import Array
from convcalc.graph import Node

if TYPE_CHECKING:
    from convcalc.ops.batchnorm import Batchnorm
    from convcalc.ops.scale import Scale

Parameters = Mapping[str, Array]


class Affine(NamedTuple):
    """factor·x + offset, one of each per channel, float64."""

    factor: Array
    offset: Array


def _batchnorm(node: Node, parameters: Parameters) -> Affine:
    """(x − mean)/√(variance + eps)·weight + bias as one product and one sum."""
    op = cast("Batchnorm", node.op)
    mean, variance = (parameters[name].astype(np.float64) for name in ("running_mean", "running_var"))
    with np.errstate(divide="ignore", invalid="ignore"):  # a variance of 0 with eps 0 gives infinity
        factor = 1 / np.sqrt(variance + op.eps)
        if not op.affine:
            return Affine(factor, -mean * factor)
        factor = factor * parameters["weight"]
        return Affine(factor, parameters["bias"] - mean * factor)


def _scale(node: Node, parameters: Parameters) -> Affine:
    constant = cast("Scale", node.op).value
    if constant is not None:
        return Affine(np.full(node.output_shape[0], constant), np.zeros(node.output_shape[0]))
    weight = parameters["weight"].astype(np.float64)
    return Affine(weight, np.zeros_like(weight))


AFFINE: Mapping[str, Callable[[Node, Parameters], Affine]] = {"batchnorm": _batchnorm, "scale": _scale}


def affine_of(node: Node, parameters: Parameters) -> Affine:
    """A node's factors and offsets, for operators that are `is_channel_affine`."""
    return AFFINE[node.kind](node, parameters)
