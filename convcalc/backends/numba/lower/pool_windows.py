"""Windows of pooling as the `pool` kernel wants them: per axis and output index, (start, stop, divisor)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from convcalc.backends.numba.kernels.pool import PoolWindow
from convcalc.backends.numba.layout import Array
from convcalc.shapes import Axis

Windows = list[PoolWindow]


def table(windows: Sequence[PoolWindow]) -> Array:
    """As int64, one row per output index."""
    return np.array(windows, np.int64).reshape(-1, 3)


def sliding(axis: Axis, count_padding: bool = True) -> Windows:
    """Each window's real pixels; its divisor counts padding or not, and never what lies beyond the padding.

    With dilation, start is the first real pixel the window reads, and stop lies behind its last.
    """
    result = []
    limit = axis.size + axis.after
    for position in range(axis.output):
        start = position * axis.stride - axis.before
        stop = start + axis.extent
        first = start if start >= 0 else start % axis.dilation
        last = min(stop, axis.size)
        counted = min(stop, limit) - start if count_padding else last - max(start, 0)
        result.append(PoolWindow(first, last, max(1, counted)))
    return result


def adaptive(size: int, outputs: int) -> Windows:
    """Output i of m over n pixels: ⌊i·n/m⌋ up to and without ⌈(i + 1)·n/m⌉."""
    starts = [i * size // outputs for i in range(outputs)]
    stops = [-(-(i + 1) * size // outputs) for i in range(outputs)]
    return [PoolWindow(start, stop, stop - start) for start, stop in zip(starts, stops, strict=True)]


def single(pixels: Iterable[int | None]) -> Windows:
    """One pixel for each output; a window over nothing where there is none."""
    return [PoolWindow(0, 0, 1) if pixel is None else PoolWindow(pixel, pixel + 1, 1) for pixel in pixels]


def divided(axis: Windows, divisor: int) -> Windows:
    """The same windows, their sums divided by another number."""
    return [window._replace(divisor=divisor) for window in axis]
