"""Activations as steps: those that no other layer took in, and what convolutions need to take one in."""

from __future__ import annotations

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels import pointwise
from convcalc.backends.numba.kernels.activations import ACTIVATIONS, Function
from convcalc.backends.numba.layout import Array
from convcalc.backends.numba.lower.combine import add_affine, rows_of, source_of
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import MapView, Step
from convcalc.graph import Node


def function_of(node: Node) -> Function:
    """The function that kernels compute for an activation, from the table of activations."""
    function = ACTIVATIONS[node.kind].function
    assert function is not None, f"{node.kind} is a bound"
    return function(node.op)


def lower_activation(low: Lowering, layer: FusedLayer) -> None:
    """An activation that nothing took in: a bound, or a function."""
    node = layer.node
    source, target = source_of(low, layer), low.target(layer.value, node)
    if node.op.bound is not None:
        lanes = target.layout.blocks * BLOCK
        ones, nothing = np.ones(lanes, np.float32), np.full(lanes, -0.0, np.float32)  # −0 + −0 is −0
        add_affine(low, layer, source, target, ones, nothing, node.op.bound)
        return
    add_function(low, node, source, target, function_of(node))


def add_function(low: Lowering, node: Node, source: MapView, target: MapView, function: Function) -> None:
    """The step of an activation's function on a whole map."""
    rows, items = rows_of(low, target)
    values = rows | {"function": function.number, "slopes": _parameters(low, node, target, function)}
    values |= source.strides("source") | target.strides("target")
    kernel = kernel_for(pointwise.activate, source, target)
    low.program.add(Step(kernel, values, items, (source.span,), (target.span,), node.index))


def _parameters(low: Lowering, node: Node, target: MapView, function: Function) -> Array:
    """The function's parameter for each channel, and in the lanes of a block that no channel uses."""
    activation = ACTIVATIONS[node.kind]
    channels = target.layout.channels
    own = low.parameter(node, activation.weight) if activation.weight else function.parameter
    values = np.full(target.layout.blocks * BLOCK, activation.unused, np.float32)
    values[:channels] = own
    return values
