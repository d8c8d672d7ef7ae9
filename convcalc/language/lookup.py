"""Lookup of layers by path, as in `from`, `share` and fields, and by a block's references."""

from __future__ import annotations

from typing import Any

from convcalc.errors import Mark, SpecError
from convcalc.graph import Builder, is_input
from convcalc.language import reader
from convcalc.language.entries import Branch, Entry, Layer, NetworkEntry, Use
from convcalc.language.expressions import LayerReference, Names
from convcalc.language.scopes import Scope, Unfound, not_found
from convcalc.language.scopes import find as find_member
from convcalc.language.values import Value, text
from convcalc.language.words import listed, segment_problem
from convcalc.ops import Operator, describe


class Lookup:
    """Resolves paths among the layers that the builder has so far."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def origin(self, entry: Entry, scope: Scope, current: int, names: Names) -> tuple[int, ...]:
        """The indices of the outputs in `from`; the previous layer if it evaluates to null. Raises SpecError."""
        origin = entry.origin
        assert origin is not None
        if isinstance(origin, Value):
            computed = origin.evaluate(names)
            if not isinstance(computed, list):
                found = self._layer(origin, computed, scope, names)
                return (current,) if found is None else (found,)
            sources = [
                computed_path.index
                if isinstance(computed_path, LayerReference)
                else self.resolve(
                    describe(computed_path) if isinstance(computed_path, list) else str(computed_path),
                    scope,
                    origin.node,
                )
                for computed_path in computed
            ]
            node = origin.node
        else:
            sources = [self._listed_layer(value, scope, names) for value in origin]
            node = origin[0].node
        if not sources:
            raise node.error("from is empty")
        if not (
            isinstance(entry, (Use, NetworkEntry)) or (isinstance(entry, Layer) and _joins(entry.operator))
        ):
            raise node.error(
                "a list of inputs belongs to a join: concat, add or multiply", "from takes one name here"
            )
        return tuple(sources)

    def _layer(
        self, value: Value, computed: Any, scope: Scope, names: Names, what: str = "from"
    ) -> int | None:
        """The index of the output that a path or reference refers to; None for null."""
        if isinstance(computed, LayerReference):
            return computed.index
        path = text(value, names, what)
        return None if path is None else self.resolve(path, scope, value.node)

    def _listed_layer(self, value: Value, scope: Scope, names: Names) -> int:
        found = self._layer(value, value.evaluate(names), scope, names)
        if found is None:
            raise value.node.error(
                "from needs the name or path of a layer, not nothing (null)", "leave it out of the list"
            )
        return found

    def reference(self, name: str, value: Value, scope: Scope, names: Names) -> LayerReference | None:
        """The layer passed as a block's reference `name`, looked up where the block is used; None for null."""
        computed = value.evaluate(names)
        if isinstance(computed, LayerReference):
            return computed
        index = self._layer(value, computed, scope, names, name)
        if index is None:
            return None
        path = self._builder.inputs[-1 - index].name if is_input(index) else self._builder.nodes[index].name
        return LayerReference(index, path)

    def resolve(self, path: str, scope: Scope, node: reader.YamlNode) -> int:
        """The index of the output at a path, looked up in the innermost scope first. Raises SpecError."""
        found = self.find(path, scope, node)
        if isinstance(found, int):
            return found
        if found.last is None:
            raise node.error(
                f"{describe(path)} is not complete here: this entry is part of it", "name a layer within it"
            )
        return found.last

    def find(self, path: str, scope: Scope, node: reader.YamlNode) -> Scope | int:
        """The layer or scope at a path. Raises SpecError at the path's place."""
        try:
            return find_member(path, scope)
        except Unfound as unfound:
            if path == "input":
                names = [entry.name for entry in self._builder.inputs]
                raise node.error(
                    f"the network has {len(names)} inputs: {listed(names)}", f"say which: from: {names[0]}"
                ) from None
            raise not_found(path, scope, node, unfound) from None

    def named_layer(self, entry: Layer, field: str, source: str, scope: Scope, names: Names) -> int:
        """The index of the layer or input that a field names by path or by a block's reference."""
        value = entry.fields.get(field)
        if value is not None and not value.constant:
            given = value.evaluate(names)
            if isinstance(given, LayerReference):
                return given.index
        return self.resolve(source, scope, entry.node if value is None else value.node)

    def clash(self, entry: Entry | Branch, name: Value | None, scope: Scope, segment: str) -> SpecError:
        """The error for a segment that is already taken in its scope."""
        other = scope.members[segment]
        first: Mark | None = None
        if isinstance(other, Scope):
            first = other.place.mark if other.place else None
        elif is_input(other):
            return (name.node if name is not None else entry.node).error(
                f"{describe(segment)} is an input of the network", "give the layer another name"
            )
        else:
            place = self._builder.nodes[other].place
            first = place.mark if place else None
        node = name.node if name is not None else entry.node
        hint = "give one of them another name"
        if name is None:
            hint = f"{segment} is this entry's default name; name it, or the other one differently"
        elif isinstance(entry, Entry) and name is entry.copies:
            hint = "copies needs another segment for each copy, such as copy$i"
        return node.error(
            f"there is already a layer or scope {scope.prefix}{segment}",
            (f"first at {first}; " if first else "") + hint,
        )


def segment_of(value: Value, names: Names, what: str) -> str | None:
    """The value of a name as a path segment; None if it evaluates to null. Raises SpecError."""
    segment = text(value, names, what)
    if segment is not None and (reason := segment_problem(segment)):
        raise value.node.error(f"{describe(segment)} cannot name a layer", reason)
    return segment


def _joins(operator: type[Operator]) -> bool:
    """Whether `from` may be a list: for a join, or an operator with any number of inputs."""
    return operator.role == "join" or operator.inputs[1] is None
