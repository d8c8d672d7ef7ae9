"""Compiled entries: the checked records of a spec's layers, which can be expanded any number of times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from convcalc.language import reader
from convcalc.language.expressions import Names
from convcalc.language.values import Value
from convcalc.ops import Operator

if TYPE_CHECKING:
    from convcalc.language.outputs import WrittenOutput


class Entry:
    """Base class of the entries of a `layers` list, with the keys common to all kinds.

    origin: the value of `from`, or a list of values if written as a list. late: the condition reads the input's
    shape, so `from` is resolved before it is evaluated. first: the variant of the entry for copy 0.
    """

    __slots__ = (
        "condition", "copies", "first", "keys", "kind", "late", "name", "node", "origin", "repeat", "share",
    )  # fmt: skip

    def __init__(self, kind: str, node: reader.YamlNode) -> None:
        self.kind = kind
        self.node = node
        self.name: Value | None = None
        self.origin: Value | list[Value] | None = None
        self.condition: Value | None = None
        self.late = False
        self.repeat: Value | None = None
        self.copies: Value | None = None
        self.share: Value | None = None
        self.keys: Mapping[str, Value] | Value | None = None
        self.first: Entry | None = None


class Layer(Entry):
    """An operator. op: the operator itself if no field depends on variables. branches: those of a join, else None."""

    __slots__ = ("branches", "fields", "op", "operator")

    def __init__(self, kind: str, node: reader.YamlNode, operator: type[Operator]) -> None:
        super().__init__(kind, node)
        self.operator = operator
        self.fields: dict[str, Value] = {}
        self.op: Operator | None = None
        self.branches: list[Branch] | None = None


class Branch:
    """One branch of a join: a list of layers with an optional name."""

    __slots__ = ("condition", "indexed", "layers", "name", "node")

    def __init__(self, node: reader.YamlNode, layers: list[Entry]) -> None:
        self.node = node
        self.layers = layers
        self.name: Value | None = None
        self.condition: Value | None = None
        self.indexed = False


class Group(Entry):
    """A list of layers under one name."""

    __slots__ = ("indexed", "layers")

    def __init__(self, node: reader.YamlNode) -> None:
        super().__init__("group", node)
        self.indexed = False
        self.layers: list[Entry] = []


class Block:
    """A macro: parameters and a body of layers. params: defaults by name, None for a required parameter. refs: names
    that the body uses for layers outside the block."""

    __slots__ = ("indexed", "layers", "name", "node", "params", "refs")

    def __init__(self, name: str, node: reader.YamlNode) -> None:
        self.name = name
        self.node = node
        self.params: dict[str, Value | None] = {}
        self.refs: list[str] = []
        self.indexed = False
        self.layers: list[Entry] = []


class Call(Entry):
    """A call of a block with its arguments."""

    __slots__ = ("arguments", "block")

    def __init__(self, node: reader.YamlNode, block: Block) -> None:
        super().__init__(block.name, node)
        self.block = block
        self.arguments: dict[str, Value] = {}


class Use(Entry):
    """An entry whose block or operator is chosen by an expression; compiled for each chosen name.

    reads: the names used in its arguments.
    """

    __slots__ = ("choice", "compiled", "reads")

    def __init__(
        self, node: reader.Scalar, choice: Value, compiled: Callable[[str], Entry], reads: frozenset[str]
    ) -> None:
        super().__init__("use", node)
        self.choice = choice
        self.compiled = compiled
        self.reads = reads


class Loop(Entry):
    """A `foreach` loop: its layers, once per item of a list."""

    __slots__ = ("index", "items", "layers", "targets", "unpack")

    def __init__(self, node: reader.YamlNode, items: Value, targets: list[str], unpack: bool) -> None:
        super().__init__("foreach", node)
        self.items = items
        self.targets = targets
        self.unpack = unpack
        self.index: str | None = None
        self.layers: list[Entry] = []


class NetworkEntry(Entry):
    """Another spec used as a layer: its entries, the values of its variables, and the factory of its operators.

    arch: the name or path as written. inputs: the names of the spec's inputs. outputs: the outputs that the spec
    declares. until: the path of the layer to stop at.
    """

    __slots__ = ("arch", "inputs", "layers", "make", "outputs", "until", "variables")

    def __init__(
        self,
        node: reader.YamlNode,
        arch: str,
        layers: list[Entry],
        variables: Names,
        make: Callable[[Layer, Names, str], Operator],
        inputs: tuple[str, ...],
        outputs: list[WrittenOutput],
    ) -> None:
        super().__init__("network", node)
        self.arch = arch
        self.layers = layers
        self.variables = variables
        self.make = make
        self.inputs = inputs
        self.outputs = outputs
        self.until: Value | None = None
