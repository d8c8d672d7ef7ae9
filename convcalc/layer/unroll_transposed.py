"""A transposed convolution as a dense layer: its matrix is that of the convolution that goes the other way, transposed.

Rows are outputs and columns inputs, as in `unroll`; an entry is the number of the weight, counted from 1 in the order
of the weight tensor `(channels, filters, *kernel)`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from convcalc.errors import Misfit, UsageError
from convcalc.layer import matrices
from convcalc.layer.matrices import Typed
from convcalc.layer.unroll import MAX_COUNT, ConnectionCounts, Unrolled, fields_of, planes_of
from convcalc.layer.weights import kernels
from convcalc.layer.windows import Extents, Sides, check_count, numbers, usage
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Deconv
from convcalc.shapes import Shape


class UnrolledTransposed(NamedTuple):
    """A transposed convolution. reverse: the convolution from its output to its input, with the same weights."""

    op: Deconv
    reverse: Unrolled

    @property
    def transposed(self) -> bool:
        """True."""
        return True

    @property
    def name(self) -> str:
        """Its path in a network: it has none."""
        return ""

    @property
    def input_shape(self) -> Shape:
        """(C, *spatial)."""
        return self.reverse.output_shape

    @property
    def output_shape(self) -> Shape:
        """(filters, *positions)."""
        return self.reverse.input_shape

    @property
    def kernel(self) -> Shape:
        """The kernel's size on each axis."""
        return self.reverse.kernel

    @property
    def filters(self) -> int:
        """The output's channels."""
        return self.op.filters

    @property
    def depth(self) -> int:
        """The input's channels."""
        return self.reverse.filters

    @property
    def values(self) -> tuple[Any, ...]:
        """The given weights in the order of the weight tensor."""
        return self.reverse.values

    @property
    def texts(self) -> list[str]:
        """The given weights as text without blanks."""
        return self.reverse.texts

    @property
    def labels(self) -> list[str]:
        """A label per weight."""
        return self.reverse.labels

    @property
    def letters(self) -> bool:
        """Whether any given weight is a letter."""
        return self.reverse.letters

    @property
    def counts(self) -> ConnectionCounts:
        """The connection counts. locally_connected: each input with its own kernels, cropped pixels included."""
        found = self.reverse.counts
        return found._replace(inputs=found.outputs, outputs=found.inputs)

    @property
    def in_memory(self) -> bool:
        """Whether the matrix is small enough to build."""
        return self.reverse.in_memory

    def kernel_start(self, output: int, channel: int) -> int:
        """The place of a kernel's first weight."""
        return self.reverse.kernel_start(channel, output)

    def entries(self) -> Iterator[list[tuple[int, int]]]:
        """For each output, the non-zero entries of its row: (column, weight number)."""
        rows: list[list[tuple[int, int]]] = [[] for _ in range(self.counts.outputs)]
        for column, row in enumerate(self.reverse.entries()):
            for output, weight in row:
                rows[output].append((column, weight))
        yield from rows

    def matrix(self) -> array[int]:
        """All entries, row-major, outputs × inputs. Raises UsageError if there are too many."""
        turned = self.reverse.matrix()
        height, width = self.counts.inputs, self.counts.outputs
        result = array("i", bytes(4 * len(turned)))
        for row in range(height):
            result[row::height] = turned[row * width : (row + 1) * width]
        return result


def unroll_transposed(
    size: Extents | None,
    *,
    kernel: Extents | None = None,
    stride: Extents | None = None,
    padding: Sides | None = None,
    dilation: Extents | None = None,
    output_padding: Extents | None = None,
    filters: int | None = None,
    channels: int | None = None,
    weights: Typed | Sequence[Typed] = (),
) -> UnrolledTransposed:
    """A transposed convolution given by its fields on an input of this size. weights: a matrix, or one for each filter.
    Raises UsageError."""
    check_count("--filters", filters, MAX_COUNT)
    check_count("--channels", channels, MAX_COUNT)
    texts = matrices.several(weights)
    planes, kernel = planes_of(texts, kernel)
    if size is None or kernel is None:
        raise UsageError(
            "matrix --transposed needs a size and --kernel or --weights",
            hint="convcalc matrix 3x3 --kernel 2x2 --stride 2 --transposed",
        )
    sizes = numbers(size, "--input")
    extra = () if output_padding is None else numbers(output_padding, "--output-padding", minimum=0)
    fields, rank = fields_of(kernel, stride, dilation, padding, max(len(sizes), len(extra)))
    shape = (channels or 1, *(sizes * rank if len(sizes) == 1 else sizes))
    layer = Deconv(
        filters=filters or len(planes) or 1,
        output_padding=extra[0] if len(extra) == 1 else extra or 0,
        bias=False,
        **fields,
    )
    try:
        layer.bind((shape,))
        output = layer.output_shape((shape,))
        axes = layer.axes((shape,))
    except Misfit as misfit:
        raise usage(misfit) from None
    pads = tuple((axis.before, axis.after) for axis in axes)
    conv = Conv(filters=shape[0], bias=False, **{**fields, "padding": pads}).bind((output,))
    reverse = Unrolled(conv, output)
    if planes:
        tensor = (shape[0], layer.filters, *reverse.kernel)
        values = tuple(kernels(layer, tensor, planes))
        reverse = reverse._replace(
            values=values, decimal=False if any("/" in text for text in texts) else None
        )
    return UnrolledTransposed(layer, reverse)
