"""From layers to a program: which function lowers each kind of operator, and the pass that calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from convcalc.backends.numba.arrays.registry import array_function
from convcalc.backends.numba.kernels.activations import ACTIVATIONS
from convcalc.backends.numba.layout import Array
from convcalc.backends.numba.lower.activation import lower_activation
from convcalc.backends.numba.lower.attention import lower_attention
from convcalc.backends.numba.lower.combine import JOINS, lower_affine, lower_join
from convcalc.backends.numba.lower.conv import lower_conv
from convcalc.backends.numba.lower.deconv import lower_deconv
from convcalc.backends.numba.lower.dense import lower_dense
from convcalc.backends.numba.lower.lowering import KeptValue, Lowering, OutsideStep
from convcalc.backends.numba.lower.matmul import lower_matmul
from convcalc.backends.numba.lower.moves import lower_concat, lower_flatten, lower_move, lower_transpose
from convcalc.backends.numba.lower.norms import lower_layernorm, lower_lrn, lower_softmax
from convcalc.backends.numba.lower.pool import POOLINGS, averaged_values, lower_pool
from convcalc.backends.numba.passes.algorithm import Plans
from convcalc.backends.numba.passes.channel_moves import Moves
from convcalc.backends.numba.passes.fixed import fixed_nodes
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.passes.placement import BufferPlacement
from convcalc.backends.numba.passes.traits import traits
from convcalc.backends.numba.runtime.program import Program, Ref
from convcalc.weights.load import Weights


def _lower_slice(low: Lowering, layer: FusedLayer) -> None:
    """Some channels, which may be a view, or some pixels of one axis."""
    if traits(layer.node).moves:
        lower_move(low, layer)
    else:
        lower_pool(low, layer)


LOWER: Mapping[str, Callable[[Lowering, FusedLayer], None]] = {
    "conv": lower_conv,
    "deconv": lower_deconv,
    "dense": lower_dense,
    "attention": lower_attention,
    "matmul": lower_matmul,
    "batchnorm": lower_affine,
    "scale": lower_affine,
    "lrn": lower_lrn,
    "softmax": lower_softmax,
    "layernorm": lower_layernorm,
    "concat": lower_concat,
    "channel_shuffle": lower_move,
    "flatten": lower_flatten,
    "reshape": lower_flatten,
    "transpose": lower_transpose,
    **dict.fromkeys(JOINS, lower_join),
    **dict.fromkeys(POOLINGS, lower_pool),
    "slice": _lower_slice,
    **dict.fromkeys(ACTIVATIONS, lower_activation),
}


@dataclass(frozen=True, eq=False)
class Lowered:
    """A network as steps. setup: those that lay out weights; program: those of every run; outside: what is done
    between them by no kernel, and which values are read there; fixed: numbers that are put in their place once; inputs,
    outputs: where the numbers of each are, channels first; element: bytes of an element of maps with pixels."""

    setup: Program
    program: Program
    outside: tuple[OutsideStep | KeptValue, ...]
    fixed: tuple[tuple[Ref, Array], ...]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    element: int = 4


def lower(
    moves: Moves,
    plans: Plans,
    placement: BufferPlacement,
    weights: Weights,
    threads: int,
    element: int = 4,
    dense_element: int = 4,
    kept: int = 0,
) -> Lowered:
    """The steps of all layers, in running order.

    element: bytes of an element of maps with pixels; dense_element: of the weights of dense layers. kept: how many of
    the graph's outputs, its last ones, are no outputs of the network but values that the caller is given as soon as
    they are there.
    """
    fusion = moves.fusion
    averaged = averaged_values(fusion)
    low = Lowering(fusion, moves, plans, placement, weights, threads, element, dense_element, averaged)
    inputs = tuple(low.add_input(value) for value in fusion.graph.input_indices)
    count = len(fusion.outputs) - kept
    wanted = frozenset(fusion.outputs[:count])
    keepers: dict[int, list[int]] = {}
    for position, value in enumerate(fusion.outputs[count:]):
        keepers.setdefault(value, []).append(position)
    for value in fusion.graph.input_indices:  # of layers that pass their input on
        for position in keepers.get(value, ()):
            low.add_kept(position, value, fusion.graph.nodes[0])
    fixed = fixed_nodes(fusion.graph)
    for layer in fusion.layers:
        if fusion.is_outside(layer):
            function = array_function(layer.node, weights.nodes[layer.node.index])
            add = low.add_fixed if layer.node.index in fixed else low.add_outside
            add(layer, function)
        else:
            LOWER[layer.node.kind](low, layer)
        if layer.value in wanted:  # at once, so that its map need not live to the end
            low.flat(layer.value, layer.node)
        for position in keepers.get(layer.value, ()):
            low.add_kept(position, layer.value, layer.node)
    outputs = tuple(low.add_output(value) for value in fusion.outputs[:count])
    return Lowered(low.setup, low.program, tuple(low.outside), tuple(low.fixed), inputs, outputs, element)
