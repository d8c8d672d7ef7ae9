"""Element-wise product of branches (Hu et al. 2017: squeeze-and-excitation)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example
from convcalc.ops._joins import Elementwise


@dataclass(frozen=True, kw_only=True)
class Multiply(Elementwise):
    """Multiplies its inputs element-wise. Dimensions of size 1 are broadcast: C×1×1 scales each channel of C×H×W."""

    kind: ClassVar[str] = "multiply"
    sign: ClassVar[str] = "×"
    saves: ClassVar[str] = "inputs"
    element: ClassVar[Callable[[Any, Any], Any]] = staticmethod(operator.mul)
    torch_function: ClassVar[str] = "mul"
    onnx_operator: ClassVar[str] = "Mul"
    example: ClassVar[Example | None] = Example(
        "multiply:\n  - []\n  - - global_avgpool\n    - sigmoid", (64, 28, 28)
    )
