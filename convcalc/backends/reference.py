"""The reference backend: runs each operator's own `forward`, in plain Python, layer by layer.

Large convolutions and dense layers are split into runs of output channels, which several processes compute in
parallel. The workers are forked once, after the weights are loaded, so that only a layer's input and output are ever
copied. On platforms without fork, a single process does the same work.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping
from math import prod
from time import perf_counter
from typing import Any, NamedTuple

from convcalc.backends import Progress, Run, Take, Values, check_known
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph, Node, input_index
from convcalc.ops import Tensor
from convcalc.processes import Spread, forked, processors
from convcalc.shapes import Shape
from convcalc.weights.load import Parameters, Weights

WORTH_A_POOL = 60_000_000  # MACs of the whole network; below this, forking costs more than it saves
WORTH_CUTTING = 4_000_000  # MACs of a layer; below this, splitting costs more than it saves
PART = 60_000_000  # MACs per part: about half a second, so that the progress display keeps moving
MIN_CHANNELS = 16  # per part, since every part has to collect the layer's windows again


class Part(NamedTuple):
    """The output channels of a node from `first` up to, not including, `stop`."""

    node: int
    first: int
    stop: int


def run(
    graph: Graph,
    weights: Weights,
    values: Values,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    kept: Collection[int] = (),
    take: Take | None = None,
) -> Run:
    """The outputs for these input values. kept: the nodes whose outputs `take` is given. Raises UsageError for unknown
    operators, ConvcalcError for wrong inputs."""
    check_known(graph)
    weights.draw()  # once, and not by each worker
    began = perf_counter()
    workers = 1 if graph.macs < WORTH_A_POOL else threads or processors()
    outputs = inputs_of(graph, values)
    if not all(isinstance(next(iter(tensor.values), None), float) for tensor in outputs.values()):
        workers = 1  # workers exchange floats only, and other numbers, such as fractions, must stay exact
    last = graph.last_readers()
    seconds = []
    with forked(workers, PartWorker(graph, weights)) as spread:
        for node in graph:
            start = perf_counter()
            inputs = [outputs[source] for source in node.inputs]
            outputs[node.index] = _layer(node, inputs, weights.nodes[node.index], workers, spread, progress)
            seconds.append(perf_counter() - start)
            if take is not None and node.index in kept:
                start = perf_counter()
                take(node.index, outputs[node.index])
                began += perf_counter() - start  # not the backend's time
            for source in {*node.inputs, node.index}:
                if source >= 0 and last[source] <= node.index:
                    del outputs[source]
    results = {output.name: outputs[output.node] for output in graph.outputs}
    return Run("reference", results, perf_counter() - began, tuple(seconds))


def inputs_of(graph: Graph, values: Values) -> dict[int, Tensor]:
    """The input tensors by input index. Raises ConvcalcError if the names do not match the graph's inputs."""
    names = [entry.name for entry in graph.inputs]
    if not isinstance(values, Mapping):
        if len(names) > 1:
            raise ConvcalcError(f"{graph.name} has {len(names)} inputs: {', '.join(names)}")
        values = {names[0]: values}
    if values.keys() != set(names):
        given = ", ".join(values) or "none"
        raise ConvcalcError(f"{graph.name} has the inputs {', '.join(names)}; given: {given}")
    return {
        input_index(position): Tensor(entry.shape, values[entry.name])
        for position, entry in enumerate(graph.inputs)
    }


def _layer(
    node: Node,
    inputs: list[Tensor],
    parameters: Parameters,
    workers: int,
    spread: Spread | None,
    progress: Progress | None,
) -> Tensor:
    """The output of one node, computed in parts where that pays off: by the workers, or here without a `spread`."""
    macs = node.op.macs(node.input_shapes)
    parts = cut(node, macs, workers)
    if len(parts) < 2:
        result = node.op.forward(inputs, parameters)
        if progress:
            progress(node, macs)
        return result
    channels = node.output_shape[0]
    pieces: Iterator[Tensor]
    if spread is None:
        pieces = (compute(node, part, inputs[0], parameters) for part in parts)
    else:
        shared = array("d", inputs[0].values).tobytes()
        pieces = spread((part, shared) for part in parts)
    whole: list[Any] = []
    positions: Shape = ()
    for part, piece in zip(parts, pieces, strict=True):
        whole.extend(piece.values)
        positions = piece.shape[1:]
        if progress:
            progress(node, macs * (part.stop - part.first) // channels)
    return Tensor((channels, *positions), whole)


def cut(node: Node, macs: int, workers: int) -> list[Part]:
    """The runs of output channels to compute in parallel; a single run if splitting does not pay or cannot be done."""
    channels = node.output_shape[0]
    unit = node.op.smallest_part(node.input_shapes)
    if unit is None or macs < WORTH_CUTTING:
        return [Part(node.index, 0, channels)]
    count = max(workers, -(-macs // PART))
    size = max(MIN_CHANNELS, -(-channels // count), unit)
    size = -(-size // unit) * unit
    return [Part(node.index, first, min(channels, first + size)) for first in range(0, channels, size)]


def compute(node: Node, part: Part, tensor: Tensor, parameters: Parameters) -> Tensor:
    """Some output channels of a layer, from the `forward` of an operator that only has those channels."""
    op, read = node.op.part(node.input_shapes, range(part.first, part.stop))
    if len(read) < tensor.shape[0]:
        plane = prod(tensor.shape[1:])
        tensor = Tensor((len(read), *tensor.shape[1:]), tensor.values[read.start * plane : read.stop * plane])
    channels = node.output_shape[0]
    sliced = {
        name: values[part.first * (len(values) // channels) : part.stop * (len(values) // channels)]
        for name, values in parameters.items()
    }
    return op.forward([tensor], sliced)


class PartWorker:
    """The job of a worker process: computes a part of a layer from the layer's input, as bytes of float64."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.graph = graph
        self.weights = weights

    def __call__(self, job: tuple[Part, bytes]) -> Tensor:
        part, data = job
        node = self.graph.nodes[part.node]
        values = array("d")
        values.frombytes(data)
        tensor = Tensor(node.input_shapes[0], values.tolist())
        result = compute(node, part, tensor, self.weights.nodes[part.node])
        return Tensor(result.shape, array("d", result.values))
