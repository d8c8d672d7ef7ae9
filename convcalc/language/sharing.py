"""Weight sharing between layers (`share`), and names of weights in a weights file (`keys`)."""

from __future__ import annotations

from convcalc.errors import did_you_mean
from convcalc.graph import Node, is_input
from convcalc.language import reader
from convcalc.language.entries import Layer
from convcalc.language.expressions import Names
from convcalc.language.scopes import Scope
from convcalc.language.values import Value, text
from convcalc.language.words import listed
from convcalc.ops import describe

Member = Scope | int


def shared_layer(found: Member, path: str, node: reader.YamlNode, nodes: list[Node]) -> int:
    """The node that owns the weights used by a layer with `share: path`. Raises SpecError if there are none."""
    if isinstance(found, Scope):
        raise node.error(
            f"share needs a layer, and {describe(path)} is a scope", f"it holds {listed(found.members)}"
        )
    if is_input(found):
        raise node.error("the input has no weights to share")
    owner = nodes[found]
    if not owner.parameters:
        raise node.error(f"{owner.name} is a {owner.kind}: it has no weights to share")
    return _owner(owner)


def shared_scope(found: Member, path: str, node: reader.YamlNode) -> Scope:
    """The scope whose weights a group, block or network with `share: path` uses. Raises SpecError for a layer."""
    if isinstance(found, Scope):
        return found
    raise node.error(
        f"{describe(path)} is a layer, and share on a scope needs a group, block or network",
        "give share to the layers within, or name a scope with the same layers",
    )


def twin_layer(twin: Scope, segment: str, nodes: list[Node]) -> int | None:
    """The owner of the weights of the twin's layer at `segment`; None if there is no such layer or it has no weights.
    That is an error only if the layer itself has weights, which the caller checks."""
    found = twin.members.get(segment)
    if isinstance(found, Scope):
        found = found.last
    if found is None or is_input(found) or not nodes[found].parameters:
        return None
    return _owner(nodes[found])


def _owner(node: Node) -> int:
    return node.index if node.shares is None else node.shares


def other_keys(entry: Layer, scope: Scope, names: Names) -> dict[str, str]:
    """Full names of the layer's parameters in a weights file, by parameter; under "", the path for all of them."""
    given = {name: text(value, names, "keys") for name, value in _words(entry).items()}
    return {
        name: _full_key(word, scope, _words(entry)[name].node)
        for name, word in given.items()
        if word is not None
    }


def _full_key(word: str, scope: Scope, place: reader.YamlNode) -> str:
    """A name relative to a scope as a full one; each ^ at its start goes up one scope."""
    bare = word.lstrip("^")
    up = len(word) - len(bare)
    if not up:
        return scope.joined(word, place)
    segments = scope.path.split(".") if scope.path else []
    if not bare:
        raise place.error(
            f"keys {describe(word)} is no name", "each ^ goes up one scope, a name follows: ^weight"
        )
    if up > len(segments):
        raise place.error(
            f"keys {describe(word)} goes up {up} scope{'s' * (up > 1)}, the layer is in {len(segments)}",
            f"give {'^' * len(segments)}{bare}",
        )
    return ".".join([*segments[:-up], bare])


def check_keys(entry: Layer, node: Node) -> None:
    """Raise SpecError if `keys` names a weight that the layer does not have."""
    own = [parameter.name for parameter in node.parameters]
    for name, value in _words(entry).items():
        if not own or (name and name not in own):
            raise value.node.error(
                f"{node.name}: keys names {describe(name)}{did_you_mean(name, own)}"
                if own
                else f"{node.name}: keys, but {node.kind} has no weights",
                f"its weights: {listed(own)}" if own else None,
            )


def _words(entry: Layer) -> dict[str, Value]:
    keys = entry.keys
    return {"": keys} if isinstance(keys, Value) else dict(keys or {})
