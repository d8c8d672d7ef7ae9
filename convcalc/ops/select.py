"""Selection by index along one dimension (ONNX's Gather with constant indices)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._axes import dimension_name, dimensions, moved, settled_one
from convcalc.ops._base import (
    SCATTERED,
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
from convcalc.ops._fields import along, indices
from convcalc.ops._saved import Saved
from convcalc.ops._taken import taken
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Select(Operator):
    """Selects the listed indices of dimension `axis`, in their order; an index may occur several times.

    (C, *spatial) → (number of indices, *spatial) for the channels. Negative indices count from the end. With a grouped
    convolution behind it, each filter reads channels of its own: the connection table of LeNet-5's third layer (LeCun
    et al. 1998, table I).
    """

    kind: ClassVar[str] = "select"
    torch_function: ClassVar[str] = "index_select"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "indices"
    example: ClassVar[Example | None] = Example(
        "select: [0, 1, 2, 2, 3, 4]", (5, 28, 28), "'select: {indices: [2, 0], axis: last}' '1 2 3; 4 5 6'"
    )

    indices: tuple[int, ...] = indices(doc="indices to keep, counted from 0; negative: from the end")
    axis: str | int = along(doc="dimension that is indexed")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with its indices counted from 0. Raises Misfit if one is out of range."""
        axis = settled_one(self.axis, inputs[0])
        place = dimensions(axis, len(inputs[0]))[0]
        size = inputs[0][place]
        for index in self.indices:
            if not -size <= index < size:
                raise Misfit(
                    f"index {index} of {dimension_name(inputs[0], place)} of an input with {size}",
                    f"use 0 to {size - 1}, or −1 to −{size} from the end",
                )
        return dataclasses.replace(self, indices=tuple(index % size for index in self.indices), axis=axis)

    def _place(self, shape: Shape) -> int:
        return dimensions(self.axis, len(shape))[0]

    def output_shape(self, inputs: Inputs) -> Shape:
        """The input shape, with as many units along `axis` as there are indices."""
        place = self._place(inputs[0])
        return (*inputs[0][:place], len(self.indices), *inputs[0][place + 1 :])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A single index of `axis`, which is SCATTERED, since the order is any."""
        walks: list[AxisReach] = [Reach(dimension) for dimension in range(len(inputs[0]))]
        walks[self._place(inputs[0])] = SCATTERED
        return tuple(walks)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`18 of 6`."""
        place = self._place(inputs[0])
        name = dimension_name(inputs[0], place)
        return (Working(f"output {name}", f"{len(self.indices)} indices of {inputs[0][place]}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with `axis` mapped to the stored order."""
        return moved(self, self.axis, order)

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The indices."""
        return (Saved("indices", elements=len(self.indices), integers=True, once=True),)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The values at the indices."""
        places: list[Sequence[int]] = [range(size) for size in inputs[0].shape]
        places[self._place(inputs[0].shape)] = self.indices
        return taken(inputs[0], places)
