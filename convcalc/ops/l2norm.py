"""L2 normalisation (Liu et al. 2015, ParseNet)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, Self

from convcalc.ops import _axes
from convcalc.ops._base import Inputs, Tensor
from convcalc.ops._fields import along, number
from convcalc.ops._ieee import larger
from convcalc.ops._saved import Saved, made


@dataclass(frozen=True, kw_only=True)
class L2norm(_axes.AlongAxes):
    """Scales vectors to unit length: x/max(√Σx², eps), summed over the channels at each position or over `axis`.

    It has no parameters. For the normalisation of SSD, put a scale with initial: 20 after it.
    """

    kind: ClassVar[str] = "l2norm"
    torch_function: ClassVar[str] = "normalize"
    role: ClassVar[str] = "normalisation"

    axis: str | int | tuple[int, ...] = along(several=True, doc="dimensions to sum over")
    eps: float = number(1e-12, above=0, doc="lower bound of the divisor")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `axis` in canonical form. Raises Misfit if the input has no such dimension."""
        return dataclasses.replace(self, axis=_axes.settled(self.axis, inputs[0]))

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input, and the length of each vector before and after its lower bound."""
        return (Saved("input", 0), made("lengths", 2 * _axes.count(self.axis, inputs[0])))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Divides each vector by its length."""
        shape, values = inputs[0]
        result: list[Any] = [0] * len(values)
        for places in _axes.vectors(_axes.dimensions(self.axis, len(shape)), shape):
            square = sum([values[place] * values[place] for place in places])
            length = larger(sqrt(square), self.eps)
            for place in places:
                result[place] = values[place] / length
        return Tensor(shape, result)
