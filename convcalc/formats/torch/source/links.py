"""The modules of a scope's entries: layers, groups, uses of blocks and copies, alone and called one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from convcalc.formats.spec.records import Entry, Group, Layer, Use
from convcalc.formats.torch.source.copies import as_module, sequential_of
from convcalc.formats.torch.source.forms import form
from convcalc.formats.torch.source.made import Link, Made, NotAChain, Resolver, Value
from convcalc.formats.torch.source.scopes import (
    fields_naming_layers,
    outside_paths,
    paths_into,
    segments,
)
from convcalc.formats.torch.source.site import Call, Form, InexpressibleError, Site
from convcalc.formats.torch.source.sizes import Sizes, output_sizes
from convcalc.formats.torch.source.symbols import (
    difference,
    has_names,
    identifier,
    replaced,
    source,
    unique,
)
from convcalc.graph import Graph, Node

MAX_GAP = 16  # placeholders in a row of a numbered container


class Program(Protocol):
    """The source in the making, which makes the modules of groups and blocks."""

    graph: Graph
    helpers: set[str]

    def used(self, scope: Scope, entry: Use, sizes: Sizes) -> Made:
        """The module of a block's use."""

    def grouped(
        self,
        scope: Scope,
        entry: Group,
        sizes: Sizes,
        segment: str,
        main: Value | None,
        requested: Sequence[str] = (),
    ) -> Made:
        """The module of a group, which also gives the values of the layers requested."""


