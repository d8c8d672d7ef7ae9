"""Strided views: what a chain of reshapes, transposes and slices does to the values of a tensor.

Each dimension of a view is a list of factors (size, stride), the outer first, as one dimension of the result may join
several of the source that do not follow each other. Two views with equal factors move values alike, so a chain of any
form can be compared with the one that is expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from convcalc.formats.draft import Draft
from convcalc.ops.flatten import Flatten
from convcalc.ops.identity import Identity
from convcalc.ops.reshape import Reshape
from convcalc.ops.scale import Scale
from convcalc.ops.slice import Slice
from convcalc.ops.transpose import Transpose
from convcalc.shapes import Shape

Factors = tuple[tuple[int, int], ...]


class View(NamedTuple):
    """Values of a source tensor in another arrangement. offset: the row-major index of the first."""

    dimensions: tuple[Factors, ...]
    offset: int = 0

    @property
    def factors(self) -> Factors:
        """The factors of all dimensions in normal form: without sizes of 1, neighbours joined where they can be."""
        return normal([factor for factors in self.dimensions for factor in factors])

    @property
    def shape(self) -> Shape:
        """The size of each dimension."""
        return tuple(prod(size for size, _ in factors) for factors in self.dimensions)


def whole(shape: Shape) -> View:
    """A tensor itself."""
    return View(tuple([((size, prod(shape[place + 1 :])),) for place, size in enumerate(shape)]))


def normal(factors: Sequence[tuple[int, int]]) -> Factors:
    """Factors without sizes of 1, neighbours joined where the inner one fills the outer one's stride."""
    found: list[tuple[int, int]] = []
    for size, stride in factors:
        if size == 1:
            continue
        if found and found[-1][1] == size * stride:
            found[-1] = found[-1][0] * size, stride
        else:
            found.append((size, stride))
    return tuple(found)


def reshaped(view: View, shape: Shape) -> View | None:
    """The view in another shape; None if a dimension would have to be cut where its factors do not allow it."""
    rest = [factor for factors in view.dimensions for factor in factors if factor[0] != 1][::-1]
    dimensions: list[Factors] = []
    for size in shape:
        found = []
        while size > 1:
            if not rest:
                return None
            own, stride = rest.pop()
            if size % own == 0:
                found.append((own, stride))
                size //= own
            elif own % size == 0:
                found.append((size, own // size * stride))
                rest.append((own // size, stride))
                size = 1
            else:
                return None
        dimensions.append(tuple(found))
    return None if rest else View(tuple(dimensions), view.offset)


def sliced(view: View, op: Slice, dimension: int) -> View | None:
    """The view with one dimension sliced; None if the dimension has several factors that the slice would cut."""
    factors = [factor for factor in view.dimensions[dimension] if factor[0] != 1]
    if len(factors) > 1:
        return None
    stride = factors[0][1] if factors else 0
    kept = op.kept
    dimensions = list(view.dimensions)
    dimensions[dimension] = ((len(kept), stride * op.step),)
    return View(tuple(dimensions), view.offset + op.first * stride)


class Traced(NamedTuple):
    """A chain of layers that only moves values, besides factors: where it starts, and what it does."""

    source: int
    view: View
    factor: float = 1.0


def trace(draft: Draft, layer: int, stop: int | None = None, slices: bool = True) -> Traced | None:
    """The chain that ends in a layer, back to the first layer that computes, or to `stop`. None if it is no view."""
    from convcalc.ops import axis_dimensions

    chain = []
    moves = (Reshape, Flatten, Transpose, Scale, Identity, *([Slice] if slices else []))
    while layer >= 0 and layer != stop and isinstance(draft.layers[layer].op, moves):
        if isinstance(draft.layers[layer].op, Scale) and draft.layers[layer].op.value is None:  # type: ignore[attr-defined]
            break
        chain.append(layer)
        layer = draft.layers[layer].inputs[0]
    view: View | None = whole(draft.shape(layer))
    factor = 1.0
    for index in reversed(chain):
        op = draft.layers[index].op
        if view is None:
            return None
        if isinstance(op, Transpose):
            view = View(tuple(view.dimensions[place] for place in op.order), view.offset)
        elif isinstance(op, Slice):
            view = sliced(view, op, axis_dimensions(op.axis, len(view.dimensions))[0])
        elif isinstance(op, Scale):
            factor *= op.value or 1.0
        elif not isinstance(op, Identity):
            view = reshaped(view, draft.layers[index].shape)
    return None if view is None else Traced(layer, view, factor)
