"""Concatenation of branches along the channels or another dimension."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any, ClassVar, Self

from convcalc.ops import _axes
from convcalc.ops._base import (
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
    Working,
    mismatch,
)
from convcalc.ops._fields import along
from convcalc.shapes import AXIS_NAMES, Shape


@dataclass(frozen=True, kw_only=True)
class Concat(Operator):
    """Concatenates its inputs along `axis`, by default the channels. All other dimensions must be equal.

    (C₁, *spatial), (C₂, *spatial), … → (C₁ + C₂ + …, *spatial).
    """

    kind: ClassVar[str] = "concat"
    sign: ClassVar[str] = "concat"
    torch_function: ClassVar[str] = "cat"
    passes_gradient: ClassVar[bool] = True
    role: ClassVar[str] = "join"
    inputs: ClassVar[tuple[int, int | None]] = (2, None)
    example: ClassVar[Example | None] = Example(
        "concat:\n  - - conv: {filters: 16, kernel: 1}\n  - - conv: {filters: 24, kernel: 3, padding: 1}",
        (64, 28, 28),
    )

    axis: str | int = along(doc="dimension to concatenate along")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `axis` in canonical form. Raises Misfit if it does not exist or other sizes differ."""
        bound = dataclasses.replace(self, axis=_axes.settled_one(self.axis, inputs[0]))
        place = bound.dimension(inputs)
        first, *others = [(len(shape), *shape[:place], *shape[place + 1 :]) for shape in inputs]
        if any(other != first for other in others):
            raise mismatch(f"concat needs equal sizes, {_name(place, inputs)} apart", inputs, apart=place)
        return bound

    def dimension(self, inputs: Inputs) -> int:
        """The index of the dimension along which inputs are concatenated."""
        return _axes.dimensions(self.axis, len(inputs[0]))[0]

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C₁ + C₂ + …, *spatial)."""
        place = self.dimension(inputs)
        return (*inputs[0][:place], sum(shape[place] for shape in inputs), *inputs[0][place + 1 :])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """The input's own section of the output, after those of the preceding inputs."""
        place = self.dimension(inputs)
        start = -_beginnings(inputs, place)[index]
        return tuple(Reach(d, start=start if d == place else 0) for d in range(len(inputs[index])))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`64 + 128 + 32 + 32 = 256`."""
        place = self.dimension(inputs)
        sizes = [shape[place] for shape in inputs]
        sum_of_sizes = f"{' + '.join(map(str, sizes))} = {sum(sizes)}"
        return (Working(f"output {_name(place, inputs)}", sum_of_sizes),)

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with `axis` mapped to the stored order."""
        return _axes.moved(self, self.axis, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """For each place in the dimensions before `axis`, the values of every input in turn."""
        shapes = tuple(tensor.shape for tensor in inputs)
        place = self.dimension(shapes)
        lengths = [prod(shape[place:]) for shape in shapes]
        result: list[Any] = []
        for position in range(prod(shapes[0][:place])):
            for tensor, length in zip(inputs, lengths, strict=True):
                result += tensor.values[position * length : (position + 1) * length]
        total = sum(shape[place] for shape in shapes)
        return Tensor((*shapes[0][:place], total, *shapes[0][place + 1 :]), result)


def _name(place: int, inputs: Inputs) -> str:
    """`channels`, `height`, …."""
    if place == 0:
        return "channels"
    names = AXIS_NAMES.get(len(inputs[0]) - 1)
    return names[place - 1] if names else f"dimension {place}"


_latest: tuple[Inputs, int, list[int]] = ((), 0, [])


def _beginnings(inputs: Inputs, place: int) -> list[int]:
    """The offset of each input along a dimension of the output.

    `reach` is called for each input of a join in turn, so the latest result is cached: a join of n inputs takes n
    steps, not n².
    """
    global _latest
    if _latest[0] is not inputs or _latest[1] != place:
        _latest = (inputs, place, list(accumulate((shape[place] for shape in inputs), initial=0)))
    return _latest[2]
