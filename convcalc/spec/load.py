"""From ARCH to a Graph: the one entry to the spec language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcalc.errors import ShapeError, SpecError, UsageError, did_you_mean
from convcalc.graph import Builder, Graph
from convcalc.ops.fields import FieldError, describe, whole
from convcalc.shapes import Shape
from convcalc.spec import reader
from convcalc.spec.compiler import Compiler
from convcalc.spec.documents import Spec, read_spec, variables
from convcalc.spec.expansion import Expansion
from convcalc.spec.values import compile_value

MAX_LAYERS = 1_000_000
INPUT_KEYS = (
    ("channels", "length"),
    ("channels", "height", "width"),
    ("channels", "depth", "height", "width"),
)
PREPROCESS_KEYS = ("resize", "crop", "mean", "std", "mode", "interpolation", "fit")


def load_graph(
    arch: str,
    *,
    settings: Mapping[str, str] | None = None,
    input_shape: Shape | None = None,
    max_layers: int = MAX_LAYERS,
) -> Graph:
    """The network of a bundled name, a path to a spec, or `-` for standard input.

    settings override the spec's vars, as text; input_shape `(C, *spatial)` overrides its input.
    Raises SpecError, SpecErrors or ShapeError, with the graph up to the failing layer.
    """
    spec = read_spec(arch)
    values = variables(spec, settings or {})
    missing = [name for name in spec.required if name not in values and name not in (settings or {})]
    if missing and not spec.problems:
        listed = ", ".join(missing)
        raise SpecError(
            f"{spec.text('name')} is a family: it needs {listed}",
            mark=spec.variables[missing[0]].mark,
            hint=f"show one of its members, extend it, or give --set {missing[0]}=...",
        )
    compiler = Compiler(spec, values)
    layers = spec.keys.get("layers")
    entries = []
    if layers is None:
        spec.problems.append(
            SpecError("the spec has no layers", mark=spec.root.mark, hint="add layers: and a list")
        )
    else:
        entries = compiler.entries(layers, frozenset(spec.variables))
    shape = input_shape or _input_shape(spec, values)
    header = _header(spec, values)
    builder = Builder(shape or (1,), max_layers)
    if shape is None or any(type(problem) is SpecError for problem in spec.problems):
        spec.fail()
    failure: SpecError | None = None
    output = -1
    try:
        output = Expansion(builder, compiler, max_layers).start(entries, values)
    except SpecError as error:
        failure = error
    spec.fail()
    if failure is None and not builder.nodes:
        failure = (layers or spec.root).error("the network has no layers")
    assert shape is not None
    graph = Graph(
        input_shape=shape,
        nodes=tuple(builder.nodes),
        output=output,
        directory=spec.directory,
        variables=values,
        **header,
    )
    if failure is not None:
        if isinstance(failure, ShapeError):
            failure.graph = graph
        raise failure
    return graph


def is_family(arch: str) -> bool:
    """Whether a spec has variables without a value, so that it can be extended but not shown."""
    return bool(read_spec(arch).required)


def _header(spec: Spec, values: Mapping[str, Any]) -> dict[str, Any]:
    notes = spec.keys.get("notes")
    labels = spec.keys.get("labels")
    return {
        "name": spec.text("name") or "",
        "title": spec.text("title"),
        "source": spec.text("source"),
        "notes": tuple(_texts(spec, notes, "notes")) if notes is not None else (),
        "labels": _labels(spec, labels) if labels is not None else None,
        "preprocess": _preprocess(spec, values),
        "weights": _weights(spec),
    }


def _texts(spec: Spec, node: reader.Node, what: str) -> list[str]:
    items = node.items if isinstance(node, reader.Sequence) else [node]
    texts = []
    for item in items:
        if isinstance(item, reader.Scalar):
            texts.append(item.text)
        else:
            spec.problems.append(item.error(f"{what} needs texts", "quote a text that holds ': '"))
    return texts


def _labels(spec: Spec, node: reader.Node) -> str | tuple[str, ...] | None:
    if isinstance(node, reader.Scalar):
        from convcalc.ops.fields import describe as shown

        if node.text not in ("imagenet1k", "digits"):
            spec.problems.append(
                node.error(f"labels needs imagenet1k, digits or a list, not {shown(node.text)}")
            )
        return node.text
    return tuple(_texts(spec, node, "labels"))


def _weights(spec: Spec) -> str | dict[str, str] | None:
    node = spec.keys.get("weights")
    if node is None:
        return None
    if isinstance(node, reader.Scalar):
        return node.text
    if isinstance(node, reader.Mapping) and all(isinstance(v, reader.Scalar) for v in node.entries.values()):
        for key in node.entries:
            if key not in ("url", "sha256"):
                spec.problems.append(node.keys[key].error(f"no key '{key}' in weights", "keys: url, sha256"))
        return {key: value.text for key, value in node.entries.items() if isinstance(value, reader.Scalar)}
    spec.problems.append(node.error("weights needs a file name, or url and sha256"))
    return None


def _input_shape(spec: Spec, values: Mapping[str, Any]) -> Shape | None:
    node = spec.keys.get("input")
    if node is None:
        spec.problems.append(
            SpecError(
                "the spec has no input",
                mark=spec.root.mark,
                hint="add input: {channels: 3, height: 224, width: 224}",
            )
        )
        return None
    try:
        if isinstance(node, reader.Mapping):
            return _input_mapping(node, values)
        value = compile_value(node)
        value.check_names(values)
        sizes = value.evaluate(values)
        if not isinstance(sizes, list) or not 2 <= len(sizes) <= 4:
            raise node.error(
                f"input needs channels and 1 to 3 sizes, not {describe(sizes)}", "write input: [3, 224, 224]"
            )
        return tuple(whole(size, 1) for size in sizes)
    except FieldError as error:
        spec.problems.append(node.error(f"input {error}"))
    except SpecError as error:
        spec.problems.append(error)
    return None


def _input_mapping(node: reader.Mapping, values: Mapping[str, Any]) -> Shape:
    known = INPUT_KEYS[-1] + INPUT_KEYS[0][1:]
    for key in node.entries:
        if key not in known:
            raise node.keys[key].error(
                f"no key '{key}' in input{did_you_mean(key, known)}",
                "keys: channels, depth, height, width, length",
            )
    for keys in INPUT_KEYS:
        if set(keys) == set(node.entries):
            sizes = []
            for key in keys:
                value = compile_value(node.entries[key])
                value.check_names(values)
                try:
                    sizes.append(whole(value.evaluate(values), 1))
                except FieldError as error:
                    raise node.entries[key].error(f"input: {key} {error}") from None
            return tuple(sizes)
    raise node.error(
        "input needs channels, height and width",
        "or channels and length, or channels, depth, height and width",
    )


def _preprocess(spec: Spec, values: Mapping[str, Any]) -> dict[str, Any] | None:
    node = spec.keys.get("preprocess")
    if node is None:
        return None
    if not isinstance(node, reader.Mapping):
        spec.problems.append(node.error("preprocess needs a mapping", "keys: " + ", ".join(PREPROCESS_KEYS)))
        return None
    result: dict[str, Any] = {}
    for key, item in node.entries.items():
        if key not in PREPROCESS_KEYS:
            hint = "keys: " + ", ".join(PREPROCESS_KEYS)
            spec.problems.append(
                node.keys[key].error(
                    f"no key '{key}' in preprocess{did_you_mean(key, PREPROCESS_KEYS)}", hint
                )
            )
            continue
        try:
            value = compile_value(item)
            value.check_names(values)
            result[key] = _preprocess_value(key, value.evaluate(values), item)
        except FieldError as error:
            spec.problems.append(item.error(f"preprocess: {key} {error}"))
        except SpecError as error:
            spec.problems.append(error)
    return result


_CHOICES = {
    "mode": ("rgb", "grey"),
    "interpolation": ("nearest", "bilinear", "bicubic", "lanczos"),
    "fit": ("stretch", "digit"),
}


def _preprocess_value(key: str, value: Any, node: reader.Node) -> Any:
    if key in ("resize", "crop"):
        return whole(value, 1, 100_000)
    if key in _CHOICES:
        if value not in _CHOICES[key]:
            raise FieldError(f"needs {' or '.join(_CHOICES[key])}, not {describe(value)}")
        return value
    numbers = value if isinstance(value, list) else [value]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise FieldError(f"needs numbers, not {describe(number)}")
        if key == "std" and number <= 0:
            raise FieldError("needs numbers above 0")
    if len(numbers) not in (1, 3):
        raise FieldError(f"needs one number or one per colour, not {len(numbers)}")
    return tuple(float(number) for number in numbers)


def parse_input(text: str, current: Shape | None = None) -> Shape:
    """The shape that `--input` says: `3x224x224`, `224x224` or `224` (channels then as in the spec)."""
    parts = text.lower().replace("×", "x").split("x")
    try:
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
    return sizes
