"""Rewrites channels-last subgraphs to channels-first.

ConvNeXt and MLP-Mixer transpose a map to (…, C), normalise and multiply along the last dimension, and transpose back.
The kernels keep the channels of a pixel together whatever the graph calls them, so such a subgraph needs no
transposition at all: a dense layer along the last dimension is a 1×1 convolution, a layer norm along it one over
channels.

The order of a value's dimensions in memory is kept beside the value, as a permutation: dimension i of the value is
dimension order[i] of what is stored. A transposition moves nothing; it composes with the order of its input. Every
other operator says (`Operator.reordered`) how it is computed on inputs stored in a given order, or that it cannot be;
then its inputs are transposed in memory first. Nothing here asks what kind of operator a node is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from convcalc.graph import Graph, Node, is_input
from convcalc.ops import Operator, Order, Reordered
from convcalc.ops.reshape import Reshape
from convcalc.ops.transpose import Transpose
from convcalc.shapes import Shape

MAX_RANK = 4  # kernels work on C and up to three spatial dimensions; a value of more is stored as it is


@dataclass(frozen=True)
class Rewritten:
    """A graph that computes the same, and for each of its nodes the index of the node it was made for."""

    graph: Graph
    origins: tuple[int, ...]


class Stored(NamedTuple):
    """Where a value of the given graph is: a value of the new one, and the order of its dimensions there."""

    value: int
    order: Order


class Form(NamedTuple):
    """One way to compute a node: its operator, the order of each input, their shapes there, and the order of its
    output."""

    orders: tuple[Order, ...]
    operator: Operator
    shapes: tuple[Shape, ...]
    output_order: Order


def channels_first(graph: Graph, has_kernel: Callable[[Node], bool]) -> Rewritten:
    """The graph with every value stored so that most of it runs in kernels and little is transposed.

    Its inputs and outputs are stored as they are. has_kernel: whether a node of the new graph is computed by a kernel.
    """
    writer = _Writer(graph, has_kernel)
    for node in graph:
        writer.add(node)
    return writer.finish()


class _Writer:
    """Writes the new graph node by node."""

    def __init__(self, graph: Graph, has_kernel: Callable[[Node], bool]) -> None:
        self._graph = graph
        self._has_kernel = has_kernel
        self._nodes: list[Node] = []
        self._origins: list[int] = []
        self._stored = {value: Stored(value, _sequence(graph.shape(value))) for value in graph.input_indices}
        self._transposed: dict[Stored, int] = {}  # a value, stored in another order

    def add(self, node: Node) -> None:
        """The node in the form that costs least; among equals the order of the oldest input wins.

        The oldest is a residual block's shortcut, whose order is the one that the next block wants too.
        """
        form = self._cheapest(node)
        inputs = tuple(
            self._in_order(source, order, node)
            for source, order in zip(node.inputs, form.orders, strict=True)
        )
        value = self._append(self._made(node, form, inputs), node)
        self._stored[node.index] = Stored(value, form.output_order)

    def _cheapest(self, node: Node) -> Form:
        best: Form | None = None
        least = 0
        for order in self._orders(node):
            form = self._form(node, order)
            if form is None:
                continue
            cost = self._cost(node, form)
            if best is None or cost < least:
                best, least = form, cost
            if cost == 0:
                break
        assert best is not None, f"{node.kind} cannot be computed as it is"
        return best

    def finish(self) -> Rewritten:
        """The new graph, its outputs stored as they are."""
        outputs = tuple(output._replace(node=self._as_it_is(output.node)) for output in self._graph.outputs)
        graph = dataclasses.replace(self._graph, nodes=tuple(self._nodes), outputs=outputs)
        return Rewritten(graph, tuple(self._origins))

    def _as_it_is(self, value: int) -> int:
        """The new graph's value that holds a value of the given graph in its own order."""
        if is_input(value):
            return value
        return self._in_order(value, _sequence(self._graph.shape(value)), self._graph.nodes[value])

    def _orders(self, node: Node) -> list[Order]:
        """The orders of the node's inputs, the oldest first; channels last; and none."""
        if not node.inputs:
            return [()]
        rank = len(node.input_shapes[0])
        sequence = _sequence(node.input_shapes[0])
        if rank > MAX_RANK:
            return [sequence]
        named = node.op.named_inputs(node.input_shapes).values()
        unnamed = [source for place, source in enumerate(node.inputs) if place not in named]
        present = [self._stored[source].order for source in sorted(unnamed)]
        return list(dict.fromkeys([*present, (*range(1, rank), 0), sequence]))

    def _form(self, node: Node, order: Order) -> Form | None:
        if len(order) > MAX_RANK:
            again: Reordered | None = Reordered(node.op, _sequence(node.output_shape))
        else:
            again = node.op.reordered(order)
        if again is None:
            return None
        named = node.op.named_inputs(node.input_shapes).values()
        orders = tuple(
            _sequence(shape) if place in named else order for place, shape in enumerate(node.input_shapes)
        )
        shapes = tuple(map(_stored_shape, node.input_shapes, orders))
        output_order = _sequence(node.output_shape) if again.order is None else again.order
        return Form(orders, again.operator.bind(shapes), shapes, output_order)

    def _made(self, node: Node, form: Form, inputs: tuple[int, ...]) -> Node:
        return dataclasses.replace(
            node,
            index=len(self._nodes),
            op=form.operator,
            inputs=inputs,
            input_shapes=form.shapes,
            output_shape=form.operator.output_shape(form.shapes),
            shares=None if node.shares is None else self._stored[node.shares].value,
        )

    def _cost(self, node: Node, form: Form) -> int:
        """Numbers that are copied: out of one map and into another for a transposition, and as much again of all
        inputs and the output where no kernel computes the node and threads must wait."""
        cost = 0
        for source, order in dict.fromkeys(zip(node.inputs, form.orders, strict=True)):
            if not self._lies_in(source, order):
                cost += 2 * prod(self._graph.shape(source))
        made = self._made(node, form, node.inputs)
        if not self._has_kernel(made):
            cost += 2 * sum(map(prod, (*form.shapes, made.output_shape)))
        return cost

    def _lies_in(self, source: int, order: Order) -> bool:
        """Whether a value is there in this order already."""
        stored = self._stored[source]
        moves = _moves(stored.order, order)
        return Stored(stored.value, moves) in self._transposed or _moves_nothing(
            moves, self._shape(stored.value)
        )

    def _in_order(self, source: int, order: Order, reader: Node) -> int:
        """The new graph's value that holds a value of the given graph in this order, made for a reader if need be."""
        value, present = self._stored[source]
        shape, moves = self._shape(value), _moves(present, order)
        if _moves_nothing(moves, shape):
            return value
        if Stored(value, moves) not in self._transposed:
            output = tuple(shape[old] for old in moves)
            op: Operator = Reshape(shape=output) if _keeps_sequence(moves, shape) else Transpose(order=moves)
            node = Node(len(self._nodes), reader.name, op, (value,), (shape,), output, reader.scope)
            self._transposed[Stored(value, moves)] = self._append(node, reader)
        return self._transposed[Stored(value, moves)]

    def _append(self, node: Node, origin: Node) -> int:
        self._nodes.append(node)
        self._origins.append(origin.index)
        return node.index

    def _shape(self, value: int) -> Shape:
        return self._graph.shape(value) if is_input(value) else self._nodes[value].output_shape


def _sequence(shape: Shape) -> Order:
    return tuple(range(len(shape)))


def _stored_shape(shape: Shape, order: Order) -> Shape:
    """The shape in memory of a value stored in an order."""
    return tuple(shape[order.index(place)] for place in range(len(order)))


def _moves(present: Order, wanted: Order) -> Order:
    """The transposition in memory that takes a value from one order to another.

    Place j of the result holds dimension d with wanted[d] = j, which is now at place present[d].
    """
    return tuple(present[wanted.index(place)] for place in range(len(wanted)))


def _moves_nothing(moves: Order, shape: Shape) -> bool:
    """Whether a transposition leaves every dimension where it is, or one of 1 in the place of another of 1."""
    return all(place == old or shape[place] == shape[old] == 1 for place, old in enumerate(moves))


def _keeps_sequence(moves: Order, shape: Shape) -> bool:
    """Whether a transposition moves dimensions of 1 only, so that the numbers stay in sequence."""
    kept = [old for old in moves if shape[old] > 1]
    return kept == sorted(kept)