@dataclass(slots=True)
class Scope:
    """What the entries of a scope see. names: sources of a block's parameters; refs: values of its references, by name;
    entries, naming: of the scope itself."""

    program: Program
    names: Mapping[str, str]
    entries: Sequence[Entry]
    naming: bool
    segments: dict[int, str] = field(default_factory=dict)
    requested: tuple[str, ...] = ()  # paths within that others read
    body: Resolver | None = None  # where values have names; None in a chain
    nullable: set[str] = field(default_factory=set)  # arguments that can be None
    filled: dict[str, str] = field(default_factory=dict)  # the source of their value then
    locals: dict[str, str] = field(default_factory=dict)  # variables of the constructor, with their sources

    def __post_init__(self) -> None:
        self.segments = segments(self.entries, self.naming)

    def preamble(self) -> list[str]:
        """The statements that fill in arguments that are None."""
        return [
            f"        {name} = {value} if {name} is None else {name}" for name, value in self.filled.items()
        ]

    def named(self, sizes: Sizes) -> dict[str, str]:
        """The names that expressions may use, with `channels`, those of what the entry reads."""
        names = dict(self.names)
        if sizes and sizes[0] is not None:
            names["channels"] = sizes[0]
        else:
            names.pop("channels", None)
        return names

    def nodes(self, entry: Layer) -> list[Node]:
        """The layers of the graph that an entry stands for."""
        return [self.program.graph.nodes[index] for index in entry.nodes if index is not None]

    def form(
        self,
        entry: Layer,
        inputs: Sequence[Value],
        segment: str,
        like: str | None = None,
    ) -> tuple[Form, Sizes]:
        """The form of a layer, the same for all its uses, and the sizes of its output."""
        nodes = self.nodes(entry)
        if not nodes:
            raise InexpressibleError(f"{entry.kind}: it is in no use of its block")
        if nodes[0].parameters and entry.keys and not nodes[0].keys:
            raise InexpressibleError(f"{nodes[0].name}: its path is written in another way")
        read = [
            self.sizes_at(value.sizes, [node.input_shapes[place] for node in nodes])
            for place, value in enumerate(inputs)
        ]
        first = read[0] if read else ()
        names = self.named(first)
        fields = {name: source(value, names) for name, value in entry.fields.items() if has_names(value)}
        filters = fields.get("filters")
        if filters in self.nullable and first:  # null filters are as many as the input's channels
            self.filled.setdefault(filters, first[0] or "")
        found: Form | None = None
        for node in {(node.op, node.input_shapes): node for node in nodes}.values():
            site = Site(
                node.op,
                node.input_shapes,
                sizes=first,
                fields=fields,
                batched=tuple([value.batched for value in inputs]),
                attribute=identifier(segment),
                like=like,
            )
            other = form(site)
            if found is not None and other != found:
                raise InexpressibleError(f"{node.name}: its uses differ in more than parameters")
            found = other
        assert found is not None
        self.program.helpers.update(found.helpers)
        return found, output_sizes(nodes[0], read, fields)

    def sizes_at(self, sizes: Sizes, shapes: Sequence[tuple[int, ...]]) -> Sizes:
        """The sizes, with numbers for those that all uses have alike."""
        if len({len(shape) for shape in shapes}) > 1:
            return ()
        return tuple(
            [
                size
                if size is not None
                else str(shapes[0][place])
                if len({shape[place] for shape in shapes}) == 1
                else None
                for place, size in enumerate(sizes or (None,) * len(shapes[0]))
            ]
        )

    def read_sizes(self, entry: Entry, sizes: Sizes) -> Sizes:
        """The sizes of what a use or group reads, with numbers where all uses agree."""
        graph = self.program.graph
        shapes = [graph.shape(index) for index in entry.reads if index is not None]
        return self.sizes_at(sizes, shapes) if shapes else sizes

    def condition(self, entry: Entry, sizes: Sizes) -> str:
        """The source of an entry's condition; "" if it has none."""
        return "" if entry.condition is None else replaced(entry.condition.text, self.named(sizes))

    # -- modules ------------------------------------------------------------------------------------------------

    def made(self, entry: Entry, sizes: Sizes, segment: str, main: Value | None = None) -> Made:
        """The module of an entry: one that reads a single value, or a group or block."""
        if entry.repeat is not None:
            return self._repeated(entry, sizes, segment)
        return self._single(entry, sizes, segment, {}, main)

    def _single(
        self,
        entry: Entry,
        sizes: Sizes,
        segment: str,
        changes: Mapping[str, object],
        main: Value | None = None,
    ) -> Made:
        if isinstance(entry, Use):
            changed = replace(entry, arguments={**entry.arguments, **changes})
            return self.program.used(self, changed, self.read_sizes(entry, sizes))
        if isinstance(entry, Group):
            return self.program.grouped(self, entry, self.read_sizes(entry, sizes), segment, main)
        assert isinstance(entry, Layer)
        if changes:
            raise NotAChain
        if entry.branches is not None or fields_naming_layers(entry):
            raise NotAChain
        nodes = self.nodes(entry)
        if len(nodes[0].inputs) != 1:
            raise NotAChain
        found, after = self.form(entry, (Value(0, sizes),), segment)
        if not found.in_chain and not found.is_function:
            raise NotAChain
        weighted = bool(nodes[0].parameters)
        return Made(as_module(found, self.program.helpers), after, weighted=weighted)

    def _repeated(self, entry: Entry, sizes: Sizes, segment: str) -> Made:
        """Copies in a Sequential: the first, and the others in a loop."""
        names = self.named(sizes)
        count = source(entry.repeat, names)
        single = replace(entry, repeat=None, copies=None, first={}, condition=None)
        read = self.read_sizes(entry, sizes)
        first = self._single(single, read, segment, entry.first)
        plain = replace(single, reads=())
        second = self._single(plain, first.sizes, segment, {})
        third = self._single(plain, second.sizes, segment, {})
        if not first.in_chain:
            raise InexpressibleError(f"{segment}: its copies read more than one another")
        after = second.sizes
        start = 1
        call = second.call
        if third.sizes != second.sizes:
            call, after = self._growing(plain, read, first, count, segment)
        if (str(first.call) == str(second.call) and third.sizes == second.sizes) or (
            third.sizes != second.sizes and str(self._at(plain, read, call, "0")) == str(first.call)
        ):
            start = 0
        return Made(sequential_of(first.call, call, count, start, entry.copies, names), after)

    def _growing(
        self, plain: Entry, read: Sizes, first: Made, count: str, segment: str
    ) -> tuple[Call, Sizes]:
        """A copy whose input grows by the same number of channels each time, as in DenseNet."""
        step = difference(first.sizes[0], read[0])
        if step is None:
            raise InexpressibleError(f"{segment}: the channels of its copies differ")
        size = replaced(f"({read[0]}) + ({step}) * i", {})
        made = self._single(plain, (size, *read[1:]), segment, {})
        return made.call, (replaced(f"({read[0]}) + ({step}) * ({count})", {}), *first.sizes[1:])

    def _at(self, plain: Entry, sizes: Sizes, call: Call, index: str) -> Call:
        """A copy's constructor with its index filled in."""
        return Call(
            call.name,
            tuple([replaced(str(a), {"i": index}) if "=" not in str(a) else a for a in call.arguments]),
        )

    # -- chains -------------------------------------------------------------------------------------------------

    def links(self, sizes: Sizes) -> tuple[list[Link], Sizes]:
        """The scope's entries as modules called one after another. Raises NotAChain."""
        if outside_paths(self.entries, self.naming):
            raise NotAChain
        found: list[Link] = []
        for entry in self.entries:
            segment = self.segments[id(entry)]
            if entry.origin or entry.share is not None or paths_into(self.entries, segment):
                raise NotAChain
            made = self.made(entry, sizes, segment)
            if not made.in_chain:
                raise NotAChain
            condition = self.condition(entry, sizes)
            after: tuple[str, ...] = ()
            if condition:
                sizes, after = self.either(condition, sizes, made.sizes)
            else:
                sizes = made.sizes
            found.append(Link(segment, made.call, condition, after, sizes))
        return found, sizes

    def either(self, condition: str, before: Sizes, after: Sizes) -> tuple[Sizes, tuple[str, ...]]:
        """The sizes behind an entry that may not be there, and the statement that computes them."""
        if before == after or len(before) != len(after):
            return after, ()
        rest = tuple([a if a == b else None for a, b in zip(before[1:], after[1:], strict=True)])
        if before[0] == after[0] or before[0] is None or after[0] is None:
            return (after[0] if before[0] == after[0] else None, *rest), ()
        name = unique("inner", {*self.locals, *self.names.values()})
        self.locals[name] = f"{after[0]} if {condition} else {before[0]}"
        return (name, *rest), (f"{name} = {self.locals[name]}",)

    def without_locals(self, sizes: Sizes) -> Sizes:
        """The sizes in terms of the constructor's arguments."""
        for name, value in reversed(self.locals.items()):
            sizes = tuple([None if size is None else replaced(size, {name: value}) for size in sizes])
        return sizes
