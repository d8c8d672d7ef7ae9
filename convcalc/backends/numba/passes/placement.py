"""Who lives where: values that are parts of other values, and the halos that readers need.

A concatenation costs nothing when its inputs are written where it wants them, a slice when it is a view, an
activation when it works in place. Each is one value being channels of another: its home. What has no home of its own
gets a buffer, with the widest halo that any reader of it, or of a value inside it, asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convcalc.backends.numba.jit.simd import BLOCK
from convcalc.backends.numba.layout import NONE, Triple, largest
from convcalc.backends.numba.passes.channel_moves import Moves, aligned
from convcalc.backends.numba.passes.fusion import Fusion, Layer
from convcalc.graph import INPUT, Graph

ACTIVATIONS = frozenset(
    {"relu", "relu6", "leaky_relu", "prelu", "elu", "sigmoid", "tanh", "gelu", "silu", "mish", "hardsigmoid",
     "hardswish", "softplus"}
)  # fmt: skip
IN_PLACE = ACTIVATIONS | {"batchnorm", "scale"}
WRITES_MAPS = IN_PLACE | {
    "conv", "deconv", "maxpool", "avgpool", "adaptive_avgpool", "global_avgpool", "add", "multiply", "lrn",
    "layernorm", "channel_shuffle", "upsample", "pad",
}  # fmt: skip


@dataclass(frozen=True)
class Home:
    """A value that is `parent`'s channels from `channel` on."""

    parent: int
    channel: int


class Storage:
    """Homes of values, and halos of those that have none. host: values that are computed outside the kernels."""

    def __init__(self, graph: Graph, fusion: Fusion, moves: Moves, host: set[int]) -> None:
        self.graph = graph
        self.homes: dict[int, Home] = {}
        self.halos: dict[int, tuple[Triple, Triple]] = {}
        self._host = host
        self._moves = moves
        self._readers = fusion.readers()
        self._makers = {layer.value: layer for layer in fusion.layers}
        for layer in fusion.layers:
            sources = fusion.sources(layer)
            if layer.value in host or layer.value in moves.unmade:
                continue
            if layer.node.kind == "concat":
                self._place_parts(layer, sources)
            elif layer.node.kind == "slice":
                self._place_slice(layer, sources[0])
            elif layer.node.kind in IN_PLACE and self._movable(sources[0]) and self._readers[sources[0]] == 1:
                self.homes[sources[0]] = Home(layer.value, 0)

    def root(self, value: int) -> tuple[int, int]:
        """The value whose buffer holds this one, and the first channel there."""
        channel = 0
        while value in self.homes:
            home = self.homes[value]
            value, channel = home.parent, channel + home.channel
        return value, channel

    def need(self, value: int, before: Triple, after: Triple) -> None:
        """A reader wants at least this halo around a value."""
        root, _ = self.root(value)
        known = self.halos.get(root, (NONE, NONE))
        self.halos[root] = largest(known[0], before), largest(known[1], after)

    def halo(self, root: int) -> tuple[Triple, Triple]:
        """What all readers together need."""
        return self.halos.get(root, (NONE, NONE))

    def _movable(self, value: int) -> bool:
        """Whether a kernel could as well write it into another's buffer."""
        if value == INPUT or value in self.homes or value in self._host:
            return False
        maker = self._makers[value]
        return maker.node.kind in WRITES_MAPS and 2 <= len(self.graph.shape(value)) <= 4

    def _place_parts(self, layer: Layer, sources: list[int]) -> None:
        if (
            not aligned([self.graph.shape(source)[0] for source in sources])
            or len(layer.node.output_shape) == 1
        ):
            return
        channel = 0
        for source in sources:
            nested = source in self._makers and self._makers[source].node.kind == "concat"
            if self._movable(source) or (nested and source not in self.homes and source not in self._host):
                self.homes[source] = Home(layer.value, channel)
            channel += self.graph.shape(source)[0]

    def _place_slice(self, layer: Layer, source: int) -> None:
        op: Any = layer.node.op
        # A view has whole blocks: a neighbour's channels in the last one would be multiplied by 0, and a number that
        # is not finite would show.
        whole = op.start % BLOCK == 0 and (op.stop % BLOCK == 0 or op.stop == self.graph.shape(source)[0])
        in_kernels = source != INPUT and source not in self._host and source in self._makers
        in_kernels = in_kernels and source not in self._moves.unmade
        kinds = WRITES_MAPS | {"concat", "slice"}
        if whole and in_kernels and self._makers[source].node.kind in kinds:
            self.homes[layer.value] = Home(source, op.start)
