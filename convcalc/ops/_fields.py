"""Types of operator fields. Each FieldKind validates values and describes itself as JSON Schema.

The functions at the end declare dataclass fields: `kernel: PerAxis = extent(alias="F")`. The operators'
dataclasses are the single source of the spec language's schema.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

Value = object  # a value in a spec: None, bool, int, float, str, or a list of these

MAX_SIZE = 2**31 - 1  # for dimensions: anything larger is a typo, not a network


MAX_DIMENSIONS = 8
MAX_INDICES = 100_000  # of a field that lists them
MAX_WORD = 100  # maximum length of a text, in characters


class FieldError(Exception):
    """An invalid value. The message says what is needed; the caller adds the location."""


class FieldKind(NamedTuple):
    """check(value) returns the value to store or raises FieldError; schema is the JSON Schema of accepted values.

    per_axis: the value is a number, or a list with a number (or pair) per spatial axis. names_layer: the value is the
    path of a layer whose output is an additional input.
    """

    check: Callable[[Value], Any]
    schema: dict[str, object]
    per_axis: bool = False
    names_layer: bool = False


def describe(value: Value) -> str:
    """A short description of a value for an error message."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}...'"
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of more than 40 digits"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a mapping" if isinstance(value, dict) else getattr(value, "described", type(value).__name__)


def whole(value: Value, minimum: int = 0, maximum: int = MAX_SIZE) -> int:
    """The value as an integer within bounds; floats with an integral value are accepted. Raises FieldError."""
    if isinstance(value, float) and value.is_integer():
        value = math.trunc(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"needs an integer, not {describe(value)}")
    if value < minimum:
        raise FieldError(f"needs an integer of at least {minimum:,}, not {describe(value)}")
    if value > maximum:
        raise FieldError(f"needs an integer of at most {maximum:,}, not {describe(value)}")
    return value


def _extent(minimum: int) -> Callable[[Value], Any]:
    def check(value: Value) -> int | tuple[int, ...]:
        if isinstance(value, list):
            if not 1 <= len(value) <= 3:
                raise FieldError(f"needs an integer or one per dimension (1 to 3), not {describe(value)}")
            return tuple(whole(item, minimum) for item in value)
        return whole(value, minimum)

    return check


def _padding(value: Value) -> int | str | tuple[int | tuple[int, int], ...]:
    if value in ("same", "valid"):
        return str(value)
    if isinstance(value, str):
        raise FieldError(f"needs an integer, a list, 'same' or 'valid', not {describe(value)}")
    if not isinstance(value, list):
        return whole(value)
    if not 1 <= len(value) <= 3:
        raise FieldError("needs one number or one [before, after] pair per dimension (1 to 3)")
    pads: list[int | tuple[int, int]] = []
    for item in value:
        if not isinstance(item, list):
            pads.append(whole(item))
        elif len(item) == 2:
            pads.append((whole(item[0]), whole(item[1])))
        else:
            raise FieldError(f"needs [before, after] pairs, not {describe(item)}")
    return tuple(pads)


def _margins(value: Value) -> int | str | tuple[int | tuple[int, int], ...]:
    if isinstance(value, str):
        raise FieldError(
            f"needs an integer, or a list of integers or [before, after] pairs, not {describe(value)}"
        )
    return _padding(value)


def _factor(value: Value) -> float:
    factor = _number(None, MAX_SIZE, 0)(value)
    return int(factor) if factor.is_integer() else factor


def _scale(value: Value) -> Any:
    if not isinstance(value, list):
        return _factor(value)
    if not 1 <= len(value) <= 3:
        raise FieldError(f"needs a number or one per dimension (1 to 3), not {describe(value)}")
    return tuple(_factor(item) for item in value)


def _number(minimum: float | None, maximum: float | None, above: float | None) -> Callable[[Value], Any]:
    def check(value: Value) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise FieldError(f"needs a number, not {describe(value)}")
        if not -sys.float_info.max <= value <= sys.float_info.max:
            raise FieldError(f"needs a number that fits 64 bits, not {describe(value)}")
        if above is not None and value <= above:
            raise FieldError(f"needs a number above {above:g}, not {describe(value)}")
        if minimum is not None and value < minimum:
            raise FieldError(f"needs a number of at least {minimum:g}, not {describe(value)}")
        if maximum is not None and value > maximum:
            raise FieldError(f"needs a number of at most {maximum:,.15g}, not {describe(value)}")
        return float(value)

    return check


def _flag(value: Value) -> bool:
    if not isinstance(value, bool):
        raise FieldError(f"needs true or false, not {describe(value)}")
    return value


