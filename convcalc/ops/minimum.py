"""Element-wise minimum of branches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example
from convcalc.ops._ieee import smaller
from convcalc.ops._joins import Elementwise


@dataclass(frozen=True, kw_only=True)
class Minimum(Elementwise):
    """Takes the minimum of its inputs element-wise. Dimensions of size 1 are broadcast."""

    kind: ClassVar[str] = "minimum"
    sign: ClassVar[str] = "min"
    saves: ClassVar[str] = "inputs"
    element: ClassVar[Callable[[Any, Any], Any]] = staticmethod(smaller)
    torch_function: ClassVar[str] = "minimum"
    onnx_operator: ClassVar[str] = "Min"
    example: ClassVar[Example | None] = Example(
        "minimum:\n  - - conv: {filters: 32, kernel: 1}\n  - - conv: {filters: 32, kernel: 1}", (64, 28, 28)
    )
