"""A network while it is read from a model file or a PyTorch module.

A reader adds layers in execution order: an operator of `convcalc.ops`, the layers that it reads, the module that
computes it and its tensors. The draft computes shapes with our own rules, so a reader can ask for them. `built` drops
layers that no output needs, names the others and gives the graph with its tensors; `model` wraps that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convcalc.errors import Misfit, SpecError
from convcalc.formats.model import Model
from convcalc.formats.naming import Item, clean_path, names
from convcalc.graph import Builder, Graph, Input, Output, uncounted
from convcalc.ops import Operator, get
from convcalc.shapes import Shape
from convcalc.weights.tensors import StoredTensor, Tensors


def operator(kind: str, **fields: Any) -> Operator:
    """An operator by its name, with fields as its class has them: numbers, tuples and words."""
    cls: Any = get(kind)
    made: Operator = cls(**fields)
    return made


@dataclass(slots=True, eq=False)
class DraftLayer:
    """A layer of a draft.

    op: bound to its inputs. inputs: indices of layers, or −1, −2, … for the network's inputs. path: the innermost
    module whose `forward` computes the layer, or the path of a bare parameter; "" if it is not known. call: the
    operator or function in the source. tensors: by the name of the operator's parameter; their values are read, and
    computed if need be, when somebody asks for them. shares: the layer whose tensors this one uses. source: the place
    in the model for messages; value: the name of its output there. inside: whether `path` is known to be a scope, of
    which this layer is a part.
    """

    op: Operator
    inputs: tuple[int, ...]
    shape: Shape
    path: str = ""
    call: str = ""
    tensors: Mapping[str, StoredTensor] = field(default_factory=dict)
    shares: int | None = None
    source: str = ""
    inside: bool = False
    value: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A draft made into a graph. tensors: by our keys, which are path and parameter. classes: the class of the module
    behind each scope and layer, by path. indices: for each layer of the draft its node, None if no output needs it."""

    graph: Graph
    tensors: Tensors
    notes: tuple[str, ...]
    classes: Mapping[str, str]
    indices: tuple[int | None, ...]


