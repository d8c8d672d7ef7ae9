"""A convolution as the dense layer it is: a matrix, mostly zeros, whose other entries are few numbers over and over.

Rows are outputs, columns inputs, both in row-major order, channel by channel. An entry is the number of the weight
that stands there, counted from 1 in the order of the weight tensor `(filters, depth, *kernel)`; 0 where an output
does not read an input. Biases are left out.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import NamedTuple

from convcalc.analysis.costs import uses
from convcalc.errors import UsageError
from convcalc.graph import Graph, Node
from convcalc.ops.conv import Conv
from convcalc.shapes import Axis, Shape, elements

MAX_ENTRIES = 16_000_000  # of a matrix that is made; counting needs none


class Counts(NamedTuple):
    """A convolution's connections, biases excluded.

    dense: every output reads every input. locally_connected: each output has the weights of its window for
    itself, those over padding included. active: entries of the matrix that are not zero. distinct: different
    weights among them. weights: the layer's own, of which some may only ever meet padding.
    """

    inputs: int
    outputs: int
    dense: int
    locally_connected: int
    active: int
    distinct: int
    weights: int


class Unrolled(NamedTuple):
    """A convolution with the shapes around it. `op` is bound; name: of a network's layer."""

    op: Conv
    input_shape: Shape
    name: str = ""

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
        """The channels that a filter reads."""
        return self.input_shape[0] // self.op.groups

    @property
    def taps(self) -> int:
        """The weights of one filter."""
        return self.depth * prod(axis.kernel for axis in self.axes)


def counts(layer: Unrolled) -> Counts:
    """Counted axis by axis, without making the matrix."""
    inputs, outputs = elements(layer.input_shape), elements(layer.output_shape)
    used = [_uses(axis) for axis in layer.axes]
    filters = layer.op.channels
    return Counts(
        inputs=inputs,
        outputs=outputs,
        dense=inputs * outputs,
        locally_connected=outputs * layer.taps,
        active=filters * layer.depth * prod(map(sum, used)),
        distinct=filters * layer.depth * prod(sum(map(bool, axis)) for axis in used),
        weights=filters * layer.taps,
    )


def _uses(axis: Axis) -> list[int]:
    """Per tap of the window, at how many positions it lies on a real pixel."""
    return list(uses(axis.output, axis.kernel, axis.stride, axis.dilation, axis.before, axis.size))


def _reads(axis: Axis) -> list[list[tuple[int, int]]]:
    """Per position, the real pixels it reads and the tap that reads each."""
    return [
        [
            (pixel, tap)
            for tap in range(axis.kernel)
            if 0 <= (pixel := position * axis.stride + tap * axis.dilation - axis.before) < axis.size
        ]
        for position in range(axis.output)
    ]


def entries(layer: Unrolled) -> Iterator[list[tuple[int, int]]]:
    """Per output, its row's entries that are not zero: (column, number of the weight)."""
    axes = layer.axes
    reads = [_reads(axis) for axis in axes]
    area, window = elements(layer.input_shape[1:]), prod(axis.kernel for axis in axes)
    share = layer.op.channels // layer.op.groups
    for one in range(layer.op.channels):
        first = one // share * layer.depth
        for position in product(*reads):
            row = []
            for channel in range(layer.depth):
                for cell in product(*position):
                    pixel = tap = 0
                    for (place, number), axis in zip(cell, axes, strict=True):
                        pixel = pixel * axis.size + place
                        tap = tap * axis.kernel + number
                    weight = (one * layer.depth + channel) * window + tap
                    row.append(((first + channel) * area + pixel, weight + 1))
            yield row


def matrix(layer: Unrolled) -> array[int]:
    """All entries, row-major, outputs × inputs. Raises UsageError where they are too many."""
    found = counts(layer)
    if max(found.dense, found.weights) > MAX_ENTRIES:
        raise UsageError(
            f"{found.outputs:,}×{found.inputs:,} = {found.dense:,} entries are more than a file takes "
            f"({MAX_ENTRIES:,})",
            hint="the counts need no file; a smaller --input of the network makes a smaller matrix",
        )
    result = array("i", bytes(4 * found.dense))
    for number, row in enumerate(entries(layer)):
        start = number * found.inputs
        for column, weight in row:
            result[start + column] = weight
    return result


def convolutions(graph: Graph) -> list[Unrolled]:
    """The convolutions of a network."""
    return [_unrolled(node) for node in graph if isinstance(node.op, Conv)]


def _unrolled(node: Node) -> Unrolled:
    assert isinstance(node.op, Conv)
    return Unrolled(node.op, node.input_shapes[0], node.name)
