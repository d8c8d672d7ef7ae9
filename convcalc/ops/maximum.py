"""Element-wise maximum of branches (Goodfellow et al. 2013, maxout)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example
from convcalc.ops._ieee import larger
from convcalc.ops._joins import Elementwise


@dataclass(frozen=True, kw_only=True)
class Maximum(Elementwise):
    """Takes the maximum of its inputs element-wise. Dimensions of size 1 are broadcast."""

    kind: ClassVar[str] = "maximum"
    sign: ClassVar[str] = "max"
    saves: ClassVar[str] = "inputs"
    element: ClassVar[Callable[[Any, Any], Any]] = staticmethod(larger)
    torch_function: ClassVar[str] = "maximum"
    onnx_operator: ClassVar[str] = "Max"
    example: ClassVar[Example | None] = Example(
        "maximum:\n  - - conv: {filters: 32, kernel: 1}\n  - - conv: {filters: 32, kernel: 1}", (64, 28, 28)
    )
