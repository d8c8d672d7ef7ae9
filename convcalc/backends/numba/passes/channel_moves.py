"""Layers that only move channels, and where a channel really comes from.

A concatenation, slice or shuffle that is read by further such layers alone need not be made: the reader copies from
where the channels lie. ShuffleNet's units, each a concatenation, a shuffle and two slices, come down to one copy of
the channels that a convolution is about to read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, cast

from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.passes.fusion import FusedLayer, Fusion
from convcalc.backends.numba.passes.traits import traits

if TYPE_CHECKING:
    from convcalc.ops.channel_shuffle import ChannelShuffle
    from convcalc.ops.slice import Slice

MAX_DEPTH = 64  # layers that are looked through; the next one is made


class ValueChannel(NamedTuple):
    """A channel of a value."""

    value: int
    channel: int


def aligned(channels: list[int]) -> bool:
    """Whether every part but the last fills its blocks."""
    return all(count % BLOCK == 0 for count in channels[:-1])


@dataclass(frozen=True, eq=False)
class Moves:
    """unmade: the values that nothing needs to compute, and the layers they would come from."""

    fusion: Fusion
    unmade: Mapping[int, FusedLayer]

    def origins(self, layer: FusedLayer) -> list[ValueChannel]:
        """For each channel of a moving layer, the value that is made and the channel there."""
        return [self._origin(layer, channel) for channel in range(layer.node.output_shape[0])]

    def _origin(self, layer: FusedLayer, channel: int) -> ValueChannel:
        while True:
            origin = self._source(layer, channel)
            if origin.value not in self.unmade:
                return origin
            layer, channel = self.unmade[origin.value], origin.channel

    def _source(self, layer: FusedLayer, channel: int) -> ValueChannel:
        """One layer back. A shuffle's output channel j·groups + i is its input channel i·C/groups + j."""
        values = self.fusion.sources(layer)
        moves = traits(layer.node).moves
        if moves == "part":
            return ValueChannel(values[0], channel + cast("Slice", layer.node.op).first)
        if moves == "shuffle":
            groups = cast("ChannelShuffle", layer.node.op).groups
            return ValueChannel(
                values[0], channel % groups * (layer.node.output_shape[0] // groups) + channel // groups
            )
        ends = list(accumulate(self.fusion.graph.shape(value)[0] for value in values))
        place = bisect_right(ends, channel)
        return ValueChannel(values[place], channel - (ends[place - 1] if place else 0))


def find_moves(fusion: Fusion) -> Moves:
    """Which values need not be made, found from the network's end backwards. Its outputs are always made."""
    unmade: dict[int, FusedLayer] = {}
    needed = set(fusion.outputs)  # by what does not look through
    unshuffled: set[int] = set()  # read by something else than a shuffle
    depths: dict[int, int] = {}  # of the layers that would be looked through to see a value
    for layer in reversed(fusion.layers):
        sources = fusion.sources(layer)
        how = traits(layer.node).moves
        moves = how is not None and not fusion.is_outside(layer) and len(layer.node.output_shape) > 1
        # Its parts are written where they belong, so that it costs nothing, and a slice of it may be a view.
        joins = how == "join" and aligned([fusion.graph.shape(source)[0] for source in sources])
        depth = depths.get(layer.value, 0) + 1
        if layer.value in needed or (joins and layer.value in unshuffled) or not moves or depth > MAX_DEPTH:
            if joins or not moves:
                needed.update(sources)
            depth = 0
        else:
            unmade[layer.value] = layer
        for source in sources:
            depths[source] = max(depths.get(source, 0), depth)
        if how != "shuffle":
            unshuffled.update(sources)
    return Moves(fusion, unmade)
