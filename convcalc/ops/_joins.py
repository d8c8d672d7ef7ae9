"""Base of element-wise joins (add, multiply, …) with broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import prod
from typing import Any, ClassVar, Self

from convcalc.ops._base import (
    MAX_SHOWN_BRANCHES,
    WHOLE,
    AxisReach,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
    Working,
    mismatch,
)
from convcalc.shapes import Shape, show


@dataclass(frozen=True, kw_only=True)
class Elementwise(Operator):
    """Base class of element-wise joins. Inputs have equal rank; dimensions of size 1 are broadcast."""

    role: ClassVar[str] = "join"
    commutative: ClassVar[bool] = True
    element: ClassVar[Callable[[Any, Any], Any]]  # combines two numbers
    inputs: ClassVar[tuple[int, int | None]] = (2, None)

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if sizes differ and neither is 1."""
        if any(shape != inputs[0] for shape in inputs) and not _broadcasts(inputs):
            raise mismatch(f"{self.kind} needs {self._needs(inputs)}", inputs, stretches=True)
        return self

    def _needs(self, inputs: Inputs) -> str:
        """The requirement on the inputs, for an error message."""
        return "shapes that are equal, or 1 where they differ"

    def output_shape(self, inputs: Inputs) -> Shape:
        """The largest size of each dimension."""
        return full_shape(inputs)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """The element at the same place; in a broadcast dimension, its only element."""
        sizes = zip(inputs[index], full_shape(inputs), strict=True)
        return tuple(Reach(d) if own == size else WHOLE for d, (own, size) in enumerate(sizes))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The branches that are broadcast: `branch 2, 64×1×1 → 64×28×28`."""
        full = full_shape(inputs)
        repeated = [(index, shape) for index, shape in enumerate(inputs, 1) if shape != full]
        if not repeated:
            return ()
        text = ", ".join(f"branch {index}, {show(shape)}" for index, shape in repeated[:MAX_SHOWN_BRANCHES])
        if len(repeated) > MAX_SHOWN_BRANCHES:
            text += f" and {len(repeated) - MAX_SHOWN_BRANCHES:,} more"
        return (Working("repeated", f"{text} → {show(full)}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator; the storage order does not matter."""
        return Reordered(self, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Broadcasts the inputs to the full shape and combines them two at a time."""
        shape = tuple(max(sizes) for sizes in zip(*(tensor.shape for tensor in inputs), strict=True))
        element = type(self).element
        columns = [_repeated(tensor, shape) for tensor in inputs]
        return Tensor(shape, reduce(lambda a, b: list(map(element, a, b)), columns[1:], columns[0]))


def _broadcasts(inputs: Inputs) -> bool:
    """Whether the inputs have equal rank and, where their sizes differ, all but one of the sizes are 1."""
    if any(len(shape) != len(inputs[0]) for shape in inputs):
        return False
    for sizes in zip(*inputs, strict=True):
        wide = [size for size in sizes if size != 1]
        if any(size != wide[0] for size in wide):
            return False
    return True


_latest: tuple[Inputs, Shape] = ((), ())


def full_shape(inputs: Inputs) -> Shape:
    """The shape to which the inputs are broadcast.

    `reach` is called for each input of a join in turn, so the latest result is cached: a join of n inputs takes n
    steps, not n².
    """
    global _latest
    if _latest[0] is not inputs:
        _latest = (inputs, tuple(map(max, zip(*inputs, strict=True))))
    return _latest[1]


def _repeated(tensor: Tensor, shape: Shape) -> Sequence[Any]:
    """The values of a tensor broadcast to a larger shape."""
    if tensor.shape == shape:
        return tensor.values
    places = []
    for dimension, (own, size) in enumerate(zip(tensor.shape, shape, strict=True)):
        step = prod(tensor.shape[dimension + 1 :])
        places.append([0] * size if own != size else list(range(0, size * step, step)))
    return [tensor.values[sum(place)] for place in product(*places)]
