"""What is computed together: a layer and the pointwise layers after it that cost nothing more.

A convolution takes batch norm and learned scale into its weights, adds a residual and bounds the result while it is
still in registers, and applies any other activation while it is in cache; pooling, sums and dense layers take the
bound. A dropout or identity is its input. A value is named by the last node that was fused into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from math import inf

from convcalc.graph import INPUT, Graph, Node

PASSING = frozenset({"dropout", "identity"})
FOLDING = frozenset({"batchnorm", "scale"})
BOUNDS = {"relu": (0.0, inf), "relu6": (0.0, 6.0)}
FUNCTIONS_TAKEN = frozenset(
    {"leaky_relu", "elu", "sigmoid", "tanh", "gelu", "silu", "mish", "hardsigmoid", "hardswish", "softplus"}
)
TAKES_BOUND = frozenset(
    {"conv", "deconv", "dense", "maxpool", "avgpool", "adaptive_avgpool", "global_avgpool", "batchnorm", "scale",
     "add", "multiply"}
)  # fmt: skip


@dataclass
class Layer:
    """A node with what is fused into it. residual: the value added; low, high: the bounds of the result;
    function: an activation that is no bound, done while the result is still in cache."""

    node: Node
    folded: list[Node] = field(default_factory=list)
    residual: int | None = None
    low: float = -inf
    high: float = inf
    function: Node | None = None
    value: int = -1  # the last node fused: the value's name

    @property
    def bounded(self) -> bool:
        """Whether an activation was fused, after which nothing else can be."""
        return self.low > -inf or self.high < inf or self.function is not None


class Fusion:
    """A graph's layers, and which value each node's inputs are.

    layers: in running order, those that compute something; alias: node to the value it is; readers: per value, the
    nodes that read it (the end of the network counts as one). Nodes of `host` are left alone.
    """

    def __init__(self, graph: Graph, host: Set[int] = frozenset()) -> None:
        self.graph = graph
        self.alias: dict[int, int] = {INPUT: INPUT}
        self.layers: list[Layer] = []
        self._followers: dict[int, list[Node]] = {}
        for node in graph:
            for source in dict.fromkeys(node.inputs):
                self._followers.setdefault(source, []).append(node)
        fused: set[int] = set()
        for node in graph:
            if node.index in fused:
                continue
            if node.kind in PASSING:
                self.alias[node.index] = self.alias[node.inputs[0]]
                continue
            layer = Layer(node, value=node.index)
            last = node
            for follower in self._chain(node) if node.index not in host else ():
                if follower.index in host or not self._fuse(layer, last, follower):
                    break
                fused.add(follower.index)
                last = follower
            layer.value = last.index
            inside = node
            while inside is not last:
                self.alias[inside.index] = layer.value
                inside = self._followers[inside.index][0]
            self.alias[last.index] = layer.value
            self.layers.append(layer)
        self.output = self.alias[graph.output]

    def _chain(self, node: Node) -> Iterator[Node]:
        """The nodes after `node` as long as each is the only reader of the one before."""
        while True:
            followers = self._followers.get(node.index, [])
            if len(followers) != 1 or node.index == self.graph.output:
                return
            node = followers[0]
            yield node

    def _fuse(self, layer: Layer, last: Node, follower: Node) -> bool:
        """Take the follower into the layer, if it can be."""
        kind = layer.node.kind
        if follower.kind in PASSING:
            return True
        if layer.bounded:
            return False
        if follower.kind in FOLDING and kind in ("conv", "deconv") and layer.residual is None:
            layer.folded.append(follower)
            return True
        if (
            follower.kind == "add"
            and kind == "conv"
            and layer.residual is None
            and not _depthwise(layer.node)
        ):
            others = [source for source in follower.inputs if source != last.index]
            if len(follower.inputs) != 2 or len(others) != 1 or len(layer.node.output_shape) > 4:
                return False
            if len(set(follower.input_shapes)) > 1:  # one of them is repeated
                return False
            other = others[0]
            if other >= layer.node.index or other not in self.alias:
                return False
            layer.residual = self.alias[other]
            return True
        if follower.kind in BOUNDS and kind in TAKES_BOUND and len(layer.node.output_shape) <= 4:
            layer.low, layer.high = BOUNDS[follower.kind]
            return True
        if follower.kind in FUNCTIONS_TAKEN and kind == "conv" and len(layer.node.output_shape) <= 4:
            layer.function = follower
            return True
        return False

    def readers(self) -> dict[int, int]:
        """How often each value is read by a layer; the network's output once more."""
        counts: dict[int, int] = {}
        for layer in self.layers:
            for source in self.sources(layer):
                counts[source] = counts.get(source, 0) + 1
        counts[self.output] = counts.get(self.output, 0) + 1
        return counts

    def sources(self, layer: Layer) -> list[int]:
        """The values a layer reads, its residual last."""
        values = [self.alias[source] for source in layer.node.inputs]
        return values if layer.residual is None else [*values, layer.residual]


def _depthwise(node: Node) -> bool:
    groups = getattr(node.op, "groups", 1)
    return bool(groups > 1 and groups == node.input_shapes[0][0] == node.output_shape[0])
