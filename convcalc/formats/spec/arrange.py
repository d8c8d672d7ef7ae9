"""Scopes as lists of parts: chains, joins with branches where they are series-parallel, `from` where they are not.

A join is written with branches if all that lies between it and the nearest layer that all its inputs come from is
read by nothing else. Otherwise it names its inputs. Only that join falls back, not the scope around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from convcalc.formats.spec.parts import GROUP, Body, Minimal, Part, Reference
from convcalc.formats.spec.tree import Atom, Scope
from convcalc.graph import INPUT, Graph, Node
from convcalc.weights.load import parameter_keys

MAX_REGION = 500  # parts of a branch
MAX_NESTING = 12  # joins in branches of joins
OUTSIDE = -(2**40)  # stands for whoever reads an output of the network


class Unarranged(Exception):
    """A named join's members are not its branches: the scope has to be dissolved."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope


class Arranger:
    """Turns scopes into bodies. branches: whether joins may have branches. names: of layers that need one."""

    def __init__(
        self, graph: Graph, *, branches: bool = True, names: Mapping[int, str] | None = None
    ) -> None:
        self.graph = graph
        self.names = names or {}
        self.branches = branches
        self.minimal = Minimal(graph)
        self.readers: dict[int, list[int]] = {}
        for node in graph.nodes:
            for source in node.inputs:
                self.readers.setdefault(source, []).append(node.index)
        for output in graph.outputs:
            self.readers.setdefault(output.node, []).append(OUTSIDE)
        self.depths: dict[int, int] = {}  # of joins with branches, by index

    def top(self, scope: Scope) -> Body:
        """The body of the whole network. Raises Unarranged."""
        parts = [self._part(member, scope) for member in scope.members]
        return self._listed(parts, "", INPUT if len(self.graph.inputs) == 1 else None, top=True)

    def _part(self, member: Atom | Scope, within: Scope) -> Part:
        if isinstance(member, Atom):
            return self._layer(member.node, member.segment, within)
        return self._group(member, within)

    def _layer(self, node: Node, segment: str, within: Scope) -> Part:
        own = len(node.op.named_inputs(node.input_shapes))
        sources = node.inputs[: len(node.inputs) - own]
        others = {source for source in node.inputs[len(sources) :] if source not in sources}
        return Part(
            node.kind,
            self.names.get(node.index, segment),
            fixed=node.named or bool(node.parameters) or node.index in self.names,
            fields=self.minimal.fields(node),
            main=sources[0] if sources else None,
            sources=sources,
            node=node,
            exit=node.index,
            inner=frozenset((node.index,)),
            simple=not others and len(sources) == 1,
            share=node.shares,
            keys=_keys(node, segment, within.path),
        )

    def _group(self, scope: Scope, within: Scope) -> Part:
        parts = [self._part(member, scope) for member in scope.members]
        inner = {node.index for node in scope.nodes()}
        if scope.join is not None:
            return self._named_join(scope, within, parts, inner)
        body = self._listed(parts, scope.path, None)
        last = body.parts[-1].exit
        outside = {
            source
            for index in inner
            for source in self.graph.nodes[index].inputs
            if source not in inner and source != body.entry
        }
        leaks = any(
            reader not in inner for index in inner if index != last for reader in self.readers.get(index, ())
        )
        return Part(
            GROUP,
            scope.segment,
            fixed=True,
            main=body.entry,
            sources=() if body.entry is None else (body.entry,),
            exit=last,
            inner=inner,
            simple=body.entry is not None and not outside and not leaks,
            body=body,
        )

    def _named_join(self, scope: Scope, within: Scope, parts: list[Part], inner: set[int]) -> Part:
        """The join whose name the scope has, with the scope's members as its branches."""
        assert scope.join is not None
        join = self._layer(scope.join, scope.segment, within)
        rest = self._reduced([*parts, join], named=True) if self.branches else []
        if len(rest) != 1 or rest[0].branches is None:
            raise Unarranged(scope)
        rest[0].segment, rest[0].named_join, rest[0].fixed = scope.segment, True, True
        for body in rest[0].branches:
            body.path = scope.path
        return rest[0]

    # -- lists --------------------------------------------------------------------------------------------------

    def _listed(self, parts: list[Part], path: str, entry: int | None, *, top: bool = False) -> Body:
        """The parts as entries, each with `from` unless it reads the one before."""
        if self.branches:
            parts = self._reduced(parts)
        if not top:
            entry = self._entry(parts)
        before = entry
        for part in parts:
            if len(part.sources) > 1:
                part.origin = tuple(Reference(source) for source in part.sources)
            elif part.main is not None and part.main != before:
                part.origin = (Reference(part.main),)
            before = part.exit
        body = Body(parts, entry, path)
        _set_path(parts, path)
        return body

    def _entry(self, parts: list[Part]) -> int | None:
        """What the first entry of a scope reads, or if it reads nothing, the first layer outside that any reads."""
        inner: set[int] = set()
        for part in parts:
            if part.main is not None and part.main not in inner:
                return part.main
            inner |= part.inner
        return None

    # -- joins --------------------------------------------------------------------------------------------------

    def _reduced(self, parts: list[Part], *, named: bool = False) -> list[Part]:
        """The parts with series-parallel regions put into the branches of their joins. named: the last part is a join
        whose name is that of the scope around its branches."""
        ends = {part.exit: part for part in parts}
        gone: set[int] = set()
        for part in parts:
            if part.exit not in self.names and _may_branch(part, parts[-1] if named else None):
                region = self._branches(part, ends)
                if region is not None:
                    start, branches = region
                    for branch in branches:
                        gone |= {inside.exit for inside in branch}
                    self._make_join(part, start, branches)
        return [part for part in parts if part.exit not in gone]

    def _make_join(self, part: Part, start: int, branches: list[list[Part]]) -> None:
        inner = set(part.inner)
        deepest = 0
        bodies = []
        for branch in branches:
            for inside in branch:
                inner |= inside.inner
                deepest = max(deepest, self.depths.get(inside.exit, 0))
            bodies.append(Body(branch, start))
        self.depths[part.exit] = deepest + 1
        part.branches = bodies
        part.main = start
        part.sources = (start,)
        part.inner = inner
        part.simple = True

    def _branches(self, join: Part, ends: dict[int, Part]) -> tuple[int, list[list[Part]]] | None:
        """The layer that all branches of a join start from, and the branches; None if they are not separate chains."""
        if any(isinstance(value, Reference) for value in join.fields.values()):
            return None
        traces = [self._trace(source, ends) for source in join.sources]
        common = set(traces[0]).intersection(*traces[1:])
        start = next((index for index in traces[0] if index in common), None)
        if start is None:
            return None
        branches: list[list[Part]] = []
        used: set[int] = set()
        for source in join.sources:
            chain: list[Part] = []
            step = source
            reader: set[int] | frozenset[int] = frozenset((join.exit,))
            while step != start:
                part = ends[step]
                if step in used or not part.simple or not self._read_only_by(step, reader):
                    return None
                if self.depths.get(step, 0) >= MAX_NESTING:
                    return None
                used.add(step)
                chain.append(part)
                assert part.main is not None
                step, reader = part.main, part.inner
            branches.append(chain[::-1])
        if not used or self._goes_down_and_up(join, start, branches):
            return None
        return start, branches

    def _trace(self, source: int, ends: dict[int, Part]) -> list[int]:
        """The layers that a join's input comes from through a chain, nearest first."""
        trace = [source]
        step = ends.get(source)
        while step is not None and step.main is not None and len(step.sources) == 1:
            trace.append(step.main)
            if len(trace) > MAX_REGION:
                break
            step = ends.get(step.main)
        return trace

    def _read_only_by(self, index: int, readers: Iterable[int]) -> bool:
        return all(reader in readers for reader in self.readers.get(index, ()))

    def _goes_down_and_up(self, join: Part, start: int, branches: list[list[Part]]) -> bool:
        """Whether a join is a skip connection of an encoder and decoder, which is clearer with `from`: beside an
        identity branch, another one makes the map smaller and larger again."""
        size = self.graph.shape(start)[1:]
        if all(branches) or len(size) < 2:
            return False
        for branch in branches:
            if not branch or self.graph.shape(branch[-1].exit)[1:] != size:
                continue
            if any(
                len(shape := self.graph.shape(index)) == len(size) + 1
                and any(side < whole for side, whole in zip(shape[1:], size, strict=True))
                for part in branch
                if part.branches is None
                for index in (part.exit,)
            ):
                return True
        return False


