"""Rows of a network's table: folds pointwise layers into the layer before them, blocks below a depth into one row,
and consecutive equal copies of a block into the first."""

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

MIN_ROWS_SAVED = 2  # fewer are not worth folding: two copies of a one-row block stay two rows
MIN_EQUAL_LAYERS = 5  # this many equal layers in a row are folded even though they are not blocks


class FoldedRow(NamedTuple):
    """A row and the nodes it covers, in the graph's order. block: whether it is a folded block.

    output_shape and receptive_field are those of its last node; weights, biases and MACs are sums. folded_weights
    and folded_biases are the share of the pointwise layers that were folded into its first node.
    times: how many equal copies the row stands for; its figures are those of the first copy. last: the same row of
    the last copy. entries: the nodes right before the first copy, and before the folded copies around it.
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


def rows(
    analysis: Analysis, *, depth: int | None = None, unfold: bool = False, drawn: bool = False
) -> list[FoldedRow]:
    """The rows, in order. depth: folds whatever lies deeper than this many path segments; unfold: gives pointwise
    layers rows of their own; drawn: a pointwise layer joins the row that ends in the layer it reads, wherever that
    stands, if nothing else reads it, so that every connection between rows starts at the last layer of one; dropout
    also from an outer scope, as blocks have it behind their branches."""
    result: list[tuple[str, list[Node], bool]] = []
    outputs = {output.node for output in analysis.graph.outputs}
    ends: dict[int, list[Node]] = {}  # by the index of its last node: the layers of a row that is no block
    readers = _readers(analysis) if drawn else []
    for node in analysis.graph:
        path = node.name.split(".")
        if depth is not None and len(path) > depth:
            name = ".".join(path[:depth])
            if result and result[-1][0] == name and result[-1][2]:
                result[-1][1].append(node)
            else:
                result.append((name, [node], True))
            continue
        if not unfold and node.op.pointwise:
            source = node.inputs[0]
            joined = ends.get(source if drawn else node.index - 1)
            if (
                joined is not None
                and node.inputs == (joined[-1].index,)
                and (node.scope == joined[-1].scope or (drawn and _ends_block(node, joined[-1].scope)))
                and joined[-1].index not in outputs
                and (not drawn or readers[source] == 1)
            ):
                del ends[source]
                joined.append(node)
                ends[node.index] = joined
                continue
        result.append((node.name, [node], False))
        ends[node.index] = result[-1][1]
    return [row_of(analysis, name, nodes, block) for name, nodes, block in result]


def _ends_block(node: Node, scope: str) -> bool:
    """Whether a layer that passes on what it is given, such as dropout, stands in a block behind a scope in it."""
    return node.op.is_passing and node.scope != "" and scope.startswith(f"{node.scope}.")


def _readers(analysis: Analysis) -> list[int]:
    """How often each node is read."""
    counts = [0] * len(analysis.graph)
    for node in analysis.graph:
        for source in node.inputs:
            if source >= 0:
                counts[source] += 1
    return counts


def row_of(analysis: Analysis, name: str, nodes: Sequence[Node], block: bool) -> FoldedRow:
    """A row of these nodes."""
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
    """The rows, with consecutive equal copies of a block folded into the first.

    Copies are equal if their layers have the same names within the copy, operators, shapes, weights and wiring:
    each reads the same places in its own copy, the layer right before the copy, or the same layer elsewhere.
    Receptive fields grow from copy to copy, so they are not compared. outputs: the nodes that give the network's
    outputs; equal copies give them from the same layers."""
    paths = [(row.name.split("."), row) for row in unfolded]
    return [row for unit in _units(paths, 0, outputs) for row in unit.rows]


class _Unit(NamedTuple):
    """Rows that share a path up to some depth. rows: as displayed; identity: equal for equal copies.

    entry: the node right before the first node. copied: True for a block, False for a single layer.
    """

    rows: list[FoldedRow]
    identity: Hashable
    entry: int
    copied: bool


def _units(paths: list[tuple[list[str], FoldedRow]], depth: int, outputs: frozenset[int]) -> list[_Unit]:
    """The rows grouped by the path segment at `depth`, with equal copies folded, innermost blocks first."""
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
    """Equal units folded into the first, if that saves enough rows."""
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
    """A unit of rows. Its identity: the stem of the path segment, and every layer with its inputs relative to it."""
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


# What distinguishes the names of copies: the number in `conv2`, the letter in `inception4b`, all of `12`.
_COPY = re.compile(r"\d+$|(?<=\d)[a-z]$")


def sources(unfolded: Sequence[FoldedRow], inputs: int = 1) -> Iterator[list[int]]:
    """Per row, the nodes and inputs outside the row that it reads; empty if it only reads the row before it, or, for
    the first row, the network's only input."""
    before: int | None = INPUT if inputs == 1 else None
    for row in unfolded:
        own = {node.index for node in row.nodes}
        read = list(dict.fromkeys(s for node in row.nodes for s in node.inputs if s not in own))
        yield [] if read == [before] else read
        before = row.nodes[-1].index


# -- the whole table -------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """An input of a row that reads something other than the row before it.

    name: of a row, a layer or a network input. of_block: whether it is the input of the copied block that the row
    belongs to, and so differs from copy to copy. above: whether it is the output of the row before.
    """

    name: str
    of_block: bool
    above: bool


# Plain classes: creating a dataclass takes a millisecond, which would slow down every start.


class ListedRow:
    """A row of a network's table with the figures of its layers. reads: its inputs; empty if the row before it is the
    only one."""

    def __init__(self, analysis: Analysis, row: FoldedRow, reads: tuple[Reading, ...] = ()) -> None:
        self.analysis = analysis
        self.row = row
        self.reads = reads

    @cached_property
    def layers(self) -> list[LayerFigures]:
        """The figures of its layers; for copies, those of the first copy."""
        return [self.analysis.layers[node.index] for node in self.row.nodes]

    @cached_property
    def cost(self) -> Cost:
        """The cost of its layers together."""
        from convcalc.analysis.costs import cost, total

        return total([cost(self.analysis, node) for node in self.row.nodes])

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network outputs that its layers give."""
        own = {node.index for node in self.row.nodes}
        return tuple([output.name for output in self.analysis.graph.outputs if output.node in own])

    @property
    def shares(self) -> str | None:
        """The layer whose weights it reuses; None if there is none, and for a block."""
        return None if self.row.block else self.layers[0].shares


class Listing:
    """The rows of a network's table. depth: folds each block this many path segments deep into a row; unfold: gives
    every layer its own row; partial: the network ends before a layer that does not fit.

    Rows are computed on first access: a hundred thousand of them take a second.
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
        """The total row: all layers together."""
        return ListedRow(self.analysis, row_of(self.analysis, "total", self.analysis.graph.nodes, block=True))


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
    """The nodes that give the network's outputs, if there are several. A single output is left out, so that the last
    copy of a block may give it."""
    outputs = analysis.graph.outputs
    return frozenset([output.node for output in outputs]) if len(outputs) > 1 else frozenset()
