"""The product of branches (Hu et al. 2017: squeeze-and-excitation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, ClassVar, Self

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
    mismatch,
)
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Multiply(Operator):
    """The product, element by element. A dimension of 1 broadcasts: C×1×1 scales each channel of C×H×W."""

    kind: ClassVar[str] = "multiply"
    torch_function: ClassVar[str] = "mul"
    role: ClassVar[str] = "join"
    commutative: ClassVar[bool] = True
    inputs: ClassVar[tuple[int, int | None]] = (2, None)
    example: ClassVar[Example | None] = Example(
        "multiply:\n  - []\n  - - global_avgpool\n    - sigmoid", (64, 28, 28)
    )

    def bind(self, inputs: Inputs) -> Self:
        """Unchanged. Raises Misfit when dimensions differ and none of them is 1."""
        ranks = {len(shape) for shape in inputs}
        if len(ranks) > 1 or any(len({*sizes} - {1}) > 1 for sizes in zip(*inputs, strict=True)):
            raise mismatch(
                "multiply needs shapes that are equal, or 1 where they differ", inputs, stretches=True
            )
        return self

    def output_shape(self, inputs: Inputs) -> Shape:
        """The largest size of each dimension."""
        return tuple(map(max, zip(*inputs, strict=True)))

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """The element at its place; all of a dimension that broadcasts."""
        sizes = zip(inputs[index], self.output_shape(inputs), strict=True)
        return tuple(Reach(d) if own == size else WHOLE for d, (own, size) in enumerate(sizes))

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, in any order."""
        return Reordered(self, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The product of the inputs, each stretched to the full shape."""
        shape = tuple(max(sizes) for sizes in zip(*(tensor.shape for tensor in inputs), strict=True))
        result = _stretched(inputs[0], shape)
        for tensor in inputs[1:]:
            result = [a * b for a, b in zip(result, _stretched(tensor, shape), strict=True)]
        return Tensor(shape, result)


def _stretched(tensor: Tensor, shape: Shape) -> Sequence[Any]:
    if tensor.shape == shape:
        return tensor.values
    places = []
    for dimension, (own, size) in enumerate(zip(tensor.shape, shape, strict=True)):
        step = prod(tensor.shape[dimension + 1 :])
        places.append([0] * size if own != size else list(range(0, size * step, step)))
    return [tensor.values[sum(place)] for place in product(*places)]
