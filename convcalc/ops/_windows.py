"""Windows that tile a map, as attention within windows uses them (Liu et al. 2021, Swin)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple


class WindowAxis(NamedTuple):
    """One axis of a map cut into windows, all sizes in positions.

    Positions are added behind the axis until windows tile it. A shift moves the windows forward by so many positions,
    and the last one takes those that this leaves at the front; where one window holds the whole axis none is moved.
    """

    size: int
    window: int
    shift: int

    @property
    def padded(self) -> int:
        """Positions of all windows together."""
        return -(-self.size // self.window) * self.window

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return self.padded // self.window

    @property
    def moved(self) -> int:
        """The shift that is made."""
        return self.shift if self.windows > 1 else 0

    def places(self) -> list[tuple[int | None, bool]]:
        """Window after window, the position in each place, None for an added one; and whether the shift brought it
        round from the front."""
        sources = [(place + self.moved) % self.padded for place in range(self.padded)]
        return [
            (source if source < self.size else None, place >= self.padded - self.moved)
            for place, source in enumerate(sources)
        ]


class Slot(NamedTuple):
    """A place in a window: the position of the map that is there, counted row by row, or None for an added one; and
    per axis whether the shift brought it round."""

    position: int | None
    wrapped: tuple[bool, ...]

    def sees(self, other: Slot) -> bool:
        """Whether the two are neighbours in the map, not only in a window that wraps round its edge."""
        return self.wrapped == other.wrapped


def windows(axes: Sequence[WindowAxis]) -> list[list[Slot]]:
    """The windows, row by row, each with its places, row by row."""
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
