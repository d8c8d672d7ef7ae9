"""The layer graph, and the builder that adds one layer at a time and computes its shape.

A graph is a list of nodes in topological order. Each node has one output, referred to by the node's index. The inputs
of the network have the indices −1, −2, … in order: `INPUT` (−1) is the first, and usually the only one.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from convcalc.errors import Mark, Misfit, Place, ShapeError, SpecError
from convcalc.ops import Operator, Parameter
from convcalc.shapes import Shape, elements, show

INPUT = -1
MAX_LAYERS = 200_000  # default of --max-layers
MAX_WARNINGS = 10
MAX_ELEMENTS = 2**53  # values of one output; more is a typing error. Totals stay exact beyond it


@contextmanager
def uncollected() -> Iterator[None]:
    """Context manager that pauses garbage collection: a graph may have millions of objects, all of them reachable, and
    scanning them would double the time to build it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class Trail:
    """The calls of blocks and networks that led to a layer, as a linked list shared between layers."""

    __slots__ = ("outer", "place")

    def __init__(self, place: Place, outer: Trail | None) -> None:
        self.place = place
        self.outer = outer

    def marks(self) -> list[Mark]:
        """The places of the calls, innermost first."""
        marks = []
        step: Trail | None = self
        while step is not None:
            marks.append(step.place.mark)
            step = step.outer
        return marks


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One layer: its operator bound to its inputs, with input and output shapes.

    name: the dotted path. scope: the path of the enclosing scope ("" at the top). keys: full names of its parameters
    in a weights file, if they differ. shares: the node whose weights it uses. named: whether the spec names or numbers
    it, as PyTorch does for modules; an unnamed layer corresponds to a function call there.
    """

    index: int
    name: str
    op: Operator
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    scope: str = ""
    place: Place | None = None
    trail: Trail | None = None
    shares: int | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    named: bool = False

    @property
    def kind(self) -> str:
        """The operator's name, such as `conv`."""
        return self.op.kind

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameter tensors that the layer uses, its own or shared ones."""
        return self.op.parameters(self.input_shapes)

    @property
    def learned(self) -> int:
        """How many learned numbers the layer uses, its own or shared ones: weights and biases, no buffers."""
        return sum([prod(parameter.shape) for parameter in self.parameters if parameter.role != "buffer"])


class Input(NamedTuple):
    """An input of the network. shape: `(C, *spatial)`, or `(N,)` for a vector."""

    name: str
    shape: Shape

    @property
    def described(self) -> str:
        """The input in a message: `the input left`, or `the input` if it is called `input`."""
        return "the input" if self.name == "input" else f"the input {self.name}"


class Output(NamedTuple):
    """An output of the network. node: the index of the node whose output it is."""

    name: str
    node: int


class Budget(NamedTuple):
    """The largest figures that a spec allows its network.

    limits: by quantity, and marks, where each is written. batch, dtype, input: what they hold for; input None: the
    spec's own.
    """

    limits: Mapping[str, int]
    marks: Mapping[str, Mark]
    batch: int = 1
    dtype: str = "float32"
    input: Shape | Mapping[str, Shape] | None = None


def is_input(index: int) -> bool:
    """Whether an index refers to an input of the network rather than a node."""
    return index < 0


def input_index(position: int) -> int:
    """The index that refers to the network's input at `position`, counted from 0: −1, −2, …"""
    return -1 - position


