"""Maps a model to a draft: one pass over the nodes that folds constants and adds layers of our operators.

Shapes are computed with a batch of 1, and the batch is left out of every layer. Each activation knows which of its
dimensions is the batch: transposing moves it, reshaping keeps the product of the dimensions before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod

from convcalc.errors import Misfit, ModelError, SpecError
from convcalc.formats.draft import Draft, DraftLayer, operator
from convcalc.formats.naming import clean_path
from convcalc.formats.onnx.attention import fuse_attention
from convcalc.formats.onnx.calls import (
    AcrossBatch,
    Activation,
    Call,
    Invalid,
    Unmapped,
    Value,
    broadcast,
    decimal,
    without,
)
from convcalc.formats.onnx.fold import FOLDS
from convcalc.formats.onnx.fold_moves import shape_of
from convcalc.formats.onnx.notes import notes
from convcalc.formats.onnx.paths import Paths, parameter_path
from convcalc.formats.onnx.records import OnnxGraph, OnnxModel, OnnxNode
from convcalc.formats.onnx.rules import rule_of
from convcalc.formats.onnx.values import FLOATS, Const
from convcalc.graph import Input
from convcalc.ops import Operator
from convcalc.shapes import Shape
from convcalc.weights.tensors import StoredTensor

Handler = Callable[["Mapper", Call], "Value | Sequence[Value | None]"]
Pattern = Callable[["Mapper", Call], "Value | None"]

MAX_DEPTH = 40  # nodes on weights alone that become layers, one inside the other
# Operators on weights alone that only move values: their result is one tensor, whatever it is read by.
MOVING = {
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Identity",
    "Cast",
    "CastLike",
    "Expand",
    "Slice",
    "DequantizeLinear",
    "QuantizeLinear",
}
# Products whose kernel is learned, whatever its initialiser is called.
PRODUCTS = {"MatMul", "Gemm", "Conv"}


class Mapper:
    """One pass over a model.

    entries: the inputs as activations, with the batch in its place. batch: the batch that the file was exported with,
    1 if it is free. handlers: by operator, what maps it. patterns: by the operator that ends them, tried first.
    """

    def __init__(
        self,
        model: OnnxModel,
        inputs: Sequence[Input],
        entries: Mapping[str, Activation],
        handlers: Mapping[str, Handler],
        patterns: Mapping[str, Sequence[Pattern]],
        max_layers: int,
        batch: int = 1,
    ) -> None:
        self.model = model
        self.handlers = handlers
        self.patterns = patterns
        self.batch = batch
        self.draft = Draft(inputs, max_layers)
        self.paths = Paths(model)
        self.values: dict[str, Value] = dict(entries)
        self.uses = _uses(model.graph)
        self.reasons: dict[int, str] = {}  # layer: why its node is not mapped
        self.owners: dict[
            tuple[str, str], int
        ] = {}  # operator and kernel's initialiser: the layer that owns it
        self.parameters: dict[tuple[int, Shape, str], Activation] = {}  # constants that became layers
        self.constants: dict[int, Const] = {}  # layer: the constant that it is
        self.concats: dict[tuple[int, tuple[int, ...]], int] = {}  # axis and inputs of joins: the layer
        self.numbers: dict[int, float] = {}  # layer: the constant that it is, if that is a single number
        self.unfinished: set[int] = set()  # normalisations with weights whose bias may follow
        self.divisors: dict[
            int, tuple[int, Operator]
        ] = {}  # layer: the input and the lrn whose divisor it is
        self.thresholds: dict[int, float] = {}  # layer of a Greater: the number that it compares with
        self.kept: list[Const] = []  # keeps their ids from being used again
        self.outputs_of: dict[int, str] = {}  # layer: the value in the model that it makes
        self.across = ""  # the first operator found to act along the batch
        self.depth = 0
        self.graphs: list[OnnxGraph] = []

    # -- the walk ---------------------------------------------------------------------------------------

    def run(self) -> Draft:
        """The draft of the whole model. Raises ModelError."""
        graph = self.model.graph
        self.walk(graph)
        for output in graph.outputs:
            value = self.values.get(output.name)
            if value is None:
                raise self.error(f"output {output.name!r}: no node computes it")
            if isinstance(value, Const):
                try:
                    value = self.materialised(value)
                except Unmapped as reason:
                    raise self.error(f"output {output.name!r}: {reason}") from None
            self.draft.outputs.append((_label(output.name, self.draft.outputs), value.layer))
        fuse_attention(self.draft, self.constants)
        self.draft.notes += notes(self.model, self.draft, self.constants, self.reasons)
        return self.draft

    @property
    def unknown(self) -> int:
        """The number of layers that are not mapped."""
        return sum(layer in self.reasons for layer in self.draft.needed())

    def walk(self, graph: OnnxGraph) -> None:
        """Map the nodes of a graph; those of an enclosing one are mapped already."""
        self.graphs.append(graph)
        for node in graph.nodes:
            results = self.mapped(node)
            for name, value in zip(node.outputs, results, strict=False):
                if name and value is not None:
                    self.values[name] = value
                    if isinstance(value, Activation):
                        self.outputs_of[value.layer] = name
                        if value.layer >= 0:
                            self.draft.layers[value.layer].value = name
        self.graphs.pop()

    def value(self, name: str) -> Value | None:
        """A value by name; an initialiser becomes a constant."""
        if not name:
            return None
        found = self.values.get(name)
        if found is None:
            for graph in reversed(self.graphs):
                tensor = graph.initializers.get(name)
                if tensor is not None:
                    found = Const(tensor.shape, tensor.dtype, tensor=tensor)
                    self.values[name] = found
                    break
        return found

    def mapped(self, node: OnnxNode) -> Sequence[Value | None]:
        """The outputs of a node. Raises ModelError."""
        call = Call(
            node, self.model.opsets.get(node.domain, self.model.opset), [self.value(n) for n in node.inputs]
        )
        for name, value in zip(node.inputs, call.inputs, strict=True):
            if name and value is None:
                raise self.error(f"{node.described}: no node computes its input {name!r}")
        with self.located(node):
            try:
                return self.results(call)
            except AcrossBatch:
                self.across = self.across or node.described
                return self.unmapped(call, "it acts along the batch")
            except Unmapped as reason:
                return self.unmapped(call, str(reason))

    def results(self, call: Call) -> Sequence[Value | None]:
        """The outputs of a node: folded, a branch of If, or layers. Raises Unmapped and Invalid."""
        node = call.node
        if node.op == "If" and not node.domain:
            return self.branch(call)
        if node.domain in ("", "ai.onnx"):
            constant = all(value is None or isinstance(value, Const) for value in call.inputs)
            if constant and node.op in FOLDS:
                return self.folded(call)
            first = call.given(0)
            if node.op in ("Shape", "Size") and isinstance(first, Activation):
                if node.op == "Size":
                    return [Const((), "I64", values=(prod(first.shape),))]
                return [shape_of(first.shape, call)]
        name = f"{node.domain}:{node.op}" if node.domain not in ("", "ai.onnx") else node.op
        for pattern in self.patterns.get(name, ()):
            found = pattern(self, call)
            if found is not None:
                return [found]
        handler = self.handlers.get(name)
        if handler is None:
            raise Unmapped("an operator that convcalc does not know")
        before = len(self.draft.layers)
        try:
            return _listed(handler(self, call))
        except (Unmapped, Misfit):
            del self.draft.layers[before:]
            self.forget(before)
            raise

    def folded(self, call: Call) -> Sequence[Value | None]:
        """The outputs of a node whose inputs are constants. They know the node, in case they become layers."""
        found = _listed(FOLDS[call.op](call))
        for value in found:
            if isinstance(value, Const) and value not in call.inputs:
                value.call = value.call or call
                value.learned = value.learned or (call.op in PRODUCTS and value.dtype in FLOATS)
        return found

    def forget(self, since: int) -> None:
        """Forget the constants that became layers removed again."""
        self.parameters = {key: value for key, value in self.parameters.items() if value.layer < since}
        self.concats = {key: layer for key, layer in self.concats.items() if layer < since}
        self.owners = {key: layer for key, layer in self.owners.items() if layer < since}

    def branch(self, call: Call) -> Sequence[Value | None]:
        """The outputs of the branch that a constant condition selects."""
        (condition,) = call.numbers(0) or [None]
        graph = call.attribute("then_branch" if condition else "else_branch")
        if not isinstance(graph, OnnxGraph):
            raise Invalid("a branch is missing")
        self.uses.update(_uses(graph))
        self.walk(graph)
        self.graphs.append(graph)
        found = [self.value(output.name) for output in graph.outputs]
        self.graphs.pop()
        return found

    def unmapped(self, call: Call, reason: str) -> Sequence[Value | None]:
        """A layer `unknown` for each output that is read, with the shape that the file claims. Raises ModelError if it
        claims none."""
        node = call.node
        kind = f"{node.domain}.{node.op}" if node.domain not in ("", "ai.onnx") else node.op
        sources = [value.layer for value in call.inputs if isinstance(value, Activation)]
        batched = [value for value in call.inputs if isinstance(value, Activation) and value.axis is not None]
        found: list[Value | None] = []
        for name in node.outputs:
            if not name or not self.uses[name]:
                found.append(None)
                continue
            shape = self.claimed(name, bool(batched))
            if shape is None:
                raise self.error(
                    f"{node.described}: {reason}, and the file does not say the shape of its output {name!r}",
                    "write the shapes into the file: onnx.shape_inference.infer_shapes, or export with "
                    "torch.onnx.export(…, dynamo=True)",
                )
            batch = 0 if batched and shape and shape[0] == 1 else None
            own = without(shape, batch) or (1,)
            layer = self.draft.add(
                operator("unknown", op=kind[:100], shape=own), sources, path=self.paths.of(node), call=node.op,
                source=node.described,
            )  # fmt: skip
            found.append(Activation(layer, shape, batch))
            self.reasons[layer] = f"{node.described} is not mapped: {reason}"
            bound = call.given(1)
            if node.op == "Greater" and isinstance(bound, Const) and bound.count == 1 and bound.known:
                self.thresholds[layer] = float(bound.values()[0])
        return found

    def claimed(self, name: str, batched: bool) -> Shape | None:
        """The shape of a value by the file, with a batch of 1; None if it is not wholly known."""
        infos = [graph.values.get(name) for graph in self.graphs]
        infos += [output for graph in self.graphs for output in graph.outputs if output.name == name]
        info = next((info for info in infos if info is not None and info.shape is not None), None)
        if info is None or info.shape is None:
            return None
        sizes = list(info.shape)
        if batched and sizes and (not isinstance(sizes[0], int) or sizes[0] == self.batch):
            sizes[0] = 1
        whole = [size for size in sizes if isinstance(size, int) and size > 0]
        return tuple(whole) if len(whole) == len(sizes) else None

    # -- layers -----------------------------------------------------------------------------------------

    def add(
        self,
        call: Call,
        op: Operator,
        sources: Sequence[int],
        tensors: Mapping[str, StoredTensor] | None = None,
        *,
        path: str | None = None,
        shares: int | None = None,
    ) -> int:
        """Add a layer that a node computes. path: default the node's. Raises Misfit."""
        node = call.node
        path = self.paths.of(node) if path is None else path
        for scope, kind in self.paths.classes(node):
            self.draft.classes.setdefault(scope, kind)
        return self.draft.add(
            op, sources, path=path, call=node.op, tensors=tensors, shares=shares, source=node.described
        )

    def same(self, call: Call, op: Operator, x: Activation) -> Activation:
        """A layer whose output has the input's shape."""
        return x._replace(layer=self.add(call, op, [x.layer]))

    def regrouped(
        self, call: Call, x: Activation, shape: Sequence[int], batch: int | None, merged: bool
    ) -> Activation:
        """The same values in another shape of the model; no layer if the draft's shape is the same."""
        result = Activation(x.layer, tuple(shape), batch, merged, x.integral)
        if result.own == x.own:
            return result
        source = x.layer
        while source >= 0 and self.draft.layers[source].op.regroups:
            source = self.draft.layers[source].inputs[0]
            if result.own == self.draft.shape(source):  # back in the shape that it had
                return result._replace(layer=source)
        vector = len(result.own) == 1 and len(x.own) > 1
        op = operator("flatten") if vector else operator("reshape", shape=result.own)
        return result._replace(layer=self.add(call, op, [x.layer]))

    def unbatched(self, call: Call, x: Activation) -> Activation:
        """The activation with the batch as an ordinary dimension of 1."""
        return self.regrouped(call, x, x.shape, None, False)

    def batched(self, call: Call, x: Activation) -> Activation:
        """The activation with the batch as dimension 0. Raises Unmapped for several inputs at once."""
        if x.axis == 0:
            return x
        if not x.shape or x.shape[0] != 1:
            raise Unmapped(f"{x.shape[0] if x.shape else 0} inputs at once")
        return self.regrouped(call, x, x.shape, 0, False)

    def layer(self, x: Activation) -> DraftLayer | None:
        """The layer that makes an activation; None for an input of the network."""
        return None if x.layer < 0 else self.draft.layers[x.layer]

    def read_once(self, x: Activation) -> bool:
        """Whether a single node reads the layer's output."""
        name = self.outputs_of.get(x.layer, "")
        return self.uses[name] == 1

    def shared(self, call: Call, tensors: Mapping[str, StoredTensor]) -> int | None:
        """The layer that computes with the same initialisers, if there is one."""
        return self.owners.get(_initialisers(call, tensors))

    def own(self, call: Call, tensors: Mapping[str, StoredTensor], layer: int) -> None:
        """Record the layer of some initialisers, unless an earlier one has them."""
        names = _initialisers(call, tensors)
        if names[1]:
            self.owners.setdefault(names, layer)

    # -- constants as layers ----------------------------------------------------------------------------

    def materialised(self, const: Const, own: Shape | None = None, path: str | None = None) -> Activation:
        """A constant as the output of layers: of a parameter, or of the operators that compute it from weights.

        own: the shape of the parameter, with the same number of values; default its own, at least one dimension.
        """
        shape = const.shape or (1,) if own is None else own or (1,)
        key = id(const), shape, path or ""
        found = self.parameters.get(key)
        if found is None:
            self.kept.append(const)
            found = self.replayed(const) or self.parameter(const, shape, path)
            if found.shape != shape:
                found = self.regrouped(const.call, found, shape, None, False)
            self.parameters[key] = found
        return found

    def parameter(self, const: Const, shape: Shape, path: str | None) -> Activation:
        """A constant as a parameter, whose values are computed when they are needed."""
        if min(shape) < 1:
            raise Unmapped("a constant without values")
        tensor = _unmoved(const).tensor
        name = parameter_path(tensor.name) if tensor is not None else ""
        if not name and path is None and const.call is not None:
            path = self.paths.of(const.call.node)
        rule = None if const.learned else rule_of(const, shape)
        if rule is not None:
            layer = self.draft.add(rule, [], path=path or "", call="constant")
            own = self.draft.shape(layer)
            if own != shape:
                layer = self.draft.add(
                    operator("reshape", shape=shape), [layer], path=path or "", call="Reshape"
                )
        else:
            layer = self.draft.add(
                operator("parameter", shape=shape), [], path=name or path or "", call="parameter",
                tensors={"": const.stored(shape)},
            )  # fmt: skip
        self.constants[layer] = const
        if const.count == 1 and const.known:
            self.numbers[layer] = decimal(float(const.values()[0]))
        return Activation(layer, shape)

    def replayed(self, const: Const) -> Activation | None:
        """A constant computed from weights as layers, so that their parameters are counted as the file has them; None
        if it is not, or has only been moved, or if the operator has no such form."""
        call = const.call
        if call is None or not const.learned or call.op not in self.handlers or not _is_computed(const):
            return None
        if self.depth >= MAX_DEPTH or len(call.node.outputs) > 1:
            return None
        before = len(self.draft.layers)
        inputs: list[Value | None] = list(call.inputs)
        self.depth += 1
        try:
            for place, value in enumerate(inputs):
                if isinstance(value, Const) and value.learned and _is_computed(value):
                    inputs[place] = self.materialised(value)
            first = inputs[0]
            if isinstance(first, Const) and not any(isinstance(value, Activation) for value in inputs):
                inputs[0] = self.materialised(first)
            result = self.replay(Call(call.node, call.opset, inputs))
        except (Unmapped, Misfit):
            del self.draft.layers[before:]
            self.forget(before)
            return None
        finally:
            self.depth -= 1
        if not isinstance(result, Activation):
            return None
        self.outputs_of[result.layer] = call.node.outputs[0]
        return result

    def replay(self, call: Call) -> Value | None:
        """The first output of a node that only weights lead to, as a pattern or an operator makes it."""
        for pattern in self.patterns.get(call.op, ()):
            found = pattern(self, call)
            if found is not None:
                return found
        (result, *_) = _listed(self.handlers[call.op](self, call))
        return result

    def aligned(self, call: Call) -> tuple[list[int], Activation]:
        """The inputs of an element-wise operator as layers of equal rank, and the output's shape with layer −1."""
        shapes = [value.shape for value in call.inputs if value is not None]
        given = [value for value in call.inputs if value is not None]
        rank = max(1, *map(len, shapes))
        places = {
            value.axis + rank - len(value.shape)
            for value in given
            if isinstance(value, Activation) and value.axis is not None
        }
        batch = places.pop() if len(places) == 1 else None
        wide = [
            self._one_of_batch((1,) * (rank - len(s)) + s, batch, v)
            for s, v in zip(shapes, given, strict=True)
        ]
        full = broadcast(*wide)
        if batch is not None and full[batch] != 1:
            batch = None
        layers = []
        for value, shape in zip(given, wide, strict=True):
            own = without(shape, batch) or (1,)
            if isinstance(value, Const):
                layers.append(
                    self.materialised(self._first(value, shape), own, self.paths.of(call.node)).layer
                )
            elif value.own == own:
                layers.append(value.layer)
            else:
                layers.append(self.add(call, operator("reshape", shape=own), [value.layer]))
        merged = [v for v in given if isinstance(v, Activation) and v.merged and len(v.shape) == rank]
        if batch is None and merged:
            return layers, Activation(-1, full, merged[0].batch, True)
        return layers, Activation(-1, full, batch)

    def _one_of_batch(self, shape: Shape, batch: int | None, value: Value) -> Shape:
        """The shape of a constant that is repeated for each input of a batch, for one of them."""
        if batch is None or self.batch == 1 or isinstance(value, Activation) or shape[batch] != self.batch:
            return shape
        return (*shape[:batch], 1, *shape[batch + 1 :])

    def _first(self, const: Const, shape: Shape) -> Const:
        """A constant, or its part for the first input of the batch if it is repeated."""
        count = prod(shape)
        if count == const.count:
            return const
        batch = next(place for place, size in enumerate(const.shape) if size == self.batch)
        inner = prod(const.shape[batch + 1 :])
        step = inner * self.batch

        def rule(given: Sequence[tuple[Shape, Sequence[float]]]) -> list[float]:
            values = given[0][1]
            return [value for start in range(0, len(values), step) for value in values[start : start + inner]]

        return Const(shape, const.dtype, sources=(const,), rule=rule)

    # -- errors -----------------------------------------------------------------------------------------

    def error(self, message: str, hint: str | None = None) -> ModelError:
        """The error of the model with its file."""
        return ModelError(f"{self.model.path}: {message}" if self.model.path else message, hint=hint)

    @contextmanager
    def located(self, node: OnnxNode) -> Iterator[None]:
        """Gives errors of shapes and attributes the file and the node."""
        try:
            yield
        except (Misfit, Invalid) as error:
            raise self.error(f"{node.described}: {error.message}", error.hint) from None
        except SpecError as error:
            raise self.error(error.message, error.hint) from None


