"""Loading of ARCH into a Graph: the entry point of the spec language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from convcalc import ops
from convcalc.errors import Problems, ShapeError, SpecError, UsageError, clean
from convcalc.graph import MAX_LAYERS, Builder, Graph, Input, Output, uncollected, uncounted, unread
from convcalc.language import reader
from convcalc.language.compiler import Compiler
from convcalc.language.documents import Spec, merge_defaults, read_spec, read_text
from convcalc.language.entries import Entry
from convcalc.language.expansion import Expansion
from convcalc.language.expressions import Names
from convcalc.language.header import header, preprocess
from convcalc.language.input import (
    Given,
    channel_warnings,
    given_inputs,
    input_changes,
    parse_input,
    written_inputs,
)
from convcalc.language.outputs import check_labelled, found_outputs, written_outputs
from convcalc.language.variables import check_read, constants, variables
from convcalc.language.words import canonical
from convcalc.shapes import Shape

MAX_ENTRY = 1_000  # layers that load_entry may expand to

__all__ = ["Loader", "entry_fields", "entry_kind", "load_entry", "load_graph", "load_text", "parse_input"]


def load_graph(
    arch: str,
    *,
    settings: Mapping[str, str] | None = None,
    input_shape: Given | None = None,
    max_layers: int = MAX_LAYERS,
    read: reader.ReadFile | None = None,
) -> Graph:
    """Load the network of a bundled name, a path to a spec, or `-` for standard input.

    settings: values that override the spec's vars, as text. input_shape: overrides its inputs; `(C, *spatial)`, a text
    with the syntax of --input, or shapes by name. read: reads the specs that are not bundled; by default from the disk.
    Raises SpecError, SpecErrors, or ShapeError with the graph up to the failing layer; UsageError for invalid settings
    or an invalid input.
    """
    with uncollected():
        return _load(read_spec(arch, max_layers, read=read), settings or {}, input_shape, max_layers)


def load_text(text: str, *, name: str = "<text>", max_layers: int = MAX_LAYERS) -> Graph:
    """Load the network of a spec given as text. name: for errors. Raises as load_graph does."""
    with uncollected():
        return _load(read_text(text, name, max_layers), {}, None, max_layers)


class OwnValues(NamedTuple):
    """Values of variables, and inputs (None: as the spec has them), in place of those in the file."""

    variables: Mapping[str, Any]
    inputs: tuple[Input, ...] | None


class Loader:
    """A spec that is read once and loaded with many settings."""

    def __init__(self, arch: str, max_layers: int = MAX_LAYERS) -> None:
        """Raises SpecError if the spec cannot be read."""
        self._spec = read_spec(arch, max_layers)
        self._max_layers = max_layers

    @property
    def name(self) -> str:
        """The network's name."""
        return self._spec.name

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The values of the spec's variables without settings."""
        return variables(replace(self._spec, problems=Problems()), {})

    def check(self, names: Iterable[str]) -> None:
        """Raise UsageError if the spec has no variable of one of these names."""
        for name in names:
            if name not in self._spec.variables:
                variables(replace(self._spec, problems=Problems()), {name: "0"})

    def load(self, settings: Mapping[str, str], input_shape: Given | None = None) -> Graph:
        """The network with these settings. Raises as load_graph does."""
        spec = replace(self._spec, problems=Problems())
        with uncollected():
            return _load(spec, settings, input_shape, self._max_layers)

    def free(self, settings: Mapping[str, str]) -> frozenset[str]:
        """The variables whose values, with these settings, do not depend on others."""
        return constants(self._spec, settings)

    def inputs(self, settings: Mapping[str, str], values: Mapping[str, Any]) -> tuple[Input, ...] | None:
        """The spec's own inputs with these settings and values of variables; None if they have errors."""
        spec = replace(self._spec, problems=Problems())
        return written_inputs(spec, variables(spec, settings, values))

    def load_values(
        self, settings: Mapping[str, str], values: Mapping[str, Any], inputs: tuple[Input, ...] | None
    ) -> Graph:
        """The network with these settings, and these values of variables and inputs (None: its own), which may be
        traced numbers. It is not compared with the file: no changes are noted. Raises as load_graph does."""
        spec = replace(self._spec, problems=Problems())
        with uncollected():
            return _load(spec, settings, None, self._max_layers, OwnValues(values, inputs))


def load_entry(entry: str, input_shape: Shape, defaults: str = "") -> Graph:
    """Load the network of one entry, such as `maxpool: {kernel: 2, stride: 2}`, or of a list of entries, for an input
    of shape `(C, *spatial)`.

    defaults: YAML with the syntax of a spec's `defaults`. Raises as load_graph does, with places in the entry's text.
    """
    node = _entry_node(entry)
    layers = node if isinstance(node, reader.Sequence) else reader.Sequence(node.source, 0, 0)
    if layers is not node:
        layers.items.append(node)
    spec = Spec(reader.Mapping(node.source, 0, 0), None, keys={"layers": layers})
    if defaults:
        given = reader.read(reader.YamlSource("defaults", defaults))
        assert isinstance(given, reader.Mapping)
        merge_defaults(spec, given)
    return _load(spec, {}, input_shape, MAX_ENTRY)


def entry_kind(entry: str) -> str | None:
    """The kind that an entry names, whether or not such an operator exists; None if the text is not an entry."""
    node = _entry_node(entry)
    if isinstance(node, reader.Mapping):
        return next(iter(node.entries), None)
    return node.text if isinstance(node, reader.Scalar) else None


