"""Arithmetic as IEEE 754 and PyTorch have it where Python raises: 1/0 is ∞, log 0 is −∞, √−1 is no number.

Whole numbers and fractions stay exact where the result is one.
"""

from __future__ import annotations

import math
from math import copysign, inf, nan
from typing import Any


def quotient(dividend: Any, divisor: Any) -> Any:
    """dividend/divisor: ±∞ where only the divisor is 0, no number where both are."""
    try:
        return dividend / divisor
    except ZeroDivisionError:
        if dividend == 0 or dividend != dividend:
            return nan
        return copysign(inf, dividend) * copysign(1, divisor)


def exponential(value: Any) -> float:
    """eˣ, ∞ beyond the largest float."""
    try:
        return math.exp(value)
    except OverflowError:
        return inf


def logarithm(value: Any) -> float:
    """ln x: −∞ of 0, no number of what is below."""
    if value > 0:
        return math.log(value)
    return -inf if value == 0 else nan


def square_root(value: Any) -> float:
    """√x: no number of what is below 0; −0 of −0."""
    return nan if value < 0 else math.sqrt(value)


def larger(first: Any, second: Any) -> Any:
    """The larger of two; no number where one of them is none."""
    return first if first != first or first >= second else second


def smaller(first: Any, second: Any) -> Any:
    """The smaller of two; no number where one of them is none."""
    return first if first != first or first <= second else second
