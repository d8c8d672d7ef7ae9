"""The network's inputs: `input` and `inputs` in a spec, and `--input` on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convcalc import language
from convcalc.errors import SpecError, UsageError, did_you_mean
from convcalc.graph import Input
from convcalc.language import reader
from convcalc.language.documents import Spec
from convcalc.language.expressions import Names
from convcalc.language.header import SaidBefore, is_absent, plain_value
from convcalc.language.words import listed, segment_problem
from convcalc.ops import FieldError, describe, whole
from convcalc.shapes import Shape, looks_channels_last, show

INPUT_KEYS = (
    ("channels", "length"),
    ("channels", "height", "width"),
    ("channels", "depth", "height", "width"),
)
VECTOR_KEY = "features"
KNOWN_KEYS = (*INPUT_KEYS[-1], "length", VECTOR_KEY)
MAX_INPUTS = 32  # receptive fields are computed for each

# An override of the spec's inputs: the shape of its only input, or shapes by name; a text has the syntax of --input.
Given = Shape | str | Mapping[str, Shape | str]


def written_inputs(spec: Spec, values: Names) -> tuple[Input, ...] | None:
    """The inputs that `input` or `inputs` declares; None if they are missing or invalid, with the problem collected."""
    node = spec.keys.get("inputs")
    if node is not None and not is_absent(node):
        return _several(spec, node, values)
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
    shape = written_shape(spec, node, values, "input")
    return None if shape is None else (Input("input", shape),)


def _several(spec: Spec, node: reader.YamlNode, values: Names) -> tuple[Input, ...] | None:
    if not isinstance(node, reader.Mapping) or not node.entries:
        spec.problems.append(
            node.error(
                "inputs needs names with their shapes", "write inputs: {left: [3, 105, 105], right: ...}"
            )
        )
        return None
    if len(node.entries) > MAX_INPUTS:
        raise node.error(f"more than {MAX_INPUTS} inputs")
    inputs = []
    for name, item in node.entries.items():
        problem = None if name == "input" else segment_problem(name)
        if problem is not None:
            spec.problems.append(node.keys[name].error(f"{describe(name)} cannot name an input", problem))
        shape = written_shape(spec, item, values, name)
        if shape is not None and problem is None:
            inputs.append(Input(name, shape))
    return tuple(inputs) if len(inputs) == len(node.entries) else None


def written_shape(spec: Spec, node: reader.YamlNode, values: Names, what: str) -> Shape | None:
    """An input's shape, `(C, *spatial)`, or `(N,)` for a vector; None on error. Problems are collected."""
    try:
        if isinstance(node, reader.Mapping):
            return _mapping(spec, node, values, what)
        sizes = plain_value(spec, node, values)
        if not isinstance(sizes, list) or not 1 <= len(sizes) <= 4:
            raise node.error(
                f"{what} needs channels and 1 to 3 sizes, not {describe(sizes)}",
                "write [3, 224, 224], or [100] for a vector",
            )
        shape = tuple([whole(size, 1) for size in sizes])
        if looks_channels_last(shape):
            raise node.error(
                f"{what} {list(shape)}: channels come first: write {_channels_first(shape)}",
                f"where {shape[0]} channels are meant, name the sizes: {_named(shape)}",
            )
        return shape
    except FieldError as error:
        spec.problems.append(node.error(f"{what} {error}"))
    except SpecError as error:
        spec.problems.append(error)
    except SaidBefore:
        pass
    return None


def _channels_first(sizes: Sequence[int]) -> list[int]:
    return [sizes[-1], *sizes[:-1]]


def _named(sizes: Sequence[int]) -> str:
    """Sizes written with their names: `{channels: 28, height: 28, width: 1}`."""
    keys = next(keys for keys in INPUT_KEYS if len(keys) == len(sizes))
    return "{" + ", ".join(f"{key}: {size}" for key, size in zip(keys, sizes, strict=True)) + "}"


def _mapping(spec: Spec, node: reader.Mapping, values: Names, what: str) -> Shape | None:
    before = len(spec.problems)
    sizes = {}
    for key, item in node.entries.items():
        if key not in KNOWN_KEYS:
            spec.problems.append(
                node.keys[key].error(
                    f"no key {describe(key)} in {what}{language.synonyms.suggest(key, KNOWN_KEYS, 'input')}",
                    f"keys: {', '.join(KNOWN_KEYS)}",
                )
            )
            continue
        try:
            sizes[key] = whole(plain_value(spec, item, values), 1)
        except FieldError as error:
            spec.problems.append(item.error(f"{what}: {key} {error}"))
        except SpecError as error:
            spec.problems.append(error)
    if len(spec.problems) > before:
        return None
    for keys in (*INPUT_KEYS, (VECTOR_KEY,)):
        if set(keys) == set(sizes):
            return tuple([sizes[key] for key in keys])
    given = listed(sizes) or "nothing"
    raise node.error(
        f"{what} needs channels, height and width, not {given}",
        "or channels and length, or channels, depth, height and width; features alone for a vector",
    )


