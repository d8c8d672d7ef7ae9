"""Sums, products and other joins, and factors per channel, of whole maps as steps."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels import pointwise
from convcalc.backends.numba.lower.affine import affine_of
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for, padded_vector
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import MapView, Step, Word

Bound = tuple[float, float]
UNBOUNDED: Bound = (-inf, inf)


def rows_of(low: Lowering, view: MapView) -> tuple[dict[str, Word], int]:
    """The parameters for walking a map's rows, and the number of items."""
    depth, height, width = view.layout.spatial
    rows = depth * height
    blocks, item_rows = view.layout.blocks, low.item_rows(rows, width * view.layout.pixel)
    values: dict[str, Word] = {"height": height, "width": width, "rows": rows}
    return values | {"blocks": blocks, "item_rows": item_rows}, blocks * -(-rows // item_rows)


def source_of(low: Lowering, layer: FusedLayer, place: int = 0) -> MapView:
    """An input of a layer as a blocked map."""
    return low.view(low.fusion.alias[layer.node.inputs[place]], layer.node)


def add_affine(
    low: Lowering, layer: FusedLayer, source: MapView, target: MapView, scale: Word, shift: Word, bound: Bound
) -> None:
    """The step that multiplies each channel by a number, adds one, and keeps the result within a bound."""
    values: dict[str, Word] = {"mode": pointwise.AFFINE, "scale": scale, "shift": shift}
    _add_combine(low, layer, values, source, source, target, bound)


def _add_pair(
    low: Lowering,
    layer: FusedLayer,
    mode: int,
    source: MapView,
    other: MapView,
    target: MapView,
    bound: Bound,
) -> None:
    """The step that joins two maps."""
    values: dict[str, Word] = {"mode": mode, "scale": 0, "shift": 0}
    if mode == pointwise.DIVIDE:
        unused = np.ones(target.layout.blocks * BLOCK, np.float32)
        unused[: target.layout.channels] = 0
        values["shift"] = unused
    _add_combine(low, layer, values, source, other, target, bound)


def _add_combine(
    low: Lowering,
    layer: FusedLayer,
    values: dict[str, Word],
    source: MapView,
    other: MapView,
    target: MapView,
    bound: Bound,
) -> None:
    rows, items = rows_of(low, target)
    values |= rows | _repeated("source", source, target) | _repeated("other", other, target)
    values |= target.strides("target") | {"low": bound[0], "high": bound[1]}
    reads = list(dict.fromkeys((source.span, other.span)))
    kernel = kernel_for(pointwise.combine, source, other, target)
    low.program.add(Step(kernel, values, items, reads, (target.span,), layer.node.index))


def _repeated(prefix: str, view: MapView, target: MapView) -> dict[str, Word]:
    """A map's strides, 0 along the axes where it has one pixel for all of the target's."""
    values = view.strides(prefix) | {f"{prefix}_pixel": view.layout.pixel}
    names = (f"{prefix}_plane", f"{prefix}_row", f"{prefix}_pixel")
    sizes = zip(names, view.layout.spatial, target.layout.spatial, strict=True)
    return values | {name: 0 for name, own, full in sizes if own != full}


JOINS: Mapping[str, int] = {
    "add": pointwise.ADD,
    "subtract": pointwise.SUBTRACT,
    "multiply": pointwise.MULTIPLY,
    "divide": pointwise.DIVIDE,
    "maximum": pointwise.MAXIMUM,
    "minimum": pointwise.MINIMUM,
}


def lower_join(low: Lowering, layer: FusedLayer) -> None:
    """A sum, product, …, two inputs at a time from the first on; the last pair's result is bounded."""
    node = layer.node
    total, *others = [source_of(low, layer, place) for place in range(len(node.inputs))]
    target = low.target(layer.value, node)
    for place, other in enumerate(others, 1):
        bound = (layer.low, layer.high) if place == len(others) else UNBOUNDED
        _add_pair(low, layer, JOINS[node.kind], total, other, target, bound)
        total = target


def lower_affine(low: Lowering, layer: FusedLayer) -> None:
    """A batchnorm or scale that no convolution took in."""
    source, target = source_of(low, layer), low.target(layer.value, layer.node)
    affine = affine_of(layer.node, low.parameters(layer.node))
    lanes = target.layout.blocks * BLOCK
    scale, shift = padded_vector(affine.factor, lanes), padded_vector(affine.offset, lanes)
    add_affine(low, layer, source, target, scale, shift, (layer.low, layer.high))
