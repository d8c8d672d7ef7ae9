"""Element-wise quotient of two branches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example
from convcalc.ops._ieee import quotient
from convcalc.ops._joins import Elementwise


@dataclass(frozen=True, kw_only=True)
class Divide(Elementwise):
    """Divides the first input by the second, element-wise. Dimensions of size 1 are broadcast."""

    kind: ClassVar[str] = "divide"
    sign: ClassVar[str] = "÷"
    saves: ClassVar[str] = "inputs"
    element: ClassVar[Callable[[Any, Any], Any]] = staticmethod(quotient)
    torch_function: ClassVar[str] = "div"
    onnx_operator: ClassVar[str] = "Div"
    commutative: ClassVar[bool] = False
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    example: ClassVar[Example | None] = Example("divide:\n  - []\n  - - global_avgpool", (64, 28, 28))
