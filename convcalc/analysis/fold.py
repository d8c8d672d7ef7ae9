"""The rows of a network's table: pointwise layers folded into the layer they follow, blocks to a depth, and equal
copies that follow one another into one of them."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from functools import cached_property
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from convcalc.analysis.analyse import Analysis, LayerFigures
from convcalc.analysis.receptive import ReceptiveField
from convcalc.graph import INPUT, Node
from convcalc.shapes import Shape

if TYPE_CHECKING:
    from convcalc.analysis.costs import Cost

MIN_ROWS_SAVED = 2  # by folding copies of a block: two copies of a block of one row stay two rows
MIN_EQUAL_LAYERS = 5  # layers that belong to no copied block are folded from so many on


class FoldedRow(NamedTuple):
    """One row and what it sums over. `nodes` are the graph's nodes in it, in order; `block` tells a folded block.

    output_shape and receptive_field are those of its last node; weights, biases and MACs are sums. folded_weights
    and folded_biases are the part of the sums that the pointwise layers folded into its first node hold.
    times: how many equal copies the row stands for; its figures are one copy's, the first's. last: the same row of
    the last copy. entries: what the first copy's block, and blocks around it, read as their input.
    """

    name: str
    nodes: tuple[Node, ...]
    block: bool
    output_shape: Shape
    weights: int
    biases: int
    macs: int
    receptive_field: ReceptiveField | None
    folded_weights: int = 0
    folded_biases: int = 0
    times: int = 1
    last: FoldedRow | None = None
    entries: tuple[int, ...] = ()


def rows(analysis: Analysis, *, depth: int | None = None, unfold: bool = False) -> list[FoldedRow]:
    """The rows, in order. depth folds whatever lies more than that many path segments deep; unfold keeps
    pointwise layers apart."""
    result: list[tuple[str, list[Node], bool]] = []
    outputs = {output.node for output in analysis.graph.outputs}
    for node in analysis.graph:
        path = node.name.split(".")
        if depth is not None and len(path) > depth:
            name = ".".join(path[:depth])
            if result and result[-1][0] == name and result[-1][2]:
                result[-1][1].append(node)
            else:
                result.append((name, [node], True))
            continue
        if not unfold and result and node.op.pointwise:
            _, nodes, block = result[-1]
            before = nodes[-1]
            follows = node.inputs == (before.index,) and node.scope == before.scope
            if not block and follows and before.index not in outputs:
                nodes.append(node)
                continue
        result.append((node.name, [node], False))
    return [_row(analysis, name, nodes, block) for name, nodes, block in result]


def _row(analysis: Analysis, name: str, nodes: Sequence[Node], block: bool) -> FoldedRow:
    layers = [analysis.layers[node.index] for node in nodes]
    folded = [] if block else layers[1:]
    return FoldedRow(
        name=name,
        nodes=tuple(nodes),
        block=block,
        output_shape=layers[-1].output_shape,
        weights=sum(layer.weights for layer in layers),
        biases=sum(layer.biases for layer in layers),
        macs=sum(layer.macs for layer in layers),
        receptive_field=layers[-1].receptive_field,
        folded_weights=sum(layer.weights for layer in folded),
        folded_biases=sum(layer.biases for layer in folded),
    )


def fold_copies(unfolded: Sequence[FoldedRow], outputs: frozenset[int] = frozenset()) -> list[FoldedRow]:
    """The rows with equal copies of a block that follow one another folded into the first of them.

    Copies are equal if their layers have the same names within the copy, operators, shapes, weights and wiring:
    each reads the same places in its own copy, what comes right before the copy, or the same layer elsewhere.
    Receptive fields grow from copy to copy and need not agree. outputs: the nodes that give the network's outputs,
    where copies must agree in which of theirs do.
    """
    paths = [(row.name.split("."), row) for row in unfolded]
    return [row for unit in _units(paths, 0, outputs) for row in unit.rows]


class _Unit(NamedTuple):
    """Rows that share a path up to some depth: as they are shown, and what is the same for equal copies.

    entry: the node before the first one. copied: a block, of which there may be copies; else a single layer.
    """

    rows: list[FoldedRow]
    identity: Hashable
    entry: int
    copied: bool


def _units(paths: list[tuple[list[str], FoldedRow]], depth: int, outputs: frozenset[int]) -> list[_Unit]:
    """The rows grouped by their path's segment at a depth, equal copies folded, innermost first."""
    units = []
    for (_, is_leaf), group in groupby(paths, key=lambda item: (item[0][depth], len(item[0]) == depth + 1)):
        members = list(group)
        if is_leaf:  # rows of the same name do not occur
            units += [_unit([row], [row], depth, outputs, copied=row.block) for _, row in members]
        else:
            inner = [row for unit in _units(members, depth + 1, outputs) for row in unit.rows]
            units.append(_unit([row for _, row in members], inner, depth, outputs, copied=True))
    result: list[_Unit] = []
    for _, copies in groupby(units, key=lambda unit: unit.identity):
        result += _merged(list(copies))
    return result


def _merged(copies: list[_Unit]) -> list[_Unit]:
    """Equal units as one, where that saves enough."""
    first, last = copies[0], copies[-1]
    saved = (len(copies) - 1) * len(first.rows)
    if saved < MIN_ROWS_SAVED or not (first.copied or len(copies) >= MIN_EQUAL_LAYERS):
        return copies
    folded = [
        row._replace(times=row.times * len(copies), last=end.last or end, entries=(*row.entries, first.entry))
        for row, end in zip(first.rows, last.rows, strict=True)
    ]
    return [first._replace(rows=folded)]


