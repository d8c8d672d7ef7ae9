"""Graph messages → OnnxGraph: nodes, initializers and declared types, with functions replaced by their bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from sys import intern
from typing import NamedTuple

from convcalc.errors import ModelError
from convcalc.formats.onnx.attributes import Attributes, Texts
from convcalc.formats.onnx.numbers import TYPES
from convcalc.formats.onnx.order import in_order
from convcalc.formats.onnx.records import (
    Attribute,
    Dimension,
    OnnxGraph,
    OnnxModel,
    OnnxNode,
    OnnxTensor,
    ValueInfo,
)
from convcalc.formats.onnx.tensors import read_tensor
from convcalc.formats.onnx.wire import BYTES, VARINT, WireFile, shown, signed
from convcalc.weights.tensors import MAX_DIMENSIONS

MAX_DEPTH = 32  # of subgraphs in subgraphs, and of functions that call functions
MAX_SIZE = 1 << 48  # of a dimension
MAX_PARTS = 1 << 14  # inputs, outputs, attributes and notes of a node
Rename = Callable[[str], str]
Spans = list[tuple[int, int]]

NODE, GRAPH_NAME, INITIALIZER, INPUT, OUTPUT, VALUE, SPARSE = 1, 2, 5, 11, 12, 13, 15
GRAPH = dict.fromkeys((NODE, GRAPH_NAME, INITIALIZER, INPUT, OUTPUT, VALUE, SPARSE), BYTES)
NODE_FIELDS = dict.fromkeys((1, 2, 3, 4, 5, 7, 8, 9), BYTES)
FUNCTION = dict.fromkeys((1, 4, 5, 6, 7, 10, 11, 13), BYTES)
MODEL = {1: VARINT, 2: BYTES, 7: BYTES, 8: BYTES, 14: BYTES, 25: BYTES}
OPSET = {1: BYTES, 2: VARINT}
OWN = ("", "ai.onnx")  # both name ONNX's own operators


class Function(NamedTuple):
    """A function that nodes of the file call by its name. defaults: spans of attributes with a default."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: Spans
    defaults: Spans


FunctionKey = tuple[str, str, str]  # domain, name, overload


def read_model_message(file: WireFile) -> OnnxModel:
    """The model in a file. Raises ModelError for everything that is not a valid model of a supported version."""
    spans = file.spans(0, len(file.data), MODEL, "the model")
    version = spans[1][-1][0] if spans[1] else 0
    graphs = spans[7]
    if len(graphs) != 1:
        raise file.invalid("it has no graph" if not graphs else "it has several graphs")
    opsets = dict(_opset(file, *span) for span in spans[8])
    reader = GraphReader(file, [_function(file, *span) for span in spans[25]])
    producer = file.text(*spans[2][-1]) if spans[2] else ""
    return OnnxModel(
        reader.graph(*graphs[0]),
        opsets,
        producer,
        version,
        file.path,
        Texts(file, tuple(spans[14])),
    )


def _opset(file: WireFile, start: int, end: int) -> tuple[str, int]:
    domain, version = "", 1
    for number, a, b in file.fields(start, end, OPSET, "an opset"):
        if number == 1:
            domain = file.text(a, b)
        else:
            version = signed(a)
    return "" if domain in OWN else domain, version


def _function(file: WireFile, start: int, end: int) -> tuple[FunctionKey, Function]:
    spans = file.spans(start, end, FUNCTION, "a function")
    texts = {number: [file.text(a, b) for a, b in spans[number]] for number in (1, 4, 5, 10, 13)}
    name, domain, overload = (texts[number][-1] if texts[number] else "" for number in (1, 10, 13))
    found = Function(name, tuple(texts[4]), tuple(texts[5]), spans[7], spans[11])
    return ("" if domain in OWN else domain, name, overload), found


class Scope(NamedTuple):
    """Where a graph or a function's body stands. rename: from names of the body to names of the graph around the call;
    given: the attributes of the call; prefix: of the nodes' names; depth: of nesting; calls: functions being read."""

    rename: Rename | None = None
    given: Mapping[str, Attribute] | None = None
    prefix: str = ""
    depth: int = 0
    calls: tuple[FunctionKey, ...] = ()


