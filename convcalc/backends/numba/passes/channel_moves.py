"""Layers that only move channels, and where a channel really comes from.

A concatenation, slice or shuffle that is read by further such layers alone need not be made: the reader copies from
where the channels lie. ShuffleNet's units, each a concatenation, a shuffle and two slices, come down to one copy of
the channels that a convolution is about to read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Set
from itertools import accumulate

from convcalc.backends.numba.jit.simd import BLOCK
from convcalc.backends.numba.passes.fusion import Fusion, Layer
from convcalc.graph import Graph

MOVES = frozenset({"concat", "slice", "channel_shuffle"})
DEEPEST = 64  # layers that are looked through; the next one is made


def aligned(channels: list[int]) -> bool:
    """Whether every part but the last fills its blocks."""
    return all(count % BLOCK == 0 for count in channels[:-1])


class Moves:
    """unmade: the values that nothing needs to compute, and the layers they would come from."""

    def __init__(self, graph: Graph, fusion: Fusion, host: Set[int]) -> None:
        self._graph = graph
        self._fusion = fusion
        self.unmade: dict[int, Layer] = {}
        needed = {fusion.output}  # by what does not look through
        unshuffled: set[int] = set()  # read by something else than a shuffle
        depths: dict[int, int] = {}  # of the layers that would be looked through to see a value
        for layer in reversed(fusion.layers):
            sources = fusion.sources(layer)
            moves = layer.node.kind in MOVES and layer.value not in host and len(layer.node.output_shape) > 1
            # Its parts are written where they belong, so that it costs nothing, and a slice of it may be a view.
            joins = layer.node.kind == "concat" and aligned([graph.shape(source)[0] for source in sources])
            depth = depths.get(layer.value, 0) + 1
            if layer.value in needed or (joins and layer.value in unshuffled) or not moves or depth > DEEPEST:
                if joins or not moves:
                    needed.update(sources)
                depth = 0
            else:
                self.unmade[layer.value] = layer
            for source in sources:
                depths[source] = max(depths.get(source, 0), depth)
            if layer.node.kind != "channel_shuffle":
                unshuffled.update(sources)

    def origins(self, layer: Layer) -> list[tuple[int, int]]:
        """For each channel of a moving layer, the value that is made and the channel there."""
        return [self._origin(layer, channel) for channel in range(layer.node.output_shape[0])]

    def _origin(self, layer: Layer, channel: int) -> tuple[int, int]:
        while True:
            value, channel = self._source(layer, channel)
            if value not in self.unmade:
                return value, channel
            layer = self.unmade[value]

    def _source(self, layer: Layer, channel: int) -> tuple[int, int]:
        """One layer back. A shuffle's output channel j·groups + i is its input channel i·C/groups + j."""
        values = self._fusion.sources(layer)
        op = layer.node.op
        if layer.node.kind == "slice":
            return values[0], channel + op.start  # type: ignore[attr-defined]
        if layer.node.kind == "channel_shuffle":
            groups = op.groups  # type: ignore[attr-defined]
            return values[0], channel % groups * (layer.node.output_shape[0] // groups) + channel // groups
        ends = list(accumulate(self._graph.shape(value)[0] for value in values))
        place = bisect_right(ends, channel)
        return values[place], channel - (ends[place - 1] if place else 0)
