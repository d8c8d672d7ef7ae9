"""Resolves `axis` fields to dimensions, with helpers for operators that act along an axis.

A field gives a dimension as `channels`, `last` or a number: 0 is the channels, -1 the last dimension.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import ClassVar

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, AxisReach, Inputs, Operator, Order, Reach, Reordered
from convcalc.ops._fields import along
from convcalc.shapes import AXIS_NAMES, Shape, show

Axis = str | int
Axes = Axis | tuple[int, ...]


def dimensions(axes: Axes, rank: int) -> tuple[int, ...]:
    """The dimensions that a field selects, ascending and counted from 0. They are not checked against the rank."""
    if isinstance(axes, str):
        return (0 if axes == "channels" else rank - 1,)
    numbers = axes if isinstance(axes, tuple) else (axes,)
    return tuple(sorted(number + rank if number < 0 else number for number in numbers))


def sizes(axes: Axes, shape: Shape) -> Shape:
    """The sizes of the dimensions that a field selects."""
    return tuple(shape[dimension] for dimension in dimensions(axes, len(shape)))


def count(axes: Axes, shape: Shape) -> int:
    """The number of vectors along the dimensions that a field selects."""
    return prod(shape) // prod(sizes(axes, shape))


def settled(axes: Axes, shape: Shape) -> Axes:
    """The field's value in canonical form: `channels` or `last` if possible, else numbers from 0 in ascending order.

    Raises Misfit if the input has no such dimension or a dimension is repeated.
    """
    if isinstance(axes, str):
        return axes
    rank = len(shape)
    found = dimensions(axes, rank)
    given = list(axes) if isinstance(axes, tuple) else axes
    if not 0 <= found[0] <= found[-1] < rank:
        raise Misfit(
            f"axis {given} is no dimension of {show(shape)}",
            f"use 0, the channels, to {rank - 1}, or -1, the last"
            if rank > 1
            else "a vector has one dimension, 0",
        )
    if len(set(found)) < len(found):
        raise Misfit(f"axis {given} names a dimension of {show(shape)} twice", "name each dimension once")
    return found if len(found) > 1 else named(found[0], rank)


def settled_one(axis: Axis, shape: Shape) -> Axis:
    """Like `settled`, for a field that holds a single dimension."""
    found = settled(axis, shape)
    assert not isinstance(found, tuple)
    return found


def named(dimension: int, rank: int) -> Axis:
    """`channels`, `last` or the dimension's number."""
    if dimension == 0:
        return "channels"
    return "last" if dimension == rank - 1 else dimension


def moved(operator: Operator, axes: Axes, order: Order) -> Reordered | None:
    """The operator with its field `axis` mapped to the storage order of its inputs.

    None if several dimensions are stored in a different sequence, because their weights would need reordering too.
    """
    places = [order[dimension] for dimension in dimensions(axes, len(order))]
    if places != sorted(places):
        return None
    stored = tuple(places) if len(places) > 1 else named(places[0], len(order))
    return Reordered(dataclasses.replace(operator, axis=stored), order)  # type: ignore[call-arg]


def reach_over(found: Sequence[int], rank: int) -> tuple[AxisReach, ...]:
    """The reach of an output that reads all of the given dimensions and only its own place in the others."""
    return tuple(WHOLE if dimension in found else Reach(dimension) for dimension in range(rank))


def vectors(found: Sequence[int], shape: Shape) -> Iterator[list[int]]:
    """For each place in the other dimensions, the row-major indices of the values along the given dimensions."""
    steps = [prod(shape[dimension + 1 :]) for dimension in range(len(shape))]
    ranges = [range(0, size * step, step) for size, step in zip(shape, steps, strict=True)]
    within = [sum(offsets) for offsets in product(*(ranges[dimension] for dimension in found))]
    others = [ranges[dimension] for dimension in range(len(shape)) if dimension not in found]
    for place in product(*others):
        start = sum(place)
        yield [start + offset for offset in within]


@dataclass(frozen=True, kw_only=True)
class AlongAxes(Operator):
    """Base of operators whose values act on each other along `axis` and nowhere else, and that keep the shape."""

    main: ClassVar[str | None] = "axis"
    pointwise: ClassVar[bool] = True

    axis: Axes = along(several=True, doc="dimensions that act on each other")

    def keeps_positions(self, inputs: Inputs) -> bool:
        """Whether `axis` is the channels and nothing else."""
        return dimensions(self.axis, len(inputs[0])) == (0,)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All of the dimensions of `axis`, and the same place in the others."""
        rank = len(inputs[0])
        return reach_over(dimensions(self.axis, rank), rank)

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with `axis` mapped to the stored order, else None."""
        return moved(self, self.axis, order)


def spatial(shape: Shape, kind: str) -> tuple[int, ...]:
    """All dimensions except the channels. Raises Misfit for a vector."""
    if len(shape) < 2:
        raise Misfit(f"{kind} of a vector has no spatial dimensions to work on", "say which: axis: channels")
    return tuple(range(1, len(shape)))


def dimension_name(shape: Shape, dimension: int) -> str:
    """The name of a dimension, such as `channels` or `height`; `dimension 4` if it has none."""
    if dimension == 0:
        return "channels" if len(shape) > 1 else "features"
    names = AXIS_NAMES.get(len(shape) - 1, ())
    return names[dimension - 1] if names else f"dimension {dimension}"
