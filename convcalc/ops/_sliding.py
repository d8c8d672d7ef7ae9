"""Sliding windows over a tensor, for the reference forward pass of operators with a kernel.

This module does not use the output size formula. It pads the data and moves a window until it no longer fits, so
that the number of positions is observed, not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import Any

from convcalc.shapes import Padding, PerAxis

__all__ = ["Slide", "pool"]


class Slide:
    """The window positions of one layer, found by sliding.

    starts: per axis, the first pixel of each window, in padded coordinates;
    before, after: per axis, the padding, including the extra padding of ceil mode;
    limit: per axis, the padded length, without that extra padding.
    """

    def __init__(
        self,
        spatial: Sequence[int],
        kernel: PerAxis,
        stride: PerAxis,
        dilation: PerAxis,
        padding: Padding,
        rounding: str = "floor",
    ) -> None:
        rank = len(spatial)
        self.kernel = _spread(kernel, rank)
        self.stride = _spread(stride, rank)
        self.dilation = _spread(dilation, rank)
        self.spatial = tuple(spatial)
        self.before: list[int] = []
        self.after: list[int] = []
        self.limit: list[int] = []
        self.starts: list[list[int]] = []
        for axis, size in enumerate(spatial):
            reach = self.dilation[axis] * (self.kernel[axis] - 1)
            step = self.stride[axis]
            if padding == "same":
                starts = list(range(0, size, step))
                missing = max(0, starts[-1] + reach + 1 - size)
                before, after = missing // 2, missing - missing // 2
                limit = before + size + after
            else:
                before, after = _pair(padding, axis)
                limit = before + size + after
                starts = list(range(0, limit - reach, step))
                extra = len(starts) * step
                overhang = extra + reach + 1 - limit
                if rounding == "ceil" and overhang < step and extra < before + size:
                    starts.append(extra)
                    after += overhang
            self.before.append(before)
            self.after.append(after)
            self.limit.append(limit)
            self.starts.append(starts)

    @property
    def positions(self) -> tuple[int, ...]:
        """The number of windows along each axis."""
        return tuple(len(starts) for starts in self.starts)

    @cached_property
    def rows(self) -> dict[tuple[int, ...], int | None]:
        """The padded rows (last axis) of a channel, by their leading coordinates: where a row begins among the pixels
        of the channel; None for a row of padding."""
        *lead, width = self.spatial
        padded = [range(b + size + a) for b, size, a in zip(self.before, lead, self.after, strict=False)]
        rows: dict[tuple[int, ...], int | None] = {}
        for key in product(*padded):
            first = 0
            for coordinate, before, size in zip(key, self.before, lead, strict=False):
                if not 0 <= coordinate - before < size:
                    rows[key] = None
                    break
                first = first * size + coordinate - before
            else:
                rows[key] = first * width
        return rows

    def padded_rows(self, plane: Sequence[Any], fill: Any) -> dict[tuple[int, ...], list[Any]]:
        """The pixels of each padded row of a single channel."""
        width = self.spatial[-1]
        left, right = [fill] * self.before[-1], [fill] * self.after[-1]
        empty = [*left, *[fill] * width, *right]
        return {
            key: empty if first is None else [*left, *plane[first : first + width], *right]
            for key, first in self.rows.items()
        }

    def patches(self, planes: Sequence[Sequence[Any]], fill: Any) -> Iterator[list[Any]]:
        """One flat list per window position, in row-major order: channels first, then the pixels of the kernel."""
        channels = [self.padded_rows(plane, fill) for plane in planes]
        width, step = self.kernel[-1], self.dilation[-1]
        reach = step * (width - 1) + 1
        taps = [range(0, d * k, d) for d, k in zip(self.dilation[:-1], self.kernel[:-1], strict=True)]
        offsets = list(product(*taps))
        size = len(channels) * len(offsets) * width
        for lead in product(*self.starts[:-1]):
            keys = [tuple(a + b for a, b in zip(lead, offset, strict=True)) for offset in offsets]
            columns = list(zip(*(channel[key] for channel in channels for key in keys), strict=True))
            for start in self.starts[-1]:
                patch = [fill] * size
                for tap, column in enumerate(columns[start : start + reach : step]):
                    patch[tap::width] = column
                yield patch


def pool(
    inputs: Sequence[Any], shape: Sequence[int], slide: Slide, fill: Any, reduce: Callable[[list[Any]], Any]
) -> list[Any]:
    """Applies `reduce` to every window of every channel, in row-major order."""
    size = len(inputs) // shape[0]
    result: list[Any] = []
    for channel in range(shape[0]):
        plane = inputs[channel * size : (channel + 1) * size]
        result += map(reduce, slide.patches([plane], fill))
    return result


def _spread(value: PerAxis, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else value


def _pair(padding: Padding, axis: int) -> tuple[int, int]:
    if isinstance(padding, str):
        return 0, 0
    pad = padding if isinstance(padding, int) else padding[axis]
    return (pad, pad) if isinstance(pad, int) else pad
