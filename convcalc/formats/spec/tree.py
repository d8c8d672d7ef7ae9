"""The tree of scopes that a graph's paths describe, each scope with its members in execution order.

A scope can be written as a group only if its layers can run without a layer from outside between them. Where that is
not so (a container whose parts are called from elsewhere), layers without weights that stand between move into it, or
the scope is dissolved: its members move up, with the path as one segment, and `keys` keeps their weights' names.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from convcalc.graph import Graph, Node
from convcalc.language.words import segment_problem

MAX_DEPTH = 40  # scopes in one another; the reader of specs allows 100 levels of YAML
MAX_SEGMENT = 180  # characters of a segment; the language allows 200, and a number may follow


@dataclass(slots=True, eq=False)
class Atom:
    """A layer in the tree. segment: the last part of its path."""

    node: Node
    segment: str

    @property
    def first(self) -> int:
        """The index of the node."""
        return self.node.index

    def nodes(self) -> Iterator[Node]:
        """The node."""
        yield self.node


@dataclass(slots=True, eq=False)
class Scope:
    """A path segment and its members. join: the named join whose branches they are, if any.

    path: as written, the segments from the top; original: the path in the graph, None for a scope of other names.
    """

    segment: str
    path: str
    original: str
    members: list[Atom | Scope] = field(default_factory=list)
    join: Node | None = None
    first: int = -1

    def nodes(self) -> Iterator[Node]:
        """All nodes in the scope."""
        for member in self.members:
            yield from member.nodes()
        if self.join is not None:
            yield self.join

    def scopes(self) -> Iterator[Scope]:
        """The scopes directly in this one."""
        return (member for member in self.members if isinstance(member, Scope))


def build_tree(graph: Graph, *, flat: bool = False) -> Scope:
    """The tree of a graph's scopes. flat: without scopes, every layer at the top.

    Members are in an order in which each follows all that it reads.
    """
    top = Scope("", "", "")
    if flat:
        top.members = [Atom(node, node.name.replace(".", "_")) for node in graph.nodes]
    else:
        _fill(top, graph)
    _settle(top, graph)
    _name(top, {entry.name for entry in graph.inputs} | {"input"})
    return top


def _fill(top: Scope, graph: Graph) -> None:
    """Put every node into the scope of its path."""
    known: dict[str, Scope] = {"": top}

    def scope_at(path: str) -> Scope:
        found = known.get(path)
        if found is None:
            outer, _, segment = path.rpartition(".")
            if path.count(".") >= MAX_DEPTH:
                return scope_at(outer)
            found = known[path] = Scope(segment, path, path)
            scope_at(outer).members.append(found)
        return found

    scopes = {node.scope for node in graph.nodes}
    for node in graph.nodes:
        if node.name in scopes:
            scope_at(node.name).join = node
        else:
            within = scope_at(node.scope)
            name = node.name.removeprefix(within.original + ".") if within.original else node.name
            within.members.append(Atom(node, name))


def _settle(top: Scope, graph: Graph) -> None:
    """Sort all members by execution order, dissolving scopes that cannot be entered once."""
    stack = [top]
    while stack:
        scope = stack.pop()
        while (cyclic := _sort(scope)) is not None:
            inner, between = cyclic
            if between:
                inner.members += between
                scope.members = [member for member in scope.members if member not in between]
            else:
                _dissolve(scope, inner)
        stack += scope.scopes()


def _sort(scope: Scope) -> tuple[Scope, list[Atom | Scope]] | None:
    """Sort the members by dependencies, else by index. If they form a cycle, a scope in it, and the layers without
    weights that alone stand between its members; without any, the scope has to be dissolved."""
    owner: dict[int, int] = {}
    members = scope.members
    inside: list[list[Node]] = []
    for position, member in enumerate(members):
        nodes = list(member.nodes())
        inside.append(nodes)
        for node in nodes:
            owner[node.index] = position
        if isinstance(member, Scope):
            member.first = min(node.index for node in nodes)
    if all(isinstance(member, Atom) for member in members):
        members.sort(key=lambda member: member.first)
        return None
    needs: list[set[int]] = []
    readers: list[list[int]] = [[] for _ in members]
    for position, nodes in enumerate(inside):
        sources = {owner[source] for node in nodes for source in _sources(node) if source in owner}
        sources.discard(position)
        needs.append(sources)
        for source in sources:
            readers[source].append(position)
    left = [len(sources) for sources in needs]
    ready = [(members[position].first, position) for position, count in enumerate(left) if not count]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, position = heapq.heappop(ready)
        order.append(position)
        for reader in readers[position]:
            left[reader] -= 1
            if not left[reader]:
                heapq.heappush(ready, (members[reader].first, reader))
    if len(order) == len(members):
        scope.members = [members[position] for position in order]
        return None
    done = set(order)
    stuck = [position for position in range(len(members)) if position not in done]
    candidates = [member for member in _in_cycle(stuck, needs) if isinstance(members[member], Scope)]
    for position in sorted(candidates, key=lambda position: -len(inside[position])):
        between = _between(position, needs, readers)
        movable = [members[place] for place in between]
        if all(isinstance(member, Atom) and not member.node.parameters for member in movable):
            return _scope(members[position]), movable
    return _scope(members[min(candidates, key=lambda position: len(inside[position]))]), []


def _scope(member: Atom | Scope) -> Scope:
    assert isinstance(member, Scope)
    return member


def _between(position: int, needs: list[set[int]], readers: list[list[int]]) -> list[int]:
    """The members that depend on one and that it depends on."""
    after = _reachable(position, readers)
    return sorted(after & _reachable(position, [list(sources) for sources in needs]) - {position})


def _reachable(start: int, steps: list[list[int]]) -> set[int]:
    found: set[int] = set()
    stack = [start]
    while stack:
        for step in steps[stack.pop()]:
            if step not in found:
                found.add(step)
                stack.append(step)
    return found


def _in_cycle(stuck: list[int], needs: list[set[int]]) -> list[int]:
    """The members of one cycle among those that could not be sorted."""
    alive = set(stuck)
    seen: dict[int, int] = {}
    path: list[int] = []
    step = stuck[0]
    while step not in seen:
        seen[step] = len(path)
        path.append(step)
        step = next(need for need in needs[step] if need in alive)
    return path[seen[step] :]


def _sources(node: Node) -> Iterable[int]:
    """What a node reads, and the layer whose weights it shares: both have to come before it."""
    return node.inputs if node.shares is None else (*node.inputs, node.shares)


def _dissolve(scope: Scope, inner: Scope) -> None:
    """Replace a scope by its members."""
    position = scope.members.index(inner)
    moved: list[Atom | Scope] = list(inner.members)
    if inner.join is not None:
        moved.append(Atom(inner.join, ""))
    for member in moved:
        member.segment = f"{inner.segment}_{member.segment}".strip("_")
    scope.members[position : position + 1] = moved


def dissolve(top: Scope, path: str, graph: Graph) -> None:
    """Replace the scope at a path by its members."""
    stack = [top]
    while stack:
        scope = stack.pop()
        inner = next((inner for inner in scope.scopes() if inner.path == path), None)
        if inner is not None:
            _dissolve(scope, inner)
            break
        stack += scope.scopes()
    _settle(top, graph)
    _name(top, {entry.name for entry in graph.inputs} | {"input"})


def _name(top: Scope, inputs: set[str]) -> None:
    """Give every member a segment that the language allows and no other member of the scope has."""
    stack = [top]
    while stack:
        scope = stack.pop()
        taken = set(inputs) if scope is top else set()
        written = {member.segment for member in scope.members}
        for member in scope.members:
            wanted = member.segment
            if segment_problem(wanted) is not None or len(wanted) > MAX_SEGMENT or wanted in taken:
                stem = re.sub(r"[^A-Za-z0-9_-]", "_", wanted)[:MAX_SEGMENT].lstrip("-") or "layer"
                number = 2
                candidate = stem
                while candidate in taken or candidate in written or segment_problem(candidate) is not None:
                    candidate = f"{stem}_{number}"
                    number += 1
                member.segment = candidate
            taken.add(member.segment)
            if isinstance(member, Scope):
                member.path = f"{scope.path}.{member.segment}" if scope.path else member.segment
                stack.append(member)
