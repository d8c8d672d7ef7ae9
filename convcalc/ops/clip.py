"""Values kept between two bounds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import Example, Inputs, Pointwise
from convcalc.ops._fields import number


@dataclass(frozen=True, kw_only=True)
class Clip(Pointwise):
    """min(max(x, min), max), with one bound or both. Where min exceeds max all become max, as in PyTorch."""

    kind: ClassVar[str] = "clip"
    torch_function: ClassVar[str] = "clamp"
    example: ClassVar[Example | None] = Example(
        "clip: {min: -1, max: 1}", apply="'clip: {min: -1, max: 1}' '-4 -2 -1 -0.5 0 0.5 1 2 4'"
    )

    min: float | None = number(None, doc="what is below becomes this; without it nothing does")
    max: float | None = number(None, doc="what is above becomes this; without it nothing does")

    def bind(self, inputs: Inputs) -> Self:
        """Unchanged. Raises Misfit without a bound."""
        if self.min is None and self.max is None:
            raise Misfit(
                "clip needs min, max or both", "write clip: {min: 0, max: 6}, with one of them or both"
            )
        return self

    @property
    def bound(self) -> tuple[float, float]:
        """(min, max), −∞ or ∞ where it is not given."""
        return -inf if self.min is None else self.min, inf if self.max is None else self.max

    def module_name(self, inputs: Inputs) -> str:
        """Hardtanh, where both bounds are given and in order."""
        return "Hardtanh" if self.min is not None and self.max is not None and self.min < self.max else ""

    def element(self, value: Any) -> Any:
        """min(max(x, min), max); what is no number stays so."""
        if self.min is not None and value < self.min:
            value = self.min
        return self.max if self.max is not None and value > self.max else value
