"""The same numbers in another place, and parts of them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.graph import Node
from convcalc.ops import axis_dimensions
from convcalc.shapes import per_axis

PAD_MODES: dict[str, Literal["reflect", "edge", "wrap"]] = {
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def transpose(node: Node, parameters: Parameters) -> ArrayFunction:
    """Dimensions in another order."""
    op: Any = node.op
    return lambda inputs: inputs[0].transpose(op.order)


def slice_(node: Node, parameters: Parameters) -> ArrayFunction:
    """A range of one dimension."""
    op: Any = node.op
    place = axis_dimensions(op.axis, len(node.output_shape))[0]
    kept = (*(slice(None) for _ in range(place)), slice(op.start, op.stop, op.step))
    return lambda inputs: inputs[0][kept]


def select(node: Node, parameters: Parameters) -> ArrayFunction:
    """Listed indices of one dimension."""
    op: Any = node.op
    place = axis_dimensions(op.axis, len(node.output_shape))[0]
    indices = list(op.indices)
    return lambda inputs: inputs[0].take(indices, axis=place)


def crop(node: Node, parameters: Parameters) -> ArrayFunction:
    """A part of each map."""
    op: Any = node.op
    sizes = node.output_shape[1:]
    starts = per_axis(op.offset, len(sizes), "offset")
    kept = (slice(None), *(slice(start, start + size) for start, size in zip(starts, sizes, strict=True)))
    return lambda inputs: inputs[0][kept]


def pad(node: Node, parameters: Parameters) -> ArrayFunction:
    """A margin of one number, or of the map's own."""
    op: Any = node.op
    margins = op.margins(node.input_shapes[0])
    if op.mode in PAD_MODES:
        return lambda inputs: np.pad(inputs[0], margins, PAD_MODES[op.mode])
    return lambda inputs: np.pad(inputs[0], margins, constant_values=op.value)


def roll(node: Node, parameters: Parameters) -> ArrayFunction:
    """Dimensions turned round."""
    op: Any = node.op
    shifts = op.shifts(len(node.output_shape))
    return lambda inputs: np.roll(inputs[0], tuple(shifts.values()), tuple(shifts))


def pixel_shuffle(node: Node, parameters: Parameters) -> ArrayFunction:
    """(C, r, r, H, W) → (C, H, r, W, r)."""
    op: Any = node.op
    spatial = node.input_shapes[0][1:]
    rank = len(spatial)
    parts = (node.output_shape[0], *(op.factor for _ in spatial), *spatial)
    order = (0, *(place for axis in range(1, rank + 1) for place in (axis + rank, axis)))
    return lambda inputs: inputs[0].reshape(parts).transpose(order)


def pixel_unshuffle(node: Node, parameters: Parameters) -> ArrayFunction:
    """(C, H, r, W, r) → (C, r, r, H, W)."""
    op: Any = node.op
    spatial = node.output_shape[1:]
    rank = len(spatial)
    parts = (node.input_shapes[0][0], *(part for size in spatial for part in (size, op.factor)))
    order = (0, *range(2, 2 * rank + 1, 2), *range(1, 2 * rank, 2))
    return lambda inputs: inputs[0].reshape(parts).transpose(order)