def single_input(shape: Shape) -> tuple[Input, ...]:
    """The inputs of a network with a single input, called `input`."""
    return (Input("input", shape),)


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: its inputs, its nodes in topological order, its outputs, and the metadata of its spec.

    inputs, outputs: at least one each, in the order of the file. labels: class names, or the name of a bundled list.
    labelled: the output that the labels belong to, if the file names it. own_classes: the file's own number of classes,
    if a setting changed it; labels and weights do not apply then and are dropped. task: what the network is for.
    published: the authors' figures by name, with their source. weights: a file next to the spec, or url and sha256.
    directory: the folder of the spec. variables: the values of its vars. changes: differences from the file made by
    settings or another input, such as `width=0.5`; notes that no longer hold are dropped. warnings: constructs that are
    valid but probably not intended, with their places. joining: the paths of the scopes that directly contain a join
    with branches, even if only one branch is active. ignored_lints: names of the lints that the spec silences.
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    title: str | None = None
    source: str | None = None
    notes: tuple[str, ...] = ()
    preprocess: Mapping[str, Any] | None = None
    labels: str | tuple[str, ...] | None = None
    labelled: str | None = None
    own_classes: int | None = None
    task: str | None = None
    published: Mapping[str, Any] = field(default_factory=dict)
    weights: str | Mapping[str, Any] | None = None
    directory: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    joining: frozenset[str] = frozenset()
    budget: Budget | None = None
    ignored_lints: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    @classmethod
    def of(cls, name: str, input_shape: Shape, nodes: Sequence[Node], output: int) -> Graph:
        """A network with one input, called `input`, and one output, named after its node. output: the node's index."""
        label = nodes[output].name if output >= 0 else "input"
        return cls(name, single_input(input_shape), tuple(nodes), (Output(label, output),))

    @property
    def input_shape(self) -> Shape:
        """The first input's shape."""
        return self.inputs[0].shape

    @property
    def output(self) -> int:
        """The index of the node of the first output."""
        return self.outputs[0].node

    @property
    def output_shape(self) -> Shape:
        """The first output's shape."""
        return self.shape(self.output)

    @property
    def input_indices(self) -> range:
        """The indices that refer to the inputs: −1, −2, …"""
        return range(INPUT, INPUT - len(self.inputs), -1)

    def shape(self, index: int) -> Shape:
        """The shape of a node's output, or of an input, by index."""
        return self.inputs[-1 - index].shape if index < 0 else self.nodes[index].output_shape

    def input_name(self, index: int) -> str:
        """The name of a node or an input, by index."""
        return self.inputs[-1 - index].name if index < 0 else self.nodes[index].name

    @property
    def macs(self) -> int:
        """MACs of all layers for one image."""
        return sum(node.op.macs(node.input_shapes) for node in self.nodes)

    @property
    def params(self) -> int:
        """Weights and biases of all layers; shared ones count once."""
        return sum(node.learned for node in self.nodes if node.shares is None)

    def last_readers(self) -> list[int]:
        """For each node, the index of the last node that reads it: its own if none, `len(nodes)` for an output."""
        last = list(range(len(self.nodes)))
        for node in self.nodes:
            for source in node.inputs:
                if source >= 0:
                    last[source] = node.index
        for output in self.outputs:
            if output.node >= 0:
                last[output.node] = len(self.nodes)
        return last


class Builder:
    """Builds the nodes of a graph one at a time, computing shapes. Raises ShapeError for a layer that does not fit."""

    def __init__(self, inputs: Sequence[Input], max_layers: int) -> None:
        self.inputs = tuple(inputs)
        self.max_layers = max_layers
        self.nodes: list[Node] = []
        self.paths: dict[str, Node] = {}

    def shape(self, index: int) -> Shape:
        """The shape of the output of a node built so far, or of an input."""
        return self.inputs[-1 - index].shape if index < 0 else self.nodes[index].output_shape

    def add(
        self,
        name: str,
        op: Operator,
        inputs: tuple[int, ...],
        *,
        scope: str = "",
        place: Place | None = None,
        trail: Trail | None = None,
        shares: int | None = None,
        keys: Mapping[str, str] | None = None,
        named: bool = False,
    ) -> int:
        """Add a layer and return its index. Raises SpecError beyond max_layers, ShapeError if it does not fit."""
        if len(self.nodes) >= self.max_layers:
            raise _located(
                SpecError,
                f"more than {self.max_layers:,} layers",
                place,
                trail,
                "--max-layers raises the limit",
            )
        shapes = tuple([self.shape(index) for index in inputs])
        try:
            fewest, most = op.inputs
            if len(shapes) < fewest or (most is not None and len(shapes) > most):
                needed = f"{fewest}" if most == fewest else f"at least {fewest}"
                hint = "name them: from: [a, b]" if most is None else None
                raise Misfit(
                    f"{op.kind} needs {needed} input{'s' * (needed != '1')}, not {len(shapes)}", hint
                )
            op = op.bind(shapes)
            op.check_sources([None if index < 0 else self.nodes[index].op for index in inputs])
            output = op.output_shape(shapes)
            if elements(output) > MAX_ELEMENTS:
                raise Misfit(
                    f"the output {show(output)} has more than {MAX_ELEMENTS:,} values",
                    "look for a padding, size or number of filters with a digit too many",
                )
            if shares is not None:
                self._check_shared(op, shapes, self.nodes[shares])
        except Misfit as misfit:
            raise _located(ShapeError, f"{name}: {misfit.message}", place, trail, misfit.hint) from None
        node = Node(
            len(self.nodes),
            name,
            op,
            inputs,
            shapes,
            output,
            scope,
            place,
            trail,
            shares,
            keys or _NO_KEYS,
            named,
        )
        self.nodes.append(node)
        return node.index

    def _check_shared(self, op: Operator, shapes: tuple[Shape, ...], owner: Node) -> None:
        """Raise Misfit unless the layer needs weights with the same names and shapes as the owner has."""
        own = [(parameter.name, parameter.shape) for parameter in op.parameters(shapes)]
        theirs = [(parameter.name, parameter.shape) for parameter in owner.parameters]
        if own != theirs:
            described = [
                ", ".join(f"{n} {show(s)}".strip() for n, s in side) or "no weights" for side in (own, theirs)
            ]
            raise Misfit(
                f"cannot share the weights of {owner.name}: it has {described[1]}, this layer needs {described[0]}",
                "shared layers have the same operator, fields and input channels",
            )


