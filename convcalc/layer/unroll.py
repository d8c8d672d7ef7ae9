"""A convolution as a dense layer: a sparse matrix in which few weights recur many times.

Rows are outputs, columns are inputs, both in row-major order, channel by channel. An entry is the number of the
weight at that place, counted from 1 in the order of the weight tensor `(filters, depth, *kernel)`, or 0 if the
output does not read the input. Biases are left out.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from convcalc.analysis.costs import uses
from convcalc.errors import Misfit, UsageError, did_you_mean
from convcalc.graph import Graph
from convcalc.layer import matrices
from convcalc.layer.matrices import Matrix, Typed
from convcalc.layer.symbols import has_letters, written
from convcalc.layer.weights import kernels
from convcalc.layer.windows import (
    Extents,
    Sides,
    check_choice,
    check_count,
    extents,
    numbers,
    paddings,
    usage,
)
from convcalc.ops.conv import Conv
from convcalc.shapes import ROUNDINGS, Axis, Padding, PerAxis, Shape, elements

MAX_ENTRIES = 16_000_000  # of a matrix held in memory; counting does not need it
MAX_COUNT = 10_000  # of filters and channels


class ConnectionCounts(NamedTuple):
    """The connections of a convolution, biases excluded.

    dense: every output reads every input. locally_connected: each output has its own weights for its window,
    including those over padding. active: non-zero entries of the matrix. distinct: different weights among them.
    weights: the layer's weights, some of which may only ever meet padding.
    """

    inputs: int
    outputs: int
    dense: int
    locally_connected: int
    active: int
    distinct: int
    weights: int


class Unrolled(NamedTuple):
    """A bound convolution and its input shape.

    name: the layer's path in a network; values: the given weights in the order of the weight tensor; decimal: how
    they are written (see symbols.written).
    """

    op: Conv
    input_shape: Shape
    name: str = ""
    values: tuple[Any, ...] = ()
    decimal: bool | None = None

    @property
    def transposed(self) -> bool:
        """False; see `unroll_transposed`."""
        return False

    @property
    def kernel(self) -> Shape:
        """The kernel's size on each axis."""
        return tuple([axis.kernel for axis in self.axes])

    @property
    def filters(self) -> int:
        """The output's channels."""
        return self.op.channels

    def kernel_start(self, output: int, channel: int) -> int:
        """The place of a kernel's first weight in the order of the weight tensor."""
        return (output * self.depth + channel) * prod(self.kernel)

    @property
    def output_shape(self) -> Shape:
        """(filters, *positions)."""
        return self.op.output_shape((self.input_shape,))

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The window on each axis."""
        return self.op.axes((self.input_shape,))

    @property
    def depth(self) -> int:
        """Channels that a filter reads."""
        return self.input_shape[0] // self.op.groups

    @property
    def taps(self) -> int:
        """Weights per filter."""
        return self.depth * prod(axis.kernel for axis in self.axes)

    @property
    def texts(self) -> list[str]:
        """The given weights as text without blanks."""
        return [written(value, decimal=self.decimal, minus="-").replace(" ", "") for value in self.values]

    @property
    def labels(self) -> list[str]:
        """A label per weight: the given value, or w x y z, or letters, or w1, w2, …"""
        number = self.op.channels * self.taps
        if self.values:
            return self.texts
        if number <= 4:
            return list("wxyz")[:number]
        if number <= 26:
            return [chr(ord("a") + index) for index in range(number)]
        return [f"w{index + 1}" for index in range(number)]

    @property
    def letters(self) -> bool:
        """Whether any given weight is a letter."""
        return has_letters(self.values)

    @property
    def counts(self) -> ConnectionCounts:
        """The connection counts, computed axis by axis without building the matrix."""
        inputs, outputs = elements(self.input_shape), elements(self.output_shape)
        used = [_uses(axis) for axis in self.axes]
        filters = self.op.channels
        return ConnectionCounts(
            inputs=inputs,
            outputs=outputs,
            dense=inputs * outputs,
            locally_connected=outputs * self.taps,
            active=filters * self.depth * prod(map(sum, used)),
            distinct=filters * self.depth * prod(sum(map(bool, axis)) for axis in used),
            weights=filters * self.taps,
        )

    @property
    def in_memory(self) -> bool:
        """Whether the matrix is small enough to build."""
        return self.counts.dense <= MAX_ENTRIES

    def entries(self) -> Iterator[list[tuple[int, int]]]:
        """For each output, the non-zero entries of its row: (column, weight number)."""
        axes = self.axes
        reads = [_reads(axis) for axis in axes]
        area, window = elements(self.input_shape[1:]), prod(axis.kernel for axis in axes)
        share = self.op.channels // self.op.groups
        for output in range(self.op.channels):
            first = output // share * self.depth
            for position in product(*reads):
                row = []
                for channel in range(self.depth):
                    for cell in product(*position):
                        pixel = tap = 0
                        for (place, number), axis in zip(cell, axes, strict=True):
                            pixel = pixel * axis.size + place
                            tap = tap * axis.kernel + number
                        weight = (output * self.depth + channel) * window + tap
                        row.append(((first + channel) * area + pixel, weight + 1))
                yield row

    def matrix(self) -> array[int]:
        """All entries, row-major, outputs × inputs. Raises UsageError if there are too many."""
        counts = self.counts
        if max(counts.dense, counts.weights) > MAX_ENTRIES:
            raise UsageError(
                f"{counts.outputs:,}×{counts.inputs:,} = {counts.dense:,} entries are more than a file takes "
                f"({MAX_ENTRIES:,})",
                hint="the counts need no file; a smaller --input of the network makes a smaller matrix",
            )
        result = array("i", bytes(4 * counts.dense))
        for number, row in enumerate(self.entries()):
            start = number * counts.inputs
            for column, weight in row:
                result[start + column] = weight
        return result


class UnrolledNetwork(NamedTuple):
    """The convolutions of a network. name: the network as requested."""

    name: str
    layers: tuple[Unrolled, ...]

    @property
    def total(self) -> ConnectionCounts:
        """The sum of all layers."""
        return ConnectionCounts(
            *(sum(column) for column in zip(*(layer.counts for layer in self.layers), strict=True))
        )


def _uses(axis: Axis) -> list[int]:
    """For each tap of the window, the number of positions at which it lies on a real pixel."""
    return list(uses(axis.output, axis.kernel, axis.stride, axis.dilation, axis.before, axis.size))


def _reads(axis: Axis) -> list[list[tuple[int, int]]]:
    """For each position, the real pixels it reads and the tap that reads each."""
    return [
        [
            (pixel, tap)
            for tap in range(axis.kernel)
            if 0 <= (pixel := position * axis.stride + tap * axis.dilation - axis.before) < axis.size
        ]
        for position in range(axis.output)
    ]


def convolutions(graph: Graph) -> list[Unrolled]:
    """The convolutions of a network."""
    return [Unrolled(node.op, node.input_shapes[0], node.name) for node in graph if isinstance(node.op, Conv)]


def unroll_network(graph: Graph, name: str) -> UnrolledNetwork:
    """All convolutions of a network. Raises UsageError if it has none."""
    layers = convolutions(graph)
    if not layers:
        raise UsageError(f"{name} has no convolution")
    return UnrolledNetwork(name, tuple(layers))


def unroll_layer(graph: Graph, name: str, layer: str) -> Unrolled:
    """One convolution of a network. Raises UsageError if the layer is not a convolution."""
    layers = {unrolled.name: unrolled for unrolled in convolutions(graph)}
    if layer not in layers:
        raise UsageError(
            f"{name} has no convolution '{layer}'{did_you_mean(layer, list(layers))}",
            hint=f"convcalc matrix {name} lists them",
        )
    return layers[layer]


def unroll(
    size: Extents | None,
    *,
    kernel: Extents | None = None,
    stride: Extents | None = None,
    padding: Sides | None = None,
    dilation: Extents | None = None,
    rounding: str = "floor",
    filters: int | None = None,
    channels: int | None = None,
    weights: Typed | Sequence[Typed] = (),
) -> Unrolled:
    """A convolution given by its fields on an input of this size; without `kernel`, the weights determine it.

    weights: a matrix, or one for each filter. Raises UsageError.
    """
    check_choice("--rounding", rounding, ROUNDINGS)
    check_count("--filters", filters, MAX_COUNT)
    check_count("--channels", channels, MAX_COUNT)
    texts = matrices.several(weights)
    planes, kernel = planes_of(texts, kernel)
    if size is None or kernel is None:
        raise UsageError(
            "matrix needs a size and --kernel or --weights, or a network and its layer",
            hint="convcalc matrix 4x4 --kernel 2x2; convcalc matrix lenet5 conv1",
        )
    sizes = numbers(size, "--input")
    fields, rank = fields_of(kernel, stride, dilation, padding, len(sizes))
    shape = (channels or 1, *(sizes * rank if len(sizes) == 1 else sizes))
    conv = Conv(filters=filters or len(planes) or 1, rounding=rounding, bias=False, **fields)
    try:
        bound = conv.bind((shape,))
        bound.output_shape((shape,))
    except Misfit as misfit:
        raise usage(misfit) from None
    layer = Unrolled(bound, shape)
    if not planes:
        return layer
    tensor = (bound.channels, layer.depth, *(axis.kernel for axis in layer.axes))
    values = tuple(kernels(bound, tensor, planes))
    return layer._replace(values=values, decimal=False if any("/" in text for text in texts) else None)


def planes_of(texts: Sequence[str], kernel: Extents | None) -> tuple[list[Matrix], Extents | None]:
    """The typed weights, and the kernel, which they determine if it is not given."""
    planes = [matrices.parse(text, "--weights") for text in texts]
    return planes, (planes[0].height, planes[0].width) if kernel is None and planes else kernel


def fields_of(
    kernel: Extents, stride: Extents | None, dilation: Extents | None, padding: Sides | None, given: int
) -> tuple[dict[str, Any], int]:
    """An operator's fields for a window as typed, and its number of dimensions, two unless more are `given`."""
    typed = {
        "kernel": extents(kernel, "--kernel") or (1,),
        "stride": extents(stride, "--stride") or (1,),
        "dilation": extents(dilation, "--dilation") or (1,),
    }
    pads = paddings(padding) or ((0, 0),)
    rank = max(given, *map(len, typed.values()), len(pads))
    rank = 2 if rank == 1 else rank
    fields: dict[str, Any] = {name: _per_axis(values) for name, values in typed.items()}
    return fields | {"padding": _padding(pads, rank)}, rank


def _per_axis(values: tuple[int, ...]) -> PerAxis:
    return values[0] if len(values) == 1 else values


def _padding(pads: tuple[str | tuple[int, int], ...], rank: int) -> Padding:
    """A single padding for all dimensions if one was given; a number if both sides agree."""
    if isinstance(pads[0], str):
        return pads[0]
    pairs = tuple(pair for pair in pads if not isinstance(pair, str))
    if len(pairs) > 1:
        return pairs
    before, after = pairs[0]
    return before if before == after else pairs * rank
