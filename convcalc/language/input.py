"""The shape of a network's input: what `input` says in a spec, and `--input` on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.errors import SpecError, UsageError
from convcalc.language import planned, reader
from convcalc.language.documents import Spec
from convcalc.language.expressions import Names
from convcalc.language.header import SaidBefore, is_absent, plain_value
from convcalc.language.synonyms import suggest
from convcalc.language.words import listed
from convcalc.ops import FieldError, describe, whole
from convcalc.shapes import Shape, looks_channels_last

INPUT_KEYS = (
    ("channels", "length"),
    ("channels", "height", "width"),
    ("channels", "depth", "height", "width"),
)


def input_shape(spec: Spec, values: Names) -> Shape | None:
    """What `input` says, `(C, *spatial)`; None when it says nothing usable, which is a problem then."""
    node = spec.keys.get("input")
    if node is None and "input" in spec.meant:
        return None
    if node is None or is_absent(node):
        spec.problems.append(
            SpecError(
                "the spec has no input",
                mark=(node or spec.root).mark,
                hint="add input: {channels: 3, height: 224, width: 224}",
            )
        )
        return None
    try:
        if isinstance(node, reader.Mapping):
            return _input_mapping(spec, node, values)
        sizes = plain_value(spec, node, values)
        if isinstance(sizes, list) and len(sizes) == 1:
            raise node.error(*planned.VECTOR)
        if not isinstance(sizes, list) or not 2 <= len(sizes) <= 4:
            raise node.error(
                f"input needs channels and 1 to 3 sizes, not {describe(sizes)}", "write input: [3, 224, 224]"
            )
        shape = tuple([whole(size, 1) for size in sizes])
        if looks_channels_last(shape):
            raise node.error(
                f"input {list(shape)}: channels come first: write {_channels_first(shape)}",
                f"where {shape[0]} channels are meant, name the sizes: {_named(shape)}",
            )
        return shape
    except FieldError as error:
        spec.problems.append(node.error(f"input {error}"))
    except SpecError as error:
        spec.problems.append(error)
    except SaidBefore:
        pass
    return None


def _channels_first(sizes: Sequence[int]) -> list[int]:
    return [sizes[-1], *sizes[:-1]]


def _named(sizes: Sequence[int]) -> str:
    """`{channels: 28, height: 28, width: 1}`."""
    keys = next(keys for keys in INPUT_KEYS if len(keys) == len(sizes))
    return "{" + ", ".join(f"{key}: {size}" for key, size in zip(keys, sizes, strict=True)) + "}"


def _input_mapping(spec: Spec, node: reader.Mapping, values: Names) -> Shape | None:
    known = INPUT_KEYS[-1] + INPUT_KEYS[0][1:]
    before = len(spec.problems)
    sizes = {}
    for key, item in node.entries.items():
        if key == "features":
            raise node.keys[key].error(*planned.VECTOR)
        if key not in known:
            spec.problems.append(
                node.keys[key].error(
                    f"no key {describe(key)} in input{suggest(key, known, 'input')}",
                    f"keys: {', '.join(known)}",
                )
            )
            continue
        try:
            sizes[key] = whole(plain_value(spec, item, values), 1)
        except FieldError as error:
            spec.problems.append(item.error(f"input: {key} {error}"))
        except SpecError as error:
            spec.problems.append(error)
    if len(spec.problems) > before:
        return None
    for keys in INPUT_KEYS:
        if set(keys) == set(sizes):
            return tuple([sizes[key] for key in keys])
    if list(sizes) == ["channels"]:
        raise node.error(*planned.VECTOR)
    given = listed(sizes) or "nothing"
    raise node.error(
        f"input needs channels, height and width, not {given}",
        "or channels and length, or channels, depth, height and width",
    )


def parse_input(text: str, current: Shape | None = None) -> Shape:
    """The shape that `--input` says: `3x224x224`, `224x224` or `224` (channels then as in the spec).

    current: the spec's own. Raises UsageError, also for what looks channels last, unless it has the spec's channels.
    """
    if "=" in text:
        absence = planned.INPUT_BY_NAME
        raise UsageError(f"--input {text}: {absence.message}", hint=absence.hint)
    parts = text.lower().replace("×", "x").split("x")
    try:
        if not all(part.strip().isdecimal() and part.isascii() for part in parts):
            raise ValueError
        sizes = tuple(whole(int(part), 1) for part in parts)
    except (ValueError, FieldError):
        raise UsageError(
            f"--input {text}: needs sizes such as 3x224x224, 224x224 or 224", hint="channels come first"
        ) from None
    if current is not None:
        rank = len(current) - 1
        if len(sizes) == 1 and rank > 1:
            return (current[0], *sizes * rank)
        if len(sizes) == rank:
            return (current[0], *sizes)
    if not 2 <= len(sizes) <= 4:
        raise UsageError(f"--input {text}: needs channels and 1 to 3 sizes, such as 3x224x224")
    if looks_channels_last(sizes) and (current is None or sizes[0] != current[0]):
        raise UsageError(
            f"--input {text}: channels come first: write {'x'.join(map(str, _channels_first(sizes)))}"
        )
    return sizes