_NO_KEYS: Mapping[str, str] = {}


def unread(inputs: Sequence[Input], nodes: Sequence[Node], outputs: Sequence[Output]) -> tuple[str, ...]:
    """A warning for each input, and for the first MAX_WARNINGS layers, that nothing reads and that are not outputs."""
    read = {source for node in nodes for source in node.inputs} | {output.node for output in outputs}
    texts = [
        f"{entry.described}: no layer reads it"
        for position, entry in enumerate(inputs)
        if input_index(position) not in read
    ]
    loose = [node for node in nodes if node.index not in read]
    texts += [
        f"{node.place.mark if node.place else node.name}: {node.name}: no layer reads its output, "
        "so it adds to the figures and not to the result"
        for node in loose[:MAX_WARNINGS]
    ]
    if len(loose) > MAX_WARNINGS:
        texts.append(f"and {len(loose) - MAX_WARNINGS} more layers whose output nothing reads")
    return tuple(texts)


def uncounted(nodes: Sequence[Node]) -> tuple[str, ...]:
    """A warning with the number and kinds of layers whose operators convcalc does not know; empty if none."""
    kinds: dict[str, int] = {}
    for node in nodes:
        if not node.op.is_known:
            name = str(node.op.shown_fields()["op"])
            kinds[name] = kinds.get(name, 0) + 1
    if not kinds:
        return ()
    count = sum(kinds.values())
    listing = ", ".join(f"{name:.40}" + (f" ×{times}" if times > 1 else "") for name, times in kinds.items())
    verb = "1 layer is of an operator" if count == 1 else f"{count:,} layers are of operators"
    return (f"{verb} that convcalc does not know, and not counted: {listing:.300}",)


def _located(
    kind: type[SpecError], message: str, place: Place | None, trail: Trail | None, hint: str | None
) -> SpecError:
    return kind(
        message,
        mark=place.mark if place else None,
        used_at=trail.marks() if trail else (),
        hint=hint,
    )


def copies_path(first: str, last: str) -> str:
    """The path of several copies of a layer: `conv4.2–36.conv1` for `conv4.2.conv1` to `conv4.36.conv1`."""
    parts = []
    for a, b in zip(first.split("."), last.split("."), strict=True):
        parts.append(a if a == b else f"{a}–{b[len(_common_stem(a, b)) :]}")
    return ".".join(parts)


def _common_stem(first: str, last: str) -> str:
    """The common beginning of two names, numbers kept whole: `conv` of `conv18` and `conv19`."""
    length = 0
    for a, b in zip(first, last, strict=False):
        if a != b:
            break
        length += 1
    while length and first[length - 1].isdigit() and (first[length:] + last[length:])[:1].isdigit():
        length -= 1
    return first[:length]
