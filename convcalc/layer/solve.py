"""The question of a window's output size turned round: which input, kernel, stride, padding or dilation gives a
wanted output? Integers only.

    >>> [solution.value for solution in solve("padding", 227, KnownWindow(input=227, kernel=3)) if solution.exact]
    [1]
"""

from __future__ import annotations

from typing import Any

from convcalc.errors import Misfit, UsageError
from convcalc.layer.solutions import AxisSolutions, Solution
from convcalc.layer.windows import MAX_NUMBER, KnownWindow, complete

UNKNOWNS = ("input", "kernel", "padding", "stride", "dilation")


def answer(axis: str, unknown: str, output: int, given: KnownWindow) -> AxisSolutions:
    """The solutions; without any, those for other unknowns."""
    found = tuple(solve(unknown, output, given))
    others: list[tuple[str, tuple[Solution, ...]]] = []
    for other in UNKNOWNS if not found else ():
        try:
            if other != unknown and given.kernel and given.input:
                others.append((other, tuple(solve(other, output, given))))
        except UsageError:
            continue
    return AxisSolutions(axis, unknown, output, given, found, tuple(other for other in others if other[1]))


def solve(unknown: str, output: int, given: KnownWindow) -> list[Solution]:
    """Every value of the unknown for which the window has `output` positions, exact ones first.

    A padding is per side; if only an odd sum fits, one more pixel after than before, and `value` is the lesser.
    Strides are searched up to the padded axis, kernels and dilations as long as the window fits. Raises UsageError
    for numbers beyond MAX_NUMBER and for questions without an answer.
    """
    given = _with(given, unknown, None)
    _check(unknown, output, given)
    found = []
    for candidate in _candidates(unknown, output, given):
        value = (candidate // 2, candidate - candidate // 2) if unknown == "padding" else candidate
        try:
            axis = complete(_with(given, unknown, value))
            if axis.output == output:
                found.append(Solution(axis.before if unknown == "padding" else candidate, axis))
        except Misfit:  # the window is too large, or leaves a remainder with rounding: exact
            continue
    return sorted(found, key=_rank)


def _rank(solution: Solution) -> tuple[bool, bool, bool, int]:
    return not solution.exact, solution.reads_padding_only, not solution.even, solution.value


def _with(given: KnownWindow, unknown: str, value: Any) -> KnownWindow:
    return given._replace(**{unknown: value})


def _check(unknown: str, output: int, given: KnownWindow) -> None:
    sides = given.padding if isinstance(given.padding, tuple) else ()
    numbers = (output, given.input, given.kernel, given.stride, given.dilation, *sides)
    if any(number is not None and number > MAX_NUMBER for number in numbers):
        raise UsageError(f"the solver takes numbers of at most {MAX_NUMBER:,}", hint="no layer is that large")
    for name, value in (("input", given.input), ("kernel", given.kernel)):
        if value is None and name != unknown:
            raise UsageError(f"to solve for the {unknown}, the {name} must be known")
    if unknown == "dilation" and given.kernel == 1:
        raise UsageError("a kernel of 1 reads one pixel, whatever the dilation", hint="solve for another")
    if given.padding == "same" and unknown in ("kernel", "dilation"):
        raise UsageError(
            f"padding same makes the output ⌈input/stride⌉, whatever the {unknown}",
            hint="give --padding a number",
        )


def _candidates(unknown: str, output: int, given: KnownWindow) -> range:
    """A range that contains all solutions: from one position too few to one too many."""
    size, kernel, stride, dilation = (
        value or 1 for value in (given.input, given.kernel, given.stride, given.dilation)
    )
    extent = dilation * (kernel - 1) + 1
    padded = size + sum(given.padding if isinstance(given.padding, tuple) else (0, 0))
    least, most = (output - 2) * stride, output * stride  # total movement of the window in pixels
    if unknown == "input":
        if given.padding == "same":
            return range(max(1, least), most + 1)
        return range(max(1, least + extent - padded + 1), max(1, most + extent - padded + 1))
    if unknown == "padding":
        return range(max(0, least + extent - size), max(0, most + extent - size))
    if unknown == "stride":
        return range(1, (padded if output < 3 else padded // (output - 2)) + 1)
    low, high = padded - most, padded - least  # of the window's extent
    if unknown == "kernel":
        return range(max(1, (low - 1) // dilation), max(1, (high - 1) // dilation + 2))
    return range(max(1, (low - 1) // (kernel - 1)), max(1, (high - 1) // (kernel - 1) + 1))
