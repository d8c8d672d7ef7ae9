"""Mean, sum, maximum or minimum over whole dimensions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._axes import Axes, dimensions, named, settled, spatial, vectors
from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._fields import along, choice, flag
from convcalc.ops._saved import OUTPUT, Saved
from convcalc.ops._working import values_read
from convcalc.ops.maxpool import largest
from convcalc.shapes import Shape

FUNCTIONS = {"mean": "mean", "sum": "sum", "max": "amax", "min": "amin"}  # in torch


@dataclass(frozen=True, kw_only=True)
class Reduce(Operator):
    """Reduces the dimensions in `axis`, by default all spatial dimensions: (C, H, W) → (C).

    The reduced dimensions are removed, or kept with size 1 if `keep` is set. A maximum or minimum propagates NaN.
    """

    kind: ClassVar[str] = "reduce"
    role: ClassVar[str] = "pooling"
    main: ClassVar[str | None] = "mode"
    torch_function: ClassVar[str] = "mean"
    example: ClassVar[Example | None] = Example(
        "reduce: {mode: max, axis: 0, keep: true}", (64, 28, 28), "'reduce: sum' '1 2 3; 4 5 6'"
    )

    mode: str = choice("mean", "sum", "max", "min", default="mean", doc="which number")
    axis: Axes | None = along(None, several=True, doc="dimensions to use; default: all except the channels")
    keep: bool = flag(False, doc="keep the reduced dimensions with size 1")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `axis` counted from 0. Raises Misfit if an axis is missing or no dimension remains."""
        shape = inputs[0]
        bound = dataclasses.replace(
            self, axis=settled(spatial(shape, "reduce") if self.axis is None else self.axis, shape)
        )
        if len(bound.over(len(shape))) == len(shape) and not self.keep:
            raise Misfit("reduce over all dimensions leaves none", "keep: true leaves them as 1")
        return bound

    def over(self, rank: int) -> tuple[int, ...]:
        """The dimensions that are reduced, for an input of the given rank."""
        assert self.axis is not None
        return dimensions(self.axis, rank)

    def output_shape(self, inputs: Inputs) -> Shape:
        """The other dimensions; with `keep`, reduced dimensions have size 1."""
        over = self.over(len(inputs[0]))
        sizes = [1 if dimension in over else size for dimension, size in enumerate(inputs[0])]
        return tuple([sizes[dimension] for dimension in self._left(len(sizes))])

    def _left(self, rank: int) -> list[int]:
        """The dimensions that remain."""
        over = self.over(rank)
        return [dimension for dimension in range(rank) if self.keep or dimension not in over]

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All of the reduced dimensions, and the same place in the others."""
        rank = len(inputs[0])
        over, left = self.over(rank), self._left(rank)
        return tuple(WHOLE if d in over else Reach(left.index(d)) for d in range(rank))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The number of values per output."""
        what = {"mean": "mean", "sum": "sum", "max": "maximum", "min": "minimum"}[self.mode]
        return values_read(f"values per {what}", [inputs[0][d] for d in self.over(len(inputs[0]))])

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with `axis` mapped to the stored order; the remaining dimensions keep their order."""
        rank = len(order)
        places = tuple(sorted(order[dimension] for dimension in self.over(rank)))
        again = dataclasses.replace(self, axis=places if len(places) > 1 else named(places[0], rank))
        left = again._left(rank)
        return Reordered(again, tuple(left.index(order[dimension]) for dimension in self._left(rank)))

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """Input and output of a maximum or minimum; nothing of a mean or sum."""
        return (Saved("input", 0), Saved("output", OUTPUT)) if self.mode in ("max", "min") else ()

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Reduces the values along `axis` for each place in the other dimensions."""
        shape, values = inputs[0]
        over = self.over(len(shape))
        combine = COMBINE[self.mode]
        result = [combine([values[at] for at in places]) for places in vectors(over, shape)]
        sizes = [1 if dimension in over else size for dimension, size in enumerate(shape)]
        return Tensor(tuple(size for d, size in enumerate(sizes) if self.keep or d not in over), result)


def _mean(values: Sequence[Any]) -> Any:
    return sum(values) / len(values)


def _least(values: Sequence[Any]) -> Any:
    found = min(values)
    if isinstance(found, float) and isnan(sum(values)):  # or ∞ − ∞
        return next((value for value in values if value != value), found)
    return found


COMBINE: dict[str, Callable[[Sequence[Any]], Any]] = {
    "mean": _mean,
    "sum": sum,
    "max": largest,
    "min": _least,
}
