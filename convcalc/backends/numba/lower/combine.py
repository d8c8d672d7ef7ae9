"""Sums, products and factors per channel of whole maps as steps."""

from __future__ import annotations

from math import inf

from convcalc.backends.numba.jit.simd import BLOCK
from convcalc.backends.numba.kernels import pointwise
from convcalc.backends.numba.lower.affine import affine_of
from convcalc.backends.numba.lower.lowering import Lowering, padded_vector
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import Step, View, Word

Bound = tuple[float, float]
UNBOUNDED: Bound = (-inf, inf)


def rows_of(low: Lowering, view: View) -> tuple[dict[str, Word], int]:
    """The parameters for walking a map's rows, and the number of items."""
    depth, height, width = view.layout.spatial
    rows = depth * height
    blocks, item_rows = view.layout.blocks, low.item_rows(rows, width * 4 * BLOCK)
    values: dict[str, Word] = {"height": height, "width": width, "rows": rows}
    return values | {"blocks": blocks, "item_rows": item_rows}, blocks * -(-rows // item_rows)


def source_of(low: Lowering, layer: FusedLayer, place: int = 0) -> View:
    """An input of a layer as a blocked map."""
    return low.view(low.fusion.alias[layer.node.inputs[place]], layer.node)


def add_affine(
    low: Lowering, layer: FusedLayer, source: View, target: View, scale: Word, shift: Word, bound: Bound
) -> None:
    """The step that multiplies each channel by a number, adds one, and keeps the result within a bound."""
    values: dict[str, Word] = {"mode": pointwise.AFFINE, "scale": scale, "shift": shift, "other_pixel": 64}
    values |= source.strides("other")
    _add_combine(low, layer, values, source, [source], target, bound)


def _add_pair(
    low: Lowering, layer: FusedLayer, mode: int, source: View, other: View, target: View, bound: Bound
) -> None:
    """The step that combines two maps; the second is repeated along the axes where it has one pixel."""
    values: dict[str, Word] = {"mode": mode, "scale": 0, "shift": 0, "other_pixel": 64}
    values |= other.strides("other")
    names = ("other_plane", "other_row", "other_pixel")
    sizes = zip(names, other.layout.spatial, target.layout.spatial, strict=True)
    values |= {name: 0 for name, own, full in sizes if own != full}
    _add_combine(low, layer, values, source, [source, other], target, bound)


def _add_combine(
    low: Lowering,
    layer: FusedLayer,
    values: dict[str, Word],
    source: View,
    read: list[View],
    target: View,
    bound: Bound,
) -> None:
    rows, items = rows_of(low, target)
    values |= rows | source.strides("source") | target.strides("target")
    values |= {"low": bound[0], "high": bound[1]}
    reads = [view.span for view in read]
    low.program.add(Step(pointwise.combine, values, items, reads, (target.span,), layer.node.index))


def _add_pairs(low: Lowering, layer: FusedLayer, mode: int, views: list[View]) -> None:
    """Two inputs at a time; the last pair's result is bounded."""
    target = low.target(layer.value, layer.node)
    total = views[0]
    for place, view in enumerate(views[1:], 2):
        bound = (layer.low, layer.high) if place == len(views) else UNBOUNDED
        _add_pair(low, layer, mode, total, view, target, bound)
        total = target


def _views_full_first(low: Lowering, layer: FusedLayer) -> list[View]:
    """A join's inputs, the first of the full size before the others."""
    node = layer.node
    views = [source_of(low, layer, place) for place in range(len(node.inputs))]
    views.insert(0, views.pop(node.input_shapes.index(node.output_shape)))
    return views


def lower_add(low: Lowering, layer: FusedLayer) -> None:
    """A sum."""
    _add_pairs(low, layer, pointwise.ADD, _views_full_first(low, layer))


def lower_multiply(low: Lowering, layer: FusedLayer) -> None:
    """A product."""
    _add_pairs(low, layer, pointwise.MULTIPLY, _views_full_first(low, layer))


def lower_affine(low: Lowering, layer: FusedLayer) -> None:
    """A batchnorm or scale that no convolution took in."""
    source, target = source_of(low, layer), low.target(layer.value, layer.node)
    affine = affine_of(layer.node, low.parameters(layer.node))
    lanes = target.layout.blocks * BLOCK
    scale, shift = padded_vector(affine.factor, lanes), padded_vector(affine.offset, lanes)
    add_affine(low, layer, source, target, scale, shift, (layer.low, layer.high))
