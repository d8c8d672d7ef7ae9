"""One window on one axis: its output size in the lecture's three steps, and the question turned round: which
input, kernel, stride, padding or dilation gives a wanted output? Integers only.

    >>> [solution.value for solution in solve("padding", 227, Given(input=227, kernel=3)) if solution.exact]
    [1]
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal, NamedTuple

from convcalc.errors import Misfit, UsageError
from convcalc.ops import Working, axis_equation, axis_paddings, pixels
from convcalc.ops.conv import Conv
from convcalc.shapes import Axis, Padding, axes, looks_channels_last

UNKNOWNS = ("input", "kernel", "padding", "stride", "dilation")
LARGEST = 100_000  # of every number the inverse solver is given: beyond it lies no layer


class InputSizes(NamedTuple):
    """An input as it was typed: its sides, its channels where they were said, and where these stood, `first` or
    `last`, None where they did not."""

    sides: tuple[int, ...]
    channels: int | None = None
    order: Literal["first", "last"] | None = None


def read_sizes(sizes: Sequence[int]) -> InputSizes:
    """The sides and channels of three sizes or four, in the lecture's order (227×227×3) or PyTorch's (3×227×227).

    What looks like an image's channels at one end decides; else sides that are alike (64×56×56); else the channels
    are last, as in the lecture.
    """
    first = looks_channels_last(sizes[::-1])
    if first is looks_channels_last(sizes):
        first = len({*sizes[1:]}) == 1 and sizes[0] != sizes[1]
    if first:
        return InputSizes(tuple(sizes[1:]), sizes[0], "first")
    return InputSizes(tuple(sizes[:-1]), sizes[-1], "last")


class Step(NamedTuple):
    """One step of the working: its name, the formula in the lecture's letters, the formula filled in."""

    what: str
    formula: str
    text: str


def steps(axis: Axis, letter: str = "W") -> tuple[Step, ...]:
    """The output size step by step: the kernel alone, then padding, then the stride; what is left over.

    letter: what the lecture calls the axis. Raises Misfit when the window does not fit.
    """
    one, two = f"{letter}1", f"{letter}2"
    kernel, extent = "F", axis.extent
    lines = []
    if axis.dilation > 1:
        kernel = "F′"
        lines.append(
            Step("dilated", "F′ = D(F − 1) + 1", f"{axis.dilation}·({axis.kernel} − 1) + 1 = {extent}")
        )
    pad = "2P" if axis.before == axis.after else "P + P′"
    filled = axis_paddings(axis)
    opening, closing = {"ceil": ("⌈", "⌉"), "exact": ("", "")}.get(axis.rounding, ("⌊", "⌋"))
    dropped = " − 1" if axis.drops_last else ""
    return (
        *lines,
        Step(
            "kernel",
            f"{one} − {kernel} + 1",
            f"{axis.size} − {extent} + 1 = {_signed(axis.size - extent + 1)}",
        ),
        Step(
            "padding",
            f"{one} − {kernel} + {pad} + 1",
            f"{axis.size} − {extent} + {filled} + 1 = {_signed(axis.span + 1)}",
        ),
        Step(
            "stride",
            f"{two} = {opening}({one} − {kernel} + {pad})/S{closing} + 1{dropped}",
            worked(axis),
        ),
        Step("remainder", f"({one} − {kernel} + {pad}) mod S", remainder(axis)),
        Step("never covered", "", uncovered(axis)),
    )


def worked(axis: Axis) -> str:
    """`(227 − 11 + 2·0)/4 + 1 = 55`."""
    return f"{axis_equation(axis)} = {axis.output}"


def remainder(axis: Axis) -> str:
    """`216 = 54·4 + 0`, and what becomes of what is left over."""
    if axis.span < 0:
        return f"the window stands out of the axis by {pixels(-axis.span)}"
    whole, rest = divmod(axis.span, axis.stride)
    text = f"{axis.span} = {whole}·{axis.stride} + {rest}"
    if not rest:
        return text
    if axis.drops_last:
        return f"{text}: one more window would start in the padding, so it is dropped"
    if axis.rounding == "ceil":
        return f"{text}: one more window, standing out by {pixels(axis.stride - rest)}"
    return f"{text}: {last_pixels(rest)} make{'s' * (rest == 1)} no whole step"


def uncovered(axis: Axis) -> str:
    """Which pixels of the input no window reads."""
    between, trailing = axis.uncovered()
    parts = []
    if trailing:
        parts.append(last_pixels(trailing))
    if between:
        parts.append(f"{pixels(between)} between windows")
    return " and ".join(parts) or "no pixel"


def last_pixels(count: int) -> str:
    """`the last pixel`, `the last 3 pixels`."""
    return "the last pixel" if count == 1 else f"the last {pixels(count)}"


def _signed(number: int) -> str:
    return f"−{-number}" if number < 0 else str(number)


# -- the question turned round ------------------------------------------------------------------------------


class Given(NamedTuple):
    """What is known of a window on one axis. None: not known, or, of all but input and kernel, the default.

    padding: pixels (before, after), `same` or `valid`.
    """

    input: int | None = None
    kernel: int | None = None
    padding: str | tuple[int, int] | None = None
    stride: int | None = None
    dilation: int | None = None
    rounding: str = "floor"


