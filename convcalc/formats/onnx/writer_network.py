"""The contents of an ONNX file while it is put together: nodes, values and initializers, and their names.

Every value has one axis more than ours, the batch, in front. Values that depend on no input of the network have 1 there
and are broadcast; in all others it is the free dimension `N`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from convcalc.formats.convert import file_key
from convcalc.formats.onnx.writer_encoding import FLOAT, INT64, Attribute, Size
from convcalc.graph import Graph, Node, input_index
from convcalc.ops import Parameter
from convcalc.shapes import Shape
from convcalc.weights.tensors import StoredTensor

BATCH = "N"  # the name of the free dimension

Numbers = Sequence[float] | Sequence[int]


class Value(NamedTuple):
    """A tensor of 32-bit floats that a node computes. shape: without the batch axis; batched: whether that axis is `N`,
    and not 1."""

    name: str
    shape: Shape
    batched: bool = True

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The shape with the batch axis."""
        return (BATCH if self.batched else 1, *self.shape)


class ValueType(NamedTuple):
    """The sizes and the type of a value, batch axis included."""

    sizes: tuple[Size, ...]
    dtype: int = FLOAT


@dataclass(slots=True)
class NodeDraft:
    """A node of the file. Its lists may change until it is encoded."""

    operator: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Attribute]


class Initializer(NamedTuple):
    """A tensor of the file. numbers: returns its values, or their bytes if they are stored as they are written; called
    when the file is written. left_out: they are not written."""

    name: str
    shape: Shape
    dtype: int
    numbers: Callable[[], Numbers | bytes | memoryview]
    left_out: bool = False

    @property
    def size(self) -> int:
        """Its bytes."""
        return prod(self.shape) * (8 if self.dtype == INT64 else 4)


@dataclass(eq=False)
class NetworkDraft:
    """Nodes, values and initializers in the order in which they were added."""

    graph: Graph
    opset: int
    stored: Mapping[str, StoredTensor] | None  # the weights, by their keys in our files; None: left out
    nodes: list[NodeDraft] = field(default_factory=list)
    initializers: dict[str, Initializer] = field(default_factory=dict)  # by name
    values: dict[str, ValueType] = field(default_factory=dict)  # of the nodes' outputs, by name
    taken: set[str] = field(default_factory=set)  # names of values and initializers
    named: set[str] = field(default_factory=set)  # names of nodes
    tensors: dict[tuple[int, str], Initializer] = field(default_factory=dict)  # by layer and parameter

    def __post_init__(self) -> None:
        self.inputs = [Value(self.unused(entry.name), entry.shape) for entry in self.graph.inputs]
        self.outputs = [self.unused(output.name) for output in self.graph.outputs]
        keys = {
            (node.index, parameter.name): parameter.key(node.name)
            for node in self.graph
            if node.shares is None
            for parameter in node.parameters
        }
        self.keys = {place: self.unused(key) for place, key in keys.items()}

    def unused(self, name: str) -> str:
        """The name, or the first of name/1, name/2, … that no value and no initializer has yet; it is then taken."""
        return _unused(name, self.taken)

    def unused_node(self, name: str) -> str:
        """The same for names of nodes."""
        return _unused(name, self.named)

    def add_initializer(self, initializer: Initializer) -> str:
        """Adds a tensor, and returns its name."""
        self.initializers[initializer.name] = initializer
        return initializer.name

    def owner(self, node: Node) -> Node:
        """The layer whose weights a layer uses."""
        while node.shares is not None:
            node = self.graph.nodes[node.shares]
        return node

    def parameter(self, node: Node, parameter: Parameter, shape: Shape) -> Initializer:
        """The initializer of a layer's parameter, made with this shape if it does not exist yet. It has the parameter's
        key in a weights file as its name."""
        owner = self.owner(node)
        place = owner.index, parameter.name
        if place not in self.tensors:
            name = self.keys[place]
            if parameter.rule is not None:
                found = Initializer(name, shape, FLOAT, parameter.rule)
            elif self.stored is None:
                found = Initializer(name, shape, FLOAT, tuple, left_out=True)
            else:
                tensor = self.stored[file_key(owner, parameter)]
                found = Initializer(
                    name, shape, FLOAT, tensor.read if tensor.dtype == "F32" else tensor.values
                )
            self.tensors[place] = found
            self.add_initializer(found)
        return self.tensors[place]

    def add_copy(self, value: Value, name: str) -> None:
        """Adds an Identity that gives a value a name that is taken for it."""
        self.values[name] = ValueType(value.sizes)
        self.nodes.append(NodeDraft("Identity", self.unused_node(name), [value.name], [name], {}))

    def rename(self, first: int, old: str, new: str) -> None:
        """Renames a value in the nodes from index `first` on, in which all of its uses must lie."""
        for node in self.nodes[first:]:
            node.inputs = [new if name == old else name for name in node.inputs]
            node.outputs = [new if name == old else name for name in node.outputs]
        self.values[new] = self.values.pop(old)


def _unused(name: str, taken: set[str]) -> str:
    found, count = name, 0
    while found in taken:
        count += 1
        found = f"{name}/{count}"
    taken.add(found)
    return found


def input_values(network: NetworkDraft) -> dict[int, Value]:
    """The network's inputs by the index that layers read."""
    return {input_index(place): value for place, value in enumerate(network.inputs)}
