"""Convolution (cross-correlation, as networks use it) over 1, 2 or 3 spatial dimensions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    AxisReach,
    Example,
    Inputs,
    Operator,
    OutputPart,
    Parameter,
    Tensor,
    Working,
    group_walk,
    window_walks,
)
from convcalc.ops._fields import choice, extent, flag, integer, padding
from convcalc.ops._sliding import Slide, dot
from convcalc.ops._working import equation, window_working
from convcalc.shapes import Axis, Padding, PerAxis, Shape, axes, per_axis, show


@dataclass(frozen=True, kw_only=True)
class Conv(Operator):
    """`filters` kernels slide over the input, each as deep as its group of input channels.

    (C, *spatial) → (filters, *positions). Weights (filters, C/groups, *kernel); bias (filters).
    """

    kind: ClassVar[str] = "conv"
    torch_module: ClassVar[str] = "Conv"
    torch_function: ClassVar[str] = "conv"
    role: ClassVar[str] = "convolution"
    main: ClassVar[str | None] = "filters"
    channels_field: ClassVar[str | None] = "filters"
    example: ClassVar[Example | None] = Example(
        "conv: {filters: 96, kernel: 11, stride: 4}",
        (3, 227, 227),
        "--weights '1 0; 0 -1' '1 2 3; 4 5 6; 7 8 9'",
    )

    filters: int | None = integer(None, alias="K", doc="output channels; default for depthwise: the input's")
    kernel: PerAxis = extent(alias="F", doc="window size")
    stride: PerAxis = extent(1, alias="S", doc="pixels from one window to the next")
    padding: Padding = padding(0, doc="zeros around the input")
    dilation: PerAxis = extent(1, doc="distance between the pixels a kernel reads")
    groups: int = integer(1, doc="input and output channels are split into this many independent groups")
    depthwise: bool = flag(False, doc="one group per input channel")
    bias: bool = flag(True, doc="add a learned number per filter")
    rounding: str = choice("floor", "ceil", "exact", default="floor", doc="when the stride does not divide")

    def bind(self, inputs: Inputs) -> Self:
        """filters from the input when depthwise."""
        channels = self.needs_map(inputs[0])[0]
        if self.filters is None and not self.depthwise:
            raise Misfit("conv needs filters", "write filters: the number of output channels")
        if self.depthwise and self.groups not in (1, channels):
            raise Misfit(
                f"depthwise means one group per input channel ({channels}), but groups is {self.groups}",
                "leave groups out",
            )
        filters = channels if self.filters is None else self.filters
        groups = channels if self.depthwise else self.groups
        for what, count in (("input channels", channels), ("filters", filters)):
            if count % groups:
                raise Misfit(
                    f"{groups} groups do not divide {count} {what}",
                    f"use a multiple of {groups} {what}, or groups that divide both {channels} and {filters}",
                )
        if filters == self.filters and groups == self.groups:
            return self
        return dataclasses.replace(self, filters=filters, groups=groups)

    def axes(self, inputs: Inputs) -> tuple[Axis, ...]:
        """The window on each spatial axis."""
        return axes(inputs[0], self.kernel, self.stride, self.dilation, self.padding, self.rounding)

    @property
    def channels(self) -> int:
        """Output channels, of a bound convolution."""
        assert self.filters is not None
        return self.filters

    def output_shape(self, inputs: Inputs) -> Shape:
        """(filters, *positions)."""
        return (self.channels, *(axis.output for axis in self.axes(inputs)))

    def weight_factors(self, inputs: Inputs) -> tuple[int, ...]:
        """F·F·(C/groups)·filters."""
        kernel = per_axis(self.kernel, len(inputs[0]) - 1, "kernel")
        return (*kernel, inputs[0][0] // self.groups, self.channels)

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight (filters, C/groups, *kernel), bias (filters)."""
        *kernel, depth, filters = self.weight_factors(inputs)
        weight = Parameter("weight", (filters, depth, *kernel), "weight", fan_in=prod(kernel) * depth)
        return (weight, Parameter("bias", (filters,), "bias")) if self.bias else (weight,)

    def macs(self, inputs: Inputs) -> int:
        """Weights of one filter, per output element."""
        return prod(self.weight_factors(inputs)) * prod(self.output_shape(inputs)[1:])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A filter's group of channels, and the window on spatial dimensions."""
        return (
            group_walk(inputs[0][0], self.channels, self.groups),
            *window_walks(self.axes(inputs)),
        )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """Size, weights, biases, MACs."""
        factors = self.weight_factors(inputs)
        positions = self.output_shape(inputs)[1:]
        total = self.macs(inputs)
        lines = [*window_working(self.axes(inputs)), Working("weights", equation(factors))]
        if self.groups > 1:
            channels = inputs[0][0]
            lines.insert(
                -1, Working("depth of a filter", f"{channels}/{self.groups} = {channels // self.groups}")
            )
        if self.bias:
            lines.append(Working("biases", f"{self.channels}"))
        lines.append(Working("MACs", f"{prod(factors):,} · {show(positions)} = {total:,}"))
        return tuple(lines)

    def smallest_part(self, inputs: Inputs) -> int | None:
        """A group's filters; without groups each filter by itself."""
        return self.channels // self.groups if self.groups > 1 else 1

    def part(self, inputs: Inputs, channels: range) -> OutputPart:
        """Some of the filters, or the filters of some of the groups, which read those groups' channels alone."""
        depth = inputs[0][0] // self.groups
        share = self.channels // self.groups
        first, stop = (channels.start // share, channels.stop // share) if self.groups > 1 else (0, 1)
        op = dataclasses.replace(self, filters=len(channels), groups=stop - first)
        return OutputPart(op, range(first * depth, stop * depth))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """A dot product per window and filter."""
        (channels, *spatial), values = inputs[0]
        filters, groups = self.channels, self.groups
        slide = Slide(spatial, self.kernel, self.stride, self.dilation, self.padding, self.rounding)
        plane = prod(spatial)
        depth, share = channels // groups, filters // groups
        taps = depth * prod(slide.kernel)
        weight = weights["weight"]
        bias = weights["bias"] if self.bias else [0] * filters
        output: list[Any] = []
        for group in range(groups):
            first = group * depth
            planes = [values[c * plane : (c + 1) * plane] for c in range(first, first + depth)]
            filter_range = range(group * share, (group + 1) * share)
            kernels = [list(weight[f * taps : (f + 1) * taps]) for f in filter_range]
            maps: list[list[Any]] = [[] for _ in filter_range]
            appends = [(m.append, k, bias[f]) for m, k, f in zip(maps, kernels, filter_range, strict=True)]
            for patch in slide.patches(planes, 0):
                for append, kernel, offset in appends:
                    append(dot(patch, kernel) + offset)
            for filtered in maps:
                output += filtered
        return Tensor((filters, *slide.positions), output)
