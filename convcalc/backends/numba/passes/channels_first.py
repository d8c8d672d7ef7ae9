"""Channels-last stretches of a graph, said channels first.

ConvNeXt and the like transpose a map to (…, C), normalise and multiply along the last dimension, and transpose back.
Our maps keep a pixel's channels together anyway, so such a stretch is rewritten to what it computes: a dense layer
along the last dimension is a 1×1 convolution, a layer norm along it one over channels, a transposition nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from convcalc.graph import Graph, Node
from convcalc.ops.conv import Conv
from convcalc.ops.identity import Identity
from convcalc.ops.layernorm import Layernorm
from convcalc.shapes import Shape

POINTWISE = frozenset(
    {"relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "gelu", "silu", "mish", "hardsigmoid", "hardswish",
     "softplus", "dropout", "identity"}
)  # fmt: skip


def channels_first(graph: Graph) -> Graph:
    """The graph with every stretch that can be so rewritten; nodes keep their places, names and weights.

    A node is turned when its value is (…, C) and all its readers can take it as (C, …).
    """
    turned = {node.index for node in graph if _to_last(node)}
    for node in graph:
        if len(node.inputs) >= 1 and all(source in turned for source in node.inputs) and _keeps(node):
            turned.add(node.index)
    readers: dict[int, list[Node]] = {}
    for node in graph:
        for source in node.inputs:
            readers.setdefault(source, []).append(node)
    changed = True
    while changed:
        bad = {
            index
            for index in turned
            if index == graph.output
            or not all(one.index in turned or _to_first(one) for one in readers.get(index, []))
            or (not _to_last(graph.nodes[index]) and not all(s in turned for s in graph.nodes[index].inputs))
        }
        turned -= bad
        changed = bool(bad)
    if not turned:
        return graph
    nodes = [_turn(node, turned) for node in graph]
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _to_last(node: Node) -> bool:
    rank = len(node.output_shape)
    return node.kind == "transpose" and 2 <= rank <= 4 and node.op.order == (*range(1, rank), 0)  # type: ignore[attr-defined]


def _to_first(node: Node) -> bool:
    rank = len(node.output_shape)
    return node.kind == "transpose" and 2 <= rank <= 4 and node.op.order == (rank - 1, *range(rank - 1))  # type: ignore[attr-defined]


def _keeps(node: Node) -> bool:
    op: Any = node.op
    if node.kind in ("dense", "layernorm"):
        return bool(op.axis == "last")
    return node.kind in POINTWISE or (node.kind == "add" and len(set(node.input_shapes)) == 1)


def _first(shape: Shape) -> Shape:
    return (shape[-1], *shape[:-1])


def _turn(node: Node, turned: set[int]) -> Node:
    op: Any = node.op
    if node.index not in turned:
        if _to_first(node) and node.inputs[0] in turned:
            shape = node.output_shape
            return dataclasses.replace(node, op=Identity(), input_shapes=(shape,), output_shape=shape)
        return node
    output = _first(node.output_shape)
    if _to_last(node):
        return dataclasses.replace(node, op=Identity(), output_shape=output)
    inputs = tuple(map(_first, node.input_shapes))
    if node.kind == "dense":
        op = Conv(filters=op.units, kernel=1, bias=op.bias)
    elif node.kind == "layernorm":
        op = Layernorm(axis="channels", eps=op.eps)
    return dataclasses.replace(node, op=op, input_shapes=inputs, output_shape=output)
