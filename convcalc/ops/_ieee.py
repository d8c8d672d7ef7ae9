"""IEEE 754 arithmetic, as in PyTorch, for cases in which Python raises: 1/0 is ∞, log 0 is −∞, √−1 is NaN.

Integers and Fractions stay exact if the result is rational.
"""

from __future__ import annotations

import math
from math import copysign, inf, nan
from typing import Any


def quotient(dividend: Any, divisor: Any) -> Any:
    """dividend/divisor: ±∞ if only the divisor is 0, NaN if both are 0."""
    try:
        return dividend / divisor
    except ZeroDivisionError:
        if dividend == 0 or dividend != dividend:
            return nan
        return copysign(inf, dividend) * copysign(1, divisor)


def exponential(value: Any) -> float:
    """eˣ; ∞ on overflow."""
    try:
        return math.exp(value)
    except OverflowError:
        return inf


def logarithm(value: Any) -> float:
    """ln x: −∞ at 0, NaN below 0."""
    if value > 0:
        return math.log(value)
    return -inf if value == 0 else nan


def square_root(value: Any) -> float:
    """√x: NaN below 0; −0 at −0."""
    return nan if value < 0 else math.sqrt(value)


def larger(first: Any, second: Any) -> Any:
    """The larger of two numbers; NaN if either is NaN."""
    return first if first != first or first >= second else second


def smaller(first: Any, second: Any) -> Any:
    """The smaller of two numbers; NaN if either is NaN."""
    return first if first != first or first <= second else second
