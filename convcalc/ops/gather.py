"""Table lookup by fixed indices (Swin's relative positions; ONNX's Gather)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops import _axes
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
    in_sequence,
)
from convcalc.ops._fields import REQUIRED, along, layer
from convcalc.ops._saved import Saved
from convcalc.ops.constant import Constant
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Gather(Operator):
    """Selects entries of the input along one dimension by index.

    (A, n, B) with indices (I) → (A, I, B), where A, I and B each stand for any number of dimensions.
    """

    kind: ClassVar[str] = "gather"
    torch_function: ClassVar[str] = "index_select"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "indices"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    example: ClassVar[Example | None] = Example(
        "- constant: {name: index, kind: relative_positions, window: [7, 7]}\n"
        "- parameter: {name: table, shape: [169, 3]}\n- gather: {indices: index}"
    )

    indices: str = layer(REQUIRED, doc="constant layer that holds the indices, counted from 0")
    axis: str | int = along(doc="dimension that is indexed")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `axis` in canonical form. Raises Misfit if the input has no such dimension."""
        return dataclasses.replace(self, axis=_axes.settled_one(self.axis, inputs[0]))

    def dimension(self, table: Shape) -> int:
        """The number of the dimension that is indexed."""
        return _axes.dimensions(self.axis, len(table))[0]

    def check_sources(self, sources: Sequence[Operator | None]) -> None:
        """Raises Misfit unless the indices come from a constant that holds indices."""
        source = sources[1]
        if not isinstance(source, Constant) or source.entries is None:
            what = "the network's input" if source is None else f"a {source.kind}"
            if isinstance(source, Constant):
                what = f"a {source.rule}"
            raise Misfit(
                f"gather takes its indices from a constant that holds indices, not from {what}",
                "name a constant: {kind: relative_positions, …}",
            )

    def output_shape(self, inputs: Inputs) -> Shape:
        """(A, I, B)."""
        table, indices = inputs
        place = self.dimension(table)
        return (*table[:place], *indices, *table[place + 1 :])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A single entry along the indexed dimension."""
        table, indices = inputs
        place = self.dimension(table)
        if index:
            return tuple(Reach(place + dimension) for dimension in range(len(indices)))
        before = [Reach(dimension) for dimension in range(place)]
        after = [Reach(dimension + len(indices) - 1) for dimension in range(place + 1, len(table))]
        return (*before, SCATTERED, *after)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the entries are stored in sequence, else None."""
        return Reordered(self, None) if in_sequence(order) else None

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The indices, a buffer of 64-bit integers."""
        size = prod(inputs[1])
        return (Saved("indices", elements=size, once=True, integers=True, buffer=True),)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Copies the selected entries one after another; each is a contiguous run of values."""
        (shape, values), (chosen, indices) = inputs
        place = self.dimension(shape)
        length, inner = shape[place], prod(shape[place + 1 :])
        result: list[Any] = []
        for start in range(0, len(values), length * inner):
            for index in indices:
                first = start + int(index) * inner
                result += values[first : first + inner]
        return Tensor((*shape[:place], *chosen, *shape[place + 1 :]), result)
