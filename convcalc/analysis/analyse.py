"""Figures of a graph, per layer and in total: parameters, MACs, memory, receptive fields. Arithmetic only, no text.

Conventions (stated wherever figures are shown): weights multiply, biases are added, params are both; buffers are
not parameters; shared weights count once, where they are first used. MACs are the multiply-accumulates of conv,
deconv, dense, matmul and attention for one image, products with padded zeros included, biases excluded. Activations
are the bytes of the layers' outputs for the batch. Their peak is the largest sum alive at once when layers run in
order and each output, and each network input, is freed after its last reader; the network's outputs are never freed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

from convcalc.analysis.receptive import ReceptiveField, Track, of_input, receptive_fields, reported
from convcalc.graph import Graph, Node, uncollected
from convcalc.shapes import Shape, elements

DTYPES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}


class LayerFigures(NamedTuple):
    """One layer's figures. Shapes are (C, *spatial) without the batch; counts are exact integers.

    receptive_fields: by the name of each input that reaches the layer; None where no single field fits all its units.
    receptive_field: the first of them. shares: the layer whose weights it reuses and where they are counted. keys:
    alternative names of its parameters in a weights file, as full paths.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    weights: int
    biases: int
    buffers: int
    macs: int
    activation_bytes: int
    receptive_field: ReceptiveField | None
    fields: Mapping[str, Any]
    block: str | None
    shares: str | None = None
    keys: Mapping[str, str] = MappingProxyType({})
    receptive_fields: Mapping[str, ReceptiveField | None] = MappingProxyType({})

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


class Totals(NamedTuple):
    """Sums over all layers, the peak activation memory and the size of the parameters in bytes."""

    layers: int
    weights: int
    biases: int
    buffers: int
    macs: int
    activation_bytes: int
    peak_activation_bytes: int
    param_bytes: int

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


class Analysis(NamedTuple):
    """A graph with its figures. layers: one per node, in the graph's order. warnings: messages for the user. tracks:
    by the index of each input, the receptive field of each node per axis of that input; None where the input does
    not reach the node."""

    graph: Graph
    batch: int
    dtype: str
    layers: tuple[LayerFigures, ...]
    totals: Totals
    warnings: tuple[str, ...]
    tracks: Mapping[int, Sequence[Track | None]]

    def track(self, origin: int, index: int) -> Track | None:
        """The receptive field of a node, or of an input's own pixels, on the input `origin`, per axis."""
        if index >= 0:
            return self.tracks[origin][index]
        return of_input(self.graph, origin) if index == origin else None

    def origin(self, node: Node) -> int | None:
        """The first input that reaches a node: its receptive field is on this one. None for a constant."""
        return next(
            (origin for origin, tracks in self.tracks.items() if tracks[node.index] is not None), None
        )


def analyse(graph: Graph, *, batch: int = 1, dtype: str = "float32") -> Analysis:
    """The figures of a graph for a batch of images and a number type (a key of DTYPES)."""
    with uncollected():
        return _analyse(graph, batch, dtype)


def _analyse(graph: Graph, batch: int, dtype: str) -> Analysis:
    unit = DTYPES[dtype]
    tracks: dict[int, Sequence[Track | None]] = {}
    warnings: dict[str, None] = {}
    for origin in graph.input_indices:
        tracks[origin], texts = receptive_fields(graph, origin)
        warnings |= dict.fromkeys(texts)
    seen = [(*graph.inputs[-1 - origin], of_nodes) for origin, of_nodes in tracks.items()]
    layers = tuple([_layer(graph, node, batch * unit, seen) for node in graph])
    weights = sum(layer.weights for layer in layers)
    biases = sum(layer.biases for layer in layers)
    totals = Totals(
        layers=len(layers),
        weights=weights,
        biases=biases,
        buffers=sum(layer.buffers for layer in layers),
        macs=sum(layer.macs for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        peak_activation_bytes=peak_elements(graph) * batch * unit,
        param_bytes=(weights + biases) * unit,
    )
    return Analysis(graph, batch, dtype, layers, totals, (*graph.warnings, *warnings), tracks)


def _layer(
    graph: Graph, node: Node, unit: int, seen: Sequence[tuple[str, Shape, Sequence[Track | None]]]
) -> LayerFigures:
    """The figures of one node. unit: bytes per element for the whole batch. seen: name, shape and tracks per input."""
    counts = parameter_counts(node)
    fields = {
        name: reported(track, shape, node.output_shape)
        for name, shape, tracks in seen
        if (track := tracks[node.index]) is not None
    }
    return LayerFigures(
        name=node.name,
        kind=node.kind,
        inputs=tuple([graph.input_name(source) for source in node.inputs]),
        input_shapes=node.input_shapes,
        output_shape=node.output_shape,
        weights=counts["weight"],
        biases=counts["bias"],
        buffers=counts["buffer"],
        macs=node.op.macs(node.input_shapes),
        activation_bytes=elements(node.output_shape) * unit,
        receptive_field=next(iter(fields.values()), None),
        fields=node.op.shown_fields(),
        block=node.scope or None,
        shares=None if node.shares is None else graph.nodes[node.shares].name,
        keys=node.keys,
        receptive_fields=fields,
    )


def parameter_counts(node: Node) -> dict[str, int]:
    """How many weights, biases and buffers a layer has of its own, by role."""
    counts = {"weight": 0, "bias": 0, "buffer": 0}
    if node.shares is None:
        for parameter in node.parameters:
            counts[parameter.role] += prod(parameter.shape)
    return counts


def peak_elements(graph: Graph) -> int:
    """The largest number of elements alive at once when the layers run in order."""
    peak: int = max(alive_elements(graph, elements))
    return peak


def alive_elements(graph: Graph, size_of: Callable[[Shape], Any]) -> Iterator[Any]:
    """The number of elements alive when the layers run in order: before the first of them, and as each of them has
    made its output. size_of: the elements of a shape, as any number that adds and subtracts."""
    last = graph.last_readers()
    reads_input = {source: node.index for node in graph for source in node.inputs if source < 0}
    dying: dict[int, Any] = {}
    alive: Any = 0  # inputs nobody reads are filed under −1, which no node ever frees
    for index in graph.input_indices:
        size = size_of(graph.shape(index))
        alive += size
        reader = reads_input.get(index, -1)
        dying[reader] = dying.get(reader, 0) + size
    yield alive
    for node in graph:
        size = size_of(node.output_shape)
        alive += size
        yield alive
        dying[last[node.index]] = dying.get(last[node.index], 0) + size
        alive -= dying.pop(node.index, 0)
