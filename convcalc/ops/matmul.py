"""Matrix product."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._dot import Rows
from convcalc.ops._fields import flag
from convcalc.ops._working import product
from convcalc.shapes import Shape, show


@dataclass(frozen=True, kw_only=True)
class Matmul(Operator):
    """Multiplies matrices in the last two dimensions: (…, M, K) and (…, K, N) → (…, M, N).

    The leading dimensions are batch dimensions and must be equal; they are not broadcast.
    """

    kind: ClassVar[str] = "matmul"
    torch_function: ClassVar[str] = "matmul"
    saves: ClassVar[str] = "inputs"
    role: ClassVar[str] = "join"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    example: ClassVar[Example | None] = Example(
        "- transpose: {name: queries, order: [1, 0]}\n- matmul: {from: [queries, input]}", (64, 49)
    )

    transpose_a: bool = flag(False, doc="transpose the first input, which is then (…, K, M)")
    transpose_b: bool = flag(False, doc="transpose the second input, which is then (…, N, K)")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit for vectors, or if K or the leading dimensions differ."""
        a, b = inputs
        given = f"branch 1 is {show(a)}, branch 2 is {show(b)}"
        if min(len(a), len(b)) < 2:
            raise Misfit(
                f"matmul needs matrices: {given}",
                "reshape makes a matrix of a vector: [-1, 1] a column, [1, -1] a row",
            )
        if a[:-2] != b[:-2]:
            hint = "make the dimensions before the last two equal; they are not stretched"
            if len(a) != len(b):
                hint = "reshape one of them to as many dimensions as the other"
            raise Misfit(f"matmul needs equal dimensions before the last two: {given}", hint)
        (_, inner), (rows, columns) = self._matrices(inputs)
        if inner != rows:
            fits = inner == columns
            hint = "make them equal"
            if fits:
                hint = f"set transpose_b: {'false' if self.transpose_b else 'true'}"
            raise Misfit(
                f"matmul needs as many rows in branch 2 as columns in branch 1, not {rows} for {inner}: {given}",
                hint,
            )
        return self

    def _matrices(self, inputs: Inputs) -> tuple[Shape, Shape]:
        """(M, K) and (K, N)."""
        a, b = (shape[-2:] for shape in inputs)
        return (a[::-1] if self.transpose_a else a), (b[::-1] if self.transpose_b else b)

    def output_shape(self, inputs: Inputs) -> Shape:
        """(…, M, N)."""
        (rows, _), (_, columns) = self._matrices(inputs)
        return (*inputs[0][:-2], rows, columns)

    def macs(self, inputs: Inputs) -> int:
        """…·M·K·N."""
        return prod(self._factors(inputs))

    def _factors(self, inputs: Inputs) -> tuple[int, ...]:
        (rows, inner), (_, columns) = self._matrices(inputs)
        return (*inputs[0][:-2], rows, inner, columns)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A row of the first input and a column of the second."""
        rank = len(inputs[0])
        walks: list[AxisReach] = [Reach(dimension) for dimension in range(rank - 2)]
        last: list[AxisReach] = [Reach(rank - 2), WHOLE] if index == 0 else [WHOLE, Reach(rank - 1)]
        flipped = self.transpose_b if index else self.transpose_a
        return (*walks, *(reversed(last) if flipped else last))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`8·49·64·49 = 1,229,312`."""
        return (Working("MACs", f"{product(self._factors(inputs))} = {self.macs(inputs):,}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with both inputs transposed, if their last two dimensions are stored swapped."""
        batch = len(order) - 2
        if sorted(order[:batch]) != list(range(batch)):
            return None
        flipped = order[batch] > order[batch + 1]
        operator = self
        if flipped:
            operator = dataclasses.replace(
                self, transpose_a=not self.transpose_a, transpose_b=not self.transpose_b
            )
        return Reordered(operator, (*order[:batch], batch, batch + 1))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Computes the dot product of a row and a column for each output element."""
        a, b = inputs
        rows_of_a = self._vectors(a, by_row=not self.transpose_a)
        columns_of_b = self._vectors(b, by_row=self.transpose_b)
        result: list[Any] = []
        for rows, columns in zip(rows_of_a, columns_of_b, strict=True):
            products = Rows(columns, list(chain.from_iterable(rows)), len(rows)).times(rows)
            result += chain.from_iterable(zip(*products, strict=True))
        rows, columns = rows_of_a[0], columns_of_b[0]
        return Tensor((*a.shape[:-2], len(rows), len(columns)), result)

    @staticmethod
    def _vectors(tensor: Tensor, *, by_row: bool) -> list[list[Sequence[Any]]]:
        """The rows or columns of each matrix."""
        height, width = tensor.shape[-2:]
        size = height * width
        matrices = [tensor.values[start : start + size] for start in range(0, len(tensor.values), size)]
        if by_row:
            return [[matrix[i : i + width] for i in range(0, size, width)] for matrix in matrices]
        return [[matrix[j::width] for j in range(width)] for matrix in matrices]
