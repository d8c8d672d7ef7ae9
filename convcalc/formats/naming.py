"""Names of layers from the paths of the modules that compute them.

Readers of model files and of PyTorch modules know, for each layer, the innermost module whose `forward` computes it.
A module may compute one layer (a convolution), several (a block that adds its branches), or one layer several times
(a shared ReLU). `names` decides which paths are layers and which are scopes, so that all readers agree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from convcalc.ops import Operator

# Names of modules that tell no more than the layer's kind does.
PLAIN_NAMES = {"act", "activation", "actfn", "nonlin", "nonlinearity", "drop"}
MAX_SEGMENT = 100  # characters of a path segment, cut beyond
MAX_DEPTH = 32  # segments of a path; the outer ones are kept

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class Item(NamedTuple):
    """A layer to name. path: the path of the module that computes it, or of a bare parameter; "" for the network
    itself. weighted: whether it has parameters of its own, not shared ones. inside: whether the module is known to be
    a scope, so that the layer has no name of its own."""

    path: str
    op: Operator
    weighted: bool
    inputs: int = 1
    inside: bool = False


class Name(NamedTuple):
    """The name of a layer. scope: the path of the enclosing scope; named: whether the name is the module's."""

    name: str
    scope: str
    named: bool


def clean_path(path: str) -> str:
    """The path with each segment made of letters, digits, `_` and `-`, as a spec needs it."""
    segments = [_UNSAFE.sub("_", segment)[:MAX_SEGMENT] for segment in path.split(".") if segment]
    segments = [f"_{segment}" if segment.startswith("-") else segment for segment in segments]
    return ".".join(segments[:MAX_DEPTH])


def prefixes(path: str) -> Iterable[str]:
    """The paths of the scopes around a path, innermost first; the top, "", is not among them."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def says_nothing(segment: str, op: Operator) -> bool:
    """Whether a module's name tells no more than the kind of its layer: `relu_1`, `act`, `dropout`."""
    stem = _stem(segment)
    return stem == _stem(op.kind) or stem in PLAIN_NAMES


def names(items: Sequence[Item]) -> list[Name]:
    """The name of each layer, given in execution order. All names differ.

    - A path that one layer has alone is that layer's name, unless other paths lie below it.
    - Of several layers with one path, the only one with parameters keeps it, and the others move to the enclosing
      scope. If none has parameters and all are of one kind, they are calls of one module and all move there.
      Otherwise the path is a scope.
    - Layers without parameters lose names that say nothing.
    - In a scope whose members are all numbered and that has no join, layers without parameters move up into gaps,
      which batch normalisation folded into a convolution leaves behind.
    - A layer without a name of its own is called by its kind and ordinal in its scope, as in a spec.
    """
    owners = _slid(_owned(items), items)
    scopes = {outer for owner in owners if owner.name for outer in prefixes(owner.name)}
    scopes |= {owner.scope for owner in owners}
    taken = {owner.name for owner in owners if owner.name} | scopes
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for owner, item in zip(owners, items, strict=True):
        kind = item.op.kind
        counts[owner.scope, kind] += 1
        name = owner.name
        if not name:
            name = default = _joined(owner.scope, f"{kind}{counts[owner.scope, kind]}")
            extra = 1
            while name in taken:
                extra += 1
                name = f"{default}_{extra}"
            taken.add(name)
        found.append(Name(name, owner.scope, owner.named))
    return found


def _stem(text: str) -> str:
    return re.sub(r"[_\d]+\Z", "", text).replace("_", "").lower()


def _joined(scope: str, segment: str) -> str:
    return f"{scope}.{segment}" if scope else segment


def _owned(items: Sequence[Item]) -> list[Name]:
    """Each layer with its module's path as name, or with "" and the scope that it lies in."""
    paths = [clean_path(item.path) for item in items]
    scopes = {outer for path in paths for outer in prefixes(path)} | {""}
    scopes |= {path for path, item in zip(paths, items, strict=True) if item.inside}
    members: dict[str, list[int]] = {}
    for index, path in enumerate(paths):
        members.setdefault(path, []).append(index)
    owned: list[Name | None] = [None] * len(items)
    for path, indices in members.items():
        outer = path.rpartition(".")[0]
        inside, beside = Name("", path, False), Name("", outer, False)
        weighted = [index for index in indices if items[index].weighted]
        if path in scopes:
            named, rest = None, inside
        elif len(weighted) == 1 or len(indices) == 1:
            named = weighted[0] if weighted else indices[0]
            rest = beside
            plain = not weighted and says_nothing(path.rpartition(".")[2], items[named].op)
            if plain and not path.rpartition(".")[2].isdecimal():
                named = None
        else:
            one_kind = len({items[index].op.kind for index in indices}) == 1
            together = indices[-1] - indices[0] == len(indices) - 1
            named, rest = None, inside if weighted or (together and not one_kind) else beside
        for index in indices:
            owned[index] = Name(path, outer, True) if index == named else rest
    return [name for name in owned if name is not None]


def _slid(owners: list[Name], items: Sequence[Item]) -> list[Name]:
    """The names with gaps in numbered scopes closed by layers without parameters."""
    children: dict[
        str, dict[str, int | None]
    ] = {}  # by scope: segment to the layer, None for a scope or a join
    plain: set[str] = set()  # scopes that cannot be numbered
    for index, owner in enumerate(owners):
        path = owner.name
        if not path or items[index].inputs > 1:
            plain.add(owner.scope)
        for inner in [path or owner.scope, *prefixes(path or owner.scope)]:
            outer, _, segment = inner.rpartition(".")
            children.setdefault(outer, {}).setdefault(segment, index if inner == path else None)
            if inner and not segment.isdecimal():
                plain.add(outer)
    result = list(owners)
    for scope, segments in children.items():
        numbers = [int(segment) for segment in segments if segment.isdecimal()]
        if scope in plain or len(numbers) < len(segments) or numbers != sorted(set(numbers)):
            continue
        free = 0
        for leaf, number in zip(segments.values(), numbers, strict=True):
            slides = leaf is not None and not items[leaf].weighted and number > free
            if slides and leaf is not None:
                result[leaf] = owners[leaf]._replace(name=_joined(scope, str(free)))
            free = (free if slides else number) + 1
    return result
