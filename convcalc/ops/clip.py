"""Clamping of values to a range."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import Example, Inputs, Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Clip(Pointwise):
    """Clamps x to [min, max]; either bound may be omitted. If min exceeds max, every output is max, as in PyTorch."""

    kind: ClassVar[str] = "clip"
    torch_function: ClassVar[str] = "clamp"
    saves: ClassVar[str] = "input"
    example: ClassVar[Example | None] = Example(
        "clip: {min: -1, max: 1}", apply="'clip: {min: -1, max: 1}' '-4 -2 -1 -0.5 0 0.5 1 2 4'"
    )

    min: float | None = number(None, doc="lower bound; default: none")
    max: float | None = number(None, doc="upper bound; default: none")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if neither bound is given."""
        if self.min is None and self.max is None:
            raise Misfit(
                "clip needs min, max or both", "write clip: {min: 0, max: 6}, with one of them or both"
            )
        return self

    @property
    def bound(self) -> tuple[float, float]:
        """(min, max), with −∞ or ∞ for a bound that is not given."""
        return -inf if self.min is None else self.min, inf if self.max is None else self.max

    def module_name(self, inputs: Inputs) -> str:
        """Hardtanh, if both bounds are given and in order; else ""."""
        return "Hardtanh" if self.min is not None and self.max is not None and self.min < self.max else ""

    def element(self, value: Any) -> Any:
        """min(max(x, min), max); NaN stays NaN."""
        if self.min is not None and value < self.min:
            value = self.min
        return self.max if self.max is not None and value > self.max else value
