"""How much a spec expands into at the least, told without expanding it: a handful of blocks that use one another
twice each would take minutes and gigabytes to run into the limit."""

from __future__ import annotations

from convcalc.spec.entries import Block, Call, Entry, Group, Layer, Loop
from convcalc.spec.expressions import Names
from convcalc.spec.values import Value


class Bounds:
    """Least numbers of expansion steps; what depends on variables or conditions counts as nothing. So do more than
    `max_copies` of one entry, which are refused by their number."""

    def __init__(self, max_copies: int) -> None:
        self._max_copies = max_copies
        self._blocks: dict[Block, int] = {}

    def steps(self, entries: list[Entry]) -> int:
        """At least so many steps are taken for the entries, each entry and copy being one."""
        return sum(self.entry(entry) for entry in entries)

    def entry(self, entry: Entry) -> int:
        """One for the entry, and what it holds where that is sure to be there."""
        if entry.condition is not None and _constant(entry.condition) is not True:
            return 1
        if isinstance(entry, Loop):
            items = _constant(entry.items)
            return len(items) * (1 + self.steps(entry.layers)) if isinstance(items, list) else 0
        if entry.repeat is None:
            return 1 + self._inner(entry)
        copies = _constant(entry.repeat)
        if not isinstance(copies, int) or copies > self._max_copies:
            return 1
        same = copies - 1 if entry.first is not None else copies  # copy 0 may hold less
        return 1 + copies + max(0, same) * self._inner(entry)

    def _inner(self, entry: Entry) -> int:
        if isinstance(entry, Group):
            return self.steps(entry.layers)
        if isinstance(entry, Layer):
            return sum(
                self.steps(branch.layers) for branch in entry.branches or () if branch.condition is None
            )
        if not isinstance(entry, Call):
            return 0
        if entry.block not in self._blocks:
            self._blocks[entry.block] = 0  # a block that uses itself is found, and refused, elsewhere
            self._blocks[entry.block] = self.steps(entry.block.layers)
        return self._blocks[entry.block]


def _constant(value: Value) -> object:
    return value.evaluate(Names({})) if value.constant else None
