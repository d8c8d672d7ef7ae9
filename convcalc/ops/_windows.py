"""Windows that tile a map, for windowed attention (Liu et al. 2021, Swin)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple


class WindowAxis(NamedTuple):
    """One axis of a map that is partitioned into windows. All sizes are in positions.

    The axis is padded at its end to a multiple of the window. A shift moves the windows forward by that many positions,
    and the last window wraps round to the positions left over at the front. A single window is never shifted.
    """

    size: int
    window: int
    shift: int

    @property
    def padded(self) -> int:
        """The padded length of the axis."""
        return -(-self.size // self.window) * self.window

    @property
    def windows(self) -> int:
        """The number of windows."""
        return self.padded // self.window

    @property
    def moved(self) -> int:
        """The effective shift: 0 if there is only one window."""
        return self.shift if self.windows > 1 else 0

    def places(self) -> list[tuple[int | None, bool]]:
        """The position at each place, window by window (None: padding), and whether it wrapped round from the front."""
        sources = [(place + self.moved) % self.padded for place in range(self.padded)]
        return [
            (source if source < self.size else None, place >= self.padded - self.moved)
            for place, source in enumerate(sources)
        ]


class Slot(NamedTuple):
    """A place in a window: the row-major position in the map, or None for padding; and, per axis, whether the shift
    wrapped it round."""

    position: int | None
    wrapped: tuple[bool, ...]

    def sees(self, other: Slot) -> bool:
        """Whether both belong to the same region of the map, on the same side of the wrap in every axis."""
        return self.wrapped == other.wrapped


def windows(axes: Sequence[WindowAxis]) -> list[list[Slot]]:
    """All windows in row-major order, each as a row-major list of its places."""
    places = [axis.places() for axis in axes]
    result = []
    for corner in product(*(range(0, axis.padded, axis.window) for axis in axes)):
        inside = [
            axis_places[first : first + axis.window]
            for axis, axis_places, first in zip(axes, places, corner, strict=True)
        ]
        result.append([_slot(axes, parts) for parts in product(*inside)])
    return result


def _slot(axes: Sequence[WindowAxis], parts: Sequence[tuple[int | None, bool]]) -> Slot:
    position: int | None = 0
    for axis, (source, _) in zip(axes, parts, strict=True):
        position = None if position is None or source is None else position * axis.size + source
    return Slot(position, tuple([wrapped for _, wrapped in parts]))