# -- overriding the spec's inputs ---------------------------------------------------------------------------


def given_inputs(given: Given | None, own: tuple[Input, ...] | None) -> tuple[Input, ...] | None:
    """The spec's inputs, with the given shapes replacing their own.

    own: the spec's inputs, or None if it has no valid ones. Raises UsageError for an invalid shape, for a name that
    no input has, and for a shape without a name if there are several inputs.
    """
    if given is None:
        return own
    if isinstance(given, Mapping):
        return _given_by_name(given, own)
    if isinstance(given, str) and "=" in given:
        name, _, text = given.partition("=")
        return _given_by_name({name.strip(): text}, own)
    if own is not None and len(own) > 1:
        names = [entry.name for entry in own]
        shown = given if isinstance(given, str) else "x".join(map(str, given))
        raise UsageError(
            f"--input {shown}: the network has {len(own)} inputs: {listed(names)}",
            hint=f"say which: --input {names[0]}={shown}",
        )
    first = own[0] if own else None
    shape = parse_input(given, first.shape if first else None) if isinstance(given, str) else given
    return (Input(first.name if first else "input", shape),)


def _given_by_name(
    given: Mapping[str, Shape | str], own: tuple[Input, ...] | None
) -> tuple[Input, ...] | None:
    if own is None:
        return None
    shapes = {entry.name: entry.shape for entry in own}
    for name, value in given.items():
        if name not in shapes:
            text = value if isinstance(value, str) else "x".join(map(str, value))
            raise UsageError(
                f"--input {name}={text}: the network has no input {describe(name)}{did_you_mean(name, shapes)}",
                hint=f"its inputs: {listed(shapes)}"
                if len(shapes) > 1
                else f"its input is called {own[0].name}",
            )
        shapes[name] = parse_input(value, shapes[name]) if isinstance(value, str) else value
    return tuple([Input(name, shape) for name, shape in shapes.items()])


def parse_input(text: str, current: Shape | None = None) -> Shape:
    """Parse `--input`: `3x224x224`; `224x224` or `224`, with the channels of the spec; or `100` for a vector.

    current: the spec's shape. Raises UsageError, also for sizes that look channels-last, unless the first is its C.
    """
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
            return (current[0], *sizes * rank)  # 224: the same size on every axis
        if len(sizes) == rank:
            return (current[0], *sizes)  # 224x224: sizes without channels
        if len(sizes) == 1 and not rank:
            return sizes
    if not 2 <= len(sizes) <= 4:
        raise UsageError(f"--input {text}: needs channels and 1 to 3 sizes, such as 3x224x224")
    if looks_channels_last(sizes) and (current is None or sizes[0] != current[0]):
        raise UsageError(
            f"--input {text}: channels come first: write {'x'.join(map(str, _channels_first(sizes)))}"
        )
    return sizes


def input_changes(own: tuple[Input, ...] | None, inputs: tuple[Input, ...]) -> list[str]:
    """Descriptions of the inputs that differ from the spec's: `input 3×64×64`, `input left 3×64×64`."""
    before = {entry.name: entry.shape for entry in own or ()}
    return [
        f"input {f'{entry.name} ' if len(inputs) > 1 else ''}{show(entry.shape)}"
        for entry in inputs
        if before.get(entry.name) != entry.shape
    ]


def channel_warnings(own: tuple[Input, ...] | None, inputs: tuple[Input, ...]) -> list[str]:
    """A warning for each input whose channel count differs from the network's own."""
    before = {entry.name: entry.shape for entry in own or ()}
    warnings = []
    for entry in inputs:
        shape, was = entry.shape, before.get(entry.name, entry.shape)
        if shape[0] != was[0] and len(was) > 1:
            channels = f"{shape[0]} channel{'s' * (shape[0] != 1)}"
            what = "the input" if len(inputs) == 1 else f"the input {entry.name}"
            warnings.append(
                f"{what} {show(shape)} has {channels}, the network's own {show(was)} has {was[0]}"
            )
    return warnings
