"""Buffer placement: values that are parts of other values, and the halos that readers need.

A concatenation costs nothing when its inputs are written where it wants them, a slice when it is a view, an
activation when it works in place. Each is one value being channels of another: its home. What has no home of its own
gets a buffer, with the widest halo that any reader of it, or of a value inside it, asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.layout import NO_HALO, Halo
from convcalc.backends.numba.passes.algorithm import ConvPlan, Plans
from convcalc.backends.numba.passes.channel_moves import Moves, ValueChannel, aligned
from convcalc.backends.numba.passes.fusion import FusedLayer, Fusion
from convcalc.backends.numba.passes.traits import MAX_RANK, traits

if TYPE_CHECKING:
    from convcalc.ops.slice import Slice


@dataclass(frozen=True, eq=False)
class BufferPlacement:
    """Where values live.

    homes: for a value that is a part of another, that one and the channel there that is its first; halos: what
    readers need around a value that has no home; image_halos: what they need around the interleaved form of an input of
    the network.
    """

    homes: Mapping[int, ValueChannel]
    halos: Mapping[int, Halo]
    image_halos: Mapping[int, Halo]

    def root(self, value: int) -> ValueChannel:
        """The value whose buffer holds this one, and the first channel there."""
        return _root(self.homes, value)

    def halo(self, root: int) -> Halo:
        """What all readers together need."""
        return self.halos.get(root, NO_HALO)


def place(fusion: Fusion, moves: Moves, plans: Plans) -> BufferPlacement:
    """Homes for all values that can have one, and the halos of those that have none."""
    homes = _homes(fusion, moves)
    halos: dict[int, Halo] = {}
    image_halos: dict[int, Halo] = {}
    for layer in fusion.layers:
        plan = plans.get(layer.value)
        if plan is None:
            continue
        source = fusion.alias[layer.node.inputs[0]]
        if isinstance(plan, ConvPlan) and plan.algorithm == "interleaved":
            image_halos[source] = image_halos.get(source, NO_HALO).widened(plan.halo)
        else:
            root = _root(homes, source).value
            halos[root] = halos.get(root, NO_HALO).widened(plan.halo)
    return BufferPlacement(homes, halos, image_halos)


def _root(homes: Mapping[int, ValueChannel], value: int) -> ValueChannel:
    channel = 0
    while value in homes:
        home = homes[value]
        value, channel = home.value, channel + home.channel
    return ValueChannel(value, channel)


def _homes(fusion: Fusion, moves: Moves) -> dict[int, ValueChannel]:
    readers = fusion.readers()
    makers = {layer.value: layer for layer in fusion.layers if not fusion.is_outside(layer)}
    homes: dict[int, ValueChannel] = {}

    def is_movable(value: int) -> bool:
        """Whether a kernel could as well write the value into another's buffer."""
        if value not in makers or value in homes:
            return False
        return traits(makers[value].node).writes_map and 2 <= len(makers[value].node.output_shape) <= MAX_RANK

    def place_parts(layer: FusedLayer, sources: Sequence[int]) -> None:
        counts = [fusion.graph.shape(source)[0] for source in sources]
        if not aligned(counts) or len(layer.node.output_shape) == 1:
            return
        channel = 0
        for source, count in zip(sources, counts, strict=True):
            nested = source in makers and traits(makers[source].node).moves == "join"
            if is_movable(source) or (nested and source not in homes):
                homes[source] = ValueChannel(layer.value, channel)
            channel += count

    def place_view(layer: FusedLayer, source: int) -> None:
        start = cast("Slice", layer.node.op).first
        stop = start + layer.node.output_shape[0]
        # A view has whole blocks: a neighbour's channels in the last one would be multiplied by 0, and a number that
        # is not finite would show.
        whole = start % BLOCK == 0 and (stop % BLOCK == 0 or stop == fusion.graph.shape(source)[0])
        if whole and source in makers and source not in moves.unmade:
            maker = traits(makers[source].node)
            if maker.writes_map or maker.moves:
                homes[layer.value] = ValueChannel(source, start)

    for layer in fusion.layers:
        if fusion.is_outside(layer) or layer.value in moves.unmade:
            continue
        sources = fusion.sources(layer)
        can = traits(layer.node)
        if can.moves == "join":
            place_parts(layer, sources)
        elif can.moves == "part":
            place_view(layer, sources[0])
        elif can.in_place and readers[sources[0]] == 1 and is_movable(sources[0]):
            homes[sources[0]] = ValueChannel(layer.value, 0)
    return homes
