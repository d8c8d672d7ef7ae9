"""Names within a Document: segments of entries, and what entries of a scope read from outside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from convcalc.formats.spec.records import Document, Entry, Expression, Group, Layer, Use
from convcalc.ops import get


@dataclass(frozen=True, slots=True)
class LayerPath:
    """The argument of a block's use that stands for a reference: what it names."""

    path: str | Expression


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
    """The document with its defaults written in every layer that they reach, and references marked as such."""

    def filled(layers: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple([entry(item) for item in layers])

    def entry(item: Entry) -> Entry:
        if isinstance(item, Group):
            return replace(item, layers=filled(item.layers))
        if isinstance(item, Use):
            refs = document.blocks[item.block].refs
            given = {n: LayerPath(value) if n in refs else value for n, value in item.arguments.items()}
            return replace(item, arguments=given)
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
    """The paths of layers that an entry reads itself; weights that it shares are another matter."""
    yield from entry.origin
    if isinstance(entry, Layer):
        for name in fields_naming_layers(entry):
            yield entry.fields[name]
    elif isinstance(entry, Use):
        for value in (*entry.arguments.values(), *entry.first.values()):
            if isinstance(value, LayerPath):
                yield value.path


def outside_paths(entries: Sequence[Entry], naming: bool) -> list[str | Expression]:
    """The paths that entries of a scope read of layers outside it, and references of the block around it, in order."""
    own = set(segments(entries, naming).values())
    found: dict[str | Expression, None] = {}
    for entry in _of_scope(entries):
        inner = list(paths_read(entry))
        for layers, inside_naming in inner_scopes(entry):
            inner += outside_paths(layers, inside_naming)
        for path in inner:
            if isinstance(path, Expression) or path.partition(".")[0] not in own:
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


def paths_into(entries: Sequence[Entry], segment: str, requested: Sequence[str] = ()) -> list[str]:
    """The paths within the member `segment` of a scope that entries of the scope, or of scopes within, read.

    requested: paths within the scope that others read.
    """
    paths = list(requested)
    for entry in _of_scope(entries):
        read = list(paths_read(entry))
        for layers, inside_naming in inner_scopes(entry):
            read += outside_paths(layers, inside_naming)
        paths += [path for path in read if isinstance(path, str)]
    start = f"{segment}."
    return list(dict.fromkeys(path.removeprefix(start) for path in paths if path.startswith(start)))


def is_last(entry: Entry, path: str) -> bool:
    """Whether a path within a group names its last layer, whose value is the group's own."""
    if not isinstance(entry, Group) or entry.repeat is not None or not entry.layers:
        return False
    last = entry.layers[-1]
    segment, _, rest = path.partition(".")
    if segments(entry.layers, entry.naming).get(id(last)) != segment or last.condition is not None:
        return False
    return is_last(last, rest) if rest else True


def owner_of(group: Group, weighted: Callable[[Layer], bool]) -> str | None:
    """The path of the group whose weights a group uses layer by layer, or None. weighted: whether a layer has any."""
    owners: set[str] = set()
    for path, entry in _inside(group.layers, group.naming, ""):
        if not isinstance(entry, Layer) or entry.repeat is not None:
            return None
        if entry.share is None:
            if weighted(entry):
                return None
        elif isinstance(entry.share, str) and entry.share.endswith(f".{path}"):
            owners.add(entry.share.removesuffix(f".{path}"))
        else:
            return None
    return owners.pop() if len(owners) == 1 else None


def _inside(entries: Sequence[Entry], naming: bool, prefix: str) -> Iterator[tuple[str, Entry]]:
    """The entries of a scope and of groups within, with their paths; groups themselves are left out."""
    found = segments(entries, naming)
    for entry in _of_scope(entries):
        path = f"{prefix}{found.get(id(entry), '')}"
        if isinstance(entry, Group):
            yield from _inside(entry.layers, entry.naming, f"{path}.")
        else:
            yield path, entry
