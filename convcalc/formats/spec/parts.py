"""The working form of a spec while it is folded: lists of parts, which blocks and runs then rewrite.

A part becomes an entry of the spec. Its references to layers are indices of the graph's nodes until the end, when
every name is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from convcalc.formats.spec.records import Expression
from convcalc.graph import Graph, Node
from convcalc.ops import Operator
from convcalc.shapes import Shape, compact

GROUP = "group"


@dataclass(frozen=True, slots=True)
class Reference:
    """A layer or input of the graph as a value. shape: only its shape is used, as by `like`."""

    index: int
    shape: bool = False


@dataclass(slots=True, eq=False)
class Body:
    """A list of parts that read one another. entry: the index that the first one reads, None if there is none.

    path: the path of the scope that the parts are in. name: that of a named branch.
    """

    parts: list[Part]
    entry: int | None
    path: str = ""
    condition: Expression | None = None


@dataclass(slots=True, eq=False)
class Part:
    """An entry in the making.

    kind: an operator, a block, or `group`. segment: its path segment; None for a join with branches that adds none.
    fixed: whether the segment must be as it is, because weights or other names depend on it. main: the index that it
    reads; sources: all that a join with `from` reads. node: of a layer. exit: the index of its output. inner: indices
    of its nodes if it is a join with branches or a group. at: the path of the scope that it is in. order: its place
    among all entries. share: the layer whose weights it uses; twin: of a
    group, the path of the scope. is_use: whether kind is a block; the body is then what the use stands for.
    """

    kind: str
    segment: str | None = None
    fixed: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    main: int | None = None
    sources: tuple[int, ...] = ()
    origin: tuple[Reference | Expression, ...] = ()
    node: Node | None = None
    exit: int = -1
    inner: frozenset[int] | set[int] = frozenset()
    simple: bool = True
    branches: list[Body] | None = None
    body: Body | None = None
    share: int | None = None
    twin: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    repeat: Any = None
    copies: str | None = None
    first: dict[str, Any] = field(default_factory=dict)
    named_join: bool = False
    condition: Expression | None = None
    is_use: bool = False
    at: str = ""
    order: int = 0
    reads: tuple[int | None, ...] = ()
    nodes: tuple[int | None, ...] = ()

    def lists(self) -> Iterator[Body]:
        """The lists of parts that are written as they are: not what the use of a block stands for."""
        if not self.is_use:
            yield from self.bodies()

    def bodies(self) -> Iterator[Body]:
        """The lists of parts within: a group's, or one for each branch."""
        if self.body is not None:
            yield self.body
        yield from self.branches or ()


def written_value(value: Any) -> Any:
    """An operator's value as a spec has it: tuples for lists, equal values per axis as one."""
    return _tupled(compact(value)) if isinstance(value, (tuple, list)) else value


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, (tuple, list)) else value


class Minimal:
    """The fewest fields that give an operator back, found by leaving out what the operator fills in itself."""

    def __init__(self, graph: Graph) -> None:
        self._known: dict[tuple[Operator, tuple[Shape, ...]], dict[str, Any]] = {}
        self._names = {entry.name: -1 - place for place, entry in enumerate(graph.inputs)}
        self._names |= {node.name: node.index for node in graph.nodes}
        if len(graph.inputs) == 1:
            self._names.setdefault("input", -1)

    def fields(self, node: Node) -> dict[str, Any]:
        """The fields to write for a layer, in the order of the operator's; layers that fields name as References."""
        key = (node.op, node.input_shapes)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._found(node.op, node.input_shapes)
        result = dict(found)
        op = node.op
        for name, at in op.named_inputs(node.input_shapes).items():
            result[name] = Reference(node.inputs[at])
        if op.shape_field is not None and (like := getattr(op, op.shape_field)) is not None:
            target = self._names.get(like)
            if target is not None and target < node.index:
                result.pop("size", None)
                result[op.shape_field] = Reference(target, shape=True)
        return result

    def _found(self, op: Operator, shapes: tuple[Shape, ...]) -> dict[str, Any]:
        skipped = {*op.layer_fields(), op.shape_field}
        infos = op.fields()
        fields = {
            name: getattr(op, name)
            for name, info in infos.items()
            if name not in skipped and (info.required or getattr(op, name) != info.default)
        }
        named = {name: getattr(op, name) for name in op.layer_fields() if getattr(op, name) is not None}
        aim = op.shown_fields()
        if op.shape_field is not None:
            aim[op.shape_field] = None

        def gives(kept: dict[str, Any]) -> bool:
            try:
                return type(op)(**kept, **named).bind(shapes).shown_fields() == aim
            except Exception:  # any refusal: the field is needed
                return False

        # `groups` of a depthwise convolution follow from `depthwise`, `filters` from the input
        for name in sorted(fields, key=lambda name: (name != "groups", name != "filters")):
            if not infos[name].required:
                rest = {other: value for other, value in fields.items() if other != name}
                if gives(rest):
                    fields = rest
        for name, value in fields.items():
            short = written_value(value)
            if short is not value and gives({**fields, name: short}):
                fields[name] = short
        return fields