class GraphReader:
    """Reads the graphs of one file. Raises ModelError beyond the file's number of nodes, those of subgraphs and of
    functions' bodies included."""

    def __init__(self, file: WireFile, functions: list[tuple[FunctionKey, Function]]) -> None:
        self.file = file
        self.functions = dict(functions)
        self.count = 0
        self.calls = 0

    def graph(self, start: int, end: int, scope: Scope | None = None) -> OnnxGraph:
        """The graph of a message; a scope marks a subgraph."""
        file = self.file
        inner = scope is not None
        scope = scope or Scope()
        if scope.depth > MAX_DEPTH:
            raise file.invalid(f"graphs are nested more than {MAX_DEPTH} deep")
        spans = file.spans(start, end, GRAPH, "the graph")
        if self.count + len(spans[NODE]) > file.max_nodes:
            raise file.too_large()
        if spans[SPARSE]:
            self._refuse_sparse(spans[SPARSE][0])
        rename = scope.rename or _same
        tensors: dict[str, OnnxTensor] = {}
        for a, b in spans[INITIALIZER]:
            tensor = read_tensor(file, a, b)
            name = rename(tensor.name)
            if name in tensors:
                raise file.invalid(f"it has tensor {shown(name)} twice")
            tensors[name] = tensor
        inputs = tuple(value for value in self._values(spans[INPUT], rename) if value.name not in tensors)
        if not inner:
            self._check_tensors(inputs)
        outputs = tuple(self._values(spans[OUTPUT], rename))
        nodes = list(self._nodes(spans[NODE], scope))
        known = {value.name for value in inputs} | tensors.keys()
        return OnnxGraph(
            file.text(*spans[GRAPH_NAME][-1]) if spans[GRAPH_NAME] else "",
            in_order(file, nodes, known, [value.name for value in outputs], inner=inner),
            tensors,
            inputs,
            outputs,
            Values(partial(self._values, spans[VALUE], rename)),
        )

    def _check_tensors(self, inputs: Sequence[ValueInfo]) -> None:
        """Raise ModelError for an input that is no tensor of numbers."""
        for value in inputs:
            if value.dtype in (*OTHER.values(), "STR", "C64", "C128"):
                kind = {"STR": "text", "C64": "complex", "C128": "complex"}.get(
                    value.dtype, f"of type {value.dtype}"
                )
                raise ModelError(
                    f"{self.file.path}: input {shown(value.name)} is {kind}, and convcalc takes tensors of numbers",
                    hint="cut the model behind the nodes that prepare its input",
                )

    def _refuse_sparse(self, span: tuple[int, int]) -> None:
        file, name = self.file, ""
        for _, a, b in file.fields(*span, {1: BYTES}, "a sparse tensor"):
            name = read_tensor(file, a, b).name
        raise ModelError(
            f"{file.path}: tensor {shown(name)} is sparse, which convcalc does not read",
            hint="save the model with dense tensors",
        )

    def _nodes(self, spans: Spans, scope: Scope) -> Iterator[OnnxNode]:
        for span in spans:
            self.count += 1
            if self.count > self.file.max_nodes:
                raise self.file.too_large()
            node, overload = self._node(*span, scope)
            function = self.functions and self.functions.get((node.domain, node.op, overload))
            if function:
                yield from self._body(node, (node.domain, node.op, overload), function, scope)
            else:
                yield node

    def _node(self, start: int, end: int, scope: Scope) -> tuple[OnnxNode, str]:
        """A node and the overload of the function that it calls."""
        file = self.file
        text = file.text
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: Spans = []
        metadata: Spans = []
        name = op = domain = overload = ""
        for count, (number, a, b) in enumerate(file.fields(start, end, NODE_FIELDS, "a node")):
            if count == MAX_PARTS:
                raise file.invalid(
                    f"node {shown(name)} has more than {MAX_PARTS:,} inputs, outputs and attributes"
                )
            if number == 1:
                inputs.append(text(a, b))
            elif number == 2:
                outputs.append(text(a, b))
            elif number == 5:
                attributes.append((a, b))
            elif number == 4:
                op = intern(text(a, b))
            elif number == 3:
                name = text(a, b)
            elif number == 9:
                metadata.append((a, b))
            elif number == 7:
                domain = intern(text(a, b))
            else:
                overload = text(a, b)
        if scope.rename is not None:
            inputs = [scope.rename(value) for value in inputs]
            outputs = [scope.rename(value) for value in outputs]
            name = f"{scope.prefix}{name}"
        inner = scope._replace(depth=scope.depth + 1)
        node = OnnxNode(
            op,
            "" if domain in OWN else domain,
            name,
            tuple(inputs),
            tuple(outputs),
            Attributes(file, f"node {name!r:.100}", tuple(attributes), partial(self.graph, scope=inner), scope.given),
            Texts(file, tuple(metadata)),
        )  # fmt: skip
        return node, overload

    def _body(self, call: OnnxNode, key: FunctionKey, function: Function, scope: Scope) -> Iterator[OnnxNode]:
        """The nodes of the function that a node calls, with names of the graph around it."""
        file = self.file
        if key in scope.calls or len(scope.calls) >= MAX_DEPTH:
            raise file.invalid(
                f"function {shown(function.name)} calls itself, or others more than {MAX_DEPTH} deep"
            )
        if len(call.inputs) > len(function.inputs) or len(call.outputs) > len(function.outputs):
            raise file.invalid(
                f"{call.described} calls function {shown(function.name)} with {len(call.inputs)} inputs and "
                f"{len(call.outputs)} outputs; it has {len(function.inputs)} and {len(function.outputs)}"
            )
        self.calls += 1
        names = dict.fromkeys(function.inputs, "")
        names.update(zip(function.inputs, call.inputs, strict=False))
        made = zip(function.outputs, call.outputs, strict=False)
        names.update((name, outer) for name, outer in made if outer)
        unique = f"{call.name or function.name}/call{self.calls}/"

        def rename(name: str) -> str:
            return names.get(name, f"{unique}{name}") if name else name

        attributes = dict(
            Attributes(file, call.described, tuple(function.defaults), partial(self.graph, scope=Scope(depth=1)))
        )  # fmt: skip
        attributes.update(call.attributes)
        prefix = f"{call.name}/" if call.name else ""
        inner = Scope(rename, attributes, prefix, scope.depth, (*scope.calls, key))
        yield from self._nodes(function.nodes, inner)

    def _values(self, spans: Spans, rename: Rename) -> Iterator[ValueInfo]:
        for a, b in spans:
            yield self._value(a, b, rename)

    def _value(self, start: int, end: int, rename: Rename) -> ValueInfo:
        file, name, types = self.file, "", []
        for number, a, b in file.fields(start, end, {1: BYTES, 2: BYTES}, "the type of a value"):
            if number == 1:
                name = rename(file.text(a, b))
            else:
                types.append((a, b))
        dtype: str | None = None
        shape: tuple[Dimension, ...] | None = None
        for span in types:
            for number, a, b in file.fields(*span, KINDS, f"the type of {shown(name)}"):
                if number != 1:
                    dtype = OTHER[number]
                    continue
                for inner, c, d in file.fields(a, b, {1: VARINT, 2: BYTES}, f"the type of {shown(name)}"):
                    if inner == 1:
                        dtype = TYPES.get(c)
                    else:
                        shape = self._shape(c, d, name)
        return ValueInfo(name, dtype, shape)

    def _shape(self, start: int, end: int, name: str) -> tuple[Dimension, ...]:
        file, shape = self.file, []
        for _, a, b in file.fields(start, end, {1: BYTES}, f"the shape of {shown(name)}"):
            size: Dimension = None
            for number, c, d in file.fields(a, b, {1: VARINT, 2: BYTES}, f"a dimension of {shown(name)}"):
                size = signed(c) if number == 1 else file.text(c, d) or None
            if isinstance(size, int) and size > MAX_SIZE:
                raise file.invalid(f"{shown(name)} has a dimension of {size:,}")
            shape.append(None if isinstance(size, int) and size < 0 else size)  # −1: not known, in some files
            if len(shape) > MAX_DIMENSIONS:
                raise file.invalid(f"{shown(name)} has more than {MAX_DIMENSIONS} dimensions")
        return tuple(shape)


# TypeProto: tensors, and what convcalc does not take
OTHER = {4: "sequence", 5: "map", 7: "opaque", 8: "sparse tensor", 9: "optional"}
KINDS = {1: BYTES, **dict.fromkeys(OTHER, BYTES)}


class Values(Mapping[str, ValueInfo]):
    """Declared types by name, parsed when they are first asked for."""

    __slots__ = ("_found", "_read")

    def __init__(self, read: Callable[[], Iterator[ValueInfo]]) -> None:
        self._read = read
        self._found: dict[str, ValueInfo] | None = None

    def _all(self) -> dict[str, ValueInfo]:
        if self._found is None:
            self._found = {value.name: value for value in self._read()}
        return self._found

    def __getitem__(self, name: str) -> ValueInfo:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _same(name: str) -> str:
    return name
