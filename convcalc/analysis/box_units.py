"""What is repeated in a network: neighbouring units of boxes that are equal and follow one another, folded into the
first.

A unit is a box, all boxes of a scope, or neighbours that are one only together, if it reads one box outside and one of
its boxes is read outside. `box_kinds` tells which are equal.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from convcalc.analysis.box_kinds import outlook, part_kinds, shared_weights
from convcalc.analysis.fold import FoldedRow
from convcalc.graph import Graph
from convcalc.shapes import Shape

MAX_PERIOD = 6  # units that alternate, as the two kinds of blocks of a Swin transformer do
MAX_GROUP = 24  # units that are one only together
MAX_DEPTH = 40  # path segments that are looked at


class Repeat(NamedTuple):
    """Parts `first` to `last` and, right after them, further copies of them: `times` in all. path, last_path: of the
    first and the last unit. depth: how many repeats it lies in."""

    first: int
    last: int
    times: int
    path: str
    last_path: str
    note: str
    depth: int


class _Unit(NamedTuple):
    """Parts first to last. kind: equal for equal units, −1 for what cannot repeat. entry: the part it reads; exit: the
    part read outside. path: its scope, or the name of its only part."""

    first: int
    last: int
    kind: int
    entry: int
    exit: int
    path: str


class Folding:
    """The repeats among parts, which are rows in running order.

    reads: per part, the parts it reads, an input of the network as −1, −2, …. ends: parts that give outputs of the
    network. Time grows with the number of layers, of connections, and with the depth of the paths.
    """

    def __init__(
        self, graph: Graph, parts: Sequence[FoldedRow], reads: Sequence[Sequence[int]], ends: set[int]
    ) -> None:
        self.graph = graph
        self.parts = parts
        self.reads = reads
        self.last_reader = last_readers(reads, ends)
        self.stands = list(range(len(parts)))  # per part, the one of an earlier copy that stands for it
        self.repeats: list[Repeat] = []
        self._numbers: dict[Hashable, int] = {}
        self._segments = [part.name.split(".", MAX_DEPTH) for part in parts]
        self._kinds = list(part_kinds(graph, parts, self._number))
        self._shared = list(shared_weights(parts))
        self._fold(0, len(parts), 0)
        self.repeats = list(
            _nested([repeat for repeat in self.repeats if self.stands[repeat.first] == repeat.first])
        )

    def home(self, part: int) -> int:
        """The part that is drawn for this one."""
        while self.stands[part] != part:
            part = self.stands[part]
        return part

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _fold(self, start: int, stop: int, depth: int) -> None:
        """Finds the repeats among parts start to stop − 1, whose paths are equal in the first `depth` segments; inner
        ones first."""
        units = []
        for first, after, is_leaf in self._siblings(start, stop, depth):
            if not is_leaf:
                self._fold(first, after, depth + 1)
            units.append(self._unit(first, after - 1, ".".join(self._segments[first][: depth + 1])))
        self._fold_units(units)

    def _siblings(self, start: int, stop: int, depth: int) -> Iterator[tuple[int, int, bool]]:
        """Parts with the same segment at `depth`, as first, one past the last, and whether it is a single part."""
        first = start
        while first < stop:
            path = self._segments[first]
            after = first + 1
            is_leaf = len(path) <= depth + 1
            if not is_leaf:
                while (
                    after < stop
                    and len(self._segments[after]) > depth + 1
                    and self._segments[after][depth] == path[depth]
                ):
                    after += 1
            yield first, after, is_leaf
            first = after

    def _unit(self, first: int, last: int, path: str = "") -> _Unit:
        entries = {source for part in range(first, last + 1) for source in self.reads[part] if source < first}
        exits = [part for part in range(first, last + 1) if self.last_reader[part] > last]
        if len(entries) != 1 or len(exits) != 1:
            return _Unit(first, last, -1, 0, 0, path)
        entry = entries.pop()
        key = (
            outlook(self._shape(entry)),
            exits[0] - first,
            tuple(
                [
                    (
                        self._kinds[part],
                        tuple([source - first if source >= first else -1 for source in self.reads[part]]),
                        self._sharing(part, first),
                    )
                    for part in range(first, last + 1)
                ]
            ),
        )
        return _Unit(first, last, self._number(key), entry, exits[0], path)

    def _shape(self, part: int) -> Shape:
        return self.graph.shape(part) if part < 0 else self.parts[part].output_shape

    def _sharing(self, part: int, first: int) -> Hashable:
        """Where a part's shared weights are: within its unit, or elsewhere."""
        return tuple(
            [
                (place, owner - first, other) if owner >= first else (place, "elsewhere", owner, other)
                for place, owner, other in self._shared[part]
            ]
        )

    def _fold_units(self, units: Sequence[_Unit]) -> None:
        """Folds runs of equal units, and runs of equal groups of units, the largest saving first."""
        chain = _Chain(units, self.last_reader)
        tangle = _Tangle(self, units) if any(unit.kind < 0 for unit in units) else None
        place = 0
        while place < len(units):
            best, period, times = 0, 1, 1
            for length in range(1, min(MAX_GROUP, (len(units) - place) // 2) + 1):
                count = chain.copies(place, length) if length <= MAX_PERIOD else 1
                if count == 1 and tangle is not None:
                    count = tangle.copies(place, length)
                saved = (count - 1) * (units[place + length - 1].last + 1 - units[place].first)
                if saved > best:
                    best, period, times = saved, length, count
            if best:
                if period > 1:
                    self._fold_units(units[place : place + period])
                self._repeat(units[place : place + period * times], period)
            place += period * times

    def group(self, units: Sequence[_Unit]) -> _Unit:
        """Neighbouring units as one."""
        return self._unit(units[0].first, units[-1].last, units[0].path)

    def likeness(self, unit: _Unit) -> int:
        """Equal for units whose parts are equal and read what lies equally far before them."""
        return self._number(
            tuple(
                [
                    (self._kinds[part], tuple([part - source for source in self.reads[part]]))
                    for part in range(unit.first, unit.last + 1)
                ]
            )
        )

    def _repeat(self, units: Sequence[_Unit], period: int) -> None:
        """Makes the first `period` units stand for all."""
        copies = (
            self.group(units[:period]),
            self.group(units[period : 2 * period]),
            self.group(units[-period:]),
        )
        first, last = copies[0].first, copies[0].last
        size = last + 1 - first
        for part in range(last + 1, units[-1].last + 1):
            self.stands[part] = first + (part - first) % size
        times = len(units) // period
        self.repeats.append(Repeat(first, last, times, units[0].path, units[-1].path, self._note(*copies), 0))

    def _note(self, first: _Unit, second: _Unit, last: _Unit) -> str:
        """How the copies differ."""
        notes = []
        given, finally_given = self._shape(first.exit), self._shape(last.exit)
        read = self._shape(first.entry)
        if given != finally_given:
            notes.append(f"{given[0]:,} to {finally_given[0]:,} channels")
        elif read != self._shape(second.entry):
            notes.append(f"from {read[0]:,} channels")
        shift = last.last - first.last
        passing = (
            (a.op, b.op)
            for part in range(first.first, first.last + 1)
            for a, b in zip(self.parts[part].nodes, self.parts[part + shift].nodes, strict=True)
            if a.op.is_passing and a.op != b.op and a.op.main
        )
        for a, b in passing:
            assert a.main is not None
            notes.append(f"{a.kind} {getattr(a, a.main):.2g} to {getattr(b, a.main):.2g}")
            break
        return ", ".join(notes)


def _nested(repeats: list[Repeat]) -> Iterator[Repeat]:
    """The repeats, outer ones first, each with its depth."""
    around: list[Repeat] = []
    for repeat in sorted(repeats, key=lambda repeat: (repeat.first, -repeat.last)):
        while around and around[-1].last < repeat.first:
            around.pop()
        yield repeat._replace(depth=len(around))
        around.append(repeat)


def last_readers(reads: Sequence[Sequence[int]], ends: set[int]) -> list[int]:
    """Per part, the last part that reads it: its own number if none does, one past all parts for an output."""
    last = list(range(len(reads)))
    for part, sources in enumerate(reads):
        for source in sources:
            if source >= 0:
                last[source] = part
    for part in ends:
        last[part] = len(reads)
    return last


class _Chain:
    """Units that each read the one before, and nothing else does."""

    def __init__(self, units: Sequence[_Unit], last_reader: Sequence[int]) -> None:
        self.units = units
        self.follows = [False] + [_follows(before, unit, last_reader) for before, unit in pairwise(units)]

    def copies(self, place: int, period: int) -> int:
        """How many equal groups of `period` units begin at `place`, one after another."""
        if not all(self.follows[place + 1 : place + period]):
            return 1
        at = place + period
        while (
            at < len(self.units) and self.follows[at] and self.units[at].kind == self.units[at - period].kind
        ):
            at += 1
        return max(1, (at - place) // period)


class _Tangle:
    """Units of which only groups read one thing and give one thing: the layers of residual blocks without a scope."""

    def __init__(self, folding: Folding, units: Sequence[_Unit]) -> None:
        self.folding = folding
        self.units = units
        likeness = [folding.likeness(unit) for unit in units]
        self.runs: list[list[int]] = [
            []
        ]  # per period and place, how many units are like those a period later
        for period in range(1, min(MAX_GROUP, len(units) // 2) + 1):
            run = [0] * (len(units) + 1)
            for place in range(len(units) - period - 1, -1, -1):
                if likeness[place] == likeness[place + period]:
                    run[place] = run[place + 1] + 1
            self.runs.append(run)

    def copies(self, place: int, period: int) -> int:
        """How many equal groups of `period` units begin at `place`, one after another."""
        most = 1 + self.runs[period][place] // period
        if most == 1:
            return 1
        before = self._group(place, period)
        for count in range(1, most):
            group = self._group(place + count * period, period)
            if group.kind != before.kind or not _follows(before, group, self.folding.last_reader):
                return count
            before = group
        return most

    def _group(self, place: int, period: int) -> _Unit:
        return self.folding.group(self.units[place : place + period])


def _follows(before: _Unit, unit: _Unit, last_reader: Sequence[int]) -> bool:
    """Whether a unit reads the one before it, and nothing else does."""
    return (
        before.kind >= 0
        and unit.kind >= 0
        and unit.entry == before.exit
        and last_reader[before.exit] <= unit.last
    )