def entry_fields(entry: str) -> frozenset[str]:
    """The operator's fields that an entry sets, with aliases resolved: `maxpool: {F: 2}` gives `kernel`."""
    node, kind = _entry_node(entry), entry_kind(entry)
    value = next(iter(node.entries.values()), None) if isinstance(node, reader.Mapping) else None
    if kind not in ops.names() or value is None:
        return frozenset()
    if isinstance(value, reader.Mapping):
        return frozenset(canonical(kind, written) for written in value.entries)
    main = ops.get(kind).main
    return frozenset() if main is None else frozenset([main])


def _entry_node(entry: str) -> reader.YamlNode:
    if not entry.strip():
        raise UsageError("no operator", hint="write one such as 'maxpool: {kernel: 2, stride: 2}'")
    return reader.read(reader.YamlSource("OP", entry))


def _load(
    spec: Spec,
    settings: Mapping[str, str],
    given: Given | None,
    max_layers: int,
    own: OwnValues | None = None,
) -> Graph:
    values = variables(spec, settings, own.variables if own else {})
    _check_family(spec, settings)
    compiler = Compiler(spec, values)
    compiler.operators.shares = own is None  # to compare traced numbers sets a guard
    entries = _entries(spec, compiler)
    # errors in an input that is overridden anyway are dropped
    asked = replace(spec, problems=Problems()) if isinstance(given, tuple) else spec
    own_inputs = own.inputs if own and own.inputs else written_inputs(asked, values)
    inputs = given_inputs(given, own_inputs)
    written = written_outputs(spec, values)
    fields = {**header(spec), "preprocess": preprocess(spec, values), **_policy(spec, values)}
    check_read(spec, settings, values)
    spec.problems.fail()
    assert inputs is not None
    changes = () if own else _changes(spec, settings, values, own_inputs, inputs)
    # notes describe the network as written: after a change, keep only those that mention every change
    fields["notes"] = tuple(
        note for note in fields["notes"] if all(f"--set {change}" in note for change in changes)
    )
    if any(change.startswith("classes=") for change in changes):
        fields |= _without_classes(spec)
    builder = Builder(inputs, max_layers)
    expansion = Expansion(builder, compiler, max_layers)
    failure: SpecError | None = None
    outputs: tuple[Output, ...] = ()
    try:
        last = expansion.start(entries, Names(values))
        if not builder.nodes:
            raise spec.keys["layers"].error(
                "the network has no layers", "every entry is switched off or empty"
            )
        outputs = found_outputs(written, expansion.top) or (Output(builder.nodes[last].name, last),)
        check_labelled(spec, fields.get("labelled"), outputs)
    except SpecError as error:
        failure = error  # raised below, with the graph up to the failing layer
        last = len(builder.nodes) - 1
        outputs = (Output(builder.nodes[last].name if builder.nodes else inputs[0].name, last),)
    graph = Graph(
        inputs=inputs,
        nodes=tuple(builder.nodes),
        outputs=outputs,
        directory=spec.directory,
        variables=dict(values),
        changes=changes,
        warnings=(
            *channel_warnings(own_inputs, inputs),
            *(unread(inputs, builder.nodes, outputs) if failure is None else ()),
            *uncounted(builder.nodes),
        ),
        joining=frozenset(expansion.joining),
        **fields,
    )
    if failure is not None:
        if isinstance(failure, ShapeError):
            failure.graph = graph
        raise failure
    return graph


def _changes(
    spec: Spec,
    settings: Mapping[str, str],
    values: Names,
    own: tuple[Input, ...] | None,
    inputs: tuple[Input, ...],
) -> tuple[str, ...]:
    """How the network differs from its file: settings with other values, then inputs with other shapes."""
    if not settings and inputs == own:
        return ()
    defaults = variables(replace(spec, problems=Problems()), {})
    changes = [
        clean(f"{name}={text.strip()}")
        for name, text in settings.items()
        if name not in defaults or defaults[name] != values[name]
    ]
    return (*changes, *input_changes(own, inputs))


def _policy(spec: Spec, values: Names) -> dict[str, Any]:
    """The Graph's budget and ignored lints, where the spec has them."""
    if "budget" not in spec.keys and "lint" not in spec.keys:
        return {}
    from convcalc.language.budget import budget, ignored_lints  # few specs have them

    return {"budget": budget(spec, values), "ignored_lints": ignored_lints(spec)}


def _without_classes(spec: Spec) -> dict[str, Any]:
    """The Graph's fields once the number of classes differs from the file's: labels and weights no longer apply."""
    own = variables(replace(spec, problems=Problems()), {}).get("classes")
    return {
        "labels": None,
        "labelled": None,
        "weights": None,
        "published": {},
        "own_classes": own if type(own) is int else None,
    }


def _entries(spec: Spec, compiler: Compiler) -> list[Entry]:
    layers = spec.keys.get("layers")
    if layers is None and "layers" in spec.meant:
        return []
    if layers is None:
        spec.problems.append(
            SpecError("the spec has no layers", mark=spec.root.mark, hint="add layers: and a list")
        )
        return []
    return compiler.entries(layers, compiler.known)


def _check_family(spec: Spec, settings: Mapping[str, str]) -> None:
    missing = [name for name in spec.required if name not in settings]
    if missing and not spec.problems:
        raise SpecError(
            f"{spec.name} is a family: it needs {', '.join(missing)}",
            mark=spec.variables[missing[0]].mark,
            hint=f"take one of its members, extend it, or give --set {missing[0]}=...",
        )