def _may_branch(part: Part, named: Part | None) -> bool:
    """Whether a part is a join that can be written with branches: its name would be a scope around them."""
    node = part.node
    if node is None or len(part.sources) < 2 or node.op.role != "join":
        return False
    return part is named or not node.named


def _set_path(parts: list[Part], path: str) -> None:
    """Tell parts, and those in branches of unnamed joins, the path of the scope that they are in."""
    stack = [(part, path) for part in parts]
    while stack:
        part, at = stack.pop()
        part.at = at
        for body in part.branches or ():
            if not part.named_join:
                body.path = at
            stack += [(inner, body.path) for inner in body.parts]


def _keys(node: Node, segment: str, path: str) -> dict[str, str]:
    """The names of a layer's parameters relative to its scope as written, where they are not its path's."""
    if not node.parameters or node.shares is not None:
        return {}
    own = f"{path}.{segment}" if path else segment
    keys = {parameter.name: parameter_keys(node, parameter)[-1] for parameter in node.parameters}
    other = {name: key for name, key in keys.items() if key != (f"{own}.{name}" if name else own)}
    stems = {key.removesuffix(f".{name}") for name, key in other.items()}
    if len(other) == len(keys) and len(stems) == 1 and "" not in keys:
        stem = stems.pop()
        if all(key == f"{stem}.{name}" for name, key in keys.items()):
            return {"": _relative_key(stem, path)}
    return {name: _relative_key(key, path) for name, key in other.items()}


def _relative_key(key: str, path: str) -> str:
    """A weight's full name relative to a scope; each ^ at its start goes up one scope."""
    up = ""
    while path and not key.startswith(f"{path}."):
        path, up = path.rpartition(".")[0], f"{up}^"
    return up + (key.removeprefix(f"{path}.") if path else key)
