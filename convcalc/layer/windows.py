"""Parsing of windows as users write them: sizes `227x227`, extents `3x5`, paddings `1`, `1x2`, `0+1`, `same`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from convcalc.errors import Misfit, UsageError
from convcalc.ops import axis_equation, pixels
from convcalc.shapes import AXIS_NAMES, Axis, Padding, axes, looks_channels_last

MAX_NUMBER = 100_000
NOTATION = "one number, or one per dimension as in 3x5"

Extents = str | int | Sequence[int]  # 3, "3x5", (3, 5)
Sides = str | int | Sequence[int | tuple[int, int]]  # 1, "0+1x2", ((0, 1), 2), "same"


class InputSizes(NamedTuple):
    """A parsed input size: sides, channels if given, and whether they came `first` or `last`; None if not given."""

    sides: tuple[int, ...]
    channels: int | None = None
    order: Literal["first", "last"] | None = None

    @property
    def dimensions(self) -> tuple[str, ...] | None:
        """The interpretation of each number; None if only sides were typed."""
        if self.order is None:
            return None
        names = AXIS_NAMES[len(self.sides)]
        return ("channels", *names) if self.order == "first" else (*names, "channels")


def read_sizes(sizes: Sequence[int]) -> InputSizes:
    """The sides and channels of three or four numbers, in the lecture's order (227×227×3) or PyTorch's (3×227×227).

    A plausible number of image channels at one end decides; else equal sides do (64×56×56); else channels are last,
    as in the lecture.
    """
    first = looks_channels_last(sizes[::-1])
    if first is looks_channels_last(sizes):
        first = len({*sizes[1:]}) == 1 and sizes[0] != sizes[1]
    if first:
        return InputSizes(tuple(sizes[1:]), sizes[0], "first")
    return InputSizes(tuple(sizes[:-1]), sizes[-1], "last")


class KnownWindow(NamedTuple):
    """The known quantities of a window on one axis. None: unknown, or the default, except for input and kernel.

    padding: pixels (before, after), `same` or `valid`.
    """

    input: int | None = None
    kernel: int | None = None
    padding: str | tuple[int, int] | None = None
    stride: int | None = None
    dilation: int | None = None
    rounding: str = "floor"


class KnownSpread(NamedTuple):
    """The known quantities on one axis. None: unknown, or the default, except for input and kernel.

    padding: pixels (before, after), or `same`.
    """

    input: int | None = None
    kernel: int | None = None
    padding: str | tuple[int, int] | None = None
    stride: int | None = None
    dilation: int | None = None
    output_padding: int | None = None


def complete(given: KnownWindow) -> Axis:
    """The window on an axis with known input and kernel. Raises Misfit if it does not fit."""
    if given.input is None or given.kernel is None:
        raise UsageError("input and kernel must be known")
    padding: Padding = given.padding if isinstance(given.padding, str) else (given.padding or (0, 0),)
    return axes(
        (1, given.input), given.kernel, given.stride or 1, given.dilation or 1, padding, given.rounding
    )[0]


def typed(given: Extents | Sides) -> str:
    """Sizes, extents or paddings as text: `3x5` for (3, 5), `0+1` for ((0, 1),)."""
    if isinstance(given, str):
        return given
    if isinstance(given, Sequence):
        return "x".join(
            "+".join(map(str, side)) if isinstance(side, Sequence) else str(side) for side in given
        )
    return str(given)


def numbers(given: Extents, what: str, *, minimum: int = 1, most: int = 3) -> tuple[int, ...]:
    """Parse `227x227`. Raises UsageError."""
    text = typed(given)
    parts = text.lower().replace("×", "x").replace("*", "x").split("x")
    if not 1 <= len(parts) <= most:
        raise UsageError(f"{what} {text}: needs 1 to {most} numbers with x between them")
    return tuple(_number(part, text, what, minimum) for part in parts)


def _number(part: str, text: str, what: str, minimum: int) -> int:
    part = part.strip()
    if not (part.isascii() and part.isdecimal()):
        raise UsageError(f"{what} {text}: needs {NOTATION}, not '{part}'")
    number = int(part) if len(part) <= 12 else MAX_NUMBER + 1
    if not minimum <= number <= MAX_NUMBER:
        raise UsageError(f"{what} {text}: needs numbers from {minimum} to {MAX_NUMBER:,}")
    return number


def extents(given: Extents | None, what: str) -> tuple[int, ...] | None:
    """One extent for all dimensions or one per dimension; None if not given. Raises UsageError."""
    return None if given is None else numbers(given, what)


def paddings(given: Sides | None) -> tuple[str | tuple[int, int], ...] | None:
    """Parse `1`, `1x2`, `0+1`, `0+1x2`, `same` or `valid`: per dimension, before and after. Raises UsageError."""
    if given is None:
        return None
    text = typed(given)
    if text in ("same", "valid"):
        return (text,)
    sides: list[str | tuple[int, int]] = []
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 3:
        raise UsageError(f"--padding {text}: needs 1 to 3 values with x between them")
    for part in parts:
        pair = [_padded(side, text) for side in part.split("+")]
        if len(pair) > 2:
            raise UsageError(f"--padding {text}: a dimension has two sides, as in 0+1")
        sides.append((pair[0], pair[-1]))
    return tuple(sides)


def _padded(part: str, text: str) -> int:
    part = part.strip()
    if not (part.isascii() and part.isdecimal()):
        raise UsageError(
            f"--padding {text}: needs a number, same or valid, not '{part}'",
            hint="1x2 is one per dimension, 0+1 is before and after",
        )
    return _number(part, text, "--padding", 0)


def worked(axis: Axis) -> str:
    """`(227 − 11 + 2·0)/4 + 1 = 55`."""
    return f"{axis_equation(axis)} = {axis.output}"


def last_pixels(count: int) -> str:
    """`the last pixel`, `the last 3 pixels`."""
    return "the last pixel" if count == 1 else f"the last {pixels(count)}"


def joined(sizes: Sequence[int]) -> str:
    """`55x55`, as users type it."""
    return "x".join(map(str, sizes))


def check_choice(option: str, value: str | None, choices: Sequence[str]) -> None:
    """Raises UsageError unless the value is one of the choices."""
    if value is not None and value not in choices:
        raise UsageError(f"{option} {value}: needs one of {', '.join(choices)}")


def check_count(option: str, value: int | None, most: int) -> None:
    """Raises UsageError unless the value is a count from 1 to `most`."""
    if value is not None and not 1 <= value <= most:
        raise UsageError(f"{option} {value}: needs a number from 1 to {most:,}")


def usage(error: Misfit) -> UsageError:
    """A window that does not fit, as a UsageError."""
    return UsageError(error.message, hint=error.hint)
