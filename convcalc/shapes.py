"""Shapes and the window formula, in integers only.

A shape is `(C, *spatial)`: channels first, without the batch. A window acts on each spatial axis
independently, so it is described per axis, by an `Axis`:

    >>> Axis(size=227, kernel=11, stride=4).output
    55

The general formula (Dumoulin & Visin 2016, relationships 6 and 15); for symmetric padding, before + after = 2P:

    W2 = floor((W1 + before + after − (D(F − 1) + 1)) / S) + 1
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from convcalc.errors import Misfit

Shape = tuple[int, ...]
PerAxis = int | tuple[int, ...]
Padding = int | str | tuple[int | tuple[int, int], ...]

ROUNDINGS = ("floor", "ceil", "exact")  # of the number of positions if the stride leaves a remainder
CHANNELS_OF_IMAGES = (1, 3, 4)  # grey, RGB, RGBA
AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


class Axis(NamedTuple):
    """A window on one spatial axis, with padding resolved. Sizes in pixels; before and after are the padding."""

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    rounding: str = "floor"

    @property
    def extent(self) -> int:
        """Extent of the dilated window in pixels, D(F − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padded(self) -> int:
        """Size of the padded axis in pixels."""
        return self.before + self.size + self.after

    @property
    def span(self) -> int:
        """Distance over which the window can move, in pixels."""
        return self.padded - self.extent

    @property
    def remainder(self) -> int:
        """Pixels left over after the last whole step."""
        return self.span % self.stride

    @property
    def drops_last(self) -> bool:
        """Whether the extra window from rounding up is dropped because it would start in the trailing padding."""
        return self.rounding == "ceil" and self.remainder > 0 and self._next_start >= self.size + self.before

    @property
    def _next_start(self) -> int:
        """Start of the window after the last whole step, in pixels of the padded axis."""
        return (self.span // self.stride + 1) * self.stride

    @property
    def output(self) -> int:
        """The number of positions. Raises Misfit if the window is too large, or for a remainder if rounding is exact.

        With rounding up, the last window may extend beyond the padded axis by less than a stride, even if it is the
        only one.
        """
        positions = self.span // self.stride + 1
        if self.rounding == "ceil":
            positions += (self.remainder > 0) & (self._next_start < self.size + self.before)
        if positions < 1:
            padding = f" with padding {self.before} + {self.after}" if self.before or self.after else ""
            raise Misfit(
                f"a window of {self.extent} does not fit an axis of {self.size}{padding}",
                f"use a kernel of at most {max_kernel(self)}, or padding of at least {needed_padding(self)} "
                "on each side"
                if max_kernel(self) >= 1
                else "use less dilation or more padding",
            )
        if self.rounding == "exact" and self.remainder:
            raise Misfit(
                f"({self.size} − {self.extent} + {self.before + self.after})/{self.stride} leaves remainder "
                f"{self.remainder}, and rounding is exact",
                "change kernel, stride or padding so that the stride divides, or set rounding: floor or ceil",
            )
        return positions

    def uncovered(self) -> tuple[int, int]:
        """Numbers of pixels, padding excluded, that no window reads: (between windows, after the last window)."""
        positions = self.output
        covered_end = (positions - 1) * self.stride + self.extent - self.before
        trailing = max(0, self.size - max(0, covered_end))
        limit = self.size - trailing
        if self.stride <= self.extent and self.dilation == 1:  # windows touch or overlap: no gaps
            return 0, trailing
        read = bytearray(self.padded + self.extent + self.stride)  # 1 for each padded pixel that a tap reads
        for tap in range(self.kernel):
            first = tap * self.dilation
            read[first : first + (positions - 1) * self.stride + 1 : self.stride] = b"\1" * positions
        return limit - read.count(1, self.before, self.before + limit), trailing


def max_kernel(axis: Axis) -> int:
    """The largest kernel that fits the padded axis; 0 if none does."""
    return (axis.padded - 1) // axis.dilation + 1 if axis.padded > 0 else 0


def needed_padding(axis: Axis) -> int:
    """The smallest symmetric padding, in pixels per side, with which the window fits."""
    return max(0, -(-(axis.extent - axis.size) // 2))  # ceil((extent − size) / 2)


def per_axis(value: PerAxis, rank: int, what: str) -> tuple[int, ...]:
    """The value for each of `rank` axes. Raises Misfit if a list has another length."""
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        raise Misfit(
            f"{what} has {len(value)} values, the input has {rank} spatial dimension{'s' * (rank != 1)}",
            f"give one number, or {rank}",
        )
    return value


def axes(
    shape: Shape,
    kernel: PerAxis,
    stride: PerAxis = 1,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    rounding: str = "floor",
) -> tuple[Axis, ...]:
    """One Axis for each spatial dimension of `(C, *spatial)`, with padding in pixels. Raises Misfit for bad ranks."""
    spatial = shape[1:]
    rank = len(spatial)
    if not 1 <= rank <= 3:
        raise Misfit(
            f"a window needs 1 to 3 spatial dimensions, the input {show(shape)} has {rank}",
            "a layer with a window cannot follow flatten or dense" if rank == 0 else None,
        )
    kernels = per_axis(kernel, rank, "kernel")
    strides = per_axis(stride, rank, "stride")
    dilations = per_axis(dilation, rank, "dilation")
    result = []
    for index, size in enumerate(spatial):
        axis = Axis(size, kernels[index], strides[index], dilations[index], rounding=rounding)
        if padding == "same":  # ceil(size / stride) positions; an odd pixel of padding goes after
            total = (-(-size // axis.stride) - 1) * axis.stride + axis.extent - size
            total *= total > 0
            before, after = total // 2, total - total // 2
        else:
            before, after = pads(padding, index, rank)
        result.append(axis._replace(before=before, after=after))
    return tuple(result)


def pads(padding: Padding, index: int, rank: int) -> tuple[int, int]:
    """Padding in pixels before and after axis `index` of `rank`, for any padding but `same`. Raises Misfit if a
    list has another length."""
    if isinstance(padding, int):
        return padding, padding
    if isinstance(padding, str):
        return 0, 0
    if len(padding) != rank:
        raise Misfit(
            f"padding has {len(padding)} values, the input has {rank} spatial dimension{'s' * (rank != 1)}",
            "give one number, one per dimension, or one [before, after] pair per dimension",
        )
    pad = padding[index]
    return (pad, pad) if isinstance(pad, int) else pad


def elements(shape: Shape) -> int:
    """The number of elements of a tensor of this shape."""
    return prod(shape)


def show(shape: Sequence[int]) -> str:
    """The shape as text, channels first: `96×55×55`."""
    return "×".join(map(str, shape))


def looks_channels_last(sizes: Sequence[int]) -> bool:
    """Whether sizes look channels-last: 1, 3 or 4 after two or more larger sizes, as in 224×224×3."""
    *spatial, last = sizes
    return len(spatial) > 1 and last in CHANNELS_OF_IMAGES and all(size > last for size in spatial)


def compact(value: Any) -> Any:
    """A per-axis value as shown in tables and JSON: one number if all axes are equal, else lists."""
    if isinstance(value, tuple):
        items = [compact(item) for item in value]
        return items[0] if all(isinstance(item, int) and item == items[0] for item in items) else items
    return value
