"""Parts as records: which names are written, scopes that are numbered, and paths of the layers that entries read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convcalc.formats.spec.parts import Body, Part, Reference
from convcalc.formats.spec.records import Branch, Entry, Expression, Group, Layer, Use
from convcalc.formats.spec.tree import Atom, Scope
from convcalc.graph import Graph, is_input


class Unaddressed(Exception):
    """A layer that another one reads has no path from there."""


class Paths:
    """Where the layers are as written, and from which entry on each scope has a member of a name."""

    def __init__(self, graph: Graph, top: Scope) -> None:
        self.of: dict[int, str] = {}
        self.members: dict[str, dict[str, int]] = {}
        self.exits: dict[int, list[str]] = {}  # the scopes that end with a layer, outer ones first
        for place, entry in enumerate(graph.inputs):
            self.of[-1 - place] = entry.name
        stack = [top]
        while stack:
            scope = stack.pop()
            self.members[scope.path] = {}
            for member in scope.members:
                if isinstance(member, Atom):
                    path = f"{scope.path}.{member.segment}" if scope.path else member.segment
                    self.of[member.node.index] = path
                else:
                    if member.join is not None:
                        self.of[member.join.index] = member.path
                    stack.append(member)

    def enter(self, part: Part, order: int) -> None:
        """Take in an entry, with its place among all entries of the network."""
        part.order = order
        assert part.segment is not None
        if part.body is None and not part.named_join:
            self.of[part.exit] = f"{part.at}.{part.segment}" if part.at else part.segment
        self.members[part.at].setdefault(part.segment, order)

    def add_exits(self, body: Body) -> None:
        """Take in the last layers of all groups in a body."""
        for part in body.parts:
            for inner in part.bodies():
                if part.body is not None:
                    self.exits.setdefault(part.exit, []).append(inner.path)
                self.add_exits(inner)

    def layer_address(self, index: int, reader: Part) -> str:
        """As `address`, but always the path of the layer itself, never of a scope that ends with it."""
        return self._address([self.of[index]], index, reader)

    def scope_address(self, path: str, reader: Part) -> str:
        """The path of a scope for an entry."""
        return self._address([path], 0, reader)

    def address(self, index: int, reader: Part) -> str:
        """The path of a layer for an entry, as the language looks it up: from the innermost scope outwards, among
        earlier entries. Raises Unaddressed."""
        return self._address([*self.exits.get(index, ()), self.of[index]], index, reader)

    def _address(self, paths: Sequence[str], index: int, reader: Part) -> str:
        around = reader.at.split(".") if reader.at else []
        order = (
            reader.order + reader.is_use
        )  # what a use gives to its block is looked up when its scope is there
        for path in paths:
            segments = path.split(".") if not is_input(index) else [path]
            if around[: len(segments)] == segments:
                continue  # the reader is part of that scope
            shared = 0
            while shared < min(len(segments) - 1, len(around)) and segments[shared] == around[shared]:
                shared += 1
            for outer in range(shared, -1, -1):
                inner = (".".join(around[:depth]) for depth in range(outer + 1, len(around) + 1))
                if not any(self._has(scope, segments[outer], order) for scope in inner):
                    return ".".join(segments[outer:])
        raise Unaddressed

    def _has(self, scope: str, segment: str, order: int) -> bool:
        """Whether a scope has a member of this name before an entry."""
        return self.members.get(scope, {}).get(segment, order) < order


@dataclass(slots=True)
class _Numbering:
    """Ordinals of a scope's entries by kind, and the next number of an indexed scope. counted: numbers without gaps, so
    that no name is written. irregular: blocks some of whose uses in the scope have names of their own, so that all
    names are written."""

    indexed: bool
    counted: bool = False
    irregular: frozenset[str] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)
    next: int = 0

    def written(self, part: Part) -> str | None:
        """The part's name, or None if the language gives it the same one."""
        ordinal = self.counts[part.kind] = self.counts.get(part.kind, 0) + 1
        if self.counted:
            return None
        if self.indexed:
            number, segment = self.next, part.segment or ""
            self.next = int(segment) + 1
            return None if segment == str(number) else segment
        if part.branches is not None and not part.named_join:
            return None
        named = part.node is not None and part.node.named
        named = named or part.kind in self.irregular
        if not part.fixed or (part.segment == f"{part.kind}{ordinal}" and not named):
            return None
        return part.segment


