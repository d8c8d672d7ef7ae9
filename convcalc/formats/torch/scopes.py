"""Names within a Document: segments of entries, and what entries of a scope read from outside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from convcalc.formats.spec.records import Document, Entry, Expression, Group, Layer, Use
from convcalc.ops import get


def segments(entries: Sequence[Entry], naming: bool) -> dict[int, str]:
    """The path segment of each entry of a scope, by the entry's identity; entries in branches of joins belong to the
    scope unless the branch or the join has a name."""
    found: dict[int, str] = {}
    counts: dict[str, int] = {}
    following = 0

    def number(items: Iterable[Entry]) -> None:
        nonlocal following
        for entry in items:
            kind = (
                entry.kind if isinstance(entry, Layer) else entry.block if isinstance(entry, Use) else "group"
            )
            if isinstance(entry, Layer) and entry.branches is not None and entry.name is None and not naming:
                counts[kind] = counts.get(kind, 0) + 1
                found[id(entry)] = f"{kind}{counts[kind]}"
                for branch in entry.branches:
                    if branch.name is None:
                        number(branch.layers)
                continue
            ordinal = counts[kind] = counts.get(kind, 0) + 1
            if naming:
                segment = entry.name or str(following)
                following = int(segment) + 1 if segment.isdecimal() else following + 1
            else:
                segment = entry.name or f"{kind}{ordinal}"
            found[id(entry)] = segment

    number(entries)
    return found


def with_defaults(document: Document) -> Document:
    """The document with its defaults written in every layer that they reach."""

    def filled(layers: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple([entry(item) for item in layers])

    def entry(item: Entry) -> Entry:
        if isinstance(item, Group):
            return replace(item, layers=filled(item.layers))
        if not isinstance(item, Layer):
            return item
        branches = item.branches
        if branches is not None:
            branches = tuple([replace(branch, layers=filled(branch.layers)) for branch in branches])
        fields = {**document.defaults.get(item.kind, {}), **item.fields}
        return replace(item, fields=fields, branches=branches)

    blocks = {name: replace(block, layers=filled(block.layers)) for name, block in document.blocks.items()}
    return replace(document, layers=filled(document.layers), blocks=blocks, defaults={})


def fields_naming_layers(entry: Layer) -> tuple[str, ...]:
    """The fields of a layer that name other layers, as inputs or for their shape."""
    operator = get(entry.kind)
    shape = (operator.shape_field,) if operator.shape_field is not None else ()
    return tuple(name for name in (*operator.layer_fields(), *shape) if entry.fields.get(name) is not None)


def paths_read(entry: Entry) -> Iterator[str | Expression]:
    """The paths of layers that an entry names itself."""
    yield from entry.origin
    if entry.share is not None:
        yield entry.share
    if isinstance(entry, Layer):
        for name in fields_naming_layers(entry):
            yield entry.fields[name]
    elif isinstance(entry, Use):
        for value in (*entry.arguments.values(), *entry.first.values()):
            if isinstance(value, str):
                yield value


def outside_paths(entries: Sequence[Entry], naming: bool) -> list[str]:
    """The paths that entries of a scope read of layers outside it, in order."""
    own = set(segments(entries, naming).values())
    found: dict[str, None] = {}
    for entry in _of_scope(entries):
        inner: list[str] = [path for path in paths_read(entry) if isinstance(path, str)]
        for layers, inside_naming in inner_scopes(entry):
            inner += outside_paths(layers, inside_naming)
        for path in inner:
            if path.partition(".")[0] not in own:
                found[path] = None
    return list(found)


def inner_scopes(entry: Entry) -> Iterator[tuple[Sequence[Entry], bool]]:
    """The scopes directly within an entry: a group's, and those of named branches."""
    if isinstance(entry, Group):
        yield entry.layers, entry.naming
    elif isinstance(entry, Layer):
        for branch in entry.branches or ():
            if branch.name is not None:
                yield branch.layers, branch.naming


def _of_scope(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries of a scope with those in unnamed branches of its joins."""
    for entry in entries:
        yield entry
        if isinstance(entry, Layer):
            for branch in entry.branches or ():
                if branch.name is None:
                    yield from _of_scope(branch.layers)


def reaches_into(entries: Sequence[Entry], segment: str, naming: bool) -> bool:
    """Whether an entry of a scope, or of scopes within, names a layer inside the member `segment`."""
    for entry in _of_scope(entries):
        paths = [path for path in paths_read(entry) if isinstance(path, str)]
        for layers, inside_naming in inner_scopes(entry):
            paths += outside_paths(layers, inside_naming)
        if any(path.startswith(f"{segment}.") for path in paths):
            return True
    return False