def _unit(
    unfolded: list[FoldedRow], shown: list[FoldedRow], depth: int, outputs: frozenset[int], *, copied: bool
) -> _Unit:
    """A unit of rows; its identity says of every layer, and of the segment of its path, what must agree."""
    start, stop = unfolded[0].nodes[0].index, unfolded[-1].nodes[-1].index

    def place(index: int) -> tuple[str, int]:
        if start <= index <= stop:
            return ("inside", index - start)
        return ("before", 0) if index == start - 1 else ("elsewhere", index)

    def layer(node: Node) -> Hashable:
        shares = None if node.shares is None else place(node.shares)
        read = tuple([place(source) for source in node.inputs])
        return node.op, node.input_shapes, read, shares, node.index in outputs

    layers = tuple(
        (*row.name.split(".")[depth + 1 :], row.block, *[layer(node) for node in row.nodes])
        for row in unfolded
    )
    stem = _COPY.sub("", unfolded[0].name.split(".")[depth])
    return _Unit(shown, (stem, layers), start - 1, copied)


# What tells copies apart: the number at the end of `conv2`, the letter of `inception4b`, all of `12`.
_COPY = re.compile(r"\d+$|(?<=\d)[a-z]$")


def sources(unfolded: Sequence[FoldedRow], inputs: int = 1) -> Iterator[list[int]]:
    """Per row, the nodes and inputs outside it that it reads; none where that is just the row before, or the only one
    of the network's inputs."""
    before: int | None = INPUT if inputs == 1 else None
    for row in unfolded:
        own = {node.index for node in row.nodes}
        read = list(dict.fromkeys(s for node in row.nodes for s in node.inputs if s not in own))
        yield [] if read == [before] else read
        before = row.nodes[-1].index


# -- the whole table -------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What a row reads where that is not just the row before it.

    name: a row's or a layer's; `input` for the network's. of_block: it is the input of the copied block that the row
    stands in, another one in each copy. above: it is the output of the row before.
    """

    name: str
    of_block: bool
    above: bool


# Plain classes: a dataclass takes a millisecond to make, which every start would pay.


class ListedRow:
    """A row of a network's table with the figures of its layers. reads: what it reads, where that is not just the row
    before."""

    def __init__(self, analysis: Analysis, row: FoldedRow, reads: tuple[Reading, ...] = ()) -> None:
        self.analysis = analysis
        self.row = row
        self.reads = reads

    @cached_property
    def layers(self) -> list[LayerFigures]:
        """The figures of its layers; of copies, the first copy's."""
        return [self.analysis.layers[node.index] for node in self.row.nodes]

    @cached_property
    def cost(self) -> Cost:
        """The account of its layers together."""
        from convcalc.analysis.costs import cost, total

        return total([cost(self.analysis, node) for node in self.row.nodes])

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The network's outputs that its layers give, by name."""
        own = {node.index for node in self.row.nodes}
        return tuple([output.name for output in self.analysis.graph.outputs if output.node in own])

    @property
    def shares(self) -> str | None:
        """The layer whose weights it uses."""
        return None if self.row.block else self.layers[0].shares


class Listing:
    """A network's layers in rows. depth: blocks that many path segments deep are folded into a row; unfold: every layer
    has its own; partial: the network ends before a layer that does not fit.

    The rows are made when they are asked for: a hundred thousand of them take a second.
    """

    def __init__(
        self, analysis: Analysis, depth: int | None = None, unfold: bool = False, partial: bool = False
    ) -> None:
        self.analysis = analysis
        self.depth = depth
        self.unfold = unfold
        self.partial = partial

    @cached_property
    def rows(self) -> list[ListedRow]:
        """The rows of the table."""
        return list(_listed(self.analysis, self.depth, self.unfold))

    @cached_property
    def every(self) -> list[ListedRow]:
        """A row for every layer."""
        return self.rows if self.unfold and self.depth is None else list(_listed(self.analysis, None, True))

    @cached_property
    def total(self) -> ListedRow:
        """All layers as one row."""
        return ListedRow(self.analysis, _row(self.analysis, "total", self.analysis.graph.nodes, block=True))


def _listed(analysis: Analysis, depth: int | None, unfold: bool) -> Iterator[ListedRow]:
    every = rows(analysis, depth=depth, unfold=unfold)
    read = {
        row.name: found for row, found in zip(every, sources(every, len(analysis.graph.inputs)), strict=True)
    }
    above = {row.name: before.nodes[-1].index for before, row in pairwise(every)}
    ends = {row.nodes[-1].index: row.name for row in every} | {
        index: analysis.graph.input_name(index) for index in analysis.graph.input_indices
    }
    for row in every if unfold else fold_copies(every, _several_outputs(analysis)):
        yield ListedRow(
            analysis,
            row,
            tuple(
                [
                    Reading(
                        name=ends.get(source) or analysis.graph.nodes[source].name,
                        of_block=source in row.entries,
                        above=source == above.get(row.name),
                    )
                    for source in read[row.name]
                ]
            ),
        )


def _several_outputs(analysis: Analysis) -> frozenset[int]:
    """The nodes that give the network's outputs; none for one output, which the last copy of a block may well give."""
    outputs = analysis.graph.outputs
    return frozenset([output.node for output in outputs]) if len(outputs) > 1 else frozenset()
