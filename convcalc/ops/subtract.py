"""The difference of two branches."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from convcalc.ops._base import Example
from convcalc.ops._joins import Elementwise


@dataclass(frozen=True, kw_only=True)
class Subtract(Elementwise):
    """The first less the second. A dimension of 1 is repeated."""

    kind: ClassVar[str] = "subtract"
    element: ClassVar[Callable[[Any, Any], Any]] = staticmethod(operator.sub)
    torch_function: ClassVar[str] = "sub"
    commutative: ClassVar[bool] = False
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    example: ClassVar[Example | None] = Example(
        "subtract:\n  - []\n  - - avgpool: {kernel: 3, stride: 1, padding: 1}", (64, 28, 28)
    )
