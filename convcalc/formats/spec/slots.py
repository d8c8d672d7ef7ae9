"""Slots: the fields of a pattern's entries with a value for each instance, and how values follow from one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from convcalc import ops
from convcalc.formats.spec.patterns import Column, Row
from convcalc.formats.spec.records import REQUIRED, Expression

MAX_FACTOR = 16
MISSING: Any = object()  # the value of a field in an instance that lacks the entry
CHANNEL_FIELDS = ("filters", "units")
FIRST = "first:"


@dataclass(slots=True, eq=False)
class Parameter:
    """A parameter in the making. key: the field that it is of. values: by instance, MISSING where it plays no part.

    label, kind: of the entry that it is first used in. default: None is null.
    """

    key: str
    values: list[Any]
    channel: bool = False
    label: str | None = None
    standard: Any = MISSING
    computed: Expression | None = None
    kind: str = ""
    name: str = ""
    default: Any = REQUIRED

    def value(self, instance: int) -> Any:
        """The argument of an instance."""
        found = self.values[instance]
        return None if found is MISSING else found


# A text with parameters in it, whose names are settled at the end.
Text = list["str | Parameter"]


@dataclass(slots=True, eq=False)
class Slot:
    """A field of an entry. values: of each instance, MISSING where it lacks the entry. channel: whether it is a channel
    count. label: of the entry. standard: the value if it is not written. text, items: what the template says."""

    column: Column
    key: str
    values: list[Any]
    channel: bool
    label: str | None
    standard: Any
    text: Text | None = None
    items: list[Any] | None = None  # of a list, values and texts

    def texts(self) -> list[Text]:
        """All texts of the value."""
        items = [item for item in self.items or () if isinstance(item, list)]
        return items if self.text is None else [self.text]

    def written(self) -> Any:
        """The value in the template."""
        if self.items is None:
            return Expression(spelled(self.text))
        return tuple([Expression(spelled(item)) if isinstance(item, list) else item for item in self.items])


def labelled(row: Row, around: str | None) -> Iterator[tuple[Column, str | None]]:
    """All entries in order, each with its own name or that of what it is in."""
    for column in row.columns:
        label = column.label if column.label and not column.label.isdecimal() else around
        if around is not None and label in ops.names():
            label = around
        yield column, label
        for inner in column.bodies:
            yield from labelled(inner, label)


def size(slot: Slot) -> float:
    """The mean of its values: smaller channel counts become parameters before larger ones, which may be multiples."""
    known = [value for value in slot.values if isinstance(value, int)]
    return sum(known) / (len(known) or 1)


def fits(values: Sequence[Any], others: Sequence[Any], made: Callable[[Any], Any]) -> bool:
    """Whether each value is what the function makes of the other one."""
    return all(
        value is MISSING or (other is not MISSING and other is not None and made(other) == value)
        for value, other in zip(values, others, strict=True)
    )


def is_listed(slot: Slot) -> bool:
    """Whether a value is a list."""
    return any(isinstance(value, tuple) for value in slot.values)


def itself(value: Any) -> Any:
    """The value, for `fits`."""
    return value


def half(value: Any) -> Any:
    """Half a kernel, rounded down, as padding has it."""
    return value // 2 if isinstance(value, int) else MISSING


def times(factor: int) -> Callable[[Any], Any]:
    """A function that multiplies integers, for `fits`."""
    return lambda value: factor * value if type(value) is int else MISSING if factor > 1 else value


def multiple(factor: int, name: str | Parameter) -> Text:
    """`4 * name`."""
    return [name] if factor == 1 else [f"{factor} * ", name]


def _part(divisor: int, name: str | Parameter) -> Text:
    return [name, f" // {divisor}"]


def relation(values: Sequence[Any], channels: Sequence[Any]) -> Callable[[str | Parameter], Text] | None:
    """How values follow from channel counts: the same factor or divisor for all."""
    pairs = [(v, c) for v, c in zip(values, channels, strict=True) if v is not MISSING]
    if any(type(v) is not int or type(c) is not int for v, c in pairs):
        return None
    value, count = pairs[0]
    if not value or not count:
        return None
    if value % count == 0 and all(v == c * (value // count) for v, c in pairs):
        factor = value // count
        return partial(multiple, factor)
    if count % value == 0 and all(v == c // (count // value) for v, c in pairs):
        divisor = count // value
        return partial(_part, divisor)
    return None


def spelled(text: Text | None) -> str:
    """The text with the parameters' names, once they have some."""
    assert text is not None
    return "".join(piece if isinstance(piece, str) else piece.name for piece in text)
