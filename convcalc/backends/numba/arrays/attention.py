"""Attention: matrix products of all heads and windows at once.

Everything is computed with the features first: projections of all places are one product, and the places of a window
and the features of a head are the last two dimensions of views of its result, which no product has to copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node
from convcalc.ops import Slot
from convcalc.ops.attention import MAX_SCALE, MIN_LENGTH, Attention


def attention(node: Node, parameters: Parameters) -> ArrayFunction:
    """Multi-head attention to all positions, or in windows."""
    op = node.op
    assert isinstance(op, Attention)
    shape = node.input_shapes[0]
    last = op.axis == "last"
    features = shape[-1] if last else shape[0]
    axes = op.window_axes(shape)
    count, places = prod(axis.windows for axis in axes), prod(axis.window for axis in axes)
    heads, depth = op.heads, features // op.heads
    in_weight, in_bias = _scaled(parameters, op, features)
    factors = cosine_factors(op, parameters)
    out_weight = parameters["out_proj.weight"]
    out_bias = parameters["out_proj.bias"][:, None] if op.out_bias else None
    tiles = op.tiles(shape)
    order = _Order.of(tiles, prod(axis.size for axis in axes))
    apart = _apart(tiles) if op.masks_itself(shape) else None
    named = op.named_inputs(node.input_shapes)

    def attend(inputs: Sequence[Array]) -> Array:
        x = inputs[0].reshape(-1, features).T if last else inputs[0].reshape(features, -1)
        projected = in_weight @ order.into_windows(x)
        if in_bias is not None:
            projected += in_bias
        split = projected.reshape(3, heads, depth, count, places).transpose(0, 3, 1, 2, 4)
        queries, keys, values = split  # (windows, heads, depth, places) each
        if factors is not None:
            queries, keys = _unit(queries) * factors[:, None, None], _unit(keys)
        scores = np.matmul(queries.swapaxes(-1, -2), keys)
        if "bias" in named:
            scores += inputs[named["bias"]]
        if "mask" in named:
            mask = inputs[named["mask"]]
            scores += mask if mask.ndim == 2 else mask[:, None]
        if apart is not None:
            scores += apart
        _softmax(scores)
        gathered = np.matmul(values, scores.swapaxes(-1, -2))
        result = out_weight @ gathered.transpose(1, 2, 0, 3).reshape(features, -1)
        if out_bias is not None:
            result += out_bias
        result = order.out_of_windows(result)
        return result.T if last else result

    return attend


def _scaled(parameters: Parameters, op: Attention, features: int) -> tuple[Array, Array | None]:
    """The weights and biases of queries, keys and values, each times its factor."""
    factor, bias_factor = projection_factors(op, features)
    bias = parameters["in_proj_bias"] * bias_factor.astype(np.float32) if op.in_bias else None
    weight = parameters["in_proj_weight"] * factor[:, None].astype(np.float32)
    return weight, None if bias is None else bias[:, None]


def projection_factors(op: Attention, features: int) -> tuple[Array, Array]:
    """What the rows of in_proj_weight and of in_proj_bias are multiplied by, float64: the scale of dot products for the
    queries; with cosines, 0 for the biases of the keys."""
    weight = np.ones(3 * features)
    bias = np.ones(3 * features)
    if op.similarity == "cosine":
        bias[features : 2 * features] = 0
    else:
        scale = 1 / sqrt(features // op.heads) if op.scale is None else op.scale
        weight[:features] = bias[:features] = scale
    return weight, bias


def cosine_factors(op: Attention, parameters: Parameters) -> Array | None:
    """What the cosines of each head are multiplied by, (heads); None for dot products."""
    if op.similarity != "cosine":
        return None
    with np.errstate(over="ignore"):
        factors: Array = np.minimum(np.exp(parameters["logit_scale"].reshape(-1)), np.float32(MAX_SCALE))
        return factors


def _unit(vectors: Array) -> Array:
    """(windows, heads, depth, places), each vector of features divided by its length."""
    lengths = np.sqrt((vectors * vectors).sum(axis=2, keepdims=True))
    units: Array = vectors / np.maximum(lengths, np.float32(MIN_LENGTH))
    return units


class _Order:
    """Where positions are among the places of all windows. into: the position in each place, `size` for an added one;
    out: the place of each position; both None where all positions are in their order."""

    def __init__(self, size: int, into: Array | None, out: Array | None, added: bool) -> None:
        self._size, self._into, self._out, self._added = size, into, out, added

    @classmethod
    def of(cls, tiles: Sequence[Sequence[Slot]], size: int) -> _Order:
        """The order of these windows, for so many positions."""
        if len(tiles) == 1 and len(tiles[0]) == size:
            return cls(size, None, None, False)
        positions = [slot.position for tile in tiles for slot in tile]
        into = np.array([size if position is None else position for position in positions], np.intp)
        out = np.empty(size, np.intp)
        real = into < size
        out[into[real]] = np.flatnonzero(real)
        return cls(size, into, out, not real.all())

    def into_windows(self, x: Array) -> Array:
        """(C, positions) → (C, places of all windows)."""
        if self._into is None:
            return x
        if self._added:
            x = np.concatenate([x, np.zeros((len(x), 1), np.float32)], axis=1)
        return x.take(self._into, axis=1)

    def out_of_windows(self, x: Array) -> Array:
        """The way back."""
        return x if self._out is None else x.take(self._out, axis=1)


def _apart(tiles: Sequence[Sequence[Slot]]) -> Array:
    """(windows, 1, places, places): −∞ for two places that do not read each other, 0 for others."""
    parts: dict[tuple[bool, ...], int] = {}
    numbers = np.array([[parts.setdefault(slot.wrapped, len(parts)) for slot in tile] for tile in tiles])
    unlike = numbers[:, :, None] != numbers[:, None, :]
    return np.where(unlike, np.float32(-np.inf), np.float32(0))[:, None]


def _softmax(scores: Array) -> None:
    """Over the last dimension, in place."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
