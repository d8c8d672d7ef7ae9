"""What a spec's layers are once they have been read: records, checked, ready to be expanded any number of times."""

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
    """One entry of a `layers` list: what every kind of entry takes.

    origin is `from`: a list of values where it is written as a list. late: the condition reads $channels, so
    `from` is looked up before it. first: the entry as it is in copy 0.
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
    """An operator. `op` is there when no field depends on variables; `branches` when it is a join with some."""

    __slots__ = ("branches", "fields", "op", "operator")

    def __init__(self, kind: str, node: reader.YamlNode, operator: type[Operator]) -> None:
        super().__init__(kind, node)
        self.operator = operator
        self.fields: dict[str, Value] = {}
        self.op: Operator | None = None
        self.branches: list[Branch] | None = None


class Branch:
    """One branch of a join: layers, perhaps under a name."""

    __slots__ = ("condition", "indexed", "layers", "name", "node")

    def __init__(self, node: reader.YamlNode, layers: list[Entry]) -> None:
        self.node = node
        self.layers = layers
        self.name: Value | None = None
        self.condition: Value | None = None
        self.indexed = False


class Group(Entry):
    """Layers under one name."""

    __slots__ = ("indexed", "layers")

    def __init__(self, node: reader.YamlNode) -> None:
        super().__init__("group", node)
        self.indexed = False
        self.layers: list[Entry] = []


class Block:
    """A macro: parameters and a body. A parameter's default is None where it is required. refs: the names of those
    that are layers where the block is used."""

    __slots__ = ("indexed", "layers", "name", "node", "params", "refs")

    def __init__(self, name: str, node: reader.YamlNode) -> None:
        self.name = name
        self.node = node
        self.params: dict[str, Value | None] = {}
        self.refs: list[str] = []
        self.indexed = False
        self.layers: list[Entry] = []


class Call(Entry):
    """A use of a block."""

    __slots__ = ("arguments", "block")

    def __init__(self, node: reader.YamlNode, block: Block) -> None:
        super().__init__(block.name, node)
        self.block = block
        self.arguments: dict[str, Value] = {}


class Use(Entry):
    """A use whose block or operator a variable names; compiled per name when it is known.

    reads: the names that stand in its arguments.
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
    """foreach: the layers once per item."""

    __slots__ = ("index", "items", "layers", "targets", "unpack")

    def __init__(self, node: reader.YamlNode, items: Value, targets: list[str], unpack: bool) -> None:
        super().__init__("foreach", node)
        self.items = items
        self.targets = targets
        self.unpack = unpack
        self.index: str | None = None
        self.layers: list[Entry] = []


class NetworkEntry(Entry):
    """Another spec as a layer: its entries, its variables' values, and what makes its operators.

    arch: as it is written. inputs: what its file calls its inputs. outputs: those that its file names. until: the path
    of the layer it ends with.
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
