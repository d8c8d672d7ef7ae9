"""The rows of a network's table: pointwise layers folded into the layer they follow, blocks to a depth."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.receptive import ReceptiveField
from convcalc.graph import Node
from convcalc.shapes import Shape


class Row(NamedTuple):
    """One row and what it sums over. `nodes` are the graph's nodes in it, in order; `block` tells a folded block.

    output_shape and receptive_field are those of its last node; weights, biases and MACs are sums.
    """

    name: str
    nodes: tuple[Node, ...]
    block: bool
    output_shape: Shape
    weights: int
    biases: int
    macs: int
    receptive_field: ReceptiveField | None


def rows(analysis: Analysis, *, depth: int | None = None, unfold: bool = False) -> list[Row]:
    """The rows, in order. depth folds whatever lies more than that many path segments deep; unfold keeps
    pointwise layers apart."""
    result: list[tuple[str, list[Node], bool]] = []
    for node in analysis.graph:
        path = node.name.split(".")
        if depth is not None and len(path) > depth:
            name = ".".join(path[:depth])
            if result and result[-1][0] == name and result[-1][2]:
                result[-1][1].append(node)
            else:
                result.append((name, [node], True))
            continue
        if not unfold and result and node.op.pointwise:
            _, nodes, block = result[-1]
            if not block and node.inputs == (nodes[-1].index,) and node.scope == nodes[-1].scope:
                nodes.append(node)
                continue
        result.append((node.name, [node], False))
    return [_row(analysis, name, nodes, block) for name, nodes, block in result]


def _row(analysis: Analysis, name: str, nodes: list[Node], block: bool) -> Row:
    layers = [analysis.layers[node.index] for node in nodes]
    return Row(
        name,
        tuple(nodes),
        block,
        layers[-1].output_shape,
        sum(layer.weights for layer in layers),
        sum(layer.biases for layer in layers),
        sum(layer.macs for layer in layers),
        layers[-1].receptive_field,
    )
