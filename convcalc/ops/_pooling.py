"""Base of maxpool and avgpool: a sliding window without weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import AxisReach, Inputs, Operator, Reach, Working, window_walks
from convcalc.ops._fields import choice, extent, padding
from convcalc.ops._working import window_working
from convcalc.shapes import ROUNDINGS, Axis, Padding, PerAxis, Shape, axes


@dataclass(frozen=True, kw_only=True)
class Pooling(Operator):
    """Slides a window over each channel separately. (C, *spatial) → (C, *positions)."""

    role: ClassVar[str] = "pooling"
    main: ClassVar[str | None] = "kernel"

    kernel: PerAxis = extent(alias="F", doc="window size")
    stride: PerAxis | None = extent(
        None, alias="S", doc="step between windows, in pixels; default: the kernel size"
    )
    padding: Padding = padding(0, doc="padding on each side of the input")
    rounding: str = choice(
        *ROUNDINGS, default="floor", doc="how to round when the stride does not divide evenly"
    )
    dilation: PerAxis = extent(1, doc="spacing between the pixels of a window")

    reduction: ClassVar[str] = ""  # the reduction of a window, written as a function

    @property
    def counts_padding(self) -> bool:
        """Whether padding takes part in the reduction of a window."""
        return False

    @property
    def step(self) -> PerAxis:
        """The stride."""
        return self.kernel if self.stride is None else self.stride

    def bind(self, inputs: Inputs) -> Self:
        """The operator with its stride filled in. Raises Misfit if a window would read only padding."""
        self.needs_map(inputs[0])
        for axis in self.axes(inputs):
            if reads_only_padding(axis):
                raise Misfit(
                    f"padding {axis.before} + {axis.after} on an axis of {axis.size} leaves a window of "
                    f"{axis.extent} that reads padding only",
                    "use padding of at most half the kernel",
                )
        return self if self.stride is not None else dataclasses.replace(self, stride=self.step)

    def axes(self, inputs: Inputs) -> tuple[Axis, ...]:
        """The window on each spatial axis."""
        return axes(inputs[0], self.kernel, self.step, self.dilation, self.padding, self.rounding)

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, *positions)."""
        return (inputs[0][0], *(axis.output for axis in self.axes(inputs)))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """The window on spatial dimensions."""
        return (Reach(0), *window_walks(self.axes(inputs)))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The output size."""
        return window_working(self.axes(inputs))


def reads_only_padding(axis: Axis) -> bool:
    """Whether some window on the axis has every tap in the padding."""
    if axis.dilation == 1 and axis.before < axis.kernel and axis.after < axis.kernel:
        return False
    reads = range(0, axis.extent, axis.dilation)
    return any(
        not any(0 <= start + tap < axis.size for tap in reads)
        for start in range(-axis.before, axis.output * axis.stride - axis.before, axis.stride)
    )
