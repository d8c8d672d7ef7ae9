"""Root mean square normalisation (Zhang & Sennrich 2019)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any, ClassVar, Self

from convcalc.ops import _axes
from convcalc.ops._base import AxisReach, Inputs, Operator, Order, Parameter, Reordered, Tensor, Working
from convcalc.ops._fields import along, flag, number
from convcalc.ops._normalisation import count_working, factor_and_offset


@dataclass(frozen=True, kw_only=True)
class Rmsnorm(Operator):
    """x/√(mean of x² + eps)·weight over the channels of each position, the last dimension, or several.

    Weight has the shape of what is normalised together: (C), or (H, W) with axis: [1, 2]. There is no bias, and no
    mean is taken away.
    """

    kind: ClassVar[str] = "rmsnorm"
    torch_module: ClassVar[str] = "RMSNorm"
    torch_function: ClassVar[str] = "rms_norm"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "axis"
    pointwise: ClassVar[bool] = True

    axis: str | int | tuple[int, ...] = along(several=True, doc="the dimensions normalised over together")
    eps: float = number(
        2.0**-23, above=0, doc="added to the mean square; PyTorch's default is float32's 2⁻²³"
    )
    affine: bool = flag(True, doc="learn a factor per value")

    def bind(self, inputs: Inputs) -> Self:
        """The axis in one form. Raises Misfit where the input has none such."""
        return dataclasses.replace(self, axis=_axes.settled(self.axis, inputs[0]))

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight where affine, of the shape normalised over."""
        return factor_and_offset(_axes.sizes(self.axis, inputs[0]), self.affine)[:1]

    def module_name(self, inputs: Inputs) -> str:
        """RMSNorm acts on the last dimensions."""
        rank = len(inputs[0])
        found = _axes.dimensions(self.axis, rank)
        return self.torch_module if found == tuple(range(rank - len(found), rank)) else ""

    def keeps_positions(self, inputs: Inputs) -> bool:
        """Over the channels only."""
        return _axes.dimensions(self.axis, len(inputs[0])) == (0,)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All of the dimensions normalised over."""
        rank = len(inputs[0])
        return _axes.reach_over(_axes.dimensions(self.axis, rank), rank)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """A factor per value normalised together."""
        return count_working(_axes.sizes(self.axis, inputs[0]), "weights") if self.affine else ()

    def reordered(self, order: Order) -> Reordered | None:
        """Along the dimensions where they are stored."""
        return _axes.moved(self, self.axis, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Each vector divided by its root mean square."""
        shape, values = inputs[0]
        result: list[Any] = [0] * len(values)
        for places in _axes.vectors(_axes.dimensions(self.axis, len(shape)), shape):
            square = sum([values[place] * values[place] for place in places]) / len(places) + self.eps
            factor = 1 / sqrt(square) if square == square else nan
            learned = weights["weight"] if self.affine else [1] * len(places)
            for place, weight in zip(places, learned, strict=True):
                result[place] = values[place] * factor * weight
        return Tensor(shape, result)
