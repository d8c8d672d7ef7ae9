"""Layer normalisation (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.ops import _axes
from convcalc.ops._base import Inputs, Parameter, Tensor, Working
from convcalc.ops._fields import along, flag, number
from convcalc.ops._normalisation import count_working, factor_and_offset, standardised
from convcalc.ops._saved import Saved, made
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Layernorm(_axes.AlongAxes):
    """Normalises over the channels of each position, or over `axis`: (x − mean)/√(variance + eps)·weight + bias.

    Weight and bias have the shape of the normalised dimensions: (C), or (C, H, W) with axis: [0, 1, 2], the form in
    the paper. The variance is the biased estimator.
    """

    kind: ClassVar[str] = "layernorm"
    abbreviation: ClassVar[str] = "ln"
    torch_module: ClassVar[str] = "LayerNorm"
    torch_function: ClassVar[str] = "layer_norm"
    role: ClassVar[str] = "normalisation"

    axis: str | int | tuple[int, ...] = along(several=True, doc="dimensions to normalise over")
    eps: float = number(1e-5, above=0, doc="added to the variance for numerical stability")
    affine: bool = flag(True, doc="learn a scale and a bias per normalised element")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `axis` in canonical form. Raises Misfit if the input has no such dimension."""
        return dataclasses.replace(self, axis=_axes.settled(self.axis, inputs[0]))

    def dimensions(self, shape: Shape) -> tuple[int, ...]:
        """The dimensions to normalise over, ascending."""
        return _axes.dimensions(self.axis, len(shape))

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight and bias if affine, with the shape of the normalised dimensions."""
        return factor_and_offset(_axes.sizes(self.axis, inputs[0]), self.affine)

    def module_name(self, inputs: Inputs) -> str:
        """LayerNorm if `axis` is the trailing dimensions; ConvNeXt has its own class for the channels of a map."""
        found, rank = self.dimensions(inputs[0]), len(inputs[0])
        if found == tuple(range(rank - len(found), rank)):
            return self.torch_module
        return "LayerNorm2d" if found == (0,) else ""

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """A weight and a bias per normalised element."""
        if not self.affine:
            return ()
        return count_working(_axes.sizes(self.axis, inputs[0]), "weights", "biases")

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input, and mean and inverse deviation of each normalised vector."""
        return (Saved("input", 0), made("mean and deviation", 2 * _axes.count(self.axis, inputs[0])))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Normalises each vector separately."""
        shape, values = inputs[0]
        result: list[Any] = [0] * len(values)
        for places in _axes.vectors(self.dimensions(shape), shape):
            vector = standardised([values[place] for place in places], self.eps)
            if self.affine:
                triples = zip(vector, weights["weight"], weights["bias"], strict=True)
                vector = [value * weight + bias for value, weight, bias in triples]
            for place, value in zip(places, vector, strict=True):
                result[place] = value
        return Tensor(shape, result)
