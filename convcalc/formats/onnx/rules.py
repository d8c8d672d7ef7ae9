"""Constants of a model that one of the rules of our operator `constant` makes: they are buffers, not parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isqrt
from typing import Any

from convcalc.formats.draft import operator
from convcalc.formats.onnx.values import MAX_KNOWN, Const, is_readable
from convcalc.ops import Operator
from convcalc.shapes import Shape

MIN_COUNT = 16  # values of a constant that is compared with rules
TOLERANCE = 1e-5
MASKED = -100.0


def rule_of(const: Const, shape: Shape) -> Operator | None:
    """The operator that makes a constant of this shape; None if none does."""
    if not MIN_COUNT <= const.count <= MAX_KNOWN or not is_readable(const):
        return None
    sizes = [size for size in shape if size > 1]
    if len(sizes) != 3:
        return None
    if sizes[2] == 2 and sizes[0] % 2 == sizes[1] % 2 == 1:
        window = (sizes[0] + 1) // 2, (sizes[1] + 1) // 2
        return _equal(const, ("log_relative_positions", window, None, None))
    if sizes[1] == sizes[2] and set(const.values()) == {0.0, MASKED}:
        return _mask(const, sizes[0], sizes[1])
    return None


def _mask(const: Const, windows: int, places: int) -> Operator | None:
    """The mask of square windows of a square map that are shifted by half of a window."""
    side, count = isqrt(places), isqrt(windows)
    if side * side != places or count * count != windows:
        return None
    size = side * count
    return _equal(const, ("window_mask", (side, side), (size, size), (side // 2, side // 2)))


Fields = tuple[str, tuple[int, int], "tuple[int, int] | None", "tuple[int, int] | None"]


def _equal(const: Const, fields: Fields) -> Operator | None:
    wanted = _values(fields)
    values = const.values()
    same = len(wanted) == len(values) and all(
        abs(a - b) <= TOLERANCE for a, b in zip(wanted, values, strict=True)
    )
    return _operator(fields) if same else None


def _operator(fields: Fields) -> Operator:
    rule, window, size, shift = fields
    return operator("constant", rule=rule, window=window, size=size, shift=shift)


@lru_cache(maxsize=16)
def _values(fields: Fields) -> Sequence[float]:
    made: Any = _operator(fields)
    values: list[float] = made.values()
    return values
