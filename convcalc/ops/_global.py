"""Base of global_avgpool and global_maxpool, which pool over the whole map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from convcalc.ops._base import WHOLE, AxisReach, Inputs, Operator, Order, Reach, Reordered
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class GlobalPooling(Operator):
    """Reduces each channel to a single value. (C, *spatial) → (C, 1, …, 1)."""

    role: ClassVar[str] = "pooling"

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, 1, …, 1)."""
        channels, *spatial = self.needs_map(inputs[0])
        return (channels, *(1 for _ in spatial))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All pixels of the same channel."""
        return (Reach(0), *(WHOLE for _ in inputs[0][1:]))

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the channels are stored first, else None."""
        return Reordered(self, order) if order[0] == 0 else None
