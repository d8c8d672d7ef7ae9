"""Transposed convolution, also called deconvolution (Dumoulin & Visin 2016, chapter 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, product
from math import prod
from operator import mul
from typing import Any, ClassVar, NamedTuple, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    AxisReach,
    Example,
    Inputs,
    Operator,
    Parameter,
    Reach,
    Tensor,
    Working,
    group_walk,
    ratio,
)
from convcalc.ops._dot import Rows
from convcalc.ops._fields import extent, flag, integer, padding
from convcalc.ops._working import equation, size_working
from convcalc.shapes import Padding, PerAxis, Shape, elements, pads, per_axis, show


class Spread(NamedTuple):
    """One axis: each input pixel adds a kernel to the output, `stride` apart; then the edges are cropped."""

    size: int
    kernel: int
    stride: int
    dilation: int
    extra: int
    before: int = 0
    after: int = 0

    @property
    def extent(self) -> int:
        """The extent of the dilated kernel in pixels, D(F − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def output(self) -> int:
        """(W1 − 1)·S + D(F − 1) + 1 − before − after + output_padding."""
        return (self.size - 1) * self.stride + self.extent - self.before - self.after + self.extra

    def working(self) -> str:
        """`(14 − 1)·2 + 3 − 2·1 + 1 = 28`."""
        kernel = str(self.kernel)
        if self.dilation > 1:
            kernel = f"({self.dilation}·({self.kernel} − 1) + 1)"
        cut = f"2·{self.before}" if self.before == self.after else f"({self.before} + {self.after})"
        extra = f" + {self.extra}" if self.extra else ""
        return f"({self.size} − 1)·{self.stride} + {kernel} − {cut}{extra} = {self.output}"


class Canvas(NamedTuple):
    """The uncropped output of one channel: its number of pixels; the places where input pixels put the first value of
    their kernel, and the offsets of the other values; the places that are kept, and their shape."""

    pixels: int
    corners: list[int]
    taps: list[int]
    kept: list[int]
    shape: Shape


@dataclass(frozen=True, kw_only=True)
class Deconv(Operator):
    """Multiplies each input pixel by `filters` kernels and adds the results to the output, `stride` pixels apart.

    (C, *spatial) → (filters, *positions) with (W1 − 1)·S − 2P + D(F − 1) + 1 + output_padding positions per axis, or
    W1·S with padding: same. Weights (C, filters/groups, *kernel), as in PyTorch; bias (filters).
    A kernel is applied once per input pixel, so MACs are proportional to the input area; products that padding crops
    are included.
    """

    kind: ClassVar[str] = "deconv"
    enlarges: ClassVar[bool] = True
    torch_module: ClassVar[str] = "ConvTranspose"
    torch_function: ClassVar[str] = "conv_transpose"
    saves: ClassVar[str] = "input"
    role: ClassVar[str] = "convolution"
    main: ClassVar[str | None] = "filters"
    channels_field: ClassVar[str | None] = "filters"
    example: ClassVar[Example | None] = Example(
        "deconv: {filters: 64, kernel: 4, stride: 2, padding: 1}",
        (128, 14, 14),
        "'deconv: {stride: 2}' --weights '1 2; 3 4' '1 0; 0 2'",
    )

    filters: int = integer(alias="K", doc="output channels")
    kernel: PerAxis = extent(alias="F", doc="window size")
    stride: PerAxis = extent(1, alias="S", doc="step from one kernel to the next, in output pixels")
    padding: Padding = padding(0, doc="output pixels removed on each side")
    output_padding: PerAxis = extent(0, minimum=0, doc="output pixels added at the end of each axis")
    dilation: PerAxis = extent(1, doc="spacing between the pixels a kernel writes")
    groups: int = integer(1, doc="number of independent groups that input and output channels are split into")
    bias: bool = flag(True, doc="add a learned bias to each output channel")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if groups do not divide or output_padding is too large."""
        channels = self.needs_map(inputs[0])[0]
        for what, count in (("input channels", channels), ("filters", self.filters)):
            if count % self.groups:
                raise Misfit(
                    f"{self.groups} groups do not divide {count} {what}",
                    f"use groups that divide both {channels} and {self.filters}",
                )
        for axis in self.axes(inputs):
            if self.padding != "same" and axis.extra >= max(axis.stride, axis.dilation):
                raise Misfit(
                    f"output_padding {axis.extra} is not below the stride {axis.stride}",
                    "it only picks one of the sizes that a convolution with this stride makes the same",
                )
        return self

    def axes(self, inputs: Inputs) -> tuple[Spread, ...]:
        """The spatial axes with all fields resolved. Raises Misfit."""
        spatial = inputs[0][1:]
        rank = len(spatial)
        kernels = per_axis(self.kernel, rank, "kernel")
        strides = per_axis(self.stride, rank, "stride")
        dilations = per_axis(self.dilation, rank, "dilation")
        extras = per_axis(self.output_padding, rank, "output_padding")
        result = []
        for index, size in enumerate(spatial):
            axis = Spread(size, kernels[index], strides[index], dilations[index], extras[index])
            if self.padding == "same":
                if axis.extra:
                    raise Misfit("padding: same leaves output_padding nothing to say", "leave it out")
                cut = max(0, axis.extent - axis.stride)
                axis = axis._replace(extra=max(0, axis.stride - axis.extent))
                before, after = cut // 2, cut - cut // 2
            else:
                before, after = pads(self.padding, index, rank)
            result.append(axis._replace(before=before, after=after))
        return tuple(result)

    def output_shape(self, inputs: Inputs) -> Shape:
        """(filters, *positions)."""
        axes = self.axes(inputs)
        for axis in axes:
            if axis.output < 1:
                raise Misfit(
                    f"padding {axis.before} + {axis.after} cuts off all "
                    f"{axis.output + axis.before + axis.after} output pixels of an axis",
                    "use less padding: in a deconv it makes the output smaller",
                )
        return (self.filters, *(axis.output for axis in axes))

    def weight_factors(self, inputs: Inputs) -> tuple[int, ...]:
        """F·F·(C/groups)·filters."""
        kernel = per_axis(self.kernel, len(inputs[0]) - 1, "kernel")
        return (*kernel, inputs[0][0] // self.groups, self.filters)

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight (C, filters/groups, *kernel), bias (filters).

        About F·F/(S·S) kernels overlap on an output pixel; the fan-in is that times the depth.
        """
        *kernel, depth, filters = self.weight_factors(inputs)
        overlap = depth * prod(kernel) // prod(per_axis(self.stride, len(kernel), "stride"))
        shape = (inputs[0][0], filters // self.groups, *kernel)
        weight = Parameter("weight", shape, "weight", fan_in=max(1, overlap))
        return (weight, Parameter("bias", (filters,), "bias")) if self.bias else (weight,)

    def macs(self, inputs: Inputs) -> int:
        """The number of weights times the number of input pixels per channel."""
        return prod(self.weight_factors(inputs)) * elements(inputs[0][1:])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Input pixel i writes output pixels from i·S − before to i·S − before + D(F − 1), so output pixel o
        reads input pixels from (o + before − D(F − 1))/S to (o + before)/S."""
        windows = (
            Reach(
                dimension,
                ratio(axis.extent, axis.stride),
                ratio(1, axis.stride),
                ratio(axis.before - axis.extent + 1, axis.stride),
                ratio(axis.dilation, axis.stride) if axis.dilation > 1 and axis.kernel > 1 else 0,
            )
            for dimension, axis in enumerate(self.axes(inputs), 1)
        )
        return (group_walk(inputs[0][0], self.filters, self.groups), *windows)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """Output size, weights, biases and MACs."""
        factors = self.weight_factors(inputs)
        lines = [*size_working([axis.working() for axis in self.axes(inputs)])]
        if self.groups > 1:
            channels = inputs[0][0]
            text = f"{channels}/{self.groups} = {channels // self.groups}"
            lines.append(Working("depth of a filter", text))
        lines.append(Working("weights", equation(factors)))
        if self.bias:
            lines.append(Working("biases", f"{self.filters:,}"))
        positions = show(inputs[0][1:])
        text = f"{prod(factors):,} · {positions} input positions = {self.macs(inputs):,}"
        return (*lines, Working("MACs", text))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Adds all kernels to a canvas, then crops it by the padding."""
        (channels, *spatial), values = inputs[0]
        canvas = self._canvas(spatial)
        area, plane = len(canvas.taps), prod(spatial)
        depth, share = channels // self.groups, self.filters // self.groups
        weight = weights["weight"]
        bias = weights["bias"] if self.bias else [0] * self.filters
        output: list[Any] = []
        for group in range(self.groups):
            members = range(group * depth, (group + 1) * depth)
            read = [values[c * plane : (c + 1) * plane] for c in members]
            kernels = [[weight[c * share * area + place] for c in members] for place in range(share * area)]
            rows = Rows(kernels, list(chain.from_iterable(read)), plane)
            products = rows.times(list(zip(*read, strict=True)))
            for member in range(share):
                sums: list[Any] = [0] * canvas.pixels
                for tap, added in zip(canvas.taps, islice(products, area), strict=True):
                    for corner, value in zip(canvas.corners, added, strict=True):
                        sums[corner + tap] += value
                offset = bias[group * share + member]
                output += [sums[place] + offset for place in canvas.kept]
        return Tensor((self.filters, *canvas.shape), output)

    def _canvas(self, spatial: Sequence[int]) -> Canvas:
        rank = len(spatial)
        kernel, stride, dilation, extra = (
            per_axis(value, rank, "a field")
            for value in (self.kernel, self.stride, self.dilation, self.output_padding)
        )
        corners = [range(0, n * s, s) for n, s in zip(spatial, stride, strict=True)]
        taps = [range(0, k * d, d) for k, d in zip(kernel, dilation, strict=True)]
        lengths, kept = [], []
        for axis in range(rank):
            length = corners[axis][-1] + taps[axis][-1] + 1 + extra[axis]
            if self.padding == "same":
                wanted = spatial[axis] * stride[axis]
                before = max(0, length - wanted) // 2
                stop = before + wanted
            else:
                before, after = pads(self.padding, axis, rank)
                stop = length - after
            kept.append(range(before, stop))
            lengths.append(max(length, stop))
        steps = [prod(lengths[axis + 1 :]) for axis in range(rank)]

        def places(ranges: Sequence[range]) -> list[int]:
            return [sum(map(mul, place, steps)) for place in product(*ranges)]

        shape = tuple(map(len, kept))
        return Canvas(prod(lengths), places(corners), places(taps), places(kept), shape)