def _is_computed(const: Const) -> bool:
    """Whether a constant is the result of an operator that does more than move values, maybe moved."""
    while const.call is not None and const.call.op in MOVING:
        source = const.call.given(0)
        if not isinstance(source, Const):
            return False
        const = source
    return const.call is not None and bool(const.sources)


def _unmoved(const: Const) -> Const:
    """The constant with the same values before they were moved."""
    while const.call is not None and const.call.op in MOVING:
        source = const.call.given(0)
        if not isinstance(source, Const) or source.count != const.count:
            break
        const = source
    return const


def _listed(found: Value | Sequence[Value | None]) -> Sequence[Value | None]:
    return [found] if isinstance(found, (Const, Activation)) else found


def _label(name: str, others: Sequence[tuple[str, int]]) -> str:
    """The name of an output as a spec can have it, other than those before it."""
    clean = clean_path(name.replace(".", "_")) or "output"
    taken = {label for label, _ in others}
    number = 1
    found = clean
    while found in taken:
        number += 1
        found = f"{clean}_{number}"
    return found


def _initialisers(call: Call, tensors: Mapping[str, StoredTensor]) -> tuple[str, str]:
    """The operator and the names of its tensors in the file; nothing if the kernel has none."""
    names = [tensor.name for tensor in tensors.values()]
    return call.op, "\n".join(names) if names and names[0] else ""


def _uses(graph: OnnxGraph) -> Counter[str]:
    """How many inputs of nodes, and outputs of the graph, each value is; bodies of If and loops included."""
    uses: Counter[str] = Counter(output.name for output in graph.outputs)
    stack = [graph]
    while stack:
        for node in stack.pop().nodes:
            uses.update(node.inputs)
            if node.op in ("If", "Loop", "Scan", "SequenceMap"):
                stack += [value for value in node.attributes.values() if isinstance(value, OnnxGraph)]
    return uses
