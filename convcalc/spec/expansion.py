"""Checked entries → the graph: blocks, branches, repeats and loops, in one pass.

`$channels` needs the shapes, so layers are wired and measured as they are met. The work is linear in the layers,
and bounded: layers are counted by the builder, steps that make no layer are counted here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from convcalc.errors import Mark, SpecError, did_you_mean
from convcalc.graph import INPUT, Builder, Trail
from convcalc.ops.fields import describe
from convcalc.spec import reader
from convcalc.spec.compiler import Compiler
from convcalc.spec.entries import Block, Branch, Call, Entry, Group, Layer, Loop, Use
from convcalc.spec.values import Value, boolean, integer, text

MAX_NESTING = 60
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")

Names = dict[str, Any]


class Scope:
    """A path segment and what it contains. `last` is its output once it is complete.

    members and counts are shared with the scope around it where a branch numbers its layers without a name of
    its own.
    """

    __slots__ = ("counts", "indexed", "last", "members", "next", "outer", "place", "prefix")

    def __init__(
        self, prefix: str, outer: Scope | None, place: reader.Node | None, indexed: bool = False
    ) -> None:
        self.prefix = prefix
        self.outer = outer
        self.place = place
        self.indexed = indexed
        self.members: dict[str, Scope | int] = {}
        self.counts: dict[str, int] = {}
        self.next = 0
        self.last: int | None = None

    @property
    def path(self) -> str:
        """The dotted path, "" at the top."""
        return self.prefix[:-1]

    def inner(self, segment: str, place: reader.Node, indexed: bool = False) -> Scope:
        """A new scope under a segment."""
        scope = Scope(f"{self.prefix}{segment}.", self, place, indexed)
        self.members[segment] = scope
        return scope

    def numbered(self) -> Scope:
        """A view of this scope that numbers its entries from 0."""
        view = Scope(self.prefix, self.outer, self.place, True)
        view.members, view.counts = self.members, self.counts
        return view


class Expansion:
    """One run over a spec's entries. `run` returns the index of the last layer."""

    def __init__(self, builder: Builder, compiler: Compiler, max_layers: int) -> None:
        self.builder = builder
        self.compiler = compiler
        self.steps = 2 * max_layers + 100_000
        self.blocks: list[Block] = []
        self.depth = 0

    def run(self, entries: list[Entry], scope: Scope, current: int, names: Names, trail: Trail | None) -> int:
        """The entries in sequence, each fed by the one before. `names` is this sequence's own."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise entries[0].node.error(f"blocks, groups and loops nested more than {MAX_NESTING} deep")
        for entry in entries:
            names["channels"] = self.builder.shape(current)[0]
            current = (
                self.loop(entry, scope, current, names, trail)
                if isinstance(entry, Loop)
                else self.entry(entry, scope, current, names, trail)
            )
        self.depth -= 1
        return current

    def loop(self, entry: Loop, scope: Scope, current: int, names: Names, trail: Trail | None) -> int:
        """foreach: opens no scope."""
        items = entry.items.evaluate(names)
        if not isinstance(items, list):
            raise entry.items.node.error(f"foreach goes through a list, not {describe(items)}")
        for position, item in enumerate(items):
            self._step(entry)
            inner = dict(names)
            if entry.unpack:
                if not isinstance(item, list) or len(item) != len(entry.targets):
                    raise entry.items.node.error(
                        f"item {position} is {describe(item)}, as: names {len(entry.targets)}",
                        "each item needs one value per name",
                    )
                inner.update(zip(entry.targets, item, strict=True))
            else:
                inner[entry.targets[0]] = item
            if entry.index:
                inner[entry.index] = position
            current = self.run(entry.layers, scope, current, inner, trail)
        return current

    def entry(self, entry: Entry, scope: Scope, current: int, names: Names, trail: Trail | None) -> int:
        """One entry: present or not, once or repeated."""
        self._step(entry)
        inputs: tuple[int, ...] = (current,)
        if entry.origin is not None:
            inputs = self._origin(entry, scope, names, trail)
            names["channels"] = self.builder.shape(inputs[0])[0]
        if entry.condition is not None and not self._guard(boolean, entry.condition, names, "if", trail):
            return current
        if isinstance(entry, Use):
            entry = self._choose(entry, names, trail)
        ordinal = scope.counts[entry.kind] = scope.counts.get(entry.kind, 0) + 1
        number = scope.next
        scope.next += 1
        if entry.name is not None:
            segment = self._segment(entry.name, names, trail)
        else:
            segment = str(number) if scope.indexed else f"{entry.kind}{ordinal}"
        if segment in scope.members:
            raise self._clash(entry, scope, segment, trail)
        if entry.repeat is None:
            named = entry.name is not None or scope.indexed
            return self.single(entry, scope, segment, named, inputs, names, trail)
        count = self._guard(integer, entry.repeat, names, "repeat", self.builder.max_layers, trail=trail)
        outer = scope.inner(segment, entry.node)
        result = inputs[0] if count else current
        for copy in range(count):
            self._step(entry)
            inner = dict(names)
            inner["i"] = copy
            inner["channels"] = self.builder.shape(inputs[0])[0]
            part = str(copy) if entry.copies is None else self._segment(entry.copies, inner, trail)
            if part in outer.members:
                raise self._clash(entry, outer, part, trail)
            used = entry.first if copy == 0 and entry.first is not None else entry
            result = self.single(used, outer, part, True, inputs, inner, trail)
            inputs = (result,)
        outer.last = result
        return result

    def single(
        self,
        entry: Entry,
        scope: Scope,
        segment: str,
        named: bool,
        inputs: tuple[int, ...],
        names: Names,
        trail: Trail | None,
    ) -> int:
        """One copy of an entry under its segment."""
        if isinstance(entry, Use):
            entry = self._choose(entry, names, trail)
        if isinstance(entry, Layer):
            if entry.branches is not None:
                return self.join(entry, scope, segment, named, inputs, names, trail)
            return self.layer(entry, scope, segment, inputs, names, trail)
        if len(inputs) > 1:
            raise entry.node.error("a list of inputs belongs to a join: concat, add or multiply")
        if isinstance(entry, Group):
            inner = scope.inner(segment, entry.node, entry.indexed)
            result = self.run(entry.layers, inner, inputs[0], dict(names), trail)
        else:
            assert isinstance(entry, Call)
            inner = scope.inner(segment, entry.node, entry.block.indexed)
            result = self.call(entry, inner, inputs[0], names, trail)
        inner.last = result
        return result

    def call(self, entry: Call, scope: Scope, current: int, names: Names, trail: Trail | None) -> int:
        """A block's body: it sees its parameters and the file's variables, nothing of its user."""
        block = entry.block
        if block in self.blocks:
            raise SpecError(
                f"block {block.name} uses itself",
                mark=entry.node.mark,
                used_at=trail.marks() if trail else (),
                hint="use repeat for copies in sequence",
            )
        inner_trail = Trail(entry.node, trail)
        inner: Names = dict(self.variables)
        inner["channels"] = self.builder.shape(current)[0]
        for name, default in block.params.items():
            argument = entry.arguments.get(name)
            if argument is not None:
                inner[name] = self._evaluate(argument, names, trail)
            else:
                assert default is not None, name
                inner[name] = self._evaluate(default, inner, inner_trail)
        self.blocks.append(block)
        result = self.run(block.layers, scope, current, inner, inner_trail)
        self.blocks.pop()
        return result

    def layer(
        self,
        entry: Layer,
        scope: Scope,
        segment: str,
        inputs: tuple[int, ...],
        names: Names,
        trail: Trail | None,
    ) -> int:
        """Wire one operator."""
        path = scope.prefix + segment
        operator = entry.op
        if operator is None:
            try:
                operator = self.compiler.operator(entry, names, path)
            except SpecError as error:
                raise _used(error, trail) from None
        shares = None if entry.share is None else self._shared(entry.share, scope, names, trail)
        keys = None if entry.keys is None else self._keys(entry, scope, path, names, trail)
        index = self.builder.add(
            path, operator, inputs, scope=scope.path, place=entry.node, trail=trail, shares=shares, keys=keys
        )
        scope.members[segment] = index
        return index

    def join(
        self,
        entry: Layer,
        scope: Scope,
        segment: str,
        named: bool,
        inputs: tuple[int, ...],
        names: Names,
        trail: Trail | None,
    ) -> int:
        """A join and its branches, which start from the join's input."""
        if len(inputs) > 1:
            raise _used(
                entry.node.error(
                    f"{scope.prefix}{segment}: a join has branches or a list of inputs, not both",
                    "from: [a, b] joins layers that exist; with branches, from names one input",
                ),
                trail,
            )
        start = inputs[0]
        channels = self.builder.shape(start)[0]
        inner = scope.inner(segment, entry.node) if named else scope
        ends: list[int] = []
        assert entry.branches is not None
        for branch in entry.branches:
            names["channels"] = channels
            if branch.condition is None or self._guard(boolean, branch.condition, names, "if", trail):
                ends.append(self.branch(branch, inner, start, names, trail))
        names["channels"] = channels
        path = scope.prefix + segment
        if not ends:
            raise _used(entry.node.error(f"{path}: every branch of this {entry.kind} is switched off"), trail)
        if len(ends) == 1:
            if named:
                inner.last = ends[0]
            else:
                scope.members[segment] = ends[0]
            return ends[0]
        if all(end == start for end in ends):
            raise _used(
                entry.node.error(
                    f"{path}: all branches of this {entry.kind} are the identity", "give one a layer"
                ),
                trail,
            )
        if not named:
            return self.layer(entry, scope, segment, tuple(ends), names, trail)
        members = inner.members
        index = self.layer(entry, scope, segment, tuple(ends), names, trail)
        scope.members[segment] = inner
        inner.members, inner.last = members, index
        return index

    def branch(self, branch: Branch, scope: Scope, start: int, names: Names, trail: Trail | None) -> int:
        """The last layer of one branch; the join's input where it has none."""
        if branch.name is None:
            inner = scope.numbered() if branch.indexed else scope
            return self.run(branch.layers, inner, start, dict(names), trail)
        segment = self._segment(branch.name, names, trail)
        if segment in scope.members:
            raise self._clash(branch, scope, segment, trail)
        inner = scope.inner(segment, branch.node, branch.indexed)
        inner.last = self.run(branch.layers, inner, start, dict(names), trail)
        return inner.last

    # -- parts ------------------------------------------------------------------------------------------

    @property
    def variables(self) -> Names:
        """The file's variables, as every block sees them."""
        return self._variables

    def start(self, entries: list[Entry], variables: Mapping[str, Any]) -> int:
        """The whole network."""
        self._variables = dict(variables)
        return self.run(entries, Scope("", None, None), INPUT, dict(variables), None)

    def _step(self, entry: Entry) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise entry.node.error(
                "the spec expands into too many entries",
                "look for repeats within repeats; --max-layers raises the limit",
            )

    def _guard(self, convert: Any, value: Value, names: Names, *rest: Any, trail: Trail | None = None) -> Any:
        """convert(value, names, what, …), errors with the uses they came through."""
        if rest and (isinstance(rest[-1], Trail) or rest[-1] is None):
            *rest, trail = rest  # type: ignore[assignment]
        try:
            return convert(value, names, *rest)
        except SpecError as error:
            raise _used(error, trail) from None

    def _evaluate(self, value: Value, names: Names, trail: Trail | None) -> Any:
        try:
            return value.evaluate(names)
        except SpecError as error:
            raise _used(error, trail) from None

    def _segment(self, value: Value, names: Names, trail: Trail | None) -> str:
        segment: str = self._guard(text, value, names, "name", trail)
        if not _SEGMENT.match(segment) or segment == "input" or len(segment) > 200:
            reason = (
                "'input' is the network's input"
                if segment == "input"
                else "a name is letters, digits, _ and -, and no dots: groups and blocks make the paths"
            )
            raise _used(value.node.error(f"'{segment[:60]}' cannot name a layer", reason), trail)
        return segment

    def _choose(self, entry: Use, names: Names, trail: Trail | None) -> Entry:
        """The entry a `use` stands for, with the use's own name, input and repeats."""
        kind = self._evaluate(entry.choice, names, trail)
        if not isinstance(kind, str):
            raise _used(entry.choice.node.error(f"block needs a name, not {describe(kind)}"), trail)
        try:
            chosen = entry.compiled(kind)
        except SpecError as error:
            raise _used(error, trail) from None
        for key in ("name", "origin", "condition", "repeat", "copies", "share", "keys"):
            setattr(chosen, key, getattr(entry, key))
        chosen.first = entry.first
        return chosen

    def _origin(self, entry: Entry, scope: Scope, names: Names, trail: Trail | None) -> tuple[int, ...]:
        assert entry.origin is not None
        value = self._evaluate(entry.origin, names, trail)
        paths = value if isinstance(value, list) else [text(entry.origin, names, "from")]
        join = isinstance(entry, Use) or (isinstance(entry, Layer) and entry.operator.role == "join")
        if isinstance(value, list) and not join:
            raise _used(
                entry.origin.node.error("a list of inputs belongs to a join: concat, add or multiply"), trail
            )
        if not paths:
            raise _used(entry.origin.node.error("from is empty"), trail)
        nodes = entry.origin.node.items if isinstance(entry.origin.node, reader.Sequence) else []
        found = []
        for position, path in enumerate(paths):
            node = nodes[position] if position < len(nodes) else entry.origin.node
            found.append(self.resolve(str(path), scope, node, trail))
        return tuple(found)

    def resolve(self, path: str, scope: Scope, node: reader.Node, trail: Trail | None) -> int:
        """The output a path means, looked up from the inside out among what is already there."""
        if path == "input":
            return INPUT
        first, *rest = path.split(".")
        step: Scope | None = scope
        while step is not None and first not in step.members:
            step = step.outer
        if step is None:
            known = self._visible(scope)
            raise _used(
                node.error(
                    f"no earlier layer '{path}'{did_you_mean(path, known)}",
                    "from and share take a name or path of an entry further up; 'input' is the network's input",
                ),
                trail,
            )
        found = step.members[first]
        walked = first
        for segment in rest:
            if not isinstance(found, Scope) or segment not in found.members:
                inside = list(found.members) if isinstance(found, Scope) else []
                raise _used(
                    node.error(f"nothing called '{segment}' in {walked}{did_you_mean(segment, inside)}"),
                    trail,
                )
            found = found.members[segment]
            walked += f".{segment}"
        if isinstance(found, int):
            return found
        if found.last is None:
            raise _used(node.error(f"{path} is not complete here: this entry is part of it"), trail)
        return found.last

    @staticmethod
    def _visible(scope: Scope | None) -> list[str]:
        known = ["input"]
        while scope is not None:
            known += scope.members
            scope = scope.outer
        return known

    def _shared(self, value: Value, scope: Scope, names: Names, trail: Trail | None) -> int:
        path = self._guard(text, value, names, "share", trail)
        index = self.resolve(path, scope, value.node, trail)
        if index == INPUT:
            raise _used(value.node.error("the input has no weights to share"), trail)
        owner = self.builder.nodes[index]
        return index if owner.shares is None else owner.shares

    def _keys(
        self, entry: Layer, scope: Scope, path: str, names: Names, trail: Trail | None
    ) -> dict[str, str]:
        """Other full names of the layer's parameters: `{weight: word}` in the scope, or a word for its segment."""
        assert entry.keys is not None
        if isinstance(entry.keys, Value):
            word = self._guard(text, entry.keys, names, "keys", trail)
            return {"": f"{scope.prefix}{word}"}
        return {
            parameter: scope.prefix + self._guard(text, value, names, "keys", trail)
            for parameter, value in entry.keys.items()
        }

    def _clash(self, entry: Entry | Branch, scope: Scope, segment: str, trail: Trail | None) -> SpecError:
        other = scope.members[segment]
        first: Mark | None
        if isinstance(other, Scope):
            first = other.place.mark if other.place else None
        else:
            place = self.builder.nodes[other].place
            first = place.mark if place else None
        node = entry.name.node if entry.name is not None else entry.node
        return _used(
            node.error(
                f"{scope.prefix}{segment} is there already",
                (f"first at {first}; " if first else "") + "give one of them another name",
            ),
            trail,
        )


def _used(error: SpecError, trail: Trail | None) -> SpecError:
    """The error with the uses of blocks that led to it."""
    if trail is not None and not error.used_at:
        error.used_at = tuple(trail.marks())
    return error
