"""A convolution's backward pass as the dense layer it is: the gradient of the input is the transposed matrix times δ.

A dense layer's gradients are Mᵀ·δ for the input and δᵢ·xⱼ for the entry of row i and column j. A convolution's entries
are few weights over and over, so a weight's gradient is the sum over its places.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from convcalc.errors import UsageError
from convcalc.layer.backward import fitted, letters, typed_gradient
from convcalc.layer.matrices import Typed
from convcalc.layer.symbols import Expression
from convcalc.layer.unroll import MAX_ENTRIES, Unrolled
from convcalc.ops import Tensor
from convcalc.shapes import elements

MAX_PRODUCTS = 40_000  # entries of a matrix whose gradients are multiplied out


class Transposed(NamedTuple):
    """A convolution's matrix, turned over. gradient: δ; input_gradient, kernel_gradient: None where the matrix is too
    large to multiply out; the kernel's is of inputs x1, x2, …, numbered as the columns are."""

    layer: Unrolled
    gradient: Tensor
    input_gradient: Tensor | None = None
    kernel_gradient: Tensor | None = None

    @property
    def rows(self) -> list[list[tuple[int, int]]]:
        """Per input, the entries of its row that are not zero: (output, number of the weight)."""
        rows: list[list[tuple[int, int]]] = [[] for _ in range(elements(self.layer.input_shape))]
        for output, row in enumerate(self.layer.entries()):
            for column, weight in row:
                rows[column].append((output, weight))
        return rows


def transpose(layer: Unrolled, gradient: Typed | None = None) -> Transposed:
    """The backward pass of a layer by its matrix. gradient: of the output; None: letters δ11, δ12, ….

    Raises UsageError for a gradient of another shape, and for a matrix that is too large to be made.
    """
    counts = layer.counts
    if not layer.in_memory:
        raise UsageError(
            f"{counts.inputs:,}×{counts.outputs:,} entries are more than a matrix holds ({MAX_ENTRIES:,})",
            hint="a smaller --input makes a smaller one",
        )
    delta = (
        letters(layer.output_shape, layer.values)
        if gradient is None
        else fitted(typed_gradient(gradient), layer.output_shape)
    )
    if counts.dense > MAX_PRODUCTS or counts.weights > MAX_PRODUCTS:
        return Transposed(layer, delta)
    weights: list[Any] = list(layer.values) or [Expression.letter(label) for label in layer.labels]
    inputs = [Expression.letter(f"x{number + 1}") for number in range(counts.inputs)]
    back: list[Any] = [0] * counts.inputs
    kernel: list[Any] = [0] * counts.weights
    for slope, row in zip(delta.values, layer.entries(), strict=True):
        for column, weight in row:
            back[column] = back[column] + weights[weight - 1] * slope
            kernel[weight - 1] = kernel[weight - 1] + inputs[column] * slope
    shape = (layer.op.channels, layer.depth, *(axis.kernel for axis in layer.axes))
    return Transposed(layer, delta, Tensor(layer.input_shape, back), Tensor(shape, kernel))
