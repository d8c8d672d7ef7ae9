"""Local response normalisation across channels (Krizhevsky, Sutskever & Hinton 2012, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from convcalc.ops._base import AxisReach, Inputs, Operator, Order, Reach, Reordered, Tensor
from convcalc.ops._fields import integer, number
from convcalc.ops._saved import Saved, made


@dataclass(frozen=True, kw_only=True)
class Lrn(Operator):
    """x/(k + alpha/size·Σ x²)^beta, summed over the `size` channels around x at the same position.

    Formula and defaults are those of PyTorch and Caffe, which divide alpha by size. The paper does not; its constants
    n = 5, α = 10⁻⁴, β = 0.75, k = 2 become {size: 5, alpha: 5e-4, beta: 0.75, k: 2} here. An even size reaches
    one channel further back than forward. Channels beyond the first and last count as zero.
    """

    kind: ClassVar[str] = "lrn"
    torch_module: ClassVar[str] = "LocalResponseNorm"
    torch_function: ClassVar[str] = "local_response_norm"
    role: ClassVar[str] = "normalisation"
    main: ClassVar[str | None] = "size"
    pointwise: ClassVar[bool] = True

    size: int = integer(5, doc="number of channels to sum over")
    alpha: float = number(1e-4, minimum=0, doc="factor of the mean square: the paper's α times size")
    beta: float = number(0.75, doc="exponent")
    k: float = number(1.0, above=0, doc="constant added to the sum; 2 in the paper")

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """The neighbouring channels, at the same position."""
        others = (Reach(dimension) for dimension in range(1, len(inputs[0])))
        return (Reach(0, self.size, 1, -(self.size // 2)), *others)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the channels are stored first, else None."""
        return Reordered(self, order) if order[0] == 0 else None

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input, its padded squares, and the divisor before and after the power."""
        channels, *spatial = inputs[0]
        squares = (channels + self.size - 1) * prod(spatial)
        return (Saved("input", 0), made("padded squares", squares), made("divisors", 2 * prod(inputs[0])))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Sums of squares over channels, then one power per element."""
        shape, values = inputs[0]
        channels = shape[0]
        plane = len(values) // channels
        planes = [values[c * plane : (c + 1) * plane] for c in range(channels)]
        squares = [[value * value for value in numbers] for numbers in planes]
        factor, beta, k = self.alpha / self.size, self.beta, self.k
        result: list[Any] = []
        for channel, numbers in enumerate(planes):
            first = channel - self.size // 2
            window = squares[max(0, first) : first + self.size]
            result += [
                value / (k + factor * sum(around)) ** beta
                for value, around in zip(numbers, zip(*window, strict=True), strict=True)
            ]
        return Tensor(shape, result)