class Finisher:
    """Makes entries of parts. outside: for the body of a block, the references by the index that they stand for."""

    def __init__(self, graph: Graph, paths: Paths) -> None:
        self.graph = graph
        self.paths = paths

    def entries(self, body: Body, numbering: _Numbering | None = None) -> tuple[Entry, ...]:
        """The entries of a body."""
        numbering = numbering or _Numbering(False, irregular=_irregular([body]))
        return tuple([self._entry(part, numbering) for part in body.parts])

    def group(self, body: Body, counted: bool = False) -> tuple[tuple[Entry, ...], bool]:
        """The entries of a group or block, and whether they are numbered. counted: they are, without gaps, though some
        instances lack an entry."""
        indexed = counted or is_indexed(body)
        return self.entries(body, _Numbering(indexed, counted, _irregular([body]))), indexed

    def _entry(self, part: Part, numbering: _Numbering) -> Entry:
        common: dict[str, Any] = {
            "name": numbering.written(part),
            "origin": tuple([self._origin(source, part) for source in part.origin]),
            "condition": part.condition,
            "repeat": part.repeat,
            "copies": part.copies,
            "first": self._values(part.first, part),
            "share": self._share(part),
            "keys": part.keys,
            "reads": part.reads or (part.main,),
        }
        if part.body is not None and not part.is_use:
            layers, indexed = self.group(part.body)
            return Group(layers=layers, naming=indexed, **common)
        if part.is_use:
            return Use(block=part.kind, arguments=self._values(part.fields, part), **common)
        branches = None
        if part.branches is not None:
            inner = _Numbering(False, irregular=_irregular(part.branches)) if part.named_join else numbering
            branches = tuple([self._branch(branch, inner) for branch in part.branches])
        return Layer(
            kind=part.kind,
            fields=self._values(part.fields, part),
            branches=branches,
            nodes=part.nodes or (part.exit,),
            **common,
        )

    def _share(self, part: Part) -> str | None:
        if part.twin is not None:
            return self.paths.scope_address(part.twin, part)
        return None if part.share is None else self.paths.layer_address(part.share, part)

    def _branch(self, body: Body, numbering: _Numbering) -> Branch:
        layers = self.entries(body, numbering)
        if len(layers) == 1 and isinstance(only := layers[0], Group) and _is_plain(only):
            return Branch(layers=only.layers, name=only.name, naming=only.naming, condition=body.condition)
        return Branch(layers=layers, condition=body.condition)

    def _origin(self, source: Reference | Expression, part: Part) -> str | Expression:
        return source if isinstance(source, Expression) else self.paths.address(source.index, part)

    def _values(self, values: Mapping[str, Any], part: Part) -> dict[str, Any]:
        return {
            name: self.paths.address(value.index, part) if isinstance(value, Reference) else value
            for name, value in values.items()
        }


def _irregular(bodies: Iterable[Body]) -> frozenset[str]:
    """The blocks of whose uses in a scope some have other names than kind and ordinal."""
    counts: dict[str, int] = {}
    found: set[str] = set()
    stack = [iter(body.parts) for body in reversed(list(bodies))]
    while stack:
        part = next(stack[-1], None)
        if part is None:
            stack.pop()
            continue
        counts[part.kind] = counts.get(part.kind, 0) + 1
        if part.is_use and part.segment != f"{part.kind}{counts[part.kind]}":
            found.add(part.kind)
        if part.branches is not None and not part.named_join:
            stack += [iter(branch.parts) for branch in reversed(part.branches)]
    return frozenset(found)


