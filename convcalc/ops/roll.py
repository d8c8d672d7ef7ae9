"""Cyclic shift of dimensions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._axes import Axes, dimension_name, dimensions, named, settled, spatial
from convcalc.ops._base import AxisReach, Example, Inputs, Operator, Order, Reach, Reordered, Tensor, Working
from convcalc.ops._fields import along, several
from convcalc.ops._taken import taken
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Roll(Operator):
    """Shifts values cyclically along `axis`, as PyTorch's roll does: what leaves at one end enters at the other.

    The shape is unchanged. Swin uses it to shift its attention windows (Liu et al. 2021).
    """

    kind: ClassVar[str] = "roll"
    torch_function: ClassVar[str] = "roll"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "shift"
    example: ClassVar[Example | None] = Example("roll: [-3, -3]", (96, 56, 56), "'roll: 1' '1 2 3; 4 5 6'")

    shift: int | tuple[int, ...] = several(
        doc="number of places, for all axes or per axis; negative: backwards"
    )
    axis: Axes | None = along(None, several=True, doc="dimensions to use; default: all except the channels")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `axis` counted from 0, ascending, and `shift` per axis. Raises Misfit if lengths differ."""
        shape = inputs[0]
        axes = spatial(shape, "roll") if self.axis is None else self.axis
        axis = settled(axes, shape)
        found = dimensions(axis, len(shape))
        shift = self.shift if isinstance(self.shift, tuple) else (self.shift,) * len(found)
        if len(shift) != len(found):
            names = ", ".join(dimension_name(shape, place) for place in found)
            raise Misfit(
                f"shift has {len(shift)} values, for {len(found)} dimension{'s' * (len(found) != 1)}: {names}",
                f"give one number, or {len(found)}",
            )
        if isinstance(axes, tuple):  # in the order given in the spec
            written = [number % len(shape) for number in axes]
            shift = tuple(shift[written.index(place)] for place in found)
        return dataclasses.replace(self, axis=axis, shift=shift)

    def shifts(self, rank: int) -> dict[int, int]:
        """The shift of each dimension that is shifted."""
        assert self.axis is not None
        assert isinstance(self.shift, tuple)
        return dict(zip(dimensions(self.axis, rank), self.shift, strict=True))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A single value, `shift` places earlier, with wrap-around."""
        walks = []
        shifts = self.shifts(len(inputs[0]))
        for dimension, size in enumerate(inputs[0]):
            shift = shifts.get(dimension, 0) % size
            back = shift if shift <= size // 2 else shift - size  # the shorter way round
            walks.append(Reach(dimension, start=-back, beyond="circular" if back else ""))
        return tuple(walks)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`output i is input i + 3, of 56 in a circle`."""
        lines = []
        for axis, shift in self.shifts(len(inputs[0])).items():
            source = f"i {'−' if shift > 0 else '+'} {abs(shift)}" if shift else "i"
            lines.append(
                Working(
                    dimension_name(inputs[0], axis),
                    f"output i is input {source}, of {inputs[0][axis]} in a circle",
                )
            )
        return tuple(lines)

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with `axis` and `shift` mapped to the stored order."""
        rank = len(order)
        stored = sorted((order[dimension], shift) for dimension, shift in self.shifts(rank).items())
        places = tuple(place for place, _ in stored)
        axis = places if len(places) > 1 else named(places[0], rank)
        return Reordered(
            dataclasses.replace(self, axis=axis, shift=tuple(shift for _, shift in stored)), order
        )

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Copies each value from its original place."""
        shape: Shape = inputs[0].shape
        places: list[list[int]] = [list(range(size)) for size in shape]
        for axis, shift in self.shifts(len(shape)).items():
            cut = -shift % shape[axis]
            places[axis] = places[axis][cut:] + places[axis][:cut]
        return taken(inputs[0], places)
