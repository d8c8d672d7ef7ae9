"""Slicing along one dimension."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._axes import dimension_name, dimensions, moved, settled_one
from convcalc.ops._base import AxisReach, Example, Inputs, Operator, Order, Reach, Reordered, Tensor, Working
from convcalc.ops._fields import along, dimension
from convcalc.ops._taken import taken
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Slice(Operator):
    """Selects every `step`-th index of dimension `axis` from `start` (included) to `stop` (excluded).

    (C, *spatial) → (⌈(stop − start)/step⌉, *spatial) for the channels. As in Python, negative start and stop count
    from the end, and a negative step goes backwards: {step: -1} reverses the dimension.
    """

    kind: ClassVar[str] = "slice"
    role: ClassVar[str] = "reshape"
    example: ClassVar[Example | None] = Example(
        "slice: {start: 32, stop: 64}",
        (64, 28, 28),
        "'slice: {axis: 2, start: -1, step: -2}' '1 2 3 4; 5 6 7 8'",
    )

    start: int | None = dimension(
        None, doc="first index, from 0; default: 0, or the last if step is negative"
    )
    stop: int | None = dimension(
        None, doc="index at which to stop, excluded; default: the end of the dimension"
    )
    step: int = dimension(1, doc="step from one index to the next")
    axis: str | int = along(doc="dimension to slice")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with start, stop and axis counted from 0. Raises Misfit if they are out of range."""
        axis = settled_one(self.axis, inputs[0])
        place = dimensions(axis, len(inputs[0]))[0]
        size = inputs[0][place]
        if not self.step:
            raise Misfit(
                "a step of 0 gets nowhere", "step: 1 keeps all, 2 every other one, -1 goes backwards"
            )
        start = _counted(self.start, size)
        stop = _counted(self.stop, size)
        if self.step > 0:
            start, stop = 0 if start is None else start, size if stop is None else stop
            fits = 0 <= start < stop <= size
        else:
            start = size - 1 if start is None else start
            fits = -1 < start < size and (stop is None or 0 <= stop < start)
        if not fits:
            raise self._misfit(inputs[0], place)
        return dataclasses.replace(self, start=start, stop=stop, axis=axis)

    def _misfit(self, shape: Shape, place: int) -> Misfit:
        what, size = dimension_name(shape, place), shape[place]
        start = "" if self.start is None else f" from {self.start}"
        stop = "" if self.stop is None else f" to {self.stop}"
        pace = "" if self.step == 1 else f" in steps of {self.step}"
        if self.step > 0:
            hint = f"use 0 ≤ start < stop ≤ {size}, or negative numbers from the end; `stop` is the first not kept"
        else:
            hint = f"use {size} > start > stop ≥ 0; without a stop the first is kept too"
        return Misfit(f"{what}{start}{stop}{pace} of an input with {size}", hint)

    @property
    def first(self) -> int:
        """The first index that is kept, for a bound operator."""
        assert self.start is not None
        return self.start

    @property
    def kept(self) -> range:
        """The indices that are kept, in output order, for a bound operator."""
        return range(self.first, self.stop if self.stop is not None else -1, self.step)

    def _place(self, shape: Shape) -> int:
        return dimensions(self.axis, len(shape))[0]

    def output_shape(self, inputs: Inputs) -> Shape:
        """The input shape, with `axis` reduced to the indices that are kept."""
        shape = inputs[0]
        end = self.stop if self.stop is not None else -1
        count = -(-(end - self.first) // self.step)  # ⌈(end − first)/step⌉
        place = self._place(shape)
        return (*shape[:place], count, *shape[place + 1 :])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A single index of `axis`: start + step·o for output o."""
        walks: list[AxisReach] = [Reach(d) for d in range(len(inputs[0]))]
        place = self._place(inputs[0])
        walks[place] = Reach(place, stride=self.step, start=self.first)
        return tuple(walks)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`116 − 58 = 58`, `⌈(224 − 1)/2⌉ = 112`."""
        place = self._place(inputs[0])
        count = self.output_shape(inputs)[place]
        end = self.stop if self.stop is not None else -1
        low, high, pace = (self.first, end, self.step) if self.step > 0 else (end, self.first, -self.step)
        span = f"{high} − {low}" if low >= 0 else f"{high} + {-low}"
        text = span if pace == 1 else f"({span})/{pace}" if (high - low) % pace == 0 else f"⌈({span})/{pace}⌉"
        return (Working(f"output {dimension_name(inputs[0], place)}", f"{text} = {count}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with `axis` mapped to the stored order."""
        return moved(self, self.axis, order)

    def view(self, inputs: Inputs, strides: Sequence[int]) -> tuple[int, ...] | None:
        """The same strides, that of the sliced dimension times the step."""
        (dimension,) = dimensions(self.axis, len(inputs[0]))
        return tuple(s * self.step if d == dimension else s for d, s in enumerate(strides))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The values that are kept."""
        shape = inputs[0].shape
        places: list[range] = [range(size) for size in shape]
        place = self._place(shape)
        places[place] = range(shape[place])[self.first : self.stop : self.step]
        return taken(inputs[0], places)


def _counted(place: int | None, size: int) -> int | None:
    """An index counted from the beginning; it may be out of range."""
    return place + size if place is not None and place < 0 else place
