"""How the command line says a window: sizes `227x227`, extents `3x5`, paddings `1`, `1x2`, `0+1`, `same`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from convcalc.cli.options import Command
from convcalc.errors import Misfit, UsageError

LARGEST = 100_000
NOTATION = "one number, or one per dimension as in 3x5"


def window_options(*, defaults: bool = True) -> Callable[[Command], Command]:
    """--kernel, --stride, --padding, --dilation and --rounding, with the lecture's letters.

    defaults: of a convolution; without them all are None unless given, as the operator decides.
    """

    def default(value: str) -> str:
        return f"; default {value}" if defaults else ""

    def add(command: Command) -> Command:
        options = [
            click.option("-F", "--kernel", metavar="F", help=f"Window size: {NOTATION}."),
            click.option(
                "-S", "--stride", metavar="S", help=f"Pixels from one window to the next{default('1')}."
            ),
            click.option(
                "-P", "--padding", metavar="P",
                help=f"Zeros on each side: 1, 1x2 per dimension, 0+1 before and after, same{default('0')}.",
            ),
            click.option(
                "--dilation", metavar="D", help=f"Distance between the pixels a window reads{default('1')}."
            ),
            click.option(
                "--rounding",
                type=click.Choice(["floor", "ceil", "exact"]),
                default="floor" if defaults else None,
                show_default=defaults,
                help="When the stride does not divide.",
            ),
        ]  # fmt: skip
        for option in reversed(options):
            command = option(command)
        return command

    return add


def numbers(text: str, what: str, *, minimum: int = 1, most: int = 3) -> tuple[int, ...]:
    """`227x227` as numbers. Raises UsageError."""
    parts = text.lower().replace("×", "x").replace("*", "x").split("x")
    if not 1 <= len(parts) <= most:
        raise UsageError(f"{what} {text}: needs 1 to {most} numbers with x between them")
    return tuple(_number(part, text, what, minimum) for part in parts)


def _number(part: str, text: str, what: str, minimum: int) -> int:
    part = part.strip()
    if not (part.isascii() and part.isdecimal()):
        raise UsageError(f"{what} {text}: needs {NOTATION}, not '{part}'")
    number = int(part) if len(part) <= 12 else LARGEST + 1
    if not minimum <= number <= LARGEST:
        raise UsageError(f"{what} {text}: needs numbers from {minimum} to {LARGEST:,}")
    return number


def extents(text: str | None, what: str) -> tuple[int, ...] | None:
    """An extent for every dimension, or for each; None where nothing was given."""
    return None if text is None else numbers(text, what)


def paddings(text: str | None) -> tuple[str | tuple[int, int], ...] | None:
    """`1`, `1x2`, `0+1`, `0+1x2`, `same` or `valid`: per dimension, before and after."""
    if text is None or text in ("same", "valid"):
        return None if text is None else (text,)
    sides: list[str | tuple[int, int]] = []
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 3:
        raise UsageError(f"--padding {text}: needs 1 to 3 values with x between them")
    for part in parts:
        pair = [_padded(one, text) for one in part.split("+")]
        if len(pair) > 2:
            raise UsageError(f"--padding {text}: a dimension has two sides, as in 0+1")
        sides.append((pair[0], pair[-1]))
    return tuple(sides)


def joined(sizes: Sequence[int]) -> str:
    """`55x55`, as it is typed."""
    return "x".join(map(str, sizes))


def _padded(part: str, text: str) -> int:
    part = part.strip()
    if not (part.isascii() and part.isdecimal()):
        raise UsageError(
            f"--padding {text}: needs a number, same or valid, not '{part}'",
            hint="1x2 is one per dimension, 0+1 is before and after",
        )
    return _number(part, text, "--padding", 0)


def usage(error: Misfit) -> UsageError:
    """A window that does not fit, as an error of the arguments."""
    return UsageError(error.message, hint=error.hint)