class Draft:
    """Layers of a network in execution order.

    inputs: the network's inputs, without the batch. classes: the class of a module by its path, as far as known.
    outputs: name and layer index, or −1, −2, … for an input. notes: remarks for the user.
    """

    def __init__(self, inputs: Sequence[Input], max_layers: int) -> None:
        self.inputs = tuple(inputs)
        self.max_layers = max_layers
        self.layers: list[DraftLayer] = []
        self.outputs: list[tuple[str, int]] = []
        self.classes: dict[str, str] = {}
        self.notes: list[str] = []

    def shape(self, index: int) -> Shape:
        """The shape of a layer's output, or of an input."""
        return self.inputs[-1 - index].shape if index < 0 else self.layers[index].shape

    def op(self, index: int) -> Operator | None:
        """A layer's operator; None for an input of the network."""
        return None if index < 0 else self.layers[index].op

    def add(
        self,
        op: Operator,
        inputs: Sequence[int],
        *,
        path: str = "",
        call: str = "",
        tensors: Mapping[str, StoredTensor] | None = None,
        shares: int | None = None,
        source: str = "",
    ) -> int:
        """Add a layer and return its index. Raises Misfit if it does not fit its inputs, SpecError beyond max_layers.

        An operator that names layers in fields (the indices of `gather`, the bias of `attention`) takes any text
        there; `built` fills in the names of its last inputs.
        """
        if len(self.layers) >= self.max_layers:
            raise SpecError(f"more than {self.max_layers:,} layers", hint="--max-layers raises the limit")
        shapes = tuple([self.shape(index) for index in inputs])
        bound = op.bind(shapes)
        layer = DraftLayer(
            bound, tuple(inputs), bound.output_shape(shapes), path, call, tensors or {}, shares, source
        )
        for parameter in bound.parameters(shapes) if layer.tensors else ():
            given = layer.tensors.get(parameter.name)
            if given is not None and given.shape != parameter.shape:
                raise Misfit(
                    f"{bound.kind} has {parameter.name or 'a tensor'} of shape {list(given.shape)}, "
                    f"its input needs {list(parameter.shape)}"
                )
        self.layers.append(layer)
        return len(self.layers) - 1

    def needed(self) -> list[int]:
        """The layers that an output depends on, in order."""
        found: set[int] = set()
        stack = [index for _, index in self.outputs]
        while stack:
            index = stack.pop()
            if index >= 0 and index not in found:
                found.add(index)
                stack += self.layers[index].inputs
        return sorted(found)

    def model(self, name: str, path: str = "", missing: Sequence[str] = ()) -> Model:
        """The network with its weights. path: the file, or the module's name; missing: files that are not there."""
        built = self.built(name)
        return Model(built.graph, built.tensors, path, built.notes, tuple(missing), built.classes)

    def built(self, name: str) -> Built:
        """The graph, whose layers have names and shapes, with its tensors by key. name: the network's."""
        kept = self.needed()
        place = {index: position for position, index in enumerate(kept)}
        owners = self._owners(kept)
        items = []
        for index in kept:
            layer = self.layers[index]
            shapes = tuple([self.shape(source) for source in layer.inputs])
            weighted = owners[index] is None and bool(layer.op.parameters(shapes))
            items.append(Item(layer.path, layer.op, weighted, len(layer.inputs), layer.inside))
        named = names(items)
        builder = Builder(self.inputs, self.max_layers)
        tensors = Tensors()
        joining = set()
        for index, (path, scope, own) in zip(kept, named, strict=True):
            layer = self.layers[index]
            inputs = tuple([place.get(source, source) for source in layer.inputs])
            owner = owners[index]
            builder.add(
                path,
                self._with_names(layer, [self._name(source, place, named) for source in layer.inputs]),
                inputs,
                scope=scope,
                named=own,
                shares=None if owner is None else place[owner],
            )
            if len(inputs) > 1:
                joining.add(scope)
            if owner is None:
                for parameter in builder.nodes[-1].parameters:
                    tensor = layer.tensors.get(parameter.name)
                    if tensor is not None:
                        key = parameter.key(path)
                        tensors[key] = dataclasses.replace(tensor, name=key)
        nodes = tuple(builder.nodes)
        graph = Graph(
            name,
            self.inputs,
            nodes,
            tuple(Output(label, place.get(index, index)) for label, index in self.outputs),
            warnings=uncounted(nodes),
            joining=frozenset(joining),
        )
        classes = {clean_path(path): kind for path, kind in self.classes.items()}
        indices = tuple(place.get(index) for index in range(len(self.layers)))
        return Built(graph, tensors, tuple(dict.fromkeys(self.notes)), classes, indices)

    def _owners(self, kept: Sequence[int]) -> dict[int, int | None]:
        """For each kept layer, the layer whose tensors it shares; the first kept one of a group owns them."""
        first: dict[int, int] = {}
        owners: dict[int, int | None] = {}
        for index in kept:
            shares = self.layers[index].shares
            group = index if shares is None else shares
            owners[index] = first.get(group)
            first.setdefault(group, index)
        return owners

    def _name(self, index: int, place: Mapping[int, int], named: Sequence[tuple[str, str, bool]]) -> str:
        return self.inputs[-1 - index].name if index < 0 else named[place[index]][0]

    def _with_names(self, layer: DraftLayer, inputs: Sequence[str]) -> Operator:
        """The operator with the names of layers in the fields that name its inputs."""
        fields = layer.op.named_inputs(tuple([self.shape(source) for source in layer.inputs]))
        if not fields:
            return layer.op
        return dataclasses.replace(layer.op, **{field: inputs[at] for field, at in fields.items()})
