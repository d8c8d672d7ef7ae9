"""Instance normalisation (Ulyanov, Vedaldi & Lempitsky 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.ops._base import (
    WHOLE,
    AxisReach,
    Inputs,
    Operator,
    Order,
    Parameter,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._fields import flag, number
from convcalc.ops._normalisation import by_groups, count_working, factor_and_offset
from convcalc.ops._saved import Saved, made


@dataclass(frozen=True, kw_only=True)
class Instancenorm(Operator):
    """Normalises each channel over all positions: (x − mean)/√(variance + eps)·weight + bias.

    Weight and bias (C) exist only with affine: true, as in PyTorch. The variance is the biased estimator.
    Statistics are always those of the input; running statistics are not supported.
    """

    kind: ClassVar[str] = "instancenorm"
    torch_module: ClassVar[str] = "InstanceNorm"
    torch_function: ClassVar[str] = "instance_norm"
    role: ClassVar[str] = "normalisation"
    pointwise: ClassVar[bool] = True

    eps: float = number(1e-5, above=0, doc="added to the variance for numerical stability")
    affine: bool = flag(False, doc="learn a scale and a bias per channel")

    @property
    def centres_channels(self) -> bool:
        """True: the mean of each channel is subtracted."""
        return True

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit for a vector."""
        self.needs_map(inputs[0])
        return self

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight and bias if affine: (C) each."""
        return factor_and_offset(inputs[0][:1], self.affine)

    def keeps_positions(self, inputs: Inputs) -> bool:
        """Always False: the statistics are taken over all positions."""
        return False

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """The same channel, at all positions."""
        return (Reach(0), *(WHOLE for _ in inputs[0][1:]))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """A weight and a bias per channel."""
        return count_working(inputs[0][:1], "weights", "biases") if self.affine else ()

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the channels are stored first, else None."""
        return Reordered(self, order) if order[0] == 0 else None

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input, mean and inverse deviation of each channel, and the weight repeated for each image."""
        channels = inputs[0][0]
        found = (Saved("input", 0), made("mean and deviation", 2 * channels))
        return (*found, made("repeated weight", channels)) if self.affine else found

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Normalises one channel after another."""
        return by_groups(inputs[0], inputs[0].shape[0], self.eps, weights)
