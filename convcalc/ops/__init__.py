"""The operators, one module each; the module's name is the operator's name in a spec.

There is no registry to maintain: `get("conv")` imports `convcalc.ops.conv` on first use and returns the Operator
whose kind matches the module's name. To add an operator, add a file. Files whose names begin with an underscore
hold helpers; this module re-exports those that other packages may use.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from convcalc.ops._base import (
    SCATTERED,
    WHOLE,
    AxisReach,
    Beyond,
    Convolving,
    FieldInfo,
    Gradient,
    Operator,
    Order,
    Parameter,
    Reach,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._fields import MAX_SIZE, FieldError, FieldKind, describe, whole
from convcalc.ops._working import axis_equation, axis_paddings, equation, grouped, pixels, product

if TYPE_CHECKING:
    from convcalc.ops._axes import dimensions as axis_dimensions
    from convcalc.ops._pooling import Pooling
    from convcalc.ops._saved import OUTPUT, Saved, contiguous, view_strides
    from convcalc.ops._windows import Slot

# Names that only some operators need, with their modules; each is imported on first use.
_PLACES = {
    "OUTPUT": ("_saved", "OUTPUT"),
    "Pooling": ("_pooling", "Pooling"),
    "Saved": ("_saved", "Saved"),
    "Slot": ("_windows", "Slot"),
    "axis_dimensions": ("_axes", "dimensions"),
    "contiguous": ("_saved", "contiguous"),
    "view_strides": ("_saved", "view_strides"),
}

__all__ = [
    "MAX_SIZE",
    "OUTPUT",
    "SCATTERED",
    "WHOLE",
    "AxisReach",
    "Beyond",
    "Convolving",
    "FieldError",
    "FieldInfo",
    "FieldKind",
    "Gradient",
    "Operator",
    "Order",
    "Parameter",
    "Pooling",
    "Reach",
    "Reordered",
    "Saved",
    "Slot",
    "Tensor",
    "Working",
    "axis_dimensions",
    "axis_equation",
    "axis_paddings",
    "contiguous",
    "describe",
    "equation",
    "get",
    "grouped",
    "names",
    "pixels",
    "product",
    "view_strides",
    "whole",
]  # fmt: skip


@cache
def names() -> tuple[str, ...]:
    """The names of all operators, sorted."""
    files = (os.path.splitext(entry) for entry in os.listdir(os.path.dirname(__file__)))
    return tuple(sorted(stem for stem, suffix in files if suffix == ".py" and not stem.startswith("_")))


@cache
def get(kind: str) -> type[Operator]:
    """The operator class with this name. Raises KeyError if there is none."""
    if kind not in names():
        raise KeyError(kind)
    module = import_module(f"convcalc.ops.{kind}")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Operator) and value.kind == kind:
            return value
    raise AssertionError(f"convcalc/ops/{kind}.py defines no operator of that name")


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'convcalc.ops' has no attribute '{name}'")
    module, own = _PLACES[name]
    return getattr(import_module(f"convcalc.ops.{module}"), own)
