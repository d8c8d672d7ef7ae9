"""Element-wise sum of branches (He et al. 2015: a residual and its shortcut)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example, Inputs
from convcalc.ops._joins import Elementwise


@dataclass(frozen=True, kw_only=True)
class Add(Elementwise):
    """Adds its inputs element-wise. Dimensions of size 1 are broadcast: C×1×1 is added to each channel of C×H×W."""

    kind: ClassVar[str] = "add"
    sign: ClassVar[str] = "+"
    passes_gradient: ClassVar[bool] = True
    element: ClassVar[Callable[[Any, Any], Any]] = staticmethod(operator.add)
    torch_function: ClassVar[str] = "add"
    onnx_operator: ClassVar[str] = "Add"
    example: ClassVar[Example | None] = Example(
        "add:\n  - - conv: {filters: 64, kernel: 3, padding: 1}\n  - []", (64, 28, 28)
    )

    def _needs(self, inputs: Inputs) -> str:
        """Equal shapes, unless a dimension of size 1 can be broadcast."""
        if any(1 in sizes for sizes in zip(*inputs, strict=False) if any(size != sizes[0] for size in sizes)):
            return super()._needs(inputs)
        return "equal shapes"
