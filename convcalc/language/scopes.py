"""Scopes: path segments with their members, and lookup of dotted paths."""

from __future__ import annotations

from convcalc.errors import SpecError, did_you_mean
from convcalc.graph import is_input
from convcalc.language import reader
from convcalc.language.words import cut, listed
from convcalc.ops import describe

MAX_PATH = 500  # characters


class Scope:
    """A path segment and its members. path: dotted, "" at the top. last: the index of its output once it is complete.

    An unnamed branch with its own numbering has a view that shares members and counts with the enclosing scope.
    twin: the scope with whose layers the layers of this scope share weights.
    """

    __slots__ = ("counts", "indexed", "last", "members", "next", "outer", "path", "place", "prefix", "twin")

    def __init__(
        self, path: str, outer: Scope | None, place: reader.YamlNode | None, indexed: bool = False
    ) -> None:
        self.path = path
        self.prefix = f"{path}." if path else ""
        self.outer = outer
        self.place = place
        self.indexed = indexed
        self.members: dict[str, Scope | int] = {}
        self.counts: dict[str, int] = {}
        self.next = 0
        self.last: int | None = None
        self.twin: Scope | None = None

    def inner(self, segment: str, place: reader.YamlNode, indexed: bool = False) -> Scope:
        """A new scope under a segment; its twin is the scope of the same name in this scope's twin."""
        scope = Scope(self.joined(segment, place), self, place, indexed)
        self.members[segment] = scope
        if self.twin is not None:
            twin = self.twin.members.get(segment)
            scope.twin = twin if isinstance(twin, Scope) else None
        return scope

    def joined(self, words: str, place: reader.YamlNode) -> str:
        """The full path of a member. Raises SpecError if it is longer than MAX_PATH."""
        path = self.prefix + words
        if len(path) > MAX_PATH:
            raise place.error(
                f"a path of more than {MAX_PATH:,} characters: {cut(path)}", "use shorter names"
            )
        return path

    def numbered(self) -> Scope:
        """A view of this scope that numbers its entries from 0."""
        view = Scope(self.path, self.outer, self.place, True)
        view.members, view.counts, view.twin = self.members, self.counts, self.twin
        return view


class Unfound(Exception):
    """Nothing has this path. inside: the error's message and hint if only the first segment was found, else None."""

    def __init__(self, inside: tuple[str, str] | None = None) -> None:
        super().__init__()
        self.inside = inside


def find(path: str, scope: Scope) -> Scope | int:
    """The layer or scope at a path; its first segment is searched from the innermost scope outwards. Raises Unfound."""
    first, *rest = path.split(".")
    step: Scope | None = scope
    while step is not None and first not in step.members:
        step = step.outer
    if step is None:
        raise Unfound
    found = step.members[first]
    walked = first
    for segment in rest:
        inside = list(found.members) if isinstance(found, Scope) else []
        if not isinstance(found, Scope) or segment not in found.members:
            raise Unfound(
                (
                    f"nothing called {describe(segment)} in {walked}{did_you_mean(segment, inside[:2_000])}",
                    f"{walked} holds {listed(inside)}" if inside else f"{walked} is a layer",
                )
            )
        found = found.members[segment]
        walked += f".{segment}"
    return found


def look_up(path: str, scope: Scope) -> int | None:
    """The index of the output at a path; None for a scope that is not complete. Raises Unfound."""
    found = find(path, scope)
    return found if isinstance(found, int) else found.last


def not_found(path: str, scope: Scope, node: reader.YamlNode, unfound: Unfound) -> SpecError:
    """The error for a path that names no earlier layer."""
    if unfound.inside is not None:
        return node.error(*unfound.inside)
    known: list[str] = []
    top, step = scope, scope.outer
    known += scope.members
    while step is not None:
        if len(known) < 2_000:  # enough for suggestions, which compare every name
            known += step.members
        top, step = step, step.outer
    inputs = [name for name, member in top.members.items() if isinstance(member, int) and is_input(member)]
    return node.error(
        f"no earlier layer {describe(path)}{did_you_mean(path, known[:2_000])}",
        "a name or path of an entry further up, as its default name counts it (conv1, relu2); "
        + (
            f"the network's inputs are {listed(inputs)}"
            if len(inputs) > 1
            else "'input' is the network's input"
        ),
    )
