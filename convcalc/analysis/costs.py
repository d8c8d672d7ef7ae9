"""Costs of layers: MACs per output element, what sparse connections and shared weights save over a dense layer,
memory traffic, and what a 1×1 convolution that reduces the channels saves in the layers it feeds.

The three counts of the lecture's "convolution as a dense layer", for a 2×2 kernel on a 4×4 image: a dense layer
has 16·9 = 144 weights; with connections only inside each window there are 9·4 = 36; with a shared kernel, 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from heapq import heappop, heappush
from math import prod
from typing import NamedTuple

from convcalc.analysis.analyse import DTYPES, Analysis
from convcalc.graph import Graph, Node
from convcalc.ops import product
from convcalc.ops.conv import Conv
from convcalc.shapes import Shape, elements

MAX_STEPS = 10_000_000  # limit of the loop that counts taps on one axis; above it, padding is not subtracted


class Cost(NamedTuple):
    """The cost of a layer, or of several layers together.

    dense: weights of a dense layer between the same input and output. local: weights if every output had its own
    kernel (locally connected), taps on padding included. active: connections to real inputs, taps on padding
    excluded. shared: the layer's actual weights, 0 if it reuses another layer's. All four are 0 without MACs.
    outputs: output elements of the (last) layer. memory: bytes of inputs, parameters and output, for the batch.
    """

    dense: int
    local: int
    active: int
    shared: int
    macs: int
    outputs: int
    memory: int
    batch: int = 1

    @property
    def per_output(self) -> Fraction:
        """MACs per output element: F·F·D for a convolution."""
        return Fraction(self.macs, self.outputs)

    @property
    def intensity(self) -> Fraction:
        """Arithmetic intensity: FLOPs per byte of memory traffic."""
        return Fraction(2 * self.macs * self.batch, self.memory)


class Saving(NamedTuple):
    """What a layer saves because of a reduction before it.

    depth: the channels it reads; cut: how many more it would read without the reduction; window: its kernel's
    extents; outputs: its output's shape.
    """

    reader: Node
    depth: int
    cut: int
    window: tuple[int, ...]
    outputs: Shape

    @property
    def saved(self) -> int:
        """MACs saved."""
        return prod(self.window) * self.cut * prod(self.outputs)

    @property
    def per_output(self) -> tuple[int, int]:
        """MACs per output element, without and with the reduction."""
        return prod(self.window) * (self.depth + self.cut), prod(self.window) * self.depth

    @property
    def working(self) -> str:
        """`3·3·(192 − 96)·128·28·28 = 86,704,128`."""
        window = "".join(f"{extent}·" for extent in self.window)
        return f"{window}({self.depth + self.cut} − {self.depth})·{product(self.outputs)} = {self.saved:,}"


class Reduction(NamedTuple):
    """A 1×1 convolution that reduces `before` channels to `after` before other layers read them. spent: its own MACs;
    savings: those of the convolutions it feeds."""

    node: Node
    before: int
    after: int
    spent: int
    savings: tuple[Saving, ...]

    @property
    def saved(self) -> int:
        """MACs saved in all the layers it feeds."""
        return sum(saving.saved for saving in self.savings)

    @property
    def net(self) -> int:
        """MACs that the reduction adds to the network: negative if it pays off."""
        return self.spent - self.saved


def cost(analysis: Analysis, node: Node) -> Cost:
    """The cost of one layer."""
    layer = analysis.layers[node.index]
    inputs, outputs = sum(map(elements, node.input_shapes)), elements(node.output_shape)
    memory = ((inputs + outputs) * analysis.batch + node.learned) * DTYPES[analysis.dtype]
    if not layer.macs:
        return Cost(
            dense=0, local=0, active=0, shared=0, macs=0, outputs=outputs, memory=memory, batch=analysis.batch
        )
    return Cost(
        dense=inputs * outputs,
        local=layer.macs,
        active=connections(node),
        shared=prod(node.op.weight_factors(node.input_shapes)) if node.shares is None else 0,
        macs=layer.macs,
        outputs=outputs,
        memory=memory,
        batch=analysis.batch,
    )


def total(costs: Sequence[Cost]) -> Cost:
    """The cost of several layers together; `outputs` are those of the last, since it gives the block's output."""
    return Cost(
        dense=sum(cost.dense for cost in costs),
        local=sum(cost.local for cost in costs),
        active=sum(cost.active for cost in costs),
        shared=sum(cost.shared for cost in costs),
        macs=sum(cost.macs for cost in costs),
        outputs=costs[-1].outputs,
        memory=sum(cost.memory for cost in costs),
        batch=costs[-1].batch,
    )


def connections(node: Node) -> int:
    """Pairs of an input and an output element connected by a weight; padding does not count as an element."""
    op, shapes = node.op, node.input_shapes
    if isinstance(op, Conv):
        pairs = [
            _pairs(axis.output, axis.kernel, axis.stride, axis.dilation, axis.before, axis.size)
            for axis in op.axes(shapes)
        ]
    elif op.role == "convolution":
        from convcalc.ops.deconv import Deconv

        assert isinstance(op, Deconv)
        pairs = [
            _pairs(axis.size, axis.kernel, axis.stride, axis.dilation, axis.before, axis.output)
            for axis in op.axes(shapes)
        ]
    else:  # dense: every weight at every position
        return node.op.macs(shapes)
    depth, filters = op.weight_factors(shapes)[-2:]
    return prod(pairs) * depth * filters


