"""A range of one dimension."""

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
    """Of dimension `axis` what lies from `start` up to and without `stop`, every `step`th.

    (C, *spatial) → (⌈(stop − start)/step⌉, *spatial) for the channels. As in Python, start and stop count from the
    end where they are negative, and a negative step goes backwards: {step: -1} is the dimension turned round.
    """

    kind: ClassVar[str] = "slice"
    role: ClassVar[str] = "reshape"
    example: ClassVar[Example | None] = Example(
        "slice: {start: 32, stop: 64}",
        (64, 28, 28),
        "'slice: {axis: 2, start: -1, step: -2}' '1 2 3 4; 5 6 7 8'",
    )

    start: int | None = dimension(None, doc="first one kept, from 0; default: the first, backwards the last")
    stop: int | None = dimension(None, doc="first one not kept; default: all that follow are kept")
    step: int = dimension(1, doc="from one that is kept to the next")
    axis: str | int = along(doc="the dimension")

    def bind(self, inputs: Inputs) -> Self:
        """start, stop and axis counted from the beginning. Raises Misfit for what is not there."""
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
        """The first one kept, of a bound operator."""
        assert self.start is not None
        return self.start

    @property
    def kept(self) -> range:
        """Those that are kept of `axis`, in their order, of a bound operator."""
        return range(self.first, self.stop if self.stop is not None else -1, self.step)

    def _place(self, shape: Shape) -> int:
        return dimensions(self.axis, len(shape))[0]

    def output_shape(self, inputs: Inputs) -> Shape:
        """The input's, with as many as are kept in `axis`."""
        shape = inputs[0]
        count = len(self.kept)
        place = self._place(shape)
        return (*shape[:place], count, *shape[place + 1 :])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """One of the dimension, start further on and step from the next."""
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
        """Along the dimension where that is stored."""
        return moved(self, self.axis, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The values that are kept."""
        shape = inputs[0].shape
        places: list[range] = [range(size) for size in shape]
        place = self._place(shape)
        places[place] = range(shape[place])[self.first : self.stop : self.step]
        return taken(inputs[0], places)


def _counted(place: int | None, size: int) -> int | None:
    """A place counted from the beginning; it may lie outside."""
    return place + size if place is not None and place < 0 else place
