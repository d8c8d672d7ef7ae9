"""The sum of branches (He et al. 2015: a residual and its shortcut)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import Example, Inputs, Operator, Order, Reordered, Tensor, mismatch
from convcalc.shapes import show


@dataclass(frozen=True, kw_only=True)
class Add(Operator):
    """The sum, element by element, of inputs of equal shape."""

    kind: ClassVar[str] = "add"
    torch_function: ClassVar[str] = "add"
    role: ClassVar[str] = "join"
    commutative: ClassVar[bool] = True
    inputs: ClassVar[tuple[int, int | None]] = (2, None)
    example: ClassVar[Example | None] = Example(
        "add:\n  - - conv: {filters: 64, kernel: 3, padding: 1}\n  - []", (64, 28, 28)
    )

    def bind(self, inputs: Inputs) -> Self:
        """Unchanged. Raises Misfit when shapes differ."""
        if len(set(inputs)) > 1:
            misfit = mismatch("add needs equal shapes", inputs)
            raise Misfit(misfit.message, _not_stretched(inputs) or misfit.hint)
        return self

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, in any order."""
        return Reordered(self, order)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The sum."""
        result = inputs[0].values
        for tensor in inputs[1:]:
            result = [a + b for a, b in zip(result, tensor.values, strict=True)]
        return Tensor(inputs[0].shape, result)


def _not_stretched(inputs: Inputs) -> str | None:
    """A hint where only dimensions of 1 differ, as of C×1×1 and C×H×W; None where others do."""
    if len({len(shape) for shape in inputs}) > 1:
        return None
    whole = tuple(map(max, zip(*inputs, strict=True)))
    if any(size not in (1, most) for shape in inputs for size, most in zip(shape, whole, strict=True)):
        return None
    hint = "adding over dimensions of 1 is not built yet; multiply takes them"
    small = [shape for shape in inputs if shape != whole]
    if all(shape[0] == whole[0] and set(shape[1:]) == {1} for shape in small):
        spatial = whole[1:]
        scale = spatial[0] if len(set(spatial)) == 1 else list(spatial)
        hint += f", and upsample: {scale} first makes {show(small[0])} as large"
    return hint
