"""The functions of the expression language, and the limits on its values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

MAX_ITEMS = 1_000_000
MAX_LENGTH = 10_000  # characters of a text that an expression builds
MAX_NUMBER = 2**63


def is_number(value: Any) -> bool:
    """Whether a value is an int or a float; booleans are not numbers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether a value is an int or a float with an integer value, such as 2.0."""
    return is_number(value) and value == math.floor(value)


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    """The arguments, or the items of a single list argument. Raises TypeError unless all are numbers."""
    items = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not items:
        raise TypeError("needs at least one number")
    if not all(is_number(item) for item in items):
        raise TypeError("needs numbers")
    return items


def _one(value: Any) -> float:
    if not is_number(value):
        raise TypeError("needs a number")
    number: float = value
    return number


def _min(*values: Any) -> Any:
    return min(_numbers(values))


def _max(*values: Any) -> Any:
    return max(_numbers(values))


def _sum(*values: Any) -> Any:
    return 0 if values == ([],) else sum(_numbers(values))


def _round(value: Any, digits: Any = None) -> Any:
    if digits is None:
        return round(_one(value))
    if not is_whole(digits) or abs(digits) > 20:
        raise TypeError("needs a number, and how many digits to keep")
    return round(_one(value), int(digits))


def _floor(value: Any) -> int:
    return math.floor(_one(value))


def _ceil(value: Any) -> int:
    return math.ceil(_one(value))


def _abs(value: Any) -> Any:
    return abs(_one(value))


def _length(value: Any) -> int:
    if not isinstance(value, (list, str)):
        raise TypeError("needs a list or a text")
    return len(value)


def _range(*bounds: Any) -> list[int]:
    if not 1 <= len(bounds) <= 3 or not all(is_whole(bound) for bound in bounds):
        raise TypeError("needs integers: stop, or start and stop, or start, stop and step")
    if len(bounds) == 3 and bounds[2] == 0:
        raise ValueError("needs a step other than 0")
    numbers = range(*(int(bound) for bound in bounds))
    # computed by hand, as len() of a huge range raises OverflowError
    if abs(numbers.stop - numbers.start) // abs(numbers.step) > MAX_ITEMS:
        raise ValueError(f"makes lists of at most {MAX_ITEMS:,}")
    return list(numbers)


def divisible(value: Any, divisor: Any) -> int:
    """The nearest multiple of the divisor, at least the divisor itself and at least 90 % of the value.

    The rule for channel counts in the code of MobileNetV2 (Sandler et al. 2018). Halves are rounded up.
    """
    number = _one(value)
    if not is_whole(divisor) or divisor < 1 or number < 0:
        raise ValueError("needs a number of at least 0 and a whole divisor of at least 1")
    step = int(divisor)
    nearest = math.floor(number + step / 2) // step * step
    nearest += step * (nearest < step)
    return nearest + step * (nearest < 0.9 * number)


# The functions by name. Each raises TypeError or ValueError, whose text continues "name …" and says what it needs.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": _min,
    "max": _max,
    "round": _round,
    "floor": _floor,
    "ceil": _ceil,
    "abs": _abs,
    "len": _length,
    "sum": _sum,
    "range": _range,
    "divisible": divisible,
}
# Minimum and maximum number of arguments; functions not listed take one or more.
ARGUMENTS: dict[str, tuple[int, int | None]] = {
    "round": (1, 2),
    "floor": (1, 1),
    "ceil": (1, 1),
    "abs": (1, 1),
    "len": (1, 1),
    "divisible": (2, 2),
}
