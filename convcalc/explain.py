"""Where each figure comes from: the worked formulas of a layer, as its operator gives them, and of its place in
the network: how its receptive field grew, and what a flattened input was made of."""

from __future__ import annotations

from math import prod

from convcalc.analysis import Analysis, ReceptiveField
from convcalc.graph import INPUT, Graph, Node
from convcalc.ops.base import Working
from convcalc.ops.working import equation
from convcalc.shapes import Shape


def weight_factors(graph: Graph, node: Node) -> tuple[int, ...]:
    """The factors of a layer's weights; a dense layer's features as the map they were: (2, 2, 256, 4096)."""
    factors = node.op.weight_factors(node.input_shapes)
    if node.kind != "dense" or not factors:
        return factors
    shape = flattened(graph, node)
    return (*shape[1:], shape[0], factors[-1]) if shape else factors


def flattened(graph: Graph, node: Node) -> Shape | None:
    """The map `(C, *spatial)` whose flattening the layer reads, if it reads one, directly or through
    pointwise layers; None else, and for a map of one pixel."""
    source = node.inputs[0]
    while source != INPUT and graph.nodes[source].op.pointwise:
        source = graph.nodes[source].inputs[0]
    if source == INPUT or graph.nodes[source].kind != "flatten":
        return None
    shape = graph.nodes[source].input_shapes[0]
    return shape if prod(shape[1:]) > 1 else None


def explain(analysis: Analysis, node: Node) -> list[Working]:
    """Every worked formula of a layer: size, weights, biases, MACs, receptive field, shared weights."""
    graph = analysis.graph
    lines = list(node.op.working(node.input_shapes))
    factors = weight_factors(graph, node)
    if factors:
        lines = [Working("weights", equation(factors)) if line.what == "weights" else line for line in lines]
    if node.shares is not None:
        lines.append(Working("shared", f"the weights of {graph.nodes[node.shares].name}, counted there"))
    field = _field(analysis, node)
    if field:
        lines.append(Working("receptive field", field))
    return lines


def _field(analysis: Analysis, node: Node) -> str:
    """`11 + (3 − 1)·4 = 19, stride 4·2 = 8`, for one input and axes that are alike."""
    after = analysis.layers[node.index].receptive_field
    if after is None or len(node.inputs) != 1 or node.op.pointwise:
        return ""
    source = node.inputs[0]
    rank = len(analysis.graph.input_shape) - 1
    before = (
        ReceptiveField((1,) * rank, (1,) * rank, (0,) * rank)
        if source == INPUT
        else analysis.layers[source].receptive_field
    )
    window = getattr(node.op, "axes", None)
    if before is None or window is None or node.kind == "deconv":
        return ""
    axes = window(node.input_shapes)
    if len(set(axes)) != 1 or any(len(set(part)) != 1 for part in (before.size, before.stride)):
        return ""
    axis, size, stride = axes[0], before.size[0], before.stride[0]
    kernel = str(axis.extent) if axis.dilation == 1 else f"{axis.dilation}·({axis.kernel} − 1) + 1"
    return f"{size} + ({kernel} − 1)·{stride} = {after.size[0]}, stride {stride}·{axis.stride} = {after.stride[0]}"
