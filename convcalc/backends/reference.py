"""The reference backend: every operator's own forward, in plain Python, layer after layer.

Large convolutions and dense layers are cut into runs of filters, which several processes compute side by side:
the workers are forked once, after the weights are read, so that nothing but a layer's input and output is ever
copied. Where there is no fork, one process does the same work.
"""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import prod
from time import perf_counter
from typing import Any, NamedTuple

from convcalc.backends import Progress, Run
from convcalc.graph import INPUT, Graph, Node
from convcalc.ops.base import Operator, Tensor
from convcalc.weights.fit import Parameters, Weights

WORTH_A_POOL = 60_000_000  # MACs of the whole network; below, forking costs more than it saves
WORTH_CUTTING = 4_000_000  # MACs of a layer
PART = 20_000_000  # MACs of a part: about half a second, so that progress moves
FEWEST = 16  # filters in a part: each part collects the layer's windows anew


class Part(NamedTuple):
    """Filters first..stop of a node."""

    node: int
    first: int
    stop: int


def run(
    graph: Graph,
    weights: Weights,
    values: Sequence[Any],
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """The network's output for one input, flat and row-major, channels first."""
    began = perf_counter()
    total = sum(node.op.macs(node.input_shapes) for node in graph)
    workers = 1 if total < WORTH_A_POOL else threads or processors()
    last = graph.last_readers()
    outputs: dict[int, Tensor] = {INPUT: Tensor(graph.input_shape, values)}
    seconds = []
    with _pool(graph, weights, workers) as pool:
        for node in graph:
            start = perf_counter()
            inputs = [outputs[source] for source in node.inputs]
            outputs[node.index] = _layer(node, inputs, weights.nodes[node.index], workers, pool, progress)
            seconds.append(perf_counter() - start)
            for source in {*node.inputs, node.index}:
                if source != INPUT and last[source] <= node.index:
                    del outputs[source]
    result = outputs[graph.output]
    return Run("reference", result.shape, result.values, perf_counter() - began, tuple(seconds))


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _layer(
    node: Node,
    inputs: list[Tensor],
    parameters: Parameters,
    workers: int,
    pool: Any,
    progress: Progress | None,
) -> Tensor:
    macs = node.op.macs(node.input_shapes)
    parts = cut(node, macs, workers)
    if len(parts) < 2:
        result = node.op.forward(inputs, parameters)
        if progress:
            progress(node, macs)
        return result
    channels = node.output_shape[0]
    pieces: dict[int, Tensor] = {}
    if pool is None:
        finished: Iterator[tuple[int, Tensor]] = (
            (number, compute(node, part, inputs[0], parameters)) for number, part in enumerate(parts)
        )
    else:
        shared = array("d", inputs[0].values).tobytes()
        jobs = [(number, part, shared) for number, part in enumerate(parts)]
        finished = pool.imap_unordered(_work, jobs)
    for number, piece in finished:
        pieces[number] = piece
        if progress:
            progress(node, macs * (parts[number].stop - parts[number].first) // channels)
    whole: list[Any] = []
    for number in range(len(parts)):
        whole.extend(pieces[number].values)
    return Tensor((channels, *pieces[0].shape[1:]), whole)


def cut(node: Node, macs: int, workers: int) -> list[Part]:
    """The parts of a layer, runs of filters that divide no group; one part where cutting does not pay."""
    if node.kind not in ("conv", "dense") or macs < WORTH_CUTTING:
        return [Part(node.index, 0, node.output_shape[0])]
    if node.kind == "dense" and len(node.output_shape) > 1:
        return [Part(node.index, 0, node.output_shape[0])]
    channels = node.output_shape[0]
    groups = getattr(node.op, "groups", 1)
    unit = channels // groups if groups > 1 else 1
    count = max(workers, -(-macs // PART))
    size = max(FEWEST, -(-channels // count), unit)
    size = -(-size // unit) * unit
    return [Part(node.index, first, min(channels, first + size)) for first in range(0, channels, size)]


def compute(node: Node, part: Part, tensor: Tensor, parameters: Parameters) -> Tensor:
    """The output of some of a layer's filters: the layer's own forward, on an operator that has only those."""
    channels = node.output_shape[0]
    count = part.stop - part.first
    sliced = {
        name: values[part.first * (len(values) // channels) : part.stop * (len(values) // channels)]
        for name, values in parameters.items()
    }
    op: Operator = node.op
    if node.kind == "dense":
        op = dataclasses.replace(op, units=count)  # type: ignore[call-arg]
    else:
        groups = op.groups  # type: ignore[attr-defined]
        if groups > 1:
            share = channels // groups
            first, stop = part.first // share, part.stop // share
            depth = tensor.shape[0] // groups
            plane = prod(tensor.shape[1:])
            tensor = Tensor(
                ((stop - first) * depth, *tensor.shape[1:]),
                tensor.values[first * depth * plane : stop * depth * plane],
            )
            groups = stop - first
        op = dataclasses.replace(op, filters=count, groups=groups)  # type: ignore[call-arg]
    return op.forward([tensor], sliced)


_shared: tuple[Graph, Weights] | None = None  # in a worker: what it was forked with


def _pool(graph: Graph, weights: Weights, workers: int) -> AbstractContextManager[Any]:
    """Worker processes that hold the graph and the weights, or None where one process is as good."""
    return _processes(workers, _set_shared, graph, weights)


def _set_shared(graph: Graph, weights: Weights) -> None:
    global _shared
    _quiet()
    _shared = (graph, weights)


@contextmanager
def _processes(workers: int, start: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """Forked workers, each after start(*arguments), handed over without a copy; None if there is no fork."""
    import multiprocessing

    if workers < 2 or os.name != "posix" or "fork" not in multiprocessing.get_all_start_methods():
        yield None
        return
    with multiprocessing.get_context("fork").Pool(workers, start, arguments) as pool:
        yield pool


def _quiet() -> None:
    """Leave Ctrl-C to the parent, which ends its workers."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(job: tuple[int, Part, bytes]) -> tuple[int, Tensor]:
    number, part, data = job
    assert _shared is not None
    graph, weights = _shared
    node = graph.nodes[part.node]
    values = array("d")
    values.frombytes(data)
    tensor = Tensor(node.input_shapes[0], values.tolist())
    result = compute(node, part, tensor, weights.nodes[part.node])
    return number, Tensor(result.shape, array("d", result.values))


_function: Callable[[Any], Any] | None = None  # in a worker of `forked`: what it was forked with


@contextmanager
def forked(
    workers: int, function: Callable[[Any], Any]
) -> Iterator[Callable[[Sequence[Any]], Iterator[Any]]]:
    """A map over items in worker processes that were forked with the function and all it holds.

    Where there is no fork, the plain map.
    """
    with _processes(workers, _set_function, function) as pool:
        yield (
            (lambda items: map(function, items)) if pool is None else (lambda items: pool.imap(_apply, items))
        )


def _set_function(function: Callable[[Any], Any]) -> None:
    global _function
    _quiet()
    _function = function


def _apply(item: Any) -> Any:
    assert _function is not None
    return _function(item)