def complete(given: Given) -> Axis:
    """The window on an axis whose input and kernel are known. Raises Misfit where it does not fit."""
    if given.input is None or given.kernel is None:
        raise UsageError("input and kernel must be known")
    padding: Padding = given.padding if isinstance(given.padding, str) else (given.padding or (0, 0),)
    return axes(
        (1, given.input), given.kernel, given.stride or 1, given.dilation or 1, padding, given.rounding
    )[0]


class WindowCost(NamedTuple):
    """What a convolution with this window costs: worked lines, and counts (biases excluded from MACs)."""

    filters: int
    working: tuple[Working, ...]
    weights: int
    biases: int
    macs: int


def cost(window: Sequence[Axis], channels: int, filters: int) -> WindowCost:
    """The weights and MACs of `filters` kernels over `channels`, as deep as the input."""
    shape = (channels, *(axis.size for axis in window))
    conv = Conv(
        filters=filters,
        kernel=tuple(axis.kernel for axis in window),
        stride=tuple(axis.stride for axis in window),
        dilation=tuple(axis.dilation for axis in window),
        padding=tuple((axis.before, axis.after) for axis in window),
        rounding=window[0].rounding,
    )
    lines = tuple(line for line in conv.working((shape,)) if not line.what.startswith("output"))
    return WindowCost(filters, lines, prod(conv.weight_factors((shape,))), filters, conv.macs((shape,)))


class Solution(NamedTuple):
    """A value of the unknown that gives the wanted output; `axis` is the whole window with it."""

    value: int
    axis: Axis

    @property
    def exact(self) -> bool:
        """Whether the stride divides."""
        return self.axis.remainder == 0

    @property
    def even(self) -> bool:
        """Whether both sides have the same padding."""
        return self.axis.before == self.axis.after

    @property
    def reads_padding_only(self) -> bool:
        """Whether the first or the last window lies wholly in the padding."""
        axis = self.axis
        last = (axis.output - 1) * axis.stride
        return axis.before >= axis.extent or last >= axis.before + axis.size


class Answer(NamedTuple):
    """The solutions for one axis. alternatives: where there are none, what another unknown would have to be."""

    axis: str
    unknown: str
    output: int
    given: Given
    solutions: tuple[Solution, ...]
    alternatives: tuple[tuple[str, tuple[Solution, ...]], ...] = ()


def answer(axis: str, unknown: str, output: int, given: Given) -> Answer:
    """The solutions, and what else could be asked where there are none."""
    found = tuple(solve(unknown, output, given))
    others = []
    for other in UNKNOWNS if not found else ():
        try:
            if other != unknown and given.kernel and given.input:
                others.append((other, tuple(solve(other, output, given))))
        except UsageError:
            continue
    return Answer(axis, unknown, output, given, found, tuple(one for one in others if one[1]))


def solve(unknown: str, output: int, given: Given) -> list[Solution]:
    """Every value of the unknown with which the window takes `output` positions, exact ones first.

    A padding is that of each side, or, where only an odd sum does, one more after than before: `value` is
    then the lesser. Strides are searched up to the padded axis, kernels and dilations as far as the window
    fits. Raises UsageError for numbers beyond LARGEST and for questions without an answer.
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
        except Misfit:  # too large a window, or a remainder that rounding: exact refuses
            continue
    return sorted(found, key=lambda one: (not one.exact, one.reads_padding_only, not one.even, one.value))


def _with(given: Given, unknown: str, value: Any) -> Given:
    return given._replace(**{unknown: value})


def _check(unknown: str, output: int, given: Given) -> None:
    sides = given.padding if isinstance(given.padding, tuple) else ()
    numbers = (output, given.input, given.kernel, given.stride, given.dilation, *sides)
    if any(number is not None and number > LARGEST for number in numbers):
        raise UsageError(f"the solver takes numbers of at most {LARGEST:,}", hint="no layer is that large")
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


def _candidates(unknown: str, output: int, given: Given) -> range:
    """Values among which all solutions are: those between one step too few and one too many."""
    size, kernel, stride, dilation = (
        value or 1 for value in (given.input, given.kernel, given.stride, given.dilation)
    )
    extent = dilation * (kernel - 1) + 1
    padded = size + sum(given.padding if isinstance(given.padding, tuple) else (0, 0))
    fewest, most = (output - 2) * stride, output * stride  # how far the window moves, in pixels
    if unknown == "input":
        if given.padding == "same":
            return range(max(1, fewest), most + 1)
        return range(max(1, fewest + extent - padded + 1), max(1, most + extent - padded + 1))
    if unknown == "padding":
        return range(max(0, fewest + extent - size), max(0, most + extent - size))
    if unknown == "stride":
        return range(1, (padded if output < 3 else padded // (output - 2)) + 1)
    low, high = padded - most, padded - fewest  # of the window's extent
    if unknown == "kernel":
        return range(max(1, (low - 1) // dilation), max(1, (high - 1) // dilation + 2))
    return range(max(1, (low - 1) // (kernel - 1)), max(1, (high - 1) // (kernel - 1) + 1))