def _several(value: Value) -> int | tuple[int, ...]:
    return _integers(-MAX_SIZE)(value) if isinstance(value, list) else whole(value, -MAX_SIZE)


def _pair(value: Value) -> tuple[int, int]:
    if isinstance(value, list):
        if len(value) != 2:
            raise FieldError(f"needs an integer or a [before, after] pair, not {describe(value)}")
        return whole(value[0]), whole(value[1])
    return whole(value), whole(value)


def _choice(options: tuple[str, ...]) -> Callable[[Value], Any]:
    def check(value: Value) -> str:
        if not isinstance(value, str) or value not in options:
            from convcalc.errors import did_you_mean

            needed = ", ".join(options[:-1]) + f" or {options[-1]}" if len(options) > 1 else options[0]
            raise FieldError(f"needs {needed}, not {describe(value)}{did_you_mean(str(value), options)}")
        return value

    return check


def _layer(value: Value) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise FieldError(f"needs the name or path of a layer, not {describe(value)}")
    return value if isinstance(value, str) else str(int(value))


def _integers(minimum: int, most: int = MAX_DIMENSIONS) -> Callable[[Value], Any]:
    def check(value: Value) -> tuple[int, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise FieldError(f"needs a list of 1 to {most:,} integers, not {describe(value)}")
        return tuple(whole(item, minimum) for item in value)

    return check


_AXIS_WORDS = ("channels", "last")


def _axis(several: bool) -> Callable[[Value], Any]:
    needed = (
        "needs channels, last, an integer or a list of integers"
        if several
        else ("needs channels, last or an integer")
    )

    def check(value: Value) -> str | int | tuple[int, ...]:
        if isinstance(value, str):
            if value not in _AXIS_WORDS:
                from convcalc.errors import did_you_mean

                raise FieldError(f"{needed}, not {describe(value)}{did_you_mean(value, _AXIS_WORDS)}")
            return value
        if isinstance(value, list) and several:
            if not 1 <= len(value) <= MAX_DIMENSIONS:
                raise FieldError(f"{needed}, not {describe(value)}")
            return tuple(whole(item, -MAX_DIMENSIONS, MAX_DIMENSIONS - 1) for item in value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise FieldError(f"{needed}, not {describe(value)}")
        return whole(value, -MAX_DIMENSIONS, MAX_DIMENSIONS - 1)

    return check


def _word(value: Value) -> str:
    if not isinstance(value, str) or not value:
        raise FieldError(f"needs a text, not {describe(value)}")
    if len(value) > MAX_WORD:
        raise FieldError(f"needs a text of at most {MAX_WORD} characters, not of {len(value):,}")
    return value


def _optional(kind: FieldKind) -> FieldKind:
    return kind._replace(check=lambda value: None if value is None else kind.check(value))


_ONE: dict[str, object] = {"type": "integer", "minimum": 0}
_PAIR: dict[str, object] = {"type": "array", "items": _ONE, "minItems": 2, "maxItems": 2}
_MARGINS: list[dict[str, object]] = [
    _ONE,
    {"type": "array", "items": {"anyOf": [_ONE, _PAIR]}, "minItems": 1, "maxItems": 3},
]

_PATH: dict[str, object] = {"type": ["string", "integer"], "minLength": 1}

REQUIRED: Any = dataclasses.MISSING


def _field(kind: FieldKind, default: Any, alias: str | None, doc: str) -> Any:
    if default is None:
        kind = _optional(kind)
    return dataclasses.field(default=default, metadata={"kind": kind, "alias": alias, "doc": doc})


def integer(default: Any = REQUIRED, *, minimum: int = 1, alias: str | None = None, doc: str) -> Any:
    """A field for an integer."""
    kind = FieldKind(lambda value: whole(value, minimum), {"type": "integer", "minimum": minimum})
    return _field(kind, default, alias, doc)


def extent(default: Any = REQUIRED, *, minimum: int = 1, alias: str | None = None, doc: str) -> Any:
    """A field for an integer, or one integer per spatial dimension."""
    one = {"type": "integer", "minimum": minimum}
    schema: dict[str, object] = {
        "anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 3}]
    }
    return _field(FieldKind(_extent(minimum), schema, per_axis=True), default, alias, doc)


def padding(default: Any = 0, *, alias: str | None = "P", doc: str) -> Any:
    """A field for an integer, one integer or [before, after] pair per dimension, `same` or `valid`."""
    schema: dict[str, object] = {"anyOf": [*_MARGINS, {"enum": ["same", "valid"]}]}
    return _field(FieldKind(_padding, schema, per_axis=True), default, alias, doc)


def margins(default: Any = REQUIRED, *, alias: str | None = "P", doc: str) -> Any:
    """A field for an integer, or one integer or [before, after] pair per dimension."""
    return _field(FieldKind(_margins, {"anyOf": _MARGINS}, per_axis=True), default, alias, doc)


def number(
    default: Any = REQUIRED,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    doc: str,
) -> Any:
    """A field for a number; `above` is an exclusive lower bound."""
    schema: dict[str, object] = {"type": "number"}
    if minimum is not None:
        schema["minimum"] = minimum
    if maximum is not None:
        schema["maximum"] = maximum
    if above is not None:
        schema["exclusiveMinimum"] = above
    return _field(FieldKind(_number(minimum, maximum, above), schema), default, None, doc)


def flag(default: Any = REQUIRED, *, doc: str) -> Any:
    """A field for a boolean."""
    return _field(FieldKind(_flag, {"type": "boolean"}), default, None, doc)


def choice(*options: str, default: Any = REQUIRED, alias: str | None = None, doc: str) -> Any:
    """A field for one of the given words."""
    return _field(FieldKind(_choice(options), {"enum": list(options)}), default, alias, doc)


def word(default: Any = REQUIRED, *, doc: str) -> Any:
    """A field for a non-empty text."""
    return _field(
        FieldKind(_word, {"type": "string", "minLength": 1, "maxLength": MAX_WORD}), default, None, doc
    )


def layer(default: Any = None, *, doc: str) -> Any:
    """A field for the name or path of an earlier layer, as in `from`. Its output is an additional input, placed after
    those of `from`, in the order of the fields."""
    kind = FieldKind(_layer, _PATH, names_layer=True)
    return _field(kind, default, None, doc)


def scale(default: Any = REQUIRED, *, doc: str) -> Any:
    """A field for a positive number, or one per spatial dimension."""
    one: dict[str, object] = {"type": "number", "exclusiveMinimum": 0}
    schema: dict[str, object] = {
        "anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 3}]
    }
    return _field(FieldKind(_scale, schema, per_axis=True), default, None, doc)


def pair(default: Any = REQUIRED, *, doc: str) -> Any:
    """A field for an integer or a [before, after] pair."""
    return _field(FieldKind(_pair, {"anyOf": [_ONE, _PAIR]}), default, None, doc)


def shape_of(default: Any = None, *, doc: str) -> Any:
    """A field for the name or path of an earlier layer or input, as in `from`, of which only the shape is used."""
    return _field(FieldKind(_layer, _PATH), default, None, doc)


def several(default: Any = REQUIRED, *, doc: str) -> Any:
    """A field for an integer of either sign, or a list of them."""
    one: dict[str, object] = {"type": "integer"}
    several: dict[str, object] = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_DIMENSIONS}
    return _field(FieldKind(_several, {"anyOf": [one, several]}), default, None, doc)


def dimension(default: Any = REQUIRED, *, alias: str | None = None, doc: str) -> Any:
    """A field for an integer of either sign."""
    kind = FieldKind(lambda value: whole(value, -MAX_SIZE), {"type": "integer"})
    return _field(kind, default, alias, doc)


def integers(default: Any = REQUIRED, *, minimum: int = 0, doc: str) -> Any:
    """A field for a list of integers, one per dimension of a shape."""
    items: dict[str, object] = {"type": "integer", "minimum": minimum}
    schema: dict[str, object] = {
        "type": "array",
        "items": items,
        "minItems": 1,
        "maxItems": MAX_DIMENSIONS,
    }
    return _field(FieldKind(_integers(minimum), schema), default, None, doc)


def indices(default: Any = REQUIRED, *, doc: str) -> Any:
    """A field for a list of indices along one dimension, negative ones from its end."""
    schema: dict[str, object] = {
        "type": "array",
        "items": {"type": "integer"},
        "minItems": 1,
        "maxItems": MAX_INDICES,
    }
    return _field(FieldKind(_integers(-MAX_SIZE, MAX_INDICES), schema), default, None, doc)


def along(default: Any = "channels", *, several: bool = False, doc: str) -> Any:
    """A field for a dimension: `channels`, `last` or its number (0: channels, -1: last). several: or a list of them."""
    number: dict[str, object] = {
        "type": "integer",
        "minimum": -MAX_DIMENSIONS,
        "maximum": MAX_DIMENSIONS - 1,
    }
    options: list[dict[str, object]] = [{"enum": list(_AXIS_WORDS)}, number]
    if several:
        options.append({"type": "array", "items": number, "minItems": 1, "maxItems": MAX_DIMENSIONS})
    return _field(FieldKind(_axis(several), {"anyOf": options}), default, None, doc)
