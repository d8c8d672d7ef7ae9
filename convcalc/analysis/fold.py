"""The rows of a network's table: pointwise layers folded into the layer they follow, blocks to a depth."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.receptive import ReceptiveField
from convcalc.graph import Node
from convcalc.shapes import Shape


class Row(NamedTuple):
    """One row and what it sums over. `nodes` are the graph's nodes in it, in order; `block` tells a folded block.

    output_shape and receptive_field are those of its last node; weights, biases and MACs are sums. folded_weights
    and folded_biases are the part of the sums that the pointwise layers folded into its first node hold.
    """

    name: str
    nodes: tuple[Node, ...]
    block: bool
    output_shape: Shape
    weights: int
    biases: int
    macs: int
    receptive_field: ReceptiveField | None
    folded_weights: int = 0
    folded_biases: int = 0


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
    folded = [] if block else layers[1:]
    return Row(
        name=name,
        nodes=tuple(nodes),
        block=block,
        output_shape=layers[-1].output_shape,
        weights=sum(layer.weights for layer in layers),
        biases=sum(layer.biases for layer in layers),
        macs=sum(layer.macs for layer in layers),
        receptive_field=layers[-1].receptive_field,
        folded_weights=sum(layer.weights for layer in folded),
        folded_biases=sum(layer.biases for layer in folded),
    )
