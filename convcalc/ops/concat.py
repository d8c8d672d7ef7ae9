"""Branches side by side along the channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar, Self

from convcalc.ops._base import (
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Reach,
    Reordered,
    Tensor,
    Working,
    mismatch,
)
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Concat(Operator):
    """The inputs' channels one after the other.

    (C₁, *spatial), (C₂, *spatial), … → (C₁ + C₂ + …, *spatial).
    """

    kind: ClassVar[str] = "concat"
    torch_function: ClassVar[str] = "cat"
    role: ClassVar[str] = "join"
    inputs: ClassVar[tuple[int, int | None]] = (2, None)
    example: ClassVar[Example | None] = Example(
        "concat:\n  - - conv: {filters: 16, kernel: 1}\n  - - conv: {filters: 24, kernel: 3, padding: 1}",
        (64, 28, 28),
    )

    def bind(self, inputs: Inputs) -> Self:
        """Unchanged. Raises Misfit when spatial sizes differ."""
        if len({shape[1:] for shape in inputs}) > 1:
            raise mismatch("concat needs equal sizes, channels apart", inputs, channels=False)
        return self

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C₁ + C₂ + …, *spatial)."""
        return (sum(shape[0] for shape in inputs), *inputs[0][1:])

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Its own channels, after those of the inputs before it."""
        return (
            Reach(0, start=-_first_channels(inputs)[index]),
            *(Reach(d) for d in range(1, len(inputs[index]))),
        )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`64 + 128 + 32 + 32 = 256`."""
        channels = [shape[0] for shape in inputs]
        return (Working("output channels", f"{' + '.join(map(str, channels))} = {sum(channels)}"),)

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, where the channels are stored first."""
        return Reordered(self, order) if order[0] == 0 else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The inputs' values one after the other."""
        result: list[Any] = []
        for tensor in inputs:
            result += tensor.values
        channels = sum(tensor.shape[0] for tensor in inputs)
        return Tensor((channels, *inputs[0].shape[1:]), result)


_latest: tuple[Inputs, list[int]] = ((), [])


def _first_channels(inputs: Inputs) -> list[int]:
    """The output channel that each input's first channel becomes.

    The inputs of a join are asked for one after another, so the latest answer is kept: a join of n takes n steps,
    not n².
    """
    global _latest
    if _latest[0] is not inputs:
        _latest = (inputs, list(accumulate((shape[0] for shape in inputs), initial=0)))
    return _latest[1]
