"""Checks of arguments given in Python; click checks the options of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convcalc.analysis.units import Pixel


def check_whole(name: str, value: object, *, least: int = 1, given: object = None) -> None:
    """Raise UsageError unless the value is None or an integer of at least `least`. given: what it is part of."""
    from convcalc.errors import UsageError

    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        shown = value if given is None else given
        raise UsageError(f"{name}={shown!r}: needs whole numbers from {least} on")


def as_setting(value: object) -> str:
    """A Python value in the notation of the spec language."""
    from convcalc.language.expressions import as_text

    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(as_setting, value)) + "]"
    return value if isinstance(value, str) else str(as_text(value))


def check_choice(name: str, value: str, options: Sequence[str]) -> None:
    """Raise UsageError if the value is not one of the options."""
    from convcalc.errors import UsageError, did_you_mean

    if value not in options:
        raise UsageError(
            f"{name}={value!r}: there is no such {name}{did_you_mean(str(value), options)}",
            hint=f"one of {', '.join(options)}",
        )


def pixel_position(name: str, given: Sequence[int]) -> tuple[int, ...]:
    """The position of a unit or pixel. Raises UsageError if it is not a sequence of integers."""
    from convcalc.errors import UsageError

    if isinstance(given, str) or not all(type(place) is int for place in given):
        raise UsageError(
            f"{name}={given!r}: needs whole numbers", hint="(row, column), counted from 0: (5, 7)"
        )
    return tuple(given)


def pixel_of_input(name: str, given: Sequence[int] | Mapping[str, Sequence[int]]) -> Pixel:
    """A pixel from its position, or from `{input: position}`. Raises UsageError if it is neither."""
    from convcalc.analysis.units import Pixel
    from convcalc.errors import UsageError

    if not isinstance(given, Mapping):
        return Pixel(pixel_position(name, given))
    if len(given) != 1:
        raise UsageError(f"{name}={given!r}: needs one input", hint="for example {'left': (5, 7)}")
    ((origin, position),) = given.items()
    return Pixel(pixel_position(name, position), origin)


def column_names(asked: str | Sequence[str]) -> Sequence[str]:
    """The columns of `show` in `layer,output,macs` or a list. Raises UsageError if one is unknown or repeated."""
    from convcalc.errors import UsageError
    from convcalc.language.synonyms import suggest
    from convcalc.report.show import COLUMNS

    text = asked if isinstance(asked, str) else ",".join(asked)
    names = [part.strip().lower() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in COLUMNS:
            raise UsageError(
                f"--columns: there is no column '{name}'{suggest(name, COLUMNS, 'column')}",
                hint=f"columns: {', '.join(COLUMNS)}",
            )
    if not names or len(set(names)) < len(names):
        raise UsageError(
            f"--columns {text}: " + ("a column is named twice" if names else "needs at least one column"),
            hint=f"columns: {', '.join(COLUMNS)}",
        )
    return names
