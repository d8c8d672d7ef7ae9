"""How many layers and steps a spec expands into at the least, counted before any layer is built.

A `repeat` with two digits too many, or a handful of blocks that use one another twice each, would take minutes and
gigabytes to run into the limit. Counting multiplies instead of expanding: copies that do not read `$i` count once,
and so do uses of a block with the same arguments. What only shapes decide (`$channels`) counts as nothing: the
numbers are lower bounds.
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

MAX_NESTING = 60  # blocks, groups, loops and branches within one another
MAX_REMEMBERED = 10_000  # counts of blocks, one for each set of arguments
RAISE = "--max-layers raises the limit"

_UNKNOWN = object()
_NO_NAMES: frozenset[str] = frozenset()
_ANY_NAME = frozenset("*")  # stands for whatever names there are


class EntryCount(NamedTuple):
    """layers: of the network. steps: entries, branches, copies and loop items, whether layers come of them or not."""

    layers: int
    steps: int

    def plus(self, other: EntryCount) -> EntryCount:
        """Both together."""
        return EntryCount(self.layers + other.layers, self.steps + other.steps)

    def times(self, copies: int) -> EntryCount:
        """So many copies or loop items, each a step of its own."""
        return EntryCount(self.layers * copies, (self.steps + 1) * copies)


_NOTHING = EntryCount(0, 0)
_ONE_STEP = EntryCount(0, 1)
_PLAIN_LAYER = EntryCount(1, 1)


def max_steps(max_layers: int) -> int:
    """How many steps the expansion of a network of at most so many layers may take."""
    return 2 * max_layers + 100_000


def too_many_layers(node: reader.YamlNode, max_layers: int) -> SpecError:
    """The network passes the limit at this entry."""
    return node.error(f"more than {max_layers:,} layers", RAISE)


def too_many_steps(node: reader.YamlNode, max_layers: int) -> SpecError:
    """The expansion takes too long at this entry, whether layers come of it or not."""
    return node.error(
        f"the spec expands into too many entries for {max_layers:,} layers",
        f"look for repeats within repeats; {RAISE}",
    )


def too_many_copies(node: reader.YamlNode, copies: int, max_layers: int) -> SpecError:
    """A single repeat passes the limit."""
    return node.error(f"{copies:,} copies, and a network has at most {max_layers:,} layers", RAISE)


class Bounds:
    """Counts entries. Every method raises SpecError, at the entry that does it, once a limit is passed."""

    def __init__(
        self, max_layers: int, variables: Names, networks: dict[int, EntryCount] | None = None
    ) -> None:
        """networks: the counts of other specs that are layers, by their list of entries; all that count share it."""
        self._networks = {} if networks is None else networks
        self._max_layers = max_layers
        self._max_steps = max_steps(max_layers)
        # with a budget of its own: counting costs the spec nothing
        self._variables = Names(variables, Budget(BUDGET // 2))
        self._needs: dict[Entry | Block, frozenset[str]] = {}
        self._remembered: dict[tuple[object, ...], tuple[EntryCount, list[object]]] = {}

    def entries(self, entries: Sequence[Entry], names: Names | None = None, depth: int = 1) -> EntryCount:
        """What a list of entries comes to.

        names: the values known where the list stands. A name that is missing depends on shapes.
        """
        names = self._variables if names is None else names
        total = _NOTHING
        if depth > MAX_NESTING:  # the expansion refuses it
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
        first = entry if entry.first is None or _is_like(entry, entry.first) else entry.first
        inner = names.inner()
        total = _NOTHING
        if not self._needs_of_copy(entry) & {"i", *_ANY_NAME}:
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
        if not self._needs_of(loop.layers) & {*own, *_ANY_NAME}:
            return self._checked(self.entries(loop.layers, inner, depth + 1).times(len(items)), loop)
        total = _NOTHING
        for position, item in enumerate(items):
            if not loop.unpack:
                inner[loop.targets[0]] = item
            elif isinstance(item, list) and len(item) == len(loop.targets):
                inner.update(zip(loop.targets, item, strict=True))
            else:
                return total  # the expansion says what is wrong with the item
            if loop.index:
                inner[loop.index] = position
            total = self._checked(total.plus(self.entries(loop.layers, inner, depth + 1).times(1)), loop)
        return total

    def _inner(self, entry: Entry, names: Names, depth: int) -> EntryCount:
        """What one copy of an entry that is there comes to, the step for the entry itself apart."""
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
        """Another spec, counted once; what comes behind `until` is never built."""
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
        except SpecError:  # the expansion says it at its place
            return _NOTHING
        return self._inner(entry, names, depth)

    def _call(self, call: Call, names: Names, depth: int) -> EntryCount:
        """A block's body with the arguments that its count hangs on; once for each set of them."""
        block = call.block
        needed = self._block_needs(block)
        inner = self._variables.inner()
        key: list[object] = [block]
        held: list[object] = []  # lists are told apart by their identity, so they have to stay
        for name, default in block.params.items():
            value = _UNKNOWN
            if name in needed or needed & _ANY_NAME:
                given = call.arguments.get(name)
                if given is not None:
                    value = _known(given, names)
                elif default is not None:
                    value = _known(default, inner)
                key.append(id(value) if isinstance(value, list) else (type(value), value))
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

    # -- what a count hangs on --------------------------------------------------------------------------

    def _needs_of_entry(self, entry: Entry, depth: int) -> frozenset[str]:
        """The names that an entry's count hangs on: those of conditions, repeats and loops, its own and inner ones."""
        own = _names((entry.condition, entry.repeat))
        if _is_alone(entry):
            return own
        inner = self._needs_of_copy(entry, depth)
        return own | (inner if entry.repeat is None else inner - {"i"})

    def _needs_of_copy(self, entry: Entry, depth: int = 1) -> frozenset[str]:
        """The names that the count of one copy of an entry hangs on; any name, where that would lead too deep."""
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
        """The parameters that a block's count hangs on, those that their defaults read included."""
        if block in self._needs:
            return self._needs[block]
        if depth > MAX_NESTING:
            return _ANY_NAME
        found = self._needs_of(block.layers, depth + 1)
        size = -1
        while size != len(found):
            size = len(found)
            found |= _names(default for name, default in block.params.items() if name in found)
        self._needs[block] = found
        return found


def _is_like(entry: Entry, first: Entry) -> bool:
    """Whether copy 0 holds the very same layers as the others, as it does where `first` changes other fields."""
    if isinstance(entry, Group) and isinstance(first, Group):
        return first.layers is entry.layers
    return isinstance(entry, Layer) and isinstance(first, Layer) and first.branches is entry.branches


def _is_alone(entry: Entry) -> bool:
    """Whether nothing is within it: a layer without branches."""
    return isinstance(entry, Layer) and entry.branches is None


def _names(values: Iterable[Value | None]) -> frozenset[str]:
    found = _NO_NAMES
    for value in values:
        if value is not None and not value.constant:
            found |= value.names()
    return found


def _is_sure(entry: Entry | Branch, names: Names) -> bool:
    return entry.condition is None or _known(entry.condition, names) is True


def _known(value: Value, names: Names) -> Any:
    """The value; _UNKNOWN where it depends on shapes, or is in error, which the expansion says at its place."""
    try:
        if value.constant:
            return value.evaluate(names)
        return value.evaluate(names) if value.names() <= names.keys() else _UNKNOWN
    except SpecError:
        return _UNKNOWN
