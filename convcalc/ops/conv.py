"""Convolution (strictly, cross-correlation) over 1, 2 or 3 spatial dimensions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    AxisReach,
    Convolving,
    Example,
    Gradient,
    Inputs,
    Operator,
    OutputPart,
    Parameter,
    Tensor,
    Working,
    group_walk,
    window_walks,
)
from convcalc.ops._dot import Rows
from convcalc.ops._fields import choice, extent, flag, integer, padding
from convcalc.ops._gradients import cut, planes, spread
from convcalc.ops._sliding import Slide
from convcalc.ops._working import equation, window_working
from convcalc.shapes import ROUNDINGS, Axis, Padding, PerAxis, Shape, axes, per_axis, show

BLOCK = 50_000  # numbers of the windows that are taken together: they and one filter fit into a core's cache


@dataclass(frozen=True, kw_only=True)
class Conv(Operator):
    """Convolves the input with `filters` kernels, each of which spans its group of input channels.

    (C, *spatial) → (filters, *positions). Weights (filters, C/groups, *kernel); bias (filters).
    """

    kind: ClassVar[str] = "conv"
    torch_module: ClassVar[str] = "Conv"
    torch_function: ClassVar[str] = "conv"
    saves: ClassVar[str] = "input"
    role: ClassVar[str] = "convolution"
    main: ClassVar[str | None] = "filters"
    channels_field: ClassVar[str | None] = "filters"
    example: ClassVar[Example | None] = Example(
        "conv: {filters: 96, kernel: 11, stride: 4}",
        (3, 227, 227),
        "--weights '1 0; 0 -1' '1 2 3; 4 5 6; 7 8 9'",
    )

    filters: int | None = integer(
        None, alias="K", doc="output channels; default with depthwise: the input channels"
    )
    kernel: PerAxis = extent(alias="F", doc="window size")
    stride: PerAxis = extent(1, alias="S", doc="step from one window to the next, in pixels")
    padding: Padding = padding(0, doc="zero padding on each side of the input")
    dilation: PerAxis = extent(1, doc="spacing between the pixels a kernel reads")
    groups: int = integer(1, doc="number of independent groups that input and output channels are split into")
    depthwise: bool = flag(False, doc="use one group per input channel")
    bias: bool = flag(True, doc="add a learned bias to each output channel")
    rounding: str = choice(
        *ROUNDINGS, default="floor", doc="how to round when the stride does not divide evenly"
    )

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `filters` and `groups` filled in if depthwise. Raises Misfit if groups do not divide."""
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
        """The number of output channels of a bound convolution."""
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
        """The weights of one filter times the number of output elements."""
        return prod(self.weight_factors(inputs)) * prod(self.output_shape(inputs)[1:])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """The channels of the filter's group, and the window on each spatial dimension."""
        return (
            group_walk(inputs[0][0], self.channels, self.groups),
            *window_walks(self.axes(inputs)),
        )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """Output size, weights, biases and MACs."""
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
        """The filters of one group; a single filter if there are no groups."""
        return self.channels // self.groups if self.groups > 1 else 1

    def part(self, inputs: Inputs, channels: range) -> OutputPart:
        """A convolution with some of the filters, or with whole groups, which read only their own channels."""
        depth = inputs[0][0] // self.groups
        share = self.channels // self.groups
        first, stop = (channels.start // share, channels.stop // share) if self.groups > 1 else (0, 1)
        op = dataclasses.replace(self, filters=len(channels), groups=stop - first)
        return OutputPart(op, range(first * depth, stop * depth))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Computes a dot product per window and filter; the filters are read once for a block of windows."""
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
            read = values[group * depth * plane : (group + 1) * depth * plane]
            filter_range = range(group * share, (group + 1) * share)
            kernels = Rows(
                [tuple(weight[f * taps : (f + 1) * taps]) for f in filter_range], read, prod(slide.positions)
            )
            maps: list[list[Any]] = [[] for _ in filter_range]
            offsets = bias[group * share : (group + 1) * share]
            patches = slide.patches(planes(read, depth), 0)
            while block := list(islice(patches, max(1, BLOCK // taps))):
                for filtered, products, offset in zip(maps, kernels.times(block), offsets, strict=True):
                    filtered += [product + offset for product in products]
            for filtered in maps:
                output += filtered
        return Tensor((filters, *slide.positions), output)

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Two convolutions and a sum (Dumoulin & Visin 2016, chapter 4; Goodfellow et al. 2016, section 9.5).

        input: δ, with S − 1 zeros inserted between its values and padding D(F − 1) − P, convolved with the kernels
        rotated by 180° and summed over the filters. weight: the input correlated with δ, with dilation S and stride D.
        bias: the sum of δ over all positions.
        """
        source = inputs[0]
        axes = self.axes((source.shape,))
        sums = [sum(plane) for plane in planes(gradient.values, self.channels)]
        found = {
            "input": self._input_gradient(source.shape, axes, weights["weight"], gradient),
            "weight": self._weight_gradient(source, axes, gradient),
        }
        if self.bias:
            found["bias"] = Gradient(Tensor((self.channels,), sums), "the sum of δ over all positions")
        return found

    def _input_gradient(
        self, shape: Shape, axes: Sequence[Axis], weight: Sequence[Any], gradient: Tensor
    ) -> Gradient:
        how = "full convolution of δ with the kernel turned by 180°"
        strides = tuple(axis.stride for axis in axes)
        wide, values = spread(gradient.shape, gradient.values, strides)
        margins = [
            (
                axis.extent - 1 - axis.before,
                axis.size + axis.before - (axis.output - 1) * axis.stride - 1,
            )
            for axis in axes
        ]
        source = _margins_cut(wide, values, margins)
        if source is None:  # every window reads padding only
            return Gradient(Tensor(shape, [0] * prod(shape)), how)
        channels, kernel = shape[0], tuple(axis.kernel for axis in axes)
        depth, share, taps = channels // self.groups, self.channels // self.groups, prod(kernel)
        turned: list[Any] = []
        for channel in range(channels):
            group, place = divmod(channel, depth)
            for member in range(group * share, (group + 1) * share):
                first = (member * depth + place) * taps
                turned += weight[first : first + taps][::-1]
        conv = Conv(
            filters=channels,
            kernel=kernel,
            dilation=tuple(axis.dilation for axis in axes),
            padding=_not_negative(margins),
            groups=self.groups,
            bias=False,
        )
        output = conv.forward([source], {"weight": turned})
        between = tuple(stride - 1 for stride in strides)
        return Gradient(
            output,
            how,
            Convolving(
                conv, source, {"weight": turned}, output, conv.axes((source.shape,)), between, turned=True
            ),
        )

    def _weight_gradient(self, source: Tensor, axes: Sequence[Axis], gradient: Tensor) -> Gradient:
        how = "correlation of the input with δ"
        channels, filters = source.shape[0], self.channels
        depth, share = channels // self.groups, filters // self.groups
        shape = (filters, depth, *(axis.kernel for axis in axes))
        margins = [
            (axis.before, (axis.output - 1) * axis.stride + axis.extent - axis.before - axis.size)
            for axis in axes
        ]
        read = _margins_cut(source.shape, source.values, margins)
        if read is None:
            return Gradient(Tensor(shape, [0] * prod(shape)), how)
        maps = planes(gradient.values, filters)
        kernels = [
            value
            for channel in range(channels)
            for member in range(channel // depth * share, (channel // depth + 1) * share)
            for value in maps[member]
        ]
        conv = Conv(
            filters=channels * share,
            kernel=gradient.shape[1:],
            stride=tuple(axis.dilation for axis in axes),
            dilation=tuple(axis.stride for axis in axes),
            padding=_not_negative(margins),
            groups=channels,
            bias=False,
        )
        output = conv.forward([read], {"weight": kernels})
        found = planes(output.values, channels * share)
        ordered: list[Any] = []
        for member in range(filters):
            group, place = divmod(member, share)
            for channel in range(group * depth, (group + 1) * depth):
                ordered += found[channel * share + place]
        return Gradient(
            Tensor(shape, ordered),
            how,
            Convolving(conv, read, {"weight": kernels}, output, conv.axes((read.shape,))),
        )


def _margins_cut(shape: Shape, values: Sequence[Any], margins: Sequence[tuple[int, int]]) -> Tensor | None:
    """The tensor cropped by its negative margins; None if nothing is left."""
    edges = [(max(0, -before), max(0, -after)) for before, after in margins]
    if any(before + after >= size for (before, after), size in zip(edges, shape[1:], strict=True)):
        return None
    return Tensor(*cut(shape, values, edges))


def _not_negative(margins: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((max(0, before), max(0, after)) for before, after in margins)
