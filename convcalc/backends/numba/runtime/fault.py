"""The error that the checked mode raises, and how it words an access that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from convcalc.backends.numba.jit.footprint import Access, AccessAxis
from convcalc.backends.numba.jit.ranges import Ranges
from convcalc.backends.numba.runtime.program import Buffer
from convcalc.errors import ConvcalcError

MAX_SEARCHED = 1 << 22  # sums of offsets that are searched for the one to name


class PlanFault(ConvcalcError):
    """A plan that would touch memory that it must not: always a fault of convcalc, never of its input."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint="this is a fault of convcalc; please report it; --backend reference does not have it",
        )


def buffer_name(buffer: Buffer) -> str:
    """A buffer in an error."""
    return f"the buffer '{buffer.name}'"


def extent(readable: Ranges, allowed: Ranges) -> str:
    """The bytes that an access is allowed to, in an error."""
    if not len(allowed.starts):
        return "which is not to be written" if len(readable.starts) else "which has none"
    return f"of which the step may use {allowed}"


def way(access: Access, wanted: int) -> str:
    """The entries of tables whose sum leads to an offset, as far as they can be found: `runs[2] = 64, …`."""
    axes = access.axes
    if prod(len(axis.offsets) for axis in axes) > MAX_SEARCHED:
        axes = tuple(axis._replace(offsets=axis.offsets[[0, -1]]) for axis in axes)
    sums = np.zeros(1, np.int64)
    for axis in axes:
        sums = (sums[:, None] + axis.offsets).ravel()
    found = np.flatnonzero((sums <= wanted) & (wanted < sums + access.size))
    if not len(found):
        return ""
    places = list(np.unravel_index(found[0], [len(axis.offsets) for axis in axes])) if axes else []
    return entries(axes, places)


def entries(axes: Sequence[AccessAxis], places: Sequence[int]) -> str:
    """One entry of each axis, with its value."""
    return ", ".join(
        f"{axis.name}[{axis.first + int(place)}] = {int(axis.offsets[place]):,}"
        for axis, place in zip(axes, places, strict=True)
    )
