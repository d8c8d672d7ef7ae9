"""How much a spec expands into at the least, told without expanding it: a handful of blocks that use one another
twice each would take minutes and gigabytes to run into the limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.errors import SpecError
from convcalc.language.entries import Block, Branch, Call, Entry, Group, Layer, Loop, Use
from convcalc.language.expressions import Names
from convcalc.language.values import Value

MAX_NESTING = 60  # blocks, groups, loops and branches within one another


class Bounds:
    """Least numbers of expansion steps. What loops, blocks' parameters or shapes decide counts as nothing; so do
    more than `max_copies` of one entry, which are refused by their number, and what is nested too deep."""

    def __init__(self, max_copies: int, variables: Names) -> None:
        self._max_copies = max_copies
        self._variables = Names(variables)  # with a budget of its own: looking ahead costs the spec nothing
        self._blocks: dict[Block, int] = {}

    def steps(self, entries: Sequence[Entry], hidden: frozenset[str] = frozenset(), depth: int = 1) -> int:
        """At least so many steps are taken for the entries, each entry and copy being one.

        hidden: the names that mean something else here than the file's variables do.
        """
        if depth > MAX_NESTING:
            return 0
        return sum(self.entry(entry, hidden, depth) for entry in entries)

    def entry(self, entry: Entry, hidden: frozenset[str] = frozenset(), depth: int = 1) -> int:
        """One for the entry, and what it holds where that is sure to be there."""
        if not self._sure(entry, hidden):
            return 1
        if isinstance(entry, Loop):
            items = self._known(entry.items, hidden)
            if not isinstance(items, list):
                return 0
            inner = hidden.union(entry.targets, [entry.index] if entry.index else [])
            return len(items) * (1 + self.steps(entry.layers, inner, depth + 1))
        if entry.repeat is None:
            return 1 + self._inner(entry, hidden, depth)
        copies = self._known(entry.repeat, hidden)
        if not isinstance(copies, int) or copies > self._max_copies:
            return 1
        same = copies - 1 if entry.first is not None else copies  # copy 0 may hold less
        return 1 + max(0, copies) + (self._inner(entry, hidden, depth) * same if same > 0 else 0)

    def _inner(self, entry: Entry, hidden: frozenset[str], depth: int) -> int:
        if isinstance(entry, Use):
            return self._chosen(entry, hidden, depth)
        if isinstance(entry, Group):
            return self.steps(entry.layers, hidden, depth + 1)
        if isinstance(entry, Layer):
            return sum(
                self.steps(branch.layers, hidden, depth + 1)
                for branch in entry.branches or ()
                if self._sure(branch, hidden)
            )
        if not isinstance(entry, Call):
            return 0
        if entry.block not in self._blocks:
            self._blocks[entry.block] = 0  # a block that uses itself is found, and refused, elsewhere
            self._blocks[entry.block] = self.steps(
                entry.block.layers, frozenset(entry.block.params), depth + 1
            )
        return self._blocks[entry.block]

    def _chosen(self, use: Use, hidden: frozenset[str], depth: int) -> int:
        kind = self._known(use.choice, hidden)
        try:
            return self._inner(use.compiled(kind), hidden, depth) if isinstance(kind, str) else 0
        except SpecError:
            return 0  # the expansion says it at its place

    def _sure(self, entry: Entry | Branch, hidden: frozenset[str]) -> bool:
        return entry.condition is None or self._known(entry.condition, hidden) is True

    def _known(self, value: Value, hidden: frozenset[str]) -> Any:
        """What the value is wherever the entry is used; None where that depends."""
        names = value.names()
        if names & hidden or not names <= self._variables.keys():
            return None
        try:
            return value.evaluate(self._variables)
        except SpecError:
            return None