def _is_plain(group: Group) -> bool:
    """Whether a group can be a branch of its own, which takes a name and `naming`. An `if` would mean something else: a
    branch that is switched off is gone, a group that is leaves the identity."""
    return not (group.origin or group.share or group.repeat or group.condition) and group.name is not None


def is_indexed(body: Body) -> bool:
    """Whether a scope's entries can be numbered: their segments are rising numbers, and no join adds none."""
    last = -1
    for part in body.parts:
        segment = part.segment
        if part.branches is not None and not part.named_join:
            return False
        if segment is None or not segment.isdecimal() or str(int(segment)) != segment or int(segment) <= last:
            return False
        last = int(segment)
    return bool(body.parts)


def referenced(bodies: Iterable[Body]) -> set[int]:
    """The layers that entries name."""
    found: set[int] = set()
    stack: list[Body] = list(bodies)
    while stack:
        for part in stack.pop().parts:
            values: Sequence[Any] = [*part.origin, *part.fields.values(), part.share]
            found |= {value.index for value in values if isinstance(value, Reference)}
            if isinstance(part.share, int):
                found.add(part.share)
            stack += part.bodies()
    return found


def unaddressed(body: Body, paths: Paths) -> list[tuple[int, str]]:
    """The layers that entries read and cannot name, each with the scope of the entry."""
    found = []
    stack = [body]
    while stack:
        for part in stack.pop().parts:
            values: Sequence[Any] = [*part.origin, *part.fields.values()]
            indices = [value.index for value in values if isinstance(value, Reference)]
            try:
                for index in indices:
                    paths.address(index, part)
                if isinstance(part.share, int):
                    index = part.share
                    paths.layer_address(index, part)
            except Unaddressed:
                found.append((index, part.at))
            stack += part.bodies()
    return found


def fix_names(bodies: Iterable[Body], named: set[int]) -> None:
    """Keep the names of layers that other entries name."""
    stack = list(bodies)
    while stack:
        for part in stack.pop().parts:
            if part.node is not None and part.node.index in named:
                part.fixed = True
            stack += part.bodies()


def settle_names(body: Body, paths: Paths) -> None:
    """Call layers without a name of their own as the language will, by kind and ordinal in the order of the entries,
    and number all entries in that order. A layer whose default name another one has been given gets a name."""
    _Settling(paths).scope(body)


class _Settling:
    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.order = 0

    def scope(self, *bodies: Body) -> None:
        """Settle the names of one scope: a group's list, or the branches of a named join."""
        given = set().union(*map(_given, bodies))
        counts: dict[str, int] = {}
        for body in bodies:
            self._body(body, counts, given)

    def _body(self, body: Body, counts: dict[str, int], given: set[str]) -> None:
        for part in body.parts:
            ordinal = counts[part.kind] = counts.get(part.kind, 0) + 1
            if not part.fixed:
                name = default = f"{part.kind}{ordinal}"
                number = 2
                while name in given:
                    part.fixed = part.branches is None
                    name = f"{default}_{number}"
                    number += 1
                part.segment = name
            self.order += 1
            if part.body is not None:
                self.paths.enter(part, self.order)
                self.scope(part.body)
            elif part.branches is not None and part.named_join:
                self.paths.enter(part, self.order)
                self.scope(*part.branches)
            else:  # a layer is there once it is built, after the branches of a join
                for branch in part.branches or ():
                    self._body(branch, counts, given)
                self.order += 1
                self.paths.enter(part, self.order)


def _given(body: Body) -> set[str]:
    """The names that are written in a scope, branches without a scope of their own included."""
    found: set[str] = set()
    for part in body.parts:
        if part.fixed and part.segment is not None:
            found.add(part.segment)
        if part.branches is not None and not part.named_join:
            for branch in part.branches:
                found |= _given(branch)
    return found
