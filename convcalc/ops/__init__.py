"""The operators, one module each; the module's name is the operator's name in a spec.

An operator registers itself by being there: `get("conv")` imports `convcalc.ops.conv` when it is first
needed and takes the Operator whose kind is the module's name. Adding an operator is adding a file; a file
whose name begins with an underscore holds helpers, of which this module hands out what the rest may use.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module

from convcalc.ops._axes import dimensions as axis_dimensions
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
from convcalc.ops._fields import LARGEST, FieldError, FieldKind, describe, whole
from convcalc.ops._pooling import Pooling
from convcalc.ops._windows import Slot
from convcalc.ops._working import axis_equation, axis_paddings, equation, grouped, pixels, product

__all__ = [
    "LARGEST",
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
    "Slot",
    "Tensor",
    "Working",
    "axis_dimensions",
    "axis_equation",
    "axis_paddings",
    "describe",
    "equation",
    "get",
    "grouped",
    "names",
    "pixels",
    "product",
    "whole",
]  # fmt: skip


@cache
def names() -> tuple[str, ...]:
    """The names of all operators, sorted."""
    files = (os.path.splitext(entry) for entry in os.listdir(os.path.dirname(__file__)))
    return tuple(sorted(stem for stem, suffix in files if suffix == ".py" and not stem.startswith("_")))


@cache
def get(kind: str) -> type[Operator]:
    """The operator of that name. Raises KeyError when there is none."""
    if kind not in names():
        raise KeyError(kind)
    module = import_module(f"convcalc.ops.{kind}")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Operator) and value.kind == kind:
            return value
    raise AssertionError(f"convcalc/ops/{kind}.py defines no operator of that name")
