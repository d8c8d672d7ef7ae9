"""A network's figures summed by the layers' kind, role or block."""

from __future__ import annotations

from typing import Literal, NamedTuple

from convcalc.analysis.analyse import Analysis, LayerFigures
from convcalc.graph import Node

By = Literal["kind", "block", "role"]
BY: tuple[By, ...] = ("kind", "block", "role")


class Group(NamedTuple):
    """Layers together. Sums of exact counts; shared weights count where they are first used."""

    name: str
    layers: int
    weights: int
    biases: int
    macs: int
    activation_bytes: int

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


class Groups(NamedTuple):
    """All groups, in the order of their first layers. They sum to the network's totals."""

    analysis: Analysis
    by: By
    groups: tuple[Group, ...]


def grouped(analysis: Analysis, by: By, depth: int | None = None) -> Groups:
    """The sums by kind (`conv`), role (`convolution`) or block: the first `depth` segments of the layers' paths, by
    default one."""
    layers: dict[str, list[LayerFigures]] = {}
    for node, layer in zip(analysis.graph, analysis.layers, strict=True):
        layers.setdefault(_key(node, by, depth or 1), []).append(layer)
    return Groups(
        analysis,
        by,
        tuple(
            [
                Group(
                    name=name,
                    layers=len(members),
                    weights=sum(layer.weights for layer in members),
                    biases=sum(layer.biases for layer in members),
                    macs=sum(layer.macs for layer in members),
                    activation_bytes=sum(layer.activation_bytes for layer in members),
                )
                for name, members in layers.items()
            ]
        ),
    )


def _key(node: Node, by: By, depth: int) -> str:
    if by == "kind":
        return node.kind
    return node.op.role if by == "role" else ".".join(node.name.split(".")[:depth])
