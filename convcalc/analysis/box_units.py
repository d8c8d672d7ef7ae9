"""What is repeated in a network: neighbouring units of boxes that are equal and follow one another, folded into the
first.

A unit is a box, or all boxes of a scope, that reads one box outside and of which one box is read outside. Units are
equal if their operators, fields, wiring and spatial sizes are; of channels only those count that an operator chooses
itself or that a sum keeps, so that the layers of a dense block, which pass on ever more channels, are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from convcalc.analysis.fold import FoldedRow
from convcalc.graph import Graph, Node
from convcalc.ops import Operator
from convcalc.shapes import Shape

MAX_PERIOD = 6  # units that alternate, as the two kinds of blocks of a Swin transformer do
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
        self._kinds = list(_part_kinds(graph, parts, self._number))
        self._shared = list(_shared(parts))
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
            units.append(self._unit(first, after - 1, depth))
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

    def _unit(self, first: int, last: int, depth: int) -> _Unit:
        path = ".".join(self._segments[first][: depth + 1])
        entries = {source for part in range(first, last + 1) for source in self.reads[part] if source < first}
        exits = [part for part in range(first, last + 1) if self.last_reader[part] > last]
        if len(entries) != 1 or len(exits) != 1:
            return _Unit(first, last, -1, 0, 0, path)
        entry = entries.pop()
        key = (
            _outlook(self._shape(entry)),
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
        """Folds runs of equal units, and runs of equal groups of up to MAX_PERIOD units, the largest saving first."""
        follows = [False] + [
            before.kind >= 0
            and unit.kind >= 0
            and unit.entry == before.exit
            and self.last_reader[before.exit] <= unit.last
            for before, unit in pairwise(units)
        ]
        place = 0
        while place < len(units):
            best, period, times = 0, 1, 1
            for length in range(1, MAX_PERIOD + 1):
                count = _copies(units, follows, place, length)
                saved = (count - 1) * (
                    units[min(place + length, len(units)) - 1].last + 1 - units[place].first
                )
                if saved > best:
                    best, period, times = saved, length, count
            if best:
                group = units[place : place + period]
                if period > 1:
                    self._fold_units(group)
                self._repeat(units[place : place + period * times], period)
            place += period * times

    def _repeat(self, units: Sequence[_Unit], period: int) -> None:
        """Makes the first `period` units stand for all."""
        first, last = units[0].first, units[period - 1].last
        size = last + 1 - first
        for part in range(last + 1, units[-1].last + 1):
            self.stands[part] = first + (part - first) % size
        times = len(units) // period
        note = self._note(units[0], units[period - 1], units[period], units[-1])
        self.repeats.append(Repeat(first, last, times, units[0].path, units[-1].path, note, 0))

    def _note(self, first: _Unit, end: _Unit, second: _Unit, last: _Unit) -> str:
        """How the copies differ. first, end: of the first copy; second: the first of the next copy."""
        notes = []
        given, finally_given = self._shape(end.exit), self._shape(last.exit)
        read = self._shape(first.entry)
        if given != finally_given:
            notes.append(f"{given[0]:,} to {finally_given[0]:,} channels")
        elif read != self._shape(second.entry):
            notes.append(f"from {read[0]:,} channels")
        shift = last.last - end.last
        passing = (
            (a.op, b.op)
            for part in range(first.first, end.last + 1)
            for a, b in zip(self.parts[part].nodes, self.parts[part + shift].nodes, strict=True)
            if a.op.is_passing and a.op != b.op and a.op.main
        )
        for a, b in passing:
            assert a.main is not None
            notes.append(f"{a.kind} {getattr(a, a.main):.3g} to {getattr(b, a.main):.3g}")
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


def _copies(units: Sequence[_Unit], follows: Sequence[bool], place: int, period: int) -> int:
    """How many equal groups of `period` units begin at `place`, each reading the one before it."""
    if place + 2 * period > len(units) or not all(follows[place + 1 : place + period]):
        return 1
    at = place + period
    while at < len(units) and follows[at] and units[at].kind == units[at - period].kind:
        at += 1
    return max(1, (at - place) // period)


# -- what makes two parts equal ----------------------------------------------------------------------------


def _part_kinds(graph: Graph, parts: Sequence[FoldedRow], number: Callable[[Hashable], int]) -> Iterator[int]:
    """Per part a number, equal for equal parts: operators, fields, wiring inside, and shapes as far as they count."""
    operators: dict[Operator, int] = {}
    read = {output.node for output in graph.outputs}  # and nodes that another part reads: what a block gives
    own = {node.index: place for place, part in enumerate(parts) for node in part.nodes}
    for place, part in enumerate(parts):
        for node in part.nodes:
            read.update([source for source in node.inputs if source >= 0 and own[source] != place])
    for part in parts:
        inside = {node.index: place for place, node in enumerate(part.nodes)}
        outside: dict[int, int] = {}
        layers = []
        for node in part.nodes:
            op = operators.get(node.op)
            if op is None:
                op = operators[node.op] = number(_fields(node.op))
            wiring = tuple(
                [
                    inside[source] if source in inside else outside.setdefault(source, -1 - len(outside))
                    for source in node.inputs
                ]
            )
            layers.append((op, _shape_that_counts(node), wiring, node.index in read))
        yield number((part.block, *layers))


def _fields(op: Operator) -> Hashable:
    """An operator without the names of layers in its fields; dropout without its rate, which often grows with depth."""
    if op.is_passing:
        return (type(op),)
    named = {*op.layer_fields(), op.shape_field} - {None}
    if not named:
        return op
    return type(op), tuple([getattr(op, name) for name in op.fields() if name not in named])


def _shape_that_counts(node: Node) -> Shape:
    """The output's shape: without the channels where an operator passes on those of its inputs."""
    op, output = node.op, node.output_shape
    if op.channels_field is not None or not node.inputs:
        return output
    if op.role == "join":
        return output if output in node.input_shapes else _outlook(output)
    before = node.input_shapes[0]
    return _outlook(output) if len(before) == len(output) and before[0] == output[0] else output


def _outlook(shape: Shape) -> Shape:
    """A shape without its channels; a vector has nothing else."""
    return shape[1:] or shape


def _shared(parts: Sequence[FoldedRow]) -> Iterator[list[tuple[int, int, int]]]:
    """Per part, its layers that reuse weights: their places in it, and part and place of the layers that own them."""
    places = {
        node.index: (number, place)
        for number, part in enumerate(parts)
        for place, node in enumerate(part.nodes)
    }
    for part in parts:
        yield [
            (place, *places[node.shares]) for place, node in enumerate(part.nodes) if node.shares is not None
        ]
