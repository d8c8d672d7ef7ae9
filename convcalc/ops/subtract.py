"""Element-wise difference of two branches."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example
from convcalc.ops._joins import Elementwise


@dataclass(frozen=True, kw_only=True)
class Subtract(Elementwise):
    """Subtracts the second input from the first, element-wise. Dimensions of size 1 are broadcast."""

    kind: ClassVar[str] = "subtract"
    sign: ClassVar[str] = "−"
    element: ClassVar[Callable[[Any, Any], Any]] = staticmethod(operator.sub)
    torch_function: ClassVar[str] = "sub"
    onnx_operator: ClassVar[str] = "Sub"
    commutative: ClassVar[bool] = False
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    example: ClassVar[Example | None] = Example(
        "subtract:\n  - []\n  - - avgpool: {kernel: 3, stride: 1, padding: 1}", (64, 28, 28)
    )
