"""Lower bounds on the number of layers and steps of a spec, counted before any layer is built.

A `repeat` with two extra digits, or a few blocks that use each other twice, would take minutes and gigabytes before
hitting the limit. Counting multiplies instead of expanding: copies that do not read `$i` are counted once, and so are
calls of a block with the same arguments. Entries that depend on shapes (`$channels`) count as zero, so the result is
a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from convcalc.errors import SpecError
from convcalc.language import reader
from convcalc.language.entries import Block, Branch, Call, Entry, Group, Layer, Loop, NetworkEntry, Use
from convcalc.language.expressions import BUDGET, Budget, Names
from convcalc.language.values import Value
from convcalc.ops import FieldError, whole

MAX_NESTING = 60  # depth of blocks, groups, loops and branches
MAX_REMEMBERED = 10_000  # cached counts of blocks, one per set of arguments
RAISE = "--max-layers raises the limit"

_UNKNOWN = object()
_HASHED = frozenset([int, float, bool, str, type(None)])  # types whose values are keys of cached counts
_NO_NAMES: frozenset[str] = frozenset()
_ANY_NAME = frozenset("*")  # wildcard: depends on any name


class EntryCount(NamedTuple):
    """Layers, and steps: entries, branches, copies and loop items, including those that add no layer."""

    layers: int
    steps: int

    def plus(self, other: EntryCount) -> EntryCount:
        """The sum of both counts."""
        return EntryCount(self.layers + other.layers, self.steps + other.steps)

    def times(self, copies: int) -> EntryCount:
        """The count of `copies` copies or loop items, with one extra step for each."""
        return EntryCount(self.layers * copies, (self.steps + 1) * copies)


_NOTHING = EntryCount(0, 0)
_ONE_STEP = EntryCount(0, 1)
_PLAIN_LAYER = EntryCount(1, 1)


def max_steps(max_layers: int) -> int:
    """The step limit for a network of at most `max_layers` layers: two per layer (a repeated group of one layer takes
    two) and an allowance for small networks."""
    return 2 * max_layers + 100_000


def too_many_layers(node: reader.YamlNode, max_layers: int) -> SpecError:
    """The error for the entry at which the network exceeds the layer limit."""
    return node.error(f"more than {max_layers:,} layers", RAISE)


def too_many_steps(node: reader.YamlNode, max_layers: int) -> SpecError:
    """The error for the entry at which the expansion exceeds the step limit."""
    return node.error(
        f"the spec expands into too many entries for {max_layers:,} layers",
        f"look for repeats within repeats; {RAISE}",
    )


def too_many_copies(node: reader.YamlNode, copies: int, max_layers: int) -> SpecError:
    """The error for a single `repeat` that exceeds the layer limit."""
    return node.error(f"{copies:,} copies, and a network has at most {max_layers:,} layers", RAISE)


class Bounds:
    """Counts layers and steps. Every method raises SpecError at the entry that exceeds a limit."""

    def __init__(
        self, max_layers: int, variables: Names, networks: dict[int, EntryCount] | None = None
    ) -> None:
        """networks: cached counts of specs used as layers, by the id of their entry list; nested counters share it."""
        self._networks = {} if networks is None else networks
        self._max_layers = max_layers
        self._max_steps = max_steps(max_layers)
        # a separate budget, so that counting does not use up the spec's own
        self._variables = Names(variables, Budget(BUDGET // 2))
        self._needs: dict[Entry | Block, frozenset[str]] = {}
        self._remembered: dict[tuple[object, ...], tuple[EntryCount, list[object]]] = {}

    def entries(self, entries: Sequence[Entry], names: Names | None = None, depth: int = 1) -> EntryCount:
        """The count of a list of entries. names: the values known there; a missing name depends on shapes."""
        names = self._variables if names is None else names
        total = _NOTHING
        if depth > MAX_NESTING:  # the expansion raises the error
            return total
        for entry in entries:
            plain = entry.condition is None and entry.repeat is None and _is_alone(entry)
            count = _PLAIN_LAYER if plain else self._entry(entry, names, depth)
            total = self._checked(total.plus(count), entry)
        return total

    def _checked(self, total: EntryCount, entry: Entry) -> EntryCount:
        if total.layers > self._max_layers:
            raise too_many_layers(entry.node, self._max_layers)
        if total.steps > self._max_steps:
            raise too_many_steps(entry.node, self._max_layers)
        return total

    def _entry(self, entry: Entry, names: Names, depth: int) -> EntryCount:
        if isinstance(entry, Loop):
            return self._loop(entry, names, depth)
        if not _is_sure(entry, names):
            return _ONE_STEP
        if entry.repeat is None:
            return _ONE_STEP.plus(self._inner(entry, names, depth))
        try:
            copies = whole(_known(entry.repeat, names))
        except FieldError:
            return _ONE_STEP
        if copies > self._max_layers:
            raise too_many_copies(entry.repeat.node, copies, self._max_layers)
        return _ONE_STEP.plus(self._copies(entry, entry.repeat, copies, names, depth))

    def _copies(self, entry: Entry, repeat: Value, copies: int, names: Names, depth: int) -> EntryCount:
        """The count of a repeated entry. Copy 0 is counted on its own only if `first` changes its layers."""
        first = entry if entry.first is None or _is_like(entry, entry.first) else entry.first
        inner = names.inner()
        total = _NOTHING
        if not self._needs_of_copy(entry) & {"i", *_ANY_NAME}:  # all copies count the same: multiply
            if first is not entry and copies:
                total = self._inner(first, inner, depth).times(1)
                copies -= 1
            if copies:
                each = self._inner(entry, inner, depth)
                total = total.plus(each.times(copies))
                if total.layers > self._max_layers:
                    raise repeat.node.error(
                        f"{copies:,} copies of {each.layers:,} layers, and a network has at most {self._max_layers:,}",
                        RAISE,
                    )
            return self._checked(total, entry)
        for copy in range(copies):
            inner["i"] = copy
            used = entry if copy else first
            total = self._checked(total.plus(self._inner(used, inner, depth).times(1)), entry)
        return total

    def _loop(self, loop: Loop, names: Names, depth: int) -> EntryCount:
        items = _known(loop.items, names)
        if not isinstance(items, list):
            return _NOTHING
        inner = names.inner()
        own = {*loop.targets, *([loop.index] if loop.index else [])}
        if not self._needs_of(loop.layers) & {*own, *_ANY_NAME}:  # all items count the same: multiply
            return self._checked(self.entries(loop.layers, inner, depth + 1).times(len(items)), loop)
        total = _NOTHING
        for position, item in enumerate(items):
            if not loop.unpack:
                inner[loop.targets[0]] = item
            elif isinstance(item, list) and len(item) == len(loop.targets):
                inner.update(zip(loop.targets, item, strict=True))
            else:
                return total  # the expansion reports the malformed item
            if loop.index:
                inner[loop.index] = position
            total = self._checked(total.plus(self.entries(loop.layers, inner, depth + 1).times(1)), loop)
        return total

    def _inner(self, entry: Entry, names: Names, depth: int) -> EntryCount:
        """The count of one copy of an active entry, without the step for the entry itself."""
        if isinstance(entry, Use):
            return self._chosen(entry, names, depth)
        if isinstance(entry, Group):
            return self.entries(entry.layers, names, depth + 1)
        if isinstance(entry, Call):
            return self._call(entry, names, depth)
        if isinstance(entry, NetworkEntry):
            return self._network(entry, depth)
        assert isinstance(entry, Layer)
        if entry.branches is None:
            return EntryCount(1, 0)
        total = EntryCount(0, len(entry.branches))
        sure = [branch for branch in entry.branches if _is_sure(branch, names)]
        for branch in sure:
            total = total.plus(self.entries(branch.layers, names, depth + 1))
        return total.plus(EntryCount(1, 0)) if len(sure) > 1 else total  # a single branch needs no join

    def _network(self, entry: NetworkEntry, depth: int) -> EntryCount:
        """The count of another spec used as a layer, cached; 0 with `until`, as layers after it are never built."""
        if entry.until is not None:
            return _NOTHING
        found = self._networks.get(id(entry.layers))
        if found is None:
            nested = Bounds(self._max_layers, entry.variables, self._networks)
            found = self._networks[id(entry.layers)] = nested.entries(entry.layers, depth=depth + 1)
        return found

    def _chosen(self, use: Use, names: Names, depth: int) -> EntryCount:
        kind = _known(use.choice, names)
        if not isinstance(kind, str):
            return _NOTHING
        try:
            entry = use.compiled(kind)
        except SpecError:  # the expansion reports it
            return _NOTHING
        return self._inner(entry, names, depth)

    def _call(self, call: Call, names: Names, depth: int) -> EntryCount:
        """The count of a block's body, cached by the arguments that affect it."""
        block = call.block
        needed = self._block_needs(block)
        inner = self._variables.inner()
        key: list[object] = [block]
        held: list[object] = []  # keeps lists and traced numbers alive: the key holds only their ids
        for name, default in block.params.items():
            value = _UNKNOWN
            if name in needed or needed & _ANY_NAME:
                given = call.arguments.get(name)
                if given is not None:
                    value = _known(given, names)
                elif default is not None:
                    value = _known(default, inner)
                key.append((type(value), value) if type(value) in _HASHED else id(value))
                held.append(value)
            if value is _UNKNOWN:
                inner.pop(name, None)
            else:
                inner[name] = value
        remembered = self._remembered.get(tuple(key))
        if remembered is not None:
            return remembered[0]
        try:
            count = self.entries(block.layers, inner, depth + 1)
        except SpecError as error:
            error.used_at = (*error.used_at, call.node.mark)
            raise
        if len(self._remembered) < MAX_REMEMBERED:
            self._remembered[tuple(key)] = (count, held)
        return count

    # -- names that affect a count ----------------------------------------------------------------------

    def _needs_of_entry(self, entry: Entry, depth: int) -> frozenset[str]:
        """The names that an entry's count depends on: those in conditions, repeats and loops, nested ones included."""
        own = _names((entry.condition, entry.repeat))
        if _is_alone(entry):
            return own
        inner = self._needs_of_copy(entry, depth)
        return own | (inner if entry.repeat is None else inner - {"i"})

    def _needs_of_copy(self, entry: Entry, depth: int = 1) -> frozenset[str]:
        """The names that the count of one copy of an entry depends on; the wildcard beyond the nesting limit."""
        if entry in self._needs:
            return self._needs[entry]
        if depth > MAX_NESTING:
            return _ANY_NAME
        found = _NO_NAMES
        if isinstance(entry, Loop):
            own = {*entry.targets, *([entry.index] if entry.index else [])}
            found = self._needs_of(entry.layers, depth + 1) - own | _names([entry.items])
        elif isinstance(entry, Group):
            found = self._needs_of(entry.layers, depth + 1)
        elif isinstance(entry, Layer):
            for branch in entry.branches or ():
                found |= self._needs_of(branch.layers, depth + 1) | _names([branch.condition])
        elif isinstance(entry, Use):
            found = entry.reads | _names([entry.choice])
        elif isinstance(entry, Call):
            needed = self._block_needs(entry.block, depth + 1)
            every = bool(needed & _ANY_NAME)
            found = _names(value for name, value in entry.arguments.items() if every or name in needed)
        if entry.first is not None:
            found |= self._needs_of_copy(entry.first, depth + 1)
        self._needs[entry] = found
        return found

    def _needs_of(self, entries: Iterable[Entry], depth: int = 1) -> frozenset[str]:
        found = _NO_NAMES
        for entry in entries:
            found |= self._needs_of_entry(entry, depth)
        return found

    def _block_needs(self, block: Block, depth: int = 1) -> frozenset[str]:
        """The parameters that a block's count depends on, including those that their defaults read."""
        if block in self._needs:
            return self._needs[block]
        if depth > MAX_NESTING:
            return _ANY_NAME
        found = self._needs_of(block.layers, depth + 1)
        size = -1  # a default may read other parameters: repeat until no name is added
        while size != len(found):
            size = len(found)
            found |= _names(default for name, default in block.params.items() if name in found)
        self._needs[block] = found
        return found


def _is_like(entry: Entry, first: Entry) -> bool:
    """Whether copy 0 has the same list of layers as the other copies, because `first` changes only other fields."""
    if isinstance(entry, Group) and isinstance(first, Group):
        return first.layers is entry.layers
    return isinstance(entry, Layer) and isinstance(first, Layer) and first.branches is entry.branches


def _is_alone(entry: Entry) -> bool:
    """Whether the entry is a layer without branches, so that it contains no other entries."""
    return isinstance(entry, Layer) and entry.branches is None


def _names(values: Iterable[Value | None]) -> frozenset[str]:
    found = _NO_NAMES
    for value in values:
        if value is not None and not value.constant:
            found |= value.names()
    return found


def _is_sure(entry: Entry | Branch, names: Names) -> bool:
    """Whether an entry is certainly active: it has no condition, or one known to be true."""
    return entry.condition is None or _known(entry.condition, names) is True


def _known(value: Value, names: Names) -> Any:
    """The value; _UNKNOWN if it depends on shapes or raises SpecError, which the expansion then reports."""
    try:
        if value.constant:
            return value.evaluate(names)
        return value.evaluate(names) if value.names() <= names.keys() else _UNKNOWN
    except SpecError:
        return _UNKNOWN
