"""Sets of byte offsets, as sorted ranges with gaps between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Ranges:
    """The half-open ranges starts[i]:stops[i], ascending."""

    starts: Array
    stops: Array

    @classmethod
    def of(cls, start: int, stop: int) -> Ranges:
        """One range; an empty one is no range."""
        if start >= stop:
            return NOTHING
        return cls(np.array([start], np.int64), np.array([stop], np.int64))

    @classmethod
    def union(cls, starts: Array | Sequence[int], stops: Array | Sequence[int]) -> Ranges:
        """The union of ranges in any order."""
        return _merged(np.asarray(starts, np.int64), np.asarray(stops, np.int64))

    def __or__(self, other: Ranges) -> Ranges:
        if not len(self.starts) or not len(other.starts):
            return self if len(self.starts) else other
        if other.first_outside(self) is None:
            return self
        return _merged(np.concatenate([self.starts, other.starts]), np.concatenate([self.stops, other.stops]))

    def places(self) -> Array:
        """Every number in the ranges."""
        parts = [np.arange(start, stop) for start, stop in zip(self.starts, self.stops, strict=True)]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def moved(self, distance: int) -> Ranges:
        """The ranges shifted by a distance."""
        return Ranges(self.starts + distance, self.stops + distance)

    def holds(self, start: int, stop: int) -> bool:
        """Whether start:stop lies within one of the ranges."""
        place = int(np.searchsorted(self.starts, start, "right")) - 1
        return place >= 0 and stop <= int(self.stops[place])

    def first_outside(self, other: Ranges) -> tuple[int, int] | None:
        """The first part of these ranges that is outside the others."""
        if not len(self.starts):
            return None
        if not len(other.starts):
            return int(self.starts[0]), int(self.stops[0])
        places = np.searchsorted(other.starts, self.starts, "right") - 1
        ends = np.where(places >= 0, other.stops[np.maximum(places, 0)], np.iinfo(np.int64).min)
        wrong = np.flatnonzero(self.stops > ends)
        if not len(wrong):
            return None
        start, stop, end = (int(array[wrong[0]]) for array in (self.starts, self.stops, ends))
        start = max(start, end)
        following = int(np.searchsorted(other.starts, start, "right"))
        return start, min(stop, int(other.starts[following])) if following < len(other.starts) else stop

    def first_common(self, other: Ranges) -> tuple[int, int] | None:
        """The first range that both have in common."""
        if not len(self.starts) or not len(other.starts):
            return None
        places = np.searchsorted(other.stops, self.starts, "right")
        inside = places < len(other.starts)
        begins = np.maximum(self.starts, other.starts[np.minimum(places, len(other.starts) - 1)])
        ends = np.minimum(self.stops, other.stops[np.minimum(places, len(other.starts) - 1)])
        found = np.flatnonzero(inside & (begins < ends))
        return (int(begins[found[0]]), int(ends[found[0]])) if len(found) else None

    def __len__(self) -> int:
        return int((self.stops - self.starts).sum())

    def __str__(self) -> str:
        pairs = list(zip(self.starts.tolist(), self.stops.tolist(), strict=True))
        shown = ", ".join(f"{start:,} to {stop:,}" for start, stop in pairs[:3])
        return shown + (f" and {len(pairs) - 3} more" if len(pairs) > 3 else "")


NOTHING = Ranges(np.empty(0, np.int64), np.empty(0, np.int64))


def lattice(size: int, axes: Sequence[Array]) -> Ranges:
    """`size` bytes at every sum of one offset of each axis. Short axes go first, so that what they fill without gaps
    is one range for the longer ones."""
    starts, stops = np.zeros(1, np.int64), np.full(1, size, np.int64)
    for offsets in sorted(
        (np.unique(offsets) for offsets in axes), key=lambda offsets: int(offsets[-1] - offsets[0])
    ):
        found = _merged((starts + offsets[:, None]).ravel(), (stops + offsets[:, None]).ravel())
        starts, stops = found.starts, found.stops
    return Ranges(starts, stops)


def _merged(starts: Array, stops: Array) -> Ranges:
    """The union of ranges: those that overlap or touch become one."""
    kept = starts < stops
    if not kept.all():
        starts, stops = starts[kept], stops[kept]
    if not len(starts):
        return NOTHING
    order = np.argsort(starts, kind="stable")
    starts, reached = starts[order], np.maximum.accumulate(stops[order])
    apart = np.flatnonzero(starts[1:] > reached[:-1])
    return Ranges(starts[np.append(0, apart + 1)], reached[np.append(apart, len(starts) - 1)])
