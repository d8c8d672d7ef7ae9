"""Padding."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._axes import dimension_name
from convcalc.ops._base import (
    AxisReach,
    Beyond,
    Example,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._fields import choice, margins, number, pair
from convcalc.ops._saved import Saved
from convcalc.ops._taken import taken
from convcalc.ops._working import size_working
from convcalc.shapes import Padding, Shape, pads

BEYOND: dict[str, Beyond] = {"reflect": "reflect", "replicate": "replicate", "circular": "circular"}
MODULES = {"reflect": "ReflectionPad", "replicate": "ReplicationPad", "circular": "CircularPad"}


@dataclass(frozen=True, kw_only=True)
class Pad(Operator):
    """Pads the map with a constant or with its own values. (C, *spatial) → (C, *(before + size + after)).

    The modes are those of PyTorch: reflect mirrors the map at its border pixels (3 2 | 1 2 3 | 2 1), replicate
    repeats the border pixels (1 1 | 1 2 3 | 3 3), circular wraps round (2 3 | 1 2 3 | 1 2).
    """

    kind: ClassVar[str] = "pad"
    torch_function: ClassVar[str] = "pad"
    role: ClassVar[str] = "reshape"
    main: ClassVar[str | None] = "padding"
    example: ClassVar[Example | None] = Example(
        "pad: [[0, 1], [0, 1]]", (64, 28, 28), "'pad: {padding: 1, mode: reflect}' '1 2; 3 4'"
    )

    padding: Padding | None = margins(None, doc="number of pixels added on each side")
    channels: tuple[int, int] | None = pair(None, doc="number of channels added before and after")
    mode: str = choice("constant", "zeros", *BEYOND, default="constant", doc="how the padding is filled")
    value: float = number(0.0, doc="fill value with mode: constant")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit without a margin, or if the mode cannot fill it."""
        shape = inputs[0]
        if self.padding is None and self.channels is None:
            raise Misfit("pad has no margin", "padding: 1, or channels: [0, 8]")
        if self.padding is not None:
            self.needs_map(shape)
        if self.mode != "constant" and self.value:
            raise Misfit(f"mode: {self.mode} has no value", "leave value out, or use mode: constant")
        most = {"reflect": -1, "circular": 0}.get(self.mode)
        if most is None:
            return self
        for dimension, (size, margin) in enumerate(zip(shape, self.margins(shape), strict=True)):
            if max(margin) > size + most:
                raise Misfit(
                    f"a margin of {max(margin)} with mode: {self.mode}, but {dimension_name(shape, dimension)} "
                    f"{'are' if dimension == 0 else 'is'} {size}",
                    f"use at most {size + most}, or mode: replicate",
                )
        return self

    def margins(self, shape: Shape) -> list[tuple[int, int]]:
        """The padding before and after each dimension."""
        rank = len(shape) - 1
        spatial = [pads(self.padding or 0, axis, rank) for axis in range(rank)]
        return [self.channels or (0, 0), *spatial]

    def output_shape(self, inputs: Inputs) -> Shape:
        """(before + C + after, *(before + size + after))."""
        shape = inputs[0]
        return tuple(b + size + a for size, (b, a) in zip(shape, self.margins(shape), strict=True))

    def module_name(self, inputs: Inputs) -> str:
        """ZeroPad, ConstantPad, ReflectionPad, …; "" if channels are padded."""
        if self.channels is not None:
            return ""
        return MODULES.get(self.mode, "ConstantPad" if self.value else "ZeroPad")

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A single pixel; in the padding none, or the pixel that is repeated there."""
        beyond = BEYOND.get(self.mode, "")
        margins = enumerate(self.margins(inputs[0]))
        return tuple(
            Reach(dimension, start=-margin[0], beyond=beyond if any(margin) else "")
            for dimension, margin in margins
        )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`224 + 3 + 3 = 230`."""
        sizes = zip(inputs[0], self.margins(inputs[0]), strict=True)
        texts = [f"{size} + {b} + {a} = {size + b + a}" for size, (b, a) in sizes]
        spatial = size_working(texts[1:]) if self.padding is not None else ()
        channels = (Working(f"output {dimension_name(inputs[0], 0)}", texts[0]),) if self.channels else ()
        return (*channels, *spatial)

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with its margins mapped to the stored order."""
        rank = len(order)
        if rank > 4:
            return Reordered(self, order) if order == tuple(range(rank)) else None
        if isinstance(self.padding, tuple) and len(self.padding) != rank - 1:
            return None
        present = [
            self.channels or (0, 0),
            *(pads(self.padding or 0, axis, rank - 1) for axis in range(rank - 1)),
        ]
        first, *rest = [present[order.index(place)] for place in range(rank)]
        channels = first if any(first) or not rest else None
        return Reordered(dataclasses.replace(self, channels=channels, padding=tuple(rest) or None), order)

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input where the padding is taken from it by reflection or repetition."""
        return (Saved("input", 0),) if self.mode in ("reflect", "replicate") else ()

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Collects values along each dimension from one end of the padding to the other."""
        fill = int(self.value) if self.value.is_integer() else self.value
        return taken(inputs[0], self.places(inputs[0].shape), fill)

    def places(self, shape: Shape) -> list[list[int | None]]:
        """Per dimension, the input index for each place of the output; None for the fill value."""
        return [
            [self._place(at, size) for at in range(-before, size + after)]
            for size, (before, after) in zip(shape, self.margins(shape), strict=True)
        ]

    def _place(self, at: int, size: int) -> int | None:
        """The input index for a place of a dimension or of the padding around it."""
        if 0 <= at < size:
            return at
        if self.mode == "reflect":
            return -at if at < 0 else 2 * (size - 1) - at
        if self.mode == "replicate":
            return 0 if at < 0 else size - 1
        return at % size if self.mode == "circular" else None
