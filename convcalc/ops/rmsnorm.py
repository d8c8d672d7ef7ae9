"""Root mean square normalisation (Zhang & Sennrich 2019)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, prod, sqrt
from typing import Any, ClassVar, Self

from convcalc.ops import _axes
from convcalc.ops._base import Inputs, Parameter, Tensor, Working
from convcalc.ops._fields import along, flag, number
from convcalc.ops._normalisation import count_working, factor_and_offset
from convcalc.ops._saved import Saved, made


@dataclass(frozen=True, kw_only=True)
class Rmsnorm(_axes.AlongAxes):
    """Normalises over the channels of each position, or over `axis`: x/√(mean of x² + eps)·weight.

    Weight has the shape of the normalised dimensions: (C), or (H, W) with axis: [1, 2]. There is no bias, and the
    mean is not subtracted.
    """

    kind: ClassVar[str] = "rmsnorm"
    torch_module: ClassVar[str] = "RMSNorm"
    torch_function: ClassVar[str] = "rms_norm"
    role: ClassVar[str] = "normalisation"

    axis: str | int | tuple[int, ...] = along(several=True, doc="dimensions to normalise over")
    eps: float = number(
        2.0**-23, above=0, doc="added to the mean square; default as in PyTorch: 2⁻²³, the epsilon of float32"
    )
    affine: bool = flag(True, doc="learn a scale per normalised element")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `axis` in canonical form. Raises Misfit if the input has no such dimension."""
        return dataclasses.replace(self, axis=_axes.settled(self.axis, inputs[0]))

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight if affine, with the shape of the normalised dimensions."""
        return factor_and_offset(_axes.sizes(self.axis, inputs[0]), self.affine)[:1]

    def module_name(self, inputs: Inputs) -> str:
        """RMSNorm if `axis` is the trailing dimensions, else ""."""
        rank = len(inputs[0])
        found = _axes.dimensions(self.axis, rank)
        return self.torch_module if found == tuple(range(rank - len(found), rank)) else ""

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """A weight per normalised element."""
        return count_working(_axes.sizes(self.axis, inputs[0]), "weights") if self.affine else ()

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input, the inverse root of each normalised vector, and with weights the normalised values."""
        found = (Saved("input", 0), made("inverse root", _axes.count(self.axis, inputs[0])))
        return (*found, made("normalised", prod(inputs[0]))) if self.affine else found

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Divides each vector by its root mean square."""
        shape, values = inputs[0]
        result: list[Any] = [0] * len(values)
        for places in _axes.vectors(_axes.dimensions(self.axis, len(shape)), shape):
            square = sum([values[place] * values[place] for place in places]) / len(places) + self.eps
            factor = 1 / sqrt(square) if square == square else nan
            learned = weights["weight"] if self.affine else [1] * len(places)
            for place, weight in zip(places, learned, strict=True):
                result[place] = values[place] * factor * weight
        return Tensor(shape, result)