def _pairs(positions: int, kernel: int, stride: int, dilation: int, before: int, size: int) -> int:
    """The number of taps within [0, size), over all windows of one axis. Loops over the shorter of kernel and
    positions: p·stride + t·dilation − before is symmetric in the two."""
    if min(positions, kernel) > MAX_STEPS:
        return positions * kernel
    if kernel > positions:
        return _pairs(kernel, positions, dilation, stride, before, size)
    return sum(uses(positions, kernel, stride, dilation, before, size))


def uses(positions: int, kernel: int, stride: int, dilation: int, before: int, size: int) -> Iterator[int]:
    """Per tap, the number of window positions at which it lies within [0, size), on one axis: tap t of window p is
    at p·stride + t·dilation − before."""
    for tap in range(kernel):
        first = max(0, -((tap * dilation - before) // stride))
        last = min(positions - 1, (size - 1 + before - tap * dilation) // stride)
        yield max(0, last - first + 1)


def reductions(graph: Graph) -> list[Reduction]:
    """Every 1×1 convolution that reduces the channels, with what it saves in the convolutions it feeds, directly or
    through pools, concatenations and pointwise layers."""
    return [found for node in graph if (found := reduction(graph, node)) is not None]


def reduction(graph: Graph, node: Node) -> Reduction | None:
    """A layer as a reduction, with its savings; None if it is not one."""
    if not (isinstance(node.op, Conv) and _cuts(node, node.op)) or _is_whole_branch(graph, node):
        return None
    before, after = node.input_shapes[0][0], node.output_shape[0]
    savings = tuple([_saving(reader, cut) for reader, cut in _fed(node, before - after, _readers(graph))])
    return Reduction(node, before, after, spent=node.op.macs(node.input_shapes), savings=savings)


@lru_cache(maxsize=2)
def _readers(graph: Graph) -> dict[int, list[Node]]:
    """By the index of an output, the nodes that read it."""
    readers: dict[int, list[Node]] = {}
    for node in graph:
        for source in node.inputs:
            readers.setdefault(source, []).append(node)
    return readers


def _cuts(node: Node, op: Conv) -> bool:
    pixelwise = all(axis.kernel == 1 and axis.stride == 1 for axis in op.axes(node.input_shapes))
    return pixelwise and op.groups == 1 and op.channels < node.input_shapes[0][0]


def _is_whole_branch(graph: Graph, node: Node) -> bool:
    """Whether a convolution is a whole branch, such as the plain 1×1 branch of an inception module: it reads the same
    output as other branches do, and its own output reaches a concatenation before any convolution.

    It computes part of the module's output and does not reduce the input of another layer.
    """
    readers = _readers(graph)
    reader, source = node, node.inputs[0]
    while source >= 0 and graph.nodes[source].op.pointwise and len(readers[source]) == 1:
        reader, source = graph.nodes[source], graph.nodes[source].inputs[0]
    if all(other is reader or other.op.role == "join" for other in readers[source]):
        return False
    joined = False
    waiting = [node.index]
    while waiting:
        for follower in readers.get(waiting.pop(), ()):
            if isinstance(follower.op, Conv):
                return False
            if follower.op.role == "join":
                joined = joined or _passes_on(follower)
            elif _passes_on(follower):
                waiting.append(follower.index)
    return joined


def _fed(node: Node, cut: int, readers: dict[int, list[Node]]) -> list[tuple[Node, int]]:
    """The convolutions that read a layer's channels, in order, each with the number of channels it saves. A
    concatenation adds up what its inputs save."""
    cuts = {node.index: cut}
    fed = []
    known = {node.index}
    waiting = [node.index]  # in the graph's order: before a layer, all that it reads
    while waiting:
        index = heappop(waiting)
        for reader in readers.get(index, ()):
            if reader.index in known:
                continue
            known.add(reader.index)
            if isinstance(reader.op, Conv):
                if reader.op.groups == 1:
                    fed.append((reader, cuts[index]))
            elif _passes_on(reader):
                heappush(waiting, reader.index)
                cuts[reader.index] = 0
        for reader in readers.get(index, ()):
            if reader.index in cuts:
                cuts[reader.index] += cuts[index]
    return sorted(fed, key=lambda pair: pair[0].index)


def _passes_on(node: Node) -> bool:
    """Whether a node with fewer input channels has as many fewer output channels."""
    if node.op.role == "join":
        from convcalc.ops.concat import Concat

        if isinstance(node.op, Concat):
            return True
    return len(node.inputs) == 1 and (node.op.pointwise or node.op.role == "pooling")


def _saving(reader: Node, cut: int) -> Saving:
    *window, depth, filters = reader.op.weight_factors(reader.input_shapes)
    outputs = (filters, *reader.output_shape[1:])
    return Saving(reader, depth=depth, cut=cut, window=tuple(window), outputs=outputs)
