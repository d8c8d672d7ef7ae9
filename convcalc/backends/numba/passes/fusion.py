"""What is computed together: a layer and the pointwise layers after it that cost nothing more.

A convolution takes batch norm and learned scale into its weights, adds a residual and bounds the result while it is
still in registers, and applies any other activation while it is in cache; pooling, sums and dense layers take the
bound. A dropout or identity is its input. A value is named by the last node that was fused into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from math import inf

from convcalc.backends.numba.kernels.activations import ACTIVATIONS
from convcalc.backends.numba.passes.traits import MAX_RANK, Traits, traits
from convcalc.graph import Graph, Node
from convcalc.ops.add import Add


@dataclass(frozen=True, kw_only=True)
class FusedLayer:
    """A node with what is fused into it.

    value: the last node that was fused, the name of what the layer computes. folded: those that became part of the
    weights; residual: the value that is added; low, high: the bounds of the result; function: an activation that is
    no bound, applied while the result is still in cache.
    """

    node: Node
    value: int
    folded: tuple[Node, ...] = ()
    residual: int | None = None
    low: float = -inf
    high: float = inf
    function: Node | None = None

    @property
    def is_activated(self) -> bool:
        """Whether an activation was fused, after which nothing else can be."""
        return self.low > -inf or self.high < inf or self.function is not None

    @property
    def macs(self) -> int:
        """Multiply-accumulates as the network counts them."""
        return self.node.op.macs(self.node.input_shapes)


@dataclass(frozen=True, eq=False)
class Fusion:
    """The layers of a graph, and which value each node's output is.

    layers: in running order, those that compute something; alias: from a node to the value it became; outside: the
    nodes that no kernel computes, with which nothing is fused.
    """

    graph: Graph
    outside: Set[int]
    layers: tuple[FusedLayer, ...]
    alias: Mapping[int, int]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The value of each of the network's outputs; one value may be several."""
        return tuple(self.alias[output.node] for output in self.graph.outputs)

    def is_outside(self, layer: FusedLayer) -> bool:
        """Whether no kernel computes the layer."""
        return layer.node.index in self.outside

    def sources(self, layer: FusedLayer) -> list[int]:
        """The values a layer reads, its residual last."""
        values = [self.alias[source] for source in layer.node.inputs]
        return values if layer.residual is None else [*values, layer.residual]

    def readers(self) -> dict[int, int]:
        """How often each value is read by a layer, and once more for each output of the network that it is."""
        counts: dict[int, int] = {}
        for layer in self.layers:
            for source in self.sources(layer):
                counts[source] = counts.get(source, 0) + 1
        for value in self.outputs:
            counts[value] = counts.get(value, 0) + 1
        return counts


def fuse(graph: Graph, outside: Set[int] = frozenset()) -> Fusion:
    """The layers of a graph. outside: the nodes that no kernel computes."""
    followers: dict[int, list[Node]] = {}
    for node in graph:
        for source in dict.fromkeys(node.inputs):
            followers.setdefault(source, []).append(node)
    alias: dict[int, int] = {value: value for value in graph.input_indices}
    outputs = frozenset(output.node for output in graph.outputs)
    layers: list[FusedLayer] = []
    fused: set[int] = set()
    for node in graph:
        if node.index in fused:
            continue
        if node.op.is_passing:
            alias[node.index] = alias[node.inputs[0]]
            continue
        layer = FusedLayer(node=node, value=node.index)
        inside = [node.index]
        for follower in _chain(node, outputs, followers) if node.index not in outside else ():
            taken = _take(layer, follower, alias) if follower.index not in outside else None
            if taken is None:
                break
            layer = replace(taken, value=follower.index)
            inside.append(follower.index)
        fused.update(inside)
        alias |= dict.fromkeys(inside, layer.value)
        layers.append(layer)
    return Fusion(graph, outside, tuple(layers), alias)


def _chain(node: Node, outputs: Set[int], followers: Mapping[int, Sequence[Node]]) -> Iterator[Node]:
    """The nodes after `node` as long as each is all that reads the one before, which is no output of the network."""
    while True:
        readers = followers.get(node.index, ())
        if len(readers) != 1 or node.index in outputs:
            return
        node = readers[0]
        yield node


def _take(layer: FusedLayer, follower: Node, alias: Mapping[int, int]) -> FusedLayer | None:
    """The layer with the follower fused into it; None if it cannot take it."""
    op, can = follower.op, traits(layer.node)
    if op.is_passing:
        return layer
    if layer.is_activated:
        return None
    if op.is_channel_affine:
        if can.takes_affine and layer.residual is None:
            return replace(layer, folded=(*layer.folded, follower))
        return None
    if len(layer.node.output_shape) > MAX_RANK:
        return None
    if follower.kind in ACTIVATIONS:
        return _activated(layer, follower, can)
    residual = _residual(layer, follower, alias) if can.takes_sum else None
    return None if residual is None else replace(layer, residual=residual)


def _activated(layer: FusedLayer, follower: Node, can: Traits) -> FusedLayer | None:
    """The layer with an activation, as the table of activations says that it is fused."""
    fused = ACTIVATIONS[follower.kind].fused
    bound = follower.op.bound
    if fused == "bound" and bound is not None and can.takes_bound:
        return replace(layer, low=bound[0], high=bound[1])
    if fused == "function" and can.takes_function:
        return replace(layer, function=follower)
    return None


def _residual(layer: FusedLayer, follower: Node, alias: Mapping[int, int]) -> int | None:
    """The value that a sum adds to the layer's, if it is there when the layer is computed."""
    if not isinstance(follower.op, Add) or layer.residual is not None or _is_depthwise(layer.node):
        return None
    if len(set(follower.input_shapes)) > 1:  # one of them is repeated
        return None
    others = [source for source in follower.inputs if source != layer.value]
    if len(follower.inputs) != 2 or len(others) != 1:
        return None
    other = others[0]
    return alias[other] if other < layer.node.index and other in alias else None


def _is_depthwise(node: Node) -> bool:
    groups = getattr(node.op, "groups", 1)
    return bool(groups > 1 and groups == node.input_shapes[0][0] == node.output_shape[0])
